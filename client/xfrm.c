// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include "xfrm.h"

struct dump {
	void (*take)(void *ctx, const struct rsip_sa *sa);
	void *ctx;
};

static int take_attr(const struct nlattr *attr, void *data)
{
	struct rsip_sa *sa = data;

	if (mnl_attr_get_type(attr) == XFRMA_ENCAP)
		sa->encap = true;
	return MNL_CB_OK;
}

static int take_sa(const struct nlmsghdr *h, void *data)
{
	const struct xfrm_usersa_info *x = mnl_nlmsg_get_payload(h);
	struct dump *d = data;
	struct rsip_sa sa = {0};

	if (h->nlmsg_type != XFRM_MSG_NEWSA || x->family != AF_INET)
		return MNL_CB_OK;
	sa.src = x->saddr.a4;
	sa.dst = x->id.daddr.a4;
	sa.spi = ntohl(x->id.spi);
	sa.proto = x->id.proto;
	sa.bytes = x->curlft.bytes;
	sa.packets = x->curlft.packets;
	mnl_attr_parse(h, sizeof(*x), take_attr, &sa);
	d->take(d->ctx, &sa);
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *sock, struct dump *d)
{
	char buf[32768];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	int n, ret = MNL_CB_OK;

	h->nlmsg_type = XFRM_MSG_GETSA;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	if (mnl_socket_sendto(sock, h, h->nlmsg_len) < 0)
		return -errno;
	while (ret == MNL_CB_OK) {
		n = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		ret = mnl_cb_run(buf, n, 1, mnl_socket_get_portid(sock), take_sa, d);
		if (ret == MNL_CB_ERROR)
			return -errno;
	}
	return 0;
}

int rsip_xfrm_each(void (*take)(void *ctx, const struct rsip_sa *sa), void *ctx)
{
	struct dump d = {take, ctx};
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_XFRM, SOCK_CLOEXEC);
	int err;

	if (!sock)
		return -errno;
	err = mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : dump(sock, &d);
	mnl_socket_close(sock);
	return err;
}
