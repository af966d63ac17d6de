#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Settings that are edited while a client runs (reload, SIGHUP), or after it was killed: what is still wished stays leased and
# its traffic goes on, what is wished no longer is given back, what is new is asked for.  A mistake changes nothing.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
settings() { echo "{ \"gateway\": \"$GW_PRIV\", $1 }" >$LAB/client.json; }
up() { client hosta up --config $LAB/client.json >$LAB/client-hosta.log 2>&1; }
# what MIND...: the bindings in short: listeners by their port, others by how many ports and SPIs they have
what() { client hosta status --json | "$PY" -c '
import json, sys
def n(runs): return sum(int(r.split("-")[-1], 0) - int(r.split("-")[0], 0) + 1 for r in runs)
d = json.load(sys.stdin)
print(" ".join(sorted("%d+%d" % (n(b["ports"]), n(b["spis"])) if b["ports"] != ["8080"] and b["ports"] != ["8081"] else ":" + b["ports"][0]
                     for b in d["bindings"])), d["bindings-wanted"])'; }
is() { [ "$(what)" = "$1" ]; }
agreed() { [ "$(bindings | wc -l)" = "$(client hosta status --json | js 'len(d["bindings"])')" ]; }
first() { client hosta status --json | js '[(b["bind-id"], b["ports"]) for b in d["bindings"] if b["ports"][0].startswith("'"$port"'")]'; }

settings '"ports": 8, "listen": "8080"'
up || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
port=$(client hosta status --json | js '[b["ports"][0] for b in d["bindings"] if b["ports"] != ["8080"]][0].split("-")[0]')
check_eq "as the settings say" "$(what)" "8+0 :8080 0"
client hosta lease --ports 2 >/dev/null || not_ok "lease"
had=$(first)
flow() { started_inside hosta flow.log "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 50 0; flow=$STARTED; }
echoes() { [ "$(counter hosta in_packets)" -ge $1 ]; }
# goes_on NAME: the flow that was there before is there still
goes_on() {
	local now
	now=$(counter hosta in_packets)
	check "$1: the flow goes on" wait_for 10 echoes $((now + 20))
	stop $flow
}

flow
settings '"ports": 24, "spis": 4, "listen": "8081"'
check "reload says what it follows" eval 'client hosta reload | grep -q "changed: ports, listen, spis$"'
check "more ports, SPIs, another listener" wait_for 10 is "16+4 2+0 8+0 :8081 0"
check "the gateway means the same" wait_for 5 agreed
check_eq "what was wished before stays, by its ID" "$(first)" "$had"
goes_on reload
check_eq "none of its datagrams is lost" "$(js 'd["lost"]' <$LAB/flow.log)" 0

echo '{ "gateway": "'$GW_PRIV'", "prots": 9 }' >$LAB/client.json
check "a mistake: reload fails and says where it is told" eval '! client hosta reload >$LAB/reload.txt 2>&1 && grep -q "nothing has changed.*rsip-client check" $LAB/reload.txt'
check "the log tells it" grep -q "client.json:1: prots: no such setting" $LAB/client-hosta/client.log
check_eq "nothing has changed" "$(what)" "16+4 2+0 8+0 :8081 0"
settings '"ports": 24, "spis": 4, "listen": "8081", "transport": "tcp"'
check "what only a new start can follow is named" eval 'client hosta reload | grep -q "only for the next start: transport$"'
settings '"ports": 8, "spis": 4, "listen": "8081"'
kill -HUP "$(client_pid hosta)"
check "SIGHUP does the same: fewer ports" wait_for 10 is "0+4 2+0 8+0 :8081 0"

flow
client_killed hosta
settings '"ports": 12, "listen": "8080", "lease": 900'
check "killed, edited, started" up
check "what is wished now" wait_for 10 is "2+0 4+0 8+0 :8080 0"
check "the gateway means the same" wait_for 5 agreed
check_eq "what was wished before stays" "$(first)" "$had"
goes_on "killed and edited" # a tunnel that a dead client left is made anew: what is on its way at that moment is lost

# a lease that the settings do not allow any more
client hosta down || not_ok "down: exit $?"
stop $RSIPD
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ] },
	{ "name": "private", "addresses": [ "172.16.7.1" ], "methods": [ "RSA-IP" ] }'
lab_conf
loader upgrade --config $LAB/rsipd.json >$LAB/upgrade.log 2>&1 || lab_abort "upgrade: $(cat $LAB/upgrade.log)"
rsipd_start
settings '"ports": 8, "whole-address": true, "private-addresses": true'
check "a private address, allowed" up
client_killed hosta
settings '"ports": 8, "whole-address": true, "private-addresses": false'
client hosta up --foreground --config $LAB/client.json >$LAB/service.log 2>&1 &
check "not allowed any more: the log says so" wait_for 10 grep -q "binding .*cannot be used any more" $LAB/service.log
addresses() { nsenter --net=$LAB/client-hosta/netns ip -br addr; }
check "it is given back" wait_for 5 eval '! bindings | grep -q 172.16.7.1'
check "its address is gone" eval '! addresses | grep -q 172.16.7.1'
check_eq "the other one stays" "$(bindings | grep -c $POOL)" 1
client hosta down || not_ok "down: exit $?"
check_eq "no binding is left" "$(bindings)" ""
lab_end
