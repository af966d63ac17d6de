#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Back to the preferred gateway: when it has answered for long enough, not while a program holds a connection, and with
# all given back at the other; and whenever the operator says so (rsip-client move).  With a key whose numbers at both
# gateways are from the next century: the host's clock is behind, and what it gives back must count, too.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/gw2.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
SECRET=000102030405060708090a0b0c0d0e0f
LAB_TOP='"auth": { "mode": "required", "keys": [ { "id": 1, "secret": "'$SECRET'", "hosts": [ "'$HOSTA'", "10.98.0.12" ] } ] },'
lab_up
gw2_up || lab_abort "the second gateway: $(tail -n 3 $LAB/attach2.log $LAB/rsipd2.log 2>/dev/null)"
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7

cat >$LAB/future.py <<-'EOF'
	import hashlib, hmac, socket, struct, sys
	import rsip
	source, gateway, secret = sys.argv[1:]
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	s.bind((source, 0))
	s.settimeout(5)
	def say(kind, params, seq):
	    m = rsip.message(kind, params + [(241, rsip.u32(1) + struct.pack("!Q", seq) + bytes(16))])
	    mac = hmac.new(bytes.fromhex(secret), b"\1" + m, hashlib.sha256).digest()[:16]
	    s.sendto(m[:-16] + mac, (gateway, rsip.PORT))
	    return rsip.parse(s.recv(2000))
	seq = 4102444800 * 1000000 # 2100
	kind, params = say(rsip.REGISTER, [(rsip.COUNTER, rsip.u32(1))], seq)
	assert kind == rsip.REGISTER + 1, (kind, params)
	kind, params = say(rsip.DEREGISTER, [(rsip.CLIENT, rsip.first(params, rsip.CLIENT)), (rsip.COUNTER, rsip.u32(2))], seq + 1)
	assert kind == rsip.DEREGISTER + 1, (kind, params)
EOF
check "at the first gateway the key was used in the year 2100" on hosta "$PY" $LAB/future.py $HOSTA $GW_PRIV $SECRET
check "at the second, too" on hosta "$PY" $LAB/future.py 10.98.0.12 $GW2_PRIV $SECRET
printf '{ "key": { "id": 1, "secret": "%s" } }\n' $SECRET >$LAB/key.json
chmod 600 $LAB/key.json

serve peer $LAB
host_up hosta --config $LAB/key.json --gateway $GW_PRIV,$GW2_PRIV --ports 8 --query-every 1 --return-after 2 || not_ok "hosta: $(cat $LAB/client-hosta.log)"
away down
check "the first gateway is gone: at the second" wait_for 60 serves $GW2_PRIV $POOL2
started_inside hosta held.log "$PY" -c "
import socket, time
s = socket.create_connection(('$PEER', 80))
print('ready', flush=True)
time.sleep(600)"
held=$STARTED
away up
answers_for() { [ "$(client hosta status --json | js "max(g.get('answers-for', 0) for g in d['gateways'])")" -ge "$1" ]; }
check "it answers again for longer than it must, and nothing was sent for 10 s" wait_for 60 answers_for 12
check_eq "but a connection is open: it stays" "$(used)" $GW2_PRIV
check "status says so" eval 'client hosta status | grep -q "^  $GW_PRIV: left .*; answers again for .* s: back there after 2 s"'
check "asking leaves nothing there" wait_for 20 eval '[ "$(ctl --json clients | js "len(d[\"clients\"])")" = 0 ]' # it may be at it
kill "$held"
check "the connection ends: back to the first" wait_for 60 serves $GW_PRIV $POOL
given_back() { [ -z "$(bindings2)" ] && [ "$(ctl2 --json clients | js 'len(d["clients"])')" = 0 ]; }
check "and the second has everything back" wait_for 20 given_back
fds() { ls "/proc/$(client_pid hosta)/fd" | wc -l; }
before=$(fds)
client hosta move $GW2_PRIV
check "the operator moves it" wait_for 60 serves $GW2_PRIV $POOL2
client hosta move
check "and back" wait_for 60 serves $GW_PRIV $POOL
check "to what is no gateway of its: not" eval '! client hosta move 10.1.2.3 2>$LAB/move.log && grep -q "not one of" $LAB/move.log'
check "each time all is given back" wait_for 20 given_back
check "and the client has no more descriptors than before" wait_for 20 eval '[ "$(fds)" -le "$before" ]'
client hosta down
check_eq "no binding is left at either" "$(bindings; bindings2)" ""
lab_end

