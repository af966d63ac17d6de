#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The programs are replaced under the traffic of two hosts: by others of the same layout, and by ones of a newer layout,
# for which maps are made anew.  No packet of a live binding is lost, and what packets have taught (IKE cookies, ICMP
# identifiers) is still known.  An upgrade that fails when all programs are replaced puts the old ones back.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"min": 2, "default": 1800'
lab_up
both_up --ports 8 --spis 4 --lease 40
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
before=$(bindings)
rate=$([ "${RSIP_VM:-}" = 1 ] && echo 300 || echo 1000)

for h in hosta hostb; do
	started_inside $h stream-$h.json "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 $rate 0
	streams="${streams:-} $STARTED"
done
start hosta ping.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- ping -n -q -i 0.05 -c 2000 -W 1 $PEER
PING=$STARTED

# ike NODE FROM TO COOKIE [TUNNEL_FROM]: one IKEv1 packet, whose exchange is that of the initiator cookie
ike() {
	on "$1" "$PY" - "$2" "$3" "$4" "${5:-}" "$(mac_of gw "$([ "$1" = peer ] && echo pub0 || echo priv0)")" <<-'EOF2'
		import logging, sys
		logging.getLogger("scapy").setLevel(logging.ERROR)
		from scapy.all import IP, UDP, Ether, Raw, sendp
		src, dst, cookie, host, mac = sys.argv[1:]
		body = bytes.fromhex(cookie) + bytes(8) + bytes([1, 0x10, 2, 0]) + bytes(4) + (28).to_bytes(4, "big")
		pkt = IP(src=src, dst=dst) / UDP(sport=500, dport=500) / Raw(body)
		sendp(Ether(dst=mac) / (IP(src=host, dst="10.99.0.1", proto=4) / pkt if host else pkt), iface="eth0", verbose=False)
	EOF2
}
COOKIE=1122334455667788
ike hosta $POOL $PEER $COOKIE $HOSTA
check "host A claims an IKE cookie" wait_for 5 stat_is cookie-claimed 1
answered() { # the peer's packet under that cookie is delivered
	local was
	was=$(stat_of no-cookie)
	ike peer $PEER $POOL $COOKIE
	sleep 0.2
	[ "$(stat_of no-cookie)" = "$was" ]
}
check "the peer's answer finds it" answered

programs() { loader status --config $LAB/rsipd.json --json | js '[i["program_id"] for i in d["interfaces"]]'; }
map_id() { bpftool -j map show pinned $PIN/$1 | js 'd["id"]'; }
status_of() { loader status --config $LAB/rsipd.json --json | js "$1"; }
status_is() { [ "$(status_of "$1")" = "$2" ]; }
gone() { ! readlink -q /proc/$1/exe >/dev/null; } # or is waited for
layout() { # N: as if an older release had attached
	local value
	value=$(bpftool -j map lookup pinned $PIN/rsip_config key 0 0 0 0 | js '" ".join(d["value"][4:])')
	# shellcheck disable=SC2086
	# shellcheck disable=SC2046
	bpftool map update pinned $PIN/rsip_config key 0 0 0 0 value $(for i in 0 8 16 24; do echo $(($1 >> i & 255)); done) $value
}
NOW=$(status_of 'd["layout_version"]')

# ---- the same layout -----------------------------------------------------------------------------------------------------

was=$(programs)
check "an upgrade under traffic" loader upgrade --config $LAB/rsipd.json
if [ "$(programs)" != "$was" ]; then ok "the programs are new"; else not_ok "the programs are the old ones"; fi
check "the claim is still known" answered

# ---- a failure at the end ----------------------------------------------------------------------------------------------------

pinned() { for p in prog_pub prog_priv; do bpftool -j prog show pinned $PIN/$p | js 'd["id"]'; done | tr '\n' ' '; }
was=$(programs) pins=$(pinned)
bpftool map freeze pinned $PIN/rsip_config || lab_abort "cannot freeze a map"
loader upgrade --config $LAB/rsipd.json >$LAB/fail.log 2>&1
check_eq "an upgrade that cannot write the configuration, when all programs are replaced, fails" "$?" 1
check "it says what it does" grep -q "putting the old programs on again" $LAB/fail.log
check_eq "the old programs are on again, XDP and TC" "$(programs)" "$was"
check_eq "and pinned" "$(pinned)" "$pins"
"$PY" "$LAB_SRC/oldmap.py" $PIN/rsip_config 0 || lab_abort "cannot replace the frozen map"
kill -KILL $RSIPD # it has the frozen one open
wait $RSIPD 2>/dev/null
rsipd_start

# ---- an older layout -------------------------------------------------------------------------------------------------------

age() {
	layout $((NOW - 1))
	"$PY" "$LAB_SRC/oldmap.py" $PIN/rsip_learned 4 && "$PY" "$LAB_SRC/oldmap.py" $PIN/rsip_ike_peers 4 &&
		rm $PIN/rsip_idents $PIN/rsip_ident_ring $PIN/rsip_blocks
}
check "the folder looks as the release before left it: two maps smaller, three not there" age
loader status --config $LAB/rsipd.json >$LAB/status.log 2>&1
check "other commands name the layout" grep -q "map layout $((NOW - 1))" $LAB/status.log
ids="$(map_id rsip_learned) $(map_id rsip_cookies)"
check "an upgrade from the older layout, under traffic" loader upgrade --config $LAB/rsipd.json
check "rsipd, which has the old maps open, has ended by itself" wait_for 5 gone $RSIPD
wait $RSIPD 2>/dev/null
check_eq "with an exit status for its supervisor" "$?" 1
check "and says why" grep -q "makes maps of the data plane anew" $LAB/rsipd.log
check_eq "the layout is today's" "$(status_of 'd["layout_version"]')" "$NOW"
if [ "$(programs)" != "$was" ]; then ok "the programs are new"; else not_ok "the programs are the old ones"; fi
check_eq "maps that are the same stay" "$(map_id rsip_cookies)" "${ids#* }"
if [ "$(map_id rsip_learned)" != "${ids% *}" ]; then ok "those that have grown are new"; else not_ok "rsip_learned is the old one"; fi
check_eq "with today's size" "$(bpftool -j map show pinned $PIN/rsip_learned | js 'd["bytes_value"]')" \
	"$(bpftool -j map show pinned $PIN/rsip_learned | js 'd["bytes_value"] // 8 * 8')"
check "the claim is still known" answered
rsipd_start
check "the status says that one is at work" wait_for 5 status_is 'd["rsipd"]' "{'at_work': True}"
check_eq "none was made anew" "$(stat_of cookie-claimed)" 1
check_eq "rsipd, started again, has the same bindings" "$(bindings)" "$before"
check "and the claim is still known" answered
RENEWALS=$(lease hosta renewals)
check "host A renews" wait_for 40 renewed hosta
sleep 0.3

# ---- an upgrade that was killed while it copied maps ---------------------------------------------------------------------

check "the layout is marked as by one that was killed" layout $((NOW | 0x80000000))
check "rsipd ends" wait_for 5 gone $RSIPD
wait $RSIPD 2>/dev/null
on gw timeout 20 "$BIN/rsipd" --foreground --config $LAB/rsipd.json >$LAB/held.log 2>&1
check_eq "and does not start" "$?" 1
check "it says what to do" grep -q "run it again" $LAB/held.log
check "the status says so, and that none is at work" wait_for 10 status_is '[d["rsipd"][k] for k in ("at_work", "held")]' "[False, True]"
# few files: it fails when it has read what is attached, and loads
check "an upgrade that fails then" eval '! on gw prlimit --nofile=24 "$BIN/rsip-loader" upgrade --config $LAB/rsipd.json 2>$LAB/few.log'
check "takes the mark off no more than the one that was killed" status_is '[d["rsipd"]["held"]]' "[True]"
check "the upgrade again" loader upgrade --config $LAB/rsipd.json
check_eq "the layout is today's" "$(status_of 'd["layout_version"]')" "$NOW"
rsipd_start
check_eq "rsipd has the same bindings" "$(bindings)" "$before"
sleep 0.3

# ---- nothing was lost ------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2086
stop $streams
kill -INT $PING
wait $PING
for h in hosta hostb; do
	check_ge "$h: datagrams sent meanwhile" "$(js 'd["sent"]' <$LAB/stream-$h.json)" $rate
	check_eq "$h: lost or doubled" "$(js 'd["lost"] + d["doubled"]' <$LAB/stream-$h.json)" 0
done
check "every ping is answered, but for the one under way when its identifier was forgotten" \
	awk '/packets transmitted/ { lost = $1 - $4; exit !($1 > 20 && lost <= 1) }' $LAB/ping.log
lab_end
