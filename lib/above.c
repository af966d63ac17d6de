// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "above.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "mnl.h"

struct search {
	uint32_t below;
	struct rsip_above *out;
};

static void kind_seen(struct rsip_above *out, const char *kind, const struct nlattr *address)
{
	static const uint8_t vrrp[] = {0x00, 0x00, 0x5e, 0x00, 0x01};

	if (!strcmp(kind, "vlan"))
		out->vlan = true;
	if (strcmp(kind, "macvlan") || !address || mnl_attr_get_payload_len(address) != sizeof(out->vmac) ||
	    memcmp(mnl_attr_get_payload(address), vrrp, sizeof(vrrp)) != 0)
		return;
	memcpy(out->vmac, mnl_attr_get_payload(address), sizeof(out->vmac));
}

static int link_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr, *info, *address = NULL;
	struct search *search = arg;
	const char *kind = "";
	uint32_t below = 0;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_LINK)
			below = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_ADDRESS)
			address = attr;
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(info, attr) if (mnl_attr_get_type(info) == IFLA_INFO_KIND) kind =
			mnl_attr_get_str(info);
	}
	if (below == search->below)
		kind_seen(search->out, kind, address);
	return MNL_CB_OK;
}

int rsip_above_read(uint32_t ifindex, struct rsip_above *out)
{
	struct search search = {.below = ifindex, .out = out};
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	memset(out, 0, sizeof(*out));
	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	return rsip_mnl_ask(NETLINK_ROUTE, nlh, link_seen, &search);
}
