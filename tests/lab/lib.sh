# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034
#
# The lab: two hosts on one LAN, the gateway, a peer that knows nothing of RSIP.
#
#     hosta  eth0 10.99.0.11/24 --+                 gw                      peer
#                                 +-- lan (bridge) -- priv0 10.99.0.1/24
#     hostb  eth0 10.99.0.12/24 --+                   pub0  192.0.2.1/24 -- eth0 192.0.2.2/24
#
#     pool: 203.0.113.1, shared; 203.0.113.0/24 is on-link for the peer, so the data plane must answer its ARP
#
# A scenario begins with
#     . "$(dirname "$0")/lib.sh"; lab_enter "$@"; lab_up
# and ends with `lab_end`.  lab_enter runs the script again in a mount namespace (with a /run and a /sys/fs/bpf of its
# own) and a PID namespace of its own: whatever happens to the script, SIGKILL included, the kernel removes every
# process, network namespace, pin and file of the lab with it, and two labs cannot see each other.
# V=1 shows each command with its namespace.  LONG=1 runs the long forms.
set -u

LAB_SRC=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TREE=$(cd "$LAB_SRC/../.." && pwd)
O=${O:-build}
case $O in /*) BIN=$O ;; *) BIN=$TREE/$O ;; esac
PY=/usr/bin/python3
export PYTHONDONTWRITEBYTECODE=1 # the tree stays as it is
export PYTHONPATH=$LAB_SRC # what a script writes for itself may use packets.py
LAB=/run/rsip-lab # all files of the lab: configuration, sockets, logs, captures

GW_PRIV=10.99.0.1 HOSTA=10.99.0.11 HOSTB=10.99.0.12 GW_PUB=192.0.2.1 PEER=192.0.2.2 POOL=203.0.113.1

passed=0 failed=0 skipped=0

ok() { passed=$((passed + 1)); echo "ok $*"; }
not_ok() { failed=$((failed + 1)); echo "not ok $*"; }
skip() { skipped=$((skipped + 1)); echo "skip $*"; }

# check NAME COMMAND...: ok if it succeeds; else its last words say why.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then ok "$name${out:+ ($(tail -n 1 <<<"$out"))}"; else
		not_ok "$name: $(tail -n 3 <<<"$out" | tr '\n' ' ')"
		return 1
	fi
}

# finished NAME PID LOG: our background job ends with status 0
finished() { if wait "$2"; then ok "$1"; else not_ok "$1: $(tail -n 2 "$3" | tr '\n' ' ')"; fi; }

# check_eq NAME GOT WANT
check_eq() {
	if [ "$2" = "$3" ]; then ok "$1 (${2//$'\n'/; })"; else not_ok "$1: got '${2//$'\n'/; }', want '${3//$'\n'/; }'"; fi
}
# check_le NAME GOT MOST
check_le() { if [ "$2" -le "$3" ]; then ok "$1 ($2)"; else not_ok "$1: got $2, want at most $3"; fi; }
check_ge() { if [ "$2" -ge "$3" ]; then ok "$1 ($2)"; else not_ok "$1: got $2, want at least $3"; fi; }

# Programs with sanitizers (make SAN=1, O=build/san): each finding is a file in $LAB/san, where rsipd's user may write, too.
san_begin() {
	case $BIN in */san) ;; *) return 0 ;; esac
	mkdir -m 1777 $LAB/san
	export ASAN_OPTIONS=log_path=$LAB/san/found:detect_leaks=1 LSAN_OPTIONS=report_objects=0
	export UBSAN_OPTIONS=log_path=$LAB/san/found:print_stacktrace=1
}

# A finding is a failure, whatever the scenario saw; so is a leak: daemons that still run are asked to end.
sanitized() {
	local f
	[ -n "${RSIP_LAB_ID:-}" ] && [ -d $LAB/san ] || return 0
	pkill -TERM -x 'rsipd|rsip-client' # of this PID namespace
	wait_for 30 eval '! pgrep -x "rsipd|rsip-client"' || not_ok "sanitizer: daemons do not end"
	for f in $LAB/san/found*; do
		[ ! -s "$f" ] || { not_ok "sanitizer: $(grep -m 1 -E 'ERROR:|runtime error' "$f")"; sed 's/^/    /' "$f" | head -n 60; }
	done
}

lab_end() {
	[ "$failed" = 0 ] || [ ! -S $LAB/rsipd.sock ] || { echo "    events and drops:"; ctl stats 2>&1 | sed 's/^/    /'; where_lost; }
	sanitized
	[ "$failed" = 0 ] || [ -z "${LAB_KEEP:-}" ] || { rm -rf "$LAB_KEEP"; cp -r "$LAB" "$LAB_KEEP" 2>/dev/null; }
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
	exit
}

# where_lost: what the devices and sockets of the lab lost, wherever the data plane has no part in it
where_lost() {
	echo "    lost by devices and sockets:"
	"$PY" "$LAB_SRC/losses.py" /run/netns/* $LAB/client-*/netns 2>&1 | sed 's/^/    /'
}

lab_abort() { # why: the lab itself failed, the rest cannot be judged
	not_ok "lab: $*"
	[ ! -s "$LAB/rsipd.log" ] || tail -n 15 "$LAB/rsipd.log" | sed 's/^/    rsipd: /'
	lab_end
}

lab_enter() {
	[ -z "${RSIP_LAB_ID:-}" ] || return 0
	local need p
	if [ "$(id -u)" != 0 ]; then skip "lab: needs root for network namespaces and BPF"; lab_end; fi
	for p in rsip-loader rsipd rsipctl rsip-client; do
		[ -x "$BIN/$p" ] || { not_ok "lab: $BIN/$p is missing: run make first"; lab_end; }
	done
	for need in ip ethtool nsenter unshare setpriv mount; do
		command -v $need >/dev/null || { skip "lab: $need is missing (make deps installs it)"; lab_end; }
	done
	# unshare blocks SIGTERM; its own death takes everything inside with it, and ours takes it
	RSIP_LAB_ID=$$ setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc \
		--propagation private "$0" "$@" </dev/null &
	local child=$!
	trap 'kill -KILL $child; wait $child 2>/dev/null; exit 130' INT TERM HUP
	wait $child
	exit
}

# ---- namespaces ------------------------------------------------------------------------------------------------

say() { [ "${V:-}" != 1 ] || printf '\033[2m[%s] %s\033[0m\n' "$1" "${*:2}" >&2; }
ns() { echo "rsip-$RSIP_LAB_ID-$1"; }

# on NODE COMMAND...: runs it in that namespace.  nsenter, because `ip netns exec` would hide /sys/fs/bpf.
on() {
	local node=$1
	shift
	say "$node" "$@"
	nsenter --net="/run/netns/$(ns "$node")" -- "$@"
}

# start NODE LOG COMMAND...: in the background; STARTED is its process.  LOG's name is relative to $LAB.
start() {
	local node=$1 log=$LAB/$2
	shift 2
	say "$node" "$@" "&"
	: >"$log" # here: the one before may have said "ready", and the new one's shell may come later than whoever looks
	nsenter --net="/run/netns/$(ns "$node")" -- "$@" >"$log" 2>&1 &
	STARTED=$!
}

# started NODE LOG COMMAND...: the same, and waits until it has said "ready"
started() {
	start "$@"
	wait_for 10 grep -q ready "$LAB/$2" || lab_abort "$3 on $1 did not become ready: $(tail -n 2 "$LAB/$2")"
}

# stop PID...: asks each of our own processes to end and waits for it
stop() {
	local p
	for p; do kill -TERM "$p" 2>/dev/null; done
	for p; do wait "$p" || STOP_RC=$?; done
}

# wait_for SECONDS COMMAND...: until it succeeds.  SECONDS is what it may take where nothing else runs: a busy machine gets
# four times as many.  An emulated one, a tenth as fast, gets ten times, and is asked less often, because each look costs it
# what it needs for the work.
wait_for() {
	local end=$((SECONDS + $1 * (${RSIP_VM:-0} ? 10 : 4))) nap=0.02
	[ "${RSIP_VM:-}" != 1 ] || nap=0.6
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep $nap
	done
}

# wire NODE DEV NODE DEV: a veth pair with queues on both sides
wire() {
	say lab "wire $1:$2 <-> $3:$4"
	ip link add "$2" netns "$(ns "$1")" type veth peer name "$4" netns "$(ns "$3")"
}

# plain NODE DEV: the end of a wire that is not the gateway's: finished checksums, no offloads, one packet for one.
# A veth takes redirected frames only while its peer polls, which an XDP_PASS program makes it do; with GRO (the
# other way) a capture would show aggregates instead of packets.
plain() {
	on "$1" ethtool -K "$2" tx off txvlan off gso off tso off >/dev/null 2>&1
	if [ -e /sys/fs/bpf/rsip-lab-pass ]; then # made by the first
		on "$1" ip link set dev "$2" xdpdrv pinned /sys/fs/bpf/rsip-lab-pass || return 1
	else
		on "$1" "$PY" "$LAB_SRC/xdp_pass.py" "$2" || return 1
	fi
	on "$1" ip link set "$2" up
	on "$1" ethtool -K "$2" gro off >/dev/null 2>&1
}

# node NODE...: namespaces with a loopback device and no IPv6
node() {
	local n
	for n; do
		ip netns add "$(ns "$n")" || return 1
		on "$n" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
		on "$n" ip link set lo up
	done
}

# lan NODE DEV...: these ends of wires are ports of its bridge
lan() {
	local n=$1 dev
	shift
	on "$n" ip link add br0 type bridge stp_state 0 && on "$n" ip link set br0 up || return 1
	for dev; do
		on "$n" ip link set "$dev" master br0
		plain "$n" "$dev" || return 1
	done
}

# gateways_ends NODE: the two ends of wires that are a gateway's
gateways_ends() {
	local dev
	for dev in priv0 pub0; do
		on "$1" ethtool -K $dev tx off txvlan off >/dev/null 2>&1
		on "$1" ip link set $dev up
	done
}

lab_net() {
	mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p $LAB /run/netns && chmod 755 $LAB || return 1
	mount -t bpf bpf /sys/fs/bpf || return 1
	san_begin
	# copies: a build meanwhile must not change what runs here
	mkdir $LAB/bin && cp "$BIN"/rsip-loader "$BIN"/rsipd "$BIN"/rsipctl "$BIN"/rsip-client $LAB/bin || return 1
	BIN=$LAB/bin
	PIN=/sys/fs/bpf/rsip-$RSIP_LAB_ID
	local n
	node hosta hostb lan gw peer || return 1
	wire hosta eth0 lan porta && wire hostb eth0 lan portb && wire gw priv0 lan portg && wire gw pub0 peer eth0 || return 1
	lan lan porta portb portg || return 1
	for n in hosta hostb peer; do plain $n eth0 || return 1; done
	on hosta ip addr add $HOSTA/24 dev eth0
	on hostb ip addr add $HOSTB/24 dev eth0
	on peer ip addr add $PEER/24 dev eth0 && on peer ip route add 203.0.113.0/24 dev eth0 src $PEER
	on gw ip addr add $GW_PRIV/24 dev priv0 && on gw ip addr add $GW_PUB/24 dev pub0
	# A veth holds 256 frames; what is redirected into a full one is gone.  The peer's windows keep all TCP in flight below it.
	on peer sysctl -qw net.ipv4.tcp_rmem="4096 65536 131072" net.ipv4.tcp_wmem="4096 65536 131072"
	gateways_ends gw
	on hosta ip route add default via $GW_PRIV && on hostb ip route add default via $GW_PRIV
}

# ---- the programs ----------------------------------------------------------------------------------------------

# lab_conf: the gateway's configuration; LAB_POOL, LAB_LEASES, LAB_STORE, LAB_CLIENTS, LAB_LIMITS, LAB_TOP, LAB_CONTROL, LAB_PUBLIC, LAB_PRIVATE change a part (JSON)
lab_conf() {
	local pool='{ "name": "lab", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ] }'
	local clients='"10.99.0.0/24"' leases='"default": 1800' limits='"messages_per_second": 100000'
	local public='"pub0"' private='"priv0"'
	cat >$LAB/rsipd.json <<-EOF
		{
			"interfaces": { "public": [ ${LAB_PUBLIC:-$public} ], "private": [ ${LAB_PRIVATE:-$private} ] },
			${LAB_TOP:-}
			"dataplane": { "pin_path": "$PIN", "mode": "${LAB_MODE:-native}" },
			"pools": [ ${LAB_POOL:-$pool} ],
			"clients": { "networks": [ ${LAB_CLIENTS:-$clients} ] },
			"leases": { ${LAB_LEASES:-$leases} },
			"store": { "path": "${LAB_STORE-$LAB/store/leases.sqlite}" },
			"limits": { ${LAB_LIMITS:-$limits} },
			"control": { ${LAB_CONTROL:-}"socket": "$LAB/rsipd.sock", "group": "nogroup" },
			"user": "nobody"
		}
	EOF
}

loader() { on gw "$BIN/rsip-loader" "$@"; }
ctl() { "$BIN/rsipctl" --socket $LAB/rsipd.sock "$@"; } # a socket in the file system: no namespace needed
client() { # NODE COMMAND...
	local node=$1 command=$2
	shift 2
	on "$node" "$BIN/rsip-client" "$command" --state-dir "$LAB/client-$node" "$@"
}

rsipd_start() {
	start gw rsipd.log "$BIN/rsipd" --foreground --config $LAB/rsipd.json
	RSIPD=$STARTED
	wait_for 10 ctl status || lab_abort "rsipd does not answer"
}

# lab_up [COMMAND]: the network, what COMMAND adds to it, the data plane, rsipd; hosts lease by themselves (host_up)
lab_up() {
	lab_net || lab_abort "cannot build the network"
	"${1:-true}" || lab_abort "cannot build what $1 adds to the network"
	lab_conf
	loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || lab_abort "rsip-loader attach: $(cat $LAB/attach.log)"
	rsipd_start
}

# js EXPRESSION: of the JSON on standard input, called d
js() {
	"$PY" -c 'import json, sys
try:
	d = json.loads(sys.stdin.read().removeprefix("ready\n"))
except ValueError:
	sys.exit("no JSON")
print(eval(sys.argv[1]))' "$1"
}

# capture NODE...: records the node's only interface from now on; captured: stops all of them
capture() {
	local n
	for n; do
		started "$n" "cap-$n.log" "$PY" "$LAB_SRC/cap.py" eth0 "$LAB/$n.pcap"
		CAPTURES="${CAPTURES:-} $STARTED"
	done
}
captured() {
	STOP_RC=0
	# shellcheck disable=SC2086
	stop $CAPTURES
	CAPTURES=
	[ $STOP_RC = 0 ] || lab_abort "a capture lost packets: $(cat $LAB/cap-*.log)"
}
seen() { "$PY" "$LAB_SRC/wire.py" count "$LAB/$1.pcap" "${@:2}"; }

# same_wire [OPTION...]: every packet at both hops, byte for byte; the report goes to $LAB/wire.json
same_wire() {
	wires same "$@" >$LAB/wire.json || { cat $LAB/wire.json; return 1; }
	js '"%d packets out, %d in" % (d["out_packets"], d["in_packets"])' <$LAB/wire.json
}
# on_wire NODE COUNTER: the same counter as same_wire saw it; check_counters: they are equal
on_wire() { js "d['hosts']['$1']['$2']" <$LAB/wire.json; }
check_counters() {
	local c
	for c in in_packets in_bytes out_packets out_bytes; do
		check_eq "$1: counter $c is what was on the wire" "$(counter "$1" $c)" "$(on_wire "$1" $c)"
	done
}
wires() { # same|show [OPTION...]
	"$PY" "$LAB_SRC/wire.py" "$1" --pool $POOL --gw $GW_PRIV --host hosta=$HOSTA="$LAB/hosta.pcap" \
		--host hostb=$HOSTB="$LAB/hostb.pcap" --peer "$LAB/peer.pcap" "${@:2}"
}

# ---- hosts -----------------------------------------------------------------------------------------------------

# host_up NODE OPTION...: rsip-client on that host, leased and ready
host_up() {
	local node=$1
	shift
	client "$node" up --gateway "${HOST_GW:-$GW_PRIV}" "$@" >"$LAB/client-$node.log" 2>&1
}
# client_pid NODE: the process of its client, if there is one; in this PID namespace there are only the lab's
client_pid() { pgrep -f "rsip-client up .*--state-dir $LAB/client-$1( |\$)"; }
# client_killed NODE: its client ends by SIGKILL, as in a crash, and is gone
client_killed() {
	# shellcheck disable=SC2046
	kill -KILL $(client_pid "$1")
	wait_for 5 eval "! client_pid $1"
}
both_up() {
	local n
	for n in hosta hostb; do
		host_up $n "$@" || lab_abort "$n does not lease: $(tail -n 3 "$LAB/client-$n.log")"
	done
}

# inside NODE COMMAND...: an ordinary program on the leased address
inside() {
	local node=$1
	shift
	client "$node" exec -- "$@"
}
# started_inside NODE LOG COMMAND...: the same in the background, until it has said "ready"; STARTED is the program itself
started_inside() { started "$1" "$2" "$BIN/rsip-client" exec --state-dir "$LAB/client-$1" -- "${@:3}"; }
# works: host A's datagrams to the peer, which echoes at port 7, and back: none is lost
works() { inside hosta "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 5 5 >$LAB/talk.json 2>&1 && [ "$(js 'd["lost"]' <$LAB/talk.json)" = 0 ]; }
listens() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }
# serve NODE [FOLDER]: the folder's files ($LAB/www), at the node's port 80
serve() {
	start "$1" web.log "$PY" -m http.server 80 --directory "${2:-$LAB/www}"
	wait_for 10 listens "$1" 80 || lab_abort "no web server on $1: $(tail -n 2 $LAB/web.log)"
}

fact() { "$PY" "$LAB_SRC/facts.py" "$@"; }

# lease NODE KEY: one fact of what the host holds (facts.py lists the keys); leased NODE PORT: is it a port of its own?
lease() { client "$1" status --json | fact lease "$2"; }
leased() { client "$1" status --json | fact leased "$2"; }

# What the gateway says: its bindings, one a line; a host's counters; events and drops.
bindings() { ctl --json bindings | fact bindings; }
counter() { ctl --json bindings | fact counter "$(case $1 in hosta) echo $HOSTA ;; *) echo $HOSTB ;; esac)" "$2"; }
counter_is() { [ "$(counter "$1" "$2")" = "$3" ]; }
stat_of() { ctl --json stats | fact stat "$1"; }
stat_is() { [ "$(stat_of "$1")" = "$2" ]; }
drops() { ctl --json stats | fact drops; }

# quiet: has the traffic through the gateway stopped for a moment?
quiet() {
	local before
	before=$(counter hosta out_packets)$(counter hostb out_packets)
	sleep 0.2
	[ "$before" = "$(counter hosta out_packets)$(counter hostb out_packets)" ]
}

# judged COMMAND...: its "ok" and "not ok" lines are ours
judged() {
	local line
	while read -r line; do
		case $line in
		"ok "*) ok "${line#ok }" ;;
		"not ok "*) not_ok "${line#not ok }" ;;
		*) echo "    $line" ;;
		esac
	done < <("$@" 2>&1 || echo "not ok $*: exit status $?")
}

# judge NODE SET [INTERFACE]: the table of forged and broken packets in inject.py, sent from that node
judge() {
	local side=${3:-priv0}
	[ "$1" != peer ] || side=pub0
	cat >$LAB/reasons <<-EOF
		#!/bin/sh
		"$BIN/rsipctl" --socket $LAB/rsipd.sock --json stats | "$PY" "$LAB_SRC/facts.py" reasons
	EOF
	judged on "$1" "$PY" "$LAB_SRC/inject.py" "$2" eth0 "$(mac_of gw $side)" "{\"pool\": \"$POOL\", \"gw\": \"${HOST_GW:-$GW_PRIV}\",
		\"gw_pub\": \"$GW_PUB\", \"peer\": \"$PEER\", \"hosta\": \"$HOSTA\", \"hostb\": \"$HOSTB\",
		\"port_a\": $(lease hosta port), \"port_b\": $(lease hostb port), \"spi_b\": $(lease hostb spi)}" sh $LAB/reasons
}

# judge_ports NODE: what ports.py says about programs on that host
judge_ports() { judged inside "$1" "$PY" "$LAB_SRC/ports.py" "$1" $PEER "$(lease "$1" port)" "$(lease "$1" port_cnt)"; }

# renew NODE: waits for the client's next renewal (ask for short leases: it renews at half time)
renew() {
	RENEWALS=$(lease "$1" renewals)
	wait_for 15 renewed "$1"
}
renewed() { [ "$(lease "$1" renewals)" -gt "$RENEWALS" ]; }
mac_of() { on "$1" ip -j link show "$2" | js 'd[0]["address"]'; }
