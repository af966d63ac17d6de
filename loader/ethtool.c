// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const offload_names[RSIP_OFFLOADS] = {"gro", "lro", "rxvlan"};

const char *rsip_offload_name(int offload)
{
	return offload >= 0 && offload < RSIP_OFFLOADS ? offload_names[offload] : NULL;
}

int rsip_offload_parse(const char *name)
{
	for (int i = 0; i < RSIP_OFFLOADS; i++)
		if (!strcmp(name, offload_names[i]))
			return i;
	return -EINVAL;
}

static int ask(const char *ifname, void *cmd)
{
	struct ifreq ifr = {.ifr_data = cmd};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, SIOCETHTOOL, &ifr))
		err = -errno;
	close(fd);
	return err;
}

static int get_value(const char *ifname, uint32_t cmd, uint32_t *data)
{
	struct ethtool_value value = {.cmd = cmd};
	int err = ask(ifname, &value);

	*data = value.data;
	return err;
}

static uint32_t flag_of(enum rsip_offload offload)
{
	return offload == RSIP_OFFLOAD_LRO ? ETH_FLAG_LRO : ETH_FLAG_RXVLAN;
}

int rsip_ethtool_offload(const char *ifname, enum rsip_offload offload)
{
	uint32_t data;
	int err = get_value(ifname, offload == RSIP_OFFLOAD_GRO ? ETHTOOL_GGRO : ETHTOOL_GFLAGS,
			    &data);

	if (err)
		return err;
	return offload == RSIP_OFFLOAD_GRO ? data != 0 : (data & flag_of(offload)) != 0;
}

int rsip_ethtool_offload_set(const char *ifname, enum rsip_offload offload, int on)
{
	struct ethtool_value value = {.cmd = ETHTOOL_SGRO, .data = (uint32_t)on};
	int err;

	if (offload != RSIP_OFFLOAD_GRO) {
		err = get_value(ifname, ETHTOOL_GFLAGS, &value.data);
		if (err)
			return err;
		value.cmd = ETHTOOL_SFLAGS;
		value.data = on ? value.data | flag_of(offload) : value.data & ~flag_of(offload);
	}
	err = ask(ifname, &value);
	/* drivers may take a request and keep what another setting demands */
	return err ? err : rsip_ethtool_offload(ifname, offload) == on ? 0 : -EOPNOTSUPP;
}

int rsip_ethtool_driver(const char *ifname, char *driver, size_t len)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	int err = ask(ifname, &info);

	snprintf(driver, len, "%.31s", err ? "" : info.driver);
	return err;
}

int rsip_ethtool_rx_queues(const char *ifname)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int err = ask(ifname, &channels);

	return err ? err : (int)(channels.rx_count + channels.combined_count);
}

int rsip_ethtool_esp4_hash(const char *ifname, uint64_t *fields)
{
	struct ethtool_rxnfc rxnfc = {.cmd = ETHTOOL_GRXFH, .flow_type = ESP_V4_FLOW};
	int err = ask(ifname, &rxnfc);

	*fields = rxnfc.data;
	return err;
}
