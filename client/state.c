// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Writing and reading the state file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "codec.h"
#include "json.h"
#include "state.h"

#define RSIP_STATE_FILE "client-state.json"
#define RSIP_STATE_MAX (1 << 20)
#define RSIP_STATE_VERSION 1

static bool is_kept(const struct rsip_lease *l)
{
	return l->state == RSIP_LEASE_HELD || (l->state == RSIP_LEASE_WANTED && !l->once) || (l->state == RSIP_LEASE_FREEING && l->bind_id);
}

static bool asks_for_a_lease(uint8_t type)
{
	return type == RSIP_MSG_ASSIGN_REQUEST_RSA_IP || type == RSIP_MSG_ASSIGN_REQUEST_RSAP_IP ||
	       type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC || type == RSIP_MSG_LISTEN_REQUEST;
}

void rsip_state_take(struct rsip_state *st, const struct rsip_session *s)
{
	bool asks = s->req.active && asks_for_a_lease(s->req.type) && s->client_id;

	st->local = s->local;
	st->gateway = s->gateway;
	st->transport = s->transport;
	st->tunnel = s->tunnel;
	st->client_id = s->client_id;
	/* A request on its way has used its number up. */
	st->next_counter = s->next_counter + s->req.active;
	st->expires_ns = s->expires_ns;
	st->auth_sent = s->auth_sent;
	st->auth_seen = s->auth_seen;
	st->lease_cnt = 0;
	st->asked = s->req;
	if (!asks)
		st->asked.len = 0;
	st->asked.lease = -1;
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		if (!is_kept(&s->leases[i]))
			continue;
		if (asks && i == s->req.lease)
			st->asked.lease = st->lease_cnt;
		st->leases[st->lease_cnt++] = s->leases[i];
	}
}

/* On its way again, as it was: its number is used up when it is answered, or not. */
static void ask_again(const struct rsip_state *st, struct rsip_session *s, uint64_t now_ns)
{
	int lease = st->asked.lease < 0 ? st->lease_cnt : st->asked.lease; /* a free one: what comes is given back */

	if (!st->asked.len || lease >= RSIP_LEASES_MAX)
		return;
	s->req = st->asked;
	s->req.active = true;
	s->req.lease = lease;
	s->req.query = -1;
	s->req.tries = 0;
	s->req.cut = s->transport == RSIP_TRANSPORT_TCP;
	s->req.next_ns = now_ns;
	s->req.wait_ns = RSIP_RETRY_FIRST_NS;
	s->next_counter = s->req.counter;
}

void rsip_state_give(const struct rsip_state *st, struct rsip_session *s, uint64_t now_ns)
{
	s->client_id = st->client_id;
	s->next_counter = st->next_counter;
	s->expires_ns = st->expires_ns;
	s->auth_sent = st->auth_sent;
	s->auth_seen = st->auth_seen;
	for (int i = 0; i < st->lease_cnt; i++) {
		s->leases[i] = st->leases[i];
		s->leases[i].act_ns = now_ns;
	}
	ask_again(st, s, now_ns);
}

static void read_boot_id(char id[64])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, id, 63);

	id[n > 0 ? n : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

/* ---- writing ---- */

static void add_pair(cJSON *array, uint64_t first, uint64_t cnt)
{
	cJSON *pair = cJSON_CreateObject();

	rsip_json_add_u64(pair, "first", first);
	rsip_json_add_u64(pair, "count", cnt);
	cJSON_AddItemToArray(array, pair);
}

/* Nanoseconds do not fit a double; milliseconds do. */
static void add_time(cJSON *obj, const char *name, uint64_t ns)
{
	rsip_json_add_u64(obj, name, ns == UINT64_MAX ? 0 : ns / 1000000);
}

/* 64 bits do not fit a double. */
static void add_number(cJSON *obj, const char *name, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	cJSON_AddStringToObject(obj, name, text);
}

static cJSON *lease_json(const struct rsip_lease *l)
{
	cJSON *obj = cJSON_CreateObject();
	cJSON *want = cJSON_AddObjectToObject(obj, "want");
	cJSON *ports = cJSON_AddArrayToObject(obj, "ports");
	cJSON *spis = cJSON_AddArrayToObject(obj, "spis");

	cJSON_AddBoolToObject(obj, "held", l->state == RSIP_LEASE_HELD);
	if (l->state == RSIP_LEASE_FREEING)
		cJSON_AddBoolToObject(obj, "freeing", true);
	if (l->again)
		cJSON_AddBoolToObject(obj, "again", true);
	cJSON_AddBoolToObject(obj, "any-instead", l->any_instead);
	rsip_json_add_u64(want, "method", l->want.method);
	rsip_json_add_u64(want, "ports", l->want.ports);
	rsip_json_add_u64(want, "port", l->want.port);
	rsip_json_add_u64(want, "spis", l->want.spis);
	rsip_json_add_u64(want, "spi", l->want.spi);
	rsip_json_add_u64(want, "lease", l->want.lease_s);
	rsip_json_add_u64(want, "purpose", l->want.purpose);
	cJSON_AddBoolToObject(want, "listen", l->want.listen);
	rsip_json_add_ip4(want, "remote", l->want.remote);
	rsip_json_add_u64(want, "remote-port", l->want.remote_port);
	rsip_json_add_ip4(want, "address", l->want.addr);
	rsip_json_add_u64(obj, "bind-id", l->bind_id);
	rsip_json_add_ip4(obj, "address", l->addr);
	cJSON_AddStringToObject(obj, "endpoint", rsip_inet_text(&l->endpoint));
	add_time(obj, "expires-ms", l->expires_ns);
	for (unsigned int i = 0; i < l->port_runs; i++)
		add_pair(ports, l->ports[i].first, l->ports[i].cnt);
	for (unsigned int i = 0; i < l->spi_runs; i++)
		add_pair(spis, l->spis[i].first, l->spis[i].cnt);
	return obj;
}

static void add_strongswan(cJSON *root, const struct rsip_strongswan *sw)
{
	cJSON *obj = cJSON_AddObjectToObject(root, "strongswan");

	cJSON_AddStringToObject(obj, "dir", sw->dir);
	cJSON_AddStringToObject(obj, "vici", sw->vici);
	cJSON_AddStringToObject(obj, "file", sw->file);
	cJSON_AddBoolToObject(obj, "by-settings", sw->by_settings);
	rsip_json_add_u64(obj, "binding", sw->started.bind_id);
	rsip_json_add_u64(obj, "port", sw->started.port);
	rsip_json_add_u64(obj, "port-nat-t", sw->started.port_nat_t);
	rsip_json_add_u64(obj, "label", sw->started.label);
}

static void add_asked(cJSON *root, const struct rsip_state *st)
{
	static const char digits[] = "0123456789abcdef";
	cJSON *obj = cJSON_AddObjectToObject(root, "asked");
	char hex[2 * RSIP_REQUEST_MAX + 1];

	for (size_t i = 0; i < st->asked.len; i++) {
		hex[2 * i] = digits[st->asked.buf[i] >> 4];
		hex[2 * i + 1] = digits[st->asked.buf[i] & 15];
	}
	hex[2 * st->asked.len] = '\0';
	cJSON_AddStringToObject(obj, "message", hex);
	add_time(obj, "first-ms", st->asked.first_ns);
	rsip_json_add_u64(obj, "port", st->asked_port);
}

char *rsip_state_text(const struct rsip_state *st, const char *boot_id)
{
	cJSON *obj = cJSON_CreateObject();
	cJSON *leases = cJSON_AddArrayToObject(obj, "leases");
	char *text;

	rsip_json_add_u64(obj, "version", RSIP_STATE_VERSION);
	cJSON_AddStringToObject(obj, "boot-id", boot_id);
	cJSON_AddStringToObject(obj, "device", st->device);
	rsip_json_add_u64(obj, "nic", st->nic);
	cJSON_AddBoolToObject(obj, "own-qdisc", st->own_qdisc);
	cJSON_AddBoolToObject(obj, "own-arp", st->own_arp);
	if (*st->ports.range) {
		cJSON_AddStringToObject(obj, "ports-range", st->ports.range);
		cJSON_AddStringToObject(obj, "ports-reserved", st->ports.reserved);
	}
	rsip_json_add_u64(obj, "table", st->table);
	cJSON_AddStringToObject(obj, "local", rsip_inet_text(&st->local));
	cJSON_AddStringToObject(obj, "gateway", rsip_inet_text(&st->gateway));
	rsip_json_add_u64(obj, "transport", st->transport);
	rsip_json_add_u64(obj, "tunnel-type", st->tunnel);
	rsip_json_add_u64(obj, "client-id", st->client_id);
	rsip_json_add_u64(obj, "next-counter", st->next_counter);
	add_time(obj, "expires-ms", st->expires_ns);
	rsip_json_add_u64(obj, "key-id", st->key_id);
	cJSON_AddStringToObject(obj, "key-file", st->key_file);
	add_number(obj, "auth-sent", st->auth_sent);
	add_number(obj, "auth-seen", st->auth_seen);
	if (st->sw.on)
		add_strongswan(obj, &st->sw);
	if (st->asked.len)
		add_asked(obj, st);
	for (int i = 0; i < st->lease_cnt; i++) {
		cJSON *lease = lease_json(&st->leases[i]);

		if (st->asked.len && st->asked.lease == i)
			cJSON_AddBoolToObject(lease, "asked", true);
		cJSON_AddItemToArray(leases, lease);
	}
	text = cJSON_Print(obj);
	cJSON_Delete(obj);
	return text;
}

int rsip_state_save(const struct rsip_state *st, const char *state_dir)
{
	char path[PATH_MAX], fresh[PATH_MAX], boot[64], *text;
	int fd, err = 0;

	read_boot_id(boot);
	text = rsip_state_text(st, boot);
	if (!text)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s/" RSIP_STATE_FILE, state_dir);
	snprintf(fresh, sizeof(fresh), "%s/" RSIP_STATE_FILE ".new", state_dir);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		errno = ENOSPC; /* for a write that is only short */
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || rename(fresh, path))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		unlink(fresh);
	free(text);
	return err;
}

void rsip_state_remove(const char *state_dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/" RSIP_STATE_FILE ".new", state_dir); /* of one that was killed while it wrote */
	unlink(path);
	snprintf(path, sizeof(path), "%s/" RSIP_STATE_FILE, state_dir);
	unlink(path);
}

/* ---- reading ---- */

static __be32 get_ip4(const cJSON *obj, const char *name)
{
	__be32 addr = 0;

	rsip_ip4_parse(rsip_json_get_string(obj, name, "0.0.0.0"), &addr);
	return addr;
}

static struct rsip_inet get_inet(const cJSON *obj, const char *name)
{
	struct rsip_inet addr = {0};

	rsip_inet_parse(rsip_json_get_string(obj, name, ""), &addr);
	return addr;
}

static uint64_t get_time(const cJSON *obj, const char *name)
{
	uint64_t ms = rsip_json_get_u64(obj, name, 0);

	return ms ? ms * 1000000 : UINT64_MAX;
}

static void read_text(const cJSON *obj, const char *name, char *text, size_t size)
{
	snprintf(text, size, "%s", rsip_json_get_string(obj, name, ""));
}

/* What a damaged file says must not become a route, a port or a message. */
static bool is_sound(const struct rsip_lease *l)
{
	if (!rsip_lease_runs_exist(l->ports, l->port_runs, l->spis, l->spi_runs))
		return false;
	if (l->want.ports > RSIP_LEASE_PORTS_MAX || l->want.purpose > RSIP_FOR_USER ||
	    l->want.method < RSIP_METHOD_RSA_IP || l->want.method > RSIP_METHOD_RSIPSEC)
		return false;
	if (l->want.spi && (l->want.spi < 256 || l->want.spi + (uint64_t)l->want.spis > 1ULL << 32))
		return false;
	if (l->want.port && l->want.port + (uint32_t)l->want.ports > 65536)
		return false;
	if (l->state == RSIP_LEASE_FREEING)
		return l->bind_id;
	return l->state == RSIP_LEASE_WANTED || (l->bind_id && l->addr && l->endpoint.family);
}

static bool is_true(const cJSON *obj, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, name));
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Only a request for a lease, of that registration, and the last that it made. */
static bool is_asked(const struct rsip_state *st, struct rsip_request *r)
{
	struct rsip_message m;

	if (rsip_decode(r->buf, r->len, &m) || !asks_for_a_lease(m.type))
		return false;
	r->type = m.type;
	r->counter = m.counter;
	return m.has & RSIP_HAS_CLIENT_ID && m.client_id == st->client_id && m.has & RSIP_HAS_COUNTER && m.counter &&
	       st->client_id && st->next_counter && m.counter + 1 == st->next_counter;
}

static void read_asked(struct rsip_state *st, const cJSON *obj)
{
	const char *hex = rsip_json_get_string(obj, "message", "");
	struct rsip_request *r = &st->asked;
	size_t len = strlen(hex) / 2;

	if (!obj || strlen(hex) % 2 || len > sizeof(r->buf))
		return;
	for (size_t i = 0; i < len; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return;
		r->buf[i] = high << 4 | low;
	}
	r->len = len;
	r->first_ns = rsip_json_get_u64(obj, "first-ms", 0) * 1000000;
	st->asked_port = rsip_json_get_u64(obj, "port", 0);
	if (!is_asked(st, r))
		r->len = 0;
}

static void read_lease(struct rsip_lease *l, const cJSON *obj)
{
	const cJSON *want = cJSON_GetObjectItemCaseSensitive(obj, "want");
	const cJSON *pair;

	memset(l, 0, sizeof(*l));
	l->state = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "held")) ? RSIP_LEASE_HELD
									       : RSIP_LEASE_WANTED;
	if (is_true(obj, "freeing"))
		l->state = RSIP_LEASE_FREEING;
	l->again = l->state == RSIP_LEASE_FREEING && is_true(obj, "again");
	l->any_instead = is_true(obj, "any-instead");
	l->want.method = rsip_json_get_u64(want, "method", RSIP_METHOD_RSAP_IP);
	l->want.ports = rsip_json_get_u64(want, "ports", 0);
	l->want.port = rsip_json_get_u64(want, "port", 0);
	l->want.spis = rsip_json_get_u64(want, "spis", 0);
	l->want.spi = rsip_json_get_u64(want, "spi", 0);
	l->want.lease_s = rsip_json_get_u64(want, "lease", 0);
	l->want.purpose = rsip_json_get_u64(want, "purpose", RSIP_FOR_SETTINGS);
	l->want.listen = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(want, "listen"));
	l->want.remote = get_ip4(want, "remote");
	l->want.remote_port = rsip_json_get_u64(want, "remote-port", 0);
	l->want.addr = get_ip4(want, "address");
	l->bind_id = rsip_json_get_u64(obj, "bind-id", 0);
	l->addr = get_ip4(obj, "address");
	l->endpoint = get_inet(obj, "endpoint");
	l->expires_ns = get_time(obj, "expires-ms");
	cJSON_ArrayForEach (pair, cJSON_GetObjectItemCaseSensitive(obj, "ports"))
		if (l->port_runs < RSIP_LEASE_PORTS_MAX)
			l->ports[l->port_runs++] =
				(struct rsip_port_run){rsip_json_get_u64(pair, "first", 0),
						       rsip_json_get_u64(pair, "count", 0)};
	cJSON_ArrayForEach (pair, cJSON_GetObjectItemCaseSensitive(obj, "spis"))
		if (l->spi_runs < RSIP_LEASE_SPIS_MAX)
			l->spis[l->spi_runs++] =
				(struct rsip_spi_run){rsip_json_get_u64(pair, "first", 0),
						      rsip_json_get_u64(pair, "count", 0)};
}

static void read_strongswan(struct rsip_strongswan *sw, const cJSON *obj)
{
	if (!obj)
		return;
	sw->on = true;
	snprintf(sw->dir, sizeof(sw->dir), "%s", rsip_json_get_string(obj, "dir", ""));
	snprintf(sw->vici, sizeof(sw->vici), "%s", rsip_json_get_string(obj, "vici", ""));
	snprintf(sw->file, sizeof(sw->file), "%s", rsip_json_get_string(obj, "file", ""));
	sw->by_settings = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "by-settings"));
	sw->started.bind_id = rsip_json_get_u64(obj, "binding", 0);
	sw->started.port = rsip_json_get_u64(obj, "port", 0);
	sw->started.port_nat_t = rsip_json_get_u64(obj, "port-nat-t", 0);
	sw->started.label = rsip_json_get_u64(obj, "label", 0);
}

static int read_state(struct rsip_state *st, const cJSON *obj, const char *boot)
{
	const cJSON *lease;

	if (rsip_json_get_u64(obj, "version", 0) != RSIP_STATE_VERSION)
		return -EBADMSG;
	if (strcmp(rsip_json_get_string(obj, "boot-id", ""), boot))
		return -ENOENT;
	snprintf(st->device, sizeof(st->device), "%s", rsip_json_get_string(obj, "device", ""));
	st->nic = rsip_json_get_u64(obj, "nic", 0);
	st->own_qdisc = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "own-qdisc"));
	st->table = rsip_json_get_u64(obj, "table", 0);
	read_text(obj, "ports-range", st->ports.range, sizeof(st->ports.range));
	read_text(obj, "ports-reserved", st->ports.reserved, sizeof(st->ports.reserved));
	st->own_arp = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(obj, "own-arp"));
	st->local = get_inet(obj, "local");
	st->gateway = get_inet(obj, "gateway");
	st->transport = rsip_json_get_u64(obj, "transport", RSIP_TRANSPORT_UDP);
	st->tunnel = rsip_json_get_u64(obj, "tunnel-type", RSIP_TUNNEL_IPIP);
	st->client_id = rsip_json_get_u64(obj, "client-id", 0);
	st->next_counter = rsip_json_get_u64(obj, "next-counter", 0);
	st->expires_ns = get_time(obj, "expires-ms");
	st->key_id = rsip_json_get_u64(obj, "key-id", 0);
	read_text(obj, "key-file", st->key_file, sizeof(st->key_file));
	st->auth_sent = strtoull(rsip_json_get_string(obj, "auth-sent", "0"), NULL, 10);
	st->auth_seen = strtoull(rsip_json_get_string(obj, "auth-seen", "0"), NULL, 10);
	st->asked.lease = -1;
	read_asked(st, cJSON_GetObjectItemCaseSensitive(obj, "asked"));
	read_strongswan(&st->sw, cJSON_GetObjectItemCaseSensitive(obj, "strongswan"));
	cJSON_ArrayForEach (lease, cJSON_GetObjectItemCaseSensitive(obj, "leases"))
		if (st->lease_cnt < RSIP_LEASES_MAX) {
			struct rsip_lease *l = &st->leases[st->lease_cnt];

			read_lease(l, lease);
			if (!is_sound(l))
				continue;
			if (is_true(lease, "asked") && l->state == RSIP_LEASE_WANTED)
				st->asked.lease = st->lease_cnt;
			st->lease_cnt++;
		}
	return 0;
}

int rsip_state_parse(struct rsip_state *st, const char *text, size_t len, const char *boot_id)
{
	struct rsip_json_error bad;
	cJSON *obj = rsip_json_parse(text, len, 0, &bad);
	int err = -EBADMSG;

	memset(st, 0, sizeof(*st));
	if (obj)
		err = read_state(st, obj, boot_id);
	cJSON_Delete(obj);
	return err;
}

int rsip_state_load(struct rsip_state *st, const char *state_dir)
{
	char path[PATH_MAX], boot[64], *text;
	size_t len;
	int err;

	memset(st, 0, sizeof(*st));
	snprintf(path, sizeof(path), "%s/" RSIP_STATE_FILE, state_dir);
	err = rsip_json_read_file(path, RSIP_STATE_MAX, &text, &len);
	if (err)
		return err;
	read_boot_id(boot);
	err = rsip_state_parse(st, text, len, boot);
	free(text);
	return err;
}
