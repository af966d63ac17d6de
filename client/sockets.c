// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include "mnl.h"
#include "sockets.h"

static int take_socket(const struct nlmsghdr *h, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && m->id.idiag_sport)
		rsip_portset_add(data, ntohs(m->id.idiag_sport), 1);
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *sock, uint8_t family, uint8_t proto, uint32_t states, mnl_cb_t take, void *arg)
{
	char buf[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	int err;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	req->sdiag_family = family;
	req->sdiag_protocol = proto;
	req->idiag_states = states;
	err = rsip_mnl_exchange(sock, h, take, arg);
	return err == -ENOENT ? 0 : err; /* no such protocol here */
}

static int dump_all(uint32_t states, mnl_cb_t take, void *arg)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP},
			     families[] = {AF_INET, AF_INET6};
	struct mnl_socket *sock;
	int err = rsip_mnl_open(NETLINK_SOCK_DIAG, 0, &sock);

	if (err)
		return err;
	for (int i = 0; i < 4 && !err; i++)
		err = dump(sock, families[i & 1], protos[i >> 1], states, take, arg);
	mnl_socket_close(sock);
	return err;
}

int rsip_sockets_ports(struct rsip_portset *used)
{
	return dump_all(~0U, take_socket, used);
}

struct talkers {
	const __be32 *addrs;
	unsigned int addr_cnt;
	int cnt;
};

/* An IPv6 socket has an IPv4 address at the end of a mapped one. */
static int take_talker(const struct nlmsghdr *h, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);
	struct talkers *t = data;

	if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY)
		for (unsigned int i = 0; i < t->addr_cnt; i++)
			t->cnt += m->id.idiag_src[m->idiag_family == AF_INET6 ? 3 : 0] == t->addrs[i];
	return MNL_CB_OK;
}

int rsip_sockets_talking(const __be32 *addrs, unsigned int cnt)
{
	const uint32_t idle = 1 << TCP_TIME_WAIT | 1 << TCP_CLOSE | 1 << TCP_LISTEN;
	struct talkers t = {.addrs = addrs, .addr_cnt = cnt};
	int err = dump_all(~idle, take_talker, &t);

	return err ? err : t.cnt;
}
