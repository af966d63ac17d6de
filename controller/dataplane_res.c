// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The ports and SPIs of a binding: kept beside the slot, published in and withdrawn from the
 * tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dataplane_core.h"

static bool ports_one_run(const struct rsip_port_set *p)
{
	return !p->cnt || p->port[p->cnt - 1] - p->port[0] == p->cnt - 1;
}

static int sets_check(const struct rsip_port_set *ports, const struct rsip_spi_set *spis)
{
	if (ports->cnt > RSIP_PORTS_PER_BIND)
		return -EINVAL;
	for (uint32_t i = 1; i < ports->cnt; i++)
		if (ports->port[i] <= ports->port[i - 1])
			return -EINVAL;
	for (uint32_t i = 0; i < spis->range_cnt; i++) {
		const struct rsip_spi_range *r = &spis->range[i];

		if (!r->cnt || r->cnt - 1 > UINT32_MAX - r->first)
			return -EINVAL;
	}
	return 0;
}

/* One allocation, and only for what is no plain run: a binding of 64 ports and 4 SPIs needs none.
 */
static struct rsip_dp_extra *extra_new(const struct rsip_port_set *ports, uint32_t port_cnt,
				       const struct rsip_spi_set *spis, uint32_t range_cnt)
{
	struct rsip_dp_extra *x;

	x = malloc(sizeof(*x) + range_cnt * sizeof(*x->range) + port_cnt * sizeof(*x->port));
	if (!x)
		return NULL;
	x->range = (struct rsip_spi_range *)(x + 1);
	x->port = (uint16_t *)(x->range + range_cnt);
	x->range_cnt = (uint16_t)range_cnt;
	x->port_cnt = (uint16_t)port_cnt;
	if (range_cnt)
		memcpy(x->range, spis->range, range_cnt * sizeof(*x->range));
	if (port_cnt)
		memcpy(x->port, ports->port, port_cnt * sizeof(*x->port));
	return x;
}

int rsip_dp_res_keep(struct rsip_dp_slot *s, const struct rsip_port_set *ports,
		     const struct rsip_spi_set *spis)
{
	int err = sets_check(ports, spis);
	bool run = ports_one_run(ports);
	struct rsip_dp_extra *x = NULL;

	if (err)
		return err;
	if (!run || spis->range_cnt > 1) {
		x = extra_new(ports, run ? 0 : ports->cnt, spis,
			      spis->range_cnt > 1 ? spis->range_cnt : 0);
		if (!x)
			return -ENOMEM;
	}
	s->extra = x;
	s->port_cnt = run ? ports->cnt : 0;
	s->port_first = s->port_cnt ? ports->port[0] : 0;
	s->range = spis->range_cnt == 1 ? spis->range[0] : (struct rsip_spi_range){ 0, 0 };
	return 0;
}

void rsip_dp_res_forget(struct rsip_dp_slot *s)
{
	free(s->extra);
	s->extra = NULL;
	s->port_cnt = 0;
	s->range.cnt = 0;
}

uint32_t rsip_dp_res_port_cnt(const struct rsip_dp_slot *s)
{
	return s->extra && s->extra->port_cnt ? s->extra->port_cnt : s->port_cnt;
}

uint16_t rsip_dp_res_port_at(const struct rsip_dp_slot *s, uint32_t i)
{
	return s->extra && s->extra->port_cnt ? s->extra->port[i] : (uint16_t)(s->port_first + i);
}

/* Ports come in ascending order: one run as long as it goes, then a list. */
bool rsip_dp_res_keep_port(struct rsip_dp_slot *r, uint16_t port)
{
	struct rsip_dp_extra *x = r->extra;

	if (!x && (!r->port_cnt ||
		   (port == r->port_first + r->port_cnt && r->port_cnt < RSIP_PORTS_PER_BIND))) {
		if (!r->port_cnt)
			r->port_first = port;
		r->port_cnt++;
		return true;
	}
	if (!x) {
		x = calloc(1, sizeof(*x) + RSIP_PORTS_PER_BIND * sizeof(*x->port));
		if (!x)
			return false;
		x->port = (uint16_t *)(x + 1);
		for (; x->port_cnt < r->port_cnt; x->port_cnt++)
			x->port[x->port_cnt] = (uint16_t)(r->port_first + x->port_cnt);
		r->port_cnt = 0;
		r->extra = x;
	}
	if (x->port_cnt == RSIP_PORTS_PER_BIND)
		return false;
	x->port[x->port_cnt++] = port;
	return true;
}

uint32_t rsip_dp_res_ranges(const struct rsip_dp_slot *s, const struct rsip_spi_range **range)
{
	if (s->extra && s->extra->range_cnt) {
		*range = s->extra->range;
		return s->extra->range_cnt;
	}
	*range = &s->range;
	return s->range.cnt ? 1 : 0;
}

void rsip_dp_res_ports(const struct rsip_dp_slot *s, struct rsip_port_set *out)
{
	out->cnt = (uint16_t)rsip_dp_res_port_cnt(s);
	for (uint32_t i = 0; i < out->cnt; i++)
		out->port[i] = rsip_dp_res_port_at(s, i);
}

uint32_t rsip_dp_res_cnt(const struct rsip_dp_slot *s)
{
	const struct rsip_spi_range *range;
	uint32_t n = rsip_dp_res_ranges(s, &range), cnt = rsip_dp_res_port_cnt(s);

	for (uint32_t i = 0; i < n; i++)
		cnt += range[i].cnt;
	return cnt;
}

/* SPIs are not asked for here: putting them finds a clash by itself. */
bool rsip_dp_res_taken(struct rsip_dp_core *c, const struct rsip_binding *rec,
		       const struct rsip_dp_slot *s)
{
	return !(rec->kind & RSIP_KIND_IKE) && rsip_dp_ports_taken(c, rec->addr_index, s);
}

/* Calls fn for each part of a range that lies in one block of the table; stops at an error. */
static int each_block(struct rsip_dp_core *c, const struct rsip_spi_range *r, uint32_t slot,
		      int (*fn)(struct rsip_dp_core *c, uint32_t first, uint32_t cnt,
				uint32_t slot))
{
	uint32_t first = r->first, left = r->cnt;

	while (left) {
		uint32_t room = RSIP_SPI_BLOCK - (first & (RSIP_SPI_BLOCK - 1)),
			 cnt = left < room ? left : room;
		int err = fn(c, first, cnt, slot);

		if (err)
			return err;
		first += cnt;
		left -= cnt;
	}
	return 0;
}

static int spi_publish(struct rsip_dp_core *c, uint32_t first, uint32_t cnt, uint32_t slot)
{
	return rsip_table_spi_put(&c->spis, c->m.bindings[slot].local, first, cnt, slot);
}

/* What is not there was never published: an installation that is taken back. */
static int spi_withdraw(struct rsip_dp_core *c, uint32_t first, uint32_t cnt, uint32_t slot)
{
	(void)cnt;
	rsip_table_spi_del(&c->spis, c->m.bindings[slot].local, first, slot);
	return 0;
}

int rsip_dp_res_publish(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_dp_slot *s = &c->slot[slot];
	const struct rsip_spi_range *range;
	uint32_t n = rsip_dp_res_ranges(s, &range);
	int err = 0;

	/* Those of an IKE listener are for one remote only. */
	if (!(c->m.bindings[slot].kind & RSIP_KIND_IKE))
		rsip_dp_ports_publish(c, c->m.bindings[slot].addr_index, slot);
	for (uint32_t i = 0; i < n && !err; i++)
		err = each_block(c, &range[i], slot, spi_publish);
	return err;
}

void rsip_dp_res_withdraw(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_dp_slot *s = &c->slot[slot];
	const struct rsip_spi_range *range;
	uint32_t n = rsip_dp_res_ranges(s, &range);

	rsip_dp_ports_withdraw(c, c->m.bindings[slot].addr_index, slot);
	for (uint32_t i = 0; i < n; i++)
		each_block(c, &range[i], slot, spi_withdraw);
}
