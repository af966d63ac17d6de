#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The host on an access network that has IPv6 alone: transport over UDP and TCP, and both tunnel types, to a gateway
# written by hand (fakegw.py), at a global and at a link-local address; with the address in a namespace and beside the
# host's others.  On kernels with ip6tnl and ip6gre the kernel's device is tried, too.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
A6=2001:db8:99::11 GW6=2001:db8:99::1 STRANGER6=2001:db8:99::66
lab_net || lab_abort "cannot build the network"
v6_on() { # NODE DEV
	on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 "net.ipv6.conf.$2.accept_dad=0" \
		"net.ipv6.conf.$2.disable_ipv6=0"
}
v6_on hosta eth0 && v6_on gw priv0 || { skip "IPv6: this kernel has none"; lab_end; }
on hosta ip addr flush dev eth0 scope global
on hosta ip addr add $A6/64 dev eth0 nodad
on gw ip addr add $GW6/64 dev priv0 nodad
on gw ip addr add $STRANGER6/64 dev priv0 nodad
on hosta ip -6 route add default via $GW6
link_local() { on "$1" ip -6 -br addr show dev "$2" scope link | grep -o 'fe80[^/]*'; }
wait_for 5 link_local gw priv0 && wait_for 5 link_local hosta eth0 || lab_abort "no link-local address: $(on gw ip -6 addr)"
LL=$(link_local gw priv0)%eth0

machine() { # ip6tnl0 and ip6gre0 come with the kernel's modules and stay with them
	on hosta ip -br link | grep -v '^ip6'
	on hosta ip -br addr | grep -v '^ip6'
	on hosta ip rule
	on hosta ip -4 route show table all
	on hosta ip -6 route show
	on hosta tc qdisc show | grep -v 'dev ip6'
	on hosta sysctl net.ipv4.conf.all.arp_ignore
}
before=$(machine)
fake() { # ADDRESS OPTION...: that gateway
	[ -z "${FAKE:-}" ] || stop $FAKE
	started gw fakegw.log "$PY" "$LAB_SRC/fakegw.py" "$1" $POOL "${@:2}"
	FAKE=$STARTED
}
up6() { # ADDRESS OPTION...
	HOST_GW=$1 host_up hosta --ports 8 "${@:2}" || { not_ok "up $*: $(cat $LAB/client-hosta.log)"; return 1; }
}
talks() { inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 50 20 0 "$1" >$LAB/talk.json 2>&1 && [ "$(js 'd["lost"]' <$LAB/talk.json)" = 0 ]; }
mtu() { client hosta status --json | js 'd["tunnel"]["mtu"]'; }
away() { client hosta down && machine >$LAB/after && check "$1: the host is what it was" diff - $LAB/after <<<"$before"; }

narrow() { # replace|del [WORDS]: the gateway's way to the host
	local to
	for to in $A6 "$(link_local hosta eth0)"; do on gw ip -6 route "$1" "$to/128" dev priv0 "${@:2}"; done
}
try() { # TRANSPORT TUNNEL-TYPE MTU KIND [ADDRESS]
	local what="$1, $2, $4" gw=${5:-[$GW6]} number=1
	[ "$2" = IP-IP ] || number=2
	fake "$(sed 's,[][],,g; s,%eth0,%priv0,' <<<"$gw")" --tunnel $number
	up6 "$gw" --transport "$1" --tunnel-type "$2" --tunnel "$4" || return
	check_eq "$what: the device leaves room for 40 bytes, and 4 of GRE" "$(mtu)" "$3"
	check "$what: datagrams there and back" talks 208
	check "$what: as large as fit" talks $(($3 - 28))
	narrow replace mtu 1400 # RFC 2473 7.2: the other end may fragment tunnel packets
	check "$what: in fragments of tunnel packets" talks $(($3 - 28))
	[ "$4" != bpf ] || check_eq "$what: which are put together" "$(client hosta status --json | js 'd["tunnel"]["counters"]["in-reassembled"]')" 20
	narrow del
	check_eq "$what: from the leased address and ports" "$(sed 1d $LAB/fakegw.log | head -n 1 |
		js 'd["source"] == "'$POOL'" and 4000 <= d["port"] <= 4007')" True
	away "$what"
}
kind=bpf
if on hosta ip link add name try6 type ip6tnl mode ipip6 local $A6 remote $GW6 2>/dev/null; then
	on hosta ip link del try6
	kind=auto # the programs have their turn below
fi
try udp IP-IP 1460 $kind
try tcp GRE 1456 $kind
try tcp IP-IP 1460 bpf "$LL"

# the traffic class is the inner packet's; what leaves is from the host's own address; both ways are counted
fake $GW6 --stranger $STRANGER6
up6 $GW6 --tunnel bpf
said=$(inside hosta "$PY" -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xb9)
s.settimeout(3)
s.sendto(b'hello', ('$PEER', 7))
print(s.recv(100).decode())")
check_eq "only what comes from the gateway for the leased address is taken" "$said" hello
check_eq "DSCP and ECN are copied, the source is ours" "$(tail -n 1 $LAB/fakegw.log | js 'd["from"], d["tos"]')" "('$A6', 185)"
check_eq "what came for another address is counted" "$(client hosta status --json | js 'd["tunnel"]["counters"]["in-not-leased"]')" 1
check "the peer's segments fit" eval '[ "$(nsenter --net=$LAB/client-hosta/netns ip -j link show rsip0 | js "d[0][\"mtu\"]")" = 1460 ]'
# killed and started again: the same leases; then down in its name
client_killed hosta
check "after a kill it goes on" up6 $GW6 --tunnel bpf
check_eq "with the lease that it had" "$(client hosta status --json | js 'd["bindings"][0]["bind-id"], d["gateway"]')" "(9, '$GW6')"
client_killed hosta
away "down, in the name of one that was killed"

# beside the host's own addresses
fake $GW6
up6 $GW6 --place host
check "place host: bound to the leased address" eval 'on hosta "$PY" -c "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((\"$POOL\", 4003)); s.settimeout(3); s.sendto(b\"hello\", (\"$PEER\", 7)); s.recv(100)"'
away "place host"

# from IPv4 to IPv6 when that gateway falls silent: nothing answers at 10.99.0.2
on hosta ip addr add $HOSTA/24 dev eth0
check "the IPv4 gateway is silent: the IPv6 one is used" up6 10.99.0.2,$GW6 --tunnel bpf
check_eq "and its tunnel has IPv6's MTU" "$(mtu)" 1460
check "datagrams there and back" talks 208
on hosta ip addr del $HOSTA/24 dev eth0
away "failover between families"

check "no route to the IPv4 gateway at all: likewise" up6 198.51.100.77,$GW6 --tunnel bpf
away "no route to the first"

# without --gateway: IPv6's default router, where IPv4 has none
host_default() { client hosta up --ports 8 >$LAB/client-hosta.log 2>&1; }
check "without --gateway the default router of IPv6 is it" host_default
check_eq "at its address" "$(client hosta status --json | js 'd["gateway"]')" $GW6
away "default router"
lab_end
