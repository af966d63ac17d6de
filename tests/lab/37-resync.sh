#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# RFC 3103 10.2, over UDP and over TCP: a gateway that has lost everything says so (301) at the host's next message, the host
# ends its old registration and leases the same again; a host that has lost everything learns of its old registration
# (302), ends it and starts anew.  The operator takes a registration away: the host stops, and comes back.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
declare -A transport=([hosta]=udp [hostb]=tcp)
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
for h in hosta hostb; do
	host_up $h --ports 8 --transport ${transport[$h]} || lab_abort "$h: $(cat $LAB/client-$h.log)"
done
talks() { inside "$1" "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 10 5 >"$LAB/talk-$1.json" 2>&1 && [ "$(js 'd["lost"]' <"$LAB/talk-$1.json")" = 0 ]; }
client_id() { client "$1" status --json | js 'd["client-id"]'; }
what() { client "$1" status --json | js '[(b["address"], b["ports"]) for b in d["bindings"]]'; }
is_another() { [ "$(client_id "$1")" != "$2" ] && [ "$(client "$1" status --json | js 'd["bindings-wanted"]')" = 0 ] && [ "$(what "$1")" != "[]" ]; }
for h in hosta hostb; do check "$h talks" talks $h; done

declare -A id had
for h in hosta hostb; do id[$h]=$(client_id $h) had[$h]=$(what $h); done
stop $RSIPD
loader detach --config $LAB/rsipd.json >$LAB/detach.log 2>&1 || not_ok "detach: $(cat $LAB/detach.log)"
rm -rf $LAB/store /var/lib/rsip/lab-$RSIP_LAB_ID
loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || lab_abort "attach: $(cat $LAB/attach.log)"
rsipd_start
for h in hosta hostb; do
	check "$h, ${transport[$h]}: asks a gateway that lost everything, and gets what it wants" \
		eval "client $h lease --json --ports 1 >$LAB/more"
	check "$h: it is registered anew" wait_for 20 is_another $h "${id[$h]}"
	client $h release "$(js 'd["bind-id"]' <$LAB/more)" || not_ok "$h: release"
	check_eq "$h: with the same address and ports" "$(what $h)" "${had[$h]}"
	check "$h talks again" wait_for 5 talks $h
done

# twice to each; more where a repeated request met it, too
check_ge "the gateway sent 301 to each" "$(ctl stats | awk '$1 == "REGISTER_FIRST" { print $2 }')" 4

# RFC 3103 10.2.1: what still comes for a tunnel that is gone is discarded
unknown() { on hosta awk '/^Ip:/ { if (!n) n = split($0, name); else for (i in name) if (name[i] == "InUnknownProtos") print $i }' /proc/net/snmp; }
send_to() { on peer "$PY" -c 'import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"late", (sys.argv[1], int(sys.argv[2])))' "$@"; }
discards() { [ "$(unknown)" -gt "$1" ]; }

for h in hosta hostb; do
	id[$h]=$(client_id $h) addr=$(lease $h addr) port=$(lease $h port)
	client_killed "$h"
	umount "$LAB/client-$h/netns" 2>/dev/null
	on $h ip link del rsip0 2>/dev/null
	on $h tc qdisc del dev eth0 clsact 2>/dev/null
	rm -rf "$LAB/client-$h"
	[ $h != hosta ] || { before=$(unknown) && send_to "$addr" "$port"; check "what comes for its old tunnel is discarded" wait_for 5 discards "$before"; }
	check "$h, ${transport[$h]}: after a reboot of the host" host_up $h --ports 8 --transport ${transport[$h]}
	check "$h: its registration is another" [ "$(client_id $h)" != "${id[$h]}" ]
	check "$h talks again" talks $h
done
check_eq "the old registrations and bindings are gone" "$(ctl --json clients | js 'len(d["clients"])') $(bindings | wc -l)" "2 2"

for h in hosta hostb; do
	id[$h]=$(client_id $h)
	ctl client remove "${id[$h]}" >/dev/null
	check "$h, ${transport[$h]}: comes back after its registration was taken away" wait_for 20 is_another $h "${id[$h]}"
	check "$h talks again" wait_for 5 talks $h
done
# The host slept for longer than its leases, and its client did not outlive it: what its clock says has run out is not used
# any more, though the gateway has not noticed.
slept() { # COMMAND...: two hours later
	on hosta unshare --time --boottime 7200 "$@"
}
if slept true 2>/dev/null; then
	id[hosta]=$(client_id hosta) had[hosta]=$(what hosta)
	client_killed hosta
	check "after two hours of sleep it leases" eval \
		'slept "$BIN/rsip-client" up --gateway $GW_PRIV --ports 8 --state-dir $LAB/client-hosta >$LAB/client-hosta.log 2>&1'
	check "by another registration" [ "$(client_id hosta)" != "${id[hosta]}" ]
	check_eq "the same address and ports" "$(what hosta)" "${had[hosta]}"
	check_le "for no longer than the gateway said" "$(client hosta status --json | js 'd["bindings"][0]["seconds-left"]')" 1800
	check "and talks" talks hosta
else
	skip "after sleep: this kernel has no time namespaces"
fi

for h in hosta hostb; do client $h down; done
check_eq "no binding is left" "$(bindings)" ""
lab_end
