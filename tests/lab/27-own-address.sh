#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The address that hosts share is the gateway's own (RFC 3104 Appendix F): its DNS, its IKE daemon, its ESP, its calls and pings
# keep working beside those of a host.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/ike.sh"
lab_enter "$@"
POOL=$GW_PUB
LAB_POOL='{ "name": "own", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ],
	"kernel": { "ports": [ "53", "50000-50099" ], "icmp_ids": "77", "spis": "4096-4111", "ike": true } }'
ports() { on gw sysctl -qw net.ipv4.ip_local_port_range="50000 50099"; }
lab_up ports
host_up hosta --ports 8 --spis 4 || lab_abort "hosta does not lease: $(tail -n 3 $LAB/client-hosta.log)"
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
started gw dns.log "$PY" "$LAB_SRC/udpseq.py" echo 53
lost() { "${@:1:2}" "$PY" "$LAB_SRC/udpseq.py" run "${@:3}" 50 20 2>&1 | js 'd["lost"]'; }

check_eq "a host leases at the gateway's own address" "$(lease hosta addr)" $POOL
check_eq "its datagrams there and back: lost" "$(lost inside hosta $PEER 7)" 0
check_eq "the peer asks the gateway's DNS: lost" "$(lost on peer $POOL 53)" 0
check_eq "the gateway calls the peer: lost" "$(lost on gw $PEER 7)" 0
check "the gateway's ping, by its identifier" on gw ping -q -c 2 -W 5 -e 77 -I $POOL $PEER
check "the host's, by another" inside hosta ping -q -c 2 -W 5 -e 78 $PEER
check_eq "the host cannot take the gateway's" "$(inside hosta ping -q -c 1 -W 1 -e 77 $PEER >/dev/null 2>&1; echo "$? $(stat_of ident-taken)")" "1 1"

cat >$LAB/esp.py <<-'EOF'
	import socket, struct, sys
	sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 50)
	if sys.argv[1] == "hear":
	    print("ready", flush=True)
	    while True:
	        print("%u" % struct.unpack("!I", sock.recv(2048)[20:24]), flush=True)
	for spi in sys.argv[2:]:
	    sock.sendto(struct.pack("!II", int(spi), 1) + bytes(40), (sys.argv[1], 0))
EOF
started gw esp.log "$PY" $LAB/esp.py hear
before=$(counter hosta in_packets)
on peer "$PY" $LAB/esp.py $POOL 5000 "$(lease hosta spi)" 4096 4111
check "ESP under the gateway's SPIs reaches it" wait_for 5 grep -qx 4111 $LAB/esp.log
check_eq "and no other" "$(grep -c '^[0-9]*$' $LAB/esp.log)" 2
check "the host's reaches the host" counter_is hosta in_packets $((before + 1))
check_eq "and nobody's is dropped" "$(stat_of no-spi)" 1

if ike_have; then
	ike_peer
	ike_conf hosta $POOL $PEER "$(lease hosta spi)" "$(lease hosta spi_last)"
	ike_start hosta inside hosta || lab_abort "charon on hosta: $(tail -n 3 $LAB/ike-hosta/out)"
	ike_conf hostb $POOL $PEER # the gateway's
	ike_start hostb nsenter "--net=/run/netns/$(ns gw)" || lab_abort "charon on the gateway: $(tail -n 3 $LAB/ike-hostb/out)"
	check "the host's IKE_SA from port 500" ike_initiate hosta
	check "and the gateway's own, to the same peer" ike_initiate hostb
	ike_sas peer >$LAB/sas 2>&1
	check_eq "the peer has both, from one address and port" "$(grep -c "remote 'host[ab]' @ ${POOL//./\\.}\[500\]" $LAB/sas)" 2
	check "the peer's own requests reach the host" ike_peer_asks hosta
	check "and the gateway" ike_peer_asks hostb
	check_eq "nothing of that was guessed" "$(stat_of ike-guessed)" 0
else
	skip "ike: strongSwan is missing (make deps installs it)"
fi
check_eq "nothing else was dropped" "$(drops)" 2
lab_end
