#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rsip-client is killed at each of its system calls that change the machine, one after the other, and at each packet it
# sends: `up` works again, `down` then leaves the host as it was; and so does `down` alone, in the name of the dead.
# A sample of the points, another one in each place; LONG=1: all of them.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/machine.sh"
lab_enter "$@"
command -v strace >/dev/null || { skip "killed: strace is missing (make deps installs it)"; lab_end; }
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
DIR=$LAB/client-hosta
CALLS=sendto,sendmsg,mount,umount2,unshare,rename,unlink # netlink, RSIP, the namespace, the state file

# traced PLACE [INJECTION]: a whole life, from up to down, as one process under strace
traced() {
	# LeakSanitizer is a tracer itself: two do not fit
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 start hosta life.log strace -f -qq -o $LAB/calls -e trace=$CALLS ${2:+-e "inject=$CALLS:$2"} "$BIN/rsip-client" up --foreground \
		--gateway $GW_PRIV --state-dir $DIR --ports 4 --place "$1" --wait 5
	local life=$STARTED
	wait_for 10 eval "client hosta status --json | js 'd[\"bindings\"][0]' || ! kill -0 $life"
	client hosta down >/dev/null 2>&1
	wait $life 2>/dev/null
}
# after_kill PLACE POINT: 0, or what is wrong
after_kill() {
	local out
	traced "$1" "signal=KILL:when=$2"
	if [ $(($2 % 2)) = 0 ]; then
		out=$(client hosta up --gateway $GW_PRIV --ports 4 --place "$1" 2>&1) || { echo "up: $out"; return 1; }
		inside_works "$1" || { echo "no way out after up"; return 1; }
	fi
	out=$(client hosta down 2>&1) || { [ $? = 3 ] || { echo "down: $out"; return 1; }; } # 3: nothing was there to end
	machine hosta >$LAB/after
	diff - $LAB/after <<<"$before" || return 1
	[ -z "$(bindings)" ] || { bindings; return 1; }
}
inside_works() {
	local from=
	[ "$1" = namespace ] || from="from $(lease hosta addr)"
	# shellcheck disable=SC2086
	[ "$(nsenter --net="$([ "$1" = namespace ] && echo $DIR/netns || echo /run/netns/"$(ns hosta)")" ip -j route get $PEER $from | js 'd[0]["dev"]')" = rsip0 ]
}

host_up hosta --ports 4 && client hosta down # what the first run leaves for good (the folder) is no change
before=$(machine hosta)
for place in namespace host; do
	traced $place
	all=$(wc -l <$LAB/calls)
	check_ge "$place: calls that change the machine in one life" "$all" 20
	step=1
	[ "${LONG:-}" = 1 ] || step=$((all / 6 + 1))
	bad= tried=0
	for ((at = step / 2 + 1; at <= all; at += step)); do
		tried=$((tried + 1))
		after_kill $place $at >$LAB/killed 2>&1 && continue
		bad="$bad $at"
		echo "    $place, killed at call $at ($(sed -n "${at}p" $LAB/calls | cut -c 1-80)):"
		sed 's/^/        /' $LAB/killed | head -n 12
		client hosta down >/dev/null 2>&1
	done
	check_eq "$place: of $tried points, those after which something was wrong" "$bad" ""
done

# killed while `down` asks it: the connection breaks without an answer (here in the hands of one who stands in for it)
host_up hosta --ports 4
client_killed hosta
started hosta dying.log "$PY" -c "
import os, socket
s = socket.socket(socket.AF_UNIX)
os.unlink('$DIR/client.sock'); s.bind('$DIR/client.sock'); s.listen()
print('ready', flush=True)
c, _ = s.accept()
c.recv(1) # the rest stays unread: a reset"
check "killed while down asks it: down does it in its name" client hosta down
machine hosta >$LAB/after
check "and the host is what it was" diff - $LAB/after <<<"$before"
check_eq "no binding is left" "$(bindings)" ""
lab_end
