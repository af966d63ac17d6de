// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* controller/ctl_socket.c and ctl_events.c over real sockets. */
#include <sys/stat.h>

#include "ctl_fixture.h"

TestSuite(ctl_socket, .init = gateway_up, .fini = gateway_down);

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

Test(ctl_socket, a_connection_carries_many_requests_in_any_pieces)
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

Test(ctl_socket, garbage_is_answered_and_ends_the_connection)
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

Test(ctl_socket, a_request_without_end_is_refused)
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

Test(ctl_socket, a_second_server_does_not_take_the_socket)
{
	struct rsip_ctl_server *second;
	char why[200] = "";
	struct wire w;

	wire_up(&w);
	cr_assert_eq(rsip_ctl_open(w.base, &ctx, getuid(), &second, why, sizeof(why)), -EADDRINUSE);
	cr_assert_not_null(strstr(why, "another rsipd"));
	wire_down(&w);
}

/* ---- the read-only socket ------------------------------------------------------------------------------------------ */

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void read_only_up(struct wire *w)
{
	snprintf(conf.control.read_only_socket, sizeof(conf.control.read_only_socket), "/tmp/rsip-test-ctl-%d/stats",
		 (int)getpid());
	conf.control.read_only_mode = 0666;
	wire_up(w);
	close(w->fd);
	w->fd = connect_to(conf.control.read_only_socket);
}

Test(ctl_socket, the_read_only_socket_answers_and_changes_nothing)
{
	char out[65536], request[100];
	struct stat st;
	struct wire w;

	read_only_up(&w);
	cr_assert_eq(stat(conf.control.read_only_socket, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0666);
	exchange(&w, "{\"command\": \"stats-get\"}\n", 25, out, sizeof(out));
	cr_assert_not_null(strstr(out, "\"result\":0"), "%s", out);
	snprintf(request, sizeof(request), "{\"command\": \"binding-remove\", \"arguments\": {\"bind-id\": %u}}", bind_b);
	exchange(&w, request, strlen(request), out, sizeof(out));
	cr_assert_not_null(strstr(out, "\"result\":1"), "%s", out);
	cr_assert_not_null(strstr(out, "read-only"), "%s", out);
	cr_assert_eq(rsip_lease_bind_count(ctx.lm), 3);
	wire_down(&w);
	cr_assert_neq(access(conf.control.read_only_socket, F_OK), 0, "the socket is left behind");
}

Test(ctl_socket, who_may_only_read_keeps_nobody_out)
{
	enum { MANY = 40 }; /* more than one socket takes */
	char out[8192];
	struct wire w;
	int fd[MANY + 1];

	read_only_up(&w);
	fd[MANY] = w.fd;
	for (int i = 0; i < MANY; i++) {
		fd[i] = connect_to(conf.control.read_only_socket);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	w.fd = connect_to(conf.control.socket);
	exchange(&w, "{\"command\": \"version-get\"}\n", 27, out, sizeof(out));
	cr_assert_not_null(strstr(out, "\"result\":0"), "%s", out);
	for (int i = 0; i <= MANY; i++)
		close(fd[i]);
	wire_down(&w);
}

static int answers(struct wire *w, const int *fd, int cnt)
{
	static char out[65536];
	int got = 0;

	event_base_loop(w->base, EVLOOP_NONBLOCK);
	for (int i = 0; i < cnt; i++) {
		ssize_t n = recv(fd[i], out, sizeof(out) - 1, MSG_DONTWAIT);

		out[n > 0 ? n : 0] = '\0';
		got += lines(out);
	}
	return got;
}

static void ask_thrice(int fd)
{
	static const char three[] = "{\"command\": \"version-get\"}\n{\"command\": \"version-get\"}\n{\"command\": \"version-get\"}\n";

	cr_assert_eq(send(fd, three, sizeof(three) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(three) - 1);
}

/* Ten requests at once, then 50 a second, however many connections share them; the operator does not wait for them. */
Test(ctl_socket, all_who_may_only_read_share_one_rate)
{
	enum { MANY = 12, ASKED = 3 * MANY };
	uint64_t start_ns, may = 0;
	int fd[MANY], got = 0, operators, operators_got = 0;
	struct wire w;

	read_only_up(&w);
	for (int i = 0; i < MANY; i++) {
		fd[i] = connect_to(conf.control.read_only_socket);
		event_base_loop(w.base, EVLOOP_NONBLOCK);
	}
	operators = connect_to(conf.control.socket);
	start_ns = rsip_now_ns();
	for (int i = 0; i < MANY; i++)
		ask_thrice(fd[i]);
	for (int i = 0; i < 10; i++) {
		got += answers(&w, fd, MANY);
		may = 11 + (rsip_now_ns() - start_ns) / (RSIP_NS_PER_S / 50);
		cr_assert_leq((uint64_t)got, may, "%d answers", got);
	}
	cr_assert_geq(got, 10);
	ask_thrice(operators);
	for (int i = 0; i < 5; i++)
		operators_got += answers(&w, &operators, 1);
	cr_expect_eq(operators_got, 3, "the operator waits");
	for (int i = 0; i < 3000 && got < ASKED; i++, usleep(10000))
		got += answers(&w, fd, MANY);
	cr_assert_eq(got, ASKED, "all are answered in the end");
	cr_assert_geq(rsip_now_ns() - start_ns, (ASKED - 11) * RSIP_NS_PER_S / 50);
	for (int i = 0; i < MANY; i++)
		close(fd[i]);
	close(operators);
	wire_down(&w);
}

/* ---- events ---------------------------------------------------------------------------------------------------------- */

static const struct rsip_event violation = {
	.reason = RSIP_DROP_NOT_OWNER, .proto = 17, .local_port = 4000, .remote_port = 53, .bind_id = 7
};

static void publish_violation(struct wire *w)
{
	struct rsip_event v = violation;

	v.host = host_a->host;
	cr_assert(rsip_ctl_wanted(w->server, RSIP_CTL_EVENT_VIOLATIONS));
	rsip_ctl_publish(w->server, RSIP_CTL_EVENT_VIOLATIONS, rsip_ctl_event_violation(&v), 1700000000250000000ULL);
}

static void subscribe(struct wire *w, const char *kinds)
{
	char request[200], out[1000];

	snprintf(request, sizeof(request), "{\"command\": \"events-subscribe\", \"arguments\": {\"kinds\": [%s]}}\n", kinds);
	exchange(w, request, strlen(request), out, sizeof(out));
	cr_assert_not_null(strstr(out, "\"result\":0"), "%s", out);
}

Test(ctl_socket, events_come_to_who_wants_them)
{
	char out[8192];
	struct wire w;

	wire_up(&w);
	cr_assert(!rsip_ctl_wanted(w.server, RSIP_CTL_EVENT_VIOLATIONS));
	subscribe(&w, "\"violations\"");
	cr_assert(!rsip_ctl_wanted(w.server, RSIP_CTL_EVENT_BINDINGS));
	publish_violation(&w);
	exchange(&w, "\n", 1, out, sizeof(out));
	cr_assert_str_eq(out, "{\"event\":\"violation\",\"reason\":\"not-owner\",\"host\":\"10.0.0.11\",\"local\":\"0.0.0.0\","
			      "\"remote\":\"0.0.0.0\",\"protocol\":17,\"local-port\":4000,\"remote-port\":53,\"bind-id\":7,"
			      "\"time\":\"2023-11-14T22:13:20.250000Z\"}\n");
	subscribe(&w, "");
	cr_assert(!rsip_ctl_wanted(w.server, RSIP_CTL_EVENT_VIOLATIONS));
	wire_down(&w);
}

Test(ctl_socket, the_start_and_end_of_a_lease_and_a_refusal)
{
	const struct rsip_from from = { .addr = host_a->host };
	cJSON *start = rsip_ctl_event_lease(&ctx, host_a, rsip_lease_bind_by_id(ctx.lm, bind_ports, NULL), NULL, T0);
	cJSON *end = rsip_ctl_event_lease(&ctx, host_a, rsip_lease_bind_by_id(ctx.lm, bind_ports, NULL), "expired", T0);
	cJSON *refused = rsip_ctl_event_refusal(&from, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP, RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);

	cr_assert_str_eq(rsip_json_get_string(start, "event", ""), "binding-start");
	cr_assert_eq(rsip_json_get_u64(cJSON_GetObjectItem(start, "binding"), "bind-id", 0), bind_ports);
	cr_assert_str_eq(rsip_json_get_string(end, "event", ""), "binding-end");
	cr_assert_str_eq(rsip_json_get_string(end, "reason", ""), "expired");
	cr_assert_str_eq(rsip_json_get_string(refused, "reason", ""), "LOCAL_ADDRPORT_UNAVAILABLE");
	cr_assert_str_eq(rsip_json_get_string(refused, "request", ""), "ASSIGN_REQUEST_RSAP-IP");
	cr_assert_eq(rsip_ctl_refusal_kind(RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE), RSIP_CTL_EVENT_LIMITS);
	cr_assert_eq(rsip_ctl_refusal_kind(RSIP_ERR_REMOTE_ADDR_UNALLOWED), RSIP_CTL_EVENT_VIOLATIONS);
	cr_assert_eq(rsip_ctl_refusal_kind(RSIP_ERR_BAD_PARAM), RSIP_CTL_EVENT_CNT);
	cJSON_Delete(start);
	cJSON_Delete(end);
	cJSON_Delete(refused);
}

/* The subscriber does not read: what is kept for it is bounded, and it hears how much it lost. */
Test(ctl_socket, a_slow_subscriber_loses_events_and_is_told)
{
	static char out[4 * RSIP_CTL_EVENTS_UNSENT_MAX];
	unsigned long long lost = 0;
	unsigned int published = 20000, got;
	const char *told;
	struct wire w;

	wire_up(&w);
	subscribe(&w, "\"violations\"");
	for (unsigned int i = 0; i < published; i++)
		publish_violation(&w);
	got = (unsigned int)exchange(&w, "\n", 1, out, sizeof(out)) ? (unsigned int)lines(out) : 0;
	for (size_t n = 1; n;) {
		n = exchange(&w, "\n", 1, out, sizeof(out));
		got += (unsigned int)lines(out);
	}
	cr_assert_lt(got, published);
	publish_violation(&w);
	exchange(&w, "\n", 1, out, sizeof(out));
	told = strstr(out, "{\"event\":\"lost\",\"count\":");
	cr_assert_not_null(told, "%s", out);
	cr_assert_eq(sscanf(told, "{\"event\":\"lost\",\"count\":%llu}", &lost), 1);
	cr_assert_eq(got + lost, published);
	cr_assert_eq(lines(out), 2);
	wire_down(&w);
}
