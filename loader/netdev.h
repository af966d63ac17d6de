/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All the loader wants to know of an interface, read once. */
#ifndef RSIP_LOADER_NETDEV_H
#define RSIP_LOADER_NETDEV_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>
#include "ethtool.h"

/* enum netdev_xdp_act of linux/netdev.h (since 6.3) */
#define RSIP_XDP_ACT_BASIC 0x1
#define RSIP_XDP_ACT_REDIRECT 0x2
#define RSIP_XDP_ACT_NDO_XMIT 0x4
#define RSIP_XDP_ACT_RX_SG 0x20 /* frames of several buffers: longer than a page */
#define RSIP_XDP_ACT_NDO_XMIT_SG 0x40 /* takes such ones redirected */

#define RSIP_NETDEV_ADDRS 16

struct rsip_netdev {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	uint32_t mtu; /* bytes of IP */
	uint8_t mac[6];
	bool ethernet; /* has Ethernet headers */
	bool up;
	bool vlan_above; /* a VLAN device takes its tagged frames */
	uint8_t vmac[6]; /* of a virtual router's macvlan on top of it (RFC 5798 7.3); 0: there is none */
	uint32_t addr_cnt;
	__be32 addr[RSIP_NETDEV_ADDRS]; /* in the kernel's order */
	uint32_t addr6_cnt;
	__be32 addr6[RSIP_NETDEV_ADDRS][4]; /* without link-local ones */
	char driver[32];
	int rx_queues;		    /* negative errno: the driver does not say */
	int offload[RSIP_OFFLOADS]; /* 1 on, 0 off, negative errno */
	int esp4_err;		    /* 0: esp4_hash is valid */
	uint64_t esp4_hash;
	bool features_known; /* the kernel says what the driver can (since 6.3) */
	uint64_t features;   /* RSIP_XDP_ACT_* */
	uint32_t prog_id;    /* XDP program on it; 0: none */
	int attach_mode;     /* XDP_ATTACHED_* */
};

/* 0, -ENODEV if there is none of this name, or another negative errno. */
int rsip_netdev_read(const char *name, struct rsip_netdev *dev);

bool rsip_netdev_has_addr(const struct rsip_netdev *dev, __be32 addr);
bool rsip_netdev_has_addr6(const struct rsip_netdev *dev, const __be32 addr[4]);

/*
 * Has any interface an address from first to last (host order)?  It is put into *addr (network
 * order).
 */
bool rsip_netdev_any_addr(uint32_t first, uint32_t last, __be32 *addr);

/* Just the driver's XDP features: 0 or negative errno (-ENOENT on kernels before 6.3). */
int rsip_netdev_features(uint32_t ifindex, uint64_t *features);

#endif
