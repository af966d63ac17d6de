# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# The matrix of ipsec/scenarios, as run's jobs ipsec and nat: one VM for all scenarios of a kernel and gateway, another one
# for the rest if it dies.  What each saw is a file, build/vm/results/GATEWAY-KERNEL/SCENARIO, written when it is over.
RESULTS_DIR=build/vm/results

# matrix SUITE {rsip|masquerade}: runs $SCENARIOS (all); with RESUME=1 only those that have no good result yet.
# P, F, S are its passed, failed, skipped.
matrix() {
	local suite=$1 gateway=$2 dir names todo name rc=0
	dir=$RESULTS_DIR/$gateway-$(cat "build/vm/$suite/version")
	names=$(scenario_names) || { P=0 F=1 S=0; return; }
	mkdir -p "$dir"
	todo=$names
	if [ "${RESUME:-}" = 1 ]; then
		todo=$(for name in $names; do is_good "$dir/$name" || echo "$name"; done)
		echo "$(wc -w <<<"$names") scenarios, $(wc -w <<<"$todo") of them to run"
	fi
	for name in $todo; do rm -f "$dir/$name" "$dir/.$name"; done
	while [ -n "$todo" ]; do
		# shellcheck disable=SC2086
		RESULTS=/mnt tests/vm/boot.sh -s "$suite" -o "$dir" -m 4000 -t 14400 tests/vm/ipsec.sh "$gateway" $todo | tee "$work/log"
		rc=${PIPESTATUS[0]}
		if grep -q '^skip ' "$work/log"; then P=0 F=0 S=1; return; fi
		left=$(for name in $todo; do [ -e "$dir/$name" ] || echo "$name"; done)
		[ -n "$left" ] || break
		name=${left%%[[:space:]]*} # the one it was at
		printf '%s\n' "$name|$gateway|vm|1|ended early (status $rc)" "$name|$gateway|over|1|0" >>"$dir/.$name"
		mv "$dir/.$name" "$dir/$name"
		echo "==== $name, $gateway: FAILED, ended early (status $rc)"
		todo=${left#"$name"}
		todo=${todo#$'\n'}
	done
	# shellcheck disable=SC2086
	read -r P F <<<"$(cd "$dir" && cat $names | awk -F'|' '$3 == "over" { f += $4; next } $3 != "on" && $4 == 0 { p++ } END { print p + 0, f + 0 }')"
	S=0
}
scenario_names() { # those of $SCENARIOS, in the table's order; a name that is not in it is an error
	local all name
	all=$(awk '/^[^#]/ { print $1 }' tests/vm/ipsec/scenarios)
	for name in ${SCENARIOS:-}; do grep -qxF -e "$name" <<<"$all" || { echo "run: no scenario '$name' in tests/vm/ipsec/scenarios" >&2; return 1; }; done
	[ -n "${SCENARIOS:-}" ] || { echo "$all"; return; }
	# shellcheck disable=SC2086
	grep -xF "$(printf '%s\n' $SCENARIOS)" <<<"$all"
}
is_good() { grep -q '|over|0|' "$1" 2>/dev/null; }
