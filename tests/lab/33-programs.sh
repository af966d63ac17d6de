#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Programs as people use them, on a leased address: curl, ssh both ways, iperf3, dig with a resolv.conf of its own, a web
# server that the peer calls on a port leased with LISTEN; and WireGuard between two hosts behind two gateways, each with
# one leased UDP port, which reach each other directly, without a relay or STUN.  One host leases from both gateways, and
# the first gateway from the second.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/gw2.sh"
lab_enter "$@"
LAB_POOL='{ "name": "lab", "addresses": [ "203.0.113.1" ], "methods": [ "RSAP-IP", "RSIPSEC" ], "ports": "80-65535" }'
lab_up
gw2_up || lab_abort "the second gateway: $(tail -n 2 $LAB/attach2.log $LAB/rsipd2.log)"

host_up hosta --ports 32 --listen 80,2222 --spis 0 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
check_eq "host A leases ports 80 and 2222 for services" \
	"$(client hosta status --json | js 'sorted(p for b in d["bindings"] for p in b["ports"] if "-" not in p)')" "['2222', '80']"

mkdir -p $LAB/www && seq 20000 >$LAB/www/numbers
start peer iperf.log iperf3 -s -p 5201
wait_for 10 listens peer 5201
serve peer
fetch() { inside hosta curl -sS --max-time 10 "http://$PEER/numbers" | cmp - $LAB/www/numbers; }
check "curl" fetch
check "iperf3, TCP" inside hosta iperf3 -c $PEER -p 5201 -t 1
check "iperf3, TCP to the host" inside hosta iperf3 -c $PEER -p 5201 -t 1 -R
check "iperf3, UDP" inside hosta iperf3 -c $PEER -p 5201 -t 1 -u -b 5M
check_eq "what came was from the leased address only" \
	"$(sed -n 's/.*Accepted connection from \([0-9.]*\),.*/\1/p' $LAB/iperf.log | sort -u)" $POOL

# services on host A
start hosta web-a.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- \
	"$PY" -m http.server 80 --directory $LAB/www
call() { on peer curl -sS --max-time 2 "http://$POOL/numbers" | cmp - $LAB/www/numbers; }
check "the peer calls a web server on host A at port 80" wait_for 5 call
check_eq "a port that was not leased cannot be bound" \
	"$(inside hosta "$PY" -c 'import socket
try: socket.socket().bind(("", 8080)); print("bound")
except OSError as e: print(e.strerror)')" "Operation not permitted"

if command -v dnsmasq >/dev/null && command -v dig >/dev/null; then
	start peer dns.log dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= \
		--listen-address=$PEER --bind-interfaces --address=/peer.example/$PEER --user=root
	echo "nameserver $PEER" >$LAB/resolv.conf
	look_up() { client hosta exec --resolv $LAB/resolv.conf -- "$@"; }
	resolved() { [ "$(look_up dig +short +time=1 peer.example)" = $PEER ]; }
	check "dig, with a resolv.conf of its own" wait_for 5 resolved
	check "curl by name" look_up curl -sS --max-time 5 -o /dev/null http://peer.example/numbers
	check_eq "the machine's own resolv.conf is what it was" "$(grep -c $PEER /etc/resolv.conf)" 0
else
	skip "dns: dnsmasq-base or bind9-dnsutils is missing"
fi

if command -v dropbear >/dev/null && command -v dropbearkey >/dev/null; then
	# the lab's own root and its keys, so that no account of the machine is touched
	mkdir -p $LAB/root/.ssh && chmod 700 $LAB/root/.ssh
	case $TREE in /root/*) mkdir -p "$LAB$TREE" && mount --bind "$TREE" "$LAB$TREE" ;; esac # it must not vanish behind that
	mount --rbind $LAB/root /root
	dropbearkey -t ed25519 -f $LAB/host.key >/dev/null 2>&1
	ssh-keygen -q -t ed25519 -N '' -f $LAB/id
	cp $LAB/id.pub /root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys
	start peer sshd.log dropbear -F -E -r $LAB/host.key -p $PEER:22 -s
	start hosta sshd-a.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- dropbear -F -E -r $LAB/host.key -p 2222 -s
	secure() { # PORT HOST COMMAND
		ssh -q -i $LAB/id -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
			-o ConnectTimeout=15 -p "$1" root@"$2" "$3"
	}
	export -f secure
	export LAB
	wait_for 5 listens peer 22
	wait_for 10 inside hosta sh -c 'ss -Hltn sport = 2222 | grep -q .' || lab_abort "no sshd on host A: $(tail -n 2 $LAB/sshd-a.log)"
	check_eq "ssh to the peer" "$(inside hosta bash -c "secure 22 $PEER 'echo \$SSH_CONNECTION'" | cut -d ' ' -f 1)" $POOL
	check_eq "ssh from the peer to host A's port 2222" "$(on peer bash -c "secure 2222 $POOL 'echo here'")" here
else
	skip "ssh: dropbear-bin is missing"
fi

# ---- WireGuard between host B (first gateway) and host C (second gateway) ----
wg_have() { command -v wg >/dev/null && { command -v wireguard-go >/dev/null || unshare -n ip link add wg0 type wireguard 2>/dev/null; }; }
up() { # NODE GATEWAY OPTION...
	client "$1" up --gateway "$2" "${@:3}" >"$LAB/client-$1.log" 2>&1 || lab_abort "$1: $(cat $LAB/client-$1.log)"
}
wg_start() { # NODE: the device wg-NODE, the kernel's or wireguard-go's
	WG="the kernel's WireGuard"
	inside "$1" ip link add wg-"$1" type wireguard 2>/dev/null && return
	WG=wireguard-go
	start "$1" wg-"$1".log "$BIN/rsip-client" exec --state-dir "$LAB/client-$1" -- \
		env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go --foreground wg-"$1"
	WG_GO="${WG_GO:-} $STARTED"
	wait_for 5 test -S /run/wireguard/wg-"$1".sock
}
# Its socket stays where it was made, on the leased address; the device goes to where the host's programs are.
wg_up() { # NODE ADDRESS
	inside "$1" wg set wg-"$1" listen-port "$(lease "$1" port)" private-key $LAB/wg-"$1".key &&
		inside "$1" ip link set wg-"$1" netns "$(ns "$1")" &&
		on "$1" ip addr add "$2/24" dev wg-"$1" && on "$1" ip link set wg-"$1" up
}
wg_peer() { # NODE OTHER ADDRESS ENDPOINT
	on "$1" wg set wg-"$1" peer "$(wg pubkey <$LAB/wg-"$2".key)" allowed-ips "$3/32" endpoint "$4"
}
if wg_have; then
	up hostb $GW_PRIV --ports 1 --ports-max 0
	up hostc $GW2_PRIV --ports 1 --ports-max 0
	capture peer
	for h in hostb hostc; do
		(umask 077; wg genkey >$LAB/wg-$h.key)
		wg_start $h || not_ok "WireGuard on $h: $(tail -n 2 $LAB/wg-$h.log)"
	done
	check "host B: $WG on its one leased port" wg_up hostb 10.77.0.1
	check "host C: $WG on its one leased port" wg_up hostc 10.77.0.2
	wg_peer hostb hostc 10.77.0.2 "$(lease hostc addr):$(lease hostc port)"
	wg_peer hostc hostb 10.77.0.1 "$(lease hostb addr):$(lease hostb port)"
	check "host B reaches host C, behind another gateway, directly" on hostb ping -c 3 -i 0.3 -W 3 10.77.0.2
	check "and host C host B" on hostc ping -c 3 -i 0.3 -W 3 10.77.0.1
	captured
	direct=$(seen peer proto=17 src="$(lease hostb addr)" sport="$(lease hostb port)" dst="$(lease hostc addr)" \
		dport="$(lease hostc port)")
	check_ge "packets from one leased port to the other" "$direct" 4
	check_eq "all that went there did" "$(seen peer dst="$(lease hostc addr)")" "$direct"
	# shellcheck disable=SC2086
	if [ -n "${WG_GO:-}" ]; then stop $WG_GO; else for h in hostb hostc; do on $h ip link del wg-$h; done; fi
else
	skip "wireguard: wireguard-go and wireguard-tools are missing"
fi

# ---- a host that leases from two gateways at once ----
second() { on hosta "$BIN/rsip-client" "$1" --state-dir $LAB/client-hosta-2 "${@:2}"; }
second up --gateway $GW2_PRIV --device rsip1 --ports 8 >$LAB/client-hosta-2.log 2>&1 ||
	not_ok "hosta at the second gateway: $(cat $LAB/client-hosta-2.log)"
check_eq "host A leases at the second gateway, too" "$(second status --json | js 'd["bindings"][0]["address"]')" $POOL2
check "the first address still works" fetch
check "and so does the second" second exec -- curl -sS --max-time 5 -o /dev/null http://198.51.100.2/numbers
second down
check "the first still works when the second is gone" fetch
# ---- a client on a gateway: the first is a host of the second (RFC 3102 1.2) ----
wire gw eth2 lan2 portd && on lan2 ip link set portd master br0 && plain lan2 portd && plain gw eth2 &&
	on gw ip addr add 10.98.0.13/24 dev eth2 || lab_abort "the wire between the gateways"
HOST_GW=$GW2_PRIV host_up gw --ports 8 || not_ok "a client on the first gateway: $(cat $LAB/client-gw.log)"
check_eq "a client on the first gateway leases from the second" "$(lease gw addr)" $POOL2
check "and a program there uses it" inside gw curl -sS --max-time 5 -o /dev/null http://198.51.100.2/numbers
check "the gateway's own hosts go on" fetch
check "it goes" client gw down
for h in hosta hostb hostc; do client $h down; done
check_eq "no binding is left at either gateway" "$(bindings; ctl2 --json bindings | fact bindings)" ""
left() { on hosta ip -br link | grep -v -E '^(lo|eth0|eth1)'; on hosta tc qdisc | grep clsact; ls $LAB/client-host*/netns 2>/dev/null; }
check_eq "nothing is left on host A" "$(left)" ""
lab_end
