#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The second half of make demo: two hosts with the strongSwan that Debian ships hold kernel ESP with one peer from one
# address, while the peer rekeys and rsipd is killed.  On a kernel without ESP it runs in a VM.
# Exit status 0 only if all of it was really seen.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/ipsec/lab.sh"
GATEWAY=rsip
VM_KERNEL=${VM_KERNEL:-bookworm-backports}

# demo.sh can: exit status 0 if this kernel needs no VM for it
if [ "${1:-}" = can ]; then ipsec_can; exit; fi
if [ -z "${RSIP_LAB_ID:-}${RSIP_VM:-}" ] && ! ipsec_can; then
	command -v qemu-system-x86_64 >/dev/null && [ "$(id -u)" = 0 ] && [ "$(uname -m)" = x86_64 ] ||
		{ echo "Kernel IPsec is not shown: this kernel has no ESP, and there is no qemu (packaging/deps.sh install vm)."; exit 0; }
	version=$("$TREE/tests/vm/kernel.sh" "$VM_KERNEL") || exit 1
	echo "This kernel has no ESP: Debian's $version, in an emulated machine, shows the rest."
	[ ! -t 1 ] || export DEMO_TTY=1
	rc=0
	"$TREE/tests/vm/boot.sh" -s "$VM_KERNEL" -t 240 tests/vm/demo.sh || rc=$?
	[ $rc != 124 ] || { echo "Not shown to its end: this machine is too busy to emulate another one."; rc=0; }
	exit $rc
fi
lab_enter "$@"
ike_have || { echo "Kernel IPsec is not shown: strongSwan is missing (make deps installs it)."; exit 0; }

SECONDS=0 tty=${DEMO_TTY:-}
[ ! -t 1 ] || tty=1
bold() { if [ -n "$tty" ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi; }
title() { echo; bold "$*"; }
show() { sed 's/^/   /'; }
die() { bold "The demo failed: $*"; exit 1; }
lab_abort() { die "$*"; }
summary=() bad=0
proof() { # TEXT COMMAND...
	local text=$1
	shift
	if "$@" >/dev/null 2>&1; then summary+=("[seen]     $text"); else summary+=("[NOT SEEN] $text") bad=1; fi
}
# live SECONDS: who sends how much, redrawn in place on a terminal
live() {
	local end=$((SECONDS + $1)) lines=0 table
	while [ $SECONDS -lt $end ]; do
		table=$(ctl bindings)
		[ -z "$tty" ] || [ $lines = 0 ] || printf '\033[%dA' $lines
		# shellcheck disable=SC2001
		sed 's/^/   /; s/$/\x1b[K/' <<<"$table" | { [ -n "$tty" ] && cat || sed 's/\x1b\[K//'; }
		lines=$(wc -l <<<"$table")
		sleep 1.5
	done
}

bold "Kernel IPsec: two hosts, one public address, one peer, ESP as it is (kernel $(uname -r))"
world
NAME=demo IKE=2 SA=esp-tunnel PORTS=label HOSTS='hosta hostb' HOSTS_ALL=$HOSTS RANGES=() IKE_PORTS='' DPD='' LEASE=''

title "The hosts lease, and strongSwan is told by one file that rsip-client writes"
for h in $HOSTS; do
	host_begin "$h" || die "$h"
	echo "   $h# rsip-client up --strongswan yes --ike-ports 0"
done
sed 's/^/      /' $LAB/ike-hosta/drop/*.conf
swan_peer_conf
ike_start peer nsenter "--net=/run/netns/$(ns peer)" || die "charon on the peer"
capture_start
note_leases

title "Both start at once: IKEv2 from port 500, a CHILD_SA in the kernel"
why=$(step_up) || die "$why"
for h in $HOSTS; do in_place "$h" ip xfrm state list dst $POOL | grep -o 'src.*\|proto.*mode.*' | paste -sd ' ' | sed "s/^/   $h: /"; done

title "Datagrams both ways in ESP; meanwhile the peer rekeys, and rsipd is killed and started again"
stream_start || die "no traffic"
live 4
renegotiate peer child >$LAB/rekey 2>&1
rekeyed=$?
kill -KILL "$RSIPD"
wait "$RSIPD" 2>/dev/null
rsipd_start
live 4
stream_end
note_leases
captured
wire_facts || die "the capture cannot be read"

title "On the public wire"
"$PY" "$HERE/esp.py" kinds <$LAB/ipsec-wire.json | show
"$PY" "$LAB_SRC/wire.py" show --pool $POOL --gw $GW_PRIV --host hosta=$HOSTA=$LAB/lan.pcap \
	--host hostb=$HOSTB=$LAB/lan.pcap --peer $LAB/peer.pcap | show
clean_wire() { [ -z "$("$PY" "$HERE/esp.py" judge esp <$LAB/ipsec-wire.json)" ]; }
same() { "$PY" "$LAB_SRC/wire.py" same --pool $POOL --gw $GW_PRIV --host hosta=$HOSTA=$LAB/lan.pcap \
	--host hostb=$HOSTB=$LAB/lan.pcap --peer $LAB/peer.pcap; }
proof "two stock strongSwan hosts, one address, one peer: ESP (protocol 50), no UDP encapsulation, nothing in the clear" clean_wire
proof "the peer rekeyed both CHILD_SAs" [ $rekeyed = 0 ]
proof "no datagram was lost, nor doubled, while it rekeyed and rsipd was killed" [ "$LOST" = 0 ]
proof "every packet the same at both hops, but for TTL and its checksum" same
proof "not one packet dropped" [ "$(drops)" = 0 ]

title "Summary ($SECONDS s)"
printf '   %s\n' "${summary[@]}"
exit $bad
