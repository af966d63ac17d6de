#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Hosts that speak IKE from leased ports and set no label (RFC 3104 Appendix E: with an ephemeral source port "rekeying will
# not be an issue"): the peer rekeys the IKE_SA of both, and is the first to speak under the new SPIs.  The port alone brings
# it to its host.  And both IKE_SAs outlive a client that is upgraded, or killed and started.  They are childless, because this
# kernel may lack ESP.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/ike.sh"
lab_enter "$@"
ike_have || { skip "ike: strongSwan is missing (make deps installs it)"; lab_end; }
lab_up
capture hosta hostb peer

ike_peer
declare -A port was
for h in hosta hostb; do
	mkdir -p $LAB/ike-$h/drop
	host_up $h --ports 8 --strongswan yes --strongswan-dir $LAB/ike-$h/drop --strongswan-vici $LAB/ike-$h/vici ||
		lab_abort "$h: $(cat $LAB/client-$h.log)"
	port[$h]=$(sed -n 's/^\tport = //p' $LAB/ike-$h/drop/*.conf)
	ike_conf $h $POOL $PEER
	# what comes later in strongswan.conf wins: the ports and SPIs of the lease, and no label
	printf 'include %s/drop/*.conf\ncharon {\n\tspi_mask = 0\n\tspi_label = 0\n}\n' $LAB/ike-$h >>$LAB/ike-$h/strongswan.conf
	ike_start $h inside $h || lab_abort "charon on $h: $(tail -n 3 $LAB/ike-$h/out)"
	check "$h: IKE_SA" ike_initiate $h
done
own_half() { ike_sas "$1" | grep ESTABLISHED | grep -o '[0-9a-f]\{16\}_[ir]\*' | cut -c 1-16; } # of the host's SPIs, the one it chose
unlabelled() { [ -n "$1" ] && [ "0x${1:0:8}" != "$(client "$2" status --json | js 'd["strongswan"]["label"]')" ]; }
rekeyed() { [ -n "$(own_half "$1")" ] && [ "$(own_half "$1")" != "$2" ] && [ "$(own_half "$1" | wc -l)" = 1 ]; }
for h in hosta hostb; do
	was[$h]=$(own_half $h)
	check "$h: its IKE SPI carries no label" unlabelled "${was[$h]}" $h
done
for h in hosta hostb; do
	check "$h: the peer rekeys the IKE_SA" ike_ctl peer --rekey --ike $h
	check "$h: it has the new one, and no other" wait_for 10 rekeyed $h "${was[$h]}"
	check "$h: without a label, too" unlabelled "$(own_half $h)" $h
done
# the clients come and go: one becomes another program file, one is killed and started; charon and its IKE_SA stay
for h in hosta hostb; do was[$h]=$(own_half $h); done
check "host A's client goes on as the program file that is there" client hosta upgrade
client_killed hostb
check "host B's is killed and started" host_up hostb --ports 8 --strongswan yes --strongswan-dir $LAB/ike-hostb/drop --strongswan-vici $LAB/ike-hostb/vici
for h in hosta hostb; do check_eq "$h: the same IKE_SA" "$(own_half $h)" "${was[$h]}"; done
ike_sas peer >$LAB/sas
for h in hosta hostb; do
	check_eq "$h: the peer has it at the leased port" "$(grep -c "'$h' @ ${POOL//./\\.}\[${port[$h]}\]" $LAB/sas)" 1
	check "$h: what the peer says first under the new SPIs reaches it" ike_peer_asks $h
done
check_eq "no cookie was claimed, none was guessed" "$(stat_of cookie-claimed) $(stat_of ike-guessed)" "0 0"
check_eq "nothing was dropped" "$(drops)" 0
wait_for 5 quiet
captured
check "each packet is the same at every hop but for TTL and its checksum" same_wire
for h in hosta hostb; do client $h down; done
check_eq "no binding is left" "$(bindings)" ""
lab_end
