#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The host's network changes under the client: the same address again, a link down and up, another address, another
# interface, an interface that is taken away, another MTU.  Programs keep their namespace, leases stay where they can, and
# the client finds its way by itself.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
nth=4
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
now_is() { client hosta status --json | js 'd.get('"'$1'"')'; }
from() { [ "$(now_is private-address)" = "$1" ] && [ "$(now_is interface)" = "$2" ] && works; }
clients() { ctl --json clients | js '" ".join(sorted(c["host"] for c in d["clients"]))'; }
log() { grep -c "$1" $LAB/client-hosta/client.log; }
back() { on hosta ip route replace default via $GW_PRIV; }
before=$(on hosta ip -br link; on hosta tc qdisc show)

host_up hosta --gateway $GW_PRIV --ports 8 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
id=$(now_is client-id)
holder=$(stat -L -c %i $LAB/client-hosta/netns)
check "at first" from $HOSTA eth0

on hosta ip addr del $HOSTA/24 dev eth0
sleep 1
on hosta ip addr add $HOSTA/24 dev eth0 && back
sleep 4
check "the same address again, a second later" works
check_eq "that is no change" "$(now_is client-id)" "$id"
# As while a manager is at work.  Where the machine is so busy that the other way stands for longer, it may be one: once more.
on hosta ip addr add 10.99.0.31/32 dev lo
for i in 1 2 3 4 5; do
	wait_for 10 from $HOSTA eth0
	id=$(now_is client-id)
	start=$(date +%s%N)
	on hosta ip route add $GW_PRIV/32 dev eth0 src 10.99.0.31
	sleep 1
	claims=$(ls /run/rsip)
	on hosta ip route del $GW_PRIV/32
	stood=$((($(date +%s%N) - start) / 1000000))
	sleep 3
	[ $stood -ge 2400 ] || break
done
check "meanwhile nobody else could have had the way that it is on" grep -q "from-$HOSTA-" <<<"$claims"
check_eq "nor is a way that stands for a second" "$(now_is client-id), $([ $stood -lt 2400 ] && echo soon gone)" "$id, soon gone"

on hosta ip link set eth0 down
no_way() { [ "$(now_is no-way)" = True ] && client hosta status | grep -q "no way to it"; }
check "link down: status says that there is no way" wait_for 5 no_way
on hosta ip link set eth0 up && back
there_is() { [ "$(now_is no-way)" = None ]; }
check "link up: there is one" wait_for 5 there_is
check "and it works" wait_for 5 works
check_eq "with the same registration" "$(now_is client-id)" "$id"

on lan ip link set porta down
check "the cable is out: status says so" wait_for 5 eval '[ "$(now_is no-carrier)" = True ] && client hosta status | grep -q "other end of eth0"'
on lan ip link set porta up
check "it is in again: nothing to say" wait_for 5 eval '[ "$(now_is no-carrier)" = None ]'
check "and it works" wait_for 5 works
check_eq "with the same registration" "$(now_is client-id)" "$id"

on hosta ip link set eth0 mtu 1400
device_mtu() { nsenter --net=$LAB/client-hosta/netns ip -j link show rsip0 | js 'd[0]["mtu"]'; }
check "a smaller MTU: the tunnel's follows" wait_for 5 eval '[ "$(device_mtu)" = 1380 ]'
on hosta ip link set eth0 mtu 1500
check "and back" wait_for 5 eval '[ "$(device_mtu)" = 1480 ]'

on hosta ip addr del $HOSTA/24 dev eth0
on hosta ip addr add 10.99.0.21/24 dev eth0 && back
check "another address: leased anew from there" wait_for 15 from 10.99.0.21 eth0
check "the log says what was and what is" [ "$(log 'way to the gateway is another one.*from 10.99.0.21.*no longer.*from 10.99.0.11')" = 1 ]
check_eq "programs keep their namespace" "$(stat -L -c %i $LAB/client-hosta/netns)" "$holder"
check_eq "nobody can de-register the old one any more" "$(clients)" "10.99.0.11 10.99.0.21"

# a second NIC, by which the gateway is reached from now on
wire hosta eth1 lan portc && on lan ip link set portc master br0 && plain lan portc && plain hosta eth1
on hosta ip addr add 10.99.0.22/32 dev eth1
on hosta sysctl -qw net.ipv4.conf.all.arp_ignore=1
id=$(now_is client-id)
on hosta ip route replace $GW_PRIV/32 dev eth1 src 10.99.0.22
check "another interface: leased anew by it" wait_for 15 from 10.99.0.22 eth1
alone() { [ "$(clients)" = "10.99.0.11 10.99.0.22" ]; }
check "and de-registered by the first, which still is there" wait_for 5 alone
check_eq "the first is as it was" "$(on hosta tc qdisc show dev eth0 | grep -c clsact)" 0
on hosta ip link del eth1
check "that interface is taken away: back by the first" wait_for 15 from 10.99.0.21 eth0

check "down" client hosta down
check_eq "and the host is what it was" "$(on hosta ip -br link; on hosta tc qdisc show)" "$before"
check "no word of an error" [ "$(log ': error:')" = 0 ]
ctl client remove "$(ctl --json clients | js '[c["client-id"] for c in d["clients"] if c["host"] == "10.99.0.11"][0]')" >/dev/null
on hosta ip addr add $HOSTA/24 dev eth0
back
# The way that is chosen by the default route follows it, after a kill, too, and where our own rules have another one.
host_default() { client hosta up --ports 8 --place host --route remote >$LAB/client-hosta.log 2>&1 || { sed 's/^/    /' $LAB/client-hosta.log >&2; false; }; }
check "without --gateway, all that is remote in the tunnel" host_default
client_killed hosta
check "after a kill: the default router is still found" host_default
ours() { on hosta ip rule | grep -c '^455[5-8]:'; }
check_eq "four rules are ours" "$(ours)" 4
on hosta sysctl -qw net.ipv4.conf.all.arp_ignore=0                  # as another client does when it ends
for n in 4555 4556 4557 4558; do on hosta ip rule del pref $n; done # as a network manager may
restored() { [ "$(ours) $(on hosta sysctl -n net.ipv4.conf.all.arp_ignore)" = "4 1" ]; }
check "somebody takes them away: they come back" wait_for 5 restored
check "down" client hosta down

# killed, and then the way to the gateway, or the interface itself, goes: down undoes what there is to undo
machine() {
	on hosta ip -br link
	on hosta ip rule
	on hosta ip route show table all type unreachable
	on hosta tc qdisc show dev eth0
	on hosta sysctl net.ipv4.conf.all.arp_ignore net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports
	ls $LAB/client-hosta $LAB/drop | grep -v 'client\.\(lock\|log\|sock\)'
}
mkdir $LAB/drop
charon="--strongswan yes --strongswan-dir $LAB/drop --strongswan-vici $LAB/no-charon"
before=$(machine)
# shellcheck disable=SC2086
for place in host namespace; do
	host_up hosta --ports 8 --place $place $charon || not_ok "hosta, $place: $(cat $LAB/client-hosta.log)"
	client_killed hosta
	on hosta ip addr flush dev eth0
	check "$place: killed, no way to the gateway any more: down" client hosta down
	machine >$LAB/after
	check "$place: and the host is what it was" diff - $LAB/after <<<"$before"
	on hosta ip addr add $HOSTA/24 dev eth0 && back
done
for place in host namespace; do
	wire hosta eth1 lan portd && on lan ip link set portd master br0 && plain lan portd && plain hosta eth1
	on hosta ip addr add 10.99.0.2$((nth = nth + 1))/32 dev eth1
	on hosta ip route replace $GW_PRIV/32 dev eth1 src 10.99.0.2$nth
	# shellcheck disable=SC2086
	host_up hosta --gateway $GW_PRIV --ports 8 --place $place $charon || not_ok "hosta by eth1: $(cat $LAB/client-hosta.log)"
	client_killed hosta
	on hosta ip link del eth1
	on hosta ip addr flush dev eth0
	check "$place: killed, its interface is gone: down" client hosta down
	machine >$LAB/after
	check "$place: and the host is what it was" diff - $LAB/after <<<"$before"
	on hosta ip addr add $HOSTA/24 dev eth0 && back
done

# killed, and then it has another address: what was written for a charon goes with the leases, by down and by up
# shellcheck disable=SC2086
for how in down up; do
	host_up hosta --ports 8 $charon || not_ok "hosta, before $how: $(cat $LAB/client-hosta.log)"
	check_eq "a drop-in file" "$(ls $LAB/drop | wc -l)" 1
	client_killed hosta
	on hosta ip addr flush dev eth0
	on hosta ip addr add 10.99.0.4$((nth = nth + 1))/24 dev eth0 && back
	[ $how = down ] || host_up hosta --ports 8 || not_ok "hosta, another address: $(cat $LAB/client-hosta.log)"
	check_eq "killed, another address, $how: no file of the old lease" "$([ $how = up ] || client hosta down; ls $LAB/drop)" ""
done
client hosta down
# and after a power cut, of which not even a state file tells
echo "# rsip-client --state-dir $LAB/client-hosta" >$LAB/drop/rsip-binding-1.conf
host_up hosta --ports 8 --strongswan-dir $LAB/drop || not_ok "hosta, after a power cut: $(cat $LAB/client-hosta.log)"
check_eq "after a power cut, up without strongSwan: no file of the old lease" "$(ls $LAB/drop)" ""
client hosta down
on hosta ip addr flush dev eth0
on hosta ip addr add $HOSTA/24 dev eth0 && back

# a service that is started before the network is
on hosta ip addr flush dev eth0
start hosta client-hosta.log "$BIN/rsip-client" up --state-dir $LAB/client-hosta --foreground --ports 8
service=$STARTED
check "without an address a service waits" wait_for 5 grep -q "no default router.*waiting" $LAB/client-hosta.log
check_eq "whoever asks it hears so" "$(client hosta status 2>&1 | grep -c 'does not listen yet: it waits for the network')" 1
on hosta ip addr add $HOSTA/24 dev eth0 && back
check "and goes on when there is one" wait_for 10 from $HOSTA eth0
stop $service
lab_end
