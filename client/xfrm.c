// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include "mnl.h"
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

int rsip_xfrm_each(void (*take)(void *ctx, const struct rsip_sa *sa), void *ctx)
{
	struct dump d = {take, ctx};
	char buf[64];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = XFRM_MSG_GETSA;
	h->nlmsg_flags = NLM_F_DUMP;
	return rsip_mnl_ask(NETLINK_XFRM, h, take_sa, &d);
}
