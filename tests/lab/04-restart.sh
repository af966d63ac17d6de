#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rsipd is killed (SIGKILL) under traffic: no packet is lost, a new rsipd takes over what is installed and renews it.
# Then it stays dead: a lease that runs out stops its traffic, and only its own.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"min": 2, "default": 1800'
LAB_TOP='"log": { "allocations": "/run/rsip-lab/allocations" },'
lab_up
both_up --ports 8 --spis 4 --lease "$([ "${RSIP_VM:-}" = 1 ] && echo 20 || echo 8)" # longer than rsipd takes to start
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
before=$(bindings)
check_eq "hosts with bindings before" "$(awk '{ print $2 }' <<<"$before" | sort -u | wc -l)" 2

# An emulated machine's programs echo a thousand a second or so, while rsipd needs the CPU, too.
rate=$([ "${RSIP_VM:-}" = 1 ] && echo 300 || echo 1500)
stream() { # NAME NODE [PORT]: numbered datagrams until asked to stop
	started_inside "$2" "stream-$1.json" "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 $rate 0 ${3:+"$3"}
	streams="${streams:-} $STARTED"
}
streams_end() {
	# shellcheck disable=SC2086
	stop $streams
	streams=
}
sent() { js 'd["sent"]' <"$LAB/stream-$1.json"; }
lost() { js 'd["lost"] + d["doubled"]' <"$LAB/stream-$1.json"; }
peer_saw() { on peer ip -j -s link show eth0 | js 'd[0]["stats64"]["rx"]["packets"]'; }
peer_saw_more() { [ "$(peer_saw)" -gt "$1" ]; }

stream a hosta
stream b hostb
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
check "traffic goes on without rsipd" wait_for 10 peer_saw_more $(($(peer_saw) + 2 * rate))
rsipd_start
check_eq "a new rsipd lists the same bindings" "$(bindings)" "$before"
check "traffic goes on with the new rsipd" wait_for 10 peer_saw_more $(($(peer_saw) + 2 * rate))
check "host A renews with the new rsipd" renew hosta
check "host B renews with the new rsipd" renew hostb
check_eq "the bindings are still the same" "$(bindings)" "$before"
times=$([ "${LONG:-}" = 1 ] && echo 50 || echo 5)
for ((i = 0; i < times; i++)); do
	kill -KILL $RSIPD
	wait $RSIPD 2>/dev/null
	rsipd_start
done
check_eq "after $times more kills: the same bindings" "$(bindings)" "$before"
stop $RSIPD
rsipd_start
check_eq "after SIGTERM and a new start: the same bindings" "$(bindings)" "$before"
streams_end
for h in a b; do
	check_ge "host $h: datagrams sent meanwhile" "$(sent $h)" $((3 * rate))
	check_eq "host $h: lost or doubled" "$(lost $h)" 0
done
check_eq "nothing was dropped" "$(drops)" 0

# A second binding of host A with a long lease; then rsipd stays dead until the short ones have run out.  So does host
# B's client, which would take the address away: its programs go on sending, as those of a bad host would.
client hosta lease --json --ports 2 --lease 1800 >$LAB/long.json 2>&1 ||
	lab_abort "a second binding: $(cat $LAB/long.json)"
port=$(js 'd["ports"][0].split("-")[0]' <$LAB/long.json)
kill -KILL $RSIPD
wait $RSIPD 2>/dev/null
stream long hosta "$port"
stream short hostb
client_killed hostb
echoes() { on peer ip -j -s link show eth0 | js 'd[0]["stats64"]["tx"]["packets"]'; }
only_one_answers() { # half of what the hosts send still comes
	local n
	n=$(echoes)
	sleep 1
	[ $(($(echoes) - n)) -lt $((rate * 3 / 2)) ]
}
check "without rsipd the short lease runs out" wait_for 15 only_one_answers
streams_end
check_ge "its traffic stopped: lost" "$(lost short)" 1 # how many is a matter of how fast this machine is
check_eq "the long lease's did not: lost" "$(lost long)" 0
rsipd_start
check_ge "what came after the end was dropped as expired" "$(stat_of expired)" "$(lost short)"
check_eq "nothing else was dropped" "$(drops)" "$(stat_of expired)"
check_eq "the new rsipd lists the long lease" "$(bindings | grep -c "$port-")" 1
check_eq "and not the one that ran out" "$(bindings | grep -c -F $HOSTB)" 0
ends() { grep -c "^rsip-lease v1 end .* host=$HOSTB interface=priv0 .* since=.* reason=expired\$" $LAB/allocations; }
check_eq "the allocation log has its end, though nobody saw it" "$(ends)" 1
check "host B's client, started again, leases again" host_up hostb --ports 8 --spis 4
inside hostb "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 100 20 >$LAB/again.json
check_eq "host B's programs talk again, lost" "$(js 'd["lost"]' <$LAB/again.json)" 0
check "from a port of its new lease" leased hostb "$(js 'd["sport"]' <$LAB/again.json)"
lab_end
