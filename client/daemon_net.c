// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the client changes in the system: namespace, tunnel, leased addresses, the programs' ports.
 */
#include <errno.h>
#include <string.h>
#include "daemon.h"
#include "needed.h"
#include "sockets.h"
#include "log.h"
#include "mnl_tc.h"

void rsip_daemon_set_way(struct rsip_daemon *d, const struct rsip_way *way)
{
	d->way = *way;
	d->io.local = way->local;
	d->io.gateway = way->gateway;
	snprintf(d->io.interface, sizeof(d->io.interface), "%s", way->nic_name);
}

int rsip_daemon_claim(struct rsip_daemon *d, const struct rsip_way *way, char *why, size_t size)
{
	int err = rsip_claim_take(&d->claim, RSIP_CLAIM_DIR, &way->local, &way->gateway, d->set.state_dir, why, size);

	if (err == -EBUSY && d->aside) { /* it may be a question of ours, which is not worth it */
		rsip_aside_free(d->aside);
		d->aside = NULL;
		err = rsip_claim_take(&d->claim, RSIP_CLAIM_DIR, &way->local, &way->gateway, d->set.state_dir, why, size);
	}
	if (err && err != -EBUSY)
		log_debug("cannot keep other clients of this machine from %s: %s", rsip_inet_text(&way->gateway), strerror(-err));
	return err == -EBUSY ? err : 0;
}

static int locate(struct rsip_daemon *d, char *why, size_t size)
{
	struct rsip_way way;
	int err = rsip_way_find(rsip_gateways_used(&d->gateways), d->set.interface, &way, why, size);

	if (!err && !d->leave)
		err = rsip_daemon_claim(d, &way, why, size);
	if (!err)
		rsip_daemon_set_way(d, &way);
	return err;
}

int rsip_daemon_locate(struct rsip_daemon *d)
{
	char why[600];
	int err = locate(d, why, sizeof(why));

	if (err)
		log_err("%s", why);
	return err;
}

int rsip_daemon_locate_any(struct rsip_daemon *d, char *why, size_t size)
{
	unsigned int was = d->gateways.at;
	char other[600];
	int err = locate(d, why, size);

	for (unsigned int i = 1; err && i < d->gateways.cnt; i++) {
		d->gateways.at = (was + i) % d->gateways.cnt;
		if (!locate(d, other, sizeof(other)))
			return 0;
	}
	d->gateways.at = was;
	return err;
}

void rsip_daemon_note(struct rsip_daemon *d, const struct rsip_state *state)
{
	int err = rsip_state_save(state, d->set.state_dir);
	uint64_t now = rsip_daemon_now();

	if (!err && rsip_trouble_is_over(&d->disk_trouble, now))
		log_info("the state file in %s is written again", d->set.state_dir);
	if (err && rsip_trouble_is_news(&d->disk_trouble, now))
		log_warn("cannot write the state file in %s: %s: who starts the client after a kill will lease anew",
			 d->set.state_dir, strerror(-err));
}

/*
 * Before the system is changed: what a kill from here on leaves behind is ours for the next start, or for `down`.  No
 * session of other ends goes on, so none is noted.  device: "" while the name may still be another's.
 */
static void note(struct rsip_daemon *d, const char *device)
{
	struct rsip_state early = d->state;

	if (!rsip_inet_same(&early.local, &d->way.local) || !rsip_inet_same(&early.gateway, &d->way.gateway)) {
		memset(&early, 0, sizeof(early));
		early.own_arp = d->state.own_arp;
		early.ports = d->state.ports;
		early.own_qdisc = d->state.own_qdisc;
		early.sw = d->state.sw; /* its file is still there */
		early.transport = rsip_daemon_transport(d);
		early.local = d->way.local;
		early.gateway = d->way.gateway;
	}
	if (d->jail.shared && !early.table)
		early.table = RSIP_TABLE_BASE; /* the device has no number yet */
	/* one that is there already, or may be, is nobody's business to remove */
	early.own_qdisc = (early.own_qdisc && d->state.nic == d->way.nic) || !rsip_mnl_has_qdisc(d->way.nic, "clsact");
	snprintf(early.device, sizeof(early.device), "%s", device);
	early.nic = d->way.nic;
	rsip_daemon_note(d, &early);
}

static void note_beginning(void *arg)
{
	struct rsip_daemon *d = arg;

	note(d, d->set.device);
}

void rsip_daemon_silence_arp(struct rsip_daemon *d)
{
	int err = rsip_tunnel_arp_ignore();

	if (err == 0) {
		d->state.own_arp = true;
		note_beginning(d);
		err = rsip_tunnel_set_arp_ignore(1);
		d->state.own_arp = !err;
		d->dirty = true;
	}
	if (err < 0)
		log_warn("cannot keep this host from answering ARP requests for leased addresses: "
			 "%s",
			 strerror(-err));
}

/* The tunnel over d->way; a device of our past may serve again. */
static int open_tunnel(struct rsip_daemon *d, bool have_state)
{
	struct rsip_tunnel_spec spec = {
		.dev = d->set.device,
		.local = d->way.local,
		.gateway = d->way.gateway,
		.nic = d->way.nic,
		.jail = &d->jail,
		.ours = have_state && !strcmp(d->state.device, d->set.device),
		.type = rsip_settings_tunnel(&d->set),
		.no_kernel = !strcmp(d->set.tunnel, "bpf"),
		.remote = !strcmp(d->set.route, "remote"),
		.own_qdisc = have_state && d->state.own_qdisc && d->state.nic == d->way.nic,
		.begins = note_beginning,
		.arg = d,
	};
	int err;

	spec.keep = spec.ours && rsip_inet_same(&d->state.local, &d->way.local) &&
		    rsip_inet_same(&d->state.gateway, &d->way.gateway) && d->state.nic == d->way.nic &&
		    d->state.transport == rsip_daemon_transport(d) && d->state.tunnel == rsip_settings_tunnel(&d->set);
	if (have_state && !spec.keep && d->state.table)
		rsip_tunnel_rules_clear(d->state.table);
	err = rsip_tunnel_open(&spec, &d->tunnel);
	if (err)
		return err;
	snprintf(d->state.device, sizeof(d->state.device), "%s", d->set.device);
	d->state.nic = d->way.nic;
	d->state.table = rsip_tunnel_table(d->tunnel);
	d->state.own_qdisc = rsip_tunnel_owns_qdisc(d->tunnel);
	return 0;
}

static void ports_back(struct rsip_daemon *d)
{
	if (*d->state.ports.range && rsip_jail_ports_back(&d->state.ports))
		log_warn("cannot set the ports of programs back: do it: sysctl -w net.ipv4.ip_local_port_range='%s'",
			 d->state.ports.range);
	*d->state.ports.range = '\0';
}

static void settings_back(struct rsip_daemon *d)
{
	ports_back(d);
	/* who has set it to something else meanwhile knows why */
	if (d->state.own_arp && rsip_tunnel_arp_ignore() == 1 && rsip_tunnel_set_arp_ignore(0))
		log_warn("cannot switch answers to ARP requests on again: do it: sysctl -w net.ipv4.conf.all.arp_ignore=0");
	d->state.own_arp = false;
}

static int open_place(struct rsip_daemon *d)
{
	bool shared = !strcmp(d->set.place, "host");
	int err = shared ? rsip_jail_open_shared(&d->jail)
			 : rsip_jail_open(&d->jail, d->set.state_dir);

	if (err)
		log_err("cannot make the network namespace %s: %s%s", d->jail.pin, strerror(-err),
			err == -EPERM ? " (run as root)" : "");
	return err;
}

/* Ports of the whole machine, where its programs use the leased address unasked: as they were is noted first. */
static int share_ports(struct rsip_daemon *d)
{
	if (!d->jail.shared || strcmp(d->set.route, "remote")) {
		ports_back(d); /* the settings may have been others before a kill */
		return 0;
	}
	d->jail.limits = true;
	return *d->state.ports.range ? 0 : rsip_jail_ports_now(&d->state.ports);
}

/* The namespace that a past of ours had, where we have none now. */
static void clear_namespace(struct rsip_daemon *d)
{
	struct rsip_jail old = {.fd = -1, .home = -1};

	if (rsip_jail_open(&old, d->set.state_dir))
		return;
	rsip_tunnel_clear(d->state.device, &old, d->state.nic, d->state.own_qdisc);
	rsip_jail_close(&old, true);
}

/* The settings have another place or device, or the way leads over another interface: the old ones are undone. */
static void leave_old_place(struct rsip_daemon *d)
{
	bool was_shared = d->state.table;

	if (!*d->state.device || (!strcmp(d->state.device, d->set.device) && was_shared == d->jail.shared && d->state.nic == d->way.nic))
		return;
	if (was_shared)
		rsip_tunnel_rules_clear(d->state.table);
	if (!was_shared && d->jail.shared)
		clear_namespace(d);
	else
		rsip_tunnel_clear(d->state.device, was_shared ? NULL : &d->jail, d->state.nic, d->state.own_qdisc);
	if (was_shared && !d->jail.shared)
		settings_back(d);
	*d->state.device = '\0';
	d->state.own_qdisc = false;
	d->state.table = 0;
}

int rsip_daemon_build(struct rsip_daemon *d, bool have_state)
{
	int err;

	if (!have_state)
		note(d, "");
	err = open_place(d);
	if (!err && have_state)
		leave_old_place(d);
	if (!err) {
		err = open_tunnel(d, have_state);
		if (err)
			rsip_jail_close(&d->jail, true);
	}
	if (err) {
		if (have_state)
			rsip_state_save(&d->state, d->set.state_dir);
		else
			rsip_state_remove(d->set.state_dir);
		return err;
	}
	err = share_ports(d);
	if (err) {
		log_err("cannot see which ports programs use: %s", strerror(-err));
		rsip_daemon_raze(d);
		return err;
	}
	if (d->jail.shared)
		rsip_daemon_silence_arp(d);
	else
		err = rsip_guard_open(&d->jail, &d->guard);
	if (err)
		log_info("bind() to ports that are not leased cannot be refused here: %s (the "
			 "gateway drops "
			 "their packets)",
			 strerror(-err));
	return 0;
}

static void on_whole(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_daemon *d = arg;

	(void)fd;
	(void)what;
	rsip_tunnel_whole(d->tunnel);
}

void rsip_daemon_hear_tunnel(struct rsip_daemon *d)
{
	int fd = rsip_tunnel_whole_fd(d->tunnel);

	if (fd < 0)
		return;
	d->whole = event_new(d->base, fd, EV_READ | EV_PERSIST, on_whole, d);
	event_add(d->whole, NULL);
}

static void close_tunnel(struct rsip_daemon *d)
{
	if (d->whole)
		event_free(d->whole);
	d->whole = NULL;
	rsip_tunnel_close(d->tunnel);
	d->tunnel = NULL;
}

int rsip_daemon_retunnel(struct rsip_daemon *d)
{
	int err;

	close_tunnel(d);
	d->state.own_qdisc = false;
	err = open_tunnel(d, true);
	if (!err)
		rsip_daemon_hear_tunnel(d);
	return err;
}

void rsip_daemon_old_way(struct rsip_daemon *d)
{
	struct rsip_way way = {.local = d->state.local, .gateway = d->state.gateway, .nic = d->state.nic};
	struct rsip_link link;
	struct rsip_nl *nl;

	if (!rsip_nl_open(&nl)) {
		if (!rsip_nl_link_get_index(nl, way.nic, &link))
			memcpy(way.nic_name, link.name, sizeof(way.nic_name));
		rsip_nl_close(nl);
	}
	rsip_daemon_set_way(d, &way);
}

void rsip_daemon_clear(struct rsip_daemon *d)
{
	if (d->state.table)
		rsip_tunnel_rules_clear(d->state.table);
	settings_back(d);
	rsip_daemon_strongswan_forget(d);
	rsip_tunnel_clear(d->state.device, NULL, d->state.nic, d->state.own_qdisc);
	if (!open_place(d))
		rsip_jail_close(&d->jail, true);
	rsip_state_remove(d->set.state_dir);
}

void rsip_daemon_raze(struct rsip_daemon *d)
{
	rsip_guard_close(d->guard);
	d->guard = NULL;
	settings_back(d);
	close_tunnel(d);
	rsip_jail_close(&d->jail, true);
}

static bool in_use(const struct rsip_lease *l)
{
	return l->state == RSIP_LEASE_HELD;
}

uint64_t rsip_daemon_look_at_ports(struct rsip_daemon *d, uint64_t now)
{
	struct rsip_portset used = {0};
	int err;

	if (!d->demand.most)
		return UINT64_MAX;
	if (now < d->demand.look_ns)
		return d->demand.look_ns;
	d->demand.look_ns = now + RSIP_DEMAND_LOOK_NS;
	rsip_guard_rearm(d->guard); /* what happens from here on is news */
	err = rsip_jail_enter(&d->jail);
	if (!err) {
		err = rsip_sockets_ports(&used);
		rsip_jail_leave(&d->jail);
	}
	if (!err)
		rsip_demand_balance(&d->demand, &d->session, &used, now);
	else
		log_debug("cannot see which ports are in use: %s", strerror(-err));
	return d->demand.look_ns;
}

/* Ports that a program names itself: none for a connect() to be given by chance. */
static bool is_for_bind_only(const struct rsip_lease *l)
{
	return l->want.listen || l->want.purpose == RSIP_FOR_CHARON;
}

/* The ports of all leases in use, and those of extra (or NULL). */
static int limit_ports(struct rsip_daemon *d, const struct rsip_lease *extra)
{
	struct rsip_portset chosen = {0}, bound = {0};

	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &d->session.leases[i];

		if (!in_use(l) && l != extra)
			continue;
		if (l->want.method == RSIP_METHOD_RSA_IP) { /* all are its own */
			rsip_portset_add(&bound, 1, 65535);
			rsip_portset_add(&chosen, 1, 65535);
		}
		for (unsigned int p = 0; p < l->port_runs; p++) {
			rsip_portset_add(&bound, l->ports[p].first, l->ports[p].cnt);
			if (!is_for_bind_only(l))
				rsip_portset_add(&chosen, l->ports[p].first, l->ports[p].cnt);
		}
	}
	if (d->guard && rsip_guard_set_ports(d->guard, &bound))
		log_warn("cannot tell the guard of bind() which ports are leased");
	return rsip_jail_set_ports(&d->jail, &chosen);
}

static const struct rsip_lease *another_with(struct rsip_daemon *d, __be32 addr,
					     const struct rsip_lease * not )
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &d->session.leases[i];

		if (l != not &&in_use(l) && (!addr || l->addr == addr))
			return l;
	}
	return NULL;
}

/* A gateway that the host would not reach any more. */
static bool is_a_gateway(const struct rsip_daemon *d, __be32 addr)
{
	struct rsip_inet it = rsip_inet_v4(addr);

	return rsip_gateways_find(&d->gateways, &it) >= 0;
}

int rsip_daemon_may_have(struct rsip_daemon *d, const struct rsip_lease *lease)
{
	const char *why = NULL;

	if (another_with(d, lease->addr, lease))
		return 0;
	if (rsip_needed_is_own(lease->addr))
		return -EADDRINUSE;
	if (is_a_gateway(d, lease->addr))
		why = "is another gateway of this client";
	else if (d->jail.shared) /* in a namespace of its own it is in nobody's way */
		why = rsip_needed_for(lease->addr);
	if (why)
		log_err("the gateway granted the address %s, which %s", rsip_ip4(lease->addr), why);
	return why ? -EADDRNOTAVAIL : 0;
}

int rsip_daemon_use(struct rsip_daemon *d, const struct rsip_lease *lease)
{
	const struct rsip_lease *first = another_with(d, 0, lease);
	const struct rsip_lease *twin = another_with(d, lease->addr, lease);
	int err;

	/* Two ends for one address would make its packets a matter of chance. */
	if (twin && !rsip_inet_same(&twin->endpoint, &lease->endpoint))
		return -EOPNOTSUPP;
	err = limit_ports(d, lease);
	if (!err)
		err = rsip_tunnel_add(d->tunnel, lease->addr, &lease->endpoint);
	if (!err && !first)
		err = rsip_tunnel_route(d->tunnel, lease->addr);
	if (err) {
		log_err("cannot use the leased address %s: %s: it is given back", rsip_ip4(lease->addr), strerror(-err));
		if (!twin)
			rsip_tunnel_del(d->tunnel, lease->addr);
		limit_ports(d, NULL);
	}
	return err;
}

void rsip_daemon_disuse(struct rsip_daemon *d, const struct rsip_lease *lease)
{
	const struct rsip_lease *other;

	if (!d->tunnel)
		return;
	limit_ports(d, NULL);
	if (another_with(d, lease->addr, lease))
		return;
	rsip_tunnel_del(d->tunnel, lease->addr);
	other = another_with(d, 0, lease); /* deleting an address takes its routes along */
	if (other)
		rsip_tunnel_route(d->tunnel, other->addr);
}
