#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Two private and two public interfaces: hosts on both LANs share one address and talk to peers behind both public
# interfaces; a host cannot use what was leased on the other LAN.
#
#     hosta, hostb -- priv0 10.99.0.1 --+    +-- pub0 192.0.2.1 ---- peer  192.0.2.2
#                                       | gw |
#     hostc        -- priv1 10.96.0.1 --+    +-- pub1 198.51.100.1 - peer2 198.51.100.2
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_PUBLIC='"pub0", "pub1"' LAB_PRIVATE='"priv0", "priv1"'
LAB_CLIENTS='"10.99.0.0/24", "10.96.0.0/24"'
HOSTC=10.96.0.11 GW_PRIV1=10.96.0.1 PEER2=198.51.100.2

second_side() {
	local n
	for n in hostc peer2; do
		ip netns add "$(ns $n)" || return 1
		on $n ip link set lo up
	done
	wire hostc eth0 gw priv1 && wire peer2 eth0 gw pub1 || return 1
	plain hostc eth0 && plain peer2 eth0 || return 1
	for n in priv1 pub1; do
		on gw ethtool -K $n tx off txvlan off >/dev/null 2>&1
		on gw ip link set $n up
	done
	on gw ip addr add $GW_PRIV1/24 dev priv1 && on gw ip addr add 198.51.100.1/24 dev pub1
	on hostc ip addr add $HOSTC/24 dev eth0 && on hostc ip route add default via $GW_PRIV1
	on peer2 ip addr add $PEER2/24 dev eth0 && on peer2 ip route add default via 198.51.100.1
}
lab_up second_side
both_up --ports 8 --spis 4
HOST_GW=$GW_PRIV1 host_up hostc --ports 8 --spis 4 || lab_abort "hostc does not lease: $(tail -n 3 $LAB/client-hostc.log)"
check_eq "hosts on both LANs lease the same address" "$(lease hosta addr) $(lease hostc addr)" "$POOL $POOL"

started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
started peer2 echo2.log "$PY" "$LAB_SRC/udpseq.py" echo 7
for h in hosta hostb hostc; do
	for p in $PEER $PEER2; do
		inside $h "$PY" "$LAB_SRC/udpseq.py" run $p 7 200 100 >$LAB/seq.json
		check_eq "$h and $p: lost" "$(js 'd["lost"] + (d["received"] != 100)' <$LAB/seq.json)" 0
	done
done
for i in priv0 priv1; do
	check_ge "$i: decapsulated" "$(ctl --json stats | js "[i['events']['decapsulated'] for i in d['interfaces'] if i['name'] == '$i'][0]")" 190
done

# A route may depend on more than the destination: what one host's packets found is not another's.
one() { inside "$1" taskset -c 0 "$PY" "$LAB_SRC/frags.py" ask $PEER 7 1 100; }
on gw ip rule add pref 100 iif priv1 blackhole
check "a rule forbids one LAN what the other may" wait_for 5 eval '[ "$(one hosta) $(one hostc)" = "0 1" ]'
for _ in 1 2; do check_eq "host A's datagram, then host C's: lost" "$(one hosta) $(one hostc)" "0 1"; done
on gw ip rule del pref 100
check "without the rule both get through" wait_for 5 eval '[ "$(one hosta) $(one hostc)" = "0 0" ]'

# A device gets another MAC address, another MTU: the data plane follows.
has_mac() { [ "$(ctl --json status | js "[i['mac'] for i in d['interfaces'] if i['name'] == '$1'][0]")" = "$2" ]; }
has_mtu() { [ "$(ctl --json bindings | js "[b['mtu'] for b in d['bindings'] if b['host'] == '$1'][0]")" = "$2" ]; }
other_mac() { # of priv0 and pub0; who had the old one asks for the new
	on gw ip link set priv0 address 02:00:00:00:$1:01 && on gw ip link set pub0 address 02:00:00:00:$1:02
	on hosta ip neigh flush dev eth0 && on peer ip neigh flush dev eth0
}
other_mac aa
check "priv0 has another MAC address" wait_for 5 has_mac priv0 02:00:00:00:aa:01
check "pub0, too" wait_for 5 has_mac pub0 02:00:00:00:aa:02
inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 200 50 >$LAB/seq.json
check_eq "packets to the new addresses are taken: lost" "$(js 'd["lost"] + (d["received"] != 50)' <$LAB/seq.json)" 0
kill -KILL "$RSIPD" && wait "$RSIPD" 2>/dev/null
other_mac bb
on gw ip link set priv1 mtu 1400
rsipd_start
check "a new rsipd sees what has changed" wait_for 5 has_mac priv0 02:00:00:00:bb:01
check "MTU of one LAN" wait_for 5 has_mtu $HOSTC 1380
check "and not of the other" has_mtu $HOSTA 1480
inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 200 50 >$LAB/seq.json
check_eq "packets to these are taken, too: lost" "$(js 'd["lost"] + (d["received"] != 50)' <$LAB/seq.json)" 0
slow_mtu() { on gw ip -j route show table 21075 | js 'd[0]["metrics"][0]["mtu"]'; }
check_eq "what the kernel fragments has the MTU of attach" "$(slow_mtu)" 1448
check "upgrade" loader upgrade --pin-path "$PIN"
check_eq "what the kernel fragments fits the narrower LAN, too" "$(slow_mtu)" 1348
on gw ip link set priv1 mtu 1500
check "the MTU rises again" wait_for 5 has_mtu $HOSTC 1480
check "upgrade" loader upgrade --pin-path "$PIN"
check_eq "and with it the kernel's" "$(slow_mtu)" 1448

# A virtual router comes (keepalived's use_vmac) when all is attached, and goes.
VMAC=00:00:5e:00:01:33
lost_is() { [ "$(one hosta)" = "$1" ]; }
on hosta ip neigh replace $GW_PRIV lladdr $VMAC dev eth0
check_eq "nobody has the virtual router's MAC address: lost" "$(one hosta)" 1
on gw ip link add link priv0 name vrrp0 address $VMAC type macvlan mode bridge && on gw ip link set vrrp0 up || not_ok "no macvlan"
check "it comes: packets to its MAC address are taken" wait_for 5 lost_is 0
on gw ip link del vrrp0
check "it goes: they are not" wait_for 5 lost_is 1
on hosta ip neigh del $GW_PRIV dev eth0
check "those to the interface's own always" wait_for 5 lost_is 0

HOST_GW=$GW_PRIV1 judge hostc other-interface priv1
silent() { ! on peer "$PY" -c '
import socket, sys
s = socket.create_connection((sys.argv[1], 4555), 1)' "$1" 2>/dev/null; }
for a in 192.0.2.1 $GW_PRIV $GW_PRIV1; do check "from the public side nobody answers at $a, port 4555" silent $a; done

# A device is deleted and made again: nothing of ours is on the new one, and whoever looks sees it.
gone() { ctl --json status | js "' '.join(i['name'] for i in d['interfaces'] if i.get('gone'))"; }
check_eq "no interface is gone" "$(gone)" ""
on gw ip link del pub1 && on gw ip link add name pub1 type veth peer name pub1x
check "rsipd says so" wait_for 5 grep -q "interface pub1 is gone" $LAB/rsipd.log
check_eq "rsipctl shows it" "$(gone) $(ctl status | grep -c 'public (gone)')" "pub1 1"
check_eq "rsip-loader, too" "$(loader status --pin-path "$PIN" --json | js "[i['attached'] for i in d['interfaces'] if i['name'] == 'pub1']")" "[False]"
check_eq "the others go on: lost" "$(one hosta)" 0
kill $RSIPD && wait $RSIPD
check "detach and attach take it in again" eval 'loader detach --pin-path "$PIN" && loader attach --config $LAB/rsipd.json'
check_eq "it is attached" "$(loader status --pin-path "$PIN" --json | js "[i['attached'] for i in d['interfaces'] if i['name'] == 'pub1']")" "[True]"
lab_end
