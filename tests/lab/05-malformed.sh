#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# 12,000 broken messages over UDP and TCP, from a host with a lease and from one without, some with the client ID of
# another host, and broken packets from both sides: dropped and counted or answered with an error; what other hosts
# lease is untouched, their traffic goes on, and the pools are then exactly as before.  LONG=1: 200,000 of them; more
# than half of all reach rsipd, since a stream whose framing is lost is closed with what else was in it.  SEED=N: others.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"min": 2, "default": 1800, "hold": 1'
lab_up
host_up hosta --ports 8 --lease 10 || lab_abort "host A: $(tail -n 3 $LAB/client-hosta.log)"
host_up hostb --ports 8 --spis 4 --lease 10 || lab_abort "host B: $(tail -n 3 $LAB/client-hostb.log)"
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
before=$(bindings)
pools=$(ctl --json pools)
victim=$(lease hosta client_id)
pid=$RSIPD

started_inside hosta stream.json "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 500 0
stream=$STARTED
on hostb ip addr add 10.99.0.21/24 dev eth0
on hostb ip addr add 10.99.0.22/24 dev eth0
n=$([ "${LONG:-}" = 1 ] && echo 50000 || echo 3000)
seed=${SEED:-$n}
abuse() { # SOURCE TRANSPORT SEED [--registered]
	on hostb "$PY" "$LAB_SRC/rsip.py" abuse $GW_PRIV "$1" "$3" $n "$2" "$victim" "${@:4}" \
		>$LAB/abuse.json || return 1
	js '"%d sent; answers: %s" % (d["sent"], ", ".join("%s x %d" % (k, v)
		for k, v in sorted(d["answers"].items(), key=lambda i: -i[1])[:4]))' <$LAB/abuse.json
}
check "broken messages, UDP, from a host with a lease" abuse 10.99.0.21 udp $seed --registered
check "broken messages, UDP, from a host without" abuse 10.99.0.22 udp $((seed + 1))
check "broken messages, TCP, from a host with a lease" abuse 10.99.0.21 tcp $((seed + 2))
check "broken messages, TCP, from a host without" abuse 10.99.0.22 tcp $((seed + 3))
check "rsipd is still the same process" kill -0 $pid
check_eq "other hosts' bindings are untouched" "$(bindings | grep -F -e $HOSTA -e $HOSTB)" "$before"
accounted() { # received, and answered or counted with a reason
	ctl --json stats | js '"%d = %d" % (d["transport"]["udp-received"] + d["transport"]["tcp-received"],
		d["transport"]["udp-answered"] + d["transport"]["tcp-answered"] + d["transport"]["udp-over-rate"] +
		d["transport"]["udp-no-source-port"] + sum(d["unanswered"].values()))'
}
balance=$(accounted)
check_eq "each message was answered, or dropped and counted" "${balance%% *}" "${balance##* }"
check_ge "messages that rsipd received" "${balance%% *}" $((2 * n))
for host in 10.99.0.21 10.99.0.22; do # the abusers: what they have leased is theirs until they go
	id=$(ctl --json client $host 2>/dev/null | js '(d.get("client") or d)["client-id"]') || continue
	ctl client remove "$id" >/dev/null || not_ok "cannot remove $host"
done
rested() { [ "$(ctl --json pools)" = "$pools" ]; }
check "the pools are exactly as before" wait_for 10 rested || diff <(ctl --json pools) - <<<"$pools" | head -n 5
judge hosta private-malformed
judge peer public-malformed
stop $stream
check_ge "host A's traffic meanwhile: datagrams" "$(js 'd["sent"]' <$LAB/stream.json)" 1000
check_eq "host A's traffic meanwhile: lost or doubled" "$(js 'd["lost"] + d["doubled"]' <$LAB/stream.json)" 0
check "host A renews" renew hosta
check "host B renews" renew hostb
lab_end
