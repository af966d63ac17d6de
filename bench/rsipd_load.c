// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A load of RSIP hosts on one rsipd: each registers, leases, and (in cycles) frees and de-registers, as RFC 3103 says,
 * with its retransmissions (12.5 ms, doubling, seven tries).  One socket sends from all hosts' addresses, so the machine
 * must own them: `ip route add local 10.98.0.0/16 dev lo`.
 *
 * Prints one JSON line: what was done, how long each request and each lease took, and rsipd's CPU time.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RSIP_PORT 4555
#define BATCH 64
#define DRAIN 64 /* batches */
#define BEGIN_MAX 256 /* before we look for answers again */
#define TRIES 7
#define FIRST_WAIT_NS 12500000ULL
#define NS 1000000000ULL
#define HOSTS_MAX 65000
#define BINDS_MAX 64

enum step { IDLE, REGISTER, ASSIGN, FREE, LEAVE, STEPS };
static const char *const step_name[STEPS] = { "idle", "register", "assign", "free", "de-register" };
static const uint8_t answer_type[STEPS] = { 0, 3, 9, 13, 5 };

struct host {
	uint8_t step, tries;
	uint8_t msg_len;
	bool in_flight;
	uint32_t n, id, bind, binds;
	uint64_t began_ns, sent_ns, due_ns; /* lease, request, next retransmission */
	uint32_t prev, next; /* in waiting[tries]; index + 1 */
	uint8_t msg[40];
};

/* Times in steps of 1/16 of a power of two: a p99 within 6 %. */
#define BUCKETS 1024
struct times {
	uint64_t cnt, sum_ns, most_ns;
	uint32_t bucket[BUCKETS];
};

static struct {
	const char *server, *net, *mode;
	uint32_t hosts, busy, seconds, leases, binds, rate;
	int pid;
} opt = { .server = "10.99.0.1", .net = "10.98.0.0", .mode = "cycle", .hosts = 256, .busy = 256, .seconds = 10, .binds = 1 };

static struct host *host;
static uint32_t busy_cnt;
/* Hosts that wait for an answer, by how often they have asked; index + 1, 0: none. */
static struct {
	uint32_t first, last;
} waiting[TRIES + 1];
static int fd;
static struct sockaddr_in server;
static uint32_t net, next_host;
static struct times times[STEPS], lease_times;
static uint64_t start_ns, end_ns, begun, leases, leases_in_time, requests, repeats, given_up, errors[1024], stray;
static bool ending;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

/* ---- times ---------------------------------------------------------------------------------------------------------- */

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int top = 63 - (unsigned int)__builtin_clzll(ns | 16);

	return (top << 4 | (unsigned int)(ns >> (top - 4) & 15)) % BUCKETS;
}

static void times_add(struct times *t, uint64_t ns)
{
	t->cnt++;
	t->sum_ns += ns;
	if (ns > t->most_ns)
		t->most_ns = ns;
	t->bucket[bucket_of(ns)]++;
}

static double times_at(const struct times *t, double part)
{
	uint64_t want = (uint64_t)((double)t->cnt * part), seen = 0;

	for (unsigned int b = 0; b < BUCKETS; b++) {
		seen += t->bucket[b];
		if (t->bucket[b] && seen > want)
			return (double)((uint64_t)(16 + (b & 15)) << ((b >> 4) - 4)) / 1e6;
	}
	return (double)t->most_ns / 1e6;
}

/* ---- messages --------------------------------------------------------------------------------------------------------- */

static uint8_t *put_u32(uint8_t *at, uint8_t type, uint32_t value)
{
	const uint8_t bytes[] = { type, 0, 4, (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };

	memcpy(at, bytes, sizeof(bytes));
	return at + sizeof(bytes);
}

/* RFC 3103 9.2, 9.8 (any address, one port, anyone), 9.12, 9.4. */
static void write_message(struct host *h)
{
	static const uint8_t type[STEPS] = { 0, 2, 8, 12, 4 };
	static const uint8_t any[] = { 1, 0, 1, 1, 2, 0, 1, 1, 1, 0, 1, 1, 2, 0, 1, 1 };
	uint8_t *at = h->msg + 4;

	if (h->step != REGISTER)
		at = put_u32(at, 4, h->id);
	if (h->step == ASSIGN) {
		memcpy(at, any, sizeof(any));
		at += sizeof(any);
	}
	if (h->step == FREE)
		at = put_u32(at, 5, h->bind);
	at = put_u32(at, 11, h->n);
	h->msg_len = (uint8_t)(at - h->msg);
	h->msg[0] = 1;
	h->msg[1] = type[h->step];
	h->msg[2] = 0;
	h->msg[3] = h->msg_len;
}

static uint32_t get(const uint8_t *at, unsigned int len)
{
	uint32_t v = 0;

	while (len--)
		v = v << 8 | *at++;
	return v;
}

/* The value of a parameter of an answer; 0: it is not there. */
static uint32_t parameter(const uint8_t *msg, size_t len, uint8_t type)
{
	for (size_t at = 4; at + 3 <= len;) {
		uint32_t plen = get(msg + at + 1, 2);

		if (at + 3 + plen > len)
			return 0;
		if (msg[at] == type && plen <= 4)
			return get(msg + at + 3, plen);
		at += 3 + plen;
	}
	return 0;
}

/* ---- sending -------------------------------------------------------------------------------------------------------------- */

static struct mmsghdr out[BATCH];
static struct iovec out_iov[BATCH];
static union {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
} out_from[BATCH];
static int out_cnt;

static void flush(void)
{
	for (int sent = 0; sent < out_cnt;) {
		int got = sendmmsg(fd, out + sent, (unsigned int)(out_cnt - sent), 0);

		sent += got > 0 ? got : 1; /* lost: it will be repeated */
	}
	out_cnt = 0;
}

static void send_from(uint32_t index)
{
	struct host *h = &host[index];
	struct in_pktinfo from = { .ipi_spec_dst.s_addr = htonl(net + index) };
	struct cmsghdr *c = &out_from[out_cnt].align;

	out_iov[out_cnt] = (struct iovec){ .iov_base = h->msg, .iov_len = h->msg_len };
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(from)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO };
	memcpy(CMSG_DATA(c), &from, sizeof(from));
	out[out_cnt].msg_hdr = (struct msghdr){
		.msg_name = &server, .msg_namelen = sizeof(server), .msg_iov = &out_iov[out_cnt], .msg_iovlen = 1,
		.msg_control = &out_from[out_cnt], .msg_controllen = sizeof(out_from[0]),
	};
	if (++out_cnt == BATCH)
		flush();
}

/* ---- hosts ------------------------------------------------------------------------------------------------------------------- */

static void leave_queue(struct host *h)
{
	if (!h->tries)
		return;
	if (h->prev)
		host[h->prev - 1].next = h->next;
	else
		waiting[h->tries].first = h->next;
	if (h->next)
		host[h->next - 1].prev = h->prev;
	else
		waiting[h->tries].last = h->prev;
	h->prev = h->next = h->tries = 0;
}

static void wait_for_answer(uint32_t index, uint8_t tries, uint64_t now)
{
	struct host *h = &host[index];

	leave_queue(h);
	h->tries = tries;
	h->due_ns = now + (FIRST_WAIT_NS << (tries - 1));
	h->prev = waiting[tries].last;
	if (h->prev)
		host[h->prev - 1].next = index + 1;
	else
		waiting[tries].first = index + 1;
	waiting[tries].last = index + 1;
}

static void release(struct host *h)
{
	leave_queue(h);
	busy_cnt--;
	h->in_flight = false;
}

static void begin(uint32_t index, enum step step, uint64_t now)
{
	struct host *h = &host[index];

	h->step = step;
	h->n++;
	h->sent_ns = now;
	wait_for_answer(index, 1, now);
	write_message(h);
	requests++;
	send_from(index);
}

static bool filling(void)
{
	return !strcmp(opt.mode, "fill");
}

/* As many as shall be busy at once; with a rate, as many as have become due, whatever became of those before. */
static bool one_more(uint64_t now)
{
	if (ending || busy_cnt >= opt.busy)
		return false;
	return !opt.rate || begun < (uint64_t)((double)(now - start_ns) * opt.rate / (double)NS);
}

/* Hosts that have nothing to do begin. */
static void begin_more(uint64_t now)
{
	for (int i = 0; i < BEGIN_MAX && one_more(now); i++) {
		uint32_t tried = 0;

		while (tried++ < opt.hosts && host[next_host].in_flight)
			next_host = (next_host + 1) % opt.hosts;
		if (host[next_host].in_flight || (filling() && host[next_host].binds >= opt.binds))
			return;
		begun++;
		host[next_host].in_flight = true;
		host[next_host].began_ns = now;
		busy_cnt++;
		begin(next_host, host[next_host].binds ? ASSIGN : REGISTER, now);
		next_host = (next_host + 1) % opt.hosts;
	}
}

/* What a host does when its answer is there. */
static void go_on(uint32_t index, const uint8_t *msg, size_t len, uint64_t now)
{
	struct host *h = &host[index];

	switch (h->step) {
	case REGISTER:
		h->id = parameter(msg, len, 4);
		begin(index, ASSIGN, now);
		return;
	case ASSIGN:
		leases++;
		h->binds++;
		h->bind = parameter(msg, len, 5);
		times_add(&lease_times, now - h->began_ns);
		h->began_ns = now;
		if (!filling())
			begin(index, FREE, now);
		else
			release(h);
		return;
	case FREE:
		h->binds = 0;
		begin(index, LEAVE, now);
		return;
	default:
		release(h);
	}
}

static void refused(uint32_t index, const uint8_t *msg, size_t len, uint64_t now)
{
	struct host *h = &host[index];
	uint32_t err = parameter(msg, len, 8);

	errors[err % 1024]++;
	if (err == 302) { /* an earlier run's registration: it goes on */
		h->id = parameter(msg, len, 4);
		begin(index, ASSIGN, now);
		return;
	}
	if (h->step == REGISTER || h->step == LEAVE || err == 301 || err == 305) {
		h->binds = 0;
		release(h);
	} else {
		begin(index, LEAVE, now);
	}
}

static void take(uint32_t index, const uint8_t *msg, size_t len, uint64_t now)
{
	struct host *h = &host[index];

	if (index >= opt.hosts || !h->in_flight || len < 4 || parameter(msg, len, 11) != h->n) {
		stray++; /* an answer to what was answered already */
		return;
	}
	times_add(&times[h->step], now - h->sent_ns);
	if (msg[1] == answer_type[h->step])
		go_on(index, msg, len, now);
	else
		refused(index, msg, len, now);
}

/* All that were sent as often wait equally long: the first of each queue is due first. */
static void repeat_late(uint64_t now)
{
	for (int tries = 1; tries <= TRIES; tries++) {
		while (waiting[tries].first && host[waiting[tries].first - 1].due_ns <= now) {
			uint32_t index = waiting[tries].first - 1;
			struct host *h = &host[index];

			if (tries == TRIES) {
				given_up++;
				h->binds = 0;
				h->n += 1000;
				release(h);
				continue;
			}
			repeats++;
			wait_for_answer(index, (uint8_t)(tries + 1), now);
			send_from(index);
		}
	}
}

/* What has come, up to a batch; waits a little for the first.  Returns how many came. */
static int receive(void)
{
	static uint8_t buf[BATCH][2048];
	static union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} to[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr in[BATCH];
	struct timespec wait = { .tv_nsec = 1000000 };
	uint64_t now;
	int got;

	memset(in, 0, sizeof(in));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = buf[i], .iov_len = sizeof(buf[i]) };
		in[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = &to[i],
						 .msg_controllen = sizeof(to[i]) };
	}
	got = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, &wait);
	now = now_ns();
	for (int i = 0; i < got; i++) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&in[i].msg_hdr);
		struct in_pktinfo info;

		if (!c || c->cmsg_type != IP_PKTINFO)
			continue;
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		take(ntohl(info.ipi_addr.s_addr) - net, buf[i], in[i].msg_len, now);
	}
	return got;
}

/* ---- the run --------------------------------------------------------------------------------------------------------------------- */

/* Seconds of CPU of all threads. */
static double cpu_of(int pid)
{
	unsigned long user = 0, kernel = 0;
	char path[64], line[1024] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		fprintf(stderr, "cannot read %s\n", path);
	if (f)
		fclose(f);
	if (strrchr(line, ')'))
		sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
	return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static void open_socket(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(20555) };
	struct timeval wait = { .tv_usec = 1000 };
	int one = 1, size = 16 * 1024 * 1024;

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait))) {
		perror("rsipd_load: socket");
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	server.sin_family = AF_INET;
	server.sin_port = htons(RSIP_PORT);
	inet_pton(AF_INET, opt.server, &server.sin_addr);
	net = ntohl(inet_addr(opt.net)) + 1;
}

/* seconds: of the run; all: until the last host was done, which requests and CPU time count. */
static void report(double seconds, double all, double cpu)
{
	printf("{\"mode\": \"%s\", \"hosts\": %u, \"busy\": %u, \"seconds\": %.2f, \"leases\": %llu, \"leases_per_s\": %.0f, "
	       "\"begun_per_s\": %.0f, \"requests\": %llu, \"requests_per_s\": %.0f, \"cpu_us_per_request\": %.1f, \"cpu_percent\": %.0f, "
	       "\"repeats\": %llu, \"given_up\": %llu, \"stray\": %llu, \"lease_p50_ms\": %.2f, \"lease_p99_ms\": %.2f",
	       opt.mode, opt.hosts, opt.busy, seconds, (unsigned long long)leases, (double)leases_in_time / seconds,
	       (double)begun / seconds, (unsigned long long)requests, (double)requests / all, requests ? cpu * 1e6 / (double)requests : 0,
	       100 * cpu / all, (unsigned long long)repeats, (unsigned long long)given_up, (unsigned long long)stray,
	       times_at(&lease_times, 0.5), times_at(&lease_times, 0.99));
	for (int i = REGISTER; i < STEPS; i++)
		if (times[i].cnt)
			printf(", \"%s_p50_ms\": %.2f, \"%s_p99_ms\": %.2f", step_name[i], times_at(&times[i], 0.5), step_name[i],
			       times_at(&times[i], 0.99));
	printf(", \"errors\": {");
	for (int i = 0, cnt = 0; i < 1024; i++)
		if (errors[i])
			printf("%s\"%d\": %llu", cnt++ ? ", " : "", i, (unsigned long long)errors[i]);
	printf("}}\n");
}

/* What is under way is finished; it no longer counts. */
static void end_run(uint64_t now)
{
	ending = true;
	end_ns = now;
	leases_in_time = leases;
}

static void run(void)
{
	uint64_t start = now_ns(), end = start + opt.seconds * NS, now = start, late = 0;
	double cpu = opt.pid ? cpu_of(opt.pid) : 0;
	bool drained;

	start_ns = start;
	while (!ending || busy_cnt) {
		begin_more(now);
		if (filling() && !busy_cnt)
			break;
		flush();
		drained = false;
		for (int i = 0; i < DRAIN && !drained; i++)
			drained = receive() < BATCH;
		now = now_ns();
		if (drained && now - late > 2000000) { /* no host repeats what is answered, and only not read yet by us */
			repeat_late(now);
			late = now;
		}
		if (!ending && ((opt.leases && leases >= opt.leases) || (!opt.leases && now > end)))
			end_run(now);
	}
	if (!ending)
		end_run(now);
	report((double)(end_ns - start) / NS, (double)(now - start) / NS, opt.pid ? cpu_of(opt.pid) - cpu : 0);
}

static void usage(FILE *f)
{
	fprintf(f, "Usage: rsipd_load [--mode cycle|fill] [--hosts N] [--busy N] [--seconds N] [--leases N] [--binds N]\n"
		   "                  [--rate N] [--server ADDRESS] [--net ADDRESS] [--pid RSIPD]\n\n"
		   "cycle: register, assign, free, de-register, again and again; fill: register and assign, and keep it,\n"
		   "--binds for each host.  --rate: so many hosts begin in a second, whether those before them are done or not.\n"
		   "It ends after --seconds, or after --leases.\n");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "mode", 1, 0, 'm' }, { "hosts", 1, 0, 'h' }, { "busy", 1, 0, 'b' }, { "seconds", 1, 0, 's' }, { "leases", 1, 0, 'l' },
		{ "binds", 1, 0, 'n' }, { "rate", 1, 0, 'r' }, { "server", 1, 0, 'a' }, { "net", 1, 0, 't' }, { "pid", 1, 0, 'p' }, { "help", 0, 0, 'H' },
		{ 0, 0, 0, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 'm': opt.mode = optarg; break;
		case 'h': opt.hosts = (uint32_t)atoi(optarg); break;
		case 'b': opt.busy = (uint32_t)atoi(optarg); break;
		case 's': opt.seconds = (uint32_t)atoi(optarg); break;
		case 'l': opt.leases = (uint32_t)atoi(optarg); break;
		case 'r': opt.rate = (uint32_t)atoi(optarg); break;
		case 'n': opt.binds = (uint32_t)atoi(optarg); break;
		case 'a': opt.server = optarg; break;
		case 't': opt.net = optarg; break;
		case 'p': opt.pid = atoi(optarg); break;
		case 'H': usage(stdout); return 0;
		default: usage(stderr); return 2;
		}
	}
	if (!opt.hosts || opt.hosts > HOSTS_MAX || (strcmp(opt.mode, "cycle") && !filling())) {
		usage(stderr);
		return 2;
	}
	host = calloc(opt.hosts, sizeof(*host));
	srand((unsigned int)now_ns());
	for (uint32_t i = 0; host && i < opt.hosts; i++)
		host[i].n = (uint32_t)rand();
	open_socket();
	run();
	return 0;
}
