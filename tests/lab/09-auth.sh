#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Hosts with keys, real programs: hosta has one (in a file), hostb comes with the wrong one, and with none.  What was
# on the wire is sent again, with its MAC stripped and with a bit changed.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
SECRET_A=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
SECRET_B=a0a1a2a3a4a5a6a7a8a9aaabacadaeaf
key_file() {
	echo $SECRET_A >$LAB/key-a
	chmod 600 $LAB/key-a
}
auth() { # MODE
	LAB_TOP='"auth": { "mode": "'$1'", "keys": [
		{ "id": 1, "file": "'$LAB/key-a'", "hosts": [ "'$HOSTA'" ] },
		{ "id": 2, "secret": "'$SECRET_B'", "hosts": [ "'$HOSTB'" ] } ] },'
}
auth required
lab_up key_file

unanswered() { ctl --json stats | js "d['unanswered']['$1']"; }
capture hosta
check "a host with the right key leases" host_up hosta --key-id 1 --key-file $LAB/key-a --lease 60
check_eq "rsipd has seen its MACs" "$(ctl --json stats | js "d['protocol']['authenticated'] >= 2")" True
check_eq "the client names its key" "$(client hosta status --json | js 'd["key-id"]')" 1
check_eq "no answer came without proof" "$(client hosta status --json | js 'd["messages"]["unproven"]')" 0
check_eq "config-get shows no secret" "$(ctl config | grep -c "$SECRET_B")" 0

if host_up hostb --wait 2; then not_ok "a host without its key is served"; else
	check "a host without its key is refused, and told what it can do" grep -q "REGISTRATION_DENIED" $LAB/client-hostb.log
fi
printf '{ "key": { "id": 2, "secret": "%s" } }\n' ${SECRET_B%f}0 >$LAB/wrong.json
chmod 600 $LAB/wrong.json
if host_up hostb --config $LAB/wrong.json --wait 2; then not_ok "a host with a wrong key is served"; else
	check "a host with a wrong key believes no refusal that proves nothing, and says so" \
		grep -q "is key 2 the gateway's" $LAB/client-hostb.log
fi
printf '{ "key": { "id": 2, "secret": "%s" } }\n' $SECRET_B >$LAB/right.json
chmod 600 $LAB/right.json
check "a host with its key in its configuration leases" host_up hostb --config $LAB/right.json
check_eq "two hosts, two bindings" "$(bindings | wc -l)" 2

captured
before=$(bindings)
judged on hosta "$PY" "$LAB_SRC/authreplay.py" $LAB/hosta.pcap $HOSTA $GW_PRIV "$BIN/rsipctl" $LAB/rsipd.sock
check_eq "the bindings are as they were" "$(bindings)" "$before"

check_eq "hosta ends its lease" "$(client hosta down && echo yes)" yes
stop $RSIPD
rsipd_start
echo "what was said before the restart, once more:"
judged on hosta "$PY" "$LAB_SRC/authreplay.py" $LAB/hosta.pcap $HOSTA $GW_PRIV "$BIN/rsipctl" $LAB/rsipd.sock
check "hosta leases again after a restart of rsipd" host_up hosta --key-id 1 --key-file $LAB/key-a
client_killed hosta
check "killed: down in its name has its key" client hosta down
check_eq "and is believed" "$(bindings | grep -c "$HOSTA ")" 0
client hostb down

stop $RSIPD
auth optional
lab_conf
chmod 644 $LAB/key-a
if on gw "$BIN/rsipd" --check --config $LAB/rsipd.json >$LAB/check.log 2>&1; then not_ok "a key file that others may read is taken"; else
	check "a key file that others may read is refused" grep -q "auth.keys\[0\].file.*0640" $LAB/check.log
fi
chmod 600 $LAB/key-a
rsipd_start
on hosta ip address add 10.99.0.13/24 dev eth0
judged on hosta "$PY" "$LAB_SRC/authreplay.py" plain 10.99.0.13 $GW_PRIV
lab_end
