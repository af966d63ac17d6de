// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a configuration says of this machine, compared with the machine. */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>

#include "config.h"
#include "util.h"

static bool is_ours(const struct ifaddrs *all, __be32 addr)
{
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET &&
		    ((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr.s_addr == addr)
			return true;
	return false;
}

/* RFC 3103 6 lets a gateway name another tunnel endpoint: one of its own, where the data plane opens tunnels. */
void rsip_conf_check_machine(const struct rsip_conf *conf, struct rsip_conf_report *report)
{
	struct ifaddrs *all = NULL;

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
	freeifaddrs(all);
}
