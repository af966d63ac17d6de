#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A host whose disk is full: its client works, says once that it cannot write its state, and again when it can.  A gateway that
# leases ports which need a privilege on the host: they do not become everybody's.  A host without descriptors.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "ports": "1016-1023", "methods": [ "RSAP-IP" ] }'
lab_up
DIR=$LAB/client-hosta
mkdir $DIR && mount -t tmpfs -o size=256k tmpfs $DIR
start hosta service.log "$BIN/rsip-client" up --foreground --gateway $GW_PRIV --state-dir $DIR --ports 2 --ports-max 0
said() { grep -c "$1" $LAB/service.log; }
leases() { [ "$(client hosta status --json | js 'len(d["bindings"])')" = "$1" ]; }
check "a host leases" wait_for 10 leases 1
dd if=/dev/zero of=$DIR/full bs=4k >/dev/null 2>&1
for i in 1 2 3; do client hosta lease --ports 1 >/dev/null || not_ok "lease $i on a full disk"; done
check "on a full disk it goes on" leases 4
check_eq "and says once that it cannot write" "$(said "cannot write the state file in $DIR: No space left")" 1
check_eq "no half of a file is there" "$(ls $DIR/*.new 2>/dev/null)" ""
check "the old one is whole" eval 'js "len(d[\"leases\"])" <$DIR/client-state.json'
rm $DIR/full
client hosta lease --ports 1 >/dev/null || not_ok "lease with room again"
check_eq "with room again it says so" "$(said "state file in $DIR is written again")" 1
check_eq "and the file is up to date" "$(js 'len(d["leases"])' <$DIR/client-state.json)" 5
client hosta down || not_ok "down: exit $?"
check_eq "no binding is left" "$(bindings)" ""

host_up hosta --place host --route remote --ports 8 || not_ok "hosta: $(cat $LAB/client-hosta.log)"
check_eq "leased: ports that need a privilege" "$(lease hosta port)" 1016
check_eq "they still need one" "$(on hosta sysctl -n net.ipv4.ip_unprivileged_port_start)" 1024
check_eq "nor are they chosen for who names none: any pair that is reserved" "$(on hosta sysctl -n net.ipv4.ip_local_port_range)" "32768	32769"
check "down" client hosta down
umount $DIR
check "a host with no descriptors left: up says what it lacks" eval \
	'! on hosta prlimit --nofile=4 "$BIN/rsip-client" up --gateway $GW_PRIV --state-dir $DIR >$LAB/up.log 2>&1 3>&- && grep -q "up failed: cannot make a pipe: Too many open files" $LAB/up.log'
lab_end
