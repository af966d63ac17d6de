#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# RFC 3104 Appendix F, "SOHO": a home with one public address.  It is the gateway's own; the television shares it by NAPT,
# two hosts by RSIP, each with IPsec (transport mode) to the same peer on the Internet.
#
#     hosta, hostb (RSIP, IPsec), host3 (a television) -- home network -- gw 192.0.2.1 -- isp -- peer 198.51.100.2
# shellcheck source=tests/vm/ipsec/show.sh
. "$(dirname "$0")/../ipsec/show.sh"
demo_begin "$@"
SA=esp-transport PORTS=leased HOSTS='hosta hostb'
POOL=$GW_PUB TV=$(addr_of host3)
LAB_POOL='{ "name": "home", "addresses": "'$POOL'", "kernel": { "ports": "32768-60999", "icmp_ids": "0-32767" },
	"nat": { "ports": "61000-65535", "networks": [ "'$TV'/32" ] } }'

bold "SOHO: one public address for the gateway itself, for NAPT, and for two RSIP hosts with IPsec (kernel $(uname -r))"
world
add_host host3 || die "no television"
mkdir -p $LAB/www && echo "hello from the peer" >$LAB/www/page
start peer web.log "$PY" -m http.server 80 --directory $LAB/www
wait_for 10 listens peer 80 || die "no web server on the peer"
echo "   the pool: $POOL, which is pub0's own address; ports 61000-65535 are the television's, 32768-60999 the gateway's"
page() { curl -sS --max-time 20 http://$PEER/page | grep -q "hello from the peer"; }
export -f page && export PEER

title "Two hosts lease from that address: ports for IKE and programs, SPIs for ESP"
demo_hosts
ctl bindings | show

title "Each sets up IPsec with the peer, end to end, and talks; meanwhile the television and the gateway fetch a page"
demo_sas
stream_start || die "no traffic"
napt=1 own=1
on host3 bash -c page && napt=0
on gw bash -c page && own=0
live 4
stream_end
no_nat=$(cat $LAB/ike-*/charon.log | grep -c -i 'nat.*\(detected\|behind\)')

title "On the public wire"
demo_wire
clean_esp() { # what is in the clear is the others' web
	js '(d["esp"] > 40 and not d["ah"] and not d["encap"] and not d["foreign"] and all(n for n in d["of"].values()) and
		all(":80 " in p for p in d["plain"]))' <$LAB/ipsec-wire.json | grep -q True || { cat $LAB/ipsec-wire.json; return 1; }
}
seen_web() { [ "$(seen peer src=$POOL proto=6 dport=80)" -gt 8 ]; }
proof "both hosts: ESP in transport mode with the peer, under their own SPIs, no UDP encapsulation" clean_esp
proof "neither strongSwan saw a NAT" [ "$no_nat" = 0 ]
proof "the television, without RSIP, fetched a page through NAPT meanwhile" [ $napt = 0 ]
proof "so did the gateway itself" [ $own = 0 ]
proof "both under the same address" seen_web
proof "no datagram of the hosts was lost" no_loss
demo_end
