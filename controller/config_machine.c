// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a configuration says of this machine, compared with the machine. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

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
	if (read_local_ports(&first, &last))
		check_local_ports(conf, all, first, last, report);
	freeifaddrs(all);
}
