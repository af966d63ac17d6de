// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every packet of this project's kinds, cut at every byte: passed untouched, or dropped with
 * exactly one reason; never sent on.  And cut with the IP lengths made to fit: sent on only where
 * the headers that decide are whole. Then bytes flipped at random: whatever happens, exactly one
 * thing is counted.
 */
#include <stdlib.h>
#include <string.h>
#include "gateway.h"

static struct pkt public_side[16], private_side[16];
static int public_cnt, private_cnt;

static void packets_up(void)
{
	gateway_up();
	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4));
	given_binding(HOST_B, PUB_1, ports(4008, 8), spis(0xb0000000, 4));
	public_side[public_cnt++] =
		pkt(from_router, ip4(REMOTE, PUB_1), tcp(443, 4003), text("hello"));
	public_side[public_cnt++] =
		pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("hello"));
	public_side[public_cnt++] = pkt(from_router, ip4(REMOTE, PUB_1), sctp(53, 4003), bytes(16));
	public_side[public_cnt++] = pkt(from_router, ip4(REMOTE, PUB_1), esp(0xa0000001));
	public_side[public_cnt++] = pkt(from_router, ip4(REMOTE, PUB_1), ah(0xa0000001), bytes(20));
	public_side[public_cnt++] = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500),
					ike(0xa000000100000001, 5, .flags = IKE_R));
	public_side[public_cnt++] =
		pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500),
		    ike(0xa000000100000001, 5, .flags = IKE_R, .non_esp = true));
	public_side[public_cnt++] =
		pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), esp(0xa0000001));
	public_side[public_cnt++] =
		pkt(from_router, ip4(ROUTER, PUB_1), icmp(3, 3), ip4(PUB_1, REMOTE), udp(4003, 53));
	public_side[public_cnt++] =
		pkt(from_router, ip4(REMOTE, PUB_1, .options = "\x94\x04\0\0", .options_len = 4),
		    udp(53, 4003));
	private_side[private_cnt++] =
		pkt(from_host_a(), ip4(PUB_1, REMOTE), tcp(4003, 443), text("hello"));
	private_side[private_cnt++] =
		pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("hello"));
	private_side[private_cnt++] = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77));
	private_side[private_cnt++] = pkt(from_host_a(), ip4(PUB_1, REMOTE), ah(0x77), bytes(20));
	private_side[private_cnt++] =
		pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(1, 0, .flags = IKE_I));
	private_side[private_cnt++] =
		pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(1), text("ping"));
	private_side[private_cnt++] =
		pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4003, 4009), text("hairpin"));
	private_side[private_cnt++] = pkt(from_host_a(), ip4(PUB_1, PUB_1), esp(0xb0000001));
	private_side[private_cnt++] = pkt(from_host_a(.options = "\x94\x04\0\0", .options_len = 4),
					  ip4(PUB_1, REMOTE), udp(4003, 53));
}

TestSuite(cut, .init = packets_up, .fini = gateway_down);

struct tally {
	uint64_t passed, sent, dropped, slow;
};

static struct tally tally(void)
{
	struct tally t = {
		.passed = gateway_counter(RSIP_CNT_PASSED) +
			  gateway_counter(RSIP_CNT_FRAGMENT_PASSED),
		.sent = gateway_counter(RSIP_CNT_ENCAPSULATED) +
			gateway_counter(RSIP_CNT_DECAPSULATED) +
			gateway_counter(RSIP_CNT_HAIRPINNED) +
			gateway_counter(RSIP_CNT_ARP_ANSWERED),
		.slow = gateway_counter(RSIP_CNT_SLOW_PATH),
	};

	for (int i = RSIP_CNT_DROP_FIRST; i < RSIP_CNT_MAX; i++)
		t.dropped += gateway_counter(i);
	return t;
}

/* Exactly one outcome, and the counter that belongs to it.  Returns the action. */
static uint32_t one_outcome(int iface, const struct pkt *p, const char *what, uint32_t at)
{
	struct tally old = tally(), new;
	const struct ran *ran = gateway_run(iface, p->data, p->len);
	uint64_t passed, sent, dropped, slow;

	new = tally();
	passed = new.passed - old.passed;
	sent = new.sent - old.sent;
	dropped = new.dropped - old.dropped;
	slow = new.slow - old.slow;
	cr_assert_eq(passed + sent + dropped, 1, "%s at %u: counted %d passed, %d sent, %d dropped",
		     what, at, (int)passed, (int)sent, (int)dropped);
	cr_assert_eq(slow && !sent, 0, "%s at %u: slow path without being sent", what, at);
	cr_assert_eq(ran->action == XDP_DROP, dropped, "%s at %u: action %u", what, at,
		     ran->action);
	cr_assert_eq(ran->action == XDP_PASS, passed + slow, "%s at %u: action %u", what, at,
		     ran->action);
	cr_assert_neq(ran->action, XDP_ABORTED, "%s at %u", what, at);
	if (passed)
		cr_assert(ran->len == p->len && !memcmp(ran->data, p->data, p->len),
			  "%s at %u: passed, but touched", what, at);
	return ran->action;
}

static void cut_everywhere(int iface, const struct pkt *whole)
{
	for (uint32_t len = 14; len < whole->len; len++) {
		struct pkt p = *whole;
		uint32_t action;

		p.len = len;
		action = one_outcome(iface, &p, "cut", len);
		cr_assert(action == XDP_PASS || action == XDP_DROP, "cut at %u of %u: sent on", len,
			  whole->len);
	}
	cr_assert_eq(one_outcome(iface, whole, "whole", whole->len), XDP_REDIRECT);
}

Test(cut, from_the_public_side_at_every_byte)
{
	for (int i = 0; i < public_cnt; i++)
		cut_everywhere(IF_PUB, &public_side[i]);
}

Test(cut, from_a_host_at_every_byte)
{
	for (int i = 0; i < private_cnt; i++)
		cut_everywhere(IF_PRIV, &private_side[i]);
}

Test(cut, arp_at_every_byte)
{
	about_ethernet();
	struct pkt arp = pkt(eth(MAC_ROUTER, MAC_ALL), arp_request(MAC_ROUTER, ROUTER, PUB_1));

	for (uint32_t len = 14; len < arp.len; len++) {
		struct pkt p = arp;

		p.len = len;
		cr_assert_eq(one_outcome(IF_PUB, &p, "arp", len), XDP_PASS);
	}
	cr_assert_eq(one_outcome(IF_PUB, &arp, "arp", arp.len), XDP_TX);
}

static void set_total(struct pkt *p, uint32_t at, uint32_t len)
{
	p->data[at + 2] = (uint8_t)(len >> 8);
	p->data[at + 3] = (uint8_t)len;
}

/* Protocol, and how many bytes behind the IP header decide (ports: the UDP or TCP part that names
 * them; ...). */
static uint32_t needed(const uint8_t *ip)
{
	const uint8_t *l4 = ip + (ip[0] & 15) * 4;
	uint16_t sport = (uint16_t)(l4[0] << 8 | l4[1]), dport = (uint16_t)(l4[2] << 8 | l4[3]);

	switch (ip[9]) {
	case 17:
		if (sport == 500 || dport == 500)
			return 8 + 24;
		if (sport == 4500 || dport == 4500)
			return l4[8] ? 8 + 4 : 8 + 4 + 24;
		return 8;
	case 1:
		return l4[0] == 8 ? 0 : 8 + 20 + 8;
	case 51:
		return 8;
	default:
		return 8;
	}
}

static void cut_consistently(int iface, const struct pkt *whole, uint32_t inner_at)
{
	uint32_t hdr_len = (whole->data[inner_at] & 15U) * 4;

	for (uint32_t len = inner_at + hdr_len; len < whole->len; len++) {
		struct pkt p = *whole;
		uint32_t action;

		p.len = len;
		if (inner_at != 14)
			set_total(&p, 14, len - 14);
		set_total(&p, inner_at, len - inner_at);
		/* What follows must not help: as if the frame had been padded with the rest of the
		 * packet. */
		p.len = whole->len;
		action = one_outcome(iface, &p, "consistent", len);
		if (len - inner_at - hdr_len < needed(whole->data + inner_at))
			cr_assert_eq(action, XDP_DROP, "protocol %u with %u bytes was sent on",
				     whole->data[inner_at + 9], len - inner_at - hdr_len);
	}
}

Test(cut, lengths_that_fit_but_too_little_inside)
{
	for (int i = 0; i < public_cnt; i++)
		cut_consistently(IF_PUB, &public_side[i], 14);
	for (int i = 0; i < private_cnt; i++)
		cut_consistently(IF_PRIV, &private_side[i],
				 14 + (private_side[i].data[14] & 15U) * 4);
}

/* RSIP_FUZZ_RUNS makes it longer. */
Test(cut, random_bytes_changed)
{
	const char *env = getenv("RSIP_FUZZ_RUNS");
	uint32_t runs = env ? (uint32_t)strtoul(env, NULL, 0) : 4000;
	uint64_t rnd = 0x2545f4914f6cdd1dULL;

	for (uint32_t n = 0; n < runs; n++) {
		bool from_host = n & 1;
		struct pkt p = from_host ? private_side[n / 2 % (uint32_t)private_cnt]
					 : public_side[n / 2 % (uint32_t)public_cnt];

		for (uint32_t changes = n % 4 + 1; changes; changes--) {
			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			p.data[12 + rnd % (p.len - 12)] = (uint8_t)(rnd >> 40);
		}
		one_outcome(from_host ? IF_PRIV : IF_PUB, &p, "changed", n);
	}
}
