#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# What an operator sees of a running gateway: events as they happen, and the read-only socket, on which nothing can be
# changed.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_CONTROL='"read_only_socket": "/run/rsip-lab/stats.sock", "read_only_mode": "0666", '
LAB_LIMITS='"ports_per_client": 8, "messages_per_second": 100000'
lab_up
reads() { "$BIN/rsipctl" --socket $LAB/stats.sock "$@"; }

start gw events.log "$BIN/rsipctl" --socket $LAB/stats.sock --json events
watcher=$STARTED
start gw people.log "$BIN/rsipctl" --socket $LAB/rsipd.sock events bindings
people=$STARTED
# rsipctl catches SIGINT (the second bit) when its subscription was answered
subscribed() { [ $((0x$(awk '$1 == "SigCgt:" { print $2 }' "/proc/$1/status") & 2)) != 0 ]; }
wait_for 10 subscribed $watcher && wait_for 10 subscribed $people || lab_abort "the subscribers do not subscribe"
said() { "$PY" -c '
import json, sys
want = dict(a.split("=") for a in sys.argv[2:])
n = 0
for line in open(sys.argv[1]):
    e = json.loads(line)
    e.update({"b-" + k: v for k, v in e.get("binding", {}).items()})
    n += all(str(e.get(k)) == v for k, v in want.items())
print(n)' $LAB/events.log "$@"; }
saw() { [ "$(said "$@")" -ge 1 ]; }

host_up hosta --ports 4 || lab_abort "host A: $(tail -n 3 $LAB/client-hosta.log)"
check "a host registers: an event" wait_for 5 saw event=client-start host=$HOSTA transport=UDP
check "a lease begins: an event" wait_for 5 saw event=binding-start b-host=$HOSTA b-local=$POOL
host_up hostb --ports 4 --spis 4 || lab_abort "host B: $(tail -n 3 $LAB/client-hostb.log)"
refused() { ! client hosta lease --ports 100 >$LAB/refused.log 2>&1; }
check "more ports than a client may have are refused" refused
check "an event says so" wait_for 5 saw event=refusal reason=LOCAL_ADDRPORT_UNAVAILABLE host=$HOSTA
judge hosta private-spoof >$LAB/judge.log
check "packets that break a rule: an event" wait_for 5 saw event=violation reason=not-owner host=$HOSTA local=$POOL

# the data plane's own answer, from an rsipd without privileges
port=$(lease hosta port)
explain() { reads explain "$@" | head -n 1; }
bind=$(reads --json bindings | js '[b["bind-id"] for b in d["bindings"] if b["host"] == "'$HOSTA'"][0]')
check_eq "explain: host A's port" "$(explain in udp local=$POOL local-port="$port" remote=$PEER remote-port=7)" \
	"delivered by binding $bind of host $HOSTA"
check_eq "explain: a port nobody leases" "$(explain in udp local=$POOL local-port=1999)" \
	"dropped: nobody leases this port of a shared address"
check_eq "explain: host B may not use it" "$(explain out udp host=$HOSTB local=$POOL local-port="$port" remote=$PEER remote-port=7)" \
	"dropped: a host's packet that uses another host's resource (the binding it would belong to is shown)"

bind=$(reads --json bindings | js '[b["bind-id"] for b in d["bindings"] if b["host"] == "'$HOSTB'"][0]')
removed() { reads binding remove "$bind" 2>&1; }
check_eq "the read-only socket removes nothing" "$(removed)" "rsipctl: binding-remove changes something, and this socket is read-only"
check "the operator's does" ctl binding remove "$bind"
check "a lease ends by the operator: an event" wait_for 5 saw event=binding-end reason=operator b-bind-id="$bind"
check "a user without rights reads the counters" setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$BIN/rsipctl" --socket $LAB/stats.sock stats
denied() { ! setpriv --reuid 65533 --regid 65533 --clear-groups "$BIN/rsipctl" --socket $LAB/rsipd.sock stats; }
check "and not by the operator's socket" denied
check "host A goes: an event" client hosta down
check "its registration has ended" wait_for 5 saw event=client-end reason=host host=$HOSTA
kill -INT $watcher $people
wait $watcher
check_eq "rsipctl events ends by itself on SIGINT" $? 0
wait $people
check_ge "the same for people" "$(grep -c "binding-start.*host $HOSTA.*local $POOL" $LAB/people.log)" 1
lab_end
