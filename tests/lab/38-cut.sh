#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Over TCP the connection breaks before the host has read a grant: it asks again with the same counter, and gets what was
# granted, though rsipd was killed meanwhile: no lease is held that nobody uses.  While the gateway is away the log is not
# filled, and tells when it is back.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
command -v nft >/dev/null || { skip "cut: nft is missing (make deps installs it)"; lab_end; }
lab_up
settings() { echo "{ \"gateway\": \"$GW_PRIV\", \"transport\": \"tcp\", \"ports\": $1 }" >$LAB/client.json; }
held() { client hosta status --json | js '[(b["bind-id"], b["ports"]) for b in d["bindings"]]'; }
has() { [ "$(client hosta status --json | js 'len(d["bindings"]), d["bindings-wanted"]')" = "($1, 0)" ]; }
granted() { [ "$(bindings | wc -l)" = "$1" ]; }
deaf() { # what the gateway writes is lost on the way, the end of a connection is not
	on hosta nft 'table ip cut { chain in { type filter hook input priority 0; tcp sport 4555 tcp flags & psh == psh drop; }; }' ||
		lab_abort "nft does not do what it should"
}
said() { grep -c "$1" $LAB/client-hosta/client.log; }

settings 8
client hosta up --config $LAB/client.json >$LAB/client-hosta.log 2>&1 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
deaf
settings 16
client hosta reload >/dev/null || not_ok "reload"
check "a grant that the host does not hear" wait_for 5 granted 2
orphan=$(bindings | sort)
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
check "the log tells that the gateway is silent" wait_for 10 eval '[ "$(said "connection to .* brings no answer")" = 1 ]'
on hosta nft delete table ip cut
sleep 5 # the gateway is away for a few tries
rsipd_start
check "on the next connection it gets that grant" wait_for 10 has 2
check_eq "and no other" "$(bindings | sort)" "$orphan"
check_eq "by one answer that was repeated" "$(ctl --json stats | js 'd["replayed"] if "replayed" in d else d["protocol"]["replayed"]')" 1
check_eq "while it was away the log said so once" "$(said "connection to\|cannot register\|cannot reach")" 1
check_eq "and that it is back" "$(said "answers, after [0-9]* s without an answer")" 1

# who waits for a lease at a terminal is told at once, and what comes of it is given back
deaf
start hosta lease.log "$BIN/rsip-client" lease --state-dir $LAB/client-hosta --ports 4
lease=$STARTED
check "one more grant that the host does not hear" wait_for 5 granted 3
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
wait $lease
check_eq "who asked is told" "$? $(grep -c "does not answer" $LAB/lease.log)" "1 1"
on hosta nft delete table ip cut
rsipd_start
check "it is given back" wait_for 10 granted 2
client hosta down || not_ok "down: exit $?"
check_eq "no binding is left" "$(bindings)" ""
lab_end
