#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A gateway that turns on its host (fakegw.py): a flood of noise, replays and other hosts' answers changes nothing, keeps
# nobody from asking for the status, and fills no log; and what it grants that nobody may have is given back.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
lab_net || lab_abort "cannot build the network"
started gw fakegw.log "$PY" "$LAB_SRC/fakegw.py" $GW_PRIV $POOL --flood 30000
fake=$STARTED
host_up hosta --ports 8 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
state() { client hosta status --json | js '[(b["bind-id"], b["address"], b["ports"]) for b in d["bindings"]], d["client-id"]'; }
heard() { client hosta status --json | js 'd["messages"]["'"$1"'"]'; }
said() { grep "$1" $LAB/fakegw.log | sort -u | wc -l; } # for a binding once
rss() { awk '/VmRSS/ { print $2 }' "/proc/$(pgrep -f 'rsip-client up .*client-hosta')/status"; }
before=$(state) memory=$(rss) ignored=$(heard ignored)
lines=$(wc -l <$LAB/client-hosta/client.log)

kill -USR1 $fake
slow=0
until grep -q flooded $LAB/fakegw.log; do
	start=$(date +%s%N)
	client hosta status >$LAB/status.txt || slow=999999
	took=$((($(date +%s%N) - start) / 1000000))
	[ $took -le $slow ] || slow=$took
done
check "while it floods, the status comes (at worst after $slow ms)" [ $slow -lt 5000 ]
check_eq "nothing has changed" "$(state)" "$before"
check "most was heard and ignored" [ $(($(heard ignored) - ignored)) -gt 3000 ]
check "a few lines in the log" [ $(($(wc -l <$LAB/client-hosta/client.log) - lines)) -lt 10 ]
check "and no more memory" [ $(($(rss) - memory)) -lt 1000 ]

kill -USR2 $fake
n=0
for what in loopback multicast "its own" private "for no time" "too few"; do
	n=$((n + 1))
	check "granted $what: not taken" eval '! client hosta lease --ports 8 >$LAB/lease.txt 2>&1 && grep -q "given back" $LAB/lease.txt'
	returned() { [ "$(said 'given back')" -ge $n ]; }
	check "and given back" wait_for 5 returned
done
check_eq "what was leased before stays" "$(state)" "$before"
stop $fake
started gw fakegw.log "$PY" "$LAB_SRC/fakegw.py" $GW_PRIV $POOL
check "down" client hosta down
lab_end
