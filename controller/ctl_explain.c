// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* explain: which binding would get a packet, or why none.  The data plane's own program answers. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

#define PORT_IKE 500
#define PORT_NATT 4500

static const struct protocol {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "tcp", 6 }, { "udp", 17 }, { "ike", 17 }, { "udp-lite", 136 }, { "sctp", 132 },
	{ "dccp", 33 }, { "esp", 50 }, { "ah", 51 }, { "icmp", 1 },
};

/* ---- what is asked ---------------------------------------------------------------------------------------------- */

static bool wrong(struct rsip_ctl_call *call, const char *name, const char *what)
{
	rsip_ctl_say(call, RSIP_CTL_ERROR, "%s must be %s", name, what);
	return false;
}

static const cJSON *arg(const struct rsip_ctl_call *call, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(call->args, name);
}

static bool take_address(struct rsip_ctl_call *call, const char *name, __be32 *out)
{
	const cJSON *item = arg(call, name);

	if (!item || (cJSON_IsString(item) && !rsip_ip4_parse(item->valuestring, out)))
		return true;
	return wrong(call, name, "an IPv4 address");
}

/* Of either family; an IPv6 address that no host has is nobody's: 0. */
static bool take_host(struct rsip_ctl_call *call, __be32 *out)
{
	const cJSON *item = arg(call, "host");
	int err = !item ? 0 : cJSON_IsString(item) ? rsip_host_parse(item->valuestring, out) : -EINVAL;

	return err == -EINVAL ? wrong(call, "host", "an IPv4 or IPv6 address") : true;
}

/* A number, or text of one ("0x..."). */
static bool take_number(struct rsip_ctl_call *call, const char *name, uint64_t max, uint64_t *out)
{
	const cJSON *item = arg(call, name);
	char *end, what[64];

	*out = 0;
	if (!item || (rsip_json_integer(item, out) && *out <= max))
		return true;
	if (cJSON_IsString(item) && *item->valuestring && *item->valuestring != '-') {
		errno = 0;
		*out = strtoull(item->valuestring, &end, 0);
		if (!*end && !errno && *out <= max)
			return true;
	}
	snprintf(what, sizeof(what), "a whole number of at most %llu", (unsigned long long)max);
	return wrong(call, name, what);
}

static bool take_flag(struct rsip_ctl_call *call, const char *name, uint8_t *out)
{
	const cJSON *item = arg(call, name);

	if (item && !cJSON_IsBool(item))
		return wrong(call, name, "true or false");
	*out = cJSON_IsTrue(item);
	return true;
}

/* A name, or a number. */
static bool take_protocol(struct rsip_ctl_call *call, struct rsip_explain *x, bool *ike)
{
	const char *text = cJSON_GetStringValue(arg(call, "protocol"));
	uint64_t number;

	*ike = text && !strcmp(text, "ike");
	for (size_t i = 0; text && i < RSIP_ARRAY_LEN(protocols); i++) {
		if (strcmp(text, protocols[i].name))
			continue;
		x->proto = protocols[i].number;
		return true;
	}
	if (!arg(call, "protocol") || !rsip_json_integer(arg(call, "protocol"), &number) || number > 255)
		return wrong(call, "protocol", "tcp, udp, ike, esp, ah, icmp, sctp, dccp, udp-lite, or a number");
	x->proto = (uint8_t)number;
	return true;
}

static bool take_direction(struct rsip_ctl_call *call, struct rsip_explain *x)
{
	const char *text = arg(call, "direction") ? cJSON_GetStringValue(arg(call, "direction")) : "in";

	if (!text || (strcmp(text, "in") && strcmp(text, "out")))
		return wrong(call, "direction", "in (from the public realm) or out (from a host)");
	x->outbound = !strcmp(text, "out");
	return true;
}

/* Of an ICMP query, its reply, or an error about it. */
static bool take_identifier(struct rsip_ctl_call *call, struct rsip_explain *x)
{
	uint64_t number;

	if (!take_number(call, "identifier", 65535, &number))
		return false;
	if (arg(call, "identifier") && x->proto != 1)
		return wrong(call, "identifier", "left out, but for icmp");
	if (arg(call, "identifier"))
		x->spi = (uint32_t)number + 1;
	return true;
}

static bool take_numbers(struct rsip_ctl_call *call, struct rsip_explain *x)
{
	uint64_t port, remote_port, spi, icookie, rcookie, version;

	if (!take_number(call, "local-port", 65535, &port) || !take_number(call, "remote-port", 65535, &remote_port) ||
	    !take_number(call, "spi", UINT32_MAX, &spi) || !take_number(call, "icookie", UINT64_MAX, &icookie) ||
	    !take_number(call, "rcookie", UINT64_MAX, &rcookie) || !take_number(call, "ike-version", 2, &version))
		return false;
	x->local_port = (uint16_t)port;
	x->remote_port = (uint16_t)remote_port;
	x->spi = htonl((uint32_t)spi);
	x->icookie = htobe64(icookie);
	x->rcookie = htobe64(rcookie);
	x->ike_major = version ? (uint8_t)version : 2;
	return true;
}

/* UDP 500 and 4500 carry IKE, or, on 4500 and with an SPI, ESP. */
static bool set_ike(struct rsip_ctl_call *call, struct rsip_explain *x, bool ike)
{
	if (ike && !x->local_port)
		x->local_port = PORT_IKE;
	if (ike && !x->remote_port)
		x->remote_port = x->local_port == PORT_NATT ? PORT_NATT : PORT_IKE;
	if (x->proto != 17 || (x->local_port != PORT_IKE && x->local_port != PORT_NATT)) {
		if (ike)
			return wrong(call, "local-port", "500 or 4500 for ike (on another port it is udp)");
		return true;
	}
	x->ike = x->local_port == PORT_NATT && x->spi ? RSIP_EXPLAIN_ESP_IN_UDP : RSIP_EXPLAIN_COOKIES;
	return true;
}

static bool read_packet(struct rsip_ctl_call *call, struct rsip_explain *x)
{
	bool ike;

	if (!arg(call, "local"))
		return wrong(call, "local", "given: the leased address");
	if (!take_direction(call, x) || !take_protocol(call, x, &ike) || !take_address(call, "local", &x->local) ||
	    !take_address(call, "remote", &x->remote) || !take_host(call, &x->host) || !take_numbers(call, x) ||
	    !take_flag(call, "initiator", &x->ike_initiator) || !take_flag(call, "response", &x->ike_response) ||
	    !take_flag(call, "quoted", &x->quoted))
		return false;
	if (!take_identifier(call, x))
		return false;
	if (x->outbound && (!x->host || x->quoted))
		return wrong(call, x->quoted ? "quoted" : "host", x->quoted ? "left out for direction out" : "given for direction out");
	return set_ike(call, x, ike);
}

/* ---- what is answered --------------------------------------------------------------------------------------------- */

static const char *verdict_of(const struct rsip_explain *x)
{
	if (x->result == RSIP_EXPLAIN_TO_KERNEL)
		return "kernel";
	return x->result == RSIP_EXPLAIN_OWNED ? (x->outbound ? "allowed" : "delivered") : "dropped";
}

static enum rsip_ctl_result say_dropped(struct rsip_ctl_call *call, unsigned int reason, bool bound)
{
	const char *name = rsip_counter_name(reason), *text = rsip_counter_text(reason);

	cJSON_AddStringToObject(call->out, "reason", name ? name : "unknown");
	return rsip_ctl_say(call, RSIP_CTL_OK, "dropped: %s%s", text ? text : "unknown",
			    bound ? " (the binding it would belong to is shown)" : "");
}

static enum rsip_ctl_result answer(struct rsip_ctl_call *call, const struct rsip_explain *x)
{
	struct rsip_lease_client *owner = NULL;
	const struct rsip_lease_bind *b = x->bind_id ? rsip_lease_bind_by_id(call->ctx->lm, x->bind_id, &owner) : NULL;

	cJSON_AddStringToObject(call->out, "verdict", verdict_of(x));
	if (x->guessed)
		cJSON_AddBoolToObject(call->out, "guessed", true);
	if (b)
		cJSON_AddItemToObject(call->out, "binding", rsip_ctl_show_bind(call, owner, b));
	if (x->result < 0)
		return say_dropped(call, (unsigned int)-x->result, b != NULL);
	if (x->result == RSIP_EXPLAIN_TO_KERNEL)
		return rsip_ctl_say(call, RSIP_CTL_OK, "no binding claims it: it is the machine's own");
	return rsip_ctl_say(call, RSIP_CTL_OK, "%s by binding %u of host %s%s", verdict_of(x), x->bind_id,
			    owner ? rsip_host_text(owner->host) : "?",
			    x->guessed ? ", the only host that talks to this remote" : "");
}

enum rsip_ctl_result rsip_ctl_fn_EXPLAIN(struct rsip_ctl_call *call)
{
	struct rsip_explain x = { .now_ns = call->now_ns };
	int err;

	if (!read_packet(call, &x))
		return RSIP_CTL_ERROR;
	err = call->ctx->dp->ops->explain(call->ctx->dp, &x);
	if (err)
		return rsip_ctl_say(call, RSIP_CTL_ERROR, "the data plane cannot say: %s", strerror(-err));
	return answer(call, &x);
}
