// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The probe is a complete IKE_SA_INIT (RFC 7296 1.2) with one common proposal: a peer answers it,
 * if only with NO_PROPOSAL_CHOSEN.  Raw sockets, because a charon may sit on the port; it sees the
 * answer, too, and knows nothing of its SPI.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "cursor.h"
#include "pathcheck.h"
#include "util.h"
#include "xfrm.h"

#define IKE_PORT 500
#define IKE_HDR_LEN 28
#define NOTIFY 41
#define KE_LEN 256 /* MODP 2048, group 14 */
#define NONCE_LEN 32
#define TRIES 4
#define WAIT_NS (RSIP_NS_PER_S / 4) /* doubled each time */
#define PROBE_MAX 600

struct probe {
	__be32 addr, peer;
	uint16_t port;
	uint8_t spi[8];
	int udp, icmp, esp; /* raw sockets */
	int holder;	    /* keeps the kernel from refusing the answer; -1: charon does */
	uint8_t ike[PROBE_MAX];
	size_t len;
};

/* ---- the message ---- */

static void put_payload(struct rsip_writer *w, uint8_t next, uint16_t body)
{
	rsip_write_u8(w, next);
	rsip_write_u8(w, 0);
	rsip_write_u16(w, body + 4);
}

static void put_transform(struct rsip_writer *w, bool last, uint8_t type, uint16_t id,
			  uint16_t bits)
{
	rsip_write_u8(w, last ? 0 : 3);
	rsip_write_u8(w, 0);
	rsip_write_u16(w, bits ? 12 : 8);
	rsip_write_u8(w, type);
	rsip_write_u8(w, 0);
	rsip_write_u16(w, id);
	if (!bits)
		return;
	rsip_write_u16(w, 0x800e); /* key length */
	rsip_write_u16(w, bits);
}

static void put_random(struct rsip_writer *w, size_t len)
{
	uint8_t bytes[KE_LEN];

	rsip_random(bytes, len);
	rsip_write_bytes(w, bytes, len);
}

/* RFC 7296 3.1 to 3.4, 3.9: AES-CBC-128, HMAC-SHA2-256 twice, group 14. */
static void write_ike(struct probe *p)
{
	struct rsip_writer w = rsip_writer_on(p->ike + sizeof(struct udphdr),
					      sizeof(p->ike) - sizeof(struct udphdr));
	const uint16_t transforms = 12 + 3 * 8, proposal = 8 + transforms;

	rsip_write_bytes(&w, p->spi, 8);
	rsip_write_u32(&w, 0);
	rsip_write_u32(&w, 0);
	rsip_write_u8(&w, 33);	 /* next: SA */
	rsip_write_u8(&w, 0x20); /* version 2.0 */
	rsip_write_u8(&w, 34);	 /* IKE_SA_INIT */
	rsip_write_u8(&w, 0x08); /* initiator */
	rsip_write_u32(&w, 0);
	rsip_write_u32(&w, IKE_HDR_LEN + 4 + proposal + 8 + KE_LEN + 4 + NONCE_LEN);
	put_payload(&w, 34, proposal);
	rsip_write_u16(&w, 0); /* the last proposal */
	rsip_write_u16(&w, proposal);
	rsip_write_u8(&w, 1);
	rsip_write_u8(&w, 1); /* IKE */
	rsip_write_u8(&w, 0);
	rsip_write_u8(&w, 4);
	put_transform(&w, false, 1, 12, 128);
	put_transform(&w, false, 2, 5, 0);
	put_transform(&w, false, 3, 12, 0);
	put_transform(&w, true, 4, 14, 0);
	put_payload(&w, 40, 4 + KE_LEN);
	rsip_write_u16(&w, 14);
	rsip_write_u16(&w, 0);
	put_random(&w, KE_LEN);
	put_payload(&w, 0, NONCE_LEN);
	put_random(&w, NONCE_LEN);
	p->len = sizeof(struct udphdr) + rsip_writer_len(&w);
}

static uint16_t sum(uint32_t sum, const void *bytes, size_t len)
{
	const uint8_t *b = bytes;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? b[i] : b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void write_udp(struct probe *p)
{
	struct udphdr udp = {
		.source = htons(p->port), .dest = htons(IKE_PORT), .len = htons(p->len)};
	uint32_t pseudo = IPPROTO_UDP + p->len;

	memcpy(p->ike, &udp, sizeof(udp));
	pseudo += sum(0, &p->addr, 4);
	pseudo += sum(0, &p->peer, 4);
	udp.check = htons(~sum(pseudo, p->ike, p->len));
	memcpy(p->ike, &udp, sizeof(udp));
}

/* ---- sockets ---- */

static int open_raw(int proto, __be32 addr)
{
	struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = addr};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&from, sizeof(from))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd < 0 ? -errno : fd;
}

static int hold_port(__be32 addr, uint16_t port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = addr};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof(at))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void close_all(struct probe *p)
{
	const int fds[] = {p->udp, p->icmp, p->esp, p->holder};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int open_all(struct probe *p)
{
	p->udp = open_raw(IPPROTO_UDP, p->addr);
	p->icmp = open_raw(IPPROTO_ICMP, p->addr);
	p->esp = open_raw(IPPROTO_ESP, p->addr);
	p->holder = hold_port(p->addr, p->port);
	if (p->udp >= 0 && p->icmp >= 0 && p->esp >= 0)
		return 0;
	return p->udp < 0 ? p->udp : p->icmp < 0 ? p->icmp : p->esp;
}

static int send_to(const struct probe *p, int fd, const void *bytes, size_t len)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = p->peer};

	return sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
}

/* ---- what comes back ---- */

/* The next packet of a raw socket: its payload's place and length; false: none. */
static bool next_packet(int fd, uint8_t *buf, size_t size, struct iphdr *ip, size_t *at,
			size_t *len)
{
	ssize_t n = recv(fd, buf, size, 0);

	if (n < (ssize_t)sizeof(*ip))
		return false;
	memcpy(ip, buf, sizeof(*ip));
	*at = ip->ihl * 4;
	*len = (size_t)n > *at ? n - *at : 0;
	return true;
}

static bool take_ike(const struct probe *p, struct rsip_path *path)
{
	uint8_t buf[2048];
	struct udphdr udp;
	struct iphdr ip;
	size_t at, len;

	while (next_packet(p->udp, buf, sizeof(buf), &ip, &at, &len)) {
		if (ip.saddr != p->peer || len < sizeof(udp) + IKE_HDR_LEN)
			continue;
		memcpy(&udp, buf + at, sizeof(udp));
		at += sizeof(udp);
		if (ntohs(udp.dest) != p->port || memcmp(buf + at, p->spi, sizeof(p->spi)))
			continue;
		if (buf[at + 16] == NOTIFY && len >= sizeof(udp) + IKE_HDR_LEN + 8)
			path->notify = buf[at + IKE_HDR_LEN + 6] << 8 | buf[at + IKE_HDR_LEN + 7];
		return true;
	}
	return false;
}

/* An ICMP error about our packets with this protocol? */
static bool take_icmp(const struct probe *p, uint8_t proto, struct rsip_path *path)
{
	uint8_t buf[2048];
	struct iphdr ip, quoted;
	size_t at, len;

	while (next_packet(p->icmp, buf, sizeof(buf), &ip, &at, &len)) {
		if (len < 8 + sizeof(quoted))
			continue;
		memcpy(&quoted, buf + at + 8, sizeof(quoted));
		if ((buf[at] != ICMP_DEST_UNREACH && buf[at] != ICMP_TIME_EXCEEDED) ||
		    quoted.daddr != p->peer || quoted.protocol != proto)
			continue;
		path->icmp_from = ip.saddr;
		path->icmp_type = buf[at];
		path->icmp_code = buf[at + 1];
		return true;
	}
	return false;
}

static void wait_until(const struct probe *p, uint64_t end)
{
	struct pollfd fds[] = {{.fd = p->udp, .events = POLLIN}, {.fd = p->icmp, .events = POLLIN}};
	uint64_t now = rsip_now_ns();

	if (now < end)
		poll(fds, 2, (end - now) / 1000000 + 1);
}

static int check_ike(struct probe *p, struct rsip_path *path)
{
	uint64_t start = rsip_now_ns(), end = start;
	int err;

	path->ike = RSIP_IKE_SILENT;
	for (int i = 0; i < TRIES; i++) {
		err = send_to(p, p->udp, p->ike, p->len);
		if (err)
			return err;
		for (end += WAIT_NS << i; rsip_now_ns() < end;) {
			wait_until(p, end);
			if (take_ike(p, path)) {
				path->ike = RSIP_IKE_ANSWERED;
				path->ike_us = (rsip_now_ns() - start) / 1000;
				return 0;
			}
			if (take_icmp(p, IPPROTO_UDP, path)) {
				path->ike = RSIP_IKE_UNREACHABLE;
				return 0;
			}
		}
	}
	return 0;
}

/* ---- ESP ---- */

#define LOOK_NS RSIP_NS_PER_S /* how long SAs are watched, at least */

struct tally {
	__be32 addr, peer;
	uint64_t in, out; /* packets of the SAs with the peer, since they are there */
	unsigned int sas;
	bool encap;
};

static void count_sa(void *ctx, const struct rsip_sa *sa)
{
	struct tally *t = ctx;

	if (sa->dst == t->addr && sa->src == t->peer)
		t->in += sa->packets;
	else if (sa->src == t->addr && sa->dst == t->peer)
		t->out += sa->packets;
	else
		return;
	t->sas++;
	t->encap |= sa->encap;
}

static struct tally count_sas(const struct probe *p)
{
	struct tally t = {.addr = p->addr, .peer = p->peer};

	if (rsip_xfrm_each(count_sa, &t))
		t.sas = 0;
	return t;
}

static int probe_esp(struct probe *p, struct rsip_path *path)
{
	uint8_t esp[64];
	uint64_t end = rsip_now_ns() + 2 * WAIT_NS;
	int err;

	rsip_random(esp, sizeof(esp));
	esp[0] |= 0x80; /* no reserved SPI */
	memset(esp + 4, 0, 3);
	esp[7] = 1; /* sequence number */
	err = send_to(p, p->esp, esp, sizeof(esp));
	if (err)
		return err;
	path->esp = RSIP_ESP_NO_SA;
	while (rsip_now_ns() < end && path->esp == RSIP_ESP_NO_SA) {
		wait_until(p, end);
		while (take_ike(p, path)) /* late copies */
			;
		if (take_icmp(p, IPPROTO_ESP, path))
			path->esp = RSIP_ESP_UNREACHABLE;
	}
	return 0;
}

/*
 * What came back long ago says nothing of a filter that is new: what moved since `before` counts
 * first.  SAs that were replaced meanwhile count from their beginning.
 */
static int check_esp(struct probe *p, const struct tally *before, uint64_t since,
		     struct rsip_path *path)
{
	struct tally now;

	if (before->sas && rsip_now_ns() < since + LOOK_NS)
		poll(NULL, 0, (since + LOOK_NS - rsip_now_ns()) / 1000000 + 1);
	now = count_sas(p);
	if (!now.sas)
		return probe_esp(p, path);
	path->encap = now.encap;
	path->esp_in = now.in;
	path->esp_out = now.out;
	path->esp_in_now = now.in - (now.in >= before->in ? before->in : 0);
	path->esp_out_now = now.out - (now.out >= before->out ? before->out : 0);
	if (path->esp_in_now || (now.in && !path->esp_out_now))
		path->esp = RSIP_ESP_COMES;
	else
		path->esp = now.out ? RSIP_ESP_ONE_WAY : RSIP_ESP_UNUSED;
	return 0;
}

int rsip_path_check(__be32 addr, uint16_t port, uint32_t label, __be32 peer, struct rsip_path *path)
{
	struct probe p = {.addr = addr, .peer = peer, .port = port};
	uint64_t since = rsip_now_ns();
	uint32_t upper = htonl(label);
	struct tally before;
	int err;

	memset(path, 0, sizeof(*path));
	rsip_random(p.spi, sizeof(p.spi));
	if (label)
		memcpy(p.spi, &upper, sizeof(upper));
	write_ike(&p);
	write_udp(&p);
	err = open_all(&p);
	before = count_sas(&p);
	if (!err)
		err = check_ike(&p, path);
	if (!err)
		err = check_esp(&p, &before, since, path);
	close_all(&p);
	return err;
}
