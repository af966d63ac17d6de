#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Before systemd starts in the VM of units.sh: what an administrator does on a new gateway, and the wires.
#
#     host  eth0 10.99.0.11/24 ---- priv0 10.99.0.1/24  (this machine)  pub0 192.0.2.1/24 ---- eth0 192.0.2.2/24  peer
set -eu
make install UNITDIR=/lib/systemd/system
cat >/etc/rsip/rsipd.json <<-'CONF'
	{
		"interfaces": { "public": [ "pub0" ], "private": [ "priv0" ] },
		"dataplane": { "mode": "native" },
		"pools": [ { "name": "shared", "addresses": "203.0.113.1", "methods": [ "RSAP-IP", "RSIPSEC" ] } ],
		"clients": { "networks": [ "10.99.0.0/24" ] }
	}
CONF
# the watchdog's half a minute is long for a test
mkdir -p /etc/systemd/system/rsipd.service.d
printf '[Service]\nWatchdogSec=10\n' >/etc/systemd/system/rsipd.service.d/test.conf
systemctl enable rsip-loader rsip-watch rsipd

# a host's unit, which units.sh starts; this machine is the gateway, so it runs where the host is
cat >/etc/rsip/client.json <<-'CONF'
	{ "gateway": "10.99.0.1", "ports": 8 }
CONF
mkdir -p /etc/systemd/system/rsip-client.service.d
cat >/etc/systemd/system/rsip-client.service.d/test.conf <<-'CONF'
	[Service]
	ExecStart=
	ExecStart=/usr/bin/nsenter --net=/run/netns/host /usr/sbin/rsip-client up --foreground
CONF

mkdir -p /run/netns
ip link set lo up
for n in host peer; do
	ip netns add $n
	ip -n $n link set lo up
done
ip link add priv0 type veth peer name eth0 netns host
ip link add pub0 type veth peer name eth0 netns peer
for d in priv0 pub0; do ethtool -K $d tx off txvlan off >/dev/null; done
ip addr add 10.99.0.1/24 dev priv0
ip addr add 192.0.2.1/24 dev pub0
for n in host peer; do
	ip netns exec $n ethtool -K eth0 tx off txvlan off gro on >/dev/null
	ip -n $n link set eth0 up
done
ip link set priv0 up
ip link set pub0 up
ip -n host addr add 10.99.0.11/24 dev eth0
ip -n host route add default via 10.99.0.1
ip -n peer addr add 192.0.2.2/24 dev eth0
ip -n peer route add 203.0.113.0/24 dev eth0
