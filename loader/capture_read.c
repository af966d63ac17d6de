// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "capture.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "log.h"
#include "pcapng.h"
#include "rsip/capture.h"
#include "util.h"

#define POLL_MS 200
#define ETHER_LEN 14

struct reader {
	const struct rsip_capture_reader *want;
	uint32_t number[RSIP_MAX_IFACES]; /* index in rsip_ifaces -> interface of the file, + 1 */
	bool bare[RSIP_MAX_IFACES]; /* without Ethernet header */
	uint64_t wall_ns; /* of CLOCK_MONOTONIC 0 */
	uint32_t written[256]; /* the last frame of each CPU, by its id: whose way out may follow */
	uint64_t frames, records[RSIP_MAX_IFACES], unknown;
	int err;
};

static volatile sig_atomic_t told_to_end;

static void on_term(int sig)
{
	(void)sig;
	told_to_end = 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static const char *comment(const struct rsip_capture_head *h, char *text, size_t size)
{
	const char *name = rsip_counter_name(h->what), *say = rsip_counter_text(h->what);
	int len;

	if (h->leaving)
		len = snprintf(text, size, "as it leaves");
	else if (h->what >= RSIP_CNT_DROP_FIRST)
		len = snprintf(text, size, "dropped: %s: %s", name ? name : "?", say ? say : "?");
	else
		len = snprintf(text, size, "%s: %s", name ? name : "?", say ? say : "?");
	for (int i = 0; i < 2 && h->bind[i] && len > 0 && (size_t)len < size; i++)
		len += snprintf(text + len, size - (size_t)len, "%s %u", i ? "," : "; binding", h->bind[i]);
	return text;
}

/* A frame while there are not enough; the way out only of one that was written. */
static bool is_wanted(struct reader *r, const struct rsip_capture_head *h)
{
	if (h->leaving)
		return r->written[h->id & 0xff] == h->id;
	if (r->want->most && r->frames == r->want->most)
		return false;
	r->written[h->id & 0xff] = h->id;
	return true;
}

static int on_record(void *ctx, void *data, size_t len)
{
	const struct rsip_capture_head *h = data;
	struct reader *r = ctx;
	struct rsip_pcapng_packet p = {0};
	char text[300];

	if (len < sizeof(*h) || len - sizeof(*h) < h->cap || h->iface >= RSIP_MAX_IFACES || !r->number[h->iface]) {
		r->unknown++;
		return 0;
	}
	if (r->err || !is_wanted(r, h))
		return 0;
	p.iface = r->number[h->iface] - 1;
	p.time_ns = r->wall_ns + h->time_ns;
	p.data = (const uint8_t *)(h + 1);
	p.cap = h->cap;
	p.len = h->len;
	if (h->leaving && r->bare[h->iface] && h->cap >= ETHER_LEN) { /* the device takes it off */
		p.data += ETHER_LEN;
		p.cap -= ETHER_LEN;
		p.len -= ETHER_LEN;
	}
	p.outbound = h->leaving;
	p.id = h->id;
	p.comment = comment(h, text, sizeof(text));
	r->err = rsip_pcapng_packet(r->want->out, &p);
	r->frames += !h->leaving;
	r->records[h->iface]++;
	return 0;
}

static int begin(struct reader *r)
{
	const struct rsip_plane *plane = r->want->plane;
	int err = rsip_pcapng_begin(r->want->out, "rsip-loader " RSIP_PACKAGE_VERSION);

	for (uint32_t i = 0; i < plane->iface_cnt && !err; i++) {
		r->bare[plane->index[i]] = plane->iface[i].flags & RSIP_IFACE_NO_ETHERNET;
		r->number[plane->index[i]] = i + 1;
		err = rsip_pcapng_iface(r->want->out, plane->iface[i].name, !r->bare[plane->index[i]], r->want->snap);
	}
	r->wall_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	return err ? err : fflush(r->want->out) ? -errno : 0;
}

static uint64_t count_lost(const struct rsip_cap *cap)
{
	int cpus = libbpf_num_possible_cpus();
	size_t stride = (sizeof(struct rsip_capture_cpu) + 7) & ~(size_t)7;
	uint8_t *rows = cpus > 0 ? calloc((size_t)cpus, stride) : NULL;
	uint64_t lost = 0;
	uint32_t zero = 0;

	if (rows && !bpf_map_lookup_elem(rsip_object_cap_cpus(cap), &zero, rows))
		for (int i = 0; i < cpus; i++)
			lost += ((const struct rsip_capture_cpu *)(void *)(rows + (size_t)i * stride))->lost;
	free(rows);
	return lost;
}

/* What the ring had no room for is not known by interface: it goes to the first. */
static int end(struct reader *r, uint64_t lost)
{
	const struct rsip_plane *plane = r->want->plane;
	int err = 0;

	for (uint32_t i = 0; i < plane->iface_cnt && !err; i++)
		err = rsip_pcapng_stats(r->want->out, i, clock_ns(CLOCK_REALTIME), r->records[plane->index[i]], i ? 0 : lost);
	return err ? err : fflush(r->want->out) ? -errno : 0;
}

static bool is_over(const struct reader *r)
{
	return told_to_end || r->err || (r->want->most && r->frames >= r->want->most);
}

int rsip_capture_read(const struct rsip_capture_reader *want)
{
	struct sigaction term = {.sa_handler = on_term};
	struct reader r = {.want = want};
	struct ring_buffer *ring = ring_buffer__new(rsip_object_cap_ring(want->cap), on_record, &r, NULL);
	uint64_t lost;

	if (!ring)
		return -errno;
	sigaction(SIGTERM, &term, NULL);
	signal(SIGPIPE, SIG_IGN);
	r.err = begin(&r);
	while (!is_over(&r)) {
		ring_buffer__poll(ring, POLL_MS);
		if (!r.err && fflush(want->out)) /* who reads along sees it now */
			r.err = -errno;
	}
	ring_buffer__consume(ring);
	lost = count_lost(want->cap);
	if (!r.err)
		r.err = end(&r, lost);
	ring_buffer__free(ring);
	if (r.err && r.err != -EPIPE)
		log_err("cannot write the capture: %s", strerror(-r.err));
	log_info("%llu frames captured, %llu records lost", (unsigned long long)r.frames, (unsigned long long)(lost + r.unknown));
	return r.err == -EPIPE ? 0 : r.err;
}
