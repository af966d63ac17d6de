#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Two gateways of two address families in one client: the first by IPv4, the second by IPv6 alone.  The host goes from
# one to the other and back, with the same namespace, over UDP and TCP, in IP-IP and GRE, and across a kill.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/gw2.sh"
lab_enter "$@"
GW6=2001:db8:2::1 HOST6=2001:db8:2::11
LAB_LEASES='"default": 1800, "hold": 0'
[ -e /proc/sys/net/ipv6 ] || { skip "lab: this kernel has no IPv6"; lab_end; }

only_ipv6() { # host A's network with the second gateway
	local n
	for n in "gw2 priv0" "hosta eth1"; do
		# shellcheck disable=SC2086
		set -- $n
		on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 \
			net.ipv6.conf."$2".disable_ipv6=0 net.ipv6.conf."$2".accept_dad=0 || return 1
	done
	on gw2 ip -6 addr add $GW6/64 dev priv0 nodad && on hosta ip -6 addr add $HOST6/64 dev eth1 nodad || return 1
	on hosta ip addr flush dev eth1 scope global
	on hosta ip -6 addr add $HOST6/64 dev eth1 nodad 2>/dev/null
	sed -i 's,"private": \[ "priv0" \],"private": [ { "name": "priv0"\, "endpoint6": "'$GW6'" } ],; s,"10.98.0.0/24","2001:db8:2::/64",' $LAB/rsipd2.json
}
lab_up
gw2_up only_ipv6 || lab_abort "the second gateway: $(tail -n 3 $LAB/attach2.log $LAB/rsipd2.log 2>/dev/null)"
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
seen_mtu() { nsenter --net=$LAB/client-hosta/netns ip -j link show rsip0 | js 'd[0]["mtu"]'; }

there_and_back() { # TRANSPORT TUNNEL-TYPE MTU MTU-OVER-IPV6
	local what="$1, $2" inode
	host_up hosta --gateway "$GW_PRIV,$GW6" --ports 8 --query-every 1 --transport "$1" --tunnel-type "$2" ||
		lab_abort "$what: $(cat $LAB/client-hosta.log)"
	check "$what: at the IPv4 gateway" serves $GW_PRIV $POOL
	check_eq "$what: MTU of the programs' interface" "$(seen_mtu)" "$3"
	inode=$(holder)
	away down
	check "$what: its machine is gone: at the IPv6 gateway" wait_for 60 serves $GW6 $POOL2
	check_eq "$what: MTU, and the same namespace" "$(seen_mtu) $(holder)" "$4 $inode"
	check_eq "$what: the binding of an IPv6 host" "$(ctl2 --json bindings | js '[b["host"] for b in d["bindings"]]')" "['$HOST6']"
	away up
	[ "$1" = udp ] || [ "${LONG:-}" = 1 ] || { client hosta down; clean; return; }
	away2 down
	check "$what: that one is gone: at the IPv4 gateway again" wait_for 60 serves $GW_PRIV $POOL
	check_eq "$what: MTU, and the same namespace" "$(seen_mtu) $(holder)" "$3 $inode"
	away2 up
	check "$what: down" client hosta down
	clean
}
there_and_back udp IP-IP 1480 1460
there_and_back tcp GRE 1476 1456

# killed while at the second: goes on there, with what it had, whichever gateway is named first
host_up hosta --gateway "$GW_PRIV,$GW6" --ports 8 || not_ok "hosta: $(cat $LAB/client-hosta.log)"
check "the operator moves it to the IPv6 gateway" client hosta move $GW6
check "which serves it" wait_for 60 serves $GW6 $POOL2
check "and the first has everything back" wait_for 20 eval '[ -z "$(bindings)" ]'
had=$(bindings2)
client_killed hosta
host_up hosta --gateway "$GW_PRIV,$GW6" --ports 8 || not_ok "hosta again: $(cat $LAB/client-hosta.log)"
check "killed and started: it goes on where it was" serves $GW6 $POOL2
check_eq "with the same binding" "$(bindings2)" "$had"
check "and moves back" eval 'client hosta move $GW_PRIV && wait_for 60 serves $GW_PRIV $POOL'
check "down" client hosta down
left() { bindings; bindings2; on hosta ip -br link | grep rsip; on hosta tc qdisc show | grep clsact; }
check "nothing is left, there or here" wait_for 20 eval '[ -z "$(left)" ]'
lab_end
