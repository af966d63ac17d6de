#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The second half of make demo: two hosts with the strongSwan that Debian ships hold kernel ESP with one peer from one
# address, while the peer rekeys and rsipd is killed.  On a kernel without ESP it runs in a VM; where that cannot be
# either it is left out, because the first half has shown the rest.
#
#     hosta, hostb -- gw -- isp, a router -- peer
# shellcheck source=tests/vm/ipsec/show.sh
. "$(dirname "$0")/ipsec/show.sh"

# demo.sh can: exit status 0 if this kernel needs no VM for it
if [ "${1:-}" = can ]; then ipsec_can; exit; fi
DEMO_OPTIONAL=1
demo_begin "$@"
SA=esp-tunnel PORTS=label HOSTS='hosta hostb'

bold "Kernel IPsec: two hosts, one public address, one peer, ESP as it is (kernel $(uname -r))"
world

title "The hosts lease, and strongSwan is told by one file that rsip-client writes"
demo_hosts
for h in $HOSTS; do echo "   $h# rsip-client up --strongswan yes --ike-ports 0"; done
sed 's/^/      /' $LAB/ike-hosta/drop/*.conf

title "Both start at once: IKEv2 from port 500, a CHILD_SA in the kernel"
demo_sas

title "Datagrams both ways in ESP; meanwhile the peer rekeys, and rsipd is killed and started again"
stream_start || die "no traffic"
live 4
renegotiate peer child >$LAB/rekey 2>&1
rekeyed=$?
kill -KILL "$RSIPD"
wait "$RSIPD" 2>/dev/null
rsipd_start
live 4
stream_end

title "On the public wire"
demo_wire
proof "two stock strongSwan hosts, one address, one peer: ESP (protocol 50), no UDP encapsulation, nothing in the clear" clean_wire esp
proof "the peer rekeyed both CHILD_SAs" [ $rekeyed = 0 ]
proof "no datagram was lost, nor doubled, while it rekeyed and rsipd was killed" no_loss
proof "every packet the same at both hops, but for TTL and its checksum" wires_of same
proof "not one packet dropped" [ "$(drops)" = 0 ]
demo_end
