// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const offload_names[RSIP_OFFLOADS] = {"gro", "lro", "rxvlan", "rx-vlan-stag-hw-parse"};

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
	if (ioctl(fd, SIOCETHTOOL, &ifr) < 0) /* more than 0 (ETHTOOL_F_*): in part; whoever asked looks what has become of it */
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

/* ---- features that have a name and no flag of their own ---------------------------------------------------- */

#define FEATURES_MAX 256 /* the kernel has about 64 */
#define BLOCK(bit) ((uint32_t)(bit) / 32)
#define MASK(bit) (1U << (uint32_t)(bit) % 32)

/* How many features this kernel knows, or negative errno. */
static int feature_cnt(const char *ifname)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t cnt;
	} set = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};
	int err = ask(ifname, &set.info);

	if (err)
		return err;
	return !set.info.sset_mask || set.cnt > FEATURES_MAX ? -EOPNOTSUPP : (int)set.cnt;
}

/* The number of the feature of this name in the kernel that runs, or negative errno. */
static int feature_bit(const char *ifname, const char *name, int cnt)
{
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + (size_t)cnt * ETH_GSTRING_LEN);
	int bit = 0, err;

	if (!names)
		return -ENOMEM;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = (uint32_t)cnt;
	err = ask(ifname, names);
	while (!err && bit < cnt && strncmp((char *)names->data + bit * ETH_GSTRING_LEN, name, ETH_GSTRING_LEN))
		bit++;
	free(names);
	return err ? err : bit < cnt ? bit : -EOPNOTSUPP;
}

static int find_feature(const char *ifname, const char *name, uint32_t *blocks)
{
	int cnt = feature_cnt(ifname);

	if (cnt < 0)
		return cnt;
	*blocks = BLOCK(cnt + 31);
	return feature_bit(ifname, name, cnt);
}

/* 1 on, 0 off, or negative errno. */
static int feature_get(const char *ifname, const char *name)
{
	union {
		struct ethtool_gfeatures head;
		uint32_t room[2 + 4 * BLOCK(FEATURES_MAX)];
	} get = {.head.cmd = ETHTOOL_GFEATURES};
	int bit = find_feature(ifname, name, &get.head.size), err;

	if (bit < 0)
		return bit;
	err = ask(ifname, &get);
	return err ? err : (get.head.features[BLOCK(bit)].active & MASK(bit)) != 0;
}

static int feature_set(const char *ifname, const char *name, int on)
{
	union {
		struct ethtool_sfeatures head;
		uint32_t room[2 + 2 * BLOCK(FEATURES_MAX)];
	} set = {.head.cmd = ETHTOOL_SFEATURES};
	int bit = find_feature(ifname, name, &set.head.size);

	if (bit < 0)
		return bit;
	set.head.features[BLOCK(bit)].valid = MASK(bit);
	set.head.features[BLOCK(bit)].requested = on ? MASK(bit) : 0;
	return ask(ifname, &set);
}

/* ---- offloads ---------------------------------------------------------------------------------------------- */

static uint32_t flag_of(enum rsip_offload offload)
{
	return offload == RSIP_OFFLOAD_LRO ? ETH_FLAG_LRO : ETH_FLAG_RXVLAN;
}

int rsip_ethtool_offload(const char *ifname, enum rsip_offload offload)
{
	uint32_t data;
	int err;

	if (offload == RSIP_OFFLOAD_RXSTAG)
		return feature_get(ifname, offload_names[offload]);
	err = get_value(ifname, offload == RSIP_OFFLOAD_GRO ? ETHTOOL_GGRO : ETHTOOL_GFLAGS, &data);

	if (err)
		return err;
	return offload == RSIP_OFFLOAD_GRO ? data != 0 : (data & flag_of(offload)) != 0;
}

static int flag_set(const char *ifname, enum rsip_offload offload, int on)
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
	return ask(ifname, &value);
}

int rsip_ethtool_offload_set(const char *ifname, enum rsip_offload offload, int on)
{
	int err = offload == RSIP_OFFLOAD_RXSTAG ? feature_set(ifname, offload_names[offload], on)
						 : flag_set(ifname, offload, on);

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
