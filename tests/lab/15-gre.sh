#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Host A leases in GRE, host B in IP-IP, both on one address.  Every packet is compared at every hop: inside GRE, too,
# it is the same byte for byte but for TTL and header checksum.  Then the wrong type from each, a checksum and a key,
# and a policy that offers one host GRE alone.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
lab_up
capture hosta hostb peer

host_up hosta --ports 64 --tunnel-type GRE || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
host_up hostb --ports 64 || lab_abort "host B does not lease: $(tail -n 3 $LAB/client-hostb.log)"
binding() { ctl --json bindings | js "next(b['$2'] for b in d['bindings'] if b['host'] == '$1')"; }
check_eq "both hosts lease the same address" "$(lease hosta addr) $(lease hostb addr)" "$POOL $POOL"
check_eq "the gateway shows type and MTU of each tunnel" \
	"$(binding $HOSTA tunnel) $(binding $HOSTA mtu) $(binding $HOSTB tunnel) $(binding $HOSTB mtu)" "GRE 1476 IP-IP 1480"
check_eq "and of the interface" "$(ctl --json status | js '[i["tunnel-mtu"] for i in d["interfaces"] if i["role"] == "private"]')" \
	"[{'IP-IP': 1480, 'GRE': 1476}]"
check_eq "host A's device has room for 24 bytes" "$(client hosta status --json | js 'd["tunnel"]["mtu"]')" 1476

# the peer: a file to fetch, numbered datagrams back, and TCP both ways
start peer iperf.log iperf3 -s -p 5201
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
mkdir -p $LAB/www && head -c 3000000 /dev/urandom >$LAB/www/file
serve peer
wait_for 10 listens peer 5201 || lab_abort "the peer's iperf3 does not start"
for h in hosta hostb; do
	check "$h fetches a file" inside $h curl -sS --max-time 20 -o $LAB/$h.file http://$PEER/file
	check "$h: it came unchanged" cmp $LAB/$h.file $LAB/www/file
	inside $h "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 1000 1000 >$LAB/$h-seq.json || not_ok "$h: no datagrams"
	check_eq "$h: datagrams there and back, lost" "$(js 'd["lost"] + d["doubled"] + (d["received"] != 1000)' <$LAB/$h-seq.json)" 0
done
check "host A sends 4 MB by TCP" inside hosta iperf3 -J -c $PEER -p 5201 -n 4M
check "and receives 4 MB" inside hosta iperf3 -J -c $PEER -p 5201 -n 4M -R

wait_for 5 quiet || not_ok "traffic does not stop"
captured
check "each packet is the same at every hop but for TTL and its checksum" same_wire
for h in hosta hostb; do check_counters $h; done
check_ge "host A: that was real traffic" "$(on_wire hosta out_packets)" 3000
check_eq "host A spoke nothing but GRE to the gateway, host B nothing but IP-IP" \
	"$(seen hosta proto=4 src=$HOSTA) $(seen hostb proto=47 src=$HOSTB)" "0 0"
check_eq "interface counter encapsulated" "$(stat_of encapsulated)" "$(js 'd["in_packets"]' <$LAB/wire.json)"
check_eq "interface counters decapsulated and slow-path" "$(($(stat_of decapsulated) + $(stat_of slow-path)))" "$(js 'd["out_packets"]' <$LAB/wire.json)"
check_eq "nothing was dropped" "$(drops)" 0

check_eq "datagrams of 4,000 bytes, in fragments there and back, lost" \
	"$(inside hosta "$PY" "$LAB_SRC/frags.py" ask $PEER 7 20 4000 2>&1)" 0

# what else a host may put in front of a packet: raw PROTO GRE-HEADER, from its own address and leased port
cat >$LAB/raw.py <<'EOT'
import socket, struct, sys
import packets
host, gw, local, port, peer, proto, front, count = sys.argv[1:9]
ip = packets.udp(local, port, peer, 9, b"raw!")
gre = bytes.fromhex(front)
if gre and gre[0] & 0x80: # with the right checksum
    gre = gre[:4] + struct.pack("!H", packets.checksum(gre + ip)) + gre[6:]
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, int(proto))
s.bind((host, 0))
for _ in range(int(count)):
    s.sendto(gre + ip, (gw, 0))
EOT
raw() { on "$1" "$PY" $LAB/raw.py "$2" $GW_PRIV $POOL "$(lease "$1" port)" $PEER "$3" "$4" "$5" || not_ok "$1 cannot send"; }
wait_for 5 quiet || not_ok "traffic does not stop"
sent=$(stat_of decapsulated)
raw hosta $HOSTA 47 b0000800000000000000beef00000001 3 # checksum, key, sequence number
wait_for 5 stat_is decapsulated $((sent + 3))
check_eq "GRE with checksum, key and sequence number gets through" "$(($(stat_of decapsulated) - sent))" 3
raw hosta $HOSTA 4 "" 2
raw hostb $HOSTB 47 00000800 2
wait_for 5 stat_is wrong-tunnel 4
check_eq "IP-IP from the host of GRE and GRE from that of IP-IP are dropped" "$(stat_of wrong-tunnel)" 4
check_eq "and nothing else was" "$(drops)" 4
told_307() { [ "$(ctl --json stats | js 'd["errors"].get("BAD_TUNNEL_TYPE", 0)')" -ge 2 ]; }
check "both hosts are told so: 307" wait_for 5 told_307

LAB_TOP='"policies": [ { "name": "b", "clients": [ "'$HOSTB'/32" ], "tunnels": [ "GRE" ] } ],'
lab_conf
check "a reload offers host B nothing but GRE" ctl reload
client hostb down >/dev/null || not_ok "host B does not end"
refused() { ! host_up hostb --ports 8 && grep -q "BAD_TUNNEL_TYPE.*--tunnel-type" $LAB/client-hostb.log; }
check "IP-IP is refused, and the client says what to do" refused
host_up hostb --ports 8 --tunnel-type GRE || not_ok "host B does not lease in GRE: $(tail -n 1 $LAB/client-hostb.log)"
check "in GRE it reaches the peer" inside hostb curl -sS --max-time 20 -o $LAB/hostb.file http://$PEER/file
client_killed hosta
host_up hosta --ports 8 || not_ok "host A does not lease in IP-IP after a crash in GRE: $(tail -n 1 $LAB/client-hosta.log)"
check_eq "a client that died in GRE and begins anew in IP-IP has another device" \
	"$(client hosta status --json | js 'd["tunnel"]["mtu"]') $(binding $HOSTA tunnel)" "1480 IP-IP"
check "and reaches the peer" inside hosta curl -sS --max-time 20 -o $LAB/hosta.file http://$PEER/file
client hosta down >/dev/null || not_ok "host A does not end"
check "nothing of the tunnel is left on host A" eval '! on hosta ip link show rsip0 2>/dev/null && ! on hosta tc qdisc show dev eth0 | grep -q clsact'
lab_end
