#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# 2,000 hosts, each with 64 ports and 4 SPIs, on four addresses: what a request and a packet cost must not grow with
# them.  The hosts are source addresses of one namespace.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
sizes="10 100 2000"
LAB_POOL='{ "name": "lab", "addresses": [ "203.0.113.1-203.0.113.4" ], "methods": [ "RSAP-IP", "RSIPSEC" ] }'
LAB_CLIENTS='"10.99.0.0/24", "10.98.0.0/16"'
LAB_TOP='"private_networks": [ "10.99.0.0/24", "10.98.0.0/16" ],'
lab_up
on hosta ip route add local 10.98.0.0/16 dev lo
on gw ip route add 10.98.0.0/16 via $HOSTA
on gw ping -c 1 -W 2 $HOSTA >/dev/null # its neighbour entry, as any host's RSIP message would

rounds=$([ "${LONG:-}" = 1 ] && echo 5000 || echo 500)
scale() {
	# shellcheck disable=SC2086
	on hosta "$PY" "$LAB_SRC/scale.py" $GW_PRIV 10.98.0.1 $RSIPD "/run/netns/$(ns gw)" pub0 \
		"$rounds" $sizes >$LAB/scale.json
}
check "all hosts register and lease 64 ports and 4 SPIs" scale || lab_end
sed 's/^/    /' $LAB/scale.json
ratio() { "$PY" -c '
import json, sys
rows = [json.loads(l) for l in open(sys.argv[2])]
rows = [r for r in rows if "hosts" in r]
print(round(100 * rows[-1][sys.argv[1]] / rows[0][sys.argv[1]]))' "$1" $LAB/scale.json; }
last=${sizes##* }
check_le "rsipd CPU time of a request, $last hosts to 10, percent" "$(ratio cpu_us)" 300
# of time, what is walked through, host by host, would show 20,000; what else the machine does at one moment, some hundred
check_le "median time of an answer, $last hosts to 10, percent" "$(ratio median_us)" 1000
check_le "median time of a packet in the data plane, $last hosts to 10, percent" "$(ratio packet_ns)" 1000
check_eq "no two hosts lease the same" "$(tail -n 1 $LAB/scale.json | js 'd["distinct"] == d["expected"]')" True
check_eq "rsipd's count of bindings" "$(bindings | wc -l)" "$last"
lab_end
