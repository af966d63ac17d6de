// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the running client says of itself. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include "advice.h"
#include "control.h"

static const char *span_text(uint64_t first, uint64_t cnt, bool hex, char *buf, size_t size)
{
	const char *fmt = hex ? (cnt > 1 ? "0x%08llx-0x%08llx" : "0x%08llx")
			      : (cnt > 1 ? "%llu-%llu" : "%llu");

	snprintf(buf, size, fmt, (unsigned long long)first, (unsigned long long)(first + cnt - 1));
	return buf;
}

cJSON *rsip_status_binding(const struct rsip_lease *l, uint64_t now)
{
	cJSON *obj = cJSON_CreateObject();
	cJSON *ports = cJSON_AddArrayToObject(obj, "ports");
	cJSON *spis = cJSON_AddArrayToObject(obj, "spis");
	char text[48];

	rsip_json_add_u64(obj, "bind-id", l->bind_id);
	cJSON_AddStringToObject(obj, "method", rsip_method_name(l->want.method));
	rsip_json_add_ip4(obj, "address", l->addr);
	for (unsigned int i = 0; i < l->port_runs; i++)
		cJSON_AddItemToArray(
			ports, cJSON_CreateString(span_text(l->ports[i].first, l->ports[i].cnt,
							    false, text, sizeof(text))));
	for (unsigned int i = 0; i < l->spi_runs; i++)
		cJSON_AddItemToArray(spis,
				     cJSON_CreateString(span_text(l->spis[i].first, l->spis[i].cnt,
								  true, text, sizeof(text))));
	cJSON_AddStringToObject(obj, "tunnel-endpoint", rsip_inet_text(&l->endpoint));
	if (l->expires_ns != UINT64_MAX)
		rsip_json_add_u64(obj, "seconds-left",
				  l->expires_ns > now ? (l->expires_ns - now) / RSIP_NS_PER_S : 0);
	return obj;
}

static void add_counters(struct rsip_daemon *d, cJSON *obj)
{
	static const char *const names[RSIP_TUN_COUNTERS] = {
		"out-packets",
		"out-bytes",
		"in-packets",
		"in-bytes",
		"dropped-out-not-leased",
		"in-not-leased",
		"dropped-in-ecn",
		"failed",
		"in-too-big",
		"in-reassembled",
	};
	uint64_t sums[RSIP_TUN_COUNTERS];

	if (rsip_tunnel_counters(d->tunnel, sums))
		return;
	for (int i = 0; i < RSIP_TUN_COUNTERS; i++)
		rsip_json_add_u64(obj, names[i], sums[i]);
}

static void add_strongswan(const struct rsip_strongswan *sw, cJSON *root)
{
	const struct rsip_charon *c = &sw->written;
	cJSON *obj, *spis;
	char text[48];

	if (!sw->on || !*sw->file)
		return;
	obj = cJSON_AddObjectToObject(root, "strongswan");
	cJSON_AddStringToObject(obj, "file", sw->file);
	if (sw->err)
		cJSON_AddStringToObject(obj, "file-error", strerror(-sw->err));
	cJSON_AddStringToObject(obj, "vici", sw->vici);
	rsip_json_add_ip4(obj, "address", c->addr);
	rsip_json_add_u64(obj, "port", c->port ? c->port : 500);
	rsip_json_add_u64(obj, "port-nat-t", c->port ? c->port_nat_t : 4500);
	spis = cJSON_AddArrayToObject(obj, "spis");
	cJSON_AddItemToArray(
		spis, cJSON_CreateString(span_text(c->spi_min, c->spi_max - c->spi_min + 1ULL, true,
						   text, sizeof(text))));
	snprintf(text, sizeof(text), "0x%08x", c->label);
	cJSON_AddStringToObject(obj, "label", text);
	cJSON_AddBoolToObject(obj, "charon-must-restart",
			      rsip_charon_needs_restart(&sw->started, c));
}

/* Several gateways: which is used, and what became of the others. */
static void add_gateways(const struct rsip_daemon *d, cJSON *root, uint64_t now)
{
	cJSON *list = d->gateways.cnt > 1 ? cJSON_AddArrayToObject(root, "gateways") : NULL;
	char why[400];

	for (unsigned int i = 0; list && i < d->gateways.cnt; i++) {
		const struct rsip_gateway *g = &d->gateways.g[i];
		cJSON *obj = cJSON_CreateObject();

		cJSON_AddStringToObject(obj, "address", rsip_inet_text(&g->addr));
		cJSON_AddStringToObject(obj, "is", rsip_inet_same(&g->addr, &d->io.gateway) ? "used" : g->err ? "left" : "spare");
		if (g->err) {
			rsip_json_add_u64(obj, "seconds-ago", (now - g->failed_ns) / RSIP_NS_PER_S);
			cJSON_AddStringToObject(obj, "why", rsip_advice_text(g->err, why, sizeof(why)));
		}
		if (d->comeback.since_ns && d->comeback.at == i) {
			rsip_json_add_u64(obj, "answers-for", (now - d->comeback.since_ns) / RSIP_NS_PER_S);
			rsip_json_add_u64(obj, "return-after", d->comeback.hold_s);
		}
		cJSON_AddItemToArray(list, obj);
	}
}

static void add_locals(const struct rsip_tunnel *t, cJSON *root)
{
	const struct rsip_locals *locals = rsip_tunnel_locals_now(t);
	cJSON *list = cJSON_AddArrayToObject(root, "local");
	char text[40];

	for (unsigned int i = 0; i < locals->cnt; i++) {
		snprintf(text, sizeof(text), "%s/%u", rsip_ip4(locals->net[i].addr), locals->net[i].len);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
}

/* Routes stay when a cable is pulled out, so that there is a way all the same. */
static bool has_carrier(const char *nic)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", nic);
	has = fd < 0 || ioctl(fd, SIOCGIFFLAGS, &ifr) || ifr.ifr_flags & IFF_RUNNING;
	if (fd >= 0)
		close(fd);
	return has;
}

cJSON *rsip_control_status(struct rsip_daemon *d)
{
	static const char *const states[] = {"unregistered", "registered", "ending", "ended"};
	const struct rsip_session *s = &d->session;
	cJSON *obj = cJSON_CreateObject(), *tunnel, *bindings, *messages;
	uint64_t now = rsip_daemon_now();
	int wanted = 0;

	cJSON_AddStringToObject(obj, "state", states[s->state]);
	cJSON_AddStringToObject(obj, "gateway", rsip_inet_text(&s->gateway));
	add_gateways(d, obj, now);
	cJSON_AddStringToObject(obj, "private-address", rsip_inet_text(&s->local));
	cJSON_AddStringToObject(obj, "interface", d->way.nic_name);
	cJSON_AddStringToObject(obj, "transport", d->set.transport);
	if (d->away)
		cJSON_AddBoolToObject(obj, "no-way", true);
	if (!has_carrier(d->way.nic_name))
		cJSON_AddBoolToObject(obj, "no-carrier", true);
	rsip_json_add_u64(obj, "client-id", s->client_id);
	if (s->key.id)
		rsip_json_add_u64(obj, "key-id", s->key.id);
	tunnel = cJSON_AddObjectToObject(obj, "tunnel");
	cJSON_AddStringToObject(tunnel, "kind", rsip_tunnel_kind(d->tunnel));
	cJSON_AddStringToObject(tunnel, "device", d->set.device);
	rsip_json_add_u64(tunnel, "mtu", rsip_tunnel_mtu(d->tunnel));
	cJSON_AddStringToObject(tunnel, "namespace", d->jail.pin);
	add_counters(d, cJSON_AddObjectToObject(tunnel, "counters"));
	add_locals(d->tunnel, obj);
	bindings = cJSON_AddArrayToObject(obj, "bindings");
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		if (s->leases[i].state == RSIP_LEASE_HELD)
			cJSON_AddItemToArray(bindings, rsip_status_binding(&s->leases[i], now));
		wanted += s->leases[i].state == RSIP_LEASE_WANTED;
	}
	rsip_json_add_u64(obj, "bindings-wanted", wanted);
	add_strongswan(&d->sw, obj);
	messages = cJSON_AddObjectToObject(obj, "messages");
	rsip_json_add_u64(messages, "sent", s->stats.sent);
	rsip_json_add_u64(messages, "resent", s->stats.resent);
	rsip_json_add_u64(messages, "received", s->stats.received);
	rsip_json_add_u64(messages, "ignored", s->stats.ignored);
	rsip_json_add_u64(messages, "unproven", s->stats.unproven);
	rsip_json_add_u64(messages, "told-of-drops", s->stats.told_drops);
	rsip_json_add_u64(messages, "timeouts", s->stats.timeouts);
	rsip_json_add_u64(messages, "renewals", s->stats.renewals);
	return obj;
}
