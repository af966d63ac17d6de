#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# ipsec.sh {rsip|masquerade} [NAME...]   real IPsec: kernel ESP and AH with stock strongSwan on the hosts and the peer,
# behind one address, through our gateway or through what is used today, nftables masquerade.  The scenarios are those of
# ipsec/scenarios (all, or the named ones).  With RESULTS=DIR, DIR/NAME gets a line for each step once NAME is over.
# Needs a kernel with ESP and AH: this machine's, or the VM's (make test-vm).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/ipsec/lab.sh"
GATEWAY=${1:-rsip}
lab_enter "$@"
shift $(($# > 0))

ike_have || { skip "ipsec: strongSwan is missing (make deps installs it)"; lab_end; }
ipsec_can || { skip "ipsec: this kernel has no ESP and AH; make test-vm runs it on one that has"; lab_end; }
mapfile -t rows < <(scenario_rows "$@")
[ ${#rows[@]} -gt 0 ] || lab_abort "no such scenario: $*"
[ -z "${RESULTS:-}" ] || mkdir -p "$RESULTS"
world
for i in "${!rows[@]}"; do
	# shellcheck disable=SC2086
	scenario ${rows[i]} </dev/null
	printf '==== %d of %d: %s, %s: %s, %d s; %s\n' $((i + 1)) ${#rows[@]} "$GATEWAY" "$NAME" \
		"$([ $BAD = 0 ] && echo ok || echo "$BAD FAILED")" $((SECONDS - BEGUN)) "$(remaining $((i + 1)) ${#rows[@]})"
done
lab_end
