#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# strongSwan as Debian ships it on both hosts and the peer: IKE from port 500 on both hosts at once, behind one
# address.  The gateway tells the exchanges apart by their cookies (RFC 3104 6.1).
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/ike.sh"
lab_enter "$@"
ike_have || { skip "ike: strongSwan is missing (make deps installs it)"; lab_end; }
lab_up
capture hosta hostb peer
both_up --ports 8 --spis 4

ike_peer
for h in hosta hostb; do
	ike_conf $h $POOL $PEER "$(lease $h spi)" "$(lease $h spi_last)"
	ike_start $h inside $h || lab_abort "charon on $h: $(tail -n 3 $LAB/ike-$h/out)"
done
ike_initiate hosta & wait_a=$!
ike_initiate hostb & wait_b=$!
finished "host A: IKE_SA from port 500" $wait_a $LAB/ike-hosta/initiate
finished "host B: IKE_SA from port 500 at the same time" $wait_b $LAB/ike-hostb/initiate
ike_sas peer >$LAB/sas 2>&1
check_eq "the peer has both, each from the same address and port 500" \
	"$(grep -c "remote 'host[ab]' @ ${POOL//./\\.}\[500\]" $LAB/sas)" 2
check_eq "both established" "$(grep -c ESTABLISHED $LAB/sas)" 2
check_eq "no NAT was found, so no UDP encapsulation" \
	"$(cat $LAB/ike-*/charon.log | grep -c -i 'nat.*\(detected\|behind\)\|\[4500\]')" 0

# An exchange that the peer begins inside the established IKE_SA: it names the host's cookie.
check "the peer's own requests reach host A" ike_peer_asks hosta
check "the peer's own requests reach host B" ike_peer_asks hostb
wait_for 5 quiet
captured
check "each packet is the same at every hop but for TTL and its checksum" same_wire
check_ge "all of it was IKE" "$(js 'd["kinds"]["ike"] if list(d["kinds"]) == ["ike"] else 0' <$LAB/wire.json)" 8
check_eq "cookies claimed" "$(stat_of cookie-claimed)" 2
check_eq "nothing was dropped" "$(drops)" 0
lab_end
