// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ifaces.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <bpf/bpf.h>
#include "log.h"
#include "netdev.h"

/* Kernels before 6.3 do not say it, and lose every redirected frame of several buffers. */
static uint8_t takes_buffers(uint32_t ifindex, enum rsip_mode mode)
{
	uint64_t features;

	if (mode != RSIP_MODE_NATIVE || rsip_netdev_features(ifindex, &features))
		return 0;
	return features & RSIP_XDP_ACT_NDO_XMIT_SG ? RSIP_IFACE_BUFFERS : 0;
}

int rsip_iface_refresh(int fd, uint32_t index, struct rsip_iface *iface, enum rsip_mode mode)
{
	struct rsip_iface now = *iface;
	struct rsip_netdev dev;
	char name[IF_NAMESIZE];

	if (!if_indextoname(iface->ifindex, name) || rsip_netdev_read(name, &dev) || dev.ifindex != iface->ifindex)
		return -ENODEV;
	now.mtu = dev.mtu;
	memcpy(now.mac, dev.mac, sizeof(now.mac));
	memcpy(now.vmac, dev.vmac, sizeof(now.vmac));
	now.flags = (uint8_t)((now.flags & ~RSIP_IFACE_BUFFERS) | takes_buffers(now.ifindex, mode));
	if (!memcmp(&now, iface, sizeof(now)))
		return 0;
	if (bpf_map_update_elem(fd, &index, &now, BPF_ANY)) {
		log_err("cannot write interface %s into map rsip_ifaces: %s", name, strerror(errno));
		return -errno;
	}
	*iface = now;
	return 1;
}
