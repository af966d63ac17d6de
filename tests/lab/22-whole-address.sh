#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# RSA-IP: host A leases an address whole, so that every protocol reaches it, called or calling; its tunnel ends at an
# address of the gateway that its policy names (RFC 3103 6).  Host B listens on a port (RFC 3103 9.16).  Both go on when
# rsipd is killed and started again.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
WHOLE=203.0.113.17 GW_OTHER=10.99.0.2
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ] }, { "name": "whole", "addresses": [ "'$WHOLE'" ], "methods": [ "RSA-IP" ] }'
LAB_TOP='"policies": [
	{ "clients": [ "'$HOSTA'/32" ], "pools": [ "whole" ], "endpoint": "'$GW_OTHER'" },
	{ "clients": [ "'$HOSTB'/32" ], "pools": [ "lab" ] } ],'
other_end() { on gw ip addr add $GW_OTHER/24 dev priv0; }
lab_up other_end
host_up hosta --whole-address yes || lab_abort "host A: $(tail -n 3 $LAB/client-hosta.log)"
host_up hostb --listen 8080 || lab_abort "host B: $(tail -n 3 $LAB/client-hostb.log)"
check_eq "host A has the whole address" "$(lease hosta addr)" $WHOLE
check_eq "and no ports of their own" "$(lease hosta port_cnt)" 0
mkdir -p $LAB/www && echo hello >$LAB/www/hello

serve peer
capture hosta peer
check "host A calls the peer" inside hosta curl -sS --max-time 5 http://$PEER/hello
check "host A pings the peer" inside hosta ping -q -c 2 -W 2 $PEER
start hosta served.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- "$PY" -m http.server 80 --directory $LAB/www
call() { on peer curl -sS --max-time 2 "http://$1/hello"; }
check "the peer calls host A, on a port that nobody asked for" wait_for 15 call $WHOLE:80
check "the peer pings host A" on peer ping -q -c 2 -W 2 $WHOLE
check "with echo requests in fragments, of which only the last fits into the tunnel" on peer ping -q -c 2 -W 2 -s 3000 $WHOLE
captured
check_ge "host A's tunnel ends at the other address: packets" "$(seen hosta src=$HOSTA dst=$GW_OTHER proto=4)" 4
check_eq "and not at the interface's" "$(seen hosta src=$HOSTA dst=$GW_PRIV proto=4)" 0

start hostb served-b.log "$BIN/rsip-client" exec --state-dir $LAB/client-hostb -- "$PY" -m http.server 8080 --directory $LAB/www
check "the peer calls host B's listener" wait_for 15 call $POOL:8080
# the way out may depend on the source: what host B's packets found is not host A's
one() { inside "$1" taskset -c 0 ping -q -c 1 -W 1 $PEER >/dev/null 2>&1; echo $?; }
on gw ip rule add pref 100 from $WHOLE blackhole
check "a rule forbids one address what the other may" wait_for 5 eval '[ "$(one hostb) $(one hosta)" = "0 1" ]'
for _ in 1 2; do check_eq "host B's ping, then host A's" "$(one hostb) $(one hosta)" "0 1"; done
on gw ip rule del pref 100
check "without the rule both come back" wait_for 5 eval '[ "$(one hostb) $(one hosta)" = "0 0" ]'

before=$(bindings)
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
check "rsipd is dead: host A is reached" call $WHOLE:80
check "and host B's listener" call $POOL:8080
rsipd_start
check_eq "a new rsipd finds both bindings" "$(bindings)" "$before"
check "host A is reached" call $WHOLE:80
check "host B's listener, too" call $POOL:8080
lab_end
