#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Programs under `rsip-client exec` get leased ports and no others, whatever they call; a program on a leased port can
# be called from the public realm; the host answers no ARP request for the leased address (RFC 3102 3.1).
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
lab_up
capture hosta hostb peer
both_up --ports 8 --ports-max 0
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
mkdir -p $LAB/www && echo hello >$LAB/www/hello
serve peer
judge_ports hosta
judge_ports hostb

port=$(lease hosta port)
start hosta called.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- \
	"$PY" -m http.server "$port" --directory $LAB/www
call() { on peer curl -sS --max-time "$2" "http://$POOL:$1/hello"; }
check "the peer calls a program on host A's leased port" wait_for 20 call "$port" 2
silent() { ! call "$1" 0.5; }
check "nobody is on a port that nobody leases" silent 1999

on hostb arping -q -c 2 -w 2 -I eth0 $POOL
captured # else what is not yet in the file is not seen
check_eq "host A answers no ARP request for the leased address" "$(seen hosta arp=$POOL mac="$(mac_of hosta eth0)")" 0
lab_end
