#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# 128 hosts on one address, all speaking IKE from port 500 to one peer: every answer finds its host, also one without a
# responder SPI, also the peer's rekey where hosts use labels.  A peer that begins an exchange itself finds the only
# host it talks to; of 128 none, and that is counted.  A cookie that another host has is refused.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_CLIENTS='"10.99.0.0/24", "10.98.0.0/16"'
LAB_TOP='"private_networks": [ "10.99.0.0/24", "10.98.0.0/16" ],'
lab_up
hosts=128 peer2=192.0.2.3
on peer ip addr add $peer2/24 dev eth0
on hosta ip route add local 10.98.0.0/16 dev lo
on gw ip route add 10.98.0.0/16 via $HOSTA
on gw ping -c 1 -W 2 $HOSTA >/dev/null # its neighbour entry, as any host's RSIP message would
on gw ping -c 1 -W 2 $PEER >/dev/null && on gw ping -c 1 -W 2 $peer2 >/dev/null
started peer ikes-peer.log "$PY" "$LAB_SRC/ikes.py" peer $PEER $peer2
play() { on hosta "$PY" "$LAB_SRC/ikes.py" hosts $GW_PRIV 10.98.0.1 $hosts $PEER $peer2 >$LAB/ikes.json; }
check "$hosts hosts register, lease SPIs, and speak IKE" play || lab_end
sed 's/^/    /' $LAB/ikes.json
got() { js "\"%d %d\" % (d['$1']['right'], d['$1']['wrong'])" <$LAB/ikes.json; }
check_eq "all of them on one address" "$(js 'd["addresses"]' <$LAB/ikes.json)" 1
check_eq "answers without a responder SPI: each to its host, none to another" "$(got cookie)" "$hosts 0"
check_eq "answers" "$(got answer)" "$hosts 0"
check_eq "answers to a repeated request" "$(got again)" "$hosts 0"
check_eq "answers under the old pair while the peer rekeys" "$(got rekey-labelled)" "$((hosts / 2)) 0"
check_eq "the peer's first packets under the new pairs: found by label" "$(got rekey-first)" "$((hosts / 2)) 0"
check_eq "a peer of many hosts that calls first reaches none" "$(got call-to-many)" "0 0"
check_ge "which is counted" "$(stat_of ike-ambiguous)" 1
check_eq "a peer of one host that calls first reaches it" "$(got call-to-one)" "1 0"
check_eq "which is counted, too" "$(stat_of ike-guessed)" 1
check_eq "a cookie of another host's is refused" "$(got collision) $(stat_of cookie-collision)" "0 0 1"
check "and logged" wait_for 5 grep -q "warning: client .*has the same cookie" $LAB/rsipd.log
check_eq "hosts without labels, and the one alone, claimed their cookies" "$(stat_of cookie-claimed)" "$((hosts / 2 + 1))"
lab_end
