#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A cut of the matrix of tests/vm/ipsec.sh: two stock strongSwan hosts with kernel ESP at one address, while both sides
# rekey.  On a kernel without ESP in a VM with Debian's 6.1; where that cannot be either it says why and skips.
TREE=$(cd "$(dirname "$0")/../.." && pwd)
. "$TREE/tests/vm/ipsec/place.sh"
cut=(tests/vm/ipsec.sh rsip v2-esp-label)
cd "$TREE" || exit 1
if [ "$(id -u)" != 0 ] || ipsec_can; then exec "${cut[@]}"; fi
case ${O:-} in
*/san) WHY="with sanitizers takes too long" ;;
*) if vm_can bookworm; then vm_run bookworm 900 "${cut[@]}"; exit; fi ;;
esac
echo "skip kernel IPsec: this kernel has no ESP and AH, and a VM $WHY"
echo "0 passed, 0 failed, 1 skipped"
