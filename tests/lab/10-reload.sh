#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A changed configuration in a running rsipd, by rsipctl and by SIGHUP: pools come and go, live leases keep forwarding,
# a host that may not be here any more hears it, and what needs more than rsipd can is refused with the words of what does.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
pool() { echo '{ "name": "'"$1"'", "addresses": [ "'"$2"'" ], "methods": [ "RSAP-IP", "RSIPSEC" ] }'; }
lab_up
started peer http.log "$PY" -uc 'import http.server as h
s = h.ThreadingHTTPServer(("'$PEER'", 8080), h.SimpleHTTPRequestHandler)
print("ready", flush=True)
s.serve_forever()'
talks() { inside "$1" curl -s -m 5 -o /dev/null "http://$PEER:8080/"; }
both_up --lease 600
check "hosta talks to the peer" talks hosta

# RFC 3102 5.3.1: a service level for each host, which live leases have at once, and keep without rsipd
LAB_TOP='"policies": [ { "clients": [ "'$HOSTA'/32" ], "dscp": "EF" }, { "clients": [ "'$HOSTB'/32" ], "dscp": 8 } ],'
lab_conf
check "config-reload takes service levels" ctl reload
check_eq "the bindings show them" "$(ctl --json bindings | js 'sorted((b["host"], b["dscp"]) for b in d["bindings"])')" \
	"[('$HOSTA', 'EF'), ('$HOSTB', 'CS1')]"
sends() { # NODE DSCP: what the peer sees of it, and nothing else
	wait_for 5 quiet || not_ok "traffic does not stop"
	capture peer
	talks "$1" || not_ok "$1 does not talk to the peer"
	wait_for 5 quiet || not_ok "traffic does not stop"
	captured
	check_ge "$1's packets leave with DSCP $2" "$(seen peer src=$POOL proto=6 dscp="$2")" 4
	check_eq "all of them" "$(seen peer src=$POOL proto=6)" "$(seen peer src=$POOL proto=6 dscp="$2")"
}
sends hosta 46
sends hostb 8
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
sends hosta 46
sed -i 's/"dscp": 8/"dscp": 0/' $LAB/rsipd.json
rsipd_start
sends hosta 46
sends hostb 0

LAB_POOL="$(pool lab $POOL), $(pool more 203.0.113.8)"
lab_conf
check "config-reload takes a new pool" ctl reload
check_eq "and has it in status" "$(ctl --json status | js '[p["name"] for p in d["pools"]]')" "['lab', 'more']"
check "a host leases from it" client hosta lease --ports 4 --address 203.0.113.8
check "the old lease goes on" talks hosta

LAB_POOL="$(pool more 203.0.113.8)"
lab_conf
stamp=$(wc -c <$LAB/rsipd.log)
kill -HUP $RSIPD
in_effect() { tail -c +$((stamp + 1)) $LAB/rsipd.log | grep -q "in effect"; }
check "SIGHUP is a reload" wait_for 5 in_effect
check_eq "the pool that was given up is drained" "$(ctl --json status | js '[(p["name"], p["draining"]) for p in d["pools"]]')" \
	"[('lab', True), ('more', False)]"
check "its live lease goes on" talks hosta
if client hosta lease --ports 4 --address $POOL >$LAB/refused 2>&1; then not_ok "a drained pool leases"; else
	check "nothing new is leased from it" grep -q LOCAL_ADDR_UNALLOWED $LAB/refused
fi

LAB_CLIENTS='"10.99.0.12/32"'
lab_conf
check "config-reload takes other client networks" ctl reload
ended() { grep -q "ended our registration" $LAB/client-hosta/*.log $LAB/client-hosta.log $LAB/up-hosta.log 2>/dev/null || [ "$(ctl --json clients | js 'len(d["clients"])')" = 1 ]; }
check "the host that cannot be served any more is gone" wait_for 5 ended
heard() { [ "$(client hosta status --json | js 'd["state"]')" != registered ]; }
check "and has heard of it" wait_for 5 heard
check_eq "the other one stays" "$(ctl --json clients | js '[c["host"] for c in d["clients"]]')" "['$HOSTB']"

sed 's/"mode": "native" }/"mode": "native", "max_bindings": 1024 }/' $LAB/rsipd.json >$LAB/other.json
cp $LAB/other.json $LAB/rsipd.json
if ctl reload >$LAB/refused 2>&1; then not_ok "sizes of the data plane change by a reload"; else
	check "what is the loader's is refused with its command" grep -q "dataplane.*rsip-loader" $LAB/refused
fi
echo '{ "pools": 1 }' >$LAB/rsipd.json
if ctl reload >$LAB/refused 2>&1; then not_ok "a broken file is taken"; else
	check "a broken file changes nothing and is explained" grep -q "pools" $LAB/refused
fi
check_eq "the configuration in effect is still there" "$(ctl --json config | js 'd["clients"]["networks"]')" "['10.99.0.12/32']"

stop $RSIPD
LAB_CLIENTS='"10.99.0.11/32"'
lab_conf
rsipd_start
gone() { [ "$(bindings)" = "" ] && [ "$(client hostb status --json | js 'd["state"]')" != registered ]; }
check "a host that a restart leaves out is gone, and has heard of it" wait_for 10 gone ||
	{ bindings; client hostb status; tail -n 3 $LAB/rsipd.log; }
lab_end
