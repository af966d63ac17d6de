// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Decoding for people: fields by name, so that a failing test says which field differs. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "pkt.h"

#define FIELDS_MAX 160

struct field {
	char layer[16], name[16], value[80];
};

struct decoded {
	struct field f[FIELDS_MAX];
	int cnt;
	int ips; /* IP headers met: "ip", "ip2", ... */
	char layer[16];
};

static const struct {
	__be32 ip;
	const char *name;
} ip_names[] = {
	{ HOST_A, "HOST_A" },	  { HOST_B, "HOST_B" },	    { HOST_C, "HOST_C" },
	{ STRANGER, "STRANGER" }, { GW_PRIV, "GW_PRIV" },   { GW_PRIV2, "GW_PRIV2" },
	{ GW_PUB, "GW_PUB" },	  { ROUTER, "ROUTER" },	    { REMOTE, "REMOTE" },
	{ REMOTE_2, "REMOTE_2" }, { PUB_1, "PUB_1" },	    { PUB_2, "PUB_2" },
	{ PUB_IDLE, "PUB_IDLE" }, { NOT_OURS, "NOT_OURS" }, { UNREACHABLE, "UNREACHABLE" },
};

static const struct {
	const char *mac, *name;
} mac_names[] = {
	{ MAC_HOST_A, "HOST_A" },     { MAC_HOST_B, "HOST_B" },	  { MAC_HOST_C, "HOST_C" },
	{ MAC_STRANGER, "STRANGER" }, { MAC_GW_PRIV, "GW_PRIV" }, { MAC_GW_PRIV2, "GW_PRIV2" },
	{ MAC_GW_PUB, "GW_PUB" },     { MAC_ROUTER, "ROUTER" },	  { MAC_ALL, "ALL" },
};

const char *cast_ip_name(__be32 ip)
{
	for (size_t i = 0; i < sizeof(ip_names) / sizeof(ip_names[0]); i++)
		if (ip_names[i].ip == ip)
			return ip_names[i].name;
	return NULL;
}

const char *cast_mac_name(const uint8_t mac[6])
{
	for (size_t i = 0; i < sizeof(mac_names) / sizeof(mac_names[0]); i++)
		if (!memcmp(mac_names[i].mac, mac, 6))
			return mac_names[i].name;
	return NULL;
}

static void add(struct decoded *d, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void add(struct decoded *d, const char *name, const char *fmt, ...)
{
	struct field *f;
	va_list ap;

	if (d->cnt == FIELDS_MAX)
		return;
	f = &d->f[d->cnt++];
	snprintf(f->layer, sizeof(f->layer), "%s", d->layer);
	snprintf(f->name, sizeof(f->name), "%s", name);
	va_start(ap, fmt);
	vsnprintf(f->value, sizeof(f->value), fmt, ap);
	va_end(ap);
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void add_ip(struct decoded *d, const char *name, const uint8_t *p)
{
	const char *known;
	__be32 ip;

	memcpy(&ip, p, 4);
	known = cast_ip_name(ip);
	add(d, name, known ? "%u.%u.%u.%u (%s)" : "%u.%u.%u.%u", p[0], p[1], p[2], p[3], known);
}

static void add_mac(struct decoded *d, const char *name, const uint8_t *p)
{
	const char *known = cast_mac_name(p);

	add(d, name, known ? "%02x:%02x:%02x:%02x:%02x:%02x (%s)" : "%02x:%02x:%02x:%02x:%02x:%02x",
	    p[0], p[1], p[2], p[3], p[4], p[5], known);
}

static void layer(struct decoded *d, const char *name)
{
	snprintf(d->layer, sizeof(d->layer), "%s", name);
}

static void decode_rest(struct decoded *d, const uint8_t *p, uint32_t len)
{
	char hex[65] = "";

	if (!len)
		return;
	layer(d, "payload");
	add(d, "length", "%u", len);
	for (uint32_t at = 0; at < len; at += 16) {
		char name[16];

		for (uint32_t i = 0; i < 16 && at + i < len; i++)
			snprintf(hex + 2 * i, 3, "%02x", p[at + i]);
		snprintf(name, sizeof(name), "+%u", at);
		add(d, name, "%s", hex);
	}
}

static void decode_ip(struct decoded *d, const uint8_t *p, uint32_t len);

static void decode_ports(struct decoded *d, const char *name, const uint8_t *p, uint32_t len,
			 uint32_t hdr_len)
{
	layer(d, name);
	if (len < hdr_len) {
		decode_rest(d, p, len);
		return;
	}
	add(d, "sport", "%u", get16(p));
	add(d, "dport", "%u", get16(p + 2));
	if (hdr_len == 8) {
		add(d, "length", "%u", get16(p + 4));
		add(d, "checksum", "0x%04x", get16(p + 6));
	} else if (hdr_len == 20) {
		add(d, "seq", "%u", get32(p + 4));
		add(d, "flags", "0x%02x", p[13]);
		add(d, "checksum", "0x%04x", get16(p + 16));
	}
	decode_rest(d, p + hdr_len, len - hdr_len);
}

static void decode_icmp(struct decoded *d, const uint8_t *p, uint32_t len)
{
	layer(d, "icmp");
	if (len < 8) {
		decode_rest(d, p, len);
		return;
	}
	add(d, "type", "%u", p[0]);
	add(d, "code", "%u", p[1]);
	add(d, "checksum", "0x%04x", get16(p + 2));
	add(d, "rest", "%u %u", get16(p + 4), get16(p + 6));
	if (p[0] == 3 || p[0] == 11 || p[0] == 12)
		decode_ip(d, p + 8, len - 8);
	else
		decode_rest(d, p + 8, len - 8);
}

static void decode_ipsec(struct decoded *d, const char *name, const uint8_t *p, uint32_t len,
			 uint32_t spi_at)
{
	layer(d, name);
	if (len >= spi_at + 8) {
		add(d, "spi", "0x%08x", get32(p + spi_at));
		add(d, "seq", "%u", get32(p + spi_at + 4));
		decode_rest(d, p + spi_at + 8, len - spi_at - 8);
	} else {
		decode_rest(d, p, len);
	}
}

static void decode_gre(struct decoded *d, const uint8_t *p, uint32_t len)
{
	uint32_t flags = len >= 4 ? get16(p) : 0, at = 4;

	layer(d, "gre");
	if (len < 4 || len < 4 + 4 * (uint32_t)__builtin_popcount(flags & 0xb000)) {
		decode_rest(d, p, len);
		return;
	}
	add(d, "flags", "0x%04x", flags);
	add(d, "protocol", "0x%04x", get16(p + 2));
	for (; flags & 0xb000; flags &= flags & 0x8000 ? 0x7fff : flags & 0x2000 ? 0xdfff : 0xefff, at += 4)
		add(d, flags & 0x8000 ? "checksum" : flags & 0x2000 ? "key" : "sequence", "0x%08x", get32(p + at));
	if (get16(p + 2) == 0x0800)
		decode_ip(d, p + at, len - at);
	else
		decode_rest(d, p + at, len - at);
}

static void decode_upper(struct decoded *d, uint8_t proto, const uint8_t *p, uint32_t len)
{
	switch (proto) {
	case 1:
		decode_icmp(d, p, len);
		break;
	case 4:
		decode_ip(d, p, len);
		break;
	case 6:
		decode_ports(d, "tcp", p, len, 20);
		break;
	case 17:
		decode_ports(d, "udp", p, len, 8);
		break;
	case 136:
		decode_ports(d, "udplite", p, len, 8);
		break;
	case 132:
		decode_ports(d, "sctp", p, len, 12);
		break;
	case 47:
		decode_gre(d, p, len);
		break;
	case 50:
		decode_ipsec(d, "esp", p, len, 0);
		break;
	case 51:
		decode_ipsec(d, "ah", p, len, 4);
		break;
	default:
		decode_rest(d, p, len);
	}
}

static void decode_ip(struct decoded *d, const uint8_t *p, uint32_t len)
{
	uint32_t hdr_len = len ? (p[0] & 15U) * 4 : 0, end;
	char name[16];

	d->ips++;
	snprintf(name, sizeof(name), d->ips == 1 ? "ip" : "ip%d", d->ips);
	layer(d, name);
	if (len < 20 || hdr_len < 20 || hdr_len > len) {
		decode_rest(d, p, len);
		return;
	}
	add(d, "version", "%u", p[0] >> 4);
	add(d, "tos", "0x%02x", p[1]);
	add(d, "length", "%u", get16(p + 2));
	add(d, "id", "0x%04x", get16(p + 4));
	add(d, "fragment", "0x%04x", get16(p + 6));
	add(d, "ttl", "%u", p[8]);
	add(d, "protocol", "%u", p[9]);
	add_ip(d, "src", p + 12);
	add_ip(d, "dst", p + 16);
	add(d, "checksum", "0x%04x%s", get16(p + 10), pkt_sum16(p, hdr_len, 0) ? " (wrong)" : "");
	for (uint32_t i = 20; i < hdr_len; i += 4)
		add(d, "option", "0x%08x", get32(p + i));
	end = get16(p + 2) < len && get16(p + 2) >= hdr_len ? get16(p + 2) : len;
	if (get16(p + 6) & 0x1fff)
		decode_rest(d, p + hdr_len, end - hdr_len);
	else
		decode_upper(d, p[9], p + hdr_len, end - hdr_len);
	if (len > end) {
		layer(d, "padding");
		add(d, "length", "%u", len - end);
	}
}

static void decode_ip6(struct decoded *d, const uint8_t *p, uint32_t len)
{
	char text[INET6_ADDRSTRLEN];

	if (len < 40) {
		decode_rest(d, p, len);
		return;
	}
	layer(d, "ip6");
	add(d, "src", "%s", inet_ntop(AF_INET6, p + 8, text, sizeof(text)));
	add(d, "dst", "%s", inet_ntop(AF_INET6, p + 24, text, sizeof(text)));
	add(d, "version", "%u", p[0] >> 4);
	add(d, "class", "0x%02x", (p[0] & 15) << 4 | p[1] >> 4);
	add(d, "flow", "0x%05x", (p[1] & 15) << 16 | get16(p + 2));
	add(d, "payload", "%u", get16(p + 4));
	add(d, "next", "%u", p[6]);
	add(d, "hops", "%u", p[7]);
	if (p[6] == 4)
		decode_ip(d, p + 40, len - 40);
	else if (p[6] == 47)
		decode_gre(d, p + 40, len - 40);
	else
		decode_rest(d, p + 40, len - 40);
}

static void decode(struct decoded *d, const uint8_t *p, uint32_t len)
{
	uint32_t at = 14;

	memset(d, 0, sizeof(*d));
	layer(d, "eth");
	if (len < 14) {
		decode_rest(d, p, len);
		return;
	}
	add_mac(d, "src", p + 6);
	add_mac(d, "dst", p);
	add(d, "type", "0x%04x", get16(p + 12));
	if (get16(p + 12) == 0x8100 && len >= 18) {
		add(d, "vlan", "%u", get16(p + 14));
		at = 18;
	}
	if (get16(p + at - 2) == 0x0800) {
		decode_ip(d, p + at, len - at);
	} else if (get16(p + at - 2) == 0x86dd) {
		decode_ip6(d, p + at, len - at);
	} else if (get16(p + at - 2) == 0x0806 && len >= at + 28) {
		layer(d, "arp");
		add(d, "op", "%u", get16(p + at + 6));
		add_mac(d, "sender-mac", p + at + 8);
		add_ip(d, "sender", p + at + 14);
		add_mac(d, "target-mac", p + at + 18);
		add_ip(d, "target", p + at + 24);
		decode_rest(d, p + at + 28, len - at - 28);
	} else {
		decode_rest(d, p + at, len - at);
	}
}

static void print(FILE *out, const struct decoded *d)
{
	for (int i = 0; i < d->cnt; i++) {
		if (!i || strcmp(d->f[i].layer, d->f[i - 1].layer))
			fprintf(out, "%s    %-8s", i ? "\n" : "", d->f[i].layer);
		fprintf(out, " %s=%s", d->f[i].name, d->f[i].value);
	}
	fputc('\n', out);
}

char *pkt_text(const uint8_t *data, uint32_t len)
{
	struct decoded d;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	decode(&d, data, len);
	print(out, &d);
	fclose(out);
	return text;
}

static void print_first_difference(FILE *out, const struct decoded *want, const struct decoded *got)
{
	for (int i = 0; i < want->cnt || i < got->cnt; i++) {
		const struct field *w = i < want->cnt ? &want->f[i] : NULL,
				   *g = i < got->cnt ? &got->f[i] : NULL;

		if (w && g && !strcmp(w->layer, g->layer) && !strcmp(w->name, g->name) &&
		    !strcmp(w->value, g->value))
			continue;
		fprintf(out, "  first difference: wanted %s.%s = %s, got %s.%s = %s\n",
			w ? w->layer : "-", w ? w->name : "-", w ? w->value : "nothing",
			g ? g->layer : "-", g ? g->name : "-", g ? g->value : "nothing");
		return;
	}
	fputs("  no field that is shown differs; see the bytes\n", out);
}

static void print_bytes(FILE *out, const char *name, const uint8_t *data, uint32_t len)
{
	fprintf(out, "  %s, %u bytes:", name, len);
	for (uint32_t i = 0; i < len && i < 256; i++)
		fprintf(out, "%s%02x", i % 32 ? "" : "\n    ", data[i]);
	fputc('\n', out);
}

char *pkt_difference(const struct pkt *want, const uint8_t *got, uint32_t got_len)
{
	struct decoded w, g;
	char *text = NULL;
	size_t size;
	FILE *out;

	if (want->len == got_len && !memcmp(want->data, got, got_len))
		return NULL;
	out = open_memstream(&text, &size);
	decode(&w, want->data, want->len);
	decode(&g, got, got_len);
	fputs("  wanted\n", out);
	print(out, &w);
	fputs("  got\n", out);
	print(out, &g);
	print_first_difference(out, &w, &g);
	print_bytes(out, "wanted", want->data, want->len);
	print_bytes(out, "got", got, got_len);
	fclose(out);
	return text;
}
