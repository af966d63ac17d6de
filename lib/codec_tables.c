// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What each message consists of (RFC 3103 9, RFC 3104 6.2), and how long each parameter may be (RFC
 * 3103 8).
 */
#include "codec_tables.h"
#include "util.h"

static const struct rsip_param_row params[] = {
	{ RSIP_PARAM_ADDRESS, 1, 1 + RSIP_FQDN_MAX },
	{ RSIP_PARAM_PORTS, 0, 1 + 2 * RSIP_PORTS_MAX },
	{ RSIP_PARAM_LEASE_TIME, 4, 4 },
	{ RSIP_PARAM_CLIENT_ID, 4, 4 },
	{ RSIP_PARAM_BIND_ID, 4, 4 },
	{ RSIP_PARAM_TUNNEL_TYPE, 1, 1 },
	{ RSIP_PARAM_METHOD, 1, 1 },
	{ RSIP_PARAM_ERROR, 2, 2 },
	{ RSIP_PARAM_FLOW_POLICY, 2, 2 },
	/* 8.10 draws two bytes, 9.14 says one: both are read, two are written. */
	{ RSIP_PARAM_INDICATOR, 1, 2 },
	{ RSIP_PARAM_MESSAGE_COUNTER, 4, 4 },
	{ RSIP_PARAM_VENDOR, 4, 65535 },
	{ RSIP_PARAM_SPI, 2, 65535 },
	/* Private use: what is not ours is ignored, so any length passes. */
	{ RSIP_PARAM_AUTH, 0, 65535 },
};

const struct rsip_role_row rsip_roles[RSIP_ROLE_CNT] = {
	[RSIP_ROLE_CLIENT_ID] = { RSIP_PARAM_CLIENT_ID, RSIP_HAS_CLIENT_ID, rsip_value_read_u32,
				  rsip_value_write_u32 },
	[RSIP_ROLE_BIND_ID] = { RSIP_PARAM_BIND_ID, RSIP_HAS_BIND_ID, rsip_value_read_u32,
				rsip_value_write_u32 },
	[RSIP_ROLE_LEASE] = { RSIP_PARAM_LEASE_TIME, RSIP_HAS_LEASE, rsip_value_read_u32,
			      rsip_value_write_u32 },
	[RSIP_ROLE_COUNTER] = { RSIP_PARAM_MESSAGE_COUNTER, RSIP_HAS_COUNTER, rsip_value_read_u32,
				rsip_value_write_u32 },
	[RSIP_ROLE_ERROR] = { RSIP_PARAM_ERROR, RSIP_HAS_ERROR, rsip_value_read_small,
			      rsip_value_write_small },
	[RSIP_ROLE_POLICY] = { RSIP_PARAM_FLOW_POLICY, RSIP_HAS_POLICY, rsip_value_read_small,
			       rsip_value_write_small },
	[RSIP_ROLE_LOCAL] = { RSIP_PARAM_ADDRESS, RSIP_HAS_LOCAL, rsip_value_read_address,
			      rsip_value_write_address },
	[RSIP_ROLE_REMOTE] = { RSIP_PARAM_ADDRESS, RSIP_HAS_REMOTE, rsip_value_read_address,
			       rsip_value_write_address },
	[RSIP_ROLE_ENDPOINT] = { RSIP_PARAM_ADDRESS, RSIP_HAS_ENDPOINT, rsip_value_read_address,
				 rsip_value_write_address },
	[RSIP_ROLE_LOCAL_PORTS] = { RSIP_PARAM_PORTS, RSIP_HAS_LOCAL_PORTS, rsip_value_read_ports,
				    rsip_value_write_ports },
	[RSIP_ROLE_REMOTE_PORTS] = { RSIP_PARAM_PORTS, RSIP_HAS_REMOTE_PORTS, rsip_value_read_ports,
				     rsip_value_write_ports },
	[RSIP_ROLE_SPIS] = { RSIP_PARAM_SPI, RSIP_HAS_SPIS, rsip_value_read_spis,
			     rsip_value_write_spis },
	[RSIP_ROLE_TUNNEL] = { RSIP_PARAM_TUNNEL_TYPE, 0, rsip_value_read_small,
			       rsip_value_write_small },
	[RSIP_ROLE_METHOD] = { RSIP_PARAM_METHOD, 0, rsip_value_read_small,
			       rsip_value_write_small },
	[RSIP_ROLE_TUPLE] = { RSIP_PARAM_INDICATOR, 0, NULL, NULL },
};

#define REQ(r)                                                                                     \
	{                                                                                          \
		RSIP_ROLE_##r, RSIP_NEED_ORDERED                                                   \
	}
#define ANY(r)                                                                                     \
	{                                                                                          \
		RSIP_ROLE_##r, RSIP_NEED_ANYWHERE                                                  \
	}
#define OPT(r)                                                                                     \
	{                                                                                          \
		RSIP_ROLE_##r, RSIP_NEED_OPTIONAL                                                  \
	}
#define REP(r)                                                                                     \
	{                                                                                          \
		RSIP_ROLE_##r, RSIP_NEED_REPEATED                                                  \
	}

/* In the order of each BNF. */
static const struct rsip_layout layouts[] = {
	{ RSIP_MSG_ERROR_RESPONSE,
	  false,
	  { REQ(ERROR), OPT(COUNTER), OPT(CLIENT_ID), OPT(BIND_ID) } },
	{ RSIP_MSG_REGISTER_REQUEST, true, { OPT(COUNTER) } },
	{ RSIP_MSG_REGISTER_RESPONSE,
	  false,
	  { REQ(CLIENT_ID), REQ(LEASE), REQ(POLICY), OPT(COUNTER), REP(METHOD), REP(TUNNEL) } },
	{ RSIP_MSG_DE_REGISTER_REQUEST, true, { REQ(CLIENT_ID), OPT(COUNTER) } },
	{ RSIP_MSG_DE_REGISTER_RESPONSE, false, { REQ(CLIENT_ID), OPT(COUNTER) } },
	{ RSIP_MSG_ASSIGN_REQUEST_RSA_IP,
	  true,
	  { REQ(CLIENT_ID), REQ(LOCAL), REQ(REMOTE), REQ(REMOTE_PORTS), OPT(COUNTER), OPT(LEASE),
	    OPT(TUNNEL) } },
	{ RSIP_MSG_ASSIGN_RESPONSE_RSA_IP,
	  false,
	  { REQ(CLIENT_ID), REQ(BIND_ID), REQ(LOCAL), REQ(REMOTE), REQ(REMOTE_PORTS), ANY(LEASE),
	    ANY(TUNNEL), OPT(ENDPOINT), OPT(COUNTER) } },
	{ RSIP_MSG_ASSIGN_REQUEST_RSAP_IP,
	  true,
	  { REQ(CLIENT_ID), REQ(LOCAL), REQ(LOCAL_PORTS), REQ(REMOTE), REQ(REMOTE_PORTS),
	    OPT(COUNTER), OPT(LEASE), OPT(TUNNEL) } },
	{ RSIP_MSG_ASSIGN_RESPONSE_RSAP_IP,
	  false,
	  { REQ(CLIENT_ID), REQ(BIND_ID), REQ(LOCAL), REQ(LOCAL_PORTS), REQ(REMOTE),
	    REQ(REMOTE_PORTS), ANY(LEASE), ANY(TUNNEL), OPT(ENDPOINT), OPT(COUNTER) } },
	{ RSIP_MSG_EXTEND_REQUEST,
	  true,
	  { REQ(CLIENT_ID), REQ(BIND_ID), OPT(LEASE), OPT(COUNTER) } },
	{ RSIP_MSG_EXTEND_RESPONSE,
	  false,
	  { REQ(CLIENT_ID), REQ(BIND_ID), REQ(LEASE), OPT(COUNTER) } },
	{ RSIP_MSG_FREE_REQUEST, true, { REQ(CLIENT_ID), REQ(BIND_ID), OPT(COUNTER) } },
	{ RSIP_MSG_FREE_RESPONSE, false, { REQ(CLIENT_ID), REQ(BIND_ID), OPT(COUNTER) } },
	{ RSIP_MSG_QUERY_REQUEST, true, { REQ(CLIENT_ID), OPT(COUNTER), REP(TUPLE) } },
	{ RSIP_MSG_QUERY_RESPONSE, false, { REQ(CLIENT_ID), OPT(COUNTER), REP(TUPLE) } },
	{ RSIP_MSG_LISTEN_REQUEST,
	  true,
	  { REQ(CLIENT_ID), REQ(LOCAL), REQ(LOCAL_PORTS), REQ(REMOTE), REQ(REMOTE_PORTS),
	    OPT(COUNTER), OPT(LEASE), REP(TUNNEL) } },
	{ RSIP_MSG_LISTEN_RESPONSE,
	  false,
	  { REQ(CLIENT_ID), REQ(BIND_ID), REQ(LOCAL), REQ(LOCAL_PORTS), REQ(REMOTE),
	    REQ(REMOTE_PORTS), ANY(TUNNEL), ANY(LEASE), OPT(ENDPOINT), OPT(COUNTER) } },
	{ RSIP_MSG_ASSIGN_REQUEST_RSIPSEC,
	  true,
	  { REQ(CLIENT_ID), REQ(LOCAL), REQ(LOCAL_PORTS), REQ(REMOTE), REQ(REMOTE_PORTS), REQ(SPIS),
	    OPT(COUNTER), OPT(LEASE), OPT(TUNNEL) } },
	{ RSIP_MSG_ASSIGN_RESPONSE_RSIPSEC,
	  false,
	  { REQ(CLIENT_ID), REQ(BIND_ID), REQ(LOCAL), REQ(LOCAL_PORTS), REQ(REMOTE),
	    REQ(REMOTE_PORTS), REQ(SPIS), ANY(LEASE), ANY(TUNNEL), OPT(ENDPOINT), OPT(COUNTER) } },
};

const struct rsip_param_row *rsip_param_row(uint8_t type)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(params); i++)
		if (params[i].type == type)
			return &params[i];
	return NULL;
}

const struct rsip_layout *rsip_layout(uint8_t type)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(layouts); i++)
		if (layouts[i].type == type)
			return &layouts[i];
	return NULL;
}

bool rsip_layout_ports_none(uint8_t type)
{
	return type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC || type == RSIP_MSG_ASSIGN_RESPONSE_RSIPSEC;
}

bool rsip_message_known(uint8_t type)
{
	return rsip_layout(type) != NULL;
}

bool rsip_message_is_request(uint8_t type)
{
	const struct rsip_layout *l = rsip_layout(type);

	return l && l->request;
}
