// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any text as a client's state file.  What is taken is sound: a session goes on with it, its ports and SPIs can be
 * counted, charon's file can be planned; and it is written and read again without a change.
 */
#include <stdlib.h>
#include <string.h>

#include "charon.h"
#include "demand.h"
#include "fuzz_lease.h"
#include "fuzz_main.h"
#include "log.h"
#include "portset.h"
#include "state.h"

#define BOOT "boot"

static void on_send(void *ctx, const uint8_t *buf, size_t len)
{
	struct rsip_message m;

	(void)ctx;
	must(rsip_decode(buf, len, &m) == RSIP_OK);
}

static uint32_t on_random(void *ctx)
{
	(void)ctx;
	return 7;
}

static int on_granted(void *ctx, const struct rsip_lease *lease)
{
	(void)ctx;
	(void)lease;
	return 0;
}

static void on_lost(void *ctx, const struct rsip_lease *lease, const char *why)
{
	(void)ctx;
	(void)why;
	must(lease->addr);
}

static void on_failed(void *ctx, const struct rsip_lease *lease, uint8_t type, int err)
{
	(void)ctx;
	(void)lease;
	(void)type;
	(void)err;
}

static void on_queried(void *ctx, uint32_t tag, const struct rsip_answer *a, int err)
{
	(void)ctx;
	(void)tag;
	(void)a;
	(void)err;
}

static void on_changed(void *ctx)
{
	(void)ctx;
}

static void check_lease(const struct rsip_lease *l)
{
	check_runs(l);
	must(l->state != RSIP_LEASE_HELD || (l->bind_id && l->addr));
}

static void go_on_with(const struct rsip_state *st)
{
	static const struct rsip_session_sink sink = {
		.send = on_send,
		.random = on_random,
		.granted = on_granted,
		.lost = on_lost,
		.failed = on_failed,
		.queried = on_queried,
		.changed = on_changed,
	};
	static struct rsip_session s;
	struct rsip_demand demand = {.most = 1024, .idle_s = 300};
	struct rsip_portset ports = {0};
	struct rsip_port_limits limits;
	struct rsip_charon charon;
	uint64_t now = 5 * RSIP_NS_PER_S;

	for (int i = 0; i < st->lease_cnt; i++)
		check_lease(&st->leases[i]);
	rsip_session_init(&s, &sink, RSIP_TRANSPORT_UDP, &st->local, &st->gateway);
	rsip_state_give(st, &s, now);
	for (int i = 0; i < st->lease_cnt; i++)
		for (unsigned int p = 0; p < st->leases[i].port_runs; p++)
			rsip_portset_add(&ports, st->leases[i].ports[p].first, st->leases[i].ports[p].cnt);
	must(!rsip_portset_limits(&ports, &limits));
	free(limits.reserved);
	rsip_charon_plan(&s, &charon);
	rsip_session_resume(&s, now);
	rsip_demand_balance(&demand, &s, &ports, now);
	for (int i = 0; i < 20; i++) {
		now += RSIP_NS_PER_S / 2;
		rsip_session_tick(&s, now);
	}
	rsip_session_leave(&s);
	for (int i = 0; i < 20; i++)
		rsip_session_tick(&s, now += RSIP_NS_PER_S);
	must(s.state == RSIP_SESSION_CLOSED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rsip_state st, again;
	char *text, *twice;

	rsip_log_set_level(RSIP_LOG_ERR);
	if (size > 1 << 18 || rsip_state_parse(&st, (const char *)data, size, BOOT))
		return 0;
	text = rsip_state_text(&st, BOOT);
	must(text && !rsip_state_parse(&again, text, strlen(text), BOOT));
	must(again.lease_cnt == st.lease_cnt);
	twice = rsip_state_text(&again, BOOT);
	must(twice && !strcmp(text, twice));
	free(text);
	free(twice);
	go_on_with(&st);
	return 0;
}
