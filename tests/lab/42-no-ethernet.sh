#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Devices without Ethernet header, on both sides: the uplink and one private interface are TUN devices (as PPP and cellular
# modems are), the other private interface is Ethernet.  The loader takes TC for all of them.  Whole traffic, the slow path,
# ICMP that the gateway makes, hairpins between both kinds, and what must not pass.
#
#     hosta eth0 ----------- priv0 10.99.0.1 --+    +-- up0 192.0.2.1 ===(TUN)=== up0 192.0.2.2 peer
#                                              | gw |
#     hostc lan0 ===(TUN)=== priv1 10.96.0.1 --+    +
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
HOSTC=10.96.0.11 GW_PRIV1=10.96.0.1
LAB_PUBLIC='"up0"' LAB_PRIVATE='"priv0", "priv1"' LAB_CLIENTS='"10.99.0.0/24", "10.96.0.0/24"' LAB_MODE=auto
LAB_TOP='"policies": [ { "name": "l2tp", "clients": [ "'$HOSTB'/32" ], "tunnels": [ "L2TP" ] } ],'

[ -c /dev/net/tun ] || { skip "this kernel has no TUN"; lab_end; }
tun_cable() { started "$1" "cable-$2.log" "$PY" "$LAB_SRC/tuncable.py" "/run/netns/$(ns "$1")" "$2" "/run/netns/$(ns "$3")" "$4"; }
tuns() {
	node hostc || return 1
	on gw ip link del pub0 || return 1
	tun_cable gw up0 peer up0
	tun_cable gw priv1 hostc lan0
	on gw ip addr add $GW_PUB peer $PEER dev up0 && on peer ip addr add $PEER peer $GW_PUB dev up0 || return 1
	on gw ip addr add $GW_PRIV1 peer $HOSTC dev priv1 && on hostc ip addr add $HOSTC peer $GW_PRIV1 dev lan0 || return 1
	for l in "gw up0" "gw priv1" "peer up0" "hostc lan0"; do
		# shellcheck disable=SC2086
		set -- $l
		on "$1" ip link set "$2" up || return 1
	done
	on gw ip route add default dev up0
	on peer ip route add 203.0.113.0/24 dev up0 && on peer ip route add 10.0.0.0/8 dev up0
	on peer sysctl -qw net.ipv4.icmp_ratelimit=0
}
lab_up tuns
check_eq "the loader takes TC, and says so" "$(loader status --pin-path "$PIN" --json | js 'd["mode"]')" tc

host_up hosta --ports 16 || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
started hostc hostc.log "$PY" "$LAB_SRC/tunhost.py" $GW_PRIV1 16
read -r _ addr C <$LAB/hostc.log
check_eq "hosts on Ethernet and on TUN lease the same address" "$(lease hosta addr) $addr" "$POOL $POOL"
A=$(lease hosta port)
run() { if [ "$1" = hosta ]; then inside "$@"; else on "$@"; fi; }

# ---- whole traffic -----------------------------------------------------------------------------------------------------

mkdir -p $LAB/www && head -c 3000000 /dev/urandom >$LAB/www/file
serve peer
start peer iperf.log iperf3 -s -p 5201
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
wait_for 10 listens peer 5201 || lab_abort "the peer's iperf3 does not start"
for h in hosta hostc; do
	check "$h fetches a file" run $h curl -sS --max-time 20 -o $LAB/$h.file http://$PEER/file
	check "$h: it came unchanged" cmp $LAB/$h.file $LAB/www/file
	check "$h sends 4 MB" run $h iperf3 -J -c $PEER -p 5201 -n 4M
	run $h "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 500 500 >$LAB/$h-seq.json || not_ok "$h: no datagrams"
	check_eq "$h: datagrams there and back, lost" "$(js 'd["lost"] + d["doubled"] + (d["received"] != 500)' <$LAB/$h-seq.json)" 0
	check_eq "$h: datagrams of 4,000 bytes, in fragments there and back, lost" \
		"$(run $h "$PY" "$LAB_SRC/frags.py" ask $PEER 7 20 4000 2>&1)" 0
	check "$h pings" run $h ping -n -q -c 3 -i 0.2 -W 2 $PEER
done
check_eq "nothing was dropped" "$(drops)" 0
check_ge "fragments took the slow path" "$(stat_of fragment-passed)" 100

# ---- ICMP that the gateway makes ---------------------------------------------------------------------------------------

check "the gateway answers a ping to the shared address" on peer ping -n -q -c 2 -i 0.2 -W 2 $POOL
check_eq "and no host has seen it" "$(stat_of echo-answered)" 2
check "and one that comes in fragments" on peer ping -n -q -c 2 -i 0.2 -W 5 -s 3000 $POOL
hops() { sed -n 's/^ *[0-9]* *\([0-9.]*\) .*/\1/p' "$1" | tr '\n' ' '; }
for h in hosta hostc; do
	run $h traceroute -n -q 1 -w 2 -N 2 -I $PEER >$LAB/trace-$h.log 2>&1
	check_eq "$h: traceroute" "$(hops $LAB/trace-$h.log)" "$GW_PUB $PEER "
done
for p in "hosta $A" "hostc $C"; do
	on peer traceroute -n -q 1 -w 2 -N 2 -U -p "${p#* }" $POOL >$LAB/trace-in.log 2>&1
	check_eq "traceroute to ${p% *}, to its leased port" "$(hops $LAB/trace-in.log)" "$GW_PUB $POOL "
	on peer ip route flush cache
	on peer tracepath -n -p "${p#* }" $POOL >$LAB/path-in.log 2>&1
	check_eq "tracepath to ${p% *} finds the tunnel" "$(grep -o 'pmtu [0-9]*' $LAB/path-in.log | tail -1)" "pmtu 1480"
done
on gw ip route replace $PEER dev up0 src $GW_PUB mtu lock 1300
told_big() { run "$1" ping -n -c 1 -W 1 -M do -s 1400 $PEER 2>&1 | grep 'mtu[ =]*1300'; }
for h in hosta hostc; do
	check "$h: a ping too big for the way out is told so, in its tunnel" wait_for 3 told_big $h
	check_eq "$h: so its datagrams come in fragments that fit: lost" \
		"$(run $h "$PY" "$LAB_SRC/frags.py" ask $PEER 7 5 1360 2>&1)" 0
done
on gw ip route replace $PEER dev up0 src $GW_PUB

# ---- by hand: between hosts, and what must not pass ----------------------------------------------------------------------

# send SOURCE DESTINATION PROTOCOL INNER-SOURCE:PORT INNER-DESTINATION:PORT, or without an inner packet UDP to SOURCE:PORT
cat >$LAB/send.py <<-'EOT'
	import socket, sys
	import packets
	data = packets.udp(*sys.argv[-2].split(":"), *sys.argv[-1].split(":"), b"hand")
	if len(sys.argv) > 3:
	    data = packets.ip(sys.argv[1], sys.argv[2], 4, data)
	s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
	s.sendto(data, (socket.inet_ntoa(data[16:20]), 0))
EOT
send() { on "$1" "$PY" $LAB/send.py "${@:2}" || not_ok "$1 cannot send"; }
# counts REASON NAME NODE ARGUMENT...: one packet by hand, and what it was counted as
counts() {
	local before after
	before=$(stat_of "$1")
	send "${@:3}"
	wait_for 3 stat_is "$1" $((before + 1))
	after=$(stat_of "$1")
	check_eq "$2: $1" $((after - before)) 1
}
counted_by() { grep -c '^hand 63' $LAB/got-"$1".log || :; }
for h in hosta hostc; do
	cat >$LAB/got.py <<-'EOT'
		import socket
		s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
		print("ready", flush=True)
		while True:
		    d = s.recv(65535)
		    print(d[-4:].decode(errors="replace"), d[28], flush=True)
	EOT
	started $h got-$h.log "$PY" $LAB/got.py
done
counts hairpinned "from TUN to Ethernet, between hosts of one address" hostc $HOSTC $GW_PRIV1 $POOL:"$C" $POOL:"$A"
counts hairpinned "and the other way" hosta $HOSTA $GW_PRIV $POOL:"$A" $POOL:"$C"
check "host C has it, in its tunnel, its TTL one less" wait_for 3 eval '[ "$(counted_by hostc)" = 1 ]'
counts not-owner "host C with a port of host A's" hostc $HOSTC $GW_PRIV1 $POOL:"$A" $PEER:9
counts not-owner "somebody on TUN with host C's port" hostc 10.96.0.99 $GW_PRIV1 $POOL:"$C" $PEER:9
counts wrong-interface "host A's address on TUN" hostc $HOSTA $GW_PRIV1 $POOL:"$A" $PEER:9
counts local-port-unallowed "a port that nobody leases" hostc $HOSTC $GW_PRIV1 $POOL:9 $PEER:9
counts local-addr-unallowed "an address that is in no pool" hostc $HOSTC $GW_PRIV1 $HOSTC:"$C" $PEER:9
counts dst-unallowed "to a private network" hostc $HOSTC $GW_PRIV1 $POOL:"$C" $HOSTA:9
counts src-spoofed "from the uplink, with a pool address" peer $POOL:9 $POOL:"$C"
counts dst-private "from the uplink, into a private network" peer $PEER:9 $HOSTA:9
counts no-port "from the uplink, to a port that nobody leases" peer $PEER:9 $POOL:9

# ---- a session's interface, as 43-l2tp has it from pppd -------------------------------------------------------------------

tun_cable gw ppp7 hostb ppp7
on gw ip addr add 192.168.77.1 peer 192.168.77.10 dev ppp7 && on gw ip link set ppp7 mtu 1400 up
read -r addr B _ <<<"$(on hostb "$PY" "$LAB_SRC/l2tphost.py" lease $GW_PRIV 16 4)"
check_eq "host B leases the same address in a tunnel of type 3" "$addr" $POOL
on hostb ip addr add 192.168.77.10 peer 192.168.77.1 dev ppp7 && on hostb ip addr add $POOL/32 dev ppp7 && on hostb ip link set ppp7 up
on hostb ip route replace default dev ppp7 src $POOL
on hostb sysctl -qw net.ipv4.ip_local_port_range="$B $((B + 15))"
counts no-session "what comes before its session is up" peer $PEER:9 $POOL:"$B"
check "its session comes up" loader session-add ppp7 $HOSTB --pin-path "$PIN"
check "host B fetches a file" on hostb curl -sS --max-time 20 -o $LAB/hostb.file http://$PEER/file
check "it came unchanged" cmp $LAB/hostb.file $LAB/www/file
check_eq "fragments there and back, lost" "$(on hostb "$PY" "$LAB_SRC/frags.py" ask $PEER 7 20 4000 2>&1)" 0

# ---- the end ----------------------------------------------------------------------------------------------------------------

check "upgrade under way" loader upgrade --pin-path "$PIN"
for h in hosta hostc; do check "$h fetches a file after it" run $h curl -sS --max-time 20 -o $LAB/$h.file http://$PEER/file; done
kill $RSIPD && wait $RSIPD
check "detach" loader detach --pin-path "$PIN"
check_eq "nothing is left on the TUN devices" "$(for d in up0 priv1; do on gw tc qdisc show dev $d; done | grep -c clsact)" 0
lab_end
