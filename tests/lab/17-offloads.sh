#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Offloads left on, as operators have them: TCP in packets of up to 64 KB (GSO, TSO, GRO).  In generic mode attach switches
# GRO off at the gateway, but a virtual device still hands over what its peer has not segmented: XDP leaves that to the TC
# programs.  Then in mode tc: these alone, with GRO.  What arrives is byte for byte what was sent.  MODE=generic|tc: only that.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
read -r -a modes <<<"${MODE:-generic tc}"
LAB_MODE=${modes[0]}

lab_up
both_up --ports 16
for n in hosta peer; do on $n ethtool -K eth0 tx on sg on tso on gso on gro on >/dev/null 2>&1; done
on gw ethtool -K pub0 tx on sg on tso on gso on >/dev/null 2>&1
on gw ethtool -K priv0 tx on sg on tso on gso on >/dev/null 2>&1
check_eq "segmentation is left to the devices" "$(on peer ethtool -k eth0 | sed -n 's/^tcp-segmentation-offload: //p')" on

mkdir -p $LAB/www && head -c 20000000 /dev/urandom >$LAB/www/big
sum=$(sha256sum <$LAB/www/big)
serve peer

received() { on gw ip -j -s link show pub0 | js '(lambda s: "%d %d" % (s["bytes"], s["packets"]))(d[0]["stats64"]["rx"])'; }
average() { # BYTES PACKETS: bytes a packet of what pub0 has received since
	local now
	read -r -a now < <(received)
	echo $(((now[0] - $1) / (now[1] > $2 ? now[1] - $2 : 1)))
}
fetch() { inside hosta curl -sS --max-time 60 -o $LAB/got http://$PEER/big; }

# both_ways MODE
both_ways() {
	local before
	[ $1 = generic ] || for d in pub0 priv0; do on gw ethtool -K $d gro on >/dev/null 2>&1; done
	read -r -a before < <(received)
	check "$1: host A fetches 20 MB" fetch
	check_eq "$1: byte for byte" "$(sha256sum <$LAB/got)" "$sum"
	check_ge "$1: in packets longer than any MTU: bytes each" "$(average "${before[@]}")" 3000
	started peer taken.log "$PY" "$LAB_SRC/carry.py" take 81
	check "$1: host A sends 20 MB" inside hosta "$PY" "$LAB_SRC/carry.py" give $PEER 81 $LAB/www/big
	check "$1: all of it arrives" wait_for 5 grep -q -- - $LAB/taken.log
	check_eq "$1: byte for byte" "$(tail -n 1 $LAB/taken.log)" "$sum"
	check_eq "$1: nothing was dropped" "$(drops)" 0
	stop $STARTED
}

both_ways $LAB_MODE
for LAB_MODE in "${modes[@]:1}"; do # rsipd finds the leases in its store
	stop $RSIPD
	check "detach" loader detach --config $LAB/rsipd.json
	lab_conf
	check "attach in mode $LAB_MODE" loader attach --config $LAB/rsipd.json
	rsipd_start
	both_ways $LAB_MODE
done
lab_end
