#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The publish protocol, checked exhaustively with spin: as it is, it holds; with any of its steps left out, spin finds
# the packet that goes astray or is lost.  LONG=1 has two readers at once.
set -u
cd "$(dirname "$0")" || exit 1
passed=0 failed=0
for p in spin gcc; do
	command -v $p >/dev/null || { echo "skip model: $p is missing (make deps installs it)"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
done
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

ok() { passed=$((passed + 1)); echo "ok $*"; }
not_ok() { failed=$((failed + 1)); echo "not ok $*"; }

# check NAME WANT [-DOPTION...]: WANT is the number of errors that spin finds (it stops at the first)
check() {
	local name=$1 want=$2 out errors states
	shift 2
	mkdir -p "$tmp/$name"
	out=$(cd "$tmp/$name" && spin "$@" -a "$OLDPWD/publish.pml" && gcc -w -O2 -DSAFETY -DMEMLIM=2048 -DCOLLAPSE -o pan pan.c && ./pan -m100000 2>&1) ||
		{ not_ok "$name: $(tail -n 2 <<<"$out" | tr '\n' ' ')"; return; }
	errors=$(grep -o 'errors: [0-9]*' <<<"$out" | cut -d ' ' -f 2)
	states=$(grep 'states, stored' <<<"$out" | awk '{ print $1 }')
	if grep -q "max search depth too small\|out of memory" <<<"$out"; then
		not_ok "$name: not searched to the end"
	elif [ "$errors" = "$want" ]; then
		ok "$name: $errors errors in ${states%.*} states"
	else
		not_ok "$name: $errors errors, want $want: $(grep 'assertion' <<<"$out" | head -n 1)"
	fi
}

check as-it-is 0 -DOPS=5 -DREADERS=1
[ "${LONG:-}" != 1 ] || check as-it-is-with-two-readers 0 -DOPS=4
check without-a-grace-period-before-a-slot-is-reused 1 -DOPS=4 -DREADERS=1 -DNO_GRACE
check without-one-while-an-entry-moves 1 -DOPS=4 -DREADERS=1 -DNO_MOVE_GRACE
check with-loads-in-any-order 1 -DOPS=4 -DREADERS=1 -DWEAK
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
