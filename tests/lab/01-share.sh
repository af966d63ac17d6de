#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Two hosts lease from one address and talk to one peer at the same time, TCP and UDP, connected and not.
# Every packet is compared at every hop, and the gateway's counters with what was on the wire.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_TOP='"log": { "allocations": "/run/rsip-lab/allocations", "allocations_to_journal": true },'
journal_up() { # what listens where journald would
	mkdir -p /run/systemd/journal
	started gw journal.log "$PY" -uc 'import os, socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
os.chmod("/run/systemd/journal/socket", 0o666)
print("ready", flush=True)
while True: print(s.recv(65536).decode(), flush=True)'
}
lab_up journal_up
capture hosta hostb peer

host_up hosta --ports 64 & wait_a=$!
host_up hostb --ports 64 & wait_b=$!
wait $wait_a || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
wait $wait_b || lab_abort "host B does not lease: $(tail -n 3 $LAB/client-hostb.log)"
check_eq "both hosts lease the same address" "$(lease hosta addr) $(lease hostb addr)" "$POOL $POOL"
check "their ports are distinct" [ "$(lease hosta port)" != "$(lease hostb port)" ]

# the peer: two iperf3 servers, a web server, a datagram echo
start peer iperf-a.log iperf3 -s -p 5201
start peer iperf-b.log iperf3 -s -p 5202
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
mkdir -p $LAB/www && head -c 3000000 /dev/urandom >$LAB/www/file
serve peer
for p in 5201 5202; do wait_for 10 listens peer $p || lab_abort "the peer's server on port $p does not start"; done

talk() { # NODE IPERF_PORT: all of it, one after the other
	inside "$1" iperf3 -J -c $PEER -p "$2" -n 8M >"$LAB/$1-tcp.json" &&
		inside "$1" iperf3 -J -c $PEER -p "$2" -n 4M -R >"$LAB/$1-tcp-back.json" &&
		inside "$1" iperf3 -J -u -l 1200 -b 10M -n 2M -c $PEER -p "$2" >"$LAB/$1-udp.json" &&
		inside "$1" iperf3 -J -u -l 1200 -b 10M -n 2M -R -c $PEER -p "$2" >"$LAB/$1-udp-back.json" &&
		inside "$1" curl -sS --max-time 20 -o "$LAB/$1.file" http://$PEER/file &&
		inside "$1" "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 1000 1000 >"$LAB/$1-seq.json"
}
talk hosta 5201 >$LAB/talk-a.log 2>&1 & wait_a=$!
talk hostb 5202 >$LAB/talk-b.log 2>&1 & wait_b=$!
finished "host A talks TCP, UDP, HTTP to the peer" $wait_a $LAB/talk-a.log
finished "host B talks TCP, UDP, HTTP to the peer at the same time" $wait_b $LAB/talk-b.log
for h in hosta hostb; do
	check "$h: the file came unchanged" cmp $LAB/$h.file $LAB/www/file
	# that none was lost on the way is what the wires say below; iperf3 may overrun its own socket on a busy machine
	check_ge "$h: UDP datagrams by iperf3" \
		"$(js 'd["end"]["sum"]["packets"] - d["end"]["sum"]["lost_packets"]' <$LAB/$h-udp.json)" 1000
	check_eq "$h: unconnected UDP there and back, lost" \
		"$(js 'd["lost"] + d["doubled"] + (d["received"] != 1000)' <$LAB/$h-seq.json)" 0
	check "$h: unconnected UDP came from a leased port" leased $h "$(js 'd["sport"]' <$LAB/$h-seq.json)"
done

wait_for 5 quiet || not_ok "traffic does not stop"
captured
check "each packet is the same at every hop but for TTL and its checksum" same_wire
for h in hosta hostb; do
	check_counters $h
	check_ge "$h: that was real traffic" "$(on_wire $h out_packets)" 5000
done
check_eq "interface counter encapsulated" "$(stat_of encapsulated)" "$(js 'd["in_packets"]' <$LAB/wire.json)"
# The first packets to a neighbour nobody knows yet go to the kernel, which finds it: they leave all the same.
check_eq "interface counters decapsulated and slow-path" "$(($(stat_of decapsulated) + $(stat_of slow-path)))" "$(js 'd["out_packets"]' <$LAB/wire.json)"
check_eq "nothing was dropped" "$(drops)" 0
check_ge "the peer's ARP request for the address was answered by the data plane" "$(stat_of arp-answered)" 1
for h in hosta hostb; do
	check_eq "$h answers no ARP request for it" "$(seen $h arp=$POOL mac="$(mac_of $h eth0)")" 0
done

port=$(lease hosta port) port_cnt=$(lease hosta port_cnt)
check "host A gives back what it leased" client hosta down
said() { grep "^rsip-lease v1 $1 " $LAB/allocations | grep -c "host=$2 .* local=$POOL ports=$3-$4 spis=- since=[^ ]*Z$5\$"; }
check_eq "the allocation log has the start of its lease" "$(said start $HOSTA "$port" $((port + port_cnt - 1)) "")" 1
check_eq "and the end" "$(said end $HOSTA "$port" $((port + port_cnt - 1)) " reason=host")" 1
check_eq "and of host B's the start" "$(grep -c "host=$HOSTB " $LAB/allocations)" 1
check_eq "the journal has the same lines" "$(sed -n 's/^MESSAGE=//p' $LAB/journal.log)" "$(cat $LAB/allocations)"
check_eq "and fields to search for" "$(grep -cx "RSIP_HOST=$HOSTA" $LAB/journal.log)" 2
lab_end
