/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a network card says of itself, by the ethtool ioctl.  Everything is 0 / value or negative
 * errno.
 */
#ifndef RSIP_LOADER_ETHTOOL_H
#define RSIP_LOADER_ETHTOOL_H

#include <stddef.h>
#include <stdint.h>

enum rsip_offload {
	RSIP_OFFLOAD_GRO,
	RSIP_OFFLOAD_LRO,
	RSIP_OFFLOAD_RXVLAN, /* takes 802.1Q tags out of the frame */
	RSIP_OFFLOAD_RXSTAG, /* and 802.1ad ones, of QinQ */
	RSIP_OFFLOADS,
};

/* As `ethtool -K` calls them; NULL for what is none.  From a name: negative if there is none. */
const char *rsip_offload_name(int offload);
int rsip_offload_parse(const char *name);

/* 1 on, 0 off. */
int rsip_ethtool_offload(const char *ifname, enum rsip_offload offload);
int rsip_ethtool_offload_set(const char *ifname, enum rsip_offload offload, int on);

int rsip_ethtool_driver(const char *ifname, char *driver, size_t len);
/* Receive queues: own and shared with transmission. */
int rsip_ethtool_rx_queues(const char *ifname);
/*
 * Which fields RSS hashes for ESP over IPv4: RXH_* of linux/ethtool.h; the SPI lies in the two L4
 * fields.
 */
int rsip_ethtool_esp4_hash(const char *ifname, uint64_t *fields);

#endif
