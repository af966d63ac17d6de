// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "advice.h"
#include "rsip/wire.h"
#include "util.h"

#define FORMAT                                                                                     \
	"client and gateway disagree about the protocol: update both; `rsip-client -v` shows the " \
	"message"
#define BY_ITSELF "the client registers and leases again by itself"

static const struct {
	unsigned int err;
	const char *text;
} advice[] = {
	{RSIP_ERR_UNKNOWN_ERROR, "the gateway's log says more (journalctl -u rsipd there)"},
	{RSIP_ERR_USE_TCP, "use --transport tcp"},
	{RSIP_ERR_FLOW_POLICY_VIOLATION,
	 "the gateway's flow policy needs to know the peer: give --remote ADDR, and --remote-port "
	 "under a policy of micro-flows; or ask for one port at a time"},
	{RSIP_ERR_INTERNAL_SERVER_ERROR,
	 "the gateway has a fault of its own: look at its log and disk, then try again"},
	{RSIP_ERR_MESSAGE_COUNTER_REQUIRED, FORMAT ", or use --transport tcp"},
	{RSIP_ERR_UNSUPPORTED_RSIP_VERSION,
	 "what answers there speaks another version of RSIP: is --gateway right?"},
	{RSIP_ERR_MISSING_PARAM, FORMAT},
	{RSIP_ERR_DUPLICATE_PARAM, FORMAT},
	{RSIP_ERR_EXTRA_PARAM, FORMAT},
	{RSIP_ERR_ILLEGAL_PARAM, FORMAT},
	{RSIP_ERR_BAD_PARAM,
	 "the gateway cannot read a value: are ports and SPIs in range (SPIs below 256 are "
	 "reserved)?  Else " FORMAT},
	{RSIP_ERR_ILLEGAL_MESSAGE, FORMAT},
	{RSIP_ERR_BAD_MESSAGE, FORMAT ", or something on the path changes the packets"},
	{RSIP_ERR_UNSUPPORTED_MESSAGE,
	 "the gateway does not offer this kind of lease: lease ports (--ports) instead, or its "
	 "operator must add the method to a pool"},
	{RSIP_ERR_REGISTER_FIRST, BY_ITSELF},
	{RSIP_ERR_ALREADY_REGISTERED,
	 "this address is registered already: run `rsip-client down` on the host that has it, or "
	 "`rsipctl client remove ID` on the gateway"},
	{RSIP_ERR_ALREADY_UNREGISTERED, BY_ITSELF},
	{RSIP_ERR_REGISTRATION_DENIED,
	 "the gateway does not serve this host: its operator must add the host's network to "
	 "clients.networks, or this host needs the right key"},
	{RSIP_ERR_BAD_CLIENT_ID, BY_ITSELF},
	{RSIP_ERR_BAD_BIND_ID, BY_ITSELF},
	{RSIP_ERR_BAD_TUNNEL_TYPE,
	 "the gateway does not offer this tunnel: use --tunnel-type IP-IP"},
	{RSIP_ERR_LOCAL_ADDR_UNAVAILABLE, "no address is left: try again later, release what you "
					  "do not need, or the gateway needs a "
					  "larger pool"},
	{RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, "not so many ports are left for this host: ask for "
					      "fewer (--ports), or wait two minutes for "
					      "those given back"},
	{RSIP_ERR_LOCAL_ADDR_INUSE, "another host has this address: leave --address away"},
	{RSIP_ERR_LOCAL_ADDRPORT_INUSE,
	 "another host has these ports: leave --port away, or choose others"},
	{RSIP_ERR_LOCAL_ADDR_UNALLOWED,
	 "this address is not of the gateway's pools for this host: leave --address away"},
	{RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED,
	 "the gateway keeps these ports (its own, or 500 and 4500, which need --listen and "
	 "--remote): choose others"},
	{RSIP_ERR_REMOTE_ADDR_UNALLOWED,
	 "the gateway's policy forbids this peer, or a program spoke to another than --remote"},
	{RSIP_ERR_REMOTE_ADDRPORT_UNALLOWED,
	 "the gateway's policy forbids this peer's port, or a program spoke to another than "
	 "--remote-port"},
	{RSIP_ERR_IPSEC_UNALLOWED, "this host may not lease SPIs: a pool for it needs the method "
				   "RSIPSEC, or lease ports only "
				   "(--spis 0)"},
	{RSIP_ERR_IPSEC_SPI_UNAVAILABLE,
	 "not so many SPIs are left for this host: ask for fewer (--spis), or release a binding"},
	{RSIP_ERR_IPSEC_SPI_INUSE, "another host has this SPI: let the gateway choose"},
};

const char *rsip_advice(unsigned int err)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(advice); i++)
		if (advice[i].err == err)
			return advice[i].text;
	return NULL;
}

const char *rsip_advice_text(int err, char *text, size_t size)
{
	const char *what = err > 0 ? rsip_advice(err) : NULL;

	if (err == -ETIMEDOUT)
		snprintf(text, size, "the gateway does not answer");
	else if (err == -EPROTO)
		snprintf(text, size,
			 "the gateway granted what was not asked for or cannot be used; it was "
			 "given "
			 "back (a private address needs --private-addresses yes)");
	else if (err == -EOPNOTSUPP)
		snprintf(text, size,
			 "the gateway named an end of the tunnel that cannot be used here: two for one address, or another "
			 "than itself (then --tunnel bpf can); it was given back");
	else if (err == -EADDRINUSE)
		snprintf(text, size,
			 "the gateway granted an address that this host has already; it was given "
			 "back");
	else if (err == -EADDRNOTAVAIL)
		snprintf(text, size,
			 "the gateway granted an address that this host speaks with: a gateway, a router, a DNS server, or a machine on a "
			 "network of its own, which it could not reach any more; it was given back (the gateway's pool is wrong, or "
			 "--place namespace keeps it apart)");
	else if (err < 0)
		snprintf(text, size, "%s", strerror(-err));
	else
		snprintf(text, size, "the gateway refuses: %s (%d): %s", rsip_err_name(err), err,
			 what ? what : "the gateway's log says more");
	return text;
}
