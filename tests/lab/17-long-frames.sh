#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# An MTU of 9,000 on the private side, as operators give it room for the tunnel, and more: frames of several pages, which XDP
# has in several buffers, and where the kernel or a driver cannot redirect them (6.1), the TC programs behind XDP take over.
# MODE=native|generic|tc.  Host A has a tunnel of IP-IP, host B of GRE.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_MODE=${MODE:-native}
POOL2=203.0.113.2
LAB_POOL='{ "name": "a", "addresses": [ "'$POOL'" ] }, { "name": "b", "addresses": [ "'$POOL2'" ] }'
LAB_TOP='"policies": [ { "clients": [ "'$HOSTB'/32" ], "pools": [ "b" ] }, { "pools": [ "a" ] } ],'

mtu() { # NODE MTU DEV...
	local n=$1 mtu=$2 dev
	shift 2
	for dev; do on "$n" ip link set "$dev" mtu "$mtu" || return 1; done
}
long_frames() { mtu hosta 9000 eth0 && mtu hostb 9000 eth0 && mtu lan 9000 porta portb portg br0 && mtu gw 9000 priv0 pub0 && mtu peer 9000 eth0; }
lab_up long_frames
host_up hosta --ports 16 || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
host_up hostb --ports 16 --tunnel-type GRE || lab_abort "host B does not lease: $(tail -n 3 $LAB/client-hostb.log)"
check_eq "the mode is $LAB_MODE" "$(loader status --config $LAB/rsipd.json --json | js 'd["mode"]')" $LAB_MODE
check_eq "the hosts have an address each" "$(lease hosta addr) $(lease hostb addr)" "$POOL $POOL2"
check_eq "tunnels of 8,980 and 8,976 bytes" "$(ctl --json bindings | js 'sorted(b["mtu"] for b in d["bindings"])')" "[8976, 8980]"

# ask NODE SIZE: 50 datagrams of this size to the peer and back; how many are lost
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
ask() { inside "$1" "$PY" "$LAB_SRC/frags.py" ask $PEER 7 50 "$2" 2>&1; }
for size in 1472 3400 3500 3600 8948; do
	check_eq "datagrams of $size bytes there and back: lost by host A" "$(ask hosta $size)" 0
	check_eq "and by host B" "$(ask hostb $size)" 0
done
check_eq "none of them was a fragment" "$(stat_of fragment-passed)" 0
check_le "the kernel had to look for a neighbour at most" "$(stat_of slow-path)" 1
check_eq "datagrams of 30,000 bytes, in long fragments: lost by host A" "$(ask hosta 30000)" 0
check_eq "and by host B" "$(ask hostb 30000)" 0

started_inside hostb echo-b.log "$PY" "$LAB_SRC/udpseq.py" echo "$(lease hostb port)"
turned() { inside hosta "$PY" "$LAB_SRC/frags.py" ask $POOL2 "$(lease hostb port)" 50 "$1" 2>&1; }
check_eq "from host A to host B and back, 8,900 bytes: lost" "$(turned 8900)" 0
check_eq "in fragments, too" "$(turned 20000)" 0

mkdir -p $LAB/www && head -c 20000000 /dev/urandom >$LAB/www/big
sum=$(sha256sum <$LAB/www/big)
serve peer
for h in hosta hostb; do
	check "$h fetches 20 MB" inside $h curl -sS --max-time 60 -o $LAB/got http://$PEER/big
	check_eq "byte for byte" "$(sha256sum <$LAB/got)" "$sum"
done
average() { on gw ip -j -s link show "$1" | js '(lambda s: s["bytes"] // max(1, s["packets"]))(d[0]["stats64"]["rx"])'; }
check_ge "in frames longer than a page: bytes each" "$(average pub0)" 4097
check_eq "nothing was dropped" "$(drops)" 0
check_le "and nothing but ARP was passed as none of ours: bytes" \
	"$(ctl --json stats | js '[i["events"]["passed-bytes"] for i in d["interfaces"] if i["name"] == "pub0"][0]')" 500

# ---- the public side takes 1,500 bytes only, and the peer hides it: it announces segments of 8,960 --------------------------

mtu gw 1500 pub0 && on peer ip route replace 203.0.113.0/24 dev eth0 src $PEER mtu lock 1500 advmss 8960 || lab_abort "cannot make it narrow"
narrow() { [ "$(ctl --json status | js '[i["mtu"] for i in d["interfaces"] if i["name"] == "pub0"][0]')" = 1500 ]; }
check "rsipd sees that the public side is narrow now" wait_for 5 narrow
started peer taken.log "$PY" "$LAB_SRC/carry.py" take 81
head -c 2000000 $LAB/www/big >$LAB/www/part
told() { inside "$1" ping -n -c 1 -W 1 -M do -s 8000 $PEER 2>&1 | grep 'mtu[ =]*1500'; }
for h in hosta hostb; do
	before=$(stat_of icmp-sent)
	check "$h sends 2 MB in segments that fit" inside $h "$PY" "$LAB_SRC/carry.py" give $PEER 81 $LAB/www/part 30
	check_ge "because the gateway told it in its tunnel (RFC 1191): messages" $(($(stat_of icmp-sent) - before)) 1
	check "$h: a ping of 8,000 bytes with DF is told, too" wait_for 5 told $h
	check_eq "$h: datagrams of 8,000 bytes, in fragments that fit, and back: lost" "$(ask $h 8000)" 0
	check "$h fetches it" inside $h curl -sS --max-time 60 -o $LAB/got http://$PEER/part
	check "byte for byte" cmp $LAB/got $LAB/www/part
done
lab_end
