#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Programs as people use them, on a leased address: curl, ssh both ways, iperf3, dig with a resolv.conf of its own, a web
# server that the peer calls on a port leased with LISTEN.  One host leases from two gateways, and the first gateway from
# the second.
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
client hosta down
check_eq "no binding is left at either gateway" "$(bindings; bindings2)" ""
left() { on hosta ip -br link | grep -v -E '^(lo|eth0|eth1)'; on hosta tc qdisc | grep clsact; ls $LAB/client-host*/netns 2>/dev/null; }
check_eq "nothing is left on host A" "$(left)" ""
lab_end
