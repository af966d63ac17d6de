#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# rsipctl capture: what came in by an interface, what became of it and why, and how it left, as pcapng that tshark reads.
# No packet is lost when it begins and ends; whatever ends it, the programs that were on before are on again.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
command -v tshark >/dev/null || { skip "capture: tshark is missing (make deps installs it)"; lab_end; }
lab_up
both_up --ports 8
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
talk() { inside "$1" "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 "$2" "$3" >"$LAB/talk-$1" 2>&1 && js 'd["lost"]' <"$LAB/talk-$1"; }
programs() { loader status --json --config $LAB/rsipd.json | js 'sorted((i["name"], i["program_id"]) for i in d["interfaces"])'; }
filters() { for i in pub0 priv0; do on gw tc filter show dev $i ingress | grep -o ' id [0-9]*'; done; }
normal=$(programs) normal_filters=$(filters)
# capturing FILE ARG...: in the background; CAP is the process that put the programs on
capturing() {
	local file=$LAB/$1.pcapng
	shift
	rm -f $LAB/capture.log
	start gw capture.log "$BIN/rsipctl" --socket $LAB/rsipd.sock capture "$@" -w "$file"
	CAP=$STARTED
	wait_for 60 grep -q "capturing on" $LAB/capture.log || lab_abort "capture does not begin: $(cat $LAB/capture.log)"
}
end_capture() { kill -"${1:-INT}" $CAP; wait $CAP; }
quietly() { talk hosta 100 10 >/dev/null && talk hostb 100 10 >/dev/null; }
rows() { tshark -r "$LAB/$1.pcapng" -T fields -e frame.interface_name -e frame.comment -e frame.len "${@:2}" 2>/dev/null; }
count() { rows "$1" -Y "$2" | wc -l; }

quietly # the neighbours are known
capturing both any
check_eq "other programs are on, and status says so" "$(loader status --json --config $LAB/rsipd.json |
	js '" ".join(sorted(i["program"] for i in d["interfaces"] if i["name"] != "rsip-slow"))')" "rsip_cap_priv rsip_cap_pub"
check_eq "traffic goes on, seen or not" "$(talk hosta 100 20)" 0
on peer "$PY" -c "
import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'nobody', ('$POOL', 9))"
wait_for 5 stat_is no-port 1
end_capture INT
check_eq "Ctrl-C ends it" $? 0
check_eq "the programs before are on again" "$(programs)" "$normal"
check_eq "to the host: as it came, and as it left" \
	"$(count both 'frame.interface_name == "pub0" && frame.comment contains "encapsulated"') $(count both 'frame.interface_name == "priv0" && frame.comment contains "as it leaves" && ip.proto == 4')" "20 20"
check_eq "from the host, the other way round" \
	"$(count both 'frame.interface_name == "priv0" && frame.comment contains "decapsulated" && ip.proto == 4') $(count both 'frame.interface_name == "pub0" && frame.comment contains "as it leaves" && udp.dstport == 7')" "20 20"
check_eq "with the binding" "$(rows both -Y 'frame.comment contains "encapsulated"' | grep -c "binding $(bindings | grep " $HOSTA " | cut -d ' ' -f 1)")" 20
check_eq "and why a packet was dropped" "$(rows both -Y 'udp.dstport == 9' | cut -f 1,2)" \
	"pub0	dropped: no-port: nobody leases this port of a shared address"
check_eq "each frame as long as on the wire: 20 bytes less inside" "$(rows both -Y 'frame.comment contains "decapsulated"' | head -n 1 | cut -f 3)" \
	"$(($(rows both -Y 'frame.comment contains "as it leaves" && udp.dstport == 7' | head -n 1 | cut -f 3) + 20))"
check_eq "the directions are marked" "$(tshark -r $LAB/both.pcapng -Y 'frame.comment contains "as it leaves" && !(frame.packet_flags_direction == 2)' 2>/dev/null | wc -l)" 0

capturing one pub0
check_eq "one interface" "$(talk hosta 100 10)" 0
end_capture TERM
check_eq "what came in by it, and its way out; nothing that came in elsewhere" \
	"$(count one 'frame.comment contains "encapsulated"') $(count one 'frame.comment contains "decapsulated"')" "10 0"

capturing first any
on gw timeout 240 "$BIN/rsip-loader" capture --pin-path "$PIN" pub0 -w $LAB/second >$LAB/second.log 2>&1
check_eq "a second one is refused: it would put back the programs of the first" "$? $(grep -c 'one at a time' $LAB/second.log)" "1 1"
end_capture
check_eq "the programs before are on again, behind XDP, too" "$(programs) $(filters)" "$normal $normal_filters"

b=$(bindings | grep " $HOSTB " | cut -d ' ' -f 1)
capturing binding any "$b"
check_eq "one binding: both hosts talk" "$(talk hosta 100 10) $(talk hostb 100 10)" "0 0"
end_capture
check_eq "only that one's packets are there" "$(rows binding | wc -l) $(rows binding | grep -c "binding $b")" "40 40"

start gw count.log "$BIN/rsipctl" --socket $LAB/rsipd.sock capture pub0 -n 5 -w $LAB/count.pcapng
CAP=$STARTED
wait_for 20 grep -q "capturing on" $LAB/count.log
talk hosta 100 10 >/dev/null
ended() { ! kill -0 $CAP 2>/dev/null; }
check "it ends by itself after so many frames" wait_for 10 ended
wait $CAP
check_eq "five in, five out" "$(count count 'frame.comment contains "encapsulated"') $(count count 'frame.comment contains "as it leaves"')" "5 5"
# from here on hosta talks all the time; an emulated CPU has other things to do
rate=$([ "${RSIP_VM:-0}" = 1 ] && echo 30 || echo 300)
start hosta stream.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 "$rate" 0
stream=$STARTED
wait_for 10 grep -q ready $LAB/stream.log
check_eq "its output may be a pipe" "$(on gw timeout 240 "$BIN/rsipctl" --socket $LAB/rsipd.sock capture pub0 -n 3 2>/dev/null |
	tshark -r - 2>/dev/null | wc -l)" 6

# beginning and ending, and beginning and being killed, under traffic
for i in 1 2; do
	capturing swap any
	sleep 0.3
	end_capture
done
capturing killed any
pkill -KILL -P $CAP
wait $CAP
check_eq "a reader that is killed: the programs before are on again" "$(programs)" "$normal"
stop $stream
check_eq "no packet was lost by any of it" "$(js 'd["lost"]' <$LAB/stream.log)" 0

# a reader that cannot follow: what is lost is said, traffic does not wait
capturing full any
head -c 30000000 /dev/zero >$LAB/bulk
started peer web.log "$PY" -u -c "
import http.server, os
os.chdir('$LAB')
s = http.server.ThreadingHTTPServer(('', 80), http.server.SimpleHTTPRequestHandler)
print('ready', flush=True)
s.serve_forever()"
pkill -STOP -P $CAP
check "30 MB while nobody reads" eval 'inside hosta curl -sS --max-time 120 http://$PEER/bulk | cmp - $LAB/bulk'
pkill -CONT -P $CAP
end_capture
lost=$(sed -n 's/.* \([0-9]*\) records lost.*/\1/p' $LAB/capture.log)
check_ge "what the ring had no room for is counted" "${lost:-0}" 1000
check_ge "and the rest is a whole file" "$(rows full | wc -l)" 1000

on gw "$BIN/rsipctl" --socket $LAB/rsipd.sock capture nosuch -w $LAB/none >$LAB/nosuch 2>&1
check_eq "an interface that is not ours: 3, and which are" "$? $(grep -c 'pub0 (public)' $LAB/nosuch)" "3 1"
on gw "$BIN/rsipctl" --socket $LAB/rsipd.sock capture pub0 1 -w $LAB/none >$LAB/nosuch 2>&1
check_eq "a binding that is none: 3" $? 3
check_eq "the programs before are on" "$(programs)" "$normal"

# nothing can put them back when all of it is killed: the next one says so
capturing all-killed any
pkill -KILL -P $CAP
kill -KILL $CAP
wait $CAP 2>/dev/null
on gw timeout 240 "$BIN/rsip-loader" capture --pin-path "$PIN" pub0 -w $LAB/next >$LAB/next.log 2>&1
check_eq "after a capture that was killed, what to do first" "$? $(grep -c 'rsip-loader upgrade' $LAB/next.log)" "1 1"
check "which helps" loader upgrade --pin-path "$PIN"
normal=$(programs) normal_filters=$(filters)
capturing again any
end_capture
check_eq "and captures go on" "$(programs) $(filters)" "$normal $normal_filters"
lab_end
