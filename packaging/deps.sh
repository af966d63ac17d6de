#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# deps.sh check [build]   one line for each dependency: yes, or what to install; exit 1 if one is missing
# deps.sh install [vm]    installs the missing Debian packages (needs root), with vm those of `make test-vm` too
set -u
cd "$(dirname "$0")/.." || exit 1
lists="packaging/packages-build.txt"
[ "${1:-}" = check ] && [ "${2:-}" = build ] || lists="$lists tests/lab/packages.txt"
[ "${1:-}" = install ] && [ "${2:-}" = vm ] && lists="$lists tests/vm/packages.txt"

wanted() { sed 's/[[:space:]]*#.*//; /^$/d' $lists 2>/dev/null | sort -u; }
missing() {
	for p in $(wanted); do
		[ "$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null)" = "install ok installed" ] || echo "$p"
	done
}
command -v dpkg-query >/dev/null || { echo "deps: no dpkg here: install the packages of $lists by other means" >&2; exit 0; }

case ${1:-} in
check)
	m=$(missing)
	[ -z "$m" ] && exit 0
	for p in $m; do echo "$p: missing - this is required (make deps installs it)" >&2; done
	exit 1 ;;
install)
	m=$(missing)
	if [ -z "$m" ]; then echo "deps: all packages are installed"; exit 0; fi
	[ "$(id -u)" = 0 ] || { echo "deps: missing: $m" >&2; echo "deps: run as root: sudo make deps" >&2; exit 1; }
	echo "deps: installing" $m
	export DEBIAN_FRONTEND=noninteractive
	made='' said=$(mktemp) || exit 1
	trap 'rm -f "$said"; [ -z "$made" ] || rm -f /usr/sbin/policy-rc.d' EXIT
	trap 'exit 130' INT TERM HUP # or sh would leave them behind
	# A policy that starts no service: the tests bring their own instances.
	if [ ! -e /usr/sbin/policy-rc.d ]; then made=1; printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d; fi
	apt-get install -y -q --no-install-recommends $m >"$said" 2>&1 ||
		{ apt-get update -q >>"$said" 2>&1 && apt-get install -y -q --no-install-recommends $m >>"$said" 2>&1; } ||
		{ echo "deps: apt-get failed:" >&2; tail -15 "$said" >&2; exit 1; }
	echo "deps: done" ;;
*)
	sed -n '3,4s/^# //p' "$0" >&2; exit 2 ;;
esac
