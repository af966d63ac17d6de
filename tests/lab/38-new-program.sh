#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `rsip-client upgrade`: the package has put another program file in place, and the client goes on as that: the same process,
# the same registration and leases, the same namespace and drop-in file, and programs in it talk on.  A file that cannot be run,
# or settings that it could not start with, change nothing.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
mkdir $LAB/drop
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
settings() { echo "{ \"gateway\": \"$GW_PRIV\", \"ports\": $1, \"strongswan\": true, \"strongswan-dir\": \"drop\" }" >$LAB/client.json; }
new_file() { cp "$BIN/rsip-client" $LAB/fresh && mv -f $LAB/fresh "$BIN/rsip-client"; } # as dpkg does it
runs_new_file() { [ "$(stat -L -c %i "/proc/$(client_pid hosta)/exe")" = "$(stat -c %i "$BIN/rsip-client")" ]; }
# who it is: process, registration, leases as host and gateway have them, namespace, drop-in file
is() {
	client_pid hosta
	client hosta status --json | js 'd["client-id"], [(b["bind-id"], b["ports"], b["spis"]) for b in d["bindings"]], d["bindings-wanted"]'
	bindings
	[ "${1:-}" = host ] || stat -L -c %i $LAB/client-hosta/netns
	cat $LAB/drop/*.conf
}
fds() { ls "/proc/$(client_pid hosta)/fd" | wc -l; }
few_fds() { [ "$(fds)" -le "$before" ]; }
in_root() { [ "$(readlink "/proc/$(client_pid hosta)/cwd")" = / ]; } # it keeps no file system busy

# a relative path on its command line is meant from where it was started, in the background, too
settings 8
cd $LAB && JOURNAL_STREAM=1:1 client hosta up --config client.json >$LAB/client-hosta.log 2>&1 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
was=$(is) before=$(fds)
for i in 1 2; do
	new_file
	check "upgrade $i" client hosta upgrade
	check "it runs the new file" runs_new_file
	check "in the folder of a daemon" in_root
	check_eq "the same process, registration, leases, namespace, and file for charon" "$(is | md5sum)" "$(md5sum <<<"$was")"
	check "programs talk" works
done
check "no descriptor is left over" wait_for 10 few_fds
check "the log tells of it" [ "$(grep -c 'going on as the program file that is there now' $LAB/client-hosta/client.log)" = 2 ]

# one program that talks all the time
started_inside hosta flow.log "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 50 0
flow=$STARTED
new_file
client hosta upgrade >/dev/null || not_ok "upgrade under traffic"
echoes() { [ "$(counter hosta in_packets)" -ge "$1" ]; }
check "a flow goes on through it" wait_for 10 echoes $(($(counter hosta in_packets) + 20))
stop $flow

unstamped() { grep -c -v '^20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]Z rsip-client: ' $LAB/client-hosta/client.log; }
check_eq "lines of the log that do not begin with the time" "$(unstamped)" 0

# what it could not start with
settings '"eight"'
check "wrong settings: refused" eval '! client hosta upgrade 2>$LAB/said && grep -q "settings are wrong.*rsip-client check" $LAB/said'
settings 8
chmod -x "$BIN/rsip-client"
ask() { echo '{"command":"upgrade"}' | on hosta "$PY" -c "
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect('$LAB/client-hosta/client.sock'); s.send(sys.stdin.buffer.read()); print(s.recv(4096).decode())"; }
check "a file that nobody may run: refused" eval 'ask | grep -q "cannot run $BIN/rsip-client: Permission denied"'
echo "no program" >$LAB/fresh && chmod +x $LAB/fresh && mv "$BIN/rsip-client" $LAB/kept && mv $LAB/fresh "$BIN/rsip-client"
ask >/dev/null
chmod +x $LAB/kept && mv -f $LAB/kept "$BIN/rsip-client"
check "one that is no program: the old one goes on, and says so" wait_for 5 grep -q "Exec format error: this one goes on" $LAB/client-hosta/client.log
check "in the folder of a daemon" in_root
check_eq "all as before" "$(is | md5sum)" "$(md5sum <<<"$was")"
check "programs talk" works
check "down" client hosta down
check_eq "nothing is left" "$(bindings; ls $LAB/drop; on hosta ip -br link | grep rsip; on hosta tc qdisc | grep clsact)" ""

# beside the host's addresses, over TCP, as a service
rm -f $LAB/client-hosta/client.log
start hosta service.log "$BIN/rsip-client" up --foreground --gateway $GW_PRIV --state-dir $LAB/client-hosta --ports 8 --place host \
	--transport tcp --strongswan yes --strongswan-dir $LAB/drop
leased_all() { [ "$(client hosta status --json | js 'len(d["bindings"]), d["bindings-wanted"]')" = "(2, 0)" ]; }
check "a service beside the host's addresses" wait_for 10 leased_all
was=$(is host)
new_file
check "upgrade" client hosta upgrade
check "it runs the new file" runs_new_file
check "the same, when it has connected" wait_for 10 eval '[ "$(is host)" = "$was" ]'
check "down" client hosta down

# a state folder that is named from here: a client in the background has left
mkdir $LAB/st && cd $LAB
here() { on hosta "$BIN/rsip-client" "$1" --state-dir st "${@:2}"; }
here up --gateway $GW_PRIV --ports 4 --strongswan yes --strongswan-dir drop >$LAB/here.log 2>&1 || not_ok "up from here: $(cat $LAB/here.log)"
check "a relative folder: the state is there" test -s st/client-state.json
check "down" here down
check_eq "nothing is left in it, nor mounted, nor in charon's" "$(ls st drop | grep -v '^client\.\(lock\|log\)$' | tr '\n' ' '; grep -c st/netns /proc/mounts)" "drop:  st: 0"
check_eq "no binding is left" "$(bindings)" ""

mkdir $LAB/gone && cd $LAB/gone
host_up hosta --ports 4 || not_ok "up from a folder: $(cat $LAB/client-hosta.log)"
cd $LAB && rmdir gone
check "a folder that is gone by then: refused" eval '! client hosta upgrade 2>$LAB/said && grep -q "cannot go on from $LAB/gone, where it was started: No such file" $LAB/said'
check "the old one goes on" works
check "down" client hosta down
lab_end
