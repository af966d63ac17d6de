# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What the demos with kernel IPsec have in common.  A demo begins with
#     . "$(dirname "$0")/ipsec/show.sh"; demo_begin "$@"
# which runs it in a VM where this kernel has no ESP, and ends with demo_end.  Its exit status is 1 if anything that it
# tried to show was not seen.  Where it cannot show it at all, or not to its end, it says so and why.
# shellcheck source=tests/lab/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lab/lib.sh"
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"
GATEWAY=rsip
DEMO_KERNEL=${DEMO_KERNEL:-bookworm-backports}
DEMO_LIMIT=240 # seconds

# left_out WHY: it cannot be shown here; DEMO_OPTIONAL: what was shown before stands
left_out() {
	printf '\n[NOT SEEN] kernel IPsec: %s\n' "$*"
	[ -n "${DEMO_OPTIONAL:-}" ] || exit 1
	echo "   It is optional: the result is that of the first half."
	exit 0
}
in_a_vm() { # this script, with its arguments
	local rc=0
	vm_can "$DEMO_KERNEL" || left_out "this kernel has no ESP, and a VM $WHY"
	echo "This kernel has no ESP: Debian's $VM_KERNEL, in an emulated machine, shows it."
	[ ! -t 1 ] || export DEMO_TTY=1
	vm_run "$DEMO_KERNEL" $DEMO_LIMIT "${0#"$TREE"/}" "$@" || rc=$?
	case $rc in
	124) left_out "ran out of time ($DEMO_LIMIT s): this machine is too busy to emulate another one, or something hangs" ;;
	125) left_out "the VM did not come up, or died" ;;
	esac
	exit $rc
}
demo_begin() {
	[ -n "${RSIP_LAB_ID:-}${RSIP_VM:-}" ] || ipsec_can || in_a_vm "$@"
	lab_enter "$@"
	ike_have || left_out "strongSwan is missing (make deps installs it)"
	SECONDS=0 tty=${DEMO_TTY:-} summary=() bad=0
	[ ! -t 1 ] || tty=1
	RANGES=() IKE_PORTS='' DPD='' LEASE='' PEER_HOST='' IKE=2
}

bold() { if [ -n "$tty" ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi; }
title() { echo; bold "$*"; }
show() { sed 's/^/   /'; }
die() {
	bold "The demo failed: $*"
	[ ! -s $LAB/rsipd.log ] || tail -n 5 $LAB/rsipd.log | sed "s/^/   rsipd: /"
	exit 1
}
lab_abort() { die "$*"; }
proof() { # TEXT COMMAND...
	local text=$1
	shift
	if "$@" >$LAB/proof 2>&1; then summary+=("[seen]     $text"); else summary+=("[NOT SEEN] $text: $(tail -n 1 $LAB/proof | cut -c 1-160)") bad=1; fi
}
demo_end() {
	title "Summary ($SECONDS s)"
	printf '   %s\n' "${summary[@]}"
	exit $bad
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

# demo_hosts: HOSTS lease and start charon, and the peer's; what is on the wires is recorded from here on
demo_hosts() {
	HOSTS_ALL=$HOSTS
	peer_begin && hosts_begin $HOSTS || die "the hosts do not lease"
	peer_charon || die "charon on the peer"
	capture_start
	note_leases
}
demo_sas() { # brings them up, and shows what the hosts' kernels hold
	local h why
	why=$(step_up) || die "$why"
	for h in $HOSTS; do
		in_place "$h" ip xfrm state list dst "${LOCAL[$h]}" | grep -o 'src.*\|proto.*mode.*' | paste -sd ' ' | sed "s/^/   $h: /"
	done
}
# demo_wire: what was on the wires, for the proofs below
demo_wire() {
	note_leases
	wait_for 5 quiet_lab
	captured
	wire_facts || die "the capture cannot be read"
	"$PY" "$HERE/esp.py" kinds <$LAB/ipsec-wire.json | show
	wires_of show | show
}
wires_of() { # same|show [OPTION...]
	local h opts=()
	for h in $HOSTS; do opts+=(--host "$h=$(addr_of "$h")=$LAB/lan.pcap"); done
	"$PY" "$LAB_SRC/wire.py" "$1" --pool "$POOL" --gw "$GW_PRIV" "${opts[@]}" --peer $LAB/peer.pcap "${@:2}"
}
# clean_wire esp|ah: on the public wire nothing but that, each host's under SPIs of its own
clean_wire() {
	"$PY" "$HERE/esp.py" judge "$1" <$LAB/ipsec-wire.json >$LAB/judged
	cat $LAB/judged
	! grep -q . $LAB/judged
}
no_loss() { [ "$LOST" = 0 ] || { echo "$LOST lost or doubled"; return 1; }; }
