#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A link of 1,400 bytes between the gateway and a host: what is too big for it is told to who sent it, both ways, and what
# may be fragmented arrives.  RFC 1191, RFC 2003 5.1.
#
#     gw priv0 -- lan -- eth0 rta eth1 --1400-- eth1 rtb eth0 -- eth0 far 10.97.0.5
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/path-mtu.sh"
lab_enter "$@"
LAB_CLIENTS='"10.99.0.0/24", "10.97.0.0/24"'
LAB_TOP='"private_networks": [ "10.99.0.0/24", "10.97.0.0/24" ],'
LAB_MODE=${MODE:-native}
FAR=10.97.0.5 PEER2=192.0.2.3

routers() {
	local n
	routers_wired || return 1
	for n in rta rtb; do on $n sysctl -qw net.ipv4.ip_forward=1 net.ipv4.icmp_ratelimit=0; done
	on rta ip addr add 10.99.0.20/24 dev eth0 && on rta ip addr add 10.98.0.1/24 dev eth1 || return 1
	on rtb ip addr add 10.98.0.2/24 dev eth1 && on rtb ip addr add 10.97.0.1/24 dev eth0 || return 1
	on rta ip route add 10.97.0.0/24 via 10.98.0.2 && on rtb ip route add default via 10.98.0.1 || return 1
	on far ip addr add $FAR/24 dev eth0 && on far ip route add default via 10.97.0.1 || return 1
	on gw ip route add 10.97.0.0/24 via 10.99.0.20
}
lab_up routers
on peer ip addr add $PEER2/24 dev eth0 || lab_abort "no second address"
host_up far --ports 16 || lab_abort "the far host does not lease: $(tail -n 3 $LAB/client-far.log)"
check_eq "at first the tunnel takes what the interface does" "$(path)" "1480 False"

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

sends $PEER
passed_on 1

# ---- toward the host ---------------------------------------------------------------------------------------------------

fetches $PEER2 1380

# ---- a restart ---------------------------------------------------------------------------------------------------------

found_again 1380
lab_end
