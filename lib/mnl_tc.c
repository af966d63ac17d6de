// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "mnl_tc.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "mnl.h"

struct search {
	uint32_t ifindex;
	const char *kind; /* NULL: any */
	int found;
};

static int seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tcm = mnl_nlmsg_get_payload(nlh);
	struct search *search = arg;
	const struct nlattr *attr;

	if (tcm->tcm_ifindex != (int)search->ifindex)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*tcm)) {
		if (mnl_attr_get_type(attr) == TCA_KIND && (!search->kind || !strcmp(mnl_attr_get_str(attr), search->kind)))
			search->found = 1;
	}
	return MNL_CB_OK;
}

static int look(uint16_t type, uint32_t ifindex, uint32_t parent, const char *kind)
{
	struct search search = { .ifindex = ifindex, .kind = kind };
	char buf[256];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tcm;
	int err;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_DUMP;
	tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));
	tcm->tcm_family = AF_UNSPEC;
	tcm->tcm_ifindex = (int)ifindex;
	tcm->tcm_parent = parent;
	err = rsip_mnl_ask(NETLINK_ROUTE, nlh, seen, &search);
	return err ? err : search.found;
}

int rsip_mnl_has_qdisc(uint32_t ifindex, const char *kind)
{
	return look(RTM_GETQDISC, ifindex, 0, kind);
}

int rsip_mnl_has_filter(uint32_t ifindex, uint32_t parent)
{
	return look(RTM_GETTFILTER, ifindex, parent, NULL);
}
