#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# ESP and AH as packets on the wire, both ways, both hosts at once: found by SPI, verified at both ends.  AH covers
# addresses and identification, so that it verifies proves that the gateway changed none of them.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
"$PY" -c 'import scapy.layers.ipsec, cryptography' 2>/dev/null ||
	{ skip "ipsec: python3-scapy or python3-cryptography is missing"; lab_end; }
lab_up
capture hosta hostb peer
both_up --spis 4

n=100
started peer ipsec-peer.json "$PY" "$LAB_SRC/ipsec.py" peer $PEER $POOL \
	hosta="$(lease hosta spi)" hostb="$(lease hostb spi)"
peer_pid=$STARTED
talk() { inside "$1" "$PY" "$LAB_SRC/ipsec.py" host "$1" $POOL $PEER "$(lease "$1" spi)" $n >"$LAB/ipsec-$1.json" 2>&1; }
talk hosta & wait_a=$!
talk hostb & wait_b=$!
wait $wait_a $wait_b
# an ICMP error about a host's ESP or AH finds that host by the peer's SPI, which the gateway saw going out
for h in hosta hostb; do
	got=$(counter $h in_packets)
	on peer "$PY" "$LAB_SRC/ipsec.py" toobig $PEER $POOL $h
	wait_for 5 counter_is $h in_packets $((got + 3))
	check_eq "$h: ICMP errors about its ESP and AH find it" "$(counter $h in_packets)" $((got + 3))
done
check_eq "no-spi before" "$(stat_of no-spi)" 0
# an SPI that nobody leases: below every lease, and one past host A's
on peer "$PY" "$LAB_SRC/ipsec.py" stray $PEER $POOL 300 20
on peer "$PY" "$LAB_SRC/ipsec.py" stray $PEER $POOL "$(($(lease hosta spi_last) + 1000003))" 5
wait_for 5 stat_is no-spi 25
stop $peer_pid
sed -i '/^ready$/d' $LAB/ipsec-peer.json
for h in hosta hostb; do
	for k in esp-cbc esp-gcm ah; do
		check_eq "$h: $k verified by the peer" "$(js "d['verified']['$h']['$k']" <$LAB/ipsec-peer.json)" $n
		check_eq "$h: $k answers verified by the host" "$(js "d['verified']['$k']" <$LAB/ipsec-$h.json)" $n
	done
	check_eq "$h: wrong or missing answers" "$(js "d['bad'] + d['unanswered']" <$LAB/ipsec-$h.json)" 0
done
check_eq "the peer: packets that do not verify" "$(js 'd["bad"] + d["unknown"]' <$LAB/ipsec-peer.json)" 0
check_eq "the peer saw one address" "$(js '",".join(d["sources"])' <$LAB/ipsec-peer.json)" $POOL
check_eq "AH notices a changed address or identification" "$(js 'd["ah_guards"]' <$LAB/ipsec-peer.json)" True
check_eq "SPIs that nobody leases are dropped and counted" "$(stat_of no-spi)" 25
check_eq "and nothing else was dropped" "$(drops)" 25
wait_for 5 quiet
captured
check "each packet is the same at every hop but for TTL and its checksum" same_wire --unseen-in 25
check_eq "on both wires" \
	"$(js 'sorted(d["kinds"].items())' <$LAB/wire.json)" "[('ah', $((4 * n))), ('esp', $((8 * n))), ('icmp', 6)]"
for h in hosta hostb; do
	check_counters $h
done
lab_end
