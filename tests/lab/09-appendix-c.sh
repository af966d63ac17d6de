#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The exchanges of RFC 3103 Appendix C, and one of RFC 3104, over UDP and TCP, each answer compared parameter by
# parameter; then tshark's dissector must read every message as it was meant.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"min": 60, "max": 3600, "default": 1800, "registration": 600, "hold": 0'
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ] },
	{ "name": "whole", "addresses": [ "203.0.113.17" ], "methods": [ "RSA-IP" ] }'
LAB_CLIENTS='"10.99.0.0/24", "10.99.7.0/24"'
LAB_TOP='"private_networks": [ "10.99.0.0/24", "10.99.7.0/24" ], "local_networks": [ "10.0.0.0/8" ],
	"policies": [
		{ "name": "strictest", "clients": [ "10.99.7.2/32" ], "local": "micro", "remote": "micro", "listen": true },
		{ "name": "whole", "clients": [ "10.99.7.3/32" ], "remote": "macro", "deny": [ "198.51.100.0/24" ] }
	],'
hosts_of_the_appendix() {
	local n
	for n in 1 2 3 4; do on hosta ip addr add 10.99.7.$n/32 dev eth0 || return 1; done
	on gw ip route add 10.99.7.0/24 via $HOSTA
}
lab_up hosts_of_the_appendix
for transport in udp tcp; do
	judged on hosta "$PY" "$LAB_SRC/appendix_c.py" $GW_PRIV 10.99.7 $transport $LAB/messages.hex \
		"$BIN/rsipctl" --socket $LAB/rsipd.sock binding remove
done
check_eq "nothing is left of it" "$(bindings)" ""
if command -v tshark >/dev/null; then
	judged "$PY" "$LAB_SRC/dissect.py" $LAB/messages.hex $LAB/messages.pcap
else
	skip "tshark is missing (make deps installs it)"
fi
lab_end
