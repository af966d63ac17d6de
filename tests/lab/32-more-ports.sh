#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A host whose leased ports are nearly used up leases more, at the same address, without being asked (RFC 3102 3.1, a
# MUST); at the gateway's limit it stays at what it has.  LONG=1: what nobody uses goes back after two minutes (6.6, 6.1).
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LIMITS='"messages_per_second": 100000, "ports_per_client": 136'
lab_up
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
ports_of() { client "$1" status --json | js 'sum(int(p.split("-")[-1]) - int(p.split("-")[0]) + 1 for b in d["bindings"] for p in b["ports"])'; }
has_ports() { [ "$(ports_of "$1")" = "$2" ]; }

host_up hosta --ports 8 --ports-idle 120 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
echo '{ "ports": 8, "ports-max": 0 }' >$LAB/hostb-1.json
ln -s hostb-1.json $LAB/hostb.json
host_up hostb --config $LAB/hostb.json || lab_abort "hostb: $(cat $LAB/client-hostb.log)"
check_eq "both begin with 8 ports" "$(ports_of hosta) $(ports_of hostb)" "8 8"
started_inside hosta flows.json "$PY" "$LAB_SRC/flows.py" $PEER 7 60 6
flows=$STARTED
check_eq "60 flows from 8 ports: failed and lost" "$(js '(d["failed"], d["lost"])' <<<"$(head -n 1 $LAB/flows.json)")" "(0, 0)"
check_eq "each from a port of its own" "$(js 'len(set(d["ports"]))' <<<"$(head -n 1 $LAB/flows.json)")" 60
check_eq "all on one address" "$(client hosta status --json | js 'len({b["address"] for b in d["bindings"]})')" 1
check "more blocks were leased" wait_for 5 has_ports hosta 136
refusals() { ctl --json stats | grep -c LOCAL_ADDRPORT_UNAVAILABLE; }
since=$SECONDS
started_inside hosta more.json "$PY" "$LAB_SRC/flows.py" $PEER 7 50 2
more=$STARTED
check "at the gateway's limit there is a message, and no flood" wait_for 5 grep -q LOCAL_ADDRPORT_UNAVAILABLE $LAB/client-hosta/client.log
check_eq "and what was leased goes on" "$(js '(d["failed"], d["lost"])' <<<"$(head -n 1 $LAB/more.json)")" "(0, 0)"
sleep 1
refused=$(grep -c LOCAL_ADDRPORT_UNAVAILABLE $LAB/client-hosta/client.log)
check_le "refused requests in the meantime" "$refused" $((2 + (SECONDS - since) / 10))

started_inside hostb flows-b.json "$PY" "$LAB_SRC/flows.py" $PEER 7 12 1
check_eq "a host that must not lease more: 8 flows, and errors" \
	"$(js '(len(d["ports"]), d["failed"])' <<<"$(head -n 1 $LAB/flows-b.json)")" "(8, 4)"
check_eq "its ports" "$(ports_of hostb)" 8
stop $STARTED
echo '{ "ports": 8, "ports-max": 256 }' >$LAB/hostb-2.json
ln -sfn hostb-2.json $LAB/hostb.json
check "settings that let it, behind the same link: reload" eval 'client hostb reload | grep -q "changed: ports-max$"'
started_inside hostb flows-b.json "$PY" "$LAB_SRC/flows.py" $PEER 7 12 1
check_eq "12 flows, as if it had begun so: failed and lost" "$(js '(d["failed"], d["lost"])' <<<"$(head -n 1 $LAB/flows-b.json)")" "(0, 0)"
stop $STARTED

stop $flows $more
if [ "${LONG:-}" = 1 ]; then
	check_eq "idle ports do not go back at once" "$(ports_of hosta)" 136
	check "but after two minutes" wait_for 150 has_ports hosta 8
fi
check_eq "nothing was dropped" "$(drops)" 0
lab_end
