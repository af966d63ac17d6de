#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Fragments both ways, in every order, through the slow path: each reaches the right host (RFC 3102 3.1).
# MODE=native|generic|tc is the data plane's mode.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_MODE=${MODE:-native}
lab_up
check_eq "the local table comes after the rules for the slow path" "$(on gw ip rule | grep -n "lookup local" | cut -d : -f 1,2)" "3:3"
both_up --ports 16 --spis 4
A=$(lease hosta port) B=$(lease hostb port)
check_eq "the slow path is complete" "$(loader status --config $LAB/rsipd.json --json | js 'd["slow_path"]["complete"]')" True

# ---- from the peer: order, equal IDs, overlaps, floods -------------------------------------------------------------------

started_inside hosta sink-a.log "$PY" "$LAB_SRC/frags.py" sink "$A"
started_inside hostb sink-b.log "$PY" "$LAB_SRC/frags.py" sink "$B"
send() { on peer "$PY" "$LAB_SRC/frags.py" send eth0 "$(mac_of gw pub0)" $PEER $POOL "$@" >>$LAB/send.log 2>&1; }
got() { grep -c "^$2\$" "$LAB/sink-$1.log"; }
got_is() { [ "$(got "$1" "$2")" = "$3" ]; }

for order in forward backward shuffled; do
	send "$A" $order 10 a-$order
	check "a datagram of 4,000 bytes, its fragments $order: ten arrive" wait_for 3 got_is a a-$order 10
done
send "$A" interleaved 8 to-a "$B" to-b
check "two hosts, the same sender, other IDs, fragments interleaved: host A gets its own" wait_for 3 got_is a to-a 8
check "and host B its own" wait_for 3 got_is b to-b 8
send "$A" overlap 5 overlapping
send "$A" last-missing 5 incomplete
send "$A" forward 1 after
check "after overlaps and incomplete ones, a whole one still arrives" wait_for 3 got_is a after 1
check_eq "no overlapping datagram arrives" "$(got a overlapping)" 0
check_eq "and no incomplete one" "$(got a incomplete)" 0
check_ge "the kernel counts overlaps as failures" \
	"$(loader status --config $LAB/rsipd.json --json | js 'd["slow_path"]["reassembly"]["failures"]')" 1
check_eq "no connection is tracked" "$(on gw cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0)" 0

# ---- pings to the shared address: the gateway's to answer (RFC 3102 6.2) -----------------------------------------------

for size in 1473 3000 20000; do
	check "an echo request of $size bytes, in fragments: answered with its data" \
		on peer ping -n -q -c 2 -i 0.2 -W 5 -s $size $POOL
done
check_ge "and counted" "$(stat_of echo-answered)" 6
check_eq "none is dropped as a query" "$(stat_of icmp-query)" 0

# ---- from the hosts -------------------------------------------------------------------------------------------------------

started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
ask() { inside "$1" "$PY" "$LAB_SRC/frags.py" ask $PEER 7 "$2" "$3" 2>&1; }
check_eq "datagrams of 4,000 bytes from a host and back: lost" "$(ask hosta 20 4000)" 0
check_le "datagrams that fit the peer's link but not the tunnel: lost at most one, whose sender is told" "$(ask hostb 20 1470)" 1
check_eq "datagrams of 60,000 bytes: lost" "$(ask hosta 5 60000)" 0

# Tunnel packets of two hosts to one end, with one identification, their pieces interleaved: each is put together by itself.
started peer sink-peer.log "$PY" "$LAB_SRC/frags.py" sink 81
piece() { on "$1" "$PY" "$LAB_SRC/frags.py" tunnel eth0 "$(mac_of gw priv0)" "$2" $GW_PRIV $POOL "$3" $PEER 1400 "$4" 81 "of$1"; }
for i in 1 0; do piece hosta $HOSTA "$A" $i; piece hostb $HOSTB "$B" $i; done
for h in hosta hostb; do
	check "of two hosts' tunnel packets with the same identification, in interleaved pieces, $h's arrives" wait_for 3 got_is peer of$h 1
done

# ---- what does not fit the way out: its sender is told, in its tunnel ------------------------------------------------------

started_inside hosta hear.log "$PY" "$LAB_SRC/frags.py" hear
heard() { # or once more: rsipd has to see the new MTU
	on hosta "$PY" "$LAB_SRC/frags.py" tunnel eth0 "$(mac_of gw priv0)" $HOSTA $GW_PRIV $POOL "$A" $PEER 1400
	sleep 0.2
	grep -qx "1300 1400" $LAB/hear.log
}
on gw ip link set pub0 mtu 1300
check "a tunnel packet in fragments, inside DF and 1,400 bytes, over a link of 1,300: its host hears of it" wait_for 10 heard
on gw ip link set pub0 mtu 1500

# ---- last, because what it leaves behind lives on for ipfrag_time --------------------------------------------------------

told() { loader status --config $LAB/rsipd.json --json | js "d['slow_path']['reassembly']['$1']"; }
told_at_least() { [ "$(told "$1")" -ge "$2" ]; }
expired=$(told timeouts)
on gw sysctl -qw net.ipv4.ipfrag_time=1
send "$A" last-missing 5 late
check "what stays incomplete for ipfrag_time is given up, and counted" wait_for 5 told_at_least timeouts $((expired + 5))
on gw sysctl -qw net.ipv4.ipfrag_time=30

before=$(on gw cat /proc/sys/net/ipv4/ipfrag_high_thresh) refused=$(told failures)
send "$A" flood 4000 flood
used=$(on gw sed -n 's/^FRAG: inuse [0-9]* memory //p' /proc/net/sockstat)
check_le "a flood of first fragments takes no more memory than ipfrag_high_thresh" "$used" $((before + 65536))
check_ge "what it had no memory for is counted" "$(($(told failures) - refused))" 100
lab_end
