// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Hosts with IPv6 addresses: the address by the number, and the number by the address. */
#include <errno.h>
#include <string.h>
#include "dataplane_core.h"
#include "dataplane_ops.h"

static const uint8_t nobody[16];

static struct rsip_dp_core *core(struct rsip_dataplane *dp)
{
	return (struct rsip_dp_core *)dp;
}

static void store(struct rsip_host6 *to, const uint8_t addr[16])
{
	__be32 word[4];

	memcpy(word, addr, sizeof(word));
	for (int i = 0; i < 4; i++)
		__atomic_store_n(&to->addr[i], word[i], __ATOMIC_RELAXED);
}

/* The address first: a packet that finds the number finds it, too. */
static int publish(struct rsip_dp_core *c, uint32_t index, const uint8_t addr[16])
{
	struct rsip_host6_entry e = { .index = index };
	int err;

	memcpy(e.addr, addr, 16);
	if (rsip_table_host6(&c->host6_tab, e.addr))
		return -EEXIST;
	store(&c->m.hosts6[index], addr);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	err = rsip_table_host6_put(&c->host6_tab, &e);
	if (err)
		store(&c->m.hosts6[index], nobody);
	return err;
}

static void withdraw(struct rsip_dp_core *c, uint32_t index)
{
	struct rsip_host6_entry *found = rsip_table_host6(&c->host6_tab, c->m.hosts6[index].addr);

	if (found && found->index == index)
		rsip_table_host6_del(&c->host6_tab, c->m.hosts6[index].addr);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	store(&c->m.hosts6[index], nobody);
}

int rsip_dp_host6_add(struct rsip_dataplane *dp, const uint8_t addr[16], uint32_t *index)
{
	struct rsip_dp_core *c = core(dp);
	uint32_t num = rsip_dp_core_take(c, &c->hosts6);
	int err;

	if (!num)
		return -ENOSPC;
	err = publish(c, num, addr);
	if (err)
		rsip_dp_numbers_drop(&c->hosts6, num);
	else
		*index = num;
	return err;
}

int rsip_dp_host6_claim(struct rsip_dataplane *dp, uint32_t index, const uint8_t addr[16])
{
	struct rsip_dp_core *c = core(dp);
	int err;

	if (!index || index > c->config.max_hosts6)
		return -ENOSPC;
	if (rsip_dp_numbers_used(&c->hosts6, index))
		return memcmp(c->m.hosts6[index].addr, addr, 16) ? -EEXIST : 0;
	err = publish(c, index, addr);
	if (!err)
		rsip_dp_numbers_claim(&c->hosts6, index);
	return err;
}

void rsip_dp_host6_drop(struct rsip_dataplane *dp, uint32_t index)
{
	struct rsip_dp_core *c = core(dp);

	if (!rsip_dp_numbers_used(&c->hosts6, index))
		return;
	withdraw(c, index);
	rsip_dp_numbers_drop(&c->hosts6, index);
}

void rsip_dp_host6_get(struct rsip_dataplane *dp, uint32_t index, uint8_t addr[16])
{
	memset(addr, 0, 16);
	if (rsip_dp_numbers_used(&core(dp)->hosts6, index))
		memcpy(addr, core(dp)->m.hosts6[index].addr, 16);
}

/* A kill leaves an address without its entry at most: what is added is in the array first, what goes goes from it last. */
void rsip_dp_host6_scan(struct rsip_dp_core *c)
{
	rsip_table_repair(&c->host6_tab);
	for (uint32_t i = 1; i <= c->config.max_hosts6; i++) {
		const __be32 *addr = c->m.hosts6[i].addr;
		struct rsip_host6_entry *found, e = { .index = i };

		if (!memcmp(addr, nobody, 16))
			continue;
		memcpy(e.addr, addr, 16);
		found = rsip_table_host6(&c->host6_tab, addr);
		if (found ? found->index == i : !rsip_table_host6_put(&c->host6_tab, &e))
			rsip_dp_numbers_claim(&c->hosts6, i);
		else
			store(&c->m.hosts6[i], nobody);
	}
}
