// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* RFC 3104 sections 3 and 4: on a shared address neither the address nor IKE's port tells hosts
 * apart. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "swancheck.h"
#include "util.h"

#define SPIS_PER_CHILD 4 /* this SA, the next, and those that linger after a rekey */

struct check {
	const struct rsip_swan *conf;
	const struct rsip_swan_lease *lease;
	const struct rsip_swan_sink *sink;
	const char *conn;
	char path[256]; /* connections/CONN */
	bool has_id;
	unsigned int children; /* of all connections */
};

static void __attribute__((format(printf, 3, 4)))
say(struct check *c, bool refuse, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	c->sink->found(c->sink->ctx, refuse, c->conn, text);
}

static const char *get(const struct check *c, const char *key, const char *fallback)
{
	const char *value = rsip_swan_get(c->conf, c->path, key);

	return value ? value : fallback;
}

static bool is_yes(const char *value)
{
	return !strcmp(value, "yes") || !strcmp(value, "true") || !strcmp(value, "1") ||
	       !strcmp(value, "enabled");
}

/* local, local1, local-2 ... */
static void look_at_local(void *ctx, const char *name)
{
	struct check *c = ctx;
	char path[400];
	const char *id;

	if (strncmp(name, "local", 5))
		return;
	snprintf(path, sizeof(path), "%s/%s", c->path, name);
	id = rsip_swan_get(c->conf, path, "id");
	if (id && !strcmp(id, rsip_ip4(c->lease->addr)))
		say(c, true,
		    "local.id is the shared address %s: every host behind it has that one "
		    "(RFC 3104 section 4); give this host a name of its own",
		    id);
	if (id || rsip_swan_get(c->conf, path, "certs"))
		c->has_id = true;
}

static void check_identity(struct check *c)
{
	c->has_id = false;
	rsip_swan_each(c->conf, c->path, look_at_local, c);
	if (!c->has_id)
		say(c, true,
		    "local.id is missing: it would be the shared address %s, the same for "
		    "every host behind it (RFC 3104 section 4); give this host a name of "
		    "its own",
		    rsip_ip4(c->lease->addr));
}

static void check_ike(struct check *c)
{
	const char *version = get(c, "version", "0");
	const char *addrs = get(c, "local_addrs", "%any");
	const char *port = get(c, "local_port", NULL);
	bool v1 = !strcmp(version, "1");
	uint16_t ours = c->lease->port ? c->lease->port : 500;

	if (!strstr(addrs, "%any") && !strstr(addrs, rsip_ip4(c->lease->addr)))
		say(c, false,
		    "it does not speak from the leased address (local_addrs = %s), but "
		    "ports and SPIs of this charon hold for it, too: rather give RSIP a "
		    "second charon (rsip-charon.service)",
		    addrs);
	if (port && atoi(port) != ours)
		say(c, true, "local_port = %s is not the IKE port %u of this charon: leave it away",
		    port, ours);
	if (v1 && !c->lease->port)
		say(c, false,
		    "IKEv1 from port 500: what the peer begins (its rekey of the IKE SA) "
		    "says nothing of the host it means and is dropped; leased ports "
		    "(--ike-ports 2) decide it");
	if (!strcmp(version, "0") && !c->lease->port)
		say(c, false,
		    "it takes IKEv1 from the peer, too, whose rekey from port 500 says nothing of the host it means: "
		    "say version = 2");
	if (!v1 && !strcmp(get(c, "rekey_time", "4h"), "0") && !strcmp(get(c, "reauth_time", "0"), "0"))
		say(c, false,
		    "rekey_time = 0: this end never rekeys the IKE SA; rekeys work, by either end (the label of its IKE "
		    "SPIs, or the leased port, finds this host)");
	if (!v1 && !c->lease->port && strcmp(get(c, "reauth_time", "0"), "0"))
		say(c, false,
		    "a reauthentication that the peer begins says nothing of the host "
		    "it means, from port 500: rekey instead, or lease ports "
		    "(--ike-ports 2)");
	if (!v1 && is_yes(get(c, "mobike", "yes")))
		say(c, false,
		    "mobike = yes moves IKE to %s after the first exchange, though there "
		    "is no NAT; it works, ESP stays as it is, but `mobike = no` is one "
		    "thing less to explain",
		    c->lease->port ? "port_nat_t" : "port 4500");
	if (is_yes(get(c, "encap", "no")))
		say(c, false,
		    "encap = yes puts ESP into UDP, which RSIP makes unnecessary (and AH "
		    "impossible)");
}

/* ---- traffic selectors ---- */

static bool is_dynamic(const char *ts)
{
	return !strncmp(ts, "dynamic", 7);
}

/* "dynamic[tcp/30720-30847]": the ports, or false where it names none. */
static bool port_selector(const char *ts, unsigned int *first, unsigned int *last)
{
	const char *bracket = strchr(ts, '['), *slash = bracket ? strchr(bracket, '/') : NULL;
	int n = slash ? sscanf(slash, "/%u-%u", first, last) : 0;

	if (n == 1)
		*last = *first;
	return n > 0;
}

/* A kernel keeps a range of ports as a mask: it must be a power of two, and aligned to it. */
static void check_port_selector(struct check *c, const char *child, unsigned int first,
				unsigned int last)
{
	unsigned int cnt = last - first + 1;

	for (unsigned int p = first; p <= last && p < 65536; p++) {
		if (rsip_portset_has(&c->lease->ports, p))
			continue;
		say(c, true, "child %s: port %u of its local_ts is not leased by this host", child,
		    p);
		return;
	}
	if (last < first || last > 65535 || cnt & (cnt - 1) || first % cnt)
		say(c, true,
		    "child %s: the ports %u-%u of its local_ts are not a power of two, "
		    "aligned to their number: kernels keep a mask and would take other "
		    "ports, too; lease such a block (--ports 128)",
		    child, first, last);
}

static void look_at_child(void *ctx, const char *name)
{
	struct check *c = ctx;
	unsigned int first, last;
	const char *mode, *ts, *vips = get(c, "vips", NULL);
	char path[400];

	snprintf(path, sizeof(path), "%s/children/%s", c->path, name);
	c->children++;
	mode = rsip_swan_get(c->conf, path, "mode");
	ts = rsip_swan_get(c->conf, path, "local_ts");
	mode = mode ? mode : "tunnel";
	ts = ts ? ts : "dynamic";
	if (!strcmp(mode, "pass") || !strcmp(mode, "drop"))
		return;
	if (port_selector(ts, &first, &last)) {
		check_port_selector(c, name, first, last);
		return;
	}
	if (!strcmp(mode, "transport"))
		say(c, false,
		    "child %s: in transport mode the peer has the same policy for every "
		    "host on the address, and the newest takes all traffic (RFC 3104 "
		    "section 3); if others here speak to this peer, select ports: "
		    "local_ts = dynamic[tcp/FIRST-LAST] with a leased, aligned block",
		    name);
	else if ((is_dynamic(ts) && !vips) || strstr(ts, rsip_ip4(c->lease->addr)))
		say(c, false,
		    "child %s: its inner address is the shared one, so the peer has the "
		    "same policy for every host on it (RFC 3104 section 3); if others "
		    "here speak to this peer, use an inner address of its own (vips = "
		    "0.0.0.0, or local_ts)",
		    name);
}

static void look_at_connection(void *ctx, const char *name)
{
	struct check *c = ctx;
	char path[400];

	c->conn = name;
	snprintf(c->path, sizeof(c->path), "connections/%s", name);
	snprintf(path, sizeof(path), "%s/children", c->path);
	check_identity(c);
	check_ike(c);
	rsip_swan_each(c->conf, path, look_at_child, c);
}

void rsip_swan_check(const struct rsip_swan *conf, const struct rsip_swan_lease *lease,
		     const struct rsip_swan_sink *sink)
{
	struct check c = {.conf = conf, .lease = lease, .sink = sink};

	rsip_swan_each(conf, "connections", look_at_connection, &c);
	c.conn = "all";
	if (lease->spis < c.children * SPIS_PER_CHILD)
		say(&c, false,
		    "%u children may need %u SPIs (%d each, for rekeys), and %u are "
		    "leased: --ike-spis %u saves a move later",
		    c.children, c.children * SPIS_PER_CHILD, SPIS_PER_CHILD, lease->spis,
		    c.children * SPIS_PER_CHILD);
}
