// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsipctl watch: bindings with packets both ways, rates and drops, refreshed in place. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "json.h"
#include "rsipctl.h"
#include "util.h"

#define ROWS_WITHOUT_TERMINAL 50

struct seen { /* a binding's counters in the last frame */
	uint32_t id;
	double in, out, in_bytes, out_bytes;
};

struct watch {
	struct ctl_run *run;
	bool terminal;
	uint64_t last_ns;
	struct seen *seen; /* ascending by ID */
	int seen_cnt;
	double drops[256];
};

struct line { /* a binding in this frame */
	const cJSON *b;
	double in_rate, out_rate, bits;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static double num(const cJSON *obj, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(obj, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static int by_id(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Busiest first, then by host. */
static int by_rate(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	double rx = x->in_rate + x->out_rate, ry = y->in_rate + y->out_rate;

	if (rx != ry)
		return rx > ry ? -1 : 1;
	return num(x->b, "bind-id") < num(y->b, "bind-id") ? -1 : 1;
}

static double rate(double now, double before, double seconds)
{
	return seconds > 0 && now > before ? (now - before) / seconds : 0;
}

static void fill_line(const struct watch *w, struct line *line, const cJSON *b, double seconds)
{
	struct seen key = {.id = (uint32_t)num(b, "bind-id")};
	const struct seen *old =
		w->seen_cnt ? bsearch(&key, w->seen, (size_t)w->seen_cnt, sizeof(key), by_id)
			    : NULL;

	line->b = b;
	if (!old)
		return;
	line->in_rate = rate(num(b, "in-packets"), old->in, seconds);
	line->out_rate = rate(num(b, "out-packets"), old->out, seconds);
	line->bits = 8 * (rate(num(b, "in-bytes"), old->in_bytes, seconds) +
			  rate(num(b, "out-bytes"), old->out_bytes, seconds));
}

static void remember(struct watch *w, const cJSON *list, int cnt)
{
	const cJSON *b;
	int i = 0;

	free(w->seen);
	w->seen = calloc((size_t)cnt + 1, sizeof(*w->seen));
	w->seen_cnt = 0;
	if (!w->seen)
		return;
	cJSON_ArrayForEach (b, list)
		w->seen[i++] = (struct seen){(uint32_t)num(b, "bind-id"), num(b, "in-packets"),
					     num(b, "out-packets"), num(b, "in-bytes"),
					     num(b, "out-bytes")};
	w->seen_cnt = cnt;
	qsort(w->seen, (size_t)cnt, sizeof(*w->seen), by_id);
}

static void print_bindings(struct watch *w, const cJSON *list, double seconds, int rows)
{
	static const char *const heads[] = {"HOST", "LOCAL", "PORTS",  "SPIS",	 ">IN",
					    ">OUT", ">IN/s", ">OUT/s", ">BIT/s", ">EXPIRES"};
	int cnt = cJSON_GetArraySize(list), i = 0;
	struct line *line = calloc((size_t)cnt + 1, sizeof(*line));
	const cJSON *b;
	struct table t;

	if (!line)
		return;
	cJSON_ArrayForEach (b, list)
		fill_line(w, &line[i++], b, seconds);
	qsort(line, (size_t)cnt, sizeof(*line), by_rate);
	table_init(&t, heads, RSIP_ARRAY_LEN(heads));
	for (i = 0; i < cnt && i < rows; i++) {
		b = line[i].b;
		table_next(&t);
		table_cell(&t, 0, "%s", rsip_json_get_string(b, "host", ""));
		table_cell(&t, 1, "%s", rsip_json_get_string(b, "local", ""));
		table_cell(&t, 2, "%s", text_list(cJSON_GetObjectItemCaseSensitive(b, "ports"), 1));
		table_cell(&t, 3, "%s", text_list(cJSON_GetObjectItemCaseSensitive(b, "spis"), 1));
		table_cell(&t, 4, "%s", text_count(num(b, "in-packets")));
		table_cell(&t, 5, "%s", text_count(num(b, "out-packets")));
		table_cell(&t, 6, "%s", text_count(line[i].in_rate));
		table_cell(&t, 7, "%s", text_count(line[i].out_rate));
		table_cell(&t, 8, "%s", text_count(line[i].bits));
		table_cell(&t, 9, "%s", text_seconds((uint64_t)num(b, "expires-in")));
	}
	table_finish(&t);
	free(line);
}

static void print_drops(struct watch *w, const cJSON *stats, double seconds)
{
	const cJSON *drop, *drops = cJSON_GetObjectItemCaseSensitive(
				   cJSON_GetObjectItemCaseSensitive(stats, "total"), "drops");
	int i = 0, shown = 0;

	printf("dropped:");
	cJSON_ArrayForEach (drop, drops) {
		if (i == (int)RSIP_ARRAY_LEN(w->drops))
			break;
		if (drop->valuedouble > 0)
			printf("%s %s %s (%s/s)", shown++ ? "," : "", drop->string,
			       text_count(drop->valuedouble),
			       text_count(w->last_ns ? rate(drop->valuedouble, w->drops[i], seconds)
						     : 0));
		w->drops[i++] = drop->valuedouble;
	}
	printf("%s\n", shown ? "" : " nothing");
}

static int screen_rows(const struct watch *w)
{
	struct winsize size;

	if (!w->terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_row < 8)
		return ROWS_WITHOUT_TERMINAL;
	return size.ws_row - 6;
}

/* Asks for all of a frame before it prints any of it. */
static int frame(struct watch *w)
{
	cJSON *binds = NULL, *stats = NULL, *args = cJSON_CreateObject();
	const cJSON *out_binds, *out_stats, *list;
	uint64_t now_ns = rsip_now_ns();
	double seconds = w->last_ns ? (double)(now_ns - w->last_ns) / 1e9 : 0;
	int code;

	rsip_json_add_u64(args, "limit", RSIP_CTL_PAGE_MAX);
	code = ctl_ask(w->run, "binding-get-page", args, &binds, &out_binds);
	if (code && code != EXIT_NOTHING)
		return code;
	code = ctl_ask(w->run, "stats-get", NULL, &stats, &out_stats);
	if (code) {
		cJSON_Delete(binds);
		return code;
	}
	list = binds ? cJSON_GetObjectItemCaseSensitive(out_binds, "bindings") : NULL;
	if (w->terminal)
		printf("\033[H\033[J");
	printf("%.0f bindings, every %g s%s\n", binds ? num(out_binds, "total") : 0,
	       w->run->interval_s,
	       binds && num(out_binds, "total") > num(out_binds, "count")
		       ? " (the first 1000 are looked at)"
		       : "");
	print_drops(w, out_stats, seconds);
	putchar('\n');
	print_bindings(w, list, seconds, screen_rows(w));
	if (!w->terminal)
		putchar('\n');
	fflush(stdout);
	remember(w, list, cJSON_GetArraySize(list));
	w->last_ns = now_ns;
	cJSON_Delete(binds);
	cJSON_Delete(stats);
	return EXIT_DONE;
}

int ctl_watch(struct ctl_run *run)
{
	struct watch w = {.run = run, .terminal = isatty(STDOUT_FILENO) && !run->json};
	struct sigaction act = {.sa_handler = on_signal};
	int code = EXIT_DONE;

	if (run->json)
		return ctl_fail(run, EXIT_USAGE,
				"watch is for people; programs ask bindings --json again");
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (w.terminal)
		printf("\033[?25l");
	for (unsigned int i = 0; !stop && !code && (!run->frames || i < run->frames); i++) {
		if (i)
			poll(NULL, 0, (int)(run->interval_s * 1000));
		if (!stop)
			code = frame(&w);
	}
	if (w.terminal)
		printf("\033[?25h");
	free(w.seen);
	return code;
}
