#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `rsip-client manual`: SAs without IKE.  Where the kernel has ESP and AH, datagrams go through them, with the leased SPI
# on the public wire; where it has not, the commands are ones that ip-xfrm(8) understands, and nothing is left of them.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
lab_up
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
host_up hosta --ports 8 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
at_start=$(bindings | wc -l)
has_esp() { # a kernel that can hold such an SA
	on peer ip xfrm state add src 192.0.2.99 dst 192.0.2.98 proto esp spi 0x1000 mode transport auth-trunc 'hmac(sha256)' \
		0x$(printf '11%.0s' {1..32}) 128 enc 'cbc(aes)' 0x$(printf '22%.0s' {1..16}) 2>/dev/null &&
		on peer ip xfrm state flush
}

check "two halves as JSON" eval 'client hosta manual --json $PEER >$LAB/manual.json'
bind=$(js 'd["bind-id"]' <$LAB/manual.json)
check_eq "the leased SPI is the one that comes in" \
	"$(js 'd["host"].split("\n")[0].split(" spi ")[1].split()[0]' <$LAB/manual.json)" \
	"$(client hosta status --json | js "[b['spis'][0] for b in d['bindings'] if b['bind-id'] == $bind][0]")"
if has_esp; then
	js 'd["peer"]' <$LAB/manual.json >$LAB/peer.sh
	js 'd["host"]' <$LAB/manual.json >$LAB/host.sh
	capture peer
	check "the peer's half" on peer sh -e $LAB/peer.sh
	check "the host's half" inside hosta sh -e $LAB/host.sh
	inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 50 10 >$LAB/esp.json
	check_eq "50 datagrams and their echoes, lost" "$(js 'd["lost"]' <$LAB/esp.json)" 0
	captured
	check_ge "as ESP on the public wire" "$(seen peer proto=50)" 100
	check_eq "and as nothing else" "$(seen peer proto=17)" 0
	on peer ip xfrm state flush
	on peer ip xfrm policy flush
else
	for end in host peer; do
		js "d['$end']" <$LAB/manual.json >$LAB/$end.sh
		while IFS= read -r line; do
			inside hosta sh -c "$line" 2>&1 </dev/null || true
		done <$LAB/$end.sh >$LAB/said
		check_eq "the $end's half: ip understands every line" "$(grep -c -i 'error: \(arg\|either\)\|usage\|garbage\|unknown' $LAB/said)" 0
		check_ge "the kernel was asked for each SA" "$(grep -c -i 'requested type not found\|RTNETLINK\|not supported\|not implemented' $LAB/said)" 2
		inside hosta ip xfrm policy flush
	done
	check "without ESP --apply says so" eval '! client hosta manual --apply $PEER >/dev/null 2>$LAB/said &&
		grep -q "does this kernel have ESP" $LAB/said'
fi
check "release" client hosta release "$bind"
same_bindings() { [ "$(bindings | wc -l)" = "$at_start" ]; }
check "what failed or was released is given back" wait_for 5 same_bindings
check_eq "an address is needed" "$(client hosta manual nowhere 2>/dev/null; echo $?)" 2
client hosta down
lab_end
