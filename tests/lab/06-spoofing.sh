#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What a host may not send and what the public side may not send: dropped, counted under one reason each, and on no
# other wire.  Host A leases ports only, host B ports and SPIs.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
lab_up
host_up hosta --ports 8 || lab_abort "host A: $(tail -n 3 $LAB/client-hosta.log)"
host_up hostb --ports 8 --spis 4 || lab_abort "host B: $(tail -n 3 $LAB/client-hostb.log)"
capture hostb peer
judge hosta private-spoof
captured
check_eq "none of it came to host B or to the peer" "$(cat $LAB/hostb.pcap $LAB/peer.pcap | grep -c FORGED-IN-THE-LAB)" 0
capture hosta hostb
judge peer public-spoof
captured
check_eq "none of the peer's came to a host" "$(cat $LAB/hosta.pcap $LAB/hostb.pcap | grep -c FORGED-IN-THE-LAB)" 0
lab_end
