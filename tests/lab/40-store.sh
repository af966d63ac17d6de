#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The lease store on a disk of its own: leases survive kills, reboots (the maps are gone, the boot has another ID), and a
# disk that is full or read-only, over a reboot too.
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
# speak WHAT...: a third host, by hand
speak() { on hostb "$PY" "$LAB_SRC/speak.py" $GW_PRIV 10.99.0.13 $LAB/speak.json "$@"; }
on hostb ip addr add 10.99.0.13/24 dev eth0
check_eq "a third host leases" "$(speak register assign:8)" "ok ok"

killed() {
	kill -KILL $RSIPD
	wait $RSIPD 2>/dev/null
}
# reboots [COMMAND...]: rsipd, programs and maps are gone, COMMAND happens, and all starts in another boot
reboots() {
	killed
	loader detach --config $LAB/rsipd.json >$LAB/out 2>&1 || lab_abort "rsip-loader detach: $(cat $LAB/out)"
	"${@:-true}" || lab_abort "$*"
	boots=$((boots + 1))
	cat /proc/sys/kernel/random/uuid >$LAB/boot.$boots
	mount --bind $LAB/boot.$boots /proc/sys/kernel/random/boot_id || lab_abort "no other boot ID"
	loader attach --config $LAB/rsipd.json >$LAB/out 2>&1 || lab_abort "rsip-loader attach: $(cat $LAB/out)"
	rsipd_start
}
boots=0

before=$(bindings)
for i in 1 2 3; do
	killed
	rsipd_start
done
check_eq "after three kills: the same bindings" "$(bindings)" "$before"

reboots
check_eq "after a reboot: the same bindings, installed again" "$(bindings)" "$before"
check "it says so" grep -q "3 installed anew" $LAB/rsipd.log
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
check "host A's programs go on with their ports" inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 200 3

# full
head -c 4m /dev/zero >$LAB/disk/filler 2>/dev/null
check_eq "a new lease on a full disk" "$(speak assign:8)" "309"
check "status says that the store fails" store_is state failing
ctl --json status | js 'd.get("arguments", d)["store"].get("why")' >$LAB/why
check "and why" grep -qi full $LAB/why
check_eq "a renewal is granted all the same" "$(speak extend)" ok
check_eq "nothing was lost" "$(bindings)" "$before"
killed
rsipd_start
check_eq "killed and started while full: the same bindings" "$(bindings)" "$before"
check_eq "a new lease" "$(speak assign:8)" 309
reboots
check_eq "after a reboot with a full disk: the same bindings, installed again" "$(bindings)" "$before"
check "status says that the store fails, before anybody has asked for anything" store_is state failing
check_eq "a new lease" "$(speak assign:8)" 309
check_eq "a renewal" "$(speak extend)" ok
rm $LAB/disk/filler
check "there is room again: the store works" wait_for 10 store_is state ok
check_eq "and leases are granted" "$(speak assign:8)" ok
check_eq "one more binding" "$(binds)" 4

# read-only, from a start on
last=$(bindings)
reboots mount -o remount,ro $LAB/disk
check_eq "after a reboot with a read-only disk: the same bindings, installed again" "$(bindings)" "$last"
check "status says that the store fails" store_is state failing
ctl --json status | js 'd.get("arguments", d)["store"].get("why")' >$LAB/why
check "and why" grep -qi "read-only" $LAB/why
check_eq "a new lease" "$(speak assign:8)" 309
check_eq "a renewal" "$(speak extend)" ok
check "host A's programs go on with their ports" inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 100 3
mount -o remount,rw $LAB/disk || lab_abort "cannot make the disk writable again"
check "it can be written again: the store works" wait_for 10 store_is state ok
check_eq "and leases are granted" "$(speak assign:8)" ok
check_eq "one more binding" "$(binds)" 5

# SIGTERM leaves nothing unwritten
last=$(bindings)
kill -TERM $RSIPD
wait $RSIPD 2>/dev/null
rsipd_start
check_eq "after SIGTERM: the same bindings" "$(bindings)" "$last"
lab_end
