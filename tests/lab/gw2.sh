# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# A second gateway with a host of its own, for labs where hosts behind two gateways meet.  The peer is the router
# between the two public networks.
#
#     hostc  eth0 10.98.0.11/24 -- priv0 10.98.0.1/24  gw2  pub0 198.51.100.1/24 -- eth1 198.51.100.2/24  peer
#     hosta  eth1 10.98.0.12/24 --+  (one bridge)
#
#     its pool: 198.51.100.7, shared
GW2_PRIV=10.98.0.1 HOSTC=10.98.0.11 GW2_PUB=198.51.100.1 POOL2=198.51.100.7

# gw2_up [COMMAND]: builds it, with what COMMAND adds to it and to $LAB/rsipd2.json, and starts its rsipd; hosts hosta (by eth1,
# 10.98.0.12) and hostc may lease there
gw2_up() {
	node gw2 lan2 hostc || return 1
	wire gw2 priv0 lan2 portg && wire hostc eth0 lan2 portc && wire hosta eth1 lan2 porta && wire gw2 pub0 peer eth1 || return 1
	lan lan2 portg portc porta || return 1
	plain hostc eth0 && plain hosta eth1 && plain peer eth1 || return 1
	on hostc ip addr add $HOSTC/24 dev eth0 && on hosta ip addr add 10.98.0.12/24 dev eth1
	on gw2 ip addr add $GW2_PRIV/24 dev priv0 && on gw2 ip addr add $GW2_PUB/24 dev pub0
	on peer ip addr add 198.51.100.2/24 dev eth1
	gateways_ends gw2
	on hostc ip route add default via $GW2_PRIV
	on gw ip route add 198.51.100.0/24 via $PEER
	on gw2 ip route add default via 198.51.100.2
	on peer ip route add 203.0.113.0/24 via $GW_PUB 2>/dev/null
	on peer sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0
	sed "s,$POOL,$POOL2,; s,10.99.0.0/24,10.98.0.0/24,; s,$PIN,$PIN-2,; s,$LAB/rsipd.sock,$LAB/rsipd2.sock,; \
		s,$LAB/store/,$LAB/store2/," \
		$LAB/rsipd.json >$LAB/rsipd2.json
	"${1:-true}" || return 1
	on gw2 "$BIN/rsip-loader" attach --config $LAB/rsipd2.json >$LAB/attach2.log 2>&1 || return 1
	start gw2 rsipd2.log "$BIN/rsipd" --foreground --config $LAB/rsipd2.json
	wait_for 10 ctl2 status
}
ctl2() { "$BIN/rsipctl" --socket $LAB/rsipd2.sock "$@"; }

# What host A uses, and what it holds there; serves GATEWAY ADDRESS: that, and it works
used() { client hosta status --json | js 'd["gateway"]'; }
address() { client hosta status --json | js '[b["address"] for b in d["bindings"]][0]'; }
serves() { [ "$(used)" = "$1" ] && [ "$(address)" = "$2" ] && works; }
bindings2() { ctl2 --json bindings | fact bindings; }
away() { on lan ip link set portg "$1"; } # the first gateway's machine, as hosts see it
away2() { on lan2 ip link set portg "$1"; }
clean() { # what a gateway that died without a word would let run out
	local c id
	for c in ctl ctl2; do
		for id in $($c --json clients | js '" ".join(str(c["client-id"]) for c in d["clients"])' 2>/dev/null); do
			$c client remove "$id" >/dev/null
		done
	done
}
holder() { stat -L -c %i $LAB/client-hosta/netns; } # the namespace of host A's programs
