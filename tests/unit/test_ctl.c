// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * controller/ctl*.c against a lease manager on the in-memory data plane.  Each sample of
 * docs/control/ is replayed: its request is sent, and the answer must have the sample's result and
 * shape (the same keys with the same types). Cast: host 10.0.0.11 holds a RSAP-IP and a RSIPSEC
 * binding, host 10.0.0.12 one binding.
 */
#include <dirent.h>

#include "ctl_fixture.h"

#define SAMPLES "docs/control"

TestSuite(ctl, .init = gateway_up, .fini = gateway_down);

static cJSON *ask(const char *request)
{
	char *line = rsip_ctl_answer(&ctx, request, strlen(request), T0 + RSIP_NS_PER_S, &peer);
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

Test(ctl, secrets_are_not_shown)
{
	static const char request[] = "{\"command\": \"config-get\"}";
	struct rsip_ctl_peer peer = { .who = "test" };
	char *line = rsip_ctl_answer(&ctx, request, strlen(request), T0, &peer);

	cr_assert_not_null(line);
	cr_expect_null(strstr(line, SECRET));
	cr_expect_not_null(strstr(line, "\"masked\""));
	free(line);
}

/* ---- the samples ------------------------------------------------------------------------------ */

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
#define X(sym, name, text, args, changes)                                                                   \
	replay(name ".json");                                                                      \
	gateway_down();                                                                            \
	gateway_up();
	RSIP_CTL_TABLE(X)
#undef X
}

/* The event as it is sent has the shape of the sample's event of this kind at this place. */
static void expect_event(const cJSON *samples, const char *where, cJSON *event)
{
	char *line = rsip_ctl_event_line(event, 1700000000250000000ULL);
	struct rsip_json_error err;
	cJSON *got;

	cr_assert_not_null(line);
	got = rsip_json_parse(line, strlen(line), 0, &err);
	cr_assert_not_null(got, "%s", line);
	cr_assert_not_null(at(samples, where), "no sample %s", where);
	expect_shape("events-subscribe.json", at(samples, where), got, where);
	cr_expect_str_eq(rsip_json_get_string(got, "event", ""), rsip_json_get_string(at(samples, where), "event", "?"));
	cJSON_Delete(got);
	cJSON_Delete(event);
	free(line);
}

Test(ctl, each_event_looks_as_its_sample_does)
{
	static const struct rsip_event violation = { .reason = RSIP_DROP_NOT_OWNER };
	const struct rsip_lease_bind *b = rsip_lease_bind_by_id(ctx.lm, bind_ports, NULL);
	const struct rsip_from from = { .addr = host_b->host };
	cJSON *sample = read_sample("events-subscribe.json");
	const cJSON *events = cJSON_GetObjectItemCaseSensitive(sample, "events");

	expect_event(events, "bindings.0", rsip_ctl_event_client(host_a, NULL));
	expect_event(events, "bindings.1", rsip_ctl_event_client(host_a, "expired"));
	expect_event(events, "bindings.2", rsip_ctl_event_lease(&ctx, host_a, b, NULL, T0));
	expect_event(events, "bindings.3", rsip_ctl_event_lease(&ctx, host_a, b, "host", T0));
	expect_event(events, "bindings.4", rsip_ctl_event_path(host_a));
	expect_event(events, "violations.0", rsip_ctl_event_violation(&violation));
	expect_event(events, "limits.0",
		     rsip_ctl_event_refusal(&from, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP, RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE));
	cJSON_Delete(sample);
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
#define X(sym, name, text, args, changes) commands++;
	RSIP_CTL_TABLE(X)
#undef X
	cr_assert_eq(files, commands);
}

/* ---- what a request may be -------------------------------------------------------------------- */

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

/* ---- explain ------------------------------------------------------------------------------------------------------ */

Test(ctl, explain_asks_for_the_packet_that_was_described)
{
	expect_result("{\"command\": \"explain\", \"arguments\": {\"direction\": \"out\", \"protocol\": \"ike\", \"local\": "
		      "\"203.0.113.1\", \"remote\": \"192.0.2.2\", \"host\": \"10.0.0.11\", \"icookie\": \"0x1122334455667788\", "
		      "\"initiator\": true}}",
		      RSIP_CTL_OK);
	cr_assert_eq(explained.local, htonl(0xcb007101));
	cr_assert_eq(explained.host, htonl(0x0a00000b));
	cr_assert_eq(explained.proto, 17);
	cr_assert_eq(explained.local_port, 500);
	cr_assert_eq(explained.remote_port, 500);
	cr_assert_eq(explained.ike, RSIP_EXPLAIN_COOKIES);
	cr_assert_eq(explained.ike_major, 2);
	cr_assert_eq(explained.ike_initiator, 1);
	cr_assert_arr_eq((uint8_t *)&explained.icookie, "\x11\x22\x33\x44\x55\x66\x77\x88", 8);
	expect_result("{\"command\": \"explain\", \"arguments\": {\"protocol\": 50, \"local\": \"203.0.113.1\", \"spi\": \"0xc0010000\"}}",
		      RSIP_CTL_OK);
	cr_assert_eq(explained.proto, 50);
	cr_assert_eq(explained.spi, htonl(0xc0010000));
	cr_assert_eq(explained.outbound, 0);
}

Test(ctl, explain_says_what_it_cannot_read)
{
	static const char *const bad[] = {
		"\"protocol\": \"udp\"", "\"local\": \"203.0.113.1\"", "\"protocol\": \"gre\", \"local\": \"203.0.113.1\"",
		"\"protocol\": 256, \"local\": \"203.0.113.1\"", "\"protocol\": \"udp\", \"local\": \"203.0.113\"",
		"\"protocol\": \"udp\", \"local\": \"203.0.113.1\", \"local-port\": 65536",
		"\"protocol\": \"esp\", \"local\": \"203.0.113.1\", \"spi\": \"0xnothing\"",
		"\"protocol\": \"esp\", \"local\": \"203.0.113.1\", \"spi\": \"-1\"",
		"\"protocol\": \"ike\", \"local\": \"203.0.113.1\", \"local-port\": 4000",
		"\"protocol\": \"udp\", \"local\": \"203.0.113.1\", \"direction\": \"out\"",
		"\"protocol\": \"udp\", \"local\": \"203.0.113.1\", \"direction\": \"up\"",
		"\"protocol\": \"udp\", \"local\": \"203.0.113.1\", \"quoted\": 1",
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		char request[300];

		snprintf(request, sizeof(request), "{\"command\": \"explain\", \"arguments\": {%s}}", bad[i]);
		expect_result(request, RSIP_CTL_ERROR);
	}
}

/* ---- what the answers say --------------------------------------------------------------------- */

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

static uint8_t some_dscp(void *arg, __be32 host)
{
	(void)arg;
	return host == htonl(0x0a00000b) ? RSIP_BIND_DSCP_SET | 46 : 0;
}

Test(ctl, the_dscp_of_a_binding_is_shown_where_it_has_one)
{
	static const char *const shown[] = { "EF", NULL };
	const uint32_t bind[] = { bind_ports, bind_b };
	char request[100];
	cJSON *reply;

	rsip_lease_set_dscp(ctx.lm, some_dscp, NULL);
	for (int i = 0; i < 2; i++) {
		const cJSON *dscp;

		snprintf(request, sizeof(request),
			 "{\"command\": \"binding-get\", \"arguments\": {\"bind-id\": %u}}", bind[i]);
		reply = ask(request);
		dscp = cJSON_GetObjectItem(at(reply, "arguments.binding"), "dscp");
		cr_assert_eq(!dscp, !shown[i]);
		if (dscp)
			cr_expect_str_eq(dscp->valuestring, shown[i]);
		cJSON_Delete(reply);
	}
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
