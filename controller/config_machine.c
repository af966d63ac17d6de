// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a configuration says of this machine, compared with the machine. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "config_kernel.h"
#include "util.h"

static bool is_ours(const struct ifaddrs *all, __be32 addr)
{
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET &&
		    ((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr.s_addr == addr)
			return true;
	return false;
}

/*
 * Ports that the machine's own programs get by chance must be among those that the kernel has on an address of its
 * own in a pool, or their answers would be dropped (RFC 3104 App. F).
 */
static void check_local_ports(const struct rsip_conf *conf, const struct ifaddrs *all, uint32_t first, uint32_t last,
			      struct rsip_conf_report *report)
{
	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		const struct rsip_pool_conf *p = &conf->pool[i];

		if (!p->rules.kernel_ports[0].cnt || rsip_conf_kernel_has_ports(&p->rules, first, last))
			continue;
		for (uint32_t k = 0; k < p->addr_cnt; k++) {
			__be32 addr = htonl(ntohl(p->first) + k);

			if (!is_ours(all, addr))
				continue;
			rsip_conf_find(report, false, 0, "pools",
				       "\"%s\": kernel.ports must hold net.ipv4.ip_local_port_range (%u-%u): %s is "
				       "this machine's own",
				       p->name, first, last, rsip_ip4(addr));
			break;
		}
	}
}

/* ---- networks of private interfaces ----------------------------------------------------------------------------- */

static __be32 mask_of(const struct ifaddrs *a)
{
	return ((const struct sockaddr_in *)(const void *)a->ifa_netmask)->sin_addr.s_addr;
}

static __be32 addr_of(const struct ifaddrs *a)
{
	return ((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr.s_addr;
}

/* Its place among the private interfaces; -1: none of them, or an address without a network. */
static int private_place(const struct rsip_conf *conf, const struct ifaddrs *a)
{
	if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != AF_INET || mask_of(a) == INADDR_NONE)
		return -1;
	for (uint32_t i = 0; i < conf->private_cnt; i++)
		if (!strncmp(conf->private_if[i].name, a->ifa_name, sizeof(conf->private_if[i].name)))
			return (int)i;
	return -1;
}

/* A host is its source address alone: the same address on two interfaces would be two hosts. */
void rsip_conf_check_networks(const struct rsip_conf *conf, const struct ifaddrs *all, struct rsip_conf_report *report)
{
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		int one = private_place(conf, a), other;

		for (const struct ifaddrs *b = all; one >= 0 && b != a; b = b->ifa_next) {
			other = private_place(conf, b);
			if (other < 0 || other == one || (addr_of(a) ^ addr_of(b)) & mask_of(a) & mask_of(b))
				continue;
			rsip_conf_find(report, false, 0, "interfaces.private",
				       "the networks of %s (%s) and %s (%s) overlap: an address in both could be either's host",
				       b->ifa_name, rsip_ip4(addr_of(b)), a->ifa_name, rsip_ip4(addr_of(a)));
			return;
		}
	}
}

static bool read_local_ports(uint32_t *first, uint32_t *last)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
	bool ok = f && fscanf(f, "%u %u", first, last) == 2;

	if (f)
		fclose(f);
	return ok;
}

/* RFC 3103 6 lets a gateway name another tunnel endpoint: one of its own, where the data plane opens tunnels. */
void rsip_conf_check_machine(const struct rsip_conf *conf, struct rsip_conf_report *report)
{
	struct ifaddrs *all = NULL;
	uint32_t first, last;

	if (getifaddrs(&all))
		return;
	for (uint32_t i = 0; i < conf->policy_cnt; i++) {
		char path[64];

		if (!conf->policy[i].endpoint || is_ours(all, conf->policy[i].endpoint))
			continue;
		snprintf(path, sizeof(path), "policies[%u].endpoint", i);
		rsip_conf_find(report, false, 0, path, "%s is no address of this machine",
			       rsip_ip4(conf->policy[i].endpoint));
	}
	rsip_conf_check_networks(conf, all, report);
	if (read_local_ports(&first, &last))
		check_local_ports(conf, all, first, last, report);
	freeifaddrs(all);
}
