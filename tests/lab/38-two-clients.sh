#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Two clients on one machine: at one gateway the second is refused, and told which the first is; a service waits until that
# one ends.  A kill frees the place.  The same address in another network namespace is another host's business.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
second() { on hosta "$BIN/rsip-client" "$1" --state-dir $LAB/client-second "${@:2}"; }
second_up() { second up --gateway $GW_PRIV --ports 4 --device rsip-two "$@"; }
refused() { ! second_up >$LAB/second.txt 2>&1; }
claims() { ls /run/rsip 2>/dev/null; }

host_up hosta --ports 8 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
pid=$(client_pid hosta)
held=$(bindings)
check "a second client at the same gateway is refused" refused
check "it is told which the first is, and what to do" grep -q "process $pid, .*--state-dir $LAB/client-hosta down" $LAB/second.txt
check_eq "it has touched nothing" "$(bindings) $(ls $LAB/client-second | grep -v '^client\.\(lock\|log\)$')" "$held "
check "one on another host is served" host_up hostb --ports 4
client hostb down

start hosta service.log "$BIN/rsip-client" up --foreground --gateway $GW_PRIV --state-dir $LAB/client-second --ports 4 --device rsip-two
service=$STARTED
check "a service waits, and says for whom" wait_for 5 grep -q "process $pid, .*(waiting for it)" $LAB/service.log
check_eq "it has touched nothing, either" "$(bindings)" "$held"
client hosta down || not_ok "hosta down: exit $?"
served() { second status --json | js 'd["bindings"][0]'; }
check "it is served when the first has ended" wait_for 10 served
refused_first() { ! host_up hosta --ports 8 && grep -q "process $service, " $LAB/client-hosta.log; }
check "and now the other is refused" refused_first
# the socket is where somebody said: what is there already, and is no dead client's, stays
elsewhere() { ! client hostb up --gateway $GW_PRIV --ports 4 --socket "$1" >$LAB/hostb.txt 2>&1 && grep -q "$2" $LAB/hostb.txt; }
check "a socket that another client listens at is refused" elsewhere $LAB/client-second/client.sock "another program listens there"
check "and that one is still there" served
echo precious >$LAB/file
check "a file that is no socket is refused" elsewhere $LAB/file "a file of something else"
client hostb down --socket $LAB/file >/dev/null 2>&1
check_eq "and stays, after down, too" "$(cat $LAB/file)" precious
check_eq "nothing of it is left" "$(bindings | wc -l) $(ls $LAB/client-hostb | grep -v '^client\.\(lock\|log\)$')" "1 "
client_killed second
check "after a kill the place is free" host_up hosta --ports 8
check_eq "for one registration" "$(ctl --json clients | js 'len(d["clients"])') $(bindings | wc -l)" "1 1"
check "what the killed one had is put away in its name" second down
check_eq "without a loss for the other" "$(client hosta status --json | js 'd["bindings"][0]["ports"] != []') $(bindings | wc -l)" "True 1"
client hosta down || not_ok "hosta down: exit $?"
check_eq "no lock is left" "$(claims)" ""
lab_end
