#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# VLAN tags that a card takes out of the frame.  The lab has no such card, but a veth whose other end has txvlan on: a tag
# travels beside the frame, and with txvlan off in it.  Frames with a tag, two tags, a priority, and a priority before a tag, from both
# sides: only what is of no VLAN is ours, in every mode, and leaves without a tag.  TC sees tags wherever they are; XDP does not,
# so the loader tells the card to leave them in, and takes TC where that cannot be.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_MODE=native
lab_up
host_up hosta --ports 8 || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
for n in hosta peer; do on $n "$PY" "$LAB_SRC/vlantag.py" push eth0 || lab_abort "no program that pushes tags"; done
on hosta ping -q -c 1 -W 5 $GW_PRIV >/dev/null && on gw ping -q -c 1 -W 5 $PEER >/dev/null # next hops

# frame_of hosta|peer: as that one sends it to the other, by way of the gateway
frame_of() {
	"$PY" - "$1" "$(mac_of "$1" eth0)" "$(mac_of gw "$([ "$1" = peer ] && echo pub0 || echo priv0)")" $HOSTA $GW_PRIV $POOL "$(lease hosta port)" $PEER <<-'EOT'
		import sys
		import packets
		who, src, dst, host, gw, local, port, peer = sys.argv[1:]
		text = b"<KINDKIND>"
		inner = packets.udp(peer, "9", local, port, text) if who == "peer" else packets.udp(local, port, peer, "9", text)
		data = inner if who == "peer" else packets.ip(host, gw, 4, inner)
		print(bytes.fromhex((dst + src).replace(":", "") + "0800").hex() + data.hex())
	EOT
}

# goes FROM TO SIDE COUNTER: what arrives at the other end, and what the gateway leaves to its kernel
goes() {
	local at=$1 to=$2 side=$3 name="$LAB_MODE, tags $4, from $1" sent hear own frame
	sent=$(counter hosta "$5")
	started "$to" hear.log "$PY" "$LAB_SRC/vlantag.py" hear eth0
	hear=$STARTED
	frame=$(frame_of "$at")
	started gw own.log "$PY" "$LAB_SRC/vlantag.py" hear "$side"
	own=$STARTED
	on "$at" "$PY" "$LAB_SRC/vlantag.py" send eth0 "$frame" || not_ok "$name: cannot send"
	wait "$hear"
	check_eq "$name: what is of no VLAN arrives, untagged" "$(js 'sorted(d.items())' <$LAB/hear.log)" "[('plain untagged', 10), ('priority untagged', 10)]"
	check_eq "$name: and is counted" "$(($(counter hosta "$5") - sent))" 21
	stop "$own"
	# a tap sees them before TC takes out a priority
	check_eq "$name: the kernel has the others as they were sent" "$(grep -o '"[a-z]* [^u"]*": [0-9]*' $LAB/own.log | grep -v plain | tr '\n' ' ')" \
		'"prioqinq 88a8:a000 8100:7": 10 "priority 8100:a000": 10 "qinq 88a8:64 8100:7": 10 "tagged 8100:7": 10 '
}
# both_ways TXVLAN: on: the tags beside the frame
both_ways() {
	local where=inside n
	[ "$1" = off ] || where=outside
	for n in hosta peer; do on $n ethtool -K eth0 txvlan "$1" tx-vlan-stag-hw-insert "$1" || not_ok "$n: txvlan $1"; done
	goes hosta peer priv0 $where out_packets
	goes peer hosta pub0 $where in_packets
	check_eq "$LAB_MODE, tags $where: nothing was dropped" "$(drops)" 0
}
# again MODE [COMMAND...]: rsipd and the data plane once more, attached by COMMAND
again() {
	LAB_MODE=$1
	shift
	kill $RSIPD && wait $RSIPD
	loader detach --pin-path "$PIN" >$LAB/detach.log 2>&1 || not_ok "detach: $(cat $LAB/detach.log)"
	for o in rx-vlan-offload rx-vlan-stag-hw-parse; do
		check_eq "detached: $o is as it was" "$(on gw ethtool -k pub0 | sed -n "s/^$o: //p")" on
	done
	lab_conf
	on gw "$@" "$BIN/rsip-loader" attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || lab_abort "attach: $(cat $LAB/attach.log)"
	rsipd_start
	wait_for 10 works || lab_abort "host A's flow does not go on"
}
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7

told() { check_eq "$1: both cards are told to leave tags of both kinds in" "$(grep -cE 'switched rx(vlan|-vlan-stag-hw-parse) off on (priv0|pub0)$' $LAB/attach.log)" 4; }
told native
both_ways off
again generic
told generic
both_ways off

# A card that cannot be told: the loader hears "not supported", of named features as the kernel says it, without an errno.
cat >$LAB/fixed.c <<-'EOT'
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <errno.h>
	#include <linux/ethtool.h>
	#include <linux/sockios.h>
	#include <net/if.h>
	int ioctl(int fd, unsigned long cmd, struct ifreq *req)
	{
		int (*real)(int, unsigned long, void *) = dlsym(RTLD_NEXT, "ioctl");
		unsigned ask = cmd == SIOCETHTOOL ? *(unsigned *)req->ifr_data : 0;

		if (ask != ETHTOOL_SFLAGS && ask != ETHTOOL_SFEATURES)
			return real(fd, cmd, req);
		errno = ask == ETHTOOL_SFLAGS ? EOPNOTSUPP : ENOENT; /* of something before */
		return ask == ETHTOOL_SFLAGS ? -1 : ETHTOOL_F_UNSUPPORTED;
	}
EOT
cc -shared -fPIC -o $LAB/fixed.so $LAB/fixed.c || lab_abort "no compiler"
again auto env ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0" LD_PRELOAD=$LAB/fixed.so
check "auto takes TC where a card strips tags and cannot be told not to" grep -q 'cannot switch rxvlan off on pub0.*TC mode' $LAB/attach.log
check "it says why of both kinds of tags" grep -q 'cannot switch rx-vlan-stag-hw-parse off on pub0: Operation not supported' $LAB/attach.log
check_eq "and so it is" "$(loader status --pin-path "$PIN" --json | js 'd["mode"]')" tc
both_ways on
both_ways off
lab_end
