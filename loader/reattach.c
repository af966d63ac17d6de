// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reattach.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "attach.h"
#include "log.h"
#include "netdev.h"
#include "object.h"
#include "pins.h"
#include "slow.h"
#include "undo.h"
#include "util.h"

/* ---- which ---------------------------------------------------- */

static bool is_back(const struct rsip_plane *p, uint32_t i)
{
	uint32_t ifindex = p->iface[i].role == RSIP_ROLE_SLOW ? 0 : if_nametoindex(p->iface[i].name);

	return ifindex && (ifindex != p->iface[i].ifindex || !p->link[i].ifindex);
}

/* Addresses come after the interface, and its programs must not be on before the tunnels can end there. */
static bool is_ready(const struct rsip_plane *p, uint32_t i, struct rsip_netdev *dev, char *why, size_t why_len)
{
	const struct rsip_iface *iface = &p->iface[i];
	int err = rsip_netdev_read(iface->name, dev);

	if (err)
		snprintf(why, why_len, "%s: %s", iface->name, strerror(-err));
	else if (!dev->ethernet && p->config.mode != RSIP_MODE_TC)
		snprintf(why, why_len, "%s is back without an Ethernet header, which %s mode needs", iface->name,
			 rsip_loader_mode_name((int)p->config.mode));
	else if (dev->prog_id)
		snprintf(why, why_len, "%s is back and carries another XDP program, id %u", iface->name, dev->prog_id);
	else if (iface->role == RSIP_ROLE_PRIVATE && iface->endpoint && !rsip_netdev_has_addr(dev, iface->endpoint))
		snprintf(why, why_len, "%s is back without its address %s, where tunnels end", iface->name,
			 rsip_ip4(iface->endpoint));
	else if (iface->endpoint6[0] && !rsip_netdev_has_addr6(dev, iface->endpoint6))
		snprintf(why, why_len, "%s is back without its address %s, where tunnels end", iface->name,
			 rsip_ip6(iface->endpoint6));
	else
		return true;
	return false;
}

bool rsip_reattach_due(const struct rsip_plane *p, char *why, size_t why_len)
{
	struct rsip_netdev dev;
	bool due = false;

	*why = '\0';
	for (uint32_t i = 0; i < p->iface_cnt; i++)
		if (is_back(p, i))
			due |= is_ready(p, i, &dev, why, why_len);
	return due;
}

/* ---- how ---------------------------------------------------- */

struct reattach {
	const char *folder;
	struct rsip_plane *p;
	struct rsip_undo_log undo;
	struct rsip_xdp_bpf *object;
	struct rsip_tc_bpf *tc;
};

/* What attach did for the one before. */
static int prepare(struct reattach *c, const struct rsip_iface *iface, const struct rsip_netdev *dev)
{
	int err = rsip_undo_prepare_iface(&c->undo, iface);

	if (!err && c->p->config.mode != RSIP_MODE_TC)
		err = rsip_attach_keep_tags(&c->undo, iface->name, dev->vlan_above, NULL);
	if (!err && c->p->config.mode == RSIP_MODE_GENERIC)
		err = rsip_attach_prepare_generic(&c->undo, iface);
	return err;
}

static int put_xdp(struct reattach *c, const struct rsip_iface *iface)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = c->p->config.mode == RSIP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
	char path[RSIP_PINS_PATH_MAX];
	int fd, err;

	if (c->p->config.mode == RSIP_MODE_TC)
		return 0;
	fd = bpf_link_create(rsip_object_prog(c->object, iface->role), (int)iface->ifindex, BPF_XDP, &opts);
	if (fd < 0) {
		err = -errno;
		log_err("cannot put the program on %s, which is back: %s mode: %s", iface->name,
			rsip_loader_mode_name((int)c->p->config.mode), strerror(-err));
		return err;
	}
	rsip_pins_link_path(c->folder, iface->name, path);
	err = rsip_pins_replace(c->folder, strrchr(path, '/') + 1, fd);
	close(fd);
	return err;
}

/*
 * The record keeps the MTU of before: rsipd compares it with the interface's, and where it is another one the bindings of its
 * hosts follow.
 */
static struct rsip_iface record_of(const struct rsip_iface *was, const struct rsip_netdev *dev)
{
	struct rsip_iface iface = *was;

	iface.ifindex = dev->ifindex;
	iface.flags = dev->ethernet ? 0 : RSIP_IFACE_NO_ETHERNET;
	memcpy(iface.mac, dev->mac, sizeof(iface.mac));
	memcpy(iface.vmac, dev->vmac, sizeof(iface.vmac));
	return iface;
}

/*
 * The record first, then the programs: no packet finds an interface that the maps do not know.  XDP last, as is_back() looks for
 * it: what failed before is tried again, and meanwhile the TC program takes what comes the slow way.
 */
static int take_in(struct reattach *c, uint32_t i, const struct rsip_netdev *dev)
{
	struct rsip_iface iface = record_of(&c->p->iface[i], dev);
	uint64_t features = 0;
	int err = prepare(c, &iface, dev);

	if (!err)
		err = rsip_object_move_iface(c->object, c->p->index[i], c->p->iface[i].ifindex, &iface);
	if (!err)
		err = rsip_undo_tc(&c->undo, &iface, rsip_object_tc_prog(c->tc, &iface));
	if (!err)
		err = put_xdp(c, &iface);
	if (!err && c->p->config.mode == RSIP_MODE_NATIVE && !rsip_netdev_features(iface.ifindex, &features) &&
	    features & RSIP_XDP_ACT_NDO_XMIT_SG) {
		iface.flags |= RSIP_IFACE_BUFFERS; /* known only now: attach_links.c */
		err = rsip_object_write_iface(c->object, c->p->index[i], &iface);
	}
	if (err)
		return err;
	log_info("%s interface %s is back and attached again", rsip_plane_role_name(iface.role), iface.name);
	c->p->iface[i] = iface;
	c->p->iface[i].mtu = dev->mtu; /* for the slow path */
	return 0;
}

static int take_all_in(struct reattach *c)
{
	struct rsip_netdev dev;
	char why[256];
	int err = 0;

	for (uint32_t i = 0; i < c->p->iface_cnt; i++)
		if (is_back(c->p, i) && is_ready(c->p, i, &dev, why, sizeof(why)))
			err = take_in(c, i, &dev) ?: err;
	return err ?: rsip_slow_follow(c->p, c->object);
}

int rsip_reattach(const char *folder, struct rsip_plane *p)
{
	struct reattach c = {.folder = folder, .p = p, .undo.fd = -1};
	struct rsip_moved moved = {.cnt = 0};
	int err = rsip_undo_open(folder, &c.undo);

	if (!err)
		err = rsip_object_load_onto(folder, &p->config, p->max_cookies, &c.object, &moved);
	if (!err)
		err = rsip_object_tc_load(c.object, &p->config, &c.tc);
	if (!err)
		err = take_all_in(&c);
	rsip_moved_release(&moved);
	if (c.tc)
		rsip_object_tc_close(c.tc);
	if (c.object)
		rsip_object_close(c.object);
	if (c.undo.fd >= 0)
		close(c.undo.fd);
	return err;
}
