// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Packets through the gateway of a case, and what must have come out and been counted. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include "gateway.h"
#include "gateway_priv.h"
#include "gateway_tun.h"
#include "util.h"

uint32_t outer_len(const struct pkt *p)
{
	return (uint32_t)p->data[16] << 8 | p->data[17];
}

uint32_t inner_len(const struct pkt *p)
{
	bool six = p->data[12] == 0x86;
	uint32_t at = (six ? 54 : 34) + (p->data[six ? 20 : 23] == 47 ? 4 : 0); /* behind GRE without options, too */

	return (uint32_t)p->data[at + 2] << 8 | p->data[at + 3];
}

/* TC's answers in XDP's words.  A packet that goes back where it came from is redirected, too. */
static uint32_t as_xdp(uint32_t action, bool turned_back)
{
	switch ((int)action) {
	case TC_ACT_UNSPEC:
		return XDP_PASS;
	case TC_ACT_SHOT:
	case TC_ACT_STOLEN: /* kept for later: nothing is counted */
		return XDP_DROP;
	case TC_ACT_REDIRECT:
		return turned_back ? XDP_TX : XDP_REDIRECT;
	}
	return XDP_ABORTED;
}

/* TC's redirect does not say where to: what is answered in place goes back. */
uint64_t gateway_turned_back(void)
{
	return gateway_counter(RSIP_CNT_ARP_ANSWERED) + gateway_counter(RSIP_CNT_ICMP_SENT) +
	       gateway_counter(RSIP_CNT_ECHO_ANSWERED);
}

/*
 * false: the kernel does not test-run TC programs on frames that end inside a network header (it does
 * hand them such frames in earnest).
 */
static bool run_tc(int prog, struct __sk_buff ctx, struct ran *ran, const uint8_t *data,
		   uint32_t len)
{
	uint64_t turned = gateway_turned_back();
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = len,
		    .data_out = ran->data, .data_size_out = sizeof(ran->data), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .ctx_out = &ctx, .ctx_size_out = sizeof(ctx),
		    .repeat = 1);
	int err = bpf_prog_test_run_opts(prog, &opts);

	if (err == -EINVAL && len < ETH_ZLEN)
		return false;
	cr_assert_eq(err, 0, "the test run failed: %s", strerror(errno));
	ran->action = as_xdp(opts.retval, gateway_turned_back() != turned);
	ran->len = opts.data_size_out;
	ran->mark = ctx.mark;
	return true;
}

static bool run_tc_ingress(int iface, struct ran *ran, const uint8_t *data, uint32_t len)
{
	struct __sk_buff ctx = { .ifindex = gw.ifindex[iface],
				 .ingress_ifindex = gw.ifindex[iface] };

	return run_tc(iface == IF_PUB ? gw.fd_tc_pub : gw.fd_tc_priv, ctx, ran, data, len);
}

/* 0 or negative errno. */
static int run_xdp(int iface, struct ran *ran, const uint8_t *data, uint32_t len, uint32_t first)
{
	struct xdp_md ctx = { .data_end = first, .ingress_ifindex = gw.ifindex[iface] };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = len,
		    .data_out = ran->data, .data_size_out = sizeof(ran->data), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);
	int err = bpf_prog_test_run_opts(iface == IF_PUB ? gw.fd_pub : gw.fd_priv, &opts);

	ran->action = opts.retval;
	ran->len = opts.data_size_out;
	ran->mark = 0;
	return err ? -errno : 0;
}

const struct ran *gateway_run_buffers(int iface, const uint8_t *data, uint32_t len, uint32_t first)
{
	static struct ran ran;
	int err = run_xdp(iface, &ran, data, len, first ? first : len);

	if (err == -EINVAL && first)
		return NULL;
	cr_assert_eq(err, 0, "the test run failed: %s", strerror(-err));
	return &ran;
}

/* What the kernel does: TC gets what XDP has passed. */
const struct ran *gateway_run(int iface, const uint8_t *data, uint32_t len)
{
	static struct ran ran;
	static uint8_t passed[sizeof(ran.data)];
	int err;

	if (!has_ethernet() && len > ETH_HLEN) {
		gateway_tun_run(iface, &ran, data, len);
		return &ran;
	}
	if (gateway_mode() == GATEWAY_TC && run_tc_ingress(iface, &ran, data, len))
		return &ran;
	err = run_xdp(iface, &ran, data, len, len);
	cr_assert_eq(err, 0, "the test run failed: %s", strerror(-err));
	if (ran.action == XDP_PASS && gateway_mode() == GATEWAY_XDP) {
		memcpy(passed, ran.data, ran.len);
		run_tc_ingress(iface, &ran, passed, ran.len);
	}
	return &ran;
}

/* On its way out by the slow-path device: TC's, in every mode. */
static const struct ran *run_slow(const struct expect *want, const uint8_t *data, uint32_t len)
{
	static struct ran ran;
	struct __sk_buff ctx = { .ifindex = gw.ifindex[IF_SLOW],
				 .ingress_ifindex = gw.ifindex[want->from],
				 .mark = want->with_mark };

	run_tc(gw.fd_tc_slow, ctx, &ran, data, len);
	if (!has_ethernet() && want->want)
		gateway_tun_slow(&ran, want->want->data, want->want->len);
	if (!has_ethernet()) /* the kernel takes the header off where it leaves */
		memcpy(ran.data, want->want ? want->want->data : data, 12);
	return &ran;
}

struct snapshot {
	struct rsip_counters iface[IF_CNT];
	struct rsip_bind_cnt bind[GATEWAY_BINDINGS];
};

static void snapshot(struct snapshot *s)
{
	for (uint32_t i = 0; i < IF_CNT; i++)
		gw.dp->ops->iface_counters(gw.dp, i, &s->iface[i]);
	for (uint32_t i = 0; i < GATEWAY_BINDINGS; i++)
		gw.dp->ops->bind_counters(gw.dp, i, &s->bind[i]);
}

uint64_t gateway_counter(int cnt)
{
	struct rsip_counters sum;
	uint64_t n = 0;

	for (uint32_t i = 0; i < IF_CNT; i++) {
		gw.dp->ops->iface_counters(gw.dp, i, &sum);
		n += sum.cnt[cnt];
	}
	return n;
}

static struct {
	struct rsip_event *out;
	uint32_t cnt;
} heard;

static void hear(void *arg, const struct rsip_event *e)
{
	(void)arg;
	if (heard.cnt < 16)
		heard.out[heard.cnt] = *e;
	heard.cnt++;
}

uint32_t gateway_events(struct rsip_event out[16])
{
	heard.out = out;
	heard.cnt = 0;
	gw.dp->ops->events(gw.dp, hear, NULL);
	return heard.cnt;
}

uint32_t gateway_claims(void)
{
	struct rsip_cookie_key key, next;
	uint32_t n = 0;

	for (void *at = NULL; !bpf_map_get_next_key(gw.fd[RSIP_DP_COOKIES], at, &next);
	     at = &key, n++)
		key = next;
	return n;
}

static uint64_t expected(const struct expect *want, int iface, int cnt)
{
	for (int i = 0; iface == want->iface && i < 6 && want->counts[i].add; i++)
		if (want->counts[i].cnt == cnt)
			return want->counts[i].add;
	return 0;
}

static bool binding_agrees(const struct snapshot *old, const struct snapshot *new,
			   const struct expect *want, uint32_t s)
{
	const struct rsip_bind_cnt *a = &old->bind[s], *b = &new->bind[s];
	uint64_t in = s && s == want->in_slot, out = s && s == want->out_slot;

	return b->in_packets - a->in_packets == in && b->in_bytes - a->in_bytes == in * want->bytes &&
	       b->out_packets - a->out_packets == out && b->out_bytes - a->out_bytes == out * want->bytes;
}

/* The same as check_counters(), without a word: an assertion for each counter of each packet takes its time. */
static bool counters_agree(const struct snapshot *old, const struct snapshot *new, const struct expect *want)
{
	for (int i = 0; i < IF_CNT; i++)
		for (int n = 0; n < RSIP_CNT_MAX; n++)
			if (new->iface[i].cnt[n] - old->iface[i].cnt[n] != expected(want, i, n))
				return false;
	for (uint32_t s = 0; s < GATEWAY_BINDINGS; s++)
		if (!binding_agrees(old, new, want, s))
			return false;
	return true;
}

static void check_counters(const struct snapshot *old, const struct snapshot *new,
			   const struct expect *want, const char *file, int line)
{
	for (int i = 0; i < IF_CNT; i++)
		for (int n = 0; n < RSIP_CNT_MAX; n++) {
			uint64_t got = new->iface[i].cnt[n] - old->iface[i].cnt[n];
			const char *name = rsip_counter_name((unsigned int)n);

			cr_expect_eq(got, expected(want, i, n),
				     "%s:%d: interface %d counted %s %llu times, not %llu", file,
				     line, i, name ? name : "(nameless)", (unsigned long long)got,
				     (unsigned long long)expected(want, i, n));
		}
	for (uint32_t s = 0; s < GATEWAY_BINDINGS; s++) {
		const struct rsip_bind_cnt *a = &old->bind[s], *b = &new->bind[s];

		cr_expect(
			binding_agrees(old, new, want, s),
			"%s:%d: binding %u counted %llu packets, %llu bytes in and %llu, %llu out",
			file, line, s, (unsigned long long)(b->in_packets - a->in_packets),
			(unsigned long long)(b->in_bytes - a->in_bytes),
			(unsigned long long)(b->out_packets - a->out_packets),
			(unsigned long long)(b->out_bytes - a->out_bytes));
	}
}

static const char *action_name(uint32_t action)
{
	static const char *const names[] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					     "XDP_REDIRECT" };

	return action < 5 ? names[action] : "unknown";
}

/* The flow label is a hash: any will do where none is wanted. */
static struct pkt with_flow_of(const struct pkt *want, const struct ran *ran)
{
	struct pkt p = *want;

	if (p.data[12] != 0x86 || p.data[13] != 0xdd || ran->len < 18 || p.data[15] & 15 || p.data[16] || p.data[17])
		return p;
	p.data[15] |= ran->data[15] & 15;
	p.data[16] = ran->data[16];
	p.data[17] = ran->data[17];
	return p;
}

/* Of a tunnel packet that may be fragmented, where none is wanted, the identification is any that a counter gives. */
static struct pkt with_id_of(struct pkt p, const struct ran *ran)
{
	uint8_t *ip = p.data + 14;
	bool tunnel = p.len > 34 && p.data[12] == 8 && !p.data[13] && ip[0] == 0x45 && (ip[9] == 4 || ip[9] == 47);

	if (!tunnel || ran->len != p.len || p.len <= 14 + 576 || ip[4] || ip[5] || ip[6] & 0x40)
		return p;
	memcpy(ip + 4, ran->data + 18, 2);
	pkt_sum_header(ip);
	return p;
}

static bool same_bytes(const struct pkt *want, const struct ran *ran)
{
	return ran->len == want->len && !memcmp(ran->data, want->data, want->len);
}

bool gateway_expect(const struct pkt *in, const struct expect *want, const char *file, int line)
{
	static struct snapshot old, new;
	const struct ran *ran;
	struct pkt wanted;
	char *difference;

	snapshot(&old);
	ran = want->iface == IF_SLOW ? run_slow(want, in->data, in->len)
				     : gateway_run(want->iface, in->data, in->len);
	snapshot(&new);
	wanted = with_id_of(with_flow_of(want->want ? want->want : in, ran), ran);
	if (ran->action == want->action && ran->mark == want->mark && counters_agree(&old, &new, want) &&
	    (ran->action == XDP_DROP || same_bytes(&wanted, ran)))
		return true;
	cr_expect_eq(ran->action, want->action, "%s:%d: wanted %s, got %s", file, line,
		     action_name(want->action), action_name(ran->action));
	cr_expect_eq(ran->mark, want->mark, "%s:%d: wanted mark 0x%x, got 0x%x", file, line,
		     want->mark, ran->mark);
	difference = want->action == XDP_DROP
			     ? NULL
			     : pkt_difference(&wanted, ran->data, ran->len);
	cr_expect_null(difference, "%s:%d: another packet came out\n%s", file, line, difference);
	free(difference);
	check_counters(&old, &new, want, file, line);
	return false;
}
