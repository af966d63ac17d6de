#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Offloads left on, as operators have them: TCP in packets of up to 64 KB (GSO, TSO, GRO).  In generic mode attach switches
# GRO off at the gateway, but a virtual device still hands over what its peer has not segmented: XDP leaves that to the TC
# programs.  MODE=tc: these alone, with GRO.  What arrives is byte for byte what was sent.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_MODE=${MODE:-generic}

lab_up
both_up --ports 16
for n in hosta peer; do on $n ethtool -K eth0 tx on sg on tso on gso on gro on >/dev/null 2>&1; done
on gw ethtool -K pub0 tx on sg on tso on gso on >/dev/null 2>&1
on gw ethtool -K priv0 tx on sg on tso on gso on >/dev/null 2>&1
[ $LAB_MODE = generic ] || for d in pub0 priv0; do on gw ethtool -K $d gro on >/dev/null 2>&1; done
check_eq "segmentation is left to the devices" "$(on peer ethtool -k eth0 | sed -n 's/^tcp-segmentation-offload: //p')" on

mkdir -p $LAB/www && head -c 20000000 /dev/urandom >$LAB/www/big
sum=$(sha256sum <$LAB/www/big)
serve peer

average() { # DEV: bytes a packet of what the device has received
	on gw ip -j -s link show "$1" | js '(lambda s: s["bytes"] // max(1, s["packets"]))(d[0]["stats64"]["rx"])'
}
fetch() { inside hosta curl -sS --max-time 60 -o $LAB/got http://$PEER/big; }
check "host A fetches 20 MB" fetch
check_eq "byte for byte" "$(sha256sum <$LAB/got)" "$sum"
check_ge "in packets longer than any MTU: bytes each" "$(average pub0)" 3000

started peer taken.log "$PY" "$LAB_SRC/carry.py" take 81
check "host A sends 20 MB" inside hosta "$PY" "$LAB_SRC/carry.py" give $PEER 81 $LAB/www/big
check "all of it arrives" wait_for 5 grep -q -- - $LAB/taken.log
check_eq "byte for byte" "$(tail -n 1 $LAB/taken.log)" "$sum"
check_eq "nothing was dropped" "$(drops)" 0
lab_end
