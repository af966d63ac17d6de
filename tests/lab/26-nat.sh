#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A host without RSIP beside one with it, on one address: the kernel's NAT has a part of the ports, which nobody can
# lease.  And what is neither in a tunnel nor a NAT network's is stray.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "nat": { "ports": "61000-65535", "networks": [ "'$HOSTB'/32" ] } }'
LAB_TOP='"stray": "reject",'
lab_up
host_up hosta --ports 8 --spis 4 || lab_abort "hosta does not lease"
capture peer
mkdir -p $LAB/www && echo "hello from the peer" >$LAB/www/hello
serve peer

check "the host with RSIP" inside hosta curl -sS --max-time 5 http://$PEER/hello
check "the host without, at the same address" on hostb curl -sS --max-time 5 http://$PEER/hello
check "and its ping, by identifier" on hostb ping -c 2 -W 2 $PEER
check "in fragments, too, which are put together on the slow path and come back" on hostb ping -q -c 2 -W 2 -s 3000 $PEER
check_eq "a packet outside the tunnel of a host that has no NAT is rejected" \
	"$(on hosta ping -c 1 -W 2 $PEER 2>&1 | grep -c 'Packet filtered')" 1
check_ge "which is counted" "$(on gw nft -j list counter ip rsip_nat stray | js 'd["nftables"][1]["counter"]["packets"]')" 1
captured
syns() { tshark -r $LAB/peer.pcap -Y "ip.src == $POOL && tcp.flags.syn == 1 && tcp.srcport $1 61000" 2>/dev/null | wc -l; }
check_eq "one connection from a leased port, one from a port of NAT" "$(syns '<') $(syns '>=')" "1 1"
# unsolicited: dropped, and never sent back out
unanswered() { ! on peer curl -sS --max-time 2 http://$POOL:62000/; }
check "nobody answers at a port of NAT that has no mapping" unanswered
check_eq "no packet was dropped by the data plane" "$(drops)" 0
client hosta down
stop $RSIPD
check "detach" loader detach --config $LAB/rsipd.json
check_eq "takes the table back" "$(on gw nft list tables | grep -c rsip_nat)" 0
lab_end
