// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "above.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include "mnl.h"

/* What the kernel says of a device. */
struct link {
	uint32_t below; /* the device that it is on top of, in this network namespace; 0: none */
	const char *kind;
	const struct nlattr *address;
};

static struct link link_of(const struct nlmsghdr *nlh)
{
	const struct nlattr *attr, *info;
	struct link link = {.kind = ""};
	bool elsewhere = false;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_LINK)
			link.below = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == IFLA_LINK_NETNSID)
			elsewhere = true;
		if (mnl_attr_get_type(attr) == IFLA_ADDRESS)
			link.address = attr;
		if (mnl_attr_get_type(attr) != IFLA_LINKINFO)
			continue;
		mnl_attr_for_each_nested(info, attr) if (mnl_attr_get_type(info) == IFLA_INFO_KIND) link.kind =
			mnl_attr_get_str(info);
	}
	if (elsewhere)
		link.below = 0;
	return link;
}

/* ifindex: 0 for all devices. */
static int ask(uint32_t ifindex, mnl_cb_t cb, void *arg)
{
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = ifindex ? 0 : NLM_F_DUMP;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)ifindex;
	return rsip_mnl_ask(NETLINK_ROUTE, nlh, cb, arg);
}

/* ---- above ------------------------------------------------------- */

struct search {
	uint32_t below;
	struct rsip_above *out;
};

static void kind_seen(struct rsip_above *out, const struct link *link)
{
	static const uint8_t vrrp[] = {0x00, 0x00, 0x5e, 0x00, 0x01};
	const struct nlattr *address = link->address;

	if (!strcmp(link->kind, "vlan"))
		out->vlan = true;
	if (strcmp(link->kind, "macvlan") || !address || mnl_attr_get_payload_len(address) != sizeof(out->vmac) ||
	    memcmp(mnl_attr_get_payload(address), vrrp, sizeof(vrrp)) != 0)
		return;
	memcpy(out->vmac, mnl_attr_get_payload(address), sizeof(out->vmac));
}

static int one_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct link link = link_of(nlh);
	struct search *search = arg;

	if (link.below == search->below)
		kind_seen(search->out, &link);
	return MNL_CB_OK;
}

int rsip_above_read(uint32_t ifindex, struct rsip_above *out)
{
	struct search search = {.below = ifindex, .out = out};

	memset(out, 0, sizeof(*out));
	return ask(0, one_seen, &search);
}

/* ---- below ------------------------------------------------------- */

static int itself_seen(const struct nlmsghdr *nlh, void *arg)
{
	struct link link = link_of(nlh);

	if (!strcmp(link.kind, "vlan") || !strcmp(link.kind, "macvlan"))
		*(uint32_t *)arg = link.below;
	return MNL_CB_STOP;
}

int rsip_below_read(uint32_t ifindex, char name[IF_NAMESIZE])
{
	uint32_t below = 0;
	int err = ask(ifindex, itself_seen, &below);

	if (err)
		return err;
	return below && if_indextoname(below, name) ? 0 : -ENOENT;
}
