#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A gateway that refuses leaves the host with a message that says what to do, and with nothing else: for each error of
# RFC 3103 Appendix A and RFC 3104 Appendix B from a gateway that is made to send it, and for those that rsipd sends
# by itself.  And QUERY: what the gateway calls local where its configuration does not say.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LIMITS='"messages_per_second": 100000, "ports_per_client": 128, "spis_per_client": 16'
lab_up

untouched() { # NODE: nothing of the client is left there
	! on "$1" ip link show rsip0 2>/dev/null && [ ! -e "$LAB/client-$1/netns" ] &&
		[ ! -e "$LAB/client-$1/client-state.json" ] && ! on "$1" tc qdisc show dev eth0 | grep -q clsact &&
		! pgrep -f "rsip-client up .*client-$1" >/dev/null
}
told() { # NAME PATTERN COMMAND...: fails, and says what to do
	local name=$1 pattern=$2 out rc=0
	shift 2
	out=$("$@" 2>&1) || rc=$?
	if [ $rc = 1 ] && grep -q -e "$pattern" <<<"$out"; then ok "$name"; else not_ok "$name: exit $rc: $out"; fi
}

host_up hosta --ports 64 --spis 4 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
told "more ports than the limit: 309 and its advice" "LOCAL_ADDRPORT_UNAVAILABLE.*fewer" client hosta lease --ports 128
told "more SPIs than the limit: 402 and its advice" "IPSEC_SPI_UNAVAILABLE.*fewer" client hosta lease --spis 100
told "an address of nobody: 312 and its advice" "LOCAL_ADDR_UNALLOWED.*leave --address" \
	client hosta lease --ports 1 --address 198.51.100.7
check_eq "a refused lease changes nothing" "$(bindings | wc -l)" "$(client hosta status --json | js 'len(d["bindings"])')"

check_eq "QUERY of an address on the host's own network" "$(client hosta query --json $HOSTB |
	js '[x["is"] for x in d["destinations"]][0]')" local
check "QUERY of everything names the private network" eval \
	'client hosta query | grep -q "^10.99.0.0/24: local"'
check_eq "QUERY of a public address: not local" "$(client hosta query --json 198.51.100.9 |
	js '[x for x in d["destinations"] if x["is"] == "local" and x["destination"] == "198.51.100.9"]')" "[]"
check "rsipd --check says that nobody has chosen it" eval \
	'on gw "$BIN/rsipd" --check --config $LAB/rsipd.json | grep -q "local_networks: not given.*private_networks"'
# what programs read is documented, key by key
client hosta status --json >$LAB/status.json
names() { "$PY" -c '
import json, sys
def names(x):
    for v in x if isinstance(x, list) else x.values() if isinstance(x, dict) else ():
        yield from names(v)
    yield from x if isinstance(x, dict) else ()
print("\n".join(sorted(set(names(json.load(open(sys.argv[1])))))))' "$1"; }
man=$LAB_SRC/../../docs/man/rsip-client.8
undocumented() { names $LAB/status.json | while read -r name; do sed -n '/^.SH STATUS IN JSON/,/^.SH FILES/p' "$man" | grep -qw -e "$name" || echo "$name"; done; }
check "status --json has its parts" [ "$(names $LAB/status.json | wc -l)" -gt 30 ]
check_eq "each is in the man page" "$(undocumented)" ""
client hosta query 300.1.1.1 >$LAB/bad 2>&1
check_eq "QUERY of what is no address" "$?" 1
client hosta down || not_ok "hosta down: exit $?"
check "down leaves nothing" untouched hosta
told "a control socket that cannot be made" "cannot open the control socket.*No such file" \
	client hosta up --gateway $GW_PRIV --ports 4 --socket $LAB/nowhere/client.sock
check "leaves nothing, either" untouched hosta
host_up hosta --ports 16 || not_ok "hosta: $(cat $LAB/client-hosta.log)"
check_eq "nor are its wishes those of the next" "$(lease hosta port_cnt)" 16
client hosta down || not_ok "hosta down: exit $?"

# check: what up would do, without doing it
echo '{ "gateway": [ "'$GW_PRIV'", "10.77.0.1" ], "listen": "80" }' >$LAB/good.json
on hosta ip route add unreachable 10.77.0.0/24
check "check: nothing is wrong" client hosta check --config $LAB/good.json
check "it says which way, and which there is not" eval 'client hosta check --config $LAB/good.json |
	grep -q "^gateway: $GW_PRIV (udp), from $HOSTA on eth0" && client hosta check --config $LAB/good.json | grep -q "^gateway: 10.77.0.1: cannot reach"'
check_eq "in JSON, too" "$(client hosta check --config $LAB/good.json --json | js '[g.get("private-address") for g in d["gateways"]], d["lease"]["listen"], d["problems"]')" \
	"(['$HOSTA', None], '80', [])"
told "no way to any" "no way to a gateway" client hosta check --gateway 10.77.0.1
on hosta ip link add rsip0 type bridge
told "a device of that name" "rsip0 exists" client hosta check --config $LAB/good.json
on hosta ip link del rsip0
printf '{\n"prots": 8 }' >$LAB/bad.json
told "a mistake comes with its line" "bad.json:2: prots: no such setting" client hosta check --config $LAB/bad.json
told "a key that is not there" "key 3: $LAB/none" client hosta check --gateway $GW_PRIV --key-id 3 --key-file $LAB/none
on hosta ip route del unreachable 10.77.0.0/24
check "check changes nothing" untouched hosta

stop $RSIPD
LAB_CLIENTS='"10.99.0.12/32"'
lab_conf
rsipd_start
told "a host that the gateway does not serve: 304 and its advice" "REGISTRATION_DENIED.*clients.networks" \
	client hosta up --gateway $GW_PRIV
check "and nothing is left of it" untouched hosta
stop $RSIPD
told "no gateway at all" "does not answer" client hosta up --gateway $GW_PRIV --wait 2
check "and nothing is left of it, too" untouched hosta

# who waits at the terminal gives up: SIGTERM as Ctrl-C, which a shell's jobs ignore
start hosta up.log "$BIN/rsip-client" up --gateway $GW_PRIV --state-dir $LAB/client-hosta --wait 600
up=$STARTED
begun() { [ -S $LAB/client-hosta/client.sock ]; }
check "up waits for an answer" wait_for 10 begun
kill -TERM $up
wait $up
check_eq "interrupted, it says so, with the signal's status" "$? $(grep -c "interrupted: what was begun is undone" $LAB/up.log)" "143 1"
check "and nothing goes on behind it" untouched hosta

# every other error (301, 303, 305 and 306 the client settles by itself)
errors="101 102 103 104 105 106 201 202 203 204 205 206 207 208 302 304 307 308 309 310 311 312 313 314 315 401 402 403"
# shellcheck disable=SC2086
started gw refuser.log "$PY" "$LAB_SRC/refuser.py" 309 $errors
refuser=$STARTED
start hosta up.log "$BIN/rsip-client" up --foreground --gateway $GW_PRIV --state-dir $LAB/client-hosta --ports 1
up=$STARTED
wait_for 10 grep -q "(309)" $LAB/up.log || lab_abort "the client was not refused: $(cat $LAB/up.log)"
missing=
for e in $errors; do
	client hosta lease --ports 1 >$LAB/told 2>&1
	[ $? = 1 ] && grep -q -E "\($e\): .{15}" $LAB/told || missing="$missing $e"
done
check_eq "errors without a message that says what to do" "$missing" ""
stop $up $refuser
check "a service that was refused for ever leaves nothing, too" untouched hosta
lab_end
