#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# An interface is deleted and made again, as a VLAN device, a virtual machine's or a PPP link is: nobody is there, and it comes
# back.  rsip-loader watch attaches it again, under its old index; rsipd ends and is started by whoever supervises it; hosts keep what
# they hold.  The private interface, then the public one, in native mode and by TC.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
strict() { on gw sysctl -qw net.ipv4.conf.default.rp_filter=1; } # what an interface that is made anew has
lab_up strict
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
host_up hosta --ports 8 || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
held="$(lease hosta client_id) $(lease hosta port)"
attached() { loader status --pin-path "$PIN" --json | js '" ".join(i["name"] for i in d["interfaces"] if i["attached"])'; }
all_attached() { [ "$(attached)" = "pub0 priv0 rsip-slow" ]; }
noted() { bpftool -j map dump pinned "$PIN/rsip_undo" | js 'sum(1 for e in d if e["value"][0] != "0x00")'; }

# as systemd does: RESTARTS counts in a file
supervised() {
	cat >$LAB/supervise <<-EOF
		#!/bin/sh
		trap 'kill \$child; wait \$child; exit 0' TERM
		while :; do
			"$BIN/rsipd" --foreground --config $LAB/rsipd.json & child=\$!
			wait \$child
			echo again >>$LAB/again
			sleep 0.2
		done
	EOF
	: >$LAB/again
	start gw rsipd.log sh $LAB/supervise
	SUPERVISOR=$STARTED
	wait_for 10 ctl status || lab_abort "rsipd does not answer"
}
restarts() { wc -l <$LAB/again; }
restarted() { [ "$(restarts)" = "$1" ] && ctl status; }
unsupervised() {
	stop "$SUPERVISOR"
}

# made_anew priv0|pub0 [MTU]: the wire, then a second later what makes an interface of it (THEN: a command before that)
made_anew() {
	on gw ip link del "$1"
	if [ "$1" = priv0 ]; then
		wire gw priv0 lan portg && on lan ip link set portg master br0 && plain lan portg
	else
		wire gw pub0 peer eth0 && plain peer eth0
		on peer ip addr add $PEER/24 dev eth0 && on peer ip route add 203.0.113.0/24 dev eth0 src $PEER
	fi
	gateways_ends gw
	[ $# = 1 ] || on gw ip link set "$1" mtu "$2"
	sleep 1
	${THEN:-:}
	on gw ip addr add "$([ "$1" = priv0 ] && echo $GW_PRIV || echo $GW_PUB)/24" dev "$1"
}
program_of() { on gw ip -j -d link show "$1" | js 'd[0].get("xdp", {}).get("prog", {}).get("name") or d[0].get("xdp", {}).get("mode")'; }

# comes_back IF N: and N rsipds have ended by then
comes_back() {
	made_anew "$1"
	check "$LAB_MODE: $1 is back and attached" wait_for 10 all_attached
	check "$LAB_MODE: rsipd has been started anew" wait_for 10 restarted "$2"
	check "$LAB_MODE: host A's packets go there and back" wait_for 15 works
	check_eq "$LAB_MODE: with what it held" "$(lease hosta client_id) $(lease hosta port)" "$held"
}

kill $RSIPD && wait $RSIPD
LAB_MODE=native
for LAB_MODE in native tc; do
	if [ $LAB_MODE = tc ]; then
		lab_conf
		loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || lab_abort "attach: $(cat $LAB/attach.log)"
	fi
	supervised
	started gw watch.log "$BIN/rsip-loader" watch --config $LAB/rsipd.json
	WATCH=$STARTED
	check "$LAB_MODE: at first it works" wait_for 15 works
	comes_back priv0 1
	check_eq "$LAB_MODE: no reverse-path filter on the new one" "$(on gw sysctl -n net.ipv4.conf.priv0.rp_filter)" 0
	check "$LAB_MODE: it was not attached before it had its address" grep -q "priv0 is back without its address $GW_PRIV" $LAB/watch.log
	[ $LAB_MODE = native ] || break
	comes_back pub0 2

	# what it cannot do: not by half, and tried again
	in_the_way() { on gw tc qdisc add dev priv0 clsact && on gw tc filter add dev priv0 ingress pref 21075 protocol ip bpf bytecode "1,6 0 0 0,"; }
	THEN=in_the_way made_anew priv0
	check "a filter that is in the way of its TC program: it says so" wait_for 20 grep -q "cannot put a TC program on priv0" $LAB/watch.log
	check_eq "and does not take it in by half" "$(attached)" "pub0 rsip-slow"
	on gw tc filter del dev priv0 ingress pref 21075
	check "the filter goes: it is taken in" wait_for 40 all_attached
	check_eq "with its TC program" "$(on gw tc filter show dev priv0 ingress | grep -c " id ")" 1
	check "and it works" wait_for 15 works

	# another MTU: the hosts' bindings follow, and what the kernel fragments
	notes=$(noted)
	made_anew priv0 1400
	mtu_is() { [ "$(ctl --json bindings | js 'd["bindings"][0]["mtu"]')" = "$1" ]; }
	check "narrower than before: bindings follow" wait_for 15 mtu_is 1380
	route_is() { [ "$(on gw ip -j route show table 21075 | js 'd[0]["metrics"][0]["mtu"]')" = "$1" ]; }
	check "and what the kernel fragments" wait_for 5 route_is 1348
	check "it works" wait_for 15 works
	check_eq "no more to undo than before" "$(noted)" "$notes"

	# without the watcher: attach again
	stop "$WATCH"
	made_anew pub0
	sleep 1
	check_eq "without the watcher it stays off" "$(attached)" "priv0 rsip-slow"
	check "attach again" loader attach --config $LAB/rsipd.json
	check "takes it in" wait_for 10 all_attached
	check "and it works" wait_for 15 works
	check_eq "native programs are on both" "$(loader status --pin-path "$PIN" --json | js '" ".join(i["mode"] for i in d["interfaces"])')" "native native tc"
	unsupervised
	check "detach" loader detach --pin-path "$PIN"
	check_eq "leaves no program" "$(on gw ip -d link | grep -c prog/xdp) $(on gw tc qdisc show | grep -c clsact)" "0 0"
	check_eq "and the new interface as it was made" "$(on gw sysctl -n net.ipv4.conf.priv0.rp_filter)" 1
	made_anew priv0 1500
done
stop "$WATCH"
unsupervised
check "detach" loader detach --pin-path "$PIN"
lab_end
