#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Several gateways in one client: host A knows two.  While only rsipd of the first is away, its data plane forwards and
# the leases stay; when the machine is gone, the client goes to the second, with the same namespace; over UDP and TCP.
# And what is local: QUERY's answers become routes, and follow the gateway's configuration.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/machine.sh"
. "$LAB_SRC/gw2.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
LAB_TOP='"local_networks": [ "10.99.0.0/24", "172.16.5.0/24" ],'
lab_up
gw2_up || lab_abort "the second gateway: $(tail -n 3 $LAB/attach2.log $LAB/rsipd2.log 2>/dev/null)"
on peer sysctl -qw net.ipv4.conf.all.arp_ignore=1
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7

first_up() { # TRANSPORT
	host_up hosta --gateway $GW_PRIV,$GW2_PRIV --ports 8 --query-every 1 --transport "$1" ||
		lab_abort "hosta, $1: $(cat $LAB/client-hosta.log)"
	check "$1: the first gateway is used" serves $GW_PRIV $POOL
	check "the other is a spare" eval 'client hosta status | grep -q "^  $GW2_PRIV: spare"'
	inode=$(holder)
}
machine_gone() { # TRANSPORT
	away down
	check "$1: the machine is gone: the second gateway takes over" wait_for 60 serves $GW2_PRIV $POOL2
	check_eq "programs keep their namespace" "$(holder)" "$inode"
	check "status says why the first was left" eval 'client hosta status | grep -q "^  $GW_PRIV: left .* does not answer"'
	check_eq "the second gateway has the one binding" "$(bindings2 | wc -l)" 1
	away up
}
rest() { # nothing is left, but for what the gateway that died without a word would let run out
	check "down" client hosta down
	check_eq "nothing of the tunnel is left" "$(on hosta ip -br link | grep -c rsip; on hosta tc qdisc show | grep -c clsact)" "0
0"
	clean
	check_eq "no binding is left at either" "$(bindings; bindings2)" ""
}

first_up udp
kill -KILL $RSIPD; wait $RSIPD 2>/dev/null
sleep 5 # several questions without an answer
check_eq "rsipd is away, its machine is there: the leases stay" "$(used) $(address)" "$GW_PRIV $POOL"
check "and packets go on" works
rsipd_start
machine_gone udp
away2 down
check "the second is gone, too: back to the first" wait_for 60 serves $GW_PRIV $POOL
away2 up
rest
first_up tcp
machine_gone tcp
rest

# killed while at the second gateway: goes on there
away down
host_up hosta --gateway $GW_PRIV,$GW2_PRIV --ports 8 || not_ok "hosta with the first away: $(cat $LAB/client-hosta.log)"
check "up finds the one that answers" serves $GW2_PRIV $POOL2
had=$(bindings2)
client_killed hosta
away up
host_up hosta --gateway $GW_PRIV,$GW2_PRIV --ports 8 || not_ok "hosta again: $(cat $LAB/client-hosta.log)"
check "killed and started: it goes on where it was" serves $GW2_PRIV $POOL2
check_eq "with the same binding" "$(bindings2)" "$had"
client hosta down

# ---- what is local ----
host_up hosta --ports 8 --query-every 1 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
local_is() { [ "$(client hosta status --json | js '" ".join(sorted(d["local"]))')" = "$1" ]; }
check "the gateway says what is local" wait_for 5 local_is "10.99.0.0/24 172.16.5.0/24"
check "a program hears at once that it is not behind the tunnel" eval \
	'inside hosta ping -c 1 -W 5 172.16.5.9 2>&1 | grep -q "No route to host"'
check "what is remote is" works
sed -i 's,"172.16.5.0/24","172.16.6.0/24",' $LAB/rsipd.json
ctl reload >/dev/null || not_ok "reload"
check "it follows when that changes" wait_for 5 local_is "10.99.0.0/24 172.16.6.0/24"
routes() { nsenter --net=$LAB/client-hosta/netns ip route show type unreachable | awk '{ print $2 }' | sort | tr '\n' ' '; }
check_eq "the namespace's routes" "$(routes)" "10.99.0.0/24 172.16.6.0/24 "
client_killed hosta
sed -i 's,"172.16.6.0/24","172.16.7.0/24",' $LAB/rsipd.json
ctl reload >/dev/null
host_up hosta --ports 8 --query-every 1
check "after a kill no stale route stays" wait_for 5 eval '[ "$(routes)" = "10.99.0.0/24 172.16.7.0/24 " ]'
client hosta down

# a whole host: all its remote traffic has the leased address and ports, its local traffic goes as before
on hosta sysctl -qw net.ipv4.ip_local_reserved_ports=50000-50010
before=$(machine hosta)
way() { on hosta ip -j route get "$@" | js '"%s %s" % (d[0]["dev"], d[0].get("prefsrc", "-"))'; }
whole_host() {
	check_eq "remote: through the tunnel, from the leased address" "$(way $PEER)" "rsip0 $POOL"
	check_eq "the gateway's other local network: not" "$(way 172.16.7.9)" "eth0 $HOSTA"
	check_eq "its own network: not" "$(way $HOSTB)" "eth0 $HOSTA"
	check_eq "what is bound to the private address: as before" "$(way $PEER from $HOSTA | cut -d ' ' -f 1)" eth0
	check "an ordinary program speaks from a leased port" eval 'on hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 5 5 >$LAB/talk.json &&
		[ "$(js "d[\"lost\"]" <$LAB/talk.json)" = 0 ]'
	check "and reaches its neighbour, too" on hosta ping -c 1 -W 2 $HOSTB
}
host_up hosta --place host --route remote --ports 8 --query-every 1 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
check "what is local is known" wait_for 5 local_is "10.99.0.0/24 172.16.7.0/24"
whole_host
check "down" client hosta down
machine hosta >$LAB/after
check "and the host is what it was" diff - $LAB/after <<<"$before"
host_up hosta --place host --route remote --ports 8 --query-every 1
client_killed hosta
host_up hosta --place host --route remote --ports 8 --query-every 1 || not_ok "after a kill: $(cat $LAB/client-hosta.log)"
wait_for 5 local_is "10.99.0.0/24 172.16.7.0/24"
whole_host
client_killed hosta
check "down, in the name of a client that was killed" client hosta down
machine hosta >$LAB/after
check "and the host is what it was" diff - $LAB/after <<<"$before"
check_eq "no binding is left" "$(bindings)" ""
lab_end
