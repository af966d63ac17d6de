#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A link of 1,400 bytes in an IPv6 access network, between the gateway and a host: what is too big for it is told to who sent it,
# and what may be fragmented arrives in pieces that fit, since no router fragments IPv6.  RFC 8201, RFC 2473 7.
#
#     gw priv0 -- lan -- eth0 rta eth1 --1400-- eth1 rtb eth0 -- eth0 far 2001:db8:97::5
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/path-mtu.sh"
lab_enter "$@"
GW6=2001:db8:1::1 FAR=2001:db8:97::5 PEER2=192.0.2.3 PEER3=192.0.2.4
LAB_PRIVATE='{ "name": "priv0", "endpoint6": "'$GW6'" }'
LAB_CLIENTS='"10.99.0.0/24", "2001:db8:97::/64"'
LAB_MODE=${MODE:-native}

with_ip6() { # NODE DEVICE...
	local n=$1 dev
	on "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0
	for dev in "${@:2}"; do on "$n" sysctl -qw "net.ipv6.conf.$dev.disable_ipv6=0" "net.ipv6.conf.$dev.accept_dad=0"; done
}
routers() {
	local n
	routers_wired || return 1
	with_ip6 gw priv0 && with_ip6 rta eth0 eth1 && with_ip6 rtb eth0 eth1 && with_ip6 far eth0 || return 1
	for n in rta rtb; do on $n sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.icmp.ratelimit=0; done
	on gw ip -6 addr add $GW6/64 dev priv0 nodad && on gw ip -6 route add 2001:db8:97::/64 via 2001:db8:1::20 || return 1
	on rta ip -6 addr add 2001:db8:1::20/64 dev eth0 nodad && on rta ip -6 addr add 2001:db8:98::1/64 dev eth1 nodad || return 1
	on rtb ip -6 addr add 2001:db8:98::2/64 dev eth1 nodad && on rtb ip -6 addr add 2001:db8:97::1/64 dev eth0 nodad || return 1
	on rta ip -6 route add 2001:db8:97::/64 via 2001:db8:98::2 && on rtb ip -6 route add default via 2001:db8:98::1 || return 1
	on far ip -6 addr add $FAR/64 dev eth0 nodad && on far ip -6 route add default via 2001:db8:97::1
}
[ -e /proc/sys/net/ipv6 ] || { skip "lab: this kernel has no IPv6"; lab_end; }
lab_up routers
for a in $PEER2 $PEER3; do on peer ip addr add $a/24 dev eth0 || lab_abort "no second address"; done
HOST_GW=$GW6 host_up far --ports 16 || lab_abort "the far host does not lease: $(tail -n 3 $LAB/client-far.log)"
check_eq "at first the tunnel takes what the interface does" "$(path)" "1460 False"

# Datagrams of 4,000 bytes before anything is known: cut for the least that an IPv6 path takes, they need no learning.
port=$(lease far port)
started_inside far sunk.log "$PY" "$LAB_SRC/frags.py" sink "$port"
cat >$LAB/send.py <<'EOT'
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 9))
for i in range(20):
    sock.sendto((b"%d" % i).ljust(4000, b"."), (sys.argv[2], int(sys.argv[3])))
EOT
on peer sysctl -qw net.ipv4.ip_no_pmtu_disc=1 # without DF
on peer "$PY" $LAB/send.py $PEER3 $POOL "$port" || not_ok "the peer cannot send"
sunk() { [ "$(sort -n $LAB/sunk.log | grep -cx '[0-9]*')" = 20 ]; }
check "20 datagrams of 4,000 bytes without DF arrive, unchanged" wait_for 10 sunk
check_eq "no router had anything to say" "$(path)" "1460 False"
on peer sysctl -qw net.ipv4.ip_no_pmtu_disc=0

# From the host, each to an address of the peer of its own: a connection, and datagrams without DF, of which the first is lost:
# then the host has heard.
sends $PEER3
cat >$LAB/fat.py <<'EOT'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT
s.settimeout(1)
if sys.argv[1] == "answer": # in one byte: what comes back is not of interest here
    s.settimeout(None)
    s.bind(("", 9))
    print("ready", flush=True)
    while True:
        data, who = s.recvfrom(9000)
        s.sendto(b"y" if data == b"x" * 1400 else b"n", who)
for i in range(20):
    s.sendto(b"x" * 1400, (sys.argv[1], 9))
    try:
        print(s.recv(9000))
        break
    except TimeoutError:
        pass
EOT
started peer answers.log "$PY" $LAB/fat.py answer
check_eq "a datagram of 1,400 bytes without DF arrives, once the host has heard" "$(inside far "$PY" $LAB/fat.py $PEER)" "b'y'"
passed_on 2

# With DF: a connection whose segments are too long at first.
fetches $PEER2 1360
check_eq "the peer knows what the tunnel takes" "$(on peer ip route get $POOL from $PEER2 | grep -o 'mtu [0-9]*')" "mtu 1360"

# What cannot be: from another host's address, about a packet of less than every link takes.
cat >$LAB/forge.py <<'EOT'
import socket, struct, sys
gw, host, mtu = sys.argv[1:4]
def a(x): return socket.inet_pton(socket.AF_INET6, x)
quoted = struct.pack("!IHBB", 6 << 28, 1440, 4, 64) + a(gw) + a(host) + bytes([0x45]) + bytes(59)
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.sendto(struct.pack("!BBHI", 2, 0, 0, int(mtu)) + quoted, (gw, 0))
EOT
told() { ctl --json stats | js 'd["protocol"]["pmtu-told"]'; }
before=$(told)
on rta "$PY" $LAB/forge.py $GW6 $FAR 1200 || not_ok "cannot send"
on rta "$PY" $LAB/forge.py $GW6 2001:db8:97::66 1300 || not_ok "cannot send"
on rta "$PY" $LAB/forge.py $GW6 $FAR 1450 || not_ok "cannot send"
check "a message about a live tunnel gets to rsipd" wait_for 5 eval '[ "$(told)" = '$((before + 1))' ]'
check_eq "of less than 1,280, and about nobody's, none; and none raises it" "$(path)" "1360 True"
check_eq "nothing was dropped but what is told to its sender" "$(($(drops) - $(stat_of too-big)))" 0

# ---- a restart ---------------------------------------------------------------------------------------------------------

found_again 1360
lab_end
