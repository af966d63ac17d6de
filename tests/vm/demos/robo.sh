#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# RFC 3104 Appendix F, "ROBO": a branch office.  Its hosts reach the headquarters' network through the IPsec gateway
# there, each with a tunnel of its own, from one public address of the branch.
#
#     hosta, hostb -- branch network -- gw -- isp -- peer, headquarters' IPsec gateway -- hq 10.78.0.1, the intranet
# shellcheck source=tests/vm/ipsec/show.sh
. "$(dirname "$0")/../ipsec/show.sh"
demo_begin "$@"
SA=esp-tunnel PORTS=leased HOSTS='hosta hostb'

headquarters() {
	isp && ip netns add "$(ns hq)" && on hq ip link set lo up && wire peer eth1 hq eth0 || return 1
	plain peer eth1 && plain hq eth0 && on peer sysctl -qw net.ipv4.ip_forward=1 || return 1
	on peer ip addr add 10.78.0.254/24 dev eth1 && on hq ip addr add 10.78.0.1/24 dev eth0 &&
		on hq ip route add default via 10.78.0.254
}
bold "ROBO: two hosts of a branch, one public address, tunnels to headquarters' IPsec gateway (kernel $(uname -r))"
SWAN_INNER_PEER=10.78.0.1
world headquarters
on peer ip addr del $SWAN_INNER_PEER/32 dev lo # it is not the gateway's but the intranet's
on peer ip route replace 10.77.0.0/16 dev eth0
started hq echo-hq.log "$PY" "$LAB_SRC/udpseq.py" echo 7
mkdir -p $LAB/www && head -c 300000 /dev/urandom >$LAB/www/page
start hq web.log "$PY" -m http.server 80 --directory $LAB/www
wait_for 10 listens hq 80 || die "no intranet"

title "The hosts of the branch lease, and start strongSwan"
demo_hosts
ctl bindings | show

title "A tunnel each to headquarters; programs reach the intranet, which no router between knows"
demo_sas
fetch() { # NODE: a page of the intranet, from the inner address
	inside "$1" curl -sS --max-time 60 --interface "$(swan_inner "$1")" -o "$LAB/page-$1" http://$SWAN_INNER_PEER/page &&
		cmp "$LAB/page-$1" $LAB/www/page
}
stream_start || die "no traffic"
live 3
loader upgrade --config $LAB/rsipd.json >$LAB/upgrade.log 2>&1
upgraded=$?
renegotiate peer ike >$LAB/rekey 2>&1
rekeyed=$?
echo "   meanwhile headquarters rekeyed both IKE_SAs, and the branch gateway's programs were replaced"
live 3
stream_end
for_each "$HOSTS" fetch >$LAB/fetched
fetched=$?

title "On the public wire"
demo_wire
big=$(stat_of too-big)
proof "both hosts: ESP in tunnel mode to headquarters, under their own SPIs, no UDP encapsulation" clean_wire esp
proof "both fetched 300,000 bytes from the intranet" [ $fetched = 0 ]
proof "headquarters rekeyed both IKE_SAs" [ $rekeyed = 0 ]
proof "the gateway's programs were replaced under traffic" [ $upgraded = 0 ]
proof "no datagram was lost meanwhile" no_loss
proof "headquarters was told how large a packet may be ($big were too large), as its ESP forbids to cut them" [ "$big" -gt 0 ]
proof "every other packet the same at both hops, but for TTL and its checksum" wires_of same --unseen-in "$big"
demo_end
