// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Interfaces that change under way.  The data plane takes only frames to an interface's own MAC address and answers ARP with
 * it, and knows how long packets may be; the loader wrote both at attach.  Who changes them later need tell nobody: netlink
 * does, and a start looks for what happened while rsipd was away.
 */
#include <errno.h>
#include <string.h>

#include "link.h"
#include "log.h"
#include "server_priv.h"

#define NAME(i) ((int)sizeof((i)->rec.name)), (i)->rec.name

/* The route to the slow-path device has the MTU of old, and rsipd may not change it. */
static void mtu_changed(struct rsip_server *s, const struct rsip_dp_iface *i, uint32_t was)
{
	uint16_t mtu = i->rec.mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)i->rec.mtu;
	uint32_t cnt = 0;

	if (i->rec.role == RSIP_ROLE_PRIVATE && s->ctl_ctx.lm)
		cnt = rsip_lease_link_mtu(s->ctl_ctx.lm, (uint16_t)i->index, mtu);
	log_warn("the MTU of interface %.*s was %u and is %u: %u bindings follow; what the kernel fragments for us has the "
		 "old one (run rsip-loader upgrade, which loses no packet)",
		 NAME(i), was, i->rec.mtu, cnt);
}

static void compare(struct rsip_server *s, struct rsip_dp_iface *i)
{
	struct rsip_dataplane *dp = s->ctl_ctx.dp;
	struct rsip_iface was = i->rec;
	struct rsip_link link;
	int err = rsip_link_read(i->rec.ifindex, &link);

	if (err == -ENODEV)
		log_err("interface %.*s is gone: its hosts or the public realm cannot be reached (when it is back, rsip-loader "
			"watch attaches it again, or whoever runs rsip-loader attach)",
			NAME(i));
	else if (err)
		log_warn("cannot read interface %.*s: %s", NAME(i), strerror(-err));
	if (err || (link.mtu == was.mtu && !memcmp(link.mac, was.mac, sizeof(was.mac)) &&
		    !memcmp(link.vmac, was.vmac, sizeof(was.vmac))))
		return;
	err = dp->ops->iface_link(dp, i->index, &link);
	if (err) {
		log_err("cannot tell the data plane what has become of interface %.*s: %s", NAME(i), strerror(-err));
		return;
	}
	memcpy(i->rec.mac, link.mac, sizeof(link.mac));
	memcpy(i->rec.vmac, link.vmac, sizeof(link.vmac));
	i->rec.mtu = link.mtu;
	if (memcmp(link.mac, was.mac, sizeof(was.mac)))
		log_warn("the MAC address of interface %.*s has changed: the data plane follows", NAME(i));
	if (memcmp(link.vmac, was.vmac, sizeof(was.vmac)))
		log_info("a virtual router's device on top of interface %.*s has come, gone or changed: the data plane follows",
			 NAME(i));
	if (link.mtu != was.mtu)
		mtu_changed(s, i, was.mtu);
}

void rsip_server_follow_link(void *arg, uint32_t ifindex)
{
	struct rsip_server *s = arg;

	for (int i = 0; i < s->iface_cnt; i++)
		if (s->iface[i].rec.ifindex == ifindex && s->iface[i].rec.role != RSIP_ROLE_SLOW)
			compare(s, &s->iface[i]);
}

const char *rsip_server_link_replaced(const struct rsip_server *s)
{
	struct rsip_iface now;

	for (int i = 0; i < s->iface_cnt; i++)
		if (!rsip_dataplane_iface(s->ctl_ctx.dp, s->iface[i].index, &now) && now.ifindex != s->iface[i].rec.ifindex)
			return s->iface[i].rec.name;
	return NULL;
}

void rsip_server_follow_links(struct rsip_server *s)
{
	for (int i = 0; i < s->iface_cnt; i++)
		rsip_server_follow_link(s, s->iface[i].rec.ifindex);
}
