#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A link of 1,400 bytes between the gateway and a host: what is too big for it is told to who sent it, both ways, and what
# may be fragmented arrives.  RFC 1191, RFC 2003 5.1.
#
#     gw priv0 -- lan -- eth0 rta eth1 --1400-- eth1 rtb eth0 -- eth0 far 10.97.0.5
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_CLIENTS='"10.99.0.0/24", "10.97.0.0/24"'
LAB_TOP='"private_networks": [ "10.99.0.0/24", "10.97.0.0/24" ],'
LAB_MODE=${MODE:-native}
FAR=10.97.0.5 PEER2=192.0.2.3

routers() {
	local n
	node rta rtb far || return 1
	wire rta eth0 lan portr && wire rta eth1 rtb eth1 && wire rtb eth0 far eth0 || return 1
	on lan ip link set portr master br0
	for n in "lan portr" "rta eth0" "rta eth1" "rtb eth1" "rtb eth0" "far eth0"; do
		# shellcheck disable=SC2086
		plain $n || return 1
	done
	for n in rta rtb; do on $n sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0; on $n ip link set eth1 mtu 1400; done
	on rta ip addr add 10.99.0.20/24 dev eth0 && on rta ip addr add 10.98.0.1/24 dev eth1 || return 1
	on rtb ip addr add 10.98.0.2/24 dev eth1 && on rtb ip addr add 10.97.0.1/24 dev eth0 || return 1
	on rta ip route add 10.97.0.0/24 via 10.98.0.2 && on rtb ip route add default via 10.98.0.1 || return 1
	on far ip addr add $FAR/24 dev eth0 && on far ip route add default via 10.97.0.1 || return 1
	on gw ip route add 10.97.0.0/24 via 10.99.0.20
}
lab_up routers
on peer ip addr add $PEER2/24 dev eth0 || lab_abort "no second address"
host_up far --ports 16 || lab_abort "the far host does not lease: $(tail -n 3 $LAB/client-far.log)"
bind_says() { ctl --json bindings | js "[str(b['$1']) for b in d['bindings'] if b['host'] == '$FAR'][0]"; }
check_eq "at first the tunnel takes what the interface does" "$(bind_says mtu) $(bind_says mtu-learned)" "1480 False"

# ---- DF clear: the router fragments the tunnel packets ---------------------------------------------------------------------

# Before anybody has learned of the shorter path.  The peer answers one byte with as many as were asked for, of a
# congestion-aware flow.
cat >$LAB/fat.py <<-'EOF'
	import socket, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
	s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xba)
	if sys.argv[1] == "answer":
	    s.bind(("", 9))
	    print("ready", flush=True)
	    while True:
	        asked, who = s.recvfrom(100)
	        s.sendto((bytes(range(256)) * 20)[:int(asked)], who)
	s.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
	s.settimeout(20)
	for size in sys.argv[2:]:
	    s.sendto(size.encode(), (sys.argv[1], 9))
	    got, more, _, _ = s.recvmsg(9000, 100)
	    tos = [d[0] for level, kind, d in more if kind == socket.IP_TOS]
	    print(len(got) == int(size) and got == (bytes(range(256)) * 20)[:int(size)], tos)
EOF
created() { on rta "$PY" -c "
k, v = [l.split() for l in open('/proc/net/snmp') if l.startswith('Ip:')]
print(dict(zip(k, v))['FragOKs'])"; }
started peer fat.log "$PY" $LAB/fat.py answer
check_eq "datagrams of 1,440 and 4,000 bytes arrive, byte for byte, with their traffic class" \
	"$(inside far "$PY" $LAB/fat.py $PEER 1440 4000 2>&1)" "True [186]
True [186]"
check_eq "the router has fragmented three tunnel packets" "$(created)" 3
whole=$(client far status --json | js 'd["tunnel"].get("counters", {}).get("in-reassembled", "-")')
[ "$whole" = - ] || check_eq "which the host's end of the tunnel had put together" "$whole" 3

# ---- from the host -----------------------------------------------------------------------------------------------------

# Each with an address of the peer of its own: who knows a shorter path asks for shorter segments from the start.
mkdir -p $LAB/www && head -c 3000000 /dev/urandom >$LAB/www/big
sum=$(sha256sum <$LAB/www/big)

started peer taken.log "$PY" "$LAB_SRC/carry.py" take 81
check "the host sends 3 MB" inside far timeout 30 "$PY" "$LAB_SRC/carry.py" give $PEER 81 $LAB/www/big
check "all of it arrives" wait_for 20 grep -q -- - $LAB/taken.log
check_eq "byte for byte" "$(tail -n 1 $LAB/taken.log)" "$sum"
# where the device is the kernel's, the kernel does it
too_big=$(client far status --json | js 'd["tunnel"].get("counters", {}).get("in-too-big", "-")')
[ "$too_big" = - ] || check_ge "the host's end of the tunnel has passed it on" "$too_big" 1

# ---- toward the host ---------------------------------------------------------------------------------------------------

serve peer
started gw events.log "$PY" "$LAB_SRC/events.py" $LAB/rsipd.sock bindings
EVENTS=$STARTED
check "the host fetches 3 MB" inside far curl -sS --max-time 30 -o $LAB/got http://$PEER2/big
check_eq "byte for byte" "$(sha256sum <$LAB/got)" "$sum"
check_eq "the MTU of the path was learned" "$(bind_says mtu) $(bind_says mtu-learned)" "1380 True"
check "rsipctl marks it" eval 'ctl bindings | grep -F "'$FAR'" | grep -q -F "1380 (path)"'
check "who subscribed has heard of it" wait_for 10 grep -q path-mtu $LAB/events.log
kill $EVENTS
check_eq "the message was believed once" "$(ctl --json stats | js 'd["protocol"]["pmtu-lowered"]')" 1

# ---- a restart ---------------------------------------------------------------------------------------------------------

{ kill -KILL "$RSIPD" && wait "$RSIPD"; } 2>/dev/null
rsipd_start
check_eq "a killed rsipd finds it again" "$(bind_says mtu) $(bind_says mtu-learned)" "1380 True"
lab_end
