// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The packets of the bench, one kind a line. */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <string.h>
#include "plane.h"
#include "rsip/reasons.h"

#define IN(name, kind, proto, sport, dport)                                                        \
	{                                                                                          \
		name, kind, false, proto, sport, dport, 0, 0, RSIP_CNT_ENCAPSULATED, BENCH_IPIP        \
	}
#define OUT(name, kind, proto, sport, dport)                                                       \
	{                                                                                          \
		name, kind, true, proto, sport, dport, 0, 0, RSIP_CNT_DECAPSULATED, BENCH_IPIP         \
	}

const struct bench_case bench_cases[] = {
	IN("TCP in", BENCH_PORTS_KIND, IPPROTO_TCP, 443, 0),
	IN("UDP in", BENCH_PORTS_KIND, IPPROTO_UDP, 443, 0),
	IN("ESP in", BENCH_ESP, IPPROTO_ESP, 0, 0),
	IN("AH in", BENCH_AH, IPPROTO_AH, 0, 0),
	IN("IKE in, claimed", BENCH_IKE, IPPROTO_UDP, 500, 500),
	IN("IKE in, label", BENCH_IKE_LABEL, IPPROTO_UDP, 500, 500),
	{"fragment in", BENCH_PORTS_KIND, false, IPPROTO_UDP, 443, 0, 0x2000, 0,
	 RSIP_CNT_FRAGMENT_PASSED, BENCH_IPIP},
	OUT("TCP out", BENCH_PORTS_KIND, IPPROTO_TCP, 0, 443),
	OUT("UDP out", BENCH_PORTS_KIND, IPPROTO_UDP, 0, 443),
	OUT("ESP out", BENCH_ESP, IPPROTO_ESP, 0, 0),
	OUT("AH out", BENCH_AH, IPPROTO_AH, 0, 0),
	OUT("IKE out, claimed", BENCH_IKE, IPPROTO_UDP, 500, 500),
	{"fragment out", BENCH_PORTS_KIND, true, IPPROTO_UDP, 0, 443, 0x00b9, 0,
	 RSIP_CNT_DECAPSULATED, BENCH_IPIP},
	{"TCP out, 4096 remotes", BENCH_PORTS_KIND, true, IPPROTO_TCP, 0, 443, 0, 4096,
	 RSIP_CNT_DECAPSULATED, BENCH_IPIP},
	{"TCP in, GRE", BENCH_PORTS_KIND, false, IPPROTO_TCP, 443, 0, 0, 0, RSIP_CNT_ENCAPSULATED, BENCH_GRE},
	{"TCP out, GRE", BENCH_PORTS_KIND, true, IPPROTO_TCP, 0, 443, 0, 0, RSIP_CNT_DECAPSULATED, BENCH_GRE},
	{"TCP in, IPv6 access", BENCH_PORTS_KIND, false, IPPROTO_TCP, 443, 0, 0, 0, RSIP_CNT_ENCAPSULATED, BENCH_IP6},
	{"TCP out, IPv6 access", BENCH_PORTS_KIND, true, IPPROTO_TCP, 0, 443, 0, 0, RSIP_CNT_DECAPSULATED, BENCH_IP6},
	{"TCP in, L2TP (TC, one host)", BENCH_PORTS_KIND, false, IPPROTO_TCP, 443, 0, 0, 1, RSIP_CNT_ENCAPSULATED, BENCH_L2TP},
	{"TCP out, L2TP (TC, one host)", BENCH_PORTS_KIND, true, IPPROTO_TCP, 0, 443, 0, 1, RSIP_CNT_DECAPSULATED, BENCH_L2TP},
};
const int bench_case_cnt = sizeof(bench_cases) / sizeof(bench_cases[0]);

const struct bench_case bench_plain_in = IN("UDP in", BENCH_PORTS_KIND, IPPROTO_UDP, 443, 0);
const struct bench_case bench_plain_out = {
	.name = "UDP out", .kind = BENCH_PLAIN, .proto = IPPROTO_UDP, .dport = 443};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/* Addresses stay zero, and the checksum field takes the plain sum of the rest: see bench.bpf.c. */
static void put_ip(uint8_t *at, uint32_t len, uint8_t proto, uint16_t frag)
{
	uint32_t sum = 0;
	uint16_t word;

	memset(at, 0, 20);
	at[0] = 0x45;
	put16(at + 2, len);
	put16(at + 4, 0x1234);
	put16(at + 6, frag);
	at[8] = 64;
	at[9] = proto;
	for (int i = 0; i < 20; i += 2) {
		memcpy(&word, at + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	word = (uint16_t)((sum & 0xffff) + (sum >> 16));
	memcpy(at + 10, &word, 2);
}

/* To our end of the tunnels, from a host that the program puts in. */
static void put_ip6(uint8_t *at, uint32_t len)
{
	memset(at, 0, BENCH_IP6_LEN);
	at[0] = 6 << 4;
	put16(at + 4, len - BENCH_IP6_LEN);
	at[6] = IPPROTO_IPIP;
	at[7] = 64;
	for (int i = 8; i <= 24; i += 16) {
		put16(at + i, BENCH_NET6 >> 16);
		put16(at + i + 2, BENCH_NET6);
	}
	put16(at + 36, BENCH_ENDPOINT >> 16);
	put16(at + 38, BENCH_ENDPOINT);
}

static void put_transport(uint8_t *at, uint32_t len, const struct bench_case *c)
{
	if (c->proto == IPPROTO_UDP || c->proto == IPPROTO_TCP) {
		put16(at, c->sport);
		put16(at + 2, c->dport);
	}
	if (c->proto == IPPROTO_UDP)
		put16(at + 4, len);
	if (c->proto == IPPROTO_TCP) {
		at[12] = 5 << 4;
		at[13] = 0x10;
	}
	if (c->proto == IPPROTO_AH) {
		at[0] = IPPROTO_ESP;
		at[1] = 4;
	}
	if (c->kind == BENCH_IKE || c->kind == BENCH_IKE_LABEL) {
		uint8_t *ike = at + 8;

		ike[0] = 0x10; /* no SPI begins so: the cookie is no label */
		ike[8] = 0x55;
		ike[17] = 0x20; /* IKEv2 */
		ike[18] = 34;
		ike[19] = c->tunnelled ? 0x08 : 0x20; /* initiator; response */
	}
}

void bench_job_fill(struct bench_job *job, const struct bench_case *c, uint32_t n)
{
	static const uint8_t macs[2][12] = {{2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1},
					    {2, 0, 0, 0, 2, 1, 2, 0, 0, 0, 2, 2}};
	bool from_host = c->tunnelled || c->kind == BENCH_PLAIN;
	uint32_t at = 14;

	memset(job, 0, sizeof(*job));
	if (c->tunnelled && c->tunnel == BENCH_L2TP) {
		at = 0; /* the kernel has opened the tunnel */
	} else {
		memcpy(job->frame, macs[from_host], 12);
		put16(job->frame + 12, 0x0800);
	}
	if (c->tunnelled && c->tunnel == BENCH_IP6) {
		put16(job->frame + 12, 0x86dd);
		put_ip6(job->frame + at, BENCH_FRAME - at);
		at += BENCH_IP6_LEN;
	} else if (c->tunnelled && c->tunnel != BENCH_L2TP) {
		put_ip(job->frame + at, BENCH_FRAME - at, c->tunnel == BENCH_GRE ? IPPROTO_GRE : IPPROTO_IPIP, 0);
		at += 20;
		if (c->tunnel == BENCH_GRE) {
			put16(job->frame + at + 2, 0x0800);
			at += 4;
		}
	}
	put_ip(job->frame + at, BENCH_FRAME - at, c->proto, c->frag);
	at += 20;
	put_transport(job->frame + at, BENCH_FRAME - at, c);
	job->kind = c->kind;
	job->tunnelled = c->tunnelled;
	job->tunnel = c->tunnel;
	job->n = n;
	job->remotes = c->remotes ? c->remotes : BENCH_REMOTES;
	job->random = 0x2545f4914f6cdd1dULL;
}
