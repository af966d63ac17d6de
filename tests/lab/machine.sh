# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What a host's machine is like, line by line, as far as rsip-client could change it: a scenario compares two of them.

# All of /proc/sys/net but what counts, is random, or charon sets (xfrm_acq_expires): the client sets a few of them, and the kernel brings others along.
sysctls() {
	on "$1" sh -c 'find /proc/sys/net -type f -perm -400 ! -name "*_count" ! -name "*_key" ! -name flush ! -name xfrm_acq_expires | sort | xargs grep -sH ""'
}
# machine NODE [FOLDER]: links, addresses, rules, routes, filters, IPsec, sysctls, sockets; mounts; files of the client (in FOLDER
# but for its log and its empty lock), of strongSwan, in /run and on the BPF file system
machine() {
	on "$1" ip -br link
	on "$1" ip -br addr
	on "$1" ip rule
	on "$1" ip route show table all
	on "$1" ip -6 rule
	on "$1" ip -6 route show table all
	on "$1" tc qdisc show
	on "$1" tc filter show dev eth0 ingress 2>/dev/null
	on "$1" tc filter show dev eth0 egress 2>/dev/null
	on "$1" ip xfrm state
	on "$1" ip xfrm policy
	! command -v nft >/dev/null || on "$1" nft -s list ruleset
	sysctls "$1"
	on "$1" ss -Hlntuwx | grep -F "${2:-$LAB/client-$1}/" # its control socket: others come and go
	awk '{ print "mount", $5 }' /proc/self/mountinfo | sort
	find "${2:-$LAB/client-$1}" /run/rsip /etc/strongswan.d /run/netns /sys/fs/bpf -printf '%p %y %m\n' 2>/dev/null | sort |
		grep -v '/client\.\(lock\|log\) f'
}
