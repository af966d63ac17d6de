// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Each command of rsipctl but watch: asks rsipd, prints a table or JSON. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "rsipctl.h"
#include "util.h"

#define PAGE 500

static uint64_t num(const cJSON *obj, const char *name)
{
	return rsip_json_get_u64(obj, name, 0);
}

static const char *str(const cJSON *obj, const char *name)
{
	return rsip_json_get_string(obj, name, "");
}

static const cJSON *sub(const cJSON *obj, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(obj, name);
}

/* ---- status, pools ---- */

/* "IP-IP 1480, GRE 1476" */
static const char *tunnel_mtus(const cJSON *item, const char *name, char *buf, size_t size)
{
	const cJSON *mtu;
	size_t len = 0;

	*buf = 0;
	cJSON_ArrayForEach (mtu, sub(item, name))
		if (len < size)
			len += (size_t)snprintf(buf + len, size - len, "%s%s %.0f", len ? ", " : "", mtu->string,
						mtu->valuedouble);
	return buf;
}

static void print_interfaces(const cJSON *list)
{
	static const char *const heads[] = {"INTERFACE", "ROLE", ">MTU", "ENDPOINT", "MTU IN TUNNELS"};
	const cJSON *item;
	char buf[128];
	struct table t;

	table_init(&t, heads, RSIP_ARRAY_LEN(heads));
	cJSON_ArrayForEach (item, list) {
		table_next(&t);
		table_cell(&t, 0, "%s", str(item, "name"));
		table_cell(&t, 1, "%s%s", str(item, "role"), cJSON_IsTrue(sub(item, "gone")) ? " (gone)" : "");
		table_cell(&t, 2, "%llu", (unsigned long long)num(item, "mtu"));
		table_cell(&t, 3, "%s", str(item, "endpoint"));
		table_cell(&t, 4, "%s", tunnel_mtus(item, "tunnel-mtu", buf, sizeof(buf)));
		if (!sub(item, "endpoint6"))
			continue;
		table_next(&t);
		table_cell(&t, 3, "%s", str(item, "endpoint6"));
		table_cell(&t, 4, "%s", tunnel_mtus(item, "tunnel-mtu6", buf, sizeof(buf)));
	}
	table_finish(&t);
}

static void print_pools(const cJSON *list)
{
	static const char *const heads[] = { "POOL",	">ADDRESSES", ">BINDINGS",    ">HOSTS",	    ">PORTS",
					     ">LEASED", ">HELD",      ">SPIS LEASED", ">SPIS HELD", ">OVER SHARE" };
	static const char *const keys[] = { NULL,	    "addresses",  "bindings",	 "hosts",     "ports",
					    "ports-leased", "ports-held", "spis-leased", "spis-held", "share-refused" };
	const cJSON *item;
	struct table t;

	table_init(&t, heads, RSIP_ARRAY_LEN(heads));
	cJSON_ArrayForEach (item, list) {
		table_next(&t);
		table_cell(&t, 0, "%s%s", str(item, "name"), cJSON_IsTrue(sub(item, "draining")) ? " (draining)" : "");
		for (int i = 1; i < (int)RSIP_ARRAY_LEN(keys); i++)
			table_cell(&t, i, "%llu", (unsigned long long)num(item, keys[i]));
	}
	table_finish(&t);
}

int ctl_status(struct ctl_run *run)
{
	const cJSON *out;
	cJSON *reply;
	int code = ctl_ask(run, "status-get", NULL, &reply, &out);

	if (code)
		return code;
	if (run->json) {
		ctl_print_json(out);
	} else {
		printf("rsipd %s: running for %s, pid %llu; data plane (%s) attached for %s\n",
		       str(out, "version"), text_seconds(num(out, "uptime")),
		       (unsigned long long)num(out, "pid"), str(out, "mode"),
		       text_seconds(num(out, "attached")));
		printf("clients: %llu of %llu\nbindings: %llu of %llu\n\n",
		       (unsigned long long)num(out, "clients"),
		       (unsigned long long)num(out, "clients-max"),
		       (unsigned long long)num(out, "bindings"),
		       (unsigned long long)num(out, "bindings-max"));
		print_interfaces(sub(out, "interfaces"));
		putchar('\n');
		print_pools(sub(out, "pools"));
	}
	cJSON_Delete(reply);
	return EXIT_DONE;
}

int ctl_pools(struct ctl_run *run)
{
	const cJSON *out;
	cJSON *reply;
	int code = ctl_ask(run, "status-get", NULL, &reply, &out);

	if (code)
		return code;
	if (run->json)
		ctl_print_json(sub(out, "pools"));
	else
		print_pools(sub(out, "pools"));
	code = cJSON_GetArraySize(sub(out, "pools")) ? EXIT_DONE : EXIT_NOTHING;
	cJSON_Delete(reply);
	return code;
}

/* ---- stats ---- */

/* One row for each counter that is not zero, one column for each interface. */
static void print_counters(const cJSON *out, const char *part, const char *title)
{
	const cJSON *ifaces = sub(out, "interfaces"), *row, *iface;
	const char *heads[TABLE_COLS] = {title, ">TOTAL"};
	char names[TABLE_COLS][32];
	int cols = 2;
	struct table t;

	cJSON_ArrayForEach (iface, ifaces) {
		if (cols == TABLE_COLS)
			break;
		snprintf(names[cols], sizeof(names[0]), ">%s", str(iface, "name"));
		heads[cols] = names[cols];
		cols++;
	}
	table_init(&t, heads, cols);
	cJSON_ArrayForEach (row, sub(sub(out, "total"), part)) {
		int col = 2;

		if (row->valuedouble == 0)
			continue;
		table_next(&t);
		table_cell(&t, 0, "%s", row->string);
		table_cell(&t, 1, "%.0f", row->valuedouble);
		cJSON_ArrayForEach (iface, ifaces) {
			if (col == cols)
				break;
			table_cell(&t, col++, "%llu",
				   (unsigned long long)num(sub(iface, part), row->string));
		}
	}
	if (t.rows)
		table_finish(&t);
	else
		printf("%s: none\n", title);
}

static void print_group(const cJSON *group, const char *title)
{
	const char *heads[] = {title, ">COUNT"};
	const cJSON *item;
	struct table t;

	table_init(&t, heads, RSIP_ARRAY_LEN(heads));
	cJSON_ArrayForEach (item, group) {
		if (!cJSON_IsNumber(item) || item->valuedouble == 0)
			continue;
		table_next(&t);
		table_cell(&t, 0, "%s", item->string);
		table_cell(&t, 1, "%.0f", item->valuedouble);
	}
	if (!t.rows)
		return;
	putchar('\n');
	table_finish(&t);
}

static const struct {
	const char *name, *title;
} groups[] = {
	{"received", "RECEIVED"},
	{"sent", "SENT"},
	{"errors", "ERRORS SENT"},
	{"unanswered", "UNANSWERED"},
	{"protocol", "PROTOCOL"},
	{"transport", "TRANSPORT"},
	{"allocation-log", "ALLOCATION LOG"},
};

int ctl_stats(struct ctl_run *run)
{
	const cJSON *out;
	cJSON *reply;
	int code = ctl_ask(run, "stats-get", NULL, &reply, &out);

	if (code)
		return code;
	if (run->json) {
		ctl_print_json(out);
	} else {
		print_counters(out, "events", "PACKETS");
		putchar('\n');
		print_counters(out, "drops", "DROPPED");
		for (size_t i = 0; i < RSIP_ARRAY_LEN(groups); i++)
			print_group(sub(out, groups[i].name), groups[i].title);
	}
	cJSON_Delete(reply);
	return EXIT_DONE;
}

/* ---- pages of clients and bindings ---- */

static void client_row(struct table *t, const cJSON *c)
{
	table_next(t);
	table_cell(t, 0, "%llu", (unsigned long long)num(c, "client-id"));
	table_cell(t, 1, "%s", str(c, "host"));
	table_cell(t, 2, "%s", str(c, "interface"));
	table_cell(t, 3, "%s", str(c, "transport"));
	table_cell(t, 4, "%llu", (unsigned long long)num(c, "bindings"));
	table_cell(t, 5, "%llu", (unsigned long long)num(c, "ports"));
	table_cell(t, 6, "%llu", (unsigned long long)num(c, "spis"));
	table_cell(t, 7, "%s", text_seconds(num(c, "age")));
	table_cell(t, 8, "%s", text_seconds(num(c, "expires-in")));
}

static void bind_row(struct table *t, const cJSON *b)
{
	table_next(t);
	table_cell(t, 0, "%llu", (unsigned long long)num(b, "bind-id"));
	table_cell(t, 1, "%s", str(b, "host"));
	table_cell(t, 2, "%s", str(b, "local"));
	table_cell(t, 3, "%s%s%s%s", str(b, "method"),
		   cJSON_IsTrue(sub(b, "listen")) ? " listen" : "", sub(b, "remote") ? " to " : "",
		   str(b, "remote"));
	table_cell(t, 4, "%s %llu%s%s%s", str(b, "tunnel"), (unsigned long long)num(b, "mtu"),
		   cJSON_IsTrue(sub(b, "mtu-learned")) ? " (path)" : "", sub(b, "session") ? " " : "",
		   sub(b, "session") && !*str(b, "session") ? "(no session)" : str(b, "session"));
	table_cell(t, 5, "%s", text_list(sub(b, "ports"), 3));
	table_cell(t, 6, "%s", text_list(sub(b, "spis"), 2));
	table_cell(t, 7, "%s", text_count((double)num(b, "in-packets")));
	table_cell(t, 8, "%s", text_count((double)num(b, "out-packets")));
	table_cell(t, 9, "%s", text_seconds(num(b, "expires-in")));
}

struct pages {
	const char *command, *list;
	const char *const *heads;
	int cols;
	void (*row)(struct table *t, const cJSON *item);
};

static const char *const client_heads[] = {">CLIENT",	"HOST",	     "INTERFACE",
					   "TRANSPORT", ">BINDINGS", ">PORTS",
					   ">SPIS",	">AGE",	     ">EXPIRES"};
static const char *const bind_heads[] = {">BIND", "HOST", "LOCAL", "METHOD", "TUNNEL, MTU",
					 "PORTS", "SPIS", ">IN",   ">OUT",   ">EXPIRES"};
static const struct pages client_pages = {"client-get-page", "clients", client_heads, 9, client_row};
static const struct pages bind_pages = {"binding-get-page", "bindings", bind_heads, 10, bind_row};

struct walk { /* through the pages */
	struct table t;
	uint64_t cnt;
	uint64_t from; /* where the next page begins: what may end meanwhile does not move it */
};

static void show_item(struct ctl_run *run, const struct pages *p, struct walk *w, const cJSON *item)
{
	char *text;

	if (!run->json) {
		p->row(&w->t, item);
	} else {
		text = cJSON_PrintUnformatted(item);
		printf("%s%s", w->cnt ? ",\n" : "\n", text ? text : "{}");
		free(text);
	}
	w->cnt++;
}

static int ask_page(struct ctl_run *run, const struct pages *p, const struct walk *w, cJSON **reply,
		    const cJSON **out)
{
	cJSON *args = cJSON_CreateObject();
	char why[256];
	bool empty;

	rsip_json_add_u64(args, "from", w->from);
	rsip_json_add_u64(args, "limit", PAGE);
	if (rsip_ctlsock_command(run->sock, p->command, args, reply, why, sizeof(why)))
		return ctl_fail(run, EXIT_FAILED, why);
	*out = cJSON_GetObjectItemCaseSensitive(*reply, "arguments");
	if (num(*reply, "result") == RSIP_CTL_OK)
		return EXIT_DONE;
	snprintf(why, sizeof(why), "%s", str(*reply, "text"));
	empty = num(*reply, "result") == RSIP_CTL_EMPTY;
	cJSON_Delete(*reply);
	return empty ? EXIT_NOTHING : ctl_fail(run, EXIT_FAILED, why);
}

/* JSON is one object with one list, however many pages it took; tables are printed page by page. */
static int show_pages(struct ctl_run *run, const struct pages *p)
{
	struct walk w = {.from = 0};
	bool more = true, first = true;
	int code = 0;

	table_init(&w.t, p->heads, p->cols);
	if (run->json)
		printf("{\"%s\":[", p->list);
	while (more) {
		const cJSON *out = NULL, *item;
		cJSON *reply;

		code = ask_page(run, p, &w, &reply, &out);
		if (code)
			break;
		cJSON_ArrayForEach (item, sub(out, p->list))
			show_item(run, p, &w, item);
		if (!run->json)
			table_print(&w.t, stdout, first, 0);
		table_clear(&w.t);
		first = false;
		more = rsip_json_integer(sub(out, "next"), &w.from);
		cJSON_Delete(reply);
	}
	if (run->json)
		printf("\n]}\n");
	return code == EXIT_NOTHING && w.cnt ? EXIT_DONE : code;
}

int ctl_clients(struct ctl_run *run)
{
	return show_pages(run, &client_pages);
}

int ctl_bindings(struct ctl_run *run)
{
	return show_pages(run, &bind_pages);
}

/* ---- one client, one binding ---- */

/* name: value, empty fields left out. */
static void print_fields(const cJSON *obj)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, obj) {
		if (cJSON_IsArray(item) && cJSON_GetArraySize(item))
			printf("%s: %s\n", item->string, text_list(item, 16));
		else if (cJSON_IsString(item) && *item->valuestring)
			printf("%s: %s\n", item->string, item->valuestring);
		else if (cJSON_IsNumber(item))
			printf("%s: %.0f\n", item->string, item->valuedouble);
		else if (cJSON_IsBool(item))
			printf("%s: %s\n", item->string, cJSON_IsTrue(item) ? "yes" : "no");
	}
}

static int one(struct ctl_run *run, const char *noun, const char *id_name)
{
	bool removing = run->arg_cnt == 2 && !strcmp(run->arg[0], "remove");
	const char *word = run->arg_cnt ? run->arg[run->arg_cnt - 1] : "";
	char command[32], *end = NULL, text[128];
	cJSON *args, *reply;
	const cJSON *out;
	__be32 addr;
	int code;

	if (run->arg_cnt < 1 || run->arg_cnt > 2 || (run->arg_cnt == 2 && !removing)) {
		snprintf(text, sizeof(text), "%s needs an ID, or: %s remove ID", noun, noun);
		return ctl_fail(run, EXIT_USAGE, text);
	}
	args = cJSON_CreateObject();
	errno = 0;
	if (!removing && !strcmp(noun, "client") && (strchr(word, ':') || !rsip_ip4_parse(word, &addr))) {
		cJSON_AddStringToObject(args, "host", word);
	} else {
		unsigned long long id = strtoull(word, &end, 0);

		if (*word < '0' || *word > '9' || *end || errno || id > UINT32_MAX) {
			cJSON_Delete(args);
			snprintf(text, sizeof(text), "'%.40s' is no %s ID", word, noun);
			return ctl_fail(run, EXIT_USAGE, text);
		}
		rsip_json_add_u64(args, id_name, id);
	}
	snprintf(command, sizeof(command), "%s-%s", noun, removing ? "remove" : "get");
	code = ctl_ask(run, command, args, &reply, &out);
	if (code)
		return code;
	if (removing && !run->json)
		printf("%s\n", str(reply, "text"));
	else if (removing)
		ctl_print_json(reply);
	else if (run->json)
		ctl_print_json(sub(out, noun));
	else
		print_fields(sub(out, noun));
	cJSON_Delete(reply);
	return EXIT_DONE;
}

int ctl_client(struct ctl_run *run)
{
	return one(run, "client", "client-id");
}

int ctl_binding(struct ctl_run *run)
{
	return one(run, "binding", "bind-id");
}
