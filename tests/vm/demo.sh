#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The second half of make demo: two hosts with the strongSwan that Debian ships hold kernel ESP with one peer from one
# address, while the peer rekeys and rsipd is killed.  On a kernel without ESP it runs in a VM.
# Exit status 1 if anything that it tried to show was not seen.  Where it cannot show it at all, or not to its end, it
# says so and why, and exits with 0: it is optional.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/ipsec/lab.sh"
GATEWAY=rsip
VM_KERNEL=${VM_KERNEL:-bookworm-backports}
LIMIT=240 # seconds

# demo.sh can: exit status 0 if this kernel needs no VM for it
if [ "${1:-}" = can ]; then ipsec_can; exit; fi
# left_out WHY: this half is not there to be seen, and what make demo showed before stands
left_out() {
	printf '\n[NOT SEEN] kernel IPsec, the second half of the demo: %s\n' "$*"
	echo "   It is optional: the result is that of the first half."
	exit 0
}

if [ -z "${RSIP_LAB_ID:-}${RSIP_VM:-}" ] && ! ipsec_can; then
	no_esp="this kernel has no ESP, and"
	[ "$(id -u)" = 0 ] || left_out "$no_esp the VM that has needs root"
	[ "$(uname -m)" = x86_64 ] || left_out "$no_esp the VM that has is for x86_64"
	command -v qemu-system-x86_64 >/dev/null || left_out "$no_esp there is no qemu (packaging/deps.sh install vm)"
	said=$("$TREE/tests/vm/kernel.sh" "$VM_KERNEL" 2>&1) ||
		left_out "$no_esp Debian's, which has, cannot be had: ${said:-tests/vm/kernel.sh $VM_KERNEL failed}"
	echo "This kernel has no ESP: Debian's ${said##*$'\n'}, in an emulated machine, shows the rest."
	[ ! -t 1 ] || export DEMO_TTY=1
	rc=0
	"$TREE/tests/vm/boot.sh" -s "$VM_KERNEL" -t $LIMIT tests/vm/demo.sh || rc=$?
	case $rc in
	124) left_out "ran out of time ($LIMIT s): this machine is too busy to emulate another one, or something hangs" ;;
	125) left_out "the VM did not come up, or died" ;;
	esac
	exit $rc
fi
lab_enter "$@"
ike_have || left_out "strongSwan is missing (make deps installs it)"

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
