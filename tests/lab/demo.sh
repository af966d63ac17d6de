#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# make demo: the product's main job in a lab of its own.  Everything shown is real: programs of this tree, traffic on
# (virtual) wires, counters of the data plane.  Ends by itself, exit status 0 only if all of it was really seen.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/ike.sh"
lab_enter "$@"

SECONDS=0 step=0 tty=
[ -t 1 ] && tty=1
exec 3<&1
wide=$([ -z "$tty" ] || stty size <&3 2>/dev/null | awk '$2 >= 110 { print 1 }') # room to redraw the table in place
exec 3<&-
bold() { if [ -n "$tty" ]; then printf '\033[1m%s\033[0m\n' "$*"; else printf '%s\n' "$*"; fi; }
title() { step=$((step + 1)); echo; bold "$step. $*"; }
tell() { printf '   %s\n' "$*"; }
show() { sed 's/^/   /'; }
die() {
	echo
	bold "The demo failed: $*"
	[ ! -s $LAB/rsipd.log ] || tail -n 5 $LAB/rsipd.log | sed 's/^/   rsipd: /'
	exit 1
}
lab_abort() { die "$*"; }
seen_ok=() seen_bad=0
# proof TEXT COMMAND...: a line of the summary
proof() {
	local text=$1
	shift
	if "$@" >/dev/null 2>&1; then seen_ok+=("[seen]     $text"); else seen_ok+=("[NOT SEEN] $text") seen_bad=1; fi
}

bold "RSIP gateway: two hosts share one public address, without NAT, and a third has NAT at the same address"
cat <<'PICTURE'

   host A  10.99.0.11 --+                       gateway                        peer
   host B  10.99.0.12 --+-- private LAN -- 10.99.0.1 | 192.0.2.1 -- public -- 192.0.2.2
   host C  10.99.0.13 --+                    XDP     |     XDP               knows nothing
   (without RSIP)                            rsipd, shares 203.0.113.1        of RSIP

   on the LAN:          10.99.0.11 > 10.99.0.1 [ 203.0.113.1 > 192.0.2.2 ... ]    the packet in a tunnel
   on the public wire:                           203.0.113.1 > 192.0.2.2 ...      the same packet, untouched
PICTURE

# host C knows nothing of RSIP: the kernel masquerades it, with ports that nobody can lease
HOSTC=10.99.0.13 NAT_PORTS=61000-65535
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ],
	"nat": { "ports": "'$NAT_PORTS'", "networks": [ "'$HOSTC'/32" ] } }'
hostc_net() {
	ip netns add "$(ns hostc)" && on hostc ip link set lo up && wire hostc eth0 lan portc && on lan ip link set portc master br0 &&
		plain lan portc && plain hostc eth0 && on hostc ip addr add $HOSTC/24 dev eth0 && on hostc ip route add default via $GW_PRIV
}

title "The lab: six network namespaces, five virtual wires, nothing of this machine is touched"
lab_net && hostc_net || die "cannot build the network"
lab_conf

title "The data plane: rsip-loader puts XDP programs on the gateway's two interfaces"
tell "gw# rsip-loader attach --config rsipd.json          (public pub0, private priv0)"
loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || die "rsip-loader attach: $(cat $LAB/attach.log)"
show <$LAB/attach.log

title "The controller: rsipd, as an ordinary user without any capability, shares 203.0.113.1"
rsipd_start
caps=$(awk '/^CapEff/ { print $2 }' /proc/$RSIPD/status)
tell "gw# rsipd --config rsipd.json                       (user $(ps -o user= -p $RSIPD), capabilities $caps)"

title "The hosts lease: ports for TCP and UDP, SPIs for ESP, AH and IKE"
capture hosta hostb peer
for h in hosta hostb; do
	tell "$h# rsip-client up --gateway $GW_PRIV --ports 64 --spis 4"
	host_up $h --ports 64 --spis 4 || die "$h does not lease: $(cat $LAB/client-$h.log)"
done
tell
tell "gw# rsipctl bindings          (who leased what)"
ctl bindings | show

title "All hosts talk to the peer, at the same time, all of it unmodified programs behind one address:"
tell "A and B: TCP and UDP (iperf3), HTTP (curl), IKE from port 500 (strongSwan), ESP and AH by SPI"
tell "C, by the NAT of the gateway's kernel: TCP (iperf3), HTTP (curl)"
start peer iperf-a.log iperf3 -s -p 5201
start peer iperf-b.log iperf3 -s -p 5202
start peer iperf-c.log iperf3 -s -p 5203
start peer iperf-d.log iperf3 -s -p 5204
start peer iperf-e.log iperf3 -s -p 5205
mkdir -p $LAB/www && echo "hello from the peer" >$LAB/www/hello
serve peer
started peer ipsec-peer.json "$PY" "$LAB_SRC/ipsec.py" peer $PEER $POOL \
	hosta="$(lease hosta spi)" hostb="$(lease hostb spi)"
peer_pid=$STARTED
ike_conf peer $PEER $POOL
ike_start peer nsenter "--net=/run/netns/$(ns peer)" || die "strongSwan on the peer: $(tail -n 3 $LAB/ike-peer/out)"
for p in 5201 5202 5203 5204 5205; do
	wait_for 10 listens peer $p || die "the peer's server on port $p does not start"
done

run() { # NODE TCP_PORT UDP_PORT: everything one host does; each writes its own log
	local jobs=() spi
	spi=$(lease "$1" spi)
	inside "$1" iperf3 -c $PEER -p "$2" -t 8 -b 10M -J >"$LAB/$1-tcp.json" 2>&1 & jobs+=($!)
	inside "$1" iperf3 -c $PEER -p "$3" -u -l 1200 -t 8 -b 3M -J >"$LAB/$1-udp.json" 2>&1 & jobs+=($!)
	inside "$1" curl -sS --max-time 10 http://$PEER/hello >"$LAB/$1-http" 2>&1 & jobs+=($!)
	inside "$1" "$PY" "$LAB_SRC/ipsec.py" host "$1" $POOL $PEER "$spi" 100 >"$LAB/ipsec-$1.json" 2>&1 & jobs+=($!)
	ike_conf "$1" $POOL $PEER "$spi" "$(lease "$1" spi_last)"
	ike_start "$1" inside "$1" && ike_initiate "$1"
	wait "${jobs[@]}" # but not for charon, which stays
}
run_c() { # host C, without RSIP
	on hostc iperf3 -c $PEER -p 5205 -t 8 -b 5M -J >$LAB/hostc-tcp.json 2>&1 &
	on hostc curl -sS --max-time 10 http://$PEER/hello >$LAB/hostc-http 2>&1
	wait $!
}
run hosta 5201 5203 & run_a=$!
run hostb 5202 5204 & run_b=$!
run_c & run_c=$!

tell
lines=0
while kill -0 $run_a 2>/dev/null || kill -0 $run_b 2>/dev/null; do
	table=$(ctl bindings)
	if [ -n "$wide" ]; then
		[ $lines = 0 ] || printf '\033[%dA' $lines
		printf '   %s\n' "packets per binding, live:"
		# shellcheck disable=SC2001
		sed 's/^/   /; s/$/\x1b[K/' <<<"$table"
		lines=$(($(wc -l <<<"$table") + 1))
		sleep 0.5
	else
		tell "packets per binding after $SECONDS s:"
		show <<<"$table"
		sleep 3
	fi
done
wait $run_a
wait $run_b
wait $run_c
ike_sas peer >$LAB/sas 2>&1
stop $peer_pid
sed -i '/^ready$/d' $LAB/ipsec-peer.json
wait_for 5 quiet
captured

title "What the peer's strongSwan has: two IKE_SAs from one address, both from port 500"
grep -E "ESTABLISHED|remote" $LAB/sas | show

title "What was on the wires, packet by packet"
same_wire --nat $NAT_PORTS >/dev/null || die "the wires: $(cat $LAB/wire.json)"
"$PY" - $LAB/wire.json <<'PYTHON' | show
import json, sys
d = json.load(open(sys.argv[1]))
names = {"tcp": "TCP", "udp": "UDP", "ike": "IKE (UDP 500)", "esp": "ESP", "ah": "AH", "icmp": "ICMP"}
for kind in sorted(d["kinds"], key=d["kinds"].get, reverse=True):
    print("%-14s %7d packets on both wires" % (names.get(kind, kind), d["kinds"][kind]))
for host, c in d["hosts"].items():
    print("%-14s %7d packets to the peer, %d back" % (host, c["out_packets"], c["in_packets"]))
print("%-14s %7d packets to the peer, %d back, by NAT" % ("hostc", d["nat_out_packets"], d["nat_in_packets"]))
PYTHON
tell
tell "One of each kind, in the tunnel on the hosts' LAN and, the same packet, on the public wire:"
wires show | show

has() { [ "$(js "$1" <"$LAB/$2")" = True ]; } # an expression that must hold for a JSON file
both() { local h; for h in hosta hostb; do "$@" $h || return 1; done; }
lease_ok() { [ "$(lease hosta addr)$(lease hostb addr)" = $POOL$POOL ] && [ "$(lease hosta port)" != "$(lease hostb port)" ]; }
tcp_ok() { has 'd["end"]["sum_received"]["bytes"] > 1000000' "$1-tcp.json"; }
udp_ok() { has 'd["end"]["sum"]["packets"] - d["end"]["sum"]["lost_packets"] > 1000' "$1-udp.json"; }
http_ok() { grep -q "hello from the peer" "$LAB/$1-http"; }
ike_ok() {
	[ "$(grep -c "remote 'host[ab]' @ ${POOL//./\\.}\[500\]" $LAB/sas)" = 2 ] && [ "$(grep -c ESTABLISHED $LAB/sas)" = 2 ]
}
kind_ok() { has "d['verified']['$2']['$1'] == 100" ipsec-peer.json && has "d['verified']['$1'] == 100" "ipsec-$2.json"; }
esp_ok() { kind_ok esp-cbc "$1" && kind_ok esp-gcm "$1"; }
nat_ok() { tcp_ok hostc && http_ok hostc && has 'd["nat_out_packets"] > 100 and d["nat_in_packets"] > 100' wire.json; }
clean_ok() { [ ! -e "$PIN" ] && ! on gw nft list tables | grep -q rsip; }
count_ok() { [ "$(counter "$1" in_packets) $(counter "$1" out_packets)" = "$(on_wire "$1" in_packets) $(on_wire "$1" out_packets)" ]; }
proof "two hosts leased from one address, each its own ports and SPIs" lease_ok
proof "TCP from both hosts at once" both tcp_ok
proof "UDP from both hosts at once" both udp_ok
proof "HTTP from both hosts" both http_ok
proof "IKE from port 500 on both hosts, to one peer, no UDP encapsulation" ike_ok
proof "ESP (AES-CBC and AES-GCM) both ways, verified at both ends" both esp_ok
proof "AH both ways: its checksum covers the addresses, and still verifies" both kind_ok ah
proof "host C, without RSIP, by the kernel's NAT at the same address: TCP and HTTP" nat_ok
proof "every packet of A and B on both wires, none lost, the same byte for byte but for TTL and its checksum" \
	has 'd["out_packets"] > 1000 and d["in_packets"] > 1000' wire.json
proof "the gateway's counters per binding are exactly what was on the wires" both count_ok
proof "not one packet dropped" [ "$(drops)" = 0 ]

title "The hosts give back what they leased, and the gateway takes its programs and its NAT off"
for h in hosta hostb; do
	tell "$h# rsip-client down"
	client $h down >>"$LAB/client-$h.log" 2>&1 || die "rsip-client down on $h: $(tail -n 2 $LAB/client-$h.log)"
done
proof "all leases given back" [ "$(ctl --json status | js 'd["bindings"]')" = 0 ]
tell "gw# rsip-loader detach --config rsipd.json"
stop $RSIPD
loader detach --config $LAB/rsipd.json >$LAB/detach.log 2>&1 || die "rsip-loader detach: $(cat $LAB/detach.log)"
proof "nothing left pinned, no NAT left in the kernel" clean_ok

title "Summary ($SECONDS s)"
printf '   %s\n' "${seen_ok[@]}"
echo
[ $seen_bad = 0 ] && tell "All of it was seen. docs/demo.md explains each step; make test checks far more."
exit $seen_bad
