# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What a scenario must not leave behind: the world is the same after it as before.
# traces_note NODE... before it; traces_left NODE... after it: what is different, in words, or nothing.

# A node's devices, addresses, routes, rules, filters, SAs, policies, and what rsip-client sets with sysctl.  The kernel's
# tunnel modules bring a device of their own into every namespace; the slow path's has another MAC after the gateway's reboot.
traces_of() {
	# shellcheck disable=SC2016
	on "$1" sh -c 'printf "%s\n" "link show" "addr show" "rule show" "route show table all" | ip -o -batch -
		ip xfrm state; ip xfrm policy; tc qdisc show; nft -s list ruleset 2>/dev/null
		cd /proc/sys/net/ipv4 && grep . ip_forward ip_local_port_range ip_local_reserved_ports ip_unprivileged_port_start conf/*/arp_ignore conf/*/rp_filter' |
		sed -E '/tunl0|gre0|gretap0|erspan0/d; s/^[0-9]+: //; s/ *valid_lft.*//; s/@if[0-9]+//; s/ link-netnsid [0-9]+//; s/prog\/xdp id [0-9]+//; /rsip-slow/s/ether [0-9a-f:]+//'
}
# Processes of this PID namespace, mounts, pins, leases, and files below /run but for what the lab itself keeps, and a
# client's log and (empty) lock in its own folder.
traces_here() {
	ps -eo comm= | grep -E 'rsip|charon|swanctl|python|pluto|unshare' | sort | sed 's/^/process /'
	awk '{ print "mount " $5 }' /proc/self/mountinfo | sort
	find /sys/fs/bpf /run \( -path $LAB -o -path /run/netns \) -prune -o -printf 'file %p\n' | sort
	find $LAB -mindepth 2 ! -path "$LAB/store/*" ! -path "$LAB/ike-*/*" ! -path "$LAB/traces/*" ! -name client.lock ! -name client.log -printf 'file %p\n' | sort
	find $LAB/ike-*/drop -type f -printf 'file %p\n' 2>/dev/null
	[ "$GATEWAY" = rsip ] || return 0
	bindings | sed 's/^/binding /'
	ctl --json clients | js '"\n".join("client " + c["host"] for c in d["clients"])'
}
traces_note() {
	local n
	rm -rf "${LAB:?}/traces" && mkdir "$LAB/traces"
	for n; do traces_of "$n" >"$LAB/traces/$n"; done
	traces_here >"$LAB/traces/here"
}
# differs NAME NOW: from what was noted: the first line that came or went
differs() { diff "$LAB/traces/$1" - <<<"$2" | grep '^[<>]' | sed 's/^>/there is/; s/^</there is no/' | head -n 1 | cut -c 1-160; }
traces_left() {
	local n now left=''
	for n in here "$@"; do
		now=$(if [ "$n" = here ]; then traces_here; else traces_of "$n"; fi)
		[ "$now" = "$(<"$LAB/traces/$n")" ] || left="$left $n: $(differs "$n" "$now");"
	done
	echo "$left"
}
as_before() { LEFT=$(traces_left "$@"); [ -z "$LEFT" ]; } # LEFT says what is not
