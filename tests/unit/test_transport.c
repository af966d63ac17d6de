// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * controller/transport*.c and ratelimit.c over the loopback device, on an address made from the
 * process's ID.  The "engine" here echoes each message with its bytes after the header reversed.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rsip/wire.h"
#include "transport.h"
#include "util.h"

static struct rsip_conf conf;
static struct rsip_ratelimit limit;
static struct rsip_transports t;
static struct rsip_dp_iface iface;
static struct rsip_udp *udp;
static struct rsip_tcp *tcp;
static struct rsip_peer last_peer;
static size_t last_len;
static unsigned int received;

static size_t echo(void *arg, const struct rsip_peer *from, const uint8_t *msg, size_t len,
		   uint64_t now_ns, uint8_t *answer, size_t size, bool *held)
{
	(void)held;
	(void)arg;
	(void)now_ns;
	cr_assert_leq(len, size);
	received++;
	last_peer = *from;
	last_len = len;
	memcpy(answer, msg, len);
	for (size_t i = RSIP_HDR_LEN; i < len; i++)
		answer[i] = msg[len - 1 - (i - RSIP_HDR_LEN)];
	return len;
}

static void up(void)
{
	uint32_t pid = (uint32_t)getpid();
	char why[200] = "";

	rsip_conf_init(&conf);
	conf.tcp_connections = 3;
	conf.tcp_connections_per_client = 2;
	rsip_ratelimit_init(&limit, 1000, 100, 7);
	t = (struct rsip_transports){
		.base = event_base_new(), .conf = &conf, .limit = &limit, .receive = echo};
	iface = (struct rsip_dp_iface){
		.index = 5, .rec = {.ifindex = 1, .role = RSIP_ROLE_PRIVATE, .name = "lo"}};
	iface.rec.endpoint = htonl(0x7f000000 | (pid & 0x3fffff) << 2 | 1);
	if (rsip_udp_open(&t, &iface, 1, &udp, why, sizeof(why)) == -EPERM)
		cr_skip_test("SO_BINDTODEVICE needs root on this kernel");
	cr_assert_not_null(udp, "%s", why);
	cr_assert_eq(rsip_tcp_open(&t, &iface, 1, &tcp, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(rsip_udp_start(udp), 0);
	cr_assert_eq(rsip_tcp_start(tcp), 0);
}

static void down(void)
{
	rsip_udp_close(udp);
	rsip_tcp_close(tcp);
	event_base_free(t.base);
}

TestSuite(transport, .init = up, .fini = down);

/* A socket of host N: 127.x.y.z beside the endpoint. */
static int host_socket(int type, uint32_t n)
{
	struct sockaddr_in from = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(ntohl(iface.rec.endpoint) + n)};
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons(RSIP_PORT),
				 .sin_addr.s_addr = iface.rec.endpoint};
	int fd = socket(AF_INET, type, 0), one = 1;

	cr_assert_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	if (type == SOCK_STREAM) /* each send is a segment */
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void turn(void)
{
	for (int i = 0; i < 10; i++)
		event_base_loop(t.base, EVLOOP_NONBLOCK);
}

static ssize_t collect(int fd, void *buf, size_t size)
{
	turn();
	return recv(fd, buf, size, MSG_DONTWAIT);
}

Test(transport, a_datagram_is_answered_from_the_address_that_was_asked)
{
	uint8_t msg[] = {1, 2, 0, 6, 0xaa, 0xbb}, got[100];
	int fd = host_socket(SOCK_DGRAM, 1);

	cr_assert_eq(send(fd, msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
	cr_assert_eq(collect(fd, got, sizeof(got)), 6); /* a connected socket hears nobody else */
	cr_assert_eq(got[4], 0xbb);
	cr_assert_eq(last_peer.iface, 5);
	cr_assert_eq(last_peer.transport, RSIP_TRANSPORT_UDP);
	close(fd);
}

Test(transport, an_asynchronous_datagram_reaches_the_hosts_port)
{
	uint8_t msg[] = {1, 13, 0, 5, 0}, got[100];
	int fd = host_socket(SOCK_DGRAM, 1);
	struct sockaddr_in me;
	socklen_t len = sizeof(me);
	struct rsip_peer to = {.iface = 5, .transport = RSIP_TRANSPORT_UDP};

	getsockname(fd, (struct sockaddr *)&me, &len);
	to.host = me.sin_addr.s_addr;
	to.port = ntohs(me.sin_port);
	rsip_udp_send(udp, &to, msg, sizeof(msg));
	cr_assert_eq(collect(fd, got, sizeof(got)), 5);
	to.iface = 6;
	rsip_udp_send(udp, &to, msg, sizeof(msg));
	cr_assert_eq(t.stats.async_dropped, 1);
	close(fd);
}

/* One message of a type from each of so many hosts. */
static void crowd(uint8_t type, int cnt)
{
	uint8_t msg[] = { 1, type, 0, 4 };

	for (int i = 0; i < cnt; i++) {
		int fd = host_socket(SOCK_DGRAM, 1 + (uint32_t)i % 20);

		cr_assert_eq(send(fd, msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
		close(fd);
	}
}

static unsigned int registers, queries, late_crowd;

/* 1 ms for each message; once it is too much, late_crowd hosts ask for each of two things. */
static size_t slow_echo(void *arg, const struct rsip_peer *from, const uint8_t *msg, size_t len, uint64_t now_ns,
			uint8_t *answer, size_t size, bool *held)
{
	int cnt = t.behind ? (int)late_crowd : 0;

	registers += msg[1] == RSIP_MSG_REGISTER_REQUEST;
	queries += msg[1] == RSIP_MSG_QUERY_REQUEST;
	if (cnt) {
		late_crowd = 0;
		crowd(RSIP_MSG_REGISTER_REQUEST, cnt);
		crowd(RSIP_MSG_QUERY_REQUEST, cnt);
	}
	usleep(1000);
	return echo(arg, from, msg, len, now_ns, answer, size, held);
}

Test(transport, more_than_can_be_served_is_not_served_late)
{
	t.receive = slow_echo;
	crowd(RSIP_MSG_QUERY_REQUEST, 400);
	turn();
	cr_assert_geq(received, 25, "what came first is served");
	cr_assert_geq(t.stats.udp_stale, 1, "what has waited for 200 ms behind it is not");
	cr_assert_eq(received + t.stats.udp_stale, 400);
	cr_assert(!t.behind);
}

Test(transport, while_more_comes_than_can_be_served_the_kernel_drops_new_hosts)
{
	unsigned int heard;

	t.receive = slow_echo;
	late_crowd = 3;
	/*
	 * On a machine that is busy with others, too, some have waited for too long; where all have that it is behind with,
	 * nobody is heard meanwhile: once more.
	 */
	for (int i = 0; i < 20 && late_crowd; i++) {
		registers = queries = 0;
		t.stats.udp_stale = 0;
		crowd(RSIP_MSG_REGISTER_REQUEST, 70);
		turn();
	}
	heard = registers + queries + t.stats.udp_stale;
	cr_assert_eq(heard, 73, "those that came before, and hosts that are there: %u", heard);
	cr_assert_leq(registers, 70);
	cr_assert_leq(queries, 3);
	rsip_udp_count_lost(udp);
	cr_assert_eq(t.stats.udp_lost, 3, "new ones come again");
	crowd(RSIP_MSG_REGISTER_REQUEST, 3);
	turn();
	cr_assert_eq(registers + queries + t.stats.udp_stale, heard + 3, "and then they are heard");
}

Test(transport, a_moment_without_cpu_time_loses_nothing)
{
	crowd(RSIP_MSG_REGISTER_REQUEST, 60);
	usleep(60000);
	turn();
	cr_assert_eq(received, 60);
	cr_assert_eq(t.stats.udp_stale, 0);
}

Test(transport, a_source_over_its_rate_is_dropped_and_counted_alone)
{
	uint8_t msg[] = {1, 2, 0, 4};
	int loud = host_socket(SOCK_DGRAM, 1), calm = host_socket(SOCK_DGRAM, 2);

	for (int i = 0; i < 500; i++) {
		send(loud, msg, sizeof(msg), 0);
		turn();
	}
	cr_assert_gt(t.stats.udp_limited, 0);
	cr_assert_eq(t.stats.udp_limited + received, 500);
	received = 0;
	send(calm, msg, sizeof(msg), 0);
	turn();
	cr_assert_eq(received, 1);
	close(loud);
	close(calm);
}

Test(transport, a_datagram_from_port_0_is_dropped_and_counted)
{
	struct {
		struct udphdr udp;
		uint8_t msg[4];
	} dgram = {.udp = {.dest = htons(RSIP_PORT), .len = htons(sizeof(dgram))}, .msg = {1, 2, 0, 4}};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = iface.rec.endpoint};
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);

	if (fd < 0)
		cr_skip_test("a raw socket needs CAP_NET_RAW");
	cr_assert_eq(sendto(fd, &dgram, sizeof(dgram), 0, (struct sockaddr *)&to, sizeof(to)),
		     (ssize_t)sizeof(dgram));
	turn();
	cr_assert_eq(t.stats.udp_received, 1);
	cr_assert_eq(t.stats.udp_no_port, 1);
	cr_assert_eq(received, 0);
	close(fd);
}

Test(transport, messages_of_a_stream_come_in_any_pieces)
{
	uint8_t stream[] = {1, 2, 0, 6, 1, 2, 1, 4, 0, 5, 9, 1, 6, 0, 4}, got[100];
	int fd = host_socket(SOCK_STREAM, 1);

	cr_assert_eq(send(fd, stream, sizeof(stream), 0), (ssize_t)sizeof(stream));
	cr_assert_eq(collect(fd, got, sizeof(got)), (ssize_t)sizeof(stream),
		     "three messages in one segment");
	cr_assert_eq(received, 3);
	for (size_t i = 0; i < sizeof(stream); i++) {
		send(fd, &stream[i], 1, 0);
		turn();
		cr_assert_eq(received, 3 + (i >= 5) + (i >= 10) + (i >= 14), "byte %zu", i);
	}
	cr_assert_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), (ssize_t)sizeof(stream));
	cr_assert_eq(last_peer.transport, RSIP_TRANSPORT_TCP);
	close(fd);
}

Test(transport, the_longest_request_that_means_something_is_read)
{
	uint8_t msg[5400] = {1, 22, sizeof(msg) >> 8, sizeof(msg) & 0xff}, got[sizeof(msg)]; /* 1,024 SPIs by number */
	const int type[] = {SOCK_STREAM, SOCK_DGRAM};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(type); i++) {
		int fd = host_socket(type[i], 1);

		cr_assert_eq(send(fd, msg, sizeof(msg), 0), (ssize_t)sizeof(msg));
		collect(fd, got, sizeof(got));
		cr_expect_eq(received, i + 1);
		cr_expect_eq(last_len, sizeof(msg), "%zu bytes of it", last_len);
		close(fd);
	}
	cr_expect_eq(t.stats.tcp_bad_closed, 0);
}

Test(transport, lost_framing_is_answered_by_its_header_and_closed)
{
	static const uint8_t bad[][8] = {
		{1, 2, 0, 3, 0, 0, 0, 0},	/* shorter than a header: 207 */
		{2, 2, 0, 8, 0, 0, 0, 0},	/* another version: 106 */
		{1, 2, 0xff, 0xff, 0, 0, 0, 0}, /* longer than any request */
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		int fd = host_socket(SOCK_STREAM, 1);
		uint8_t got[100];

		send(fd, bad[i], sizeof(bad[i]), 0);
		cr_assert_eq(collect(fd, got, sizeof(got)), 4);
		cr_assert_eq(last_len, 4);
		cr_assert_leq(collect(fd, got, sizeof(got)), 0);
		close(fd);
		turn();
		cr_assert_eq(t.stats.tcp_open, 0);
		cr_assert_eq(t.stats.tcp_bad_closed, i + 1);
	}
}

Test(transport, a_host_that_has_said_all_still_gets_its_answer)
{
	uint8_t msg[] = {1, 2, 0, 5, 7}, got[100];
	int fd = host_socket(SOCK_STREAM, 1);

	send(fd, msg, sizeof(msg), 0);
	shutdown(fd, SHUT_WR);
	cr_assert_eq(collect(fd, got, sizeof(got)), 5);
	cr_assert_eq(collect(fd, got, sizeof(got)), 0);
	cr_assert_eq(t.stats.tcp_open, 0);
	close(fd);
}

Test(transport, connections_are_capped_for_a_host_and_in_all)
{
	int a1 = host_socket(SOCK_STREAM, 1), a2 = host_socket(SOCK_STREAM, 1),
	    a3 = host_socket(SOCK_STREAM, 1), b, c;
	uint8_t got[10];

	turn();
	cr_assert_eq(t.stats.tcp_open, 2);
	cr_assert_leq(recv(a3, got, sizeof(got), MSG_DONTWAIT), 0);
	b = host_socket(SOCK_STREAM, 2);
	c = host_socket(SOCK_STREAM, 2);
	turn();
	cr_assert_eq(t.stats.tcp_open, 3);
	cr_assert_eq(t.stats.tcp_refused, 2);
	close(a1);
	close(a2);
	close(a3);
	close(b);
	close(c);
	turn();
	cr_assert_eq(t.stats.tcp_open, 0);
}

static void wait_ms(int ms)
{
	for (; ms > 0; ms -= 20) {
		turn();
		usleep(20000);
	}
	turn();
}

Test(transport, an_idle_connection_is_closed)
{
	uint8_t msg[] = {1, 2, 0, 4}, got[10];
	uint64_t since;
	int fd;

	conf.tcp_idle_s = 1;
	fd = host_socket(SOCK_STREAM, 1);
	send(fd, msg, sizeof(msg), 0);
	since = rsip_now_ns();
	cr_assert_eq(collect(fd, got, sizeof(got)), 4);
	while (t.stats.tcp_open && rsip_now_ns() - since < 20 * RSIP_NS_PER_S)
		wait_ms(20);
	cr_assert_eq(t.stats.tcp_open, 0);
	cr_assert_geq(rsip_now_ns() - since, 900000000, "not before it was idle for so long");
	cr_assert_eq(t.stats.tcp_idle_closed, 1);
	cr_assert_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), 0);
	close(fd);
}

Test(transport, a_message_that_trickles_in_is_not_waited_for)
{
	uint8_t msg[] = {1, 2, 0, 40};
	int fd;

	conf.tcp_idle_s = 1;
	fd = host_socket(SOCK_STREAM, 1);
	send(fd, msg, sizeof(msg), 0);
	for (int i = 0; i < 10 && (i == 0 || t.stats.tcp_open); i++) {
		send(fd, "x", 1, MSG_NOSIGNAL);
		wait_ms(200);
	}
	cr_assert_eq(t.stats.tcp_open, 0, "a byte now and then does not keep it open");
	cr_assert_eq(received, 0);
	close(fd);
}

Test(transport, a_host_over_its_rate_waits_and_is_served)
{
	static uint8_t msgs[300 * 4], got[300 * 4];
	int fd = host_socket(SOCK_STREAM, 1);
	size_t len = 0;

	for (size_t i = 0; i < sizeof(msgs); i += 4)
		memcpy(msgs + i, (uint8_t[]){1, 2, 0, 4}, 4);
	cr_assert_eq(send(fd, msgs, sizeof(msgs), 0), (ssize_t)sizeof(msgs));
	for (int i = 0; i < 100 && len < sizeof(msgs); i++) {
		ssize_t n = collect(fd, got + len, sizeof(got) - len);

		len += n > 0 ? (size_t)n : 0;
		usleep(10000);
	}
	cr_assert_eq(len, sizeof(msgs), "%zu", len);
	cr_assert_gt(t.stats.tcp_paused, 0);
	close(fd);
}

Test(transport, who_says_nothing_makes_room_for_others)
{
	uint8_t msg[] = {1, 2, 0, 4}, got[10];
	int silent = host_socket(SOCK_STREAM, 1), busy = host_socket(SOCK_STREAM, 1), other, late;

	send(busy, msg, sizeof(msg), 0);
	other = host_socket(SOCK_STREAM, 2);
	send(other, msg, sizeof(msg), 0);
	turn();
	cr_assert_eq(t.stats.tcp_open, 3);
	late = host_socket(SOCK_STREAM, 2);
	turn();
	cr_assert_eq(t.stats.tcp_refused, 1, "not at once");
	close(late);
	wait_ms(2100);
	late = host_socket(SOCK_STREAM, 2);
	turn();
	cr_assert_eq(t.stats.tcp_silent_closed, 1);
	cr_assert_eq(recv(silent, got, sizeof(got), MSG_DONTWAIT), 0);
	cr_assert_eq(t.stats.tcp_open, 3);
	send(late, msg, sizeof(msg), 0);
	turn();
	close(silent);
	silent = host_socket(SOCK_STREAM, 3);
	wait_ms(2100);
	cr_assert_eq(t.stats.tcp_silent_closed, 1, "those who have spoken stay");
	close(silent);
	close(busy);
	close(other);
	close(late);
}

static struct rsip_peer host_peer(uint32_t n)
{
	return (struct rsip_peer){.host = htonl(ntohl(iface.rec.endpoint) + n),
				  .iface = 5,
				  .transport = RSIP_TRANSPORT_TCP};
}

Test(transport, asynchronous_messages_go_to_the_newest_connection_or_wait)
{
	struct rsip_peer to = host_peer(1);
	uint8_t msg[] = {1, 13, 0, 5, 0}, got[200];
	int first, second;

	for (int i = 0; i < 20; i++) {
		msg[4] = (uint8_t)i;
		rsip_tcp_send(tcp, &to, msg, sizeof(msg));
	}
	cr_assert_eq(t.stats.async_waiting, 16);
	cr_assert_eq(t.stats.async_dropped, 4);
	first = host_socket(SOCK_STREAM, 1);
	cr_assert_eq(collect(first, got, sizeof(got)), 16 * 5);
	cr_assert_eq(got[4], 0, "the oldest first");
	cr_assert_eq(t.stats.async_waiting, 0);
	second = host_socket(SOCK_STREAM, 1);
	turn();
	rsip_tcp_send(tcp, &to, msg, sizeof(msg));
	cr_assert_eq(collect(second, got, sizeof(got)), 5);
	cr_assert_lt(recv(first, got, sizeof(got), MSG_DONTWAIT), 0);
	close(second);
	turn();
	rsip_tcp_send(tcp, &to, msg, sizeof(msg));
	cr_assert_eq(collect(first, got, sizeof(got)), 5);
	close(first);
}

Test(transport, a_host_that_does_not_read_is_closed)
{
	struct rsip_peer to = host_peer(1);
	static uint8_t msg[4000] = {1, 13, 0x0f, 0xa0};
	int fd = host_socket(SOCK_STREAM, 1);

	turn();
	for (int i = 0; i < 5000 && !t.stats.tcp_slow_closed; i++) {
		rsip_tcp_send(tcp, &to, msg, sizeof(msg));
		turn();
	}
	cr_assert_eq(t.stats.tcp_slow_closed, 1);
	cr_assert_eq(t.stats.tcp_open, 0);
	close(fd);
}

Test(transport, a_second_server_cannot_take_the_port)
{
	struct rsip_udp *second;
	char why[200];

	cr_assert_eq(rsip_udp_open(&t, &iface, 1, &second, why, sizeof(why)), -EADDRINUSE);
	cr_assert_not_null(strstr(why, "another rsipd"));
}

Test(ratelimit, a_burst_then_the_rate)
{
	static struct rsip_ratelimit rl;
	uint64_t now = 50 * RSIP_NS_PER_S;
	int passed = 0;

	rsip_ratelimit_init(&rl, 10, 20, 1);
	for (int i = 0; i < 100; i++)
		passed += rsip_ratelimit_take(&rl, htonl(1), now);
	cr_assert_eq(passed, 20);
	cr_assert(rsip_ratelimit_take(&rl, htonl(2), now), "another source is not concerned");
	now += RSIP_NS_PER_S;
	for (passed = 0; rsip_ratelimit_take(&rl, htonl(1), now); passed++)
		;
	cr_assert_eq(passed, 10);
}

Test(ratelimit, forged_sources_do_not_set_a_loud_one_free)
{
	static struct rsip_ratelimit rl;
	uint64_t now = 50 * RSIP_NS_PER_S;

	rsip_ratelimit_init(&rl, 10, 20, 1);
	while (rsip_ratelimit_take(&rl, htonl(1), now))
		;
	for (uint32_t source = 2; source < 1000000; source++)
		rsip_ratelimit_take(&rl, htonl(source), now);
	cr_assert_not(rsip_ratelimit_take(&rl, htonl(1), now));
}
