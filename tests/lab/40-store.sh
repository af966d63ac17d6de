#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The lease store on a disk of its own: leases survive kills, a reboot (the maps are gone), a disk that is full and one
# that is read-only.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_STORE=/run/rsip-lab/disk/store/leases.sqlite
LAB_LEASES='"min": 2, "default": 1800, "hold": 1'
disk() { # a small disk for the store
	mkdir -p $LAB/disk && mount -t tmpfs -o size=2m,mode=755 tmpfs $LAB/disk
}
lab_up disk
both_up --ports 8 --spis 4
check_eq "the store is rsipd's own" "$(stat -c %U:%a $LAB/disk/store/leases.sqlite)" nobody:600

store_is() { [ "$(ctl --json status | js 'd.get("arguments", d)["store"]["'"$1"'"]')" = "$2" ]; }
binds() { bindings | wc -l; }
clients() { ctl --json clients | js 'len(d["clients"])'; }
# speak NODE WHAT...: RSIP as a host, by hand; prints the answers' types and errors
speak() { on "$1" "$PY" "$LAB_SRC/speak.py" $GW_PRIV "${@:2}"; }

before=$(bindings)
for i in 1 2 3; do
	kill -KILL $RSIPD
	wait $RSIPD 2>/dev/null
	rsipd_start
done
check_eq "after three kills: the same bindings" "$(bindings)" "$before"

# a reboot: rsipd, programs and maps are gone; leases are on the disk
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
loader detach --config $LAB/rsipd.json >$LAB/out 2>&1 || lab_abort "rsip-loader detach: $(cat $LAB/out)"
loader attach --config $LAB/rsipd.json >$LAB/out 2>&1 || lab_abort "rsip-loader attach: $(cat $LAB/out)"
rsipd_start
check_eq "without the maps: the same bindings, installed again" "$(bindings)" "$before"
check "it says so" grep -q "2 installed anew" $LAB/rsipd.log
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
check "host A's programs go on with their ports" inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 200 3

# full
head -c 4m /dev/zero >$LAB/disk/filler 2>/dev/null
check_eq "a new lease on a full disk" "$(speak hostb register assign:8)" "302 309"
check "status says that the store fails" store_is state failing
ctl --json status | js 'd.get("arguments", d)["store"].get("why")' >$LAB/why
check "and why" grep -qi full $LAB/why
check "a renewal goes on" speak hosta extend
check_eq "nothing was lost" "$(bindings)" "$before"
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
rm $LAB/disk/filler
rsipd_start
check_eq "killed while full: the same bindings" "$(bindings)" "$before"
check "there is room again: the store works" wait_for 10 store_is state ok
check_eq "and leases are granted" "$(speak hostb register assign:8)" "302 ok"
check_eq "one more binding" "$(binds)" 3

# read-only
mount -o remount,ro $LAB/disk
check_eq "a new lease on a read-only disk" "$(speak hostb register assign:8)" "302 309"
check "status says that the store fails" store_is state failing
mount -o remount,rw $LAB/disk
check "it recovers by itself" wait_for 10 store_is state ok
check_eq "and leases are granted" "$(speak hostb register assign:8)" "302 ok"

# SIGTERM leaves nothing unwritten
last=$(bindings)
kill -TERM $RSIPD
wait $RSIPD 2>/dev/null
rsipd_start
check_eq "after SIGTERM: the same bindings" "$(bindings)" "$last"
check "the file is sound" "$PY" -c "import sqlite3; c = sqlite3.connect('file:$LAB/disk/store/leases.sqlite?mode=ro', uri=True)" 
lab_end
