// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands about clients and bindings. */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "hosts6.h"
#include "json.h"
#include "log.h"
#include "util.h"

/* ---- as JSON ---------------------------------------------------------------------------------- */

static uint64_t seconds_since(uint64_t now_ns, uint64_t then_ns)
{
	int64_t passed_ns = (int64_t)(now_ns - then_ns); /* then may be before the boot: below zero */

	return passed_ns > 0 ? (uint64_t)passed_ns / RSIP_NS_PER_S : 0;
}

void rsip_ctl_add_iface(const struct rsip_ctl_call *call, cJSON *obj, const char *name,
			uint32_t index)
{
	struct rsip_iface rec;
	char text[sizeof(rec.name) + 1] = "";

	if (!rsip_dataplane_iface(call->ctx->dp, index, &rec))
		memcpy(text, rec.name, sizeof(rec.name));
	cJSON_AddStringToObject(obj, name, text);
}

static void add_ports(cJSON *obj, const struct rsip_port_set *ports)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "ports");

	for (uint16_t i = 0, j; i < ports->cnt; i = j) {
		char text[16];

		for (j = (uint16_t)(i + 1);
		     j < ports->cnt && ports->port[j] == ports->port[j - 1] + 1; j++)
			;
		if (j - i == 1)
			snprintf(text, sizeof(text), "%u", ports->port[i]);
		else
			snprintf(text, sizeof(text), "%u-%u", ports->port[i], ports->port[j - 1]);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
}

static void add_spis(cJSON *obj, const struct rsip_spi_set *spis)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "spis");

	for (uint16_t i = 0; i < spis->range_cnt; i++) {
		uint32_t first = spis->range[i].first, last = first + spis->range[i].cnt - 1;
		char text[32];

		if (first == last)
			snprintf(text, sizeof(text), "0x%08x", first);
		else
			snprintf(text, sizeof(text), "0x%08x-0x%08x", first, last);
		cJSON_AddItemToArray(list, cJSON_CreateString(text));
	}
}

static void add_counters(const struct rsip_ctl_call *call, cJSON *obj, uint32_t slot)
{
	struct rsip_bind_cnt cnt = {0, 0, 0, 0};

	call->ctx->dp->ops->bind_counters(call->ctx->dp, slot, &cnt);
	rsip_json_add_u64(obj, "in-packets", cnt.in_packets);
	rsip_json_add_u64(obj, "in-bytes", cnt.in_bytes);
	rsip_json_add_u64(obj, "out-packets", cnt.out_packets);
	rsip_json_add_u64(obj, "out-bytes", cnt.out_bytes);
}

cJSON *rsip_ctl_show_client(const struct rsip_ctl_call *call, const struct rsip_lease_client *c)
{
	cJSON *obj = cJSON_CreateObject();

	rsip_json_add_u64(obj, "client-id", c->client_id);
	cJSON_AddStringToObject(obj, "host", rsip_host_text(c->host));
	rsip_ctl_add_iface(call, obj, "interface", c->iface);
	cJSON_AddStringToObject(obj, "transport", rsip_transport_name(c->transport));
	cJSON_AddBoolToObject(obj, "verified", c->echoed);
	rsip_json_add_u64(obj, "bindings", c->bind_cnt);
	rsip_json_add_u64(obj, "ports", c->port_cnt);
	rsip_json_add_u64(obj, "spis", c->spi_cnt);
	rsip_json_add_u64(obj, "path-mtu", c->path_mtu);
	rsip_json_add_u64(obj, "age", seconds_since(call->now_ns, c->start_ns));
	rsip_json_add_u64(obj, "expires-in", seconds_since(c->expires_ns, call->now_ns));
	return obj;
}

/* Only where the flow policy has one: RFC 3103 7.2. */
static void add_remote(cJSON *obj, const struct rsip_lease_bind *b)
{
	char text[16];

	if (!b->remote)
		return;
	rsip_json_add_ip4(obj, "remote", b->remote);
	if (!b->remote_port_cnt)
		return;
	snprintf(text, sizeof(text), b->remote_port_cnt > 1 ? "%u-%u" : "%u", b->remote_port,
		 b->remote_port + b->remote_port_cnt - 1);
	cJSON_AddStringToObject(obj, "remote-ports", text);
}

/* Our end of its tunnel: over IPv6 it is the interface's. */
static void add_endpoint(const struct rsip_ctl_call *call, cJSON *obj, const struct rsip_lease_client *c,
			 const struct rsip_lease_bind *b)
{
	struct rsip_iface rec;

	if (!RSIP_HOST6_IS(c->host))
		rsip_json_add_ip4(obj, "endpoint", b->endpoint);
	else if (!rsip_dataplane_iface(call->ctx->dp, c->iface, &rec))
		cJSON_AddStringToObject(obj, "endpoint", rsip_ip6(rec.endpoint6));
}

/* The PPP interface that its packets come by; "" while there is none. */
static void add_session(const struct rsip_ctl_call *call, cJSON *obj, const struct rsip_lease_client *c)
{
	char name[IF_NAMESIZE] = "";
	uint32_t ifindex = call->ctx->dp->ops->session(call->ctx->dp, c->host);

	if (!ifindex || !if_indextoname(ifindex, name))
		*name = '\0';
	cJSON_AddStringToObject(obj, "session", name);
}

cJSON *rsip_ctl_show_bind(const struct rsip_ctl_call *call, const struct rsip_lease_client *c,
			  const struct rsip_lease_bind *b)
{
	const struct rsip_conf *conf = call->ctx->conf;
	cJSON *obj = cJSON_CreateObject();

	rsip_json_add_u64(obj, "bind-id", b->bind_id);
	rsip_json_add_u64(obj, "client-id", c->client_id);
	cJSON_AddStringToObject(obj, "host", rsip_host_text(c->host));
	cJSON_AddStringToObject(obj, "method", rsip_method_name(b->method));
	cJSON_AddBoolToObject(obj, "listen", b->kind & RSIP_KIND_LISTEN);
	cJSON_AddStringToObject(obj, "pool",
				b->pool < conf->pool_cnt ? conf->pool[b->pool].name : "");
	rsip_json_add_ip4(obj, "local", b->local);
	add_ports(obj, &b->ports);
	add_spis(obj, &b->spis);
	add_remote(obj, b);
	cJSON_AddStringToObject(obj, "tunnel", rsip_tunnel_name(b->tunnel));
	rsip_json_add_u64(obj, "mtu", b->mtu);
	cJSON_AddBoolToObject(obj, "mtu-learned", b->mtu_learned);
	rsip_conf_show_host_dscp(b->dscp, obj);
	add_endpoint(call, obj, c, b);
	if (b->tunnel == RSIP_TUNNEL_L2TP)
		add_session(call, obj, c);
	rsip_json_add_u64(obj, "age", seconds_since(call->now_ns, b->start_ns));
	rsip_json_add_u64(obj, "expires-in", seconds_since(b->expires_ns, call->now_ns));
	add_counters(call, obj, b->slot);
	return obj;
}

/* ---- one client or binding -------------------------------------------------------------------- */

static struct rsip_lease_client *client_of(struct rsip_ctl_call *call, bool by_host,
					   enum rsip_ctl_result *result)
{
	const cJSON *host = cJSON_GetObjectItemCaseSensitive(call->args, "host");
	struct rsip_lease_client *c = NULL;
	uint64_t id;
	int got = rsip_ctl_arg(call, "client-id", UINT32_MAX, &id);
	__be32 addr;

	*result = RSIP_CTL_ERROR;
	if (got < 0)
		return NULL;
	if (got + !!host != 1) {
		rsip_ctl_say(call, RSIP_CTL_ERROR,
			     by_host ? "give either client-id or host" : "client-id is missing");
		return NULL;
	}
	if (host && (!cJSON_IsString(host) || rsip_host_parse(host->valuestring, &addr) == -EINVAL)) {
		rsip_ctl_say(call, RSIP_CTL_ERROR, "host must be an IPv4 or IPv6 address");
		return NULL;
	}
	c = host ? rsip_lease_by_host(call->ctx->lm, addr)
		 : rsip_lease_by_id(call->ctx->lm, (uint32_t)id);
	*result = c ? RSIP_CTL_OK : RSIP_CTL_EMPTY;
	if (!c)
		rsip_ctl_say(call, RSIP_CTL_EMPTY, "no such client");
	return c;
}

static const struct rsip_lease_bind *
bind_of(struct rsip_ctl_call *call, struct rsip_lease_client **owner, enum rsip_ctl_result *result)
{
	const struct rsip_lease_bind *b;
	uint64_t id;
	int got = rsip_ctl_arg(call, "bind-id", UINT32_MAX, &id);

	*result = RSIP_CTL_ERROR;
	if (got == 0)
		rsip_ctl_say(call, RSIP_CTL_ERROR, "bind-id is missing");
	if (got <= 0)
		return NULL;
	b = rsip_lease_bind_by_id(call->ctx->lm, (uint32_t)id, owner);
	*result = b ? RSIP_CTL_OK : RSIP_CTL_EMPTY;
	if (!b)
		rsip_ctl_say(call, RSIP_CTL_EMPTY, "no such binding");
	return b;
}

enum rsip_ctl_result rsip_ctl_fn_CLIENT_GET(struct rsip_ctl_call *call)
{
	enum rsip_ctl_result result;
	struct rsip_lease_client *c = client_of(call, true, &result);

	if (!c)
		return result;
	cJSON_AddItemToObject(call->out, "client", rsip_ctl_show_client(call, c));
	return rsip_ctl_say(call, RSIP_CTL_OK, "client %u", c->client_id);
}

enum rsip_ctl_result rsip_ctl_fn_CLIENT_REMOVE(struct rsip_ctl_call *call)
{
	enum rsip_ctl_result result;
	struct rsip_lease_client *c = client_of(call, false, &result);
	uint32_t id, binds;
	__be32 host;

	if (!c)
		return result;
	id = c->client_id;
	host = c->host;
	binds = c->bind_cnt;
	rsip_lease_deregister(call->ctx->lm, c, RSIP_END_OPERATOR, call->now_ns);
	log_info("client %u (%s) removed with %u bindings: by %s", id, rsip_host_text(host), binds,
		 call->peer->who);
	return rsip_ctl_say(call, RSIP_CTL_OK, "client %u (%s) removed with %u bindings", id,
			    rsip_host_text(host), binds);
}

enum rsip_ctl_result rsip_ctl_fn_BINDING_GET(struct rsip_ctl_call *call)
{
	enum rsip_ctl_result result;
	struct rsip_lease_client *c;
	const struct rsip_lease_bind *b = bind_of(call, &c, &result);

	if (!b)
		return result;
	cJSON_AddItemToObject(call->out, "binding", rsip_ctl_show_bind(call, c, b));
	return rsip_ctl_say(call, RSIP_CTL_OK, "binding %u", b->bind_id);
}

enum rsip_ctl_result rsip_ctl_fn_BINDING_REMOVE(struct rsip_ctl_call *call)
{
	enum rsip_ctl_result result;
	struct rsip_lease_client *c;
	const struct rsip_lease_bind *b = bind_of(call, &c, &result);
	uint32_t id;

	if (!b)
		return result;
	id = b->bind_id;
	if (rsip_lease_free(call->ctx->lm, c, id, RSIP_END_OPERATOR, call->now_ns) != RSIP_OK)
		return rsip_ctl_say(call, RSIP_CTL_ERROR, "binding %u could not be removed", id);
	log_info("binding %u of client %u (%s) removed: by %s", id, c->client_id, rsip_host_text(c->host),
		 call->peer->who);
	return rsip_ctl_say(call, RSIP_CTL_OK, "binding %u of client %u removed", id, c->client_id);
}

/* ---- pages ------------------------------------------------------------------------------------ */

#define RSIP_CTL_CURSOR_MAX (1ULL << 53) /* JSON numbers are exact so far */

struct page {
	struct rsip_ctl_call *call;
	cJSON *list;
	uint64_t limit, cnt;
	uint64_t last; /* the last entry's place in the order; it stays when the entry has ended */
	bool more;
};

static bool page_begin(struct page *page, struct rsip_ctl_call *call, const char *name,
		       uint64_t *from)
{
	page->call = call;
	page->limit = RSIP_CTL_PAGE_DEFAULT;
	*from = 0;
	if (rsip_ctl_arg(call, "from", RSIP_CTL_CURSOR_MAX, from) < 0 ||
	    rsip_ctl_arg(call, "limit", RSIP_CTL_PAGE_MAX, &page->limit) < 0)
		return false;
	if (!page->limit) {
		rsip_ctl_say(call, RSIP_CTL_ERROR, "limit must be from 1 to %d", RSIP_CTL_PAGE_MAX);
		return false;
	}
	page->list = cJSON_CreateArray();
	cJSON_AddItemToObject(call->out, name, page->list);
	return true;
}

static enum rsip_ctl_result page_end(struct page *page, uint64_t total)
{
	rsip_json_add_u64(page->call->out, "count", page->cnt);
	rsip_json_add_u64(page->call->out, "total", total);
	if (page->more)
		rsip_json_add_u64(page->call->out, "next", page->last);
	return rsip_ctl_say(page->call, page->cnt ? RSIP_CTL_OK : RSIP_CTL_EMPTY, "%llu of %llu",
			    (unsigned long long)page->cnt, (unsigned long long)total);
}

static bool add_client(void *arg, const struct rsip_lease_client *c)
{
	struct page *page = arg;

	if (page->cnt == page->limit) {
		page->more = true;
		return false;
	}
	cJSON_AddItemToArray(page->list, rsip_ctl_show_client(page->call, c));
	page->last = c->seq;
	page->cnt++;
	return true;
}

static bool add_bind(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b)
{
	struct page *page = arg;

	if (page->cnt == page->limit) {
		page->more = true;
		return false;
	}
	cJSON_AddItemToArray(page->list, rsip_ctl_show_bind(page->call, c, b));
	page->last = b->seq;
	page->cnt++;
	return true;
}

enum rsip_ctl_result rsip_ctl_fn_CLIENT_GET_PAGE(struct rsip_ctl_call *call)
{
	struct page page = {.cnt = 0};
	uint64_t from;

	if (!page_begin(&page, call, "clients", &from))
		return RSIP_CTL_ERROR;
	rsip_lease_walk_clients(call->ctx->lm, from, add_client, &page);
	return page_end(&page, rsip_lease_client_count(call->ctx->lm));
}

enum rsip_ctl_result rsip_ctl_fn_BINDING_GET_PAGE(struct rsip_ctl_call *call)
{
	struct page page = {.cnt = 0};
	uint64_t from;

	if (!page_begin(&page, call, "bindings", &from))
		return RSIP_CTL_ERROR;
	rsip_lease_walk_binds(call->ctx->lm, from, add_bind, &page);
	return page_end(&page, rsip_lease_bind_count(call->ctx->lm));
}
