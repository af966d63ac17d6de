#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# --place host: the leased address beside the host's own.  Only what comes from it goes through the tunnel; no ARP
# request for it is answered on any interface; nothing but the gateway's packets for leased addresses comes out of the
# tunnel; and `down` puts everything back, after a crash, too.  With a whole address (RSA-IP) as well.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/machine.sh"
. "$LAB_SRC/ike.sh"
lab_enter "$@"
WHOLE=203.0.113.9
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ] },
	{ "name": "whole", "addresses": [ "'$WHOLE'-203.0.113.10" ], "methods": [ "RSA-IP" ] }'
lab_up
capture hosta
mkdir -p $LAB/www && seq 5000 >$LAB/www/numbers
serve peer

mkdir -p $LAB/client-hosta # what the first client leaves for good
before=$(machine hosta)
as_before() {
	machine hosta >$LAB/after
	check "and the host is what it was" diff - $LAB/after <<<"$before"
}
host_up hosta --place host --ports 8 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
port=$(lease hosta port)
check_eq "the leased address is on a virtual interface" "$(on hosta ip -br addr show rsip0 | awk '{ print $3 }')" $POOL/32
check_eq "its MTU leaves room for the tunnel" "$(on hosta ip -j link show rsip0 | js 'd[0]["mtu"]')" 1480
route() { on hosta ip -j route get "$@" | js 'd[0]["dev"]'; }
check_eq "from the leased address: the tunnel; else as before" "$(route $PEER from $POOL) $(route $PEER)" "rsip0 eth0"
fetch() { on hosta curl -sS --max-time 10 --interface $POOL --local-port "$port-$((port + 7))" "http://$PEER/numbers" | cmp - $LAB/www/numbers; }
check "a program bound to it is at home in the public realm" fetch
check_eq "the peer saw the leased address" "$(grep -c "^$POOL " $LAB/web.log)" 1
check_eq "its segments fit (the peer was told an MSS of 1440)" \
	"$(on hosta "$PY" -c "
import socket
s = socket.socket(); s.bind(('$POOL', $port + 3)); s.connect(('$PEER', 80)); print(s.getsockopt(6, 2) <= 1440)")" True
on hostb arping -q -c 2 -w 2 -I eth0 $POOL
captured # else what is not yet in the file is not seen
check_eq "nobody answers ARP for it" "$(seen hosta arp=$POOL mac="$(mac_of hosta eth0)")" 0
check "exec says why it cannot" eval 'client hosta exec -- true 2>&1 | grep -q "exec needs a namespace"'

# forged tunnel packets: inner destination not leased (from the gateway), outer source not the gateway's (from host B)
cat >$LAB/forge.py <<'EOT'
import socket, sys
import packets
src, dst, inner_src, inner_dst, port = sys.argv[1:6]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
raw.sendto(packets.ip(src, dst, 4, packets.udp(inner_src, 9, inner_dst, port, b"forged")), (dst, 0))
EOT
cat >$LAB/hear.py <<'EOT'
import socket, sys
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for s, a in zip(socks, sys.argv[1:3]):
    s.bind((a, int(sys.argv[3]))); s.setblocking(False)
print("ready", flush=True)
import select, time
end, heard = time.time() + 20, [] # what was sent before has come when the right one is here
while time.time() < end:
    for s in select.select(socks, [], [], 0.1)[0]:
        heard.append("%s %s" % (s.getsockname()[0], s.recv(100).decode()))
        end = min(end, time.time() + 0.5)
print(sorted(heard))
EOT
started hosta heard.log "$PY" $LAB/hear.py $HOSTA $POOL $((port + 5))
hear=$STARTED
on gw "$PY" $LAB/forge.py $GW_PRIV $HOSTA $PEER $HOSTA $((port + 5))
on hostb "$PY" $LAB/forge.py $HOSTB $HOSTA $PEER $POOL $((port + 5))
on gw "$PY" $LAB/forge.py $GW_PRIV $HOSTA $PEER $POOL $((port + 5)) # this one is right
wait $hear
check_eq "only the gateway's packet for the leased address comes out of the tunnel" \
	"$(tail -n 1 $LAB/heard.log)" "['$POOL forged']"

check "down" client hosta down
as_before
host_up hosta --place host --ports 8 || not_ok "hosta again: $(cat $LAB/client-hosta.log)"
client_killed hosta
check "a client that was killed: its address still works" eval 'port=$(sed -n "s/.*\"first\":[^0-9]*\([0-9]*\).*/\1/p" \
	$LAB/client-hosta/client-state.json | head -n 1); fetch'
check "down in its name" client hosta down
as_before

host_up hosta --place host --ports 8 || not_ok "hosta once more: $(cat $LAB/client-hosta.log)"
on hosta sysctl -qw net.ipv4.conf.all.arp_ignore=2
client hosta down
check_eq "what somebody has set meanwhile stays" "$(on hosta sysctl -n net.ipv4.conf.all.arp_ignore)" 2
on hosta sysctl -qw net.ipv4.conf.all.arp_ignore=0

host_up hosta --place host --whole-address yes || not_ok "a whole address: $(cat $LAB/client-hosta.log)"
start hosta web-a.log "$PY" -m http.server 8080 --bind $WHOLE --directory $LAB/www
call() { on peer curl -sS --max-time 2 "http://$WHOLE:8080/numbers" | cmp - $LAB/www/numbers; }
check "a whole address: the peer calls any port of it" wait_for 5 call
check "and it answers ping itself" on peer ping -c 1 -W 2 $WHOLE
stop $STARTED
check "down" client hosta down
as_before
# an unmodified charon beside the host's other programs, bound to the leased address
if ike_have; then
	mkdir -p $LAB/ike-hosta/drop
	host_up hosta --place host --ports 8 --strongswan yes --strongswan-dir $LAB/ike-hosta/drop \
		--strongswan-vici $LAB/ike-hosta/vici || not_ok "hosta with strongSwan: $(cat $LAB/client-hosta.log)"
	ike_conf peer $PEER $POOL
	ike_start peer nsenter "--net=/run/netns/$(ns peer)" || not_ok "charon on the peer: $(tail -n 3 $LAB/ike-peer/out)"
	ike_conf hosta $POOL $PEER
	echo "include $LAB/ike-hosta/drop/*.conf" >>$LAB/ike-hosta/strongswan.conf
	ike_start hosta nsenter "--net=/run/netns/$(ns hosta)" || not_ok "charon: $(tail -n 3 $LAB/ike-hosta/out)"
	charon=$STARTED
	check "charon in the host's own namespace: IKE_SA from the leased address" ike_initiate hosta
	check "at the leased port" eval 'ike_sas peer | grep -q "\[$(sed -n "s/^\tport = //p" $LAB/ike-hosta/drop/*.conf)\]"'
	ike_ctl hosta --terminate --ike peer >/dev/null 2>&1
	kill "$(on hosta ss -Hlunp | grep charon | grep -o 'pid=[0-9]*' | head -n 1 | cut -d = -f 2)" $charon 2>/dev/null
	ended() { ! on hosta ss -Hlunp | grep -q charon; }
	wait_for 10 ended
	check "down" client hosta down
	as_before
	check_eq "and its file is gone" "$(ls $LAB/ike-hosta/drop)" ""
else
	skip "ike: strongSwan is missing (make deps installs it)"
fi

on hosta ip addr add $POOL/32 dev lo
check "an address that this host has already is refused and given back" eval \
	'! host_up hosta --ports 8 && grep -q "has already" $LAB/client-hosta.log'
on hosta ip addr del $POOL/32 dev lo
as_before

# What this host speaks with is no address for it: it would answer itself.  In a namespace it is in nobody's way.
refused() { # WHAT PLACE TEXT
	check "$1, place $2: refused and given back" is_refused "${@:2}"
}
is_refused() {
	! host_up hosta --ports 8 --place "$1" || { client hosta down; return 1; }
	cat $LAB/client-hosta.log
	grep -q "address $POOL, which $2" $LAB/client-hosta.log && grep -q "it was given back" $LAB/client-hosta.log && [ -z "$(bindings)" ]
}
taken() { # WHAT
	check "$1, place namespace: taken" host_up hosta --ports 8
	client hosta down
}
on hosta ip route add 203.0.113.0/28 dev eth0
refused "a machine on its own network" host "is on a network that this host is connected to"
taken "a machine on its own network"
on hosta ip route del 203.0.113.0/28
on hosta ip route add 198.51.100.0/24 via $POOL dev eth0 onlink
refused "a router of this host" host "is a router of this host"
taken "a router of this host"
on hosta ip route del 198.51.100.0/24
on hosta ip route add 198.51.100.0/24 nexthop via $GW_PRIV dev eth0 nexthop via $POOL dev eth0 onlink
refused "the second router of a route" host "is a router of this host"
on hosta ip route del 198.51.100.0/24
if [ -e /etc/resolv.conf ]; then
	printf 'nameserver 192.0.2.53\nnameserver %s\n' $POOL >$LAB/resolv.conf
	mount --bind $LAB/resolv.conf "$(realpath /etc/resolv.conf)"
	refused "a DNS server of this host" host "is a DNS server of this host"
	taken "a DNS server of this host"
	printf '# nameserver %s\nnameserver 192.0.2.53\n' $POOL >$LAB/resolv.conf # in place: it is mounted
	check "one that is in a comment there: taken" host_up hosta --ports 8 --place host
	client hosta down
	umount "$(realpath /etc/resolv.conf)"
else
	skip "DNS servers: this machine has no /etc/resolv.conf"
fi
HOST_GW=$GW_PRIV,$POOL
for place in host namespace; do refused "another gateway of its list" $place "is another gateway of this client"; done
unset HOST_GW
as_before

# a whole address in a namespace: all ports are the program's
host_up hostb --whole-address yes || not_ok "hostb: a whole address: $(cat $LAB/client-hostb.log)"
whole=$(client hostb status --json | js 'd["bindings"][0]["address"]')
start hostb web-b.log "$BIN/rsip-client" exec --state-dir $LAB/client-hostb -- "$PY" -m http.server 81 --directory $LAB/www
call_b() { on peer curl -sS --max-time 2 "http://$whole:81/numbers" | cmp - $LAB/www/numbers; }
check "a whole address in a namespace: the peer calls any port of it" wait_for 5 call_b
check "and its programs call the peer" inside hostb curl -sS --max-time 5 -o /dev/null "http://$PEER/numbers"
client hostb down
check_eq "no binding is left" "$(bindings)" ""
lab_end
