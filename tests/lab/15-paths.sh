#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What operators find their way with: ping, traceroute and tracepath, through the gateway in both directions.
#
#     hosta, hostb -- lan -- gw -- peer, a router here -- far 198.51.100.7
# MODE=native|generic|tc is the data plane's mode.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
FAR=198.51.100.7
LAB_MODE=${MODE:-native}
behind_peer() {
	ip netns add "$(ns far)" && wire peer eth1 far eth0 || return 1
	on far ip link set lo up
	on peer ip link set eth1 up && on far ip link set eth0 up || return 1
	on peer ip addr add 198.51.100.1/24 dev eth1 && on far ip addr add $FAR/24 dev eth0 || return 1
	on far ip route add default via 198.51.100.1
	on peer sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0
	on far sysctl -qw net.ipv4.icmp_ratelimit=0
	on gw ip route add 198.51.100.0/24 via $PEER
}
lab_up behind_peer
both_up --ports 16
A=$(lease hosta port)

# ---- ping ---------------------------------------------------------------------------------------------------------------

start hosta ping-a.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- ping -n -q -i 0.2 -c 5 -W 2 $FAR
PING_A=$STARTED
start hostb ping-b.log "$BIN/rsip-client" exec --state-dir $LAB/client-hostb -- ping -n -q -i 0.2 -c 5 -W 2 $FAR
PING_B=$STARTED
finished "host A pings: every answer finds it" $PING_A $LAB/ping-a.log
finished "host B at the same time, from the same address: so do its" $PING_B $LAB/ping-b.log
check_eq "nobody lost one" "$(grep -ho '[0-9]* received' $LAB/ping-a.log $LAB/ping-b.log | sort -u)" "5 received"
check "the gateway answers a ping to the shared address" on far ping -n -q -c 2 -i 0.2 -W 2 $POOL
check_eq "and no host has seen it" "$(stat_of echo-answered)" 2

# ---- traceroute ------------------------------------------------------------------------------------------------------------

# hops NODE... : the addresses that answered, one for each hop
hops() { sed -n 's/^ *[0-9]* *\([0-9.]*\) .*/\1/p' "$1" | tr '\n' ' '; }
trace() { # LOG NODE ARG...: some tries, because probes may be lost
	local log=$LAB/$1 node=$2
	shift 2
	if [ "$node" = far ]; then on far traceroute -n -q 1 -w 2 "$@"; else inside "$node" traceroute -n -q 1 -w 2 "$@"; fi >"$log" 2>&1
}
OUT="$GW_PUB $PEER $FAR "
trace trace-udp.log hosta -N 4 $FAR
check_eq "traceroute from a host, UDP: the gateway is a hop, and each hop answers" "$(hops $LAB/trace-udp.log)" "$OUT"
trace trace-icmp.log hosta -I -N 4 $FAR
check_eq "traceroute -I: errors about a ping find their host, and the answer too" "$(hops $LAB/trace-icmp.log)" "$OUT"
serve far $LAB
trace trace-tcp.log hosta -T -p 80 -N 4 --sport="$A" $FAR
check_eq "traceroute -T" "$(hops $LAB/trace-tcp.log)" "$OUT"
trace trace-in.log far -U -p "$A" $POOL
check_eq "traceroute to a host, to its leased port: the gateway is a hop there, too" "$(hops $LAB/trace-in.log)" \
	"198.51.100.1 $GW_PUB $POOL "
check_ge "packets whose time ran out at the gateway" "$(stat_of ttl-exceeded)" 4

# ---- MTU -------------------------------------------------------------------------------------------------------------------

check "a ping that fills the tunnel" inside hosta ping -n -q -c 1 -W 2 -M do -s 1452 $FAR
inside hosta ping -n -c 1 -W 2 -M do -s 1453 $FAR >$LAB/ping-big.log 2>&1
check "one byte more is told at once, with the tunnel's MTU" grep -qi 'mtu[ =]*1480' $LAB/ping-big.log
on peer ip link set eth1 mtu 1300
inside hosta ping -n -c 1 -W 2 -M do -s 1400 $FAR >$LAB/ping-narrow.log 2>&1
check "a narrow link behind the gateway: its router's word finds the host that pinged" \
	grep -q 'Frag needed and DF set (mtu = 1300)' $LAB/ping-narrow.log
inside hosta tracepath -n $FAR >$LAB/tracepath-out.log 2>&1
check_eq "tracepath from a host finds the narrow link" "$(grep -o 'pmtu [0-9]*' $LAB/tracepath-out.log | tail -1)" "pmtu 1300"
check "and all hops" grep -q "$FAR.*reached" $LAB/tracepath-out.log
on peer ip link set eth1 mtu 1500
on peer ip route flush cache
on far tracepath -n -p "$A" $POOL >$LAB/tracepath-in.log 2>&1
check_eq "tracepath to a host finds the tunnel" "$(grep -o 'pmtu [0-9]*' $LAB/tracepath-in.log | tail -1)" "pmtu 1480"
lab_end
