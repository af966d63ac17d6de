// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Numbers to names: the tables of include/rsip/ as text. */
#include <stddef.h>

#include "rsip/reasons.h"
#include "rsip/wire.h"
#include "util.h"

const char *rsip_msg_name(unsigned int type)
{
	switch (type) {
#define X(sym, val, name) case val: return name;
	RSIP_MSG_TABLE(X)
#undef X
	}
	return "unknown";
}

const char *rsip_param_name(unsigned int type)
{
	switch (type) {
#define X(sym, val, name) case val: return name;
	RSIP_PARAM_TABLE(X)
#undef X
	}
	return "unknown";
}

const char *rsip_err_name(unsigned int err)
{
	switch (err) {
	case RSIP_OK: return "OK";
#define X(sym, val, name) case val: return name;
	RSIP_ERR_TABLE(X)
#undef X
	}
	return "unknown";
}

const char *rsip_tunnel_name(unsigned int tunnel)
{
	switch (tunnel) {
	case RSIP_TUNNEL_IPIP: return "IP-IP";
	case RSIP_TUNNEL_GRE: return "GRE";
	case RSIP_TUNNEL_L2TP: return "L2TP";
	}
	return "unknown";
}

const char *rsip_method_name(unsigned int method)
{
	switch (method) {
	case RSIP_METHOD_RSA_IP: return "RSA-IP";
	case RSIP_METHOD_RSAP_IP: return "RSAP-IP";
	case RSIP_METHOD_RSIPSEC: return "RSIPSEC";
	}
	return "unknown";
}

const char *rsip_transport_name(unsigned int transport)
{
	switch (transport) {
	case RSIP_TRANSPORT_UDP: return "UDP";
	case RSIP_TRANSPORT_TCP: return "TCP";
	}
	return "unknown";
}

const char *rsip_counter_name(unsigned int counter)
{
	switch (counter) {
#define X(sym, name, text) case RSIP_CNT_##sym: return name;
	RSIP_EVENT_TABLE(X)
#undef X
#define X(sym, name, text) case RSIP_DROP_##sym: return name;
	RSIP_DROP_TABLE(X)
#undef X
	}
	return NULL;
}

const char *rsip_counter_text(unsigned int counter)
{
	switch (counter) {
#define X(sym, name, text) case RSIP_CNT_##sym: return text;
	RSIP_EVENT_TABLE(X)
#undef X
#define X(sym, name, text) case RSIP_DROP_##sym: return text;
	RSIP_DROP_TABLE(X)
#undef X
	}
	return NULL;
}
