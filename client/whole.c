// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "whole.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "inner.h"
#include "log.h"

#define AT_ONCE 64 /* packets: others wait, too */
#define QUEUED_MAX 10000 /* packets: more than a socket's buffer holds */
#define GRE_LEN 4
#define BUF_LEN 65536

struct rsip_whole {
	struct rsip_tun_config cfg;
	int in;	 /* what the kernel has put together */
	int out; /* to the pair's outer end */
	uint64_t sums[RSIP_TUN_COUNTERS];
	uint8_t buf[BUF_LEN];
};

static int bind_to(int fd, const struct rsip_inet *local, uint32_t nic)
{
	struct sockaddr_storage sa;
	socklen_t len = rsip_inet_sockaddr(local, 0, &sa);
	char name[IF_NAMESIZE];
	int yes = 1;

	if (!if_indextoname(nic, name) || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, strlen(name)))
		return -errno;
	if (local->family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &yes, sizeof(yes)))
		return -errno;
	return bind(fd, (struct sockaddr *)&sa, len) ? -errno : 0;
}

/* Until all of that is done it takes what comes from anybody: none of it is kept. */
static int open_in(struct rsip_whole *w, const struct rsip_inet *local, int filter)
{
	int err;

	w->in = socket(local->family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, w->cfg.gre ? IPPROTO_GRE : IPPROTO_IPIP);
	if (w->in < 0)
		return -errno;
	if (setsockopt(w->in, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)))
		return -errno;
	err = bind_to(w->in, local, w->cfg.nic);
	for (int i = 0; i < QUEUED_MAX && !err && recv(w->in, w->buf, sizeof(w->buf), 0) >= 0; i++)
		;
	return err;
}

int rsip_whole_open(const struct rsip_tun_config *cfg, const struct rsip_inet *local, int filter, struct rsip_whole **out)
{
	struct rsip_whole *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return -ENOMEM;
	w->cfg = *cfg;
	w->in = -1;
	w->out = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); /* takes nothing in */
	err = w->out < 0 ? -errno : open_in(w, local, filter);
	if (err)
		rsip_whole_close(w);
	else
		*out = w;
	return err;
}

void rsip_whole_close(struct rsip_whole *w)
{
	if (!w)
		return;
	if (w->in >= 0)
		close(w->in);
	if (w->out >= 0)
		close(w->out);
	free(w);
}

int rsip_whole_fd(const struct rsip_whole *w)
{
	return w ? w->in : -1;
}

/* Sent by the pair's outer end, it comes in at the programs' end. */
static int give(void *ctx, const uint8_t *ip, size_t len)
{
	struct rsip_whole *w = ctx;
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = w->cfg.dev};
	struct ethhdr eth = {.h_proto = htons(ETH_P_IP)};
	struct iovec part[2] = {{&eth, sizeof(eth)}, {(void *)ip, len}};
	struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = part, .msg_iovlen = 2};

	memcpy(eth.h_dest, w->cfg.app_mac, sizeof(eth.h_dest));
	memcpy(eth.h_source, w->cfg.dev_mac, sizeof(eth.h_source));
	return sendmsg(w->out, &m, 0) < 0 ? -errno : 0;
}

static uint8_t traffic_class(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			int tc;

			memcpy(&tc, CMSG_DATA(c), sizeof(tc));
			return tc;
		}
	return 0;
}

/* len: of what is in buf.  Where IPv4's header is in it, the outer byte is read there. */
static void hand_over(struct rsip_whole *w, size_t len, uint8_t outer_tos, uint32_t mtu)
{
	size_t skip = w->cfg.gre ? GRE_LEN : 0;
	uint8_t *ip;
	long total;

	if (!w->cfg.v6) {
		if (len < sizeof(struct iphdr))
			return;
		outer_tos = w->buf[1];
		skip += (size_t)(w->buf[0] & 15) * 4;
	}
	total = rsip_inner_find(w->buf, len, skip);
	if (total < 0) {
		w->sums[RSIP_TUN_FAILED]++;
		return;
	}
	ip = w->buf + skip;
	if (rsip_inner_join_ecn(ip, outer_tos)) {
		w->sums[RSIP_TUN_IN_ECN]++;
		return;
	}
	if (rsip_inner_cut(ip, total, mtu, give, w)) {
		w->sums[RSIP_TUN_FAILED]++;
		return;
	}
	w->sums[RSIP_TUN_IN_PACKETS]++;
	w->sums[RSIP_TUN_IN_REASSEMBLED]++;
	w->sums[RSIP_TUN_IN_BYTES] += total;
}

void rsip_whole_read(struct rsip_whole *w, uint32_t mtu)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} more;

	for (int i = 0; i < AT_ONCE; i++) {
		struct iovec all = {w->buf, sizeof(w->buf)};
		struct msghdr m = {
			.msg_iov = &all, .msg_iovlen = 1, .msg_control = more.room, .msg_controllen = sizeof(more.room)};
		ssize_t n = recvmsg(w->in, &m, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (errno != EAGAIN)
				log_debug("cannot read tunnel packets that were put together: %s", strerror(errno));
			return;
		}
		hand_over(w, n, traffic_class(&m), mtu);
	}
}

void rsip_whole_counters(const struct rsip_whole *w, uint64_t sums[RSIP_TUN_COUNTERS])
{
	for (int i = 0; w && i < RSIP_TUN_COUNTERS; i++)
		sums[i] += w->sums[i];
}
