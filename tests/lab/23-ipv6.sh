#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# An IPv6 access network: host A has an IPv6 address and tunnels over IPv6, host B has IPv4, both on one leased address.
#
#     hosta 2001:db8:1::11 --+
#                            +-- lan -- 2001:db8:1::1, 10.99.0.1  gw  192.0.2.1 -- peer 192.0.2.2
#     hostb 10.99.0.12     --+
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
GW6=2001:db8:1::1 HOST6=2001:db8:1::11
LAB_PRIVATE='{ "name": "priv0", "endpoint6": "'$GW6'" }'
LAB_CLIENTS='"10.99.0.0/24", "2001:db8:1::/64"'

ipv6_net() {
	local n
	for n in hosta gw; do
		on $n sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.disable_ipv6=0 || return 1
	done
	on gw sysctl -qw net.ipv6.conf.priv0.disable_ipv6=0 net.ipv6.conf.priv0.accept_dad=0
	on hosta sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth0.accept_dad=0
	on gw ip -6 addr add $GW6/64 dev priv0 nodad && on hosta ip -6 addr add $HOST6/64 dev eth0 nodad &&
		on hosta ip addr del $HOSTA/24 dev eth0
}
[ -e /proc/sys/net/ipv6 ] || { skip "lab: this kernel has no IPv6"; lab_end; }
lab_up ipv6_net

HOST_GW=$GW6 host_up hosta --ports 64 --spis 4 || lab_abort "host A does not lease over IPv6: $(tail -n 3 $LAB/client-hosta.log)"
host_up hostb --ports 64 || lab_abort "host B does not lease: $(tail -n 3 $LAB/client-hostb.log)"
binding() { ctl --json bindings | js "next(b['$2'] for b in d['bindings'] if b['host'] == '$1')"; }
check_eq "both hosts lease the same address" "$(lease hosta addr) $(lease hostb addr)" "$POOL $POOL"
check_eq "the gateway shows host, endpoint and MTU as they are" \
	"$(binding $HOST6 local) $(binding $HOST6 endpoint) $(binding $HOST6 mtu)" "$POOL $GW6 1460"
check_eq "and no handle of its own" "$({ ctl --json bindings; ctl --json clients; ctl bindings; } | grep -c '[^0-9]24[0-9]\.')" 0

# the peer: a file to fetch, and numbered datagrams back
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
mkdir -p $LAB/www && head -c 3000000 /dev/urandom >$LAB/www/file
serve peer
fetch() { inside "$1" curl -sS --max-time 20 -o $LAB/$1.file http://$PEER/file && cmp $LAB/$1.file $LAB/www/file; }
for h in hosta hostb; do
	check "$h fetches a file, and it comes unchanged" fetch $h
	inside $h "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 1000 1000 >$LAB/$h-seq.json || not_ok "$h: no datagrams"
	check_eq "$h: datagrams there and back, lost" "$(js 'd["lost"] + d["doubled"] + (d["received"] != 1000)' <$LAB/$h-seq.json)" 0
done
check_eq "datagrams of 4,000 bytes, in fragments there and back, lost" \
	"$(inside hosta "$PY" "$LAB_SRC/frags.py" ask $PEER 7 20 4000 2>&1)" 0
check_eq "nothing was dropped" "$(drops)" 0

# who poses as host A: from host B an IPv4 tunnel packet whose source is A's handle, from A an IPv6 source that nobody registered
cat >$LAB/pose.py <<'EOT'
import socket, sys
import packets
kind, local, port, peer, gw, source = sys.argv[1:7]
inner = packets.udp(local, port, peer, 9, b"pose")
if kind == "4":
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    s.sendto(packets.ip(source, gw, 4, inner), (gw, 0))
else:
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 4)
    s.bind((source, 0))
    s.sendto(inner, (gw, 0))
EOT
on hosta ip -6 addr add 2001:db8:1::66/64 dev eth0 nodad
port_a=$(lease hosta port)
on hostb "$PY" $LAB/pose.py 4 $POOL "$port_a" $PEER $GW_PRIV 240.0.0.1 || not_ok "host B cannot pose"
check "an IPv4 packet from a handle is dropped" wait_for 5 stat_is src-spoofed 1
on hosta "$PY" $LAB/pose.py 6 $POOL "$port_a" $PEER $GW6 2001:db8:1::66 || not_ok "host A cannot pose"
check "so is one from an IPv6 address that nobody registered" wait_for 5 stat_is not-owner 1
on hosta ip -6 addr del 2001:db8:1::66/64 dev eth0

# fragments of tunnel packets, made by the kernel of host A: the path is said to take 1,280 bytes
cat >$LAB/pieces.py <<'EOT'
import socket, sys
import packets
local, port, peer, gw, source = sys.argv[1:6]
sizes = [int(n) for n in sys.argv[6:]]
s = socket.socket(socket.AF_INET6 if ":" in gw else socket.AF_INET, socket.SOCK_RAW, 4)
s.bind((source, 0))
for size in sizes:
    for i in range(20):
        text = (b"%d of %d" % (i, size)).ljust(size, b".")
        s.sendto(packets.udp(local, port, peer, 9, text, ident=100 + i), (gw, 0))
EOT
started peer sunk.log "$PY" "$LAB_SRC/frags.py" sink 9
on hosta ip -6 route replace $GW6 dev eth0 mtu 1280
was=$(stat_of fragment-passed)
on hosta "$PY" $LAB/pieces.py $POOL "$port_a" $PEER $GW6 $HOST6 1300 4000 || not_ok "host A cannot send"
check "20 packets in two fragments arrive" wait_for 5 eval '[ "$(grep -cx "1300 bytes" $LAB/sunk.log)" = 20 ]'
check "and 20 of 4,000 bytes, unchanged, which leave in fragments of IPv4" \
	wait_for 5 eval '[ "$(grep -x "[0-9]* of 4000" $LAB/sunk.log | sort -u | wc -l)" = 20 ]'
check_eq "each was in two fragments, or in four" "$(($(stat_of fragment-passed) - was))" $((20 * 2 + 20 * 4))
on hostb sysctl -qw net.ipv4.ip_no_pmtu_disc=1
on hostb "$PY" $LAB/pieces.py $POOL "$(lease hostb port)" $PEER $GW_PRIV $HOSTB 3000 || not_ok "host B cannot send"
on hostb sysctl -qw net.ipv4.ip_no_pmtu_disc=0
check "and 20 of host B's, over IPv4" wait_for 5 eval '[ "$(grep -cx "3000 bytes" $LAB/sunk.log)" = 20 ]'
on hosta ip -6 addr add 2001:db8:1::66/64 dev eth0 nodad
on hosta "$PY" $LAB/pieces.py $POOL "$port_a" $PEER $GW6 2001:db8:1::66 1300 4000 || not_ok "host A cannot send"
check "of a source that nobody registered none are kept" wait_for 5 stat_is outer-fragment $((20 * 2 + 20 * 4))
on hosta ip -6 addr del 2001:db8:1::66/64 dev eth0
on hosta ip -6 route del $GW6 dev eth0 mtu 1280

# rsipd is killed, then the data plane is gone, too: the store has whose the handle is
bind=$(binding $HOST6 bind-id)
kill -KILL $RSIPD && wait $RSIPD 2>/dev/null
check "without rsipd host A goes on" fetch hosta
rsipd_start
check_eq "after a restart it has its binding" "$(binding $HOST6 bind-id)" "$bind"
kill -TERM $RSIPD && wait $RSIPD
loader detach --config $LAB/rsipd.json >/dev/null 2>&1 || not_ok "detach"
loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || lab_abort "attach again: $(cat $LAB/attach.log)"
rsipd_start
check_eq "and with a new data plane" "$(binding $HOST6 bind-id)" "$bind"
check "host A fetches the file" fetch hosta

# over TCP, in GRE
client hosta down >/dev/null || not_ok "host A does not end"
check_eq "its registration has ended" "$(bindings | grep -c -F $HOST6)" 0
HOST_GW=$GW6 host_up hosta --ports 16 --tunnel-type GRE || not_ok "host A does not lease in GRE: $(tail -n 2 $LAB/client-hosta.log)"
check_eq "in GRE the MTU is 1456" "$(binding $HOST6 tunnel) $(binding $HOST6 mtu)" "GRE 1456"
check "and the file comes" fetch hosta
LAB_CLIENTS='"10.99.0.0/24", "2001:db8:2::/64"'
lab_conf
check "a reload that leaves out the network of host A" ctl reload
check "ends its registration" wait_for 5 eval '! bindings | grep -q -F $HOST6'
lab_end
