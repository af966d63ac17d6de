#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A host behind a router: its tunnel's packets go to the router's MAC address.  When the route moves to another router
# that the gateway has not talked to yet, they follow, although the host says nothing.
#
#     10.97.0.5 is on lo of hosta and hostb, which play the two routers; the gateway's route names one of them.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_CLIENTS='"10.99.0.0/24", "10.97.0.0/24"'
LAB_TOP='"private_networks": [ "10.99.0.0/24", "10.97.0.0/24" ],'
FAR=10.97.0.5
lab_up
for n in hosta hostb; do on $n ip route add local 10.97.0.0/24 dev lo; done
on gw ip route add 10.97.0.0/24 via $HOSTA
port=$(cd "$LAB_SRC" && on hosta "$PY" -c '
import struct, sys, rsip
h = rsip.Host(sys.argv[1], sys.argv[2])
h.register()
print(struct.unpack("!H", rsip.first(h.assign(1, 0), rsip.PORTS)[1:3])[0])' $GW_PRIV $FAR) || lab_abort "the far host does not lease"
check_eq "the far host leases" "$(bindings | grep -c -F $FAR)" 1

# 40 datagrams from the peer to the leased port, 50 ms apart
knock() { on peer "$PY" -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(40):
    s.sendto(b"knock", (sys.argv[1], int(sys.argv[2])))
    time.sleep(0.05)' $POOL "$port"; }
arrived() { seen "$1" outer=ipip dport="$port" src=$PEER; }

capture hosta hostb
knock
captured
check_eq "all arrive by the first router" "$(arrived hosta)" 40
check_eq "none by the second" "$(arrived hostb)" 0
check_eq "the second router is not known to the gateway yet" "$(on gw ip -j neigh show $HOSTB | js 'len(d)')" 0

on gw ip route change 10.97.0.0/24 via $HOSTB
capture hosta hostb
knock
captured
check_ge "after the route has moved: by the second router" "$(arrived hostb)" 30
check_le "and by the first, until rsipd hears of it" "$(arrived hosta)" 5
lab_end
