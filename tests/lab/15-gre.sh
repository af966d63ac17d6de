#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Host A leases in GRE, host B in IP-IP, both on one address.  Every packet is compared at every hop: inside GRE, too,
# it is the same byte for byte but for TTL and header checksum.  Then the wrong type from each, the MTU of each, and a
# policy that offers GRE alone.
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
start peer web.log "$PY" -m http.server 80 --directory $LAB/www
for p in 5201 80; do wait_for 10 listens peer $p || lab_abort "the peer's server on port $p does not start"; done
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
lab_end
