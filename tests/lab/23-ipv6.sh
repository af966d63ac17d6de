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
start peer web.log "$PY" -m http.server 80 --directory $LAB/www
wait_for 10 listens peer 80 || lab_abort "the peer's server does not start"
fetch() { inside "$1" curl -sS --max-time 20 -o $LAB/$1.file http://$PEER/file && cmp $LAB/$1.file $LAB/www/file; }
for h in hosta hostb; do
	check "$h fetches a file, and it comes unchanged" fetch $h
	inside $h "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 1000 1000 >$LAB/$h-seq.json || not_ok "$h: no datagrams"
	check_eq "$h: datagrams there and back, lost" "$(js 'd["lost"] + d["doubled"] + (d["received"] != 1000)' <$LAB/$h-seq.json)" 0
done
check_eq "datagrams of 4,000 bytes, in fragments there and back, lost" \
	"$(inside hosta "$PY" "$LAB_SRC/frags.py" ask $PEER 7 20 4000 2>&1)" 0
check_eq "nothing was dropped" "$(drops)" 0
lab_end
