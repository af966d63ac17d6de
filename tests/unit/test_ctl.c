// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * controller/ctl*.c against a lease manager on the in-memory data plane.  Each sample of
 * docs/control/ is replayed: its request is sent, and the answer must have the sample's result and
 * shape (the same keys with the same types). Cast: host 10.0.0.11 holds a RSAP-IP and a RSIPSEC
 * binding, host 10.0.0.12 one binding.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ctl.h"
#include "json.h"
#include "util.h"

#define T0 (1000 * RSIP_NS_PER_S)
#define SAMPLES "docs/control"

static struct rsip_conf conf;
static struct rsip_conf_report report;
static struct rsip_ctl_context ctx;
static struct rsip_lease_client *host_a, *host_b;
static uint32_t bind_ports, bind_ipsec, bind_b;

static void random_bytes(void *buf, size_t len)
{
	static uint32_t state = 12345;
	uint8_t *out = buf;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		out[i] = (uint8_t)(state >> 24);
	}
}

static void add_stats(void *arg, cJSON *obj)
{
	static const struct rsip_engine_stats engine;
	static const struct rsip_transport_stats transports;

	(void)arg;
	rsip_ctl_show_engine(obj, &engine);
	rsip_ctl_show_transports(obj, &transports, 0);
	rsip_ctl_show_alloclog(obj, (struct rsip_alloclog_stats){ 0, 0 });
}

static uint32_t lease(struct rsip_lease_client *c, uint8_t method, uint16_t ports, uint16_t spis)
{
	struct rsip_lease_ask ask = {.method = method,
				     .tunnel = RSIP_TUNNEL_IPIP,
				     .port_cnt = ports,
				     .spi_cnt = spis,
				     .endpoint = htonl(0x0a000001),
				     .mtu = 1480};
	const struct rsip_lease_bind *b;

	cr_assert_eq(rsip_lease_assign(ctx.lm, c, &ask, T0, &b), RSIP_OK);
	return b->bind_id;
}

static void gateway_up(void)
{
	static const char text[] = "{\"interfaces\": {\"public\": [\"pub0\"], \"private\": "
				   "[{\"name\": \"priv0\", \"endpoint\": \"10.0.0.1\"}]},"
				   "\"pools\": [{\"name\": \"shared\", \"addresses\": "
				   "[\"203.0.113.1\", \"203.0.113.8/30\"]}],"
				   "\"policies\": [{\"name\": \"branch\", \"clients\": "
				   "[\"10.0.1.0/24\"], \"remote\": \"macro\", "
				   "\"deny\": [\"198.51.100.0/24\"]}], "
				   "\"private_networks\": [\"10.0.0.0/8\"], \"clients\": "
				   "{\"networks\": [\"10.0.0.0/8\"]}}";
	struct rsip_lease_conf lease_conf;
	uint32_t binds, clients;

	cr_assert_eq(rsip_conf_parse(text, strlen(text), &conf, &report), 0);
	lease_conf = (struct rsip_lease_conf){.pool = conf.pool,
					      .pool_cnt = conf.pool_cnt,
					      .limits = conf.limits};
	cr_assert_eq(rsip_dataplane_mem(1024, 16, &ctx.dp), 0);
	cr_assert_eq(rsip_lease_create(&lease_conf, ctx.dp, random_bytes, NULL, &ctx.lm), 0);
	cr_assert_eq(rsip_lease_adopt(ctx.lm, T0, &binds, &clients), 0);
	ctx.conf = &conf;
	ctx.start_ns = T0 - 60 * RSIP_NS_PER_S;
	ctx.add_stats = add_stats;
	cr_assert_eq(
		rsip_lease_register(ctx.lm, htonl(0x0a00000b), 2, RSIP_TRANSPORT_UDP, T0, &host_a),
		RSIP_OK);
	cr_assert_eq(
		rsip_lease_register(ctx.lm, htonl(0x0a00000c), 2, RSIP_TRANSPORT_TCP, T0, &host_b),
		RSIP_OK);
	bind_ports = lease(host_a, RSIP_METHOD_RSAP_IP, 64, 0);
	bind_ipsec = lease(host_a, RSIP_METHOD_RSIPSEC, 0, 4);
	bind_b = lease(host_b, RSIP_METHOD_RSIPSEC, 16, 4);
}

static void gateway_down(void)
{
	rsip_lease_destroy(ctx.lm);
	ctx.dp->ops->close(ctx.dp);
}

TestSuite(ctl, .init = gateway_up, .fini = gateway_down);

static cJSON *ask(const char *request)
{
	char *line = rsip_ctl_answer(&ctx, request, strlen(request), T0 + RSIP_NS_PER_S, "test");
	struct rsip_json_error err;
	cJSON *reply;

	cr_assert_not_null(line);
	cr_assert_eq(line[strlen(line) - 1], '\n');
	reply = rsip_json_parse(line, strlen(line), 0, &err);
	cr_assert_not_null(reply, "%s: %s", err.text, line);
	free(line);
	return reply;
}

static void expect_result(const char *request, unsigned int result)
{
	cJSON *reply = ask(request);

	cr_expect_eq(rsip_json_get_u64(reply, "result", 99), result, "%s", request);
	cr_expect_not_null(cJSON_GetObjectItemCaseSensitive(reply, "text"), "%s", request);
	cJSON_Delete(reply);
}

static const cJSON *at(const cJSON *obj, const char *path)
{
	char copy[128], *word, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((word = strsep(&rest, ".")) && obj)
		obj = word[0] >= '0' && word[0] <= '9'
			      ? cJSON_GetArrayItem(obj, atoi(word))
			      : cJSON_GetObjectItemCaseSensitive(obj, word);
	return obj;
}

/* ---- the samples
 * ---------------------------------------------------------------------------------------------------
 */

/* The same keys, the same types, and so on down; a longer list goes on as the sample's last entry.
 */
static void expect_shape(const char *file, const cJSON *want, const cJSON *got, const char *where)
{
	const cJSON *w, *g;
	char path[256];
	bool both_bool = cJSON_IsBool(want) && cJSON_IsBool(got);

	cr_expect(both_bool || (want->type & 0xff) == (got->type & 0xff), "%s: %s has another type",
		  file, where);
	if (cJSON_IsArray(want)) {
		if (!want->child)
			return;
		cr_expect_not_null(got->child, "%s: %s is empty", file, where);
		w = want->child;
		cJSON_ArrayForEach (g, got) {
			expect_shape(file, w, g, where);
			w = w->next ? w->next : w;
		}
		return;
	}
	if (!cJSON_IsObject(want))
		return;
	cJSON_ArrayForEach (w, want) {
		snprintf(path, sizeof(path), "%s.%s", where, w->string);
		g = cJSON_GetObjectItemCaseSensitive(got, w->string);
		cr_expect_not_null(g, "%s: %s is missing in the answer", file, path);
		if (g)
			expect_shape(file, w, g, path);
	}
	cJSON_ArrayForEach (g, got)
		cr_expect_not_null(cJSON_GetObjectItemCaseSensitive(want, g->string),
				   "%s: %s.%s is not in the sample", file, where, g->string);
}

/* IDs are random: the request asks for those that are there. */
static void put_ids(cJSON *args)
{
	if (cJSON_HasObjectItem(args, "client-id"))
		cJSON_ReplaceItemInObject(args, "client-id", cJSON_CreateNumber(host_a->client_id));
	if (cJSON_HasObjectItem(args, "bind-id"))
		cJSON_ReplaceItemInObject(args, "bind-id", cJSON_CreateNumber(bind_ports));
}

static cJSON *read_sample(const char *name)
{
	struct rsip_json_error err;
	char path[300], *text;
	cJSON *sample;
	size_t len;

	snprintf(path, sizeof(path), SAMPLES "/%s", name);
	cr_assert_eq(rsip_json_read_file(path, 1 << 20, &text, &len), 0,
		     "%s: run from the top folder", path);
	sample = rsip_json_parse(text, len, 0, &err);
	cr_assert_not_null(sample, "%s:%d: %s", path, err.line, err.text);
	free(text);
	return sample;
}

static void replay(const char *name)
{
	cJSON *sample = read_sample(name),
	      *request = cJSON_GetObjectItemCaseSensitive(sample, "request"), *reply;
	const cJSON *want = cJSON_GetObjectItemCaseSensitive(sample, "reply");
	char *text, file[256];

	put_ids(cJSON_GetObjectItemCaseSensitive(request, "arguments"));
	text = cJSON_PrintUnformatted(request);
	reply = ask(text);
	free(text);
	cr_expect_eq(rsip_json_get_u64(reply, "result", 99), rsip_json_get_u64(want, "result", 98),
		     "%s", name);
	expect_shape(name, want, reply, "reply");
	snprintf(file, sizeof(file), "%s.json", rsip_json_get_string(request, "command", ""));
	cr_expect_str_eq(name, file);
	cJSON_Delete(reply);
	cJSON_Delete(sample);
}

Test(ctl, every_command_has_a_sample_and_every_sample_is_answered_so)
{
	/* Some remove what others look for: each finds a gateway of its own. */
#define X(sym, name, text, args)                                                                   \
	replay(name ".json");                                                                      \
	gateway_down();                                                                            \
	gateway_up();
	RSIP_CTL_TABLE(X)
#undef X
}

Test(ctl, there_is_no_sample_of_what_is_no_command)
{
	DIR *dir = opendir(SAMPLES);
	struct dirent *entry;
	int files = 0, commands = 0;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)))
		files += strstr(entry->d_name, ".json") != NULL;
	closedir(dir);
#define X(sym, name, text, args) commands++;
	RSIP_CTL_TABLE(X)
#undef X
	cr_assert_eq(files, commands);
}

/* ---- what a request may be
 * ------------------------------------------------------------------------------------------ */

Test(ctl, what_is_no_request_draws_an_error)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"7",
		"{}",
		"{\"command\": 7}",
		"{\"command\": \"status-get\"} x",
		"{\"command\": \"status-get\", \"command\": \"status-get\"}",
		"{\"command\": \"status-get\", \"service\": \"x\"}",
		"{\"command\": \"status-get\", \"arguments\": []}",
		"{\"command\": \"status-get\", \"arguments\": {\"x\": 1}}",
		"{\"command\": \"client-get\"}",
		"{\"command\": \"client-get\", \"arguments\": {\"or\": 1}}",
		"{\"command\": \"client-get\", \"arguments\": {\"host\": 1}}",
		"{\"command\": \"client-get\", \"arguments\": {\"host\": \"x\"}}",
		"{\"command\": \"client-get\", \"arguments\": {\"client-id\": 1, \"host\": "
		"\"10.0.0.11\"}}",
		"{\"command\": \"client-get\", \"arguments\": {\"client-id\": -1}}",
		"{\"command\": \"client-get\", \"arguments\": {\"client-id\": 4294967296}}",
		"{\"command\": \"client-remove\", \"arguments\": {\"host\": \"10.0.0.11\"}}",
		"{\"command\": \"binding-get\"}",
		"{\"command\": \"binding-get\", \"arguments\": {\"bind-id\": \"1\"}}",
		"{\"command\": \"binding-get-page\", \"arguments\": {\"limit\": 0}}",
		"{\"command\": \"binding-get-page\", \"arguments\": {\"limit\": 1001}}",
		"{\"command\": \"binding-get-page\", \"arguments\": {\"from\": 9007199254740994}}",
		"{\"command\": \"client-get-page\", \"arguments\": {\"from\": -1}}",
		"{\"command\": \"config-test\", \"arguments\": {\"config\": {}}}",
		"{\"command\": \"config-test\", \"arguments\": {\"config\": \"{\\\"x\\\": 1}\"}}",
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++)
		expect_result(bad[i], RSIP_CTL_ERROR);
}

Test(ctl, an_unknown_command_is_unsupported_and_its_name_is_made_harmless)
{
	cJSON *reply = ask("{\"command\": \"\\u001b[2Jevil\\n\"}");

	cr_assert_eq(rsip_json_get_u64(reply, "result", 99), RSIP_CTL_UNSUPPORTED);
	cr_assert_not_null(strstr(rsip_json_get_string(reply, "text", ""), "?[2Jevil?"));
	cJSON_Delete(reply);
}

Test(ctl, what_does_not_exist_is_empty)
{
	expect_result("{\"command\": \"client-get\", \"arguments\": {\"host\": \"10.0.0.99\"}}",
		      RSIP_CTL_EMPTY);
	expect_result("{\"command\": \"client-remove\", \"arguments\": {\"client-id\": 0}}",
		      RSIP_CTL_EMPTY);
	expect_result("{\"command\": \"binding-get\", \"arguments\": {\"bind-id\": 0}}",
		      RSIP_CTL_EMPTY);
	expect_result("{\"command\": \"binding-remove\", \"arguments\": {\"bind-id\": 0}}",
		      RSIP_CTL_EMPTY);
	expect_result("{\"command\": \"stats-get\", \"arguments\": {\"bind-id\": 0}}",
		      RSIP_CTL_EMPTY);
}

/* ---- what the answers say
 * ------------------------------------------------------------------------------------------- */

Test(ctl, a_binding_is_shown_as_it_was_leased)
{
	char request[100];
	cJSON *reply;

	snprintf(request, sizeof(request),
		 "{\"command\": \"binding-get\", \"arguments\": {\"bind-id\": %u}}", bind_b);
	reply = ask(request);
	cr_assert_str_eq(at(reply, "arguments.binding.host")->valuestring, "10.0.0.12");
	cr_assert_str_eq(at(reply, "arguments.binding.method")->valuestring, "RSIPSEC");
	cr_assert_str_eq(at(reply, "arguments.binding.pool")->valuestring, "shared");
	cr_assert_eq(cJSON_GetArraySize(at(reply, "arguments.binding.ports")), 1,
		     "16 aligned ports are one range");
	cr_assert_eq(cJSON_GetArraySize(at(reply, "arguments.binding.spis")), 1);
	cr_assert_eq(strlen(at(reply, "arguments.binding.spis.0")->valuestring),
		     strlen("0x00000000-0x00000000"));
	cr_assert_eq(at(reply, "arguments.binding.age")->valuedouble, 1);
	cr_assert_eq(at(reply, "arguments.binding.expires-in")->valuedouble, 1799);
	cJSON_Delete(reply);
}

Test(ctl, the_ranges_of_a_pool_are_shown_as_one)
{
	cJSON *reply = ask("{\"command\": \"status-get\"}");

	cr_assert_eq(cJSON_GetArraySize(at(reply, "arguments.pools")), 1);
	cr_assert_eq(at(reply, "arguments.pools.0.addresses")->valuedouble, 5);
	cr_assert_eq(at(reply, "arguments.pools.0.ports-leased")->valuedouble, 80);
	cr_assert_eq(at(reply, "arguments.pools.0.spis-leased")->valuedouble, 8);
	cr_assert_eq(at(reply, "arguments.pools.0.bindings")->valuedouble, 3);
	cr_assert_eq(at(reply, "arguments.uptime")->valuedouble, 61);
	cJSON_Delete(reply);
}

Test(ctl, pages_meet_every_binding_once)
{
	double from = 0;
	int seen = 0;

	for (int page = 0; page < 4; page++) {
		char request[120];
		cJSON *reply;

		snprintf(request, sizeof(request),
			 "{\"command\": \"binding-get-page\", \"arguments\": {\"from\": %.0f, "
			 "\"limit\": 1}}",
			 from);
		reply = ask(request);
		cr_assert_eq(rsip_json_get_u64(reply, "result", 99), RSIP_CTL_OK);
		cr_assert_eq(at(reply, "arguments.total")->valuedouble, 3);
		seen += cJSON_GetArraySize(at(reply, "arguments.bindings"));
		if (!at(reply, "arguments.next")) {
			cJSON_Delete(reply);
			break;
		}
		from = at(reply, "arguments.next")->valuedouble;
		cJSON_Delete(reply);
	}
	cr_assert_eq(seen, 3);
}

Test(ctl, a_removed_binding_is_gone_and_its_client_stays)
{
	char request[100];

	snprintf(request, sizeof(request),
		 "{\"command\": \"binding-remove\", \"arguments\": {\"bind-id\": %u}}", bind_ipsec);
	expect_result(request, RSIP_CTL_OK);
	expect_result(request, RSIP_CTL_EMPTY);
	cr_assert_eq(rsip_lease_bind_count(ctx.lm), 2);
	cr_assert_eq(host_a->bind_cnt, 1);
}

Test(ctl, a_removed_client_is_gone_with_its_bindings)
{
	char request[100];

	snprintf(request, sizeof(request),
		 "{\"command\": \"client-remove\", \"arguments\": {\"client-id\": %u}}",
		 host_a->client_id);
	expect_result(request, RSIP_CTL_OK);
	expect_result(request, RSIP_CTL_EMPTY);
	cr_assert_eq(rsip_lease_client_count(ctx.lm), 1);
	cr_assert_eq(rsip_lease_bind_count(ctx.lm), 1);
	expect_result("{\"command\": \"client-get\", \"arguments\": {\"host\": \"10.0.0.11\"}}",
		      RSIP_CTL_EMPTY);
}

Test(ctl, a_tested_configuration_changes_nothing)
{
	cJSON *reply = ask("{\"command\": \"config-test\", \"arguments\": {\"config\": "
			   "\"{\\n\\\"user\\\": \\\"root\\\"}\"}}");

	cr_assert_eq(rsip_json_get_u64(reply, "result", 99), RSIP_CTL_ERROR);
	cr_assert_eq(at(reply, "arguments.errors.0.line")->valuedouble, 2);
	cr_assert_str_eq(at(reply, "arguments.errors.0.path")->valuestring, "user");
	cr_assert_str_eq(conf.user, "rsip");
	cJSON_Delete(reply);
}

/* ---- the socket
 * -------------------------------------------------------------------------------------------------------
 */

struct wire { /* a server and one connection to it */
	struct event_base *base;
	struct rsip_ctl_server *server;
	int fd;
};

static void wire_up(struct wire *w)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char why[200] = "";

	snprintf(conf.control.socket, sizeof(conf.control.socket), "/tmp/rsip-test-ctl-%d/sock",
		 (int)getpid());
	w->base = event_base_new();
	cr_assert_eq(rsip_ctl_open(w->base, &ctx, getuid(), &w->server, why, sizeof(why)), 0, "%s",
		     why);
	cr_assert_eq(rsip_ctl_start(w->server), 0);
	memcpy(addr.sun_path, conf.control.socket, sizeof(addr.sun_path));
	w->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(w->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void wire_down(struct wire *w)
{
	char dir[100];

	close(w->fd);
	rsip_ctl_close(w->server);
	event_base_free(w->base);
	cr_assert_neq(access(conf.control.socket, F_OK), 0, "the socket is left behind");
	snprintf(dir, sizeof(dir), "/tmp/rsip-test-ctl-%d", (int)getpid());
	rmdir(dir);
}

static size_t exchange(struct wire *w, const char *text, size_t len, char *out, size_t size)
{
	size_t got = 0;

	cr_assert_eq(send(w->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
	for (int i = 0; i < 20; i++) {
		ssize_t n;

		event_base_loop(w->base, EVLOOP_NONBLOCK);
		n = recv(w->fd, out + got, size - 1 - got, MSG_DONTWAIT);
		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
	}
	out[got] = '\0';
	return got;
}

static int lines(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

Test(ctl, a_connection_carries_many_requests_in_any_pieces)
{
	static const char two[] = "{\"command\": \"version-get\"}\n{\"command\":\n\"version-get\"}";
	char out[8192];
	struct wire w;

	wire_up(&w);
	exchange(&w, two, sizeof(two) - 1, out, sizeof(out));
	cr_assert_eq(lines(out), 2, "%s", out);
	for (size_t i = 0; i < sizeof(two) - 2; i++) {
		exchange(&w, &two[i], 1, out, sizeof(out));
		cr_assert_eq(lines(out), i == strlen("{\"command\": \"version-get\"}") - 1,
			     "byte %zu: %s", i, out);
	}
	exchange(&w, "}", 1, out, sizeof(out));
	cr_assert_eq(lines(out), 1);
	wire_down(&w);
}

Test(ctl, garbage_is_answered_and_ends_the_connection)
{
	char out[8192];
	struct wire w;

	wire_up(&w);
	exchange(&w, "GET / HTTP/1.0\r\n\r\n", 18, out, sizeof(out));
	cr_assert_eq(lines(out), 1);
	cr_assert_not_null(strstr(out, "\"result\":1"));
	cr_assert_eq(recv(w.fd, out, sizeof(out), MSG_DONTWAIT), 0, "the connection is still open");
	wire_down(&w);
}

Test(ctl, a_request_without_end_is_refused)
{
	static char big[RSIP_CTL_REQUEST_MAX + 2], out[8192];
	struct wire w;
	size_t got = 0;

	memset(big, ' ', sizeof(big));
	memcpy(big, "{\"command\": \"", 13);
	wire_up(&w);
	for (size_t i = 0; i < sizeof(big) && !got; i += 4096)
		got = exchange(&w, big + i, sizeof(big) - i < 4096 ? sizeof(big) - i : 4096, out,
			       sizeof(out));
	cr_assert_not_null(strstr(out, "\"result\":1"));
	wire_down(&w);
}

Test(ctl, a_second_server_does_not_take_the_socket)
{
	struct rsip_ctl_server *second;
	char why[200] = "";
	struct wire w;

	wire_up(&w);
	cr_assert_eq(rsip_ctl_open(w.base, &ctx, getuid(), &second, why, sizeof(why)), -EADDRINUSE);
	cr_assert_not_null(strstr(why, "another rsipd"));
	wire_down(&w);
}
