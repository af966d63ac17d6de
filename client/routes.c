// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <linux/rtnetlink.h>
#include "log.h"
#include "routes.h"
#include "util.h"

#define RSIP_TABLE_ALL 1000000 /* + the device's table: the one for all that is remote */

/* One destination: unreachable for what is bound to a leased address, thrown back for the rest. */
static int put(const struct rsip_routes *r, bool add, __be32 dst, uint8_t len)
{
	int err = rsip_nl_bare_route(r->nl, add, r->table, RTN_UNREACHABLE, dst, len);

	if (!err && r->remote)
		err = rsip_nl_bare_route(r->nl, add, r->table + RSIP_TABLE_ALL, RTN_THROW, dst, len);
	return err;
}

/* The rule that names our table first: it tells a later clear that the others are ours, too. */
static int add_rules(const struct rsip_routes *r)
{
	int err = rsip_nl_rule_add(r->nl, RSIP_RULE_REMOTE, 0, r->table + RSIP_TABLE_ALL);

	if (!err && r->local)
		err = rsip_nl_rule_add(r->nl, RSIP_RULE_PRIVATE, r->local, RT_TABLE_MAIN);
	return err ? err : rsip_nl_rule_main(r->nl, true, RSIP_RULE_MAIN);
}

static int begin_remote(const struct rsip_routes *r, uint32_t dev, __be32 src)
{
	uint32_t all = r->table + RSIP_TABLE_ALL;
	int err = add_rules(r);

	if (!err && r->gateway)
		err = rsip_nl_bare_route(r->nl, true, all, RTN_THROW, r->gateway, 32);
	return err ? err : rsip_nl_default_route(r->nl, all, dev, src);
}

int rsip_routes_mend(const struct rsip_routes *r)
{
	return r->begun && r->remote ? add_rules(r) : 0;
}

int rsip_routes_begin(struct rsip_routes *r, struct rsip_nl *nl, uint32_t table, uint32_t dev, __be32 src)
{
	r->nl = nl;
	r->table = table;
	if (!r->begun) {
		struct rsip_locals known = r->locals;
		int err = rsip_nl_bare_routes_flush(nl, table);

		if (err)
			return err;
		r->begun = true;
		r->locals.cnt = 0;
		rsip_routes_set(r, &known);
	}
	return r->remote ? begin_remote(r, dev, src) : 0;
}

static void tell(const struct rsip_net4 *net, bool local)
{
	log_info("%s/%u is %s", rsip_ip4(net->addr), net->len, local ? "local: not through the tunnel" : "local no more");
}

int rsip_routes_set(struct rsip_routes *r, const struct rsip_locals *locals)
{
	int err = 0;

	for (unsigned int i = 0; i < locals->cnt && r->begun && !err; i++)
		if (!rsip_locals_have(&r->locals, &locals->net[i])) {
			err = put(r, true, locals->net[i].addr, locals->net[i].len);
			tell(&locals->net[i], true);
		}
	for (unsigned int i = 0; i < r->locals.cnt && r->begun && !err; i++)
		if (!rsip_locals_have(locals, &r->locals.net[i])) {
			err = put(r, false, r->locals.net[i].addr, r->locals.net[i].len);
			tell(&r->locals.net[i], false);
		}
	if (!err)
		r->locals = *locals;
	return err;
}

void rsip_routes_clear(struct rsip_nl *nl, uint32_t table)
{
	uint32_t all = table + RSIP_TABLE_ALL;

	while (table && !rsip_nl_rule_del(nl, RSIP_RULE_LEASED, 0, table))
		;
	rsip_nl_bare_routes_flush(nl, table);
	if (!table || !rsip_nl_rule_exists(nl, RSIP_RULE_REMOTE, all))
		return;
	rsip_nl_rule_main(nl, false, RSIP_RULE_MAIN);
	rsip_nl_rule_del(nl, RSIP_RULE_PRIVATE, 0, RT_TABLE_MAIN);
	rsip_nl_bare_routes_flush(nl, all);
	rsip_nl_rule_del(nl, RSIP_RULE_REMOTE, 0, all);
}
