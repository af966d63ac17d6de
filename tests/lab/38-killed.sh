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
# netlink, RSIP, the namespace, files and settings
CALLS=sendto,sendmsg,mount,umount2,unshare,setns,rename,unlink,mkdir,rmdir,write,pwrite64

# traced PLACE [SYSCALL N]: a whole life, from up to down, as one process under strace, or up to its Nth such call: that one is
# not made any more.  DIED is the status it ended with.
traced() {
	# shellcheck disable=SC2086
	# LeakSanitizer is a tracer itself: two do not fit
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 start hosta life.log strace -f -qq -o $LAB/calls -e trace=$CALLS ${2:+-e inject=$2:signal=KILL:when=$3} \
		"$BIN/rsip-client" up --foreground --gateway $GW_PRIV --state-dir $DIR --ports 4 $(place "$1") --wait 5
	local life=$STARTED
	wait_for 10 eval "grep -q 'is local' $LAB/life.log || ! kill -0 $life" # the last that it does by itself
	client hosta down >/dev/null 2>&1
	wait $life 2>/dev/null
	DIED=$?
}
place() { case $1 in remote) echo --place host --route remote ;; *) echo --place "$1" ;; esac; }
# points: SYSCALL N of each call in $LAB/calls: strace counts each kind for itself
points() { awk '$2 ~ /\(/ { call = $2; sub(/\(.*/, "", call); print call, ++nth[call] }' $LAB/calls; }
# killed_at PLACE SYSCALL N: a life that ended there.  One may have fewer such calls than the one before (a request that was
# not repeated, one event less): then at the last of them.
killed_at() {
	local n
	for ((n = $3; n > 0; n--)); do
		traced "$1" "$2" $n
		[ $DIED = 0 ] && continue
		[ "$DIED $(points | tail -n 1)" = "137 $2 $n" ] && return 0
		echo "ended with $DIED at $(points | tail -n 1): $(tail -n 2 $LAB/life.log)"
		return 1
	done
	echo "there is no such call"
	return 1
}
# after_kill PLACE SYSCALL N HOW: 0, or what is wrong.  HOW: up, then down; or down alone.
after_kill() {
	local out
	killed_at "$1" "$2" "$3" || return 1
	if [ "$4" = up ]; then
		# shellcheck disable=SC2046
		out=$(client hosta up --gateway $GW_PRIV --ports 4 $(place "$1") 2>&1) || { echo "up: $out"; return 1; }
		inside_works "$1" || { echo "no way out after up"; return 1; }
		check_held || return 1
	fi
	out=$(client hosta down 2>&1) || { [ $? = 3 ] || { echo "down: $out"; return 1; }; } # 3: nothing was there to end
	machine hosta >$LAB/after
	diff - $LAB/after <<<"$before" || return 1
	[ -z "$(bindings)" ] || { bindings; return 1; }
}
# judge_kill SYSCALL N HOW: at $place; counts in $tried, adds to $bad
judge_kill() {
	tried=$((tried + 1))
	after_kill "$place" "$@" >$LAB/killed 2>&1 && return
	bad="$bad $1:$2:$3"
	echo "    $place, killed at $1 number $2, then $3:"
	sed 's/^/        /' $LAB/killed | head -n 12
	client hosta down >/dev/null 2>&1
}
# check_held: what the gateway holds for the host is what the host knows of
check_held() {
	local held
	held=$(client hosta status --json | js 'sorted(b["bind-id"] for b in d["bindings"])')
	[ "$(ctl --json bindings | js 'sorted(b["bind-id"] for b in d["bindings"])')" = "$held" ] || { echo "held by the host: $held; by the gateway: $(bindings)"; return 1; }
}
inside_works() {
	local from=
	[ "$1" = namespace ] || from="from $(lease hosta addr)"
	# shellcheck disable=SC2086
	[ "$(nsenter --net="$([ "$1" = namespace ] && echo $DIR/netns || echo /run/netns/"$(ns hosta)")" ip -j route get $PEER $from | js 'd[0]["dev"]')" = rsip0 ]
}

host_up hosta --ports 4 && client hosta down # what the first run leaves for good (the folder) is no change
before=$(machine hosta)
for place in namespace host remote; do
	traced $place
	check_eq "$place: a life ends well, in one process" "$DIED $(cut -d ' ' -f 1 $LAB/calls | sort -u | wc -l)" "0 1"
	points >$LAB/points
	all=$(wc -l <$LAB/points) step=1
	check_ge "$place: calls that change the machine in one life" "$all" 60
	[ "${LONG:-}" = 1 ] || step=$((all / 5 + 1))
	bad= tried=0
	for ((at = step / 2 + 1; at <= all; at += step)); do
		# shellcheck disable=SC2046
		set -- $(sed -n "${at}p" $LAB/points)
		hows=$([ $((at / step % 2)) = 0 ] && echo up || echo down)
		[ "${LONG:-}" != 1 ] || hows="up down"
		for how in $hows; do judge_kill "$@" "$how"; done
	done
	judge_kill rename 1 down # before anything was noted
	judge_kill rmdir 1 down # and after all had been forgotten
	check_eq "$place: killed at $tried points; those after which something was wrong" "$bad" ""
done

# Killed when it had asked for a lease: the gateway grants it, and the host never reads what.  The next `up` asks once more with
# the same message, and is told once more (RFC 3103 10.1); what the dead one had been asked for by somebody goes back.
HANDS="--gateway $GW_PRIV --config $LAB/hosta.json --state-dir $DIR"
deaf() { on hosta nft -f - <<<"table ip deaf { chain input { type filter hook input priority 0; $1 sport 4555 drop; }; }"; }
hears() { on hosta nft delete table ip deaf; }
held() { [ "$(bindings | wc -l)" = "$1" ]; }
# orphaned TRANSPORT wish|lease: one binding is the host's, another is not: one that its settings wish, or one that `lease` asked for.
# A busy machine may kill so late that the request was given up: then it is no case of this.
orphaned() {
	echo '{ "ports": 4, "ports-max": 0 }' >$LAB/hosta.json
	# shellcheck disable=SC2086
	on hosta "$BIN/rsip-client" up $HANDS --transport "$1" >$LAB/up.log 2>&1 || return 1
	deaf "$1"
	if [ "$2" = wish ]; then
		echo '{ "ports": 8, "ports-max": 0 }' >$LAB/hosta.json
		client hosta reload >/dev/null &
	else
		client hosta lease --ports 8 >/dev/null 2>&1 &
	fi
	local asking=$! end=$((SECONDS + 10)) pid
	pid=$(client_pid hosta)
	until grep -q '"asked"' $DIR/client-state.json || [ $SECONDS -ge $end ]; do sleep 0.02; done
	kill -STOP "$pid" # it gives up after 1.6 s
	wait_for 5 held 2
	client_killed hosta
	wait $asking
	hears
	grep -q '"asked"' $DIR/client-state.json && held 2 && return 0
	client hosta down
	return 1
}
is_known() { check_held >$LAB/held; }
if command -v nft >/dev/null; then
	for transport in udp tcp; do
		for why in wish lease; do
			for try in 1 2 3 4 5; do orphaned $transport $why && break; done
			check "$transport, $why: killed when the gateway had granted what it had not read (try $try)" held 2
			# shellcheck disable=SC2086
			check "up" eval 'on hosta "$BIN/rsip-client" up $HANDS --transport $transport >$LAB/up.log 2>&1'
			check "the gateway holds nothing that the host does not know" wait_for 5 is_known
			check_eq "and it has its ports" "$(client hosta status --json | js 'sum(b["method"] != "" for b in d["bindings"])')" "$([ $why = wish ] && echo 2 || echo 1)"
			client hosta down
			machine hosta | diff - <(echo "$before") || not_ok "$transport, $why: the host is not what it was"
		done
	done
else
	skip "orphans: nft is missing (make deps installs it)"
fi

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
