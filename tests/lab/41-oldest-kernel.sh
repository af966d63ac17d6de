#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Do all BPF programs load on Debian's 6.1, the oldest kernel that is meant to work, whose verifier takes less?  In a VM;
# where that cannot be it says why and skips.
TREE=$(cd "$(dirname "$0")/../.." && pwd)
. "$TREE/tests/vm/ipsec/place.sh"
cd "$TREE" || exit 1
if [ "${RSIP_VM:-}" = 1 ]; then exec tests/vm/objects.sh; fi
if vm_can bookworm; then vm_run bookworm 900 tests/vm/objects.sh; exit; fi
echo "skip Debian 6.1: a VM $WHY"
echo "0 passed, 0 failed, 1 skipped"
