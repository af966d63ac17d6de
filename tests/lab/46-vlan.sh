#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# VLANs, by the kernel's devices.  First on a trunk: the untagged packets are ours, and those of VLANs, whatever is in them, the
# machine's.  Then the gateway on VLAN devices: two VLANs of hosts, a public side in QinQ; generic XDP (these devices have no other), then TC.
#
#     hosta eth0.10 --+                 gw
#                     +-- priv0 --- .10 10.99.0.1
#     hostb eth0.20 --+         `-- .20 10.96.0.1     pub0.100 (802.1ad) .5 --- eth0.100.5 peer
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
modprobe -q 8021q 2>/dev/null
unshare -n sh -c 'ip link add name v0 type veth peer name v1 && ip link add link v0 name v0.5 type vlan id 5' 2>/dev/null || { skip "vlan: this kernel has no VLAN devices (8021q)"; lab_end; }
HOSTB2=10.96.0.12 GW_PRIV2=10.96.0.1 OWN=172.30.10

vlan() { on "$1" ip link add link "$2" name "$2.$3" type vlan "${@:4}" id "$3" && on "$1" ip link set "$2.$3" mtu 1500 up; }
vlans() {
	local n
	for n in lan hosta hostb gw peer; do # room for two tags
		for dev in $(on $n ip -j link | js '" ".join(l["ifname"] for l in d if l["ifname"] != "lo")'); do on $n ip link set "$dev" mtu 1508; done
	done
	vlan hosta eth0 10 && vlan gw priv0 10 && vlan hostb eth0 20 && vlan gw priv0 20 || return 1
	for n in gw:pub0 peer:eth0; do vlan "${n%:*}" "${n#*:}" 100 proto 802.1ad && vlan "${n%:*}" "${n#*:}.100" 5 || return 1; done
	on gw ip addr add $OWN.1/24 dev priv0.10 && on hosta ip addr add $OWN.2/24 dev eth0.10
}
lab_up vlans
check_eq "the loader attaches to the trunk" "$(loader status --pin-path "$PIN" --json | js 'd["mode"]')" native
check_eq "tags stay in the frames that it gets" "$(on gw ethtool -k priv0 | sed -n 's/^rx-vlan-offload: //p')" off

# talk HOST PORT: datagrams, a ping, and fragments, each there and back
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
mkdir -p $LAB/www && head -c 2000000 /dev/urandom >$LAB/www/file
serve peer
talk() {
	inside "$1" "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 100 100 >$LAB/seq.json
	check_eq "$2: $1's datagrams there and back, lost" "$(js 'd["lost"] + d["doubled"] + (d["received"] != 100)' <$LAB/seq.json)" 0
	check_eq "$2: datagrams of 4,000 bytes, in fragments, lost" "$(inside "$1" "$PY" "$LAB_SRC/frags.py" ask $PEER 7 10 4000 2>&1)" 0
	check "$2: $1 fetches a file" inside "$1" curl -sS --max-time 60 -o $LAB/got http://$PEER/file && check "$2: unchanged" cmp $LAB/got $LAB/www/file
}
host_up hosta --ports 16 || lab_abort "host A does not lease: $(tail -n 3 $LAB/client-hosta.log)"
talk hosta untagged

# ---- the trunk ---------------------------------------------------------------------------------------------------------

check "VLAN 10 is the machine's" on hosta ping -n -q -c 2 -i 0.3 -W 3 $OWN.1
sent=$(counter hosta out_packets)
cat >$LAB/tagged.py <<-'EOT'
	import socket, sys
	import packets
	me, gateway, local, port, peer = sys.argv[1:]
	data = packets.ip(me, gateway, 4, packets.udp(local, port, peer, "9", b"tagged"))
	s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
	s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0.10")
	for _ in range(10):
	    s.sendto(data, (gateway, 0))
EOT
on hosta ip neigh replace $GW_PRIV lladdr "$(mac_of gw priv0.10)" dev eth0.10
in_vlan() { on gw ip -j -s link show priv0.10 | js 'd[0]["stats64"]["rx"]["packets"]'; }
before=$(in_vlan)
check "host A's tunnel packets in VLAN 10" on hosta "$PY" $LAB/tagged.py $HOSTA $GW_PRIV $POOL "$(lease hosta port)" $PEER
arrived() { [ "$(in_vlan)" -ge $((before + 10)) ]; }
check "go to the VLAN's device" wait_for 5 arrived
check_eq "and are not taken for those of the untagged network" "$(($(counter hosta out_packets) - sent))" 0
check_eq "nothing was dropped" "$(drops)" 0
client hosta down >/dev/null 2>&1
kill $RSIPD && wait $RSIPD
check "detach" loader detach --pin-path "$PIN"

# ---- the gateway on VLAN devices -------------------------------------------------------------------------------------------

move() { # NODE ADDRESS/LEN FROM TO
	on "$1" ip addr del "$2" dev "$3" && on "$1" ip addr add "$2" dev "$4"
}
on gw ip addr flush dev priv0.10 && on hosta ip addr flush dev eth0.10
move hosta $HOSTA/24 eth0 eth0.10 && on hosta ip neigh flush dev eth0.10 && move gw $GW_PRIV/24 priv0 priv0.10 || lab_abort "VLAN 10"
on hostb ip addr flush dev eth0 && on hostb ip addr add $HOSTB2/24 dev eth0.20 && on gw ip addr add $GW_PRIV2/24 dev priv0.20 || lab_abort "VLAN 20"
move peer $PEER/24 eth0 eth0.100.5 && move gw $GW_PUB/24 pub0 pub0.100.5 || lab_abort "VLAN 100.5"
on hosta ip route replace default via $GW_PRIV && on hostb ip route replace default via $GW_PRIV2
on peer ip route replace 203.0.113.0/24 dev eth0.100.5 src $PEER
on gw ethtool -K pub0 gro on >/dev/null 2>&1
LAB_PUBLIC='"pub0.100.5"' LAB_PRIVATE='"priv0.10", "priv0.20"' LAB_CLIENTS='"10.99.0.0/24", "10.96.0.0/24"'

# on_vlans MODE: attaches in that mode, and all that must work
on_vlans() {
	LAB_MODE=$1
	lab_conf
	check "$1: attach" loader attach --config $LAB/rsipd.json || lab_abort "cannot go on"
	rsipd_start
	[ -d $LAB/client-hostb ] || { host_up hosta --ports 16 && HOST_GW=$GW_PRIV2 host_up hostb --ports 16; } ||
		lab_abort "hosts do not lease: $(tail -n 3 $LAB/client-host?.log)"
	check_eq "$1: hosts in two VLANs have the same address" "$(lease hosta addr) $(lease hostb addr)" "$POOL $POOL"
	talk hosta "$1"
	talk hostb "$1"
	check "$1: the gateway answers pings to the shared address" on peer ping -n -q -c 2 -i 0.3 -W 3 $POOL
	on peer ip route flush cache
	on peer tracepath -n -p "$(lease hosta port)" $POOL >$LAB/path.log 2>&1
	check_eq "$1: tracepath finds the tunnel's MTU" "$(grep -o 'pmtu [0-9]*' $LAB/path.log | tail -1)" "pmtu 1480"
	check_eq "$1: nothing else was dropped" "$(drops)" "$(($(stat_of ttl-exceeded) + $(stat_of too-big)))"
}
off() {
	kill $RSIPD && wait $RSIPD
	check "$1: detach" loader detach --pin-path "$PIN"
}
on_vlans generic
check_eq "generic: the device below puts no packets together" "$(on gw ethtool -k pub0 | sed -n 's/^generic-receive-offload: //p')" off
off generic
check_eq "it does again" "$(on gw ethtool -k pub0 | sed -n 's/^generic-receive-offload: //p')" on
on_vlans tc
off tc
lab_end
