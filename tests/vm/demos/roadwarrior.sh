#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# RFC 3104 Appendix F, "Roadwarrior": a laptop somewhere on the Internet leases an address of the corporate network from the
# corporate firewall, which knows it by its key, and has IPsec with a desktop inside, end to end.  Then the desktop calls
# the laptop.  What RSIP calls public is the corporate network here, and the Internet is where the hosts are.
#
#     hosta 198.51.100.11, the laptop  --+
#                                        +-- lan, Internet -- 192.0.2.1 gw, the firewall 10.1.0.1 -- peer 10.1.0.2, the desktop
#     hostb 198.51.100.77, a stranger  --+
# shellcheck source=tests/vm/ipsec/show.sh
. "$(dirname "$0")/../ipsec/show.sh"
demo_begin "$@"
SA=esp-transport PORTS=leased HOSTS=hosta
GW_PRIV=192.0.2.1 HOSTA=192.0.2.11 HOSTB=192.0.2.12 GW_PUB=10.1.0.1 PEER=10.1.0.2 POOL=10.1.0.200
addr_of() { if [ "$1" = hosta ]; then echo 198.51.100.11; else echo 198.51.100.77; fi; }
LAB_CLIENTS='"198.51.100.0/24"'
LAB_POOL='{ "name": "corporate", "addresses": "'$POOL'" }'
LAB_TOP='"auth": { "mode": "required", "keys": [ { "id": 7, "file": "'$LAB'/key", "hosts": [ "198.51.100.0/24" ] } ] },'

internet() { # the lab's LAN becomes a router with a wire to each
	local h
	head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >$LAB/key && chmod 600 $LAB/key
	on lan ip link set porta nomaster && on lan ip link set portb nomaster && on lan ip link set portg nomaster &&
		on lan sysctl -qw net.ipv4.ip_forward=1 && on lan ip addr add 192.0.2.254/24 dev portg &&
		on gw ip route add 198.51.100.0/24 via 192.0.2.254 || return 1
	for h in hosta hostb; do
		on lan ip addr add 198.51.100.1/32 dev "port${h#host}" && on lan ip route add "$(addr_of $h)/32" dev "port${h#host}" || return 1
		on $h ip addr flush dev eth0 && on $h ip addr add "$(addr_of $h)/32" dev eth0 &&
			on $h ip route add 198.51.100.1 dev eth0 && on $h ip route add default via 198.51.100.1 || return 1
	done
}
host_up() { # as lab's, with the key, and for a leased address that is private
	local node=$1
	shift
	client "$node" up --gateway $GW_PRIV --private-addresses yes "${key[@]}" "$@" >"$LAB/client-$node.log" 2>&1
}

bold "Roadwarrior: a laptop on the Internet, IPsec end to end with a desktop behind the firewall (kernel $(uname -r))"
world internet
echo "   private0 is the Internet, public0 the corporate network; the firewall leases $POOL to those whose key it knows"

title "A stranger asks, without a key"
key=()
stranger=1
host_up hostb --wait 3 || stranger=0
tail -n 2 $LAB/client-hostb.log | show
client hostb down >/dev/null 2>&1

title "The laptop asks with its key, and leases"
key=(--key-id 7 --key-file $LAB/key)
demo_hosts
ctl bindings | show

title "IPsec from the laptop to the desktop"
demo_sas
stream_start || die "no traffic"
live 3
stream_end
first=$LOST

title "The other way round: the desktop calls the laptop, at the IKE port that it leases"
ike_ctl hosta --terminate --ike hosta >$LAB/terminated 2>&1
port=$(sed -n '3s/ .*//p' $LAB/leases-hosta)
swan_conn hosta $PEER $POOL peer hosta "dynamic[udp/$ECHO]" "dynamic[udp/${APP[hosta]}-$((APP[hosta] + 7))]" "$port" | swan_file peer
ike_ctl peer --load-all --noprompt --clear --file $LAB/ike-peer/swanctl.conf >$LAB/ike-peer/load 2>&1
ike_ctl peer --initiate --child hosta --timeout 60 >$LAB/ike-peer/initiate 2>&1
called=$?
stream_start || die "no traffic"
live 3
stream_end

title "On the corporate network"
demo_wire
proof "a stranger gets nothing" [ $stranger = 0 ]
proof "the laptop, one of many at $POOL: ESP in transport mode with the desktop, no UDP encapsulation" clean_wire esp
proof "no datagram was lost" [ "$first$LOST" = 00 ]
proof "the desktop called the laptop at its leased port" [ $called = 0 ]
proof "every packet the same on the Internet, in its tunnel, and inside" wires_of same
demo_end
