// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "json.h"
#include "log.h"
#include "nft.h"
#include "options.h"
#include "undo.h"
#include "util.h"

/* ---- the file ---------------------------------------------------- */

/* A value that goes into nftables' text: nothing but what such values consist of. */
static bool is_plain(const char *text)
{
	return text && *text && strspn(text, "0123456789./-") == strlen(text);
}

static const char *first_text(const cJSON *item)
{
	return cJSON_GetStringValue(cJSON_IsArray(item) ? item->child : item);
}

static void read_pool(const cJSON *pool, int index, struct rsip_nat *nat)
{
	const cJSON *conf = cJSON_GetObjectItemCaseSensitive(pool, "nat"), *net;
	const char *to = first_text(cJSON_GetObjectItemCaseSensitive(pool, "addresses"));
	const char *ports = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(conf, "ports"));
	struct rsip_nat_pool *out = &nat->pool[nat->cnt];
	size_t at = 0;

	if (!is_plain(to) || !is_plain(ports))
		return;
	if (nat->cnt == RSIP_LOADER_NATS_MAX) {
		snprintf(nat->wrong, sizeof(nat->wrong), "pools[%d].nat: more than %d pools with nat", index,
			 RSIP_LOADER_NATS_MAX);
		return;
	}
	snprintf(out->to, sizeof(out->to), "%s", to);
	snprintf(out->ports, sizeof(out->ports), "%s", ports);
	cJSON_ArrayForEach (net, cJSON_GetObjectItemCaseSensitive(conf, "networks")) {
		const char *text = cJSON_GetStringValue(net);

		if (!is_plain(text))
			continue;
		if (at + strlen(text) + 3 >= sizeof(out->networks)) {
			snprintf(nat->wrong, sizeof(nat->wrong), "pools[%d].nat.networks: more than %zu characters in all",
				 index, sizeof(out->networks));
			return;
		}
		at += (size_t)sprintf(out->networks + at, "%s%s", at ? ", " : "", text);
	}
	nat->cnt += at != 0;
}

void rsip_nat_read(const cJSON *root, struct rsip_nat *nat)
{
	const char *stray = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "stray"));
	const cJSON *pool;
	int i = 0;

	memset(nat, 0, sizeof(*nat));
	if (stray && (!strcmp(stray, "drop") || !strcmp(stray, "reject")))
		snprintf(nat->stray, sizeof(nat->stray), "%s", stray);
	cJSON_ArrayForEach (pool, cJSON_GetObjectItemCaseSensitive(root, "pools"))
		read_pool(pool, i++, nat);
}

/* ---- the table ---------------------------------------------------- */

struct text {
	char *at;
	size_t left;
};

static void say(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->at, t->left, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->left) {
		t->left = 0;
		return;
	}
	t->at += n;
	t->left -= (size_t)n;
}

static void say_ifaces(struct text *t, const struct rsip_loader_options *o, uint8_t role)
{
	const char *comma = "";

	say(t, "{ ");
	for (uint32_t i = 0; i < o->iface_cnt; i++) {
		if (o->iface[i].role != role)
			continue;
		say(t, "%s\"%s\"", comma, o->iface[i].name);
		comma = ", ";
	}
	say(t, " }");
}

/* The kernel puts ICMP identifiers into the same range as ports. */
static void say_snat(struct text *t, const struct rsip_loader_options *o, const struct rsip_nat_pool *p)
{
	static const char *const protocol[] = {"tcp", "udp", "icmp"};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(protocol); i++) {
		say(t, "\t\toifname ");
		say_ifaces(t, o, RSIP_ROLE_PUBLIC);
		say(t, " ip saddr { %s } ip protocol %s snat to %s:%s\n", p->networks, protocol[i], p->to, p->ports);
	}
}

/*
 * To a NAT address without a mapping: such a packet would go back to where it came from, and forth again.  What the
 * data plane has marked is on its way to a host.
 */
static void say_returns(struct text *t, const struct rsip_loader_options *o, const struct rsip_nat_pool *p)
{
	say(t, "\t\tiifname ");
	say_ifaces(t, o, RSIP_ROLE_PUBLIC);
	say(t, " ip daddr %s meta mark & 0xffff0000 != 0x52530000 drop\n", p->to);
}

/* Protocols that cannot be mapped would leave with a private source. */
static void say_forward(struct text *t, const struct rsip_loader_options *o, const struct rsip_nat_pool *p, bool accept)
{
	say(t, "\t\toifname ");
	say_ifaces(t, o, RSIP_ROLE_PUBLIC);
	say(t, " ip saddr { %s } ip protocol %s{ tcp, udp, icmp } %s\n", p->networks, accept ? "" : "!= ",
	    accept ? "accept" : "drop");
}

static void say_stray(struct text *t, const struct rsip_loader_options *o)
{
	say(t, "\t\tiifname ");
	say_ifaces(t, o, RSIP_ROLE_PRIVATE);
	say(t, " oifname ");
	say_ifaces(t, o, RSIP_ROLE_PUBLIC);
	for (uint32_t i = 0; i < o->pool_cnt; i++) /* out of a tunnel, by the kernel: no stray; others are dropped before */
		say(t, "%s%s-%s", i ? ", " : " ip saddr != { ", rsip_ip4(htonl(o->pool[i].first)),
		    rsip_ip4(htonl(o->pool[i].last)));
	say(t, "%s counter name \"stray\" %s\n", o->pool_cnt ? " }" : "",
	    strcmp(o->nat.stray, "drop") ? "reject with icmp type admin-prohibited" : "drop");
}

int rsip_nat_text(const struct rsip_loader_options *o, char *text, size_t len)
{
	struct text t = {text, len};

	*text = '\0';
	if (!o->nat.cnt && !*o->nat.stray)
		return 0;
	say(&t, "table ip rsip_nat {\n\tcomment \"made by rsip-loader attach, removed by rsip-loader detach\"\n");
	say(&t, "\tcounter stray { }\n\tchain nat {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
	for (uint32_t i = 0; i < o->nat.cnt; i++)
		say_snat(&t, o, &o->nat.pool[i]);
	say(&t, "\t}\n\tchain forward {\n\t\ttype filter hook forward priority filter; policy accept;\n");
	for (uint32_t i = 0; i < o->nat.cnt; i++) {
		say_returns(&t, o, &o->nat.pool[i]);
		say_forward(&t, o, &o->nat.pool[i], false);
		say_forward(&t, o, &o->nat.pool[i], true);
	}
	if (*o->nat.stray)
		say_stray(&t, o);
	say(&t, "\t}\n}\n");
	return t.left ? 0 : -ENOSPC;
}

static uint64_t fnv(uint64_t sum, const char *text)
{
	do
		sum = (sum ^ (uint8_t)*text) * 0x100000001b3ULL;
	while (*text++);
	return sum;
}

void rsip_nat_mark(const struct rsip_loader_options *o, char *mark)
{
	uint64_t sum = fnv(0xcbf29ce484222325ULL, o->nat.stray);
	char range[24];

	*mark = '\0';
	if (!o->nat.cnt && !*o->nat.stray)
		return;
	for (uint32_t i = 0; i < o->nat.cnt; i++)
		sum = fnv(fnv(fnv(sum, o->nat.pool[i].to), o->nat.pool[i].ports), o->nat.pool[i].networks);
	for (uint32_t i = 0; i < o->pool_cnt && *o->nat.stray; i++) {
		snprintf(range, sizeof(range), "%08x-%08x", o->pool[i].first, o->pool[i].last);
		sum = fnv(sum, range);
	}
	snprintf(mark, RSIP_NAT_MARK_LEN, "%016llx", (unsigned long long)sum);
}

bool rsip_nat_there(void)
{
	char why[256];

	return !rsip_nft_run("list table ip rsip_nat", why, sizeof(why));
}

/* note: false where it has been noted before. */
static int make_table(struct rsip_undo_log *log, const struct rsip_loader_options *o, bool note)
{
	char text[16384], why[256], mark[RSIP_NAT_MARK_LEN];
	int err = rsip_nat_text(o, text, sizeof(text));

	if (err)
		log_err("cannot make nftables table ip rsip_nat: it would be longer than %zu bytes (fewer interfaces, pools "
			"or nat.networks)",
			sizeof(text));
	if (err || !*text)
		return err;
	rsip_nat_mark(o, mark);
	if (note)
		err = rsip_undo_note(log, "nft/rsip_nat", mark);
	if (!err)
		err = rsip_nft_run(text, why, sizeof(why));
	if (err == -EIO)
		log_err("cannot make nftables table ip rsip_nat for `nat` and `stray`: %s (does this kernel have nf_tables "
			"and nf_nat?)",
			why);
	return err;
}

/* nft would add to a table that is there, and detach would delete what others have in it. */
int rsip_nat_make(struct rsip_undo_log *log, const struct rsip_loader_options *o)
{
	if ((!o->nat.cnt && !*o->nat.stray) || !rsip_nat_there())
		return make_table(log, o, true);
	log_err("there is an nftables table ip rsip_nat already (see what is in it; `nft delete table ip rsip_nat`, and "
		"attach again)");
	return -EEXIST;
}

int rsip_nat_mend(const struct rsip_loader_options *o)
{
	if ((!o->nat.cnt && !*o->nat.stray) || rsip_nat_there())
		return 0;
	log_info("nftables table ip rsip_nat is gone (a flush ruleset?): making it again");
	return make_table(NULL, o, false);
}

int rsip_nat_remove(void)
{
	char why[256];

	return rsip_nft_run("delete table ip rsip_nat", why, sizeof(why)) ? -ENOENT : 0;
}
