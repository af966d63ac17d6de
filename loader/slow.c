// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "slow.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "nft.h"
#include "object.h"
#include "plane.h"
#include "rsip/wire.h"
#include "rtnl.h"
#include "util.h"

#define DEVICE_MTU 65535

/* Preferences of the rules.  The local table must come after ours: its own is 0, before all. */
enum { PREF_LOCAL_OLD = 0, PREF_POOL = 1, PREF_TUNNEL = 2, PREF_LOCAL = 3 };
enum { TABLE_POOL = 21075, TABLE_TUNNEL = 21076 };

/*
 * Conntrack would see only marked packets, and those are not to be tracked: it learns nothing.  The
 * tproxy rule never matches (nothing has this mark): that such a rule exists is what makes the
 * kernel reassemble before it routes, without the cost of conntrack for all other traffic.  Kernels
 * without tproxy get a ct rule, which has the same effect and that cost.
 */
#define TABLE_HEAD                                                                                 \
	"table ip rsip {\n"                                                                        \
	"	comment \"made by rsip-loader attach, removed by rsip-loader detach\"\n"           \
	"	chain untracked {\n"                                                               \
	"		type filter hook prerouting priority raw; policy accept;\n"                \
	"		meta mark 0x52530001-0x52530002 notrack\n"                                 \
	"	}\n"                                                                               \
	"	chain reassembled {\n"                                                             \
	"		type filter hook prerouting priority mangle; policy accept;\n"
#define TABLE_TAIL "	}\n}\n"

static const char with_tproxy[] = TABLE_HEAD
	"		meta mark 0x5253ffff meta l4proto udp tproxy to :9\n" TABLE_TAIL;
static const char with_ct[] = TABLE_HEAD
	"		meta mark 0x5253ffff ct state invalid counter\n" TABLE_TAIL;

static int nft_make(void)
{
	char why[256];
	int err = rsip_nft_run(with_tproxy, why, sizeof(why));

	if (err) {
		log_debug("nftables without tproxy: %s", why);
		err = rsip_nft_run(with_ct, why, sizeof(why));
	}
	if (err)
		log_err("cannot make nftables table ip rsip, which reassembles fragments: %s (does "
			"this kernel have nf_tables and nft_tproxy or nft_ct?)",
			why);
	return err;
}

/* ---- rules ---------------------------------------------------- */

static int rule_noted(struct rsip_undo_log *log, uint32_t preference, uint32_t mark, uint32_t table)
{
	char name[32], old[32];
	int err;

	snprintf(name, sizeof(name), "rule/%u", preference);
	snprintf(old, sizeof(old), "%u %u", mark, table);
	err = rsip_undo_note(log, name, old);
	if (!err)
		err = rsip_rtnl_rule_add(preference, mark, table);
	if (err)
		log_err("cannot add ip rule %u (mark 0x%x, table %u): %s (see `ip rule`; is that "
			"preference in use?)",
			preference, mark, table, strerror(-err));
	return err;
}

/*
 * A tunnel's fragments are for an address of our own, so our rules must come before the local
 * table.  It is in two places for a moment, never in none.
 */
static int move_local(struct rsip_undo_log *log)
{
	int err = rsip_rtnl_rule_add(PREF_LOCAL_OLD, 0, RT_TABLE_LOCAL);

	if (!err) /* somebody has moved it before: it stays where it is, at detach, too */
		return rsip_rtnl_rule_del(PREF_LOCAL_OLD, 0, RT_TABLE_LOCAL);
	if (err == -EEXIST)
		err = rsip_undo_note(log, "rule/local", "0");
	if (!err)
		err = rsip_rtnl_rule_add(PREF_LOCAL, 0, RT_TABLE_LOCAL);
	if (!err || err == -EEXIST)
		err = rsip_rtnl_rule_del(PREF_LOCAL_OLD, 0, RT_TABLE_LOCAL);
	if (err)
		log_err("cannot move the local table's ip rule from 0 to %d: %s", PREF_LOCAL,
			strerror(-err));
	return err;
}

static int local_back(void)
{
	int err = rsip_rtnl_rule_add(PREF_LOCAL_OLD, 0, RT_TABLE_LOCAL);

	if (err && err != -EEXIST)
		return err;
	return rsip_rtnl_rule_del(PREF_LOCAL, 0, RT_TABLE_LOCAL);
}

static int make_rules(struct rsip_undo_log *log)
{
	int err = move_local(log);

	if (!err)
		err = rule_noted(log, PREF_POOL, RSIP_MARK_POOL, TABLE_POOL);
	if (!err)
		err = rule_noted(log, PREF_TUNNEL, RSIP_MARK_TUNNEL, TABLE_TUNNEL);
	return err;
}

/* ---- the device ---------------------------------------------------- */

static uint32_t takes_of(const struct rsip_iface *iface)
{
	return iface->endpoint6[0] && iface->mtu > RSIP_PATH_MTU_MIN6 ? RSIP_PATH_MTU_MIN6 : iface->mtu;
}

uint32_t rsip_slow_takes(const struct rsip_iface *iface, uint32_t cnt)
{
	uint32_t mtu = UINT32_MAX;

	for (uint32_t i = 0; i < cnt; i++)
		if (iface[i].role == RSIP_ROLE_PRIVATE && takes_of(&iface[i]) < mtu)
			mtu = takes_of(&iface[i]);
	return mtu;
}

static int follow(uint32_t mtu)
{
	int err = rsip_rtnl_default_route(if_nametoindex(RSIP_SLOW_NAME), TABLE_POOL, mtu - RSIP_SLOW_OVERHEAD);

	if (err)
		log_err("cannot set the MTU of the route out of %s: %s", RSIP_SLOW_NAME, strerror(-err));
	return err;
}

int rsip_slow_follow(struct rsip_plane *p, const struct rsip_xdp_bpf *object)
{
	uint32_t mtu = rsip_slow_takes(p->iface, p->iface_cnt);
	int err = 0;

	for (uint32_t i = 0; i < p->iface_cnt && !err; i++) {
		struct rsip_iface *slow = &p->iface[i];

		if (slow->role != RSIP_ROLE_SLOW || slow->mtu == mtu - RSIP_SLOW_OVERHEAD)
			continue;
		err = follow(mtu);
		slow->mtu = mtu - RSIP_SLOW_OVERHEAD;
		if (!err)
			err = rsip_object_write_iface(object, p->index[i], slow);
		if (!err)
			log_info("what the kernel fragments fits into %u bytes now", slow->mtu);
	}
	return err;
}

static int make_device(struct rsip_undo_log *log, uint32_t mtu)
{
	uint32_t ifindex;
	int err = rsip_undo_note(log, "link/" RSIP_SLOW_NAME, "");

	if (err)
		return err;
	err = rsip_rtnl_veth_add(RSIP_SLOW_NAME, RSIP_SLOW_PEER, DEVICE_MTU);
	if (err) {
		log_err("cannot make the slow path's device %s: %s (does this kernel have veth? "
			"`ip link del %s` if it is left over)",
			RSIP_SLOW_NAME, strerror(-err), RSIP_SLOW_NAME);
		return err;
	}
	/* what a filter of somebody else's lets through at the egress must not go around */
	err = rsip_undo_sysctl(log, "net/ipv4/conf/" RSIP_SLOW_PEER "/forwarding", "0");
	rsip_undo_sysctl_quiet("net/ipv6/conf/" RSIP_SLOW_NAME "/disable_ipv6", "1");
	rsip_undo_sysctl_quiet("net/ipv6/conf/" RSIP_SLOW_PEER "/disable_ipv6", "1");
	if (!err)
		err = rsip_rtnl_link_up(RSIP_SLOW_PEER);
	if (!err)
		err = rsip_rtnl_link_up(RSIP_SLOW_NAME);
	ifindex = if_nametoindex(RSIP_SLOW_NAME);
	if (!err)
		err = rsip_rtnl_default_route(ifindex, TABLE_POOL, mtu - RSIP_SLOW_OVERHEAD);
	if (!err)
		err = rsip_rtnl_default_route(ifindex, TABLE_TUNNEL, DEVICE_MTU);
	if (err)
		log_err("cannot set up %s and its routes: %s", RSIP_SLOW_NAME, strerror(-err));
	return err;
}

/* nft would add to a table that is there, and detach would delete what others have in it. */
static int make_table(struct rsip_undo_log *log)
{
	char why[256];
	int err = rsip_nft_run("list table ip rsip", why, sizeof(why)) ? 0 : -EEXIST;

	if (err)
		log_err("there is an nftables table ip rsip already (see what is in it; `nft "
			"delete table ip rsip`, and attach again)");
	if (!err)
		err = rsip_undo_note(log, "nft/rsip", "");
	return err ? err : nft_make();
}

int rsip_slow_make(struct rsip_undo_log *log, uint32_t mtu, struct rsip_iface *iface)
{
	int err = make_device(log, mtu);

	if (!err)
		err = make_rules(log);
	if (!err)
		err = make_table(log);
	*iface = (struct rsip_iface){
		.ifindex = if_nametoindex(RSIP_SLOW_NAME),
		.role = RSIP_ROLE_SLOW,
		.mtu = mtu - RSIP_SLOW_OVERHEAD,
		.name = RSIP_SLOW_NAME,
	};
	return err;
}

/* ---- putting it back ---------------------------------------------------- */

bool rsip_slow_is_entry(const char *name)
{
	return !strncmp(name, "rule/", 5) || !strncmp(name, "link/", 5) || !strcmp(name, "nft/rsip");
}

int rsip_slow_restore(const char *name, const char *old)
{
	uint32_t preference, mark, table;
	char why[256];

	if (!strncmp(name, "link/", 5))
		return rsip_rtnl_link_del(name + 5);
	if (!strcmp(name, "rule/local"))
		return local_back();
	if (!strcmp(name, "nft/rsip"))
		return rsip_nft_run("delete table ip rsip", why, sizeof(why)) ? -ENOENT : 0;
	if (sscanf(name, "rule/%u", &preference) != 1 || sscanf(old, "%u %u", &mark, &table) != 2)
		return -EINVAL;
	return rsip_rtnl_rule_del(preference, mark, table);
}

int rsip_slow_mend(void)
{
	char why[256];

	if (!rsip_nft_run("list table ip rsip", why, sizeof(why)))
		return 0;
	log_info("nftables table ip rsip is gone (a flush ruleset?): making it again");
	return nft_make();
}

const char *rsip_slow_missing(void)
{
	char why[256];

	if (!if_nametoindex(RSIP_SLOW_NAME))
		return "device " RSIP_SLOW_NAME;
	if (rsip_nft_run("list table ip rsip", why, sizeof(why)))
		return "nftables table ip rsip";
	return "";
}
