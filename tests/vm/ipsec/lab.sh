# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# The IPsec lab behind ipsec.sh and the demo: the lab's hosts and peer with kernel ESP and AH and a strongSwan each.
# GATEWAY says what is between them: rsip, or masquerade.  The peer is one hop further away than in the lab:
#
#     gw  pub0 192.0.2.1/24 -- eth0 192.0.2.2/24  isp  eth1 198.51.100.1/24 -- eth0 198.51.100.2/24  peer

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$LAB_SRC/ike.sh"
. "$HERE/place.sh"
. "$HERE/swan.sh"
. "$HERE/steps.sh"
. "$HERE/left.sh"

# ---- the two kinds of gateway ----------------------------------------------------------------------------------------

index() { case $1 in hosta) echo 1 ;; hostb) echo 2 ;; *) echo "${1#host}" ;; esac; }
addr_of() { echo "10.99.0.$((10 + $(index "$1")))"; }
declare -A LOCAL APP # of each host: the address it speaks from, and the first of eight ports its programs may use
note_host() {
	LOCAL[$1]=$(addr_of "$1") APP[$1]=$((20000 + 8 * $(index "$1")))
	[ "$GATEWAY" = rsip ] || return 0
	client "$1" status --json | "$PY" "$HERE/leases.py" "$1" >"$LAB/leases-$1" && grep -q . "$LAB/leases-$1" || return 1
	read -r "LOCAL[$1]" "APP[$1]" <"$LAB/leases-$1"
}
program() { # NODE COMMAND...: where the host's programs run
	if [ "$GATEWAY" = rsip ]; then inside "$@"; else on "$@"; fi
}

masquerade() {
	on gw sysctl -qw net.ipv4.ip_forward=1 && on gw nft -f - <<-'NFT'
		table ip nat {
			chain postrouting {
				type nat hook postrouting priority srcnat;
				oifname "pub0" ip saddr 10.99.0.0/24 snat to 203.0.113.1
			}
		}
	NFT
}

# More hosts than the lab's two, as hostN on 10.99.0.(10+N).
add_host() {
	[ ! -e "/run/netns/$(ns "$1")" ] || return 0
	ip netns add "$(ns "$1")" && on "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	on "$1" ip link set lo up && wire "$1" eth0 lan "port$1" &&
		on lan ip link set "port$1" master br0 && plain lan "port$1" && plain "$1" eth0 &&
		on "$1" ip addr add "$(addr_of "$1")/24" dev eth0 && on "$1" ip route add default via $GW_PRIV
}

PUBLIC_WIRE=peer # whose eth0 is the other end of the gateway's public wire
# The router on the way to the peer, whose link to it can be made narrow.
isp() {
	PUBLIC_WIRE=isp
	ip netns add "$(ns isp)" && on isp ip link set lo up && on isp sysctl -qw net.ipv4.ip_forward=1 &&
		on peer ip link set eth0 netns "$(ns isp)" && wire isp eth1 peer eth0 || return 1
	on isp ip link set eth0 up && plain isp eth1 && plain peer eth0 || return 1 # eth0 was made plain for the peer
	on isp ip addr add $PEER/24 dev eth0 && on isp ip route add 203.0.113.0/24 dev eth0 &&
		on isp ip addr add 198.51.100.1/24 dev eth1 && on gw ip route add 198.51.100.0/24 via $PEER || return 1
	PEER=198.51.100.2
	on peer ip addr add $PEER/24 dev eth0 && on peer ip route add default via 198.51.100.1
}
# world [COMMAND]: all of it; COMMAND lays other wires beyond the lab's.  Without a LAB_POOL hosts have leases of the first
# pool, and host40 one of another address, for the scenario where hosts of one gateway talk.
# SHORT is a lease that a scenario can wait for, and that outlives a start of rsipd on a machine as slow as this one is now.
POOL2=203.0.113.2
world() {
	LAB_LEASES='"min": 2, "default": 1800, "hold": 2'
	if [ -z "${LAB_POOL:-}" ]; then
		LAB_POOL='{ "name": "lab", "addresses": "'$POOL'" }, { "name": "other", "addresses": "'$POOL2'" }'
		LAB_TOP='"policies": [ { "clients": [ "'$(addr_of host40)'/32" ], "pools": [ "other" ] }, { "pools": [ "lab" ] } ],'
	fi
	if [ "$GATEWAY" = rsip ]; then lab_up "${1:-isp}"; else
		lab_net && isp || lab_abort "cannot build the network"
		command -v nft >/dev/null || { skip "ipsec: nft is missing (make test-vm installs it)"; lab_end; }
		on gw ip addr add $POOL/32 dev pub0 && masquerade || lab_abort "cannot masquerade"
	fi
	on peer ip addr add $SWAN_INNER_PEER/32 dev lo
	on peer ip route add 10.77.0.0/16 dev eth0 src $SWAN_INNER_PEER
	started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
	SHORT=$((10 + SECONDS / 3))
}

# ---- one scenario ------------------------------------------------------------------------------------------------------

# inner_up NODE: the inner address of tunnel mode, and the way to the peer's; they go with the device they lead through
inner_up() {
	local inner
	[ "${SA#*-}" = tunnel ] || return 0
	inner=$(swan_inner "$1")
	in_place "$1" ip addr add "$inner/32" dev lo 2>/dev/null
	in_place "$1" ip route replace $SWAN_INNER_PEER/32 dev "$([ "$GATEWAY" = rsip ] && echo rsip0 || echo eth0)" \
		src "$inner" $([ "$GATEWAY" = rsip ] || echo via $GW_PRIV)
}
# host_lease NODE [CHARON]: its leases, those for a charon of that name (default: NODE) too
host_lease() {
	local opts=(--ports 8 ${LEASE:+--lease $LEASE}) dir=$LAB/ike-${2:-$1} drop=drop
	[ "$GATEWAY" = rsip ] || return 0
	[ "$PORTS" != ephemeral ] || drop=lease # charon does not read it: see swan_host_conf
	mkdir -p "$dir/$drop"
	case $PORTS in
	plain) opts+=(--spis 16) ;;
	label) opts+=(--strongswan yes --ike-ports 0) ;;
	*) opts+=(--strongswan yes) ;;
	esac
	[ "$PORTS" = plain ] || opts+=(--ike-spis 16 --strongswan-dir "$dir/$drop" --strongswan-vici "$dir/vici")
	host_up "$1" "${opts[@]}" || { echo "$1 does not lease: $(tail -n 2 "$LAB/client-$1.log")"; return 1; }
}
# hosts_begin NODE...: leases and a charon, as an administrator sets them up
hosts_begin() {
	local h
	for_each "$*" host_lease || return 1
	for h; do
		note_host "$h" || { echo "$h holds no lease"; return 1; }
		inner_up "$h" || { echo "$h: no way to the peer's inner address"; return 1; }
		swan_host_conf "$h"
	done
	for_each "$*" charon_begin
}
# for_each NODES COMMAND...: COMMAND NODE, four at a time; says what the first that failed said last
for_each() {
	local h job bad='' jobs=() nodes
	read -r -a nodes <<<"$1"
	shift
	while [ ${#nodes[@]} -gt 0 ]; do
		jobs=()
		for h in "${nodes[@]:0:4}"; do
			"$@" "$h" >"$LAB/each-$h" 2>&1 &
			jobs+=("$h:$!")
		done
		for job in "${jobs[@]}"; do wait "${job#*:}" || bad=${bad:-${job%:*}}; done
		nodes=("${nodes[@]:4}")
	done
	[ -z "$bad" ] || { tail -n 1 "$LAB/each-$bad"; return 1; }
}
# peer_begin: who the peer is, and its leases where it is a host of our gateway (PEER_HOST), before the hosts begin
peer_begin() {
	PEER_ADDR=$PEER PEER_PORT='' ECHO=7 ECHO_PID=''
	[ -n "$PEER_HOST" ] || return 0
	host_lease "$PEER_HOST" peer && note_host "$PEER_HOST" || return 1
	PEER_ADDR=${LOCAL[$PEER_HOST]} PEER_PORT=$(sed -n '3s/ .*//p' "$LAB/leases-$PEER_HOST") ECHO=${APP[$PEER_HOST]}
	in_place "$PEER_HOST" ip addr add $SWAN_INNER_PEER/32 dev lo
	in_place "$PEER_HOST" ip route add 10.77.0.0/16 dev rsip0 src $SWAN_INNER_PEER
	nsenter "--net=$LAB/client-$PEER_HOST/netns" -- "$PY" "$LAB_SRC/udpseq.py" echo "$ECHO" >"$LAB/echo-host.log" 2>&1 &
	ECHO_PID=$!
	wait_for 10 grep -q ready "$LAB/echo-host.log" || { echo "no echo on $PEER_HOST"; return 1; }
}
peer_charon() {
	swan_peer_conf
	if [ -n "$PEER_HOST" ]; then ike_start peer program "$PEER_HOST"; else ike_start peer on peer; fi
}
at_peer() { if [ -n "$PEER_HOST" ]; then in_place "$PEER_HOST" "$@"; else on peer "$@"; fi; } # COMMAND..., where the peer's IPsec is
in_place() { if [ "$GATEWAY" = rsip ]; then nsenter "--net=$LAB/client-$1/netns" -- "${@:2}"; else on "$@"; fi; }
charon_kill() { # NODE [SIGNAL]: in this PID namespace there are only ours; its environment tells whose it is
	local p
	for p in $(pgrep -x charon); do ! grep -qz "^STRONGSWAN_CONF=$LAB/ike-$1/" /proc/"$p"/environ || kill -"${2:-KILL}" "$p"; done
}
charon_begin() {
	ike_start "$1" program "$1" || { echo "charon on $1: $(tail -n 2 "$LAB/ike-$1/out")"; return 1; }
}

# note_leases: remembers every range of SPIs and every IKE port that the hosts ever held
note_leases() {
	local h
	[ "$GATEWAY" = rsip ] || return 0
	for h in $HOSTS $PEER_HOST; do
		note_host "$h" || continue
		# shellcheck disable=SC2207
		RANGES+=($(sed -n 2p "$LAB/leases-$h"))
		IKE_PORTS="$IKE_PORTS $(sed -n 3p "$LAB/leases-$h")"
	done
}

# keep STEP STATUS TEXT: a line of the scenario's results; the file has its name only when the scenario is over
keep() { [ -z "${RESULTS:-}" ] || printf '%s|%s|%s|%s|%s\n' "$NAME" "$GATEWAY" "$1" "$2" "$3" >>"$RESULTS/.$NAME"; }
# result STEP STATUS TEXT: counts it, and keeps it for the table
result() {
	local name="$NAME: $1"
	keep "$@"
	if [ "$2" = 0 ]; then ok "$name${3:+ ($3)}"
	elif [ "$GATEWAY" = rsip ] || [ "$1" = "nothing is left" ]; then
		not_ok "$name: $3"
		BAD=$((BAD + 1))
	elif [ "$2" != 2 ]; then # not ours to judge: what it does is what we want to know
		ok "$name: masquerading, it fails ($3)"
	fi
}
do_step() { # [-]STEP
	local rc=0 step=${1#-}
	if [ "$GATEWAY" = rsip ] && [ "$step" != "$1" ]; then
		undecided "$step" >$LAB/step 2>&1 || rc=$?
		result "$1" $rc "$(tail -n 1 $LAB/step)"
	else
		"step_$step" >$LAB/step 2>&1 || rc=$?
		result "$1" $rc "$([ $rc = 0 ] || tail -n 1 $LAB/step)"
	fi
	return $rc
}
# undecided STEP: it must fail, because what the peer begins names none of the hosts that talk to it: that is dropped,
# counted, and explained
undecided() {
	local out before
	before=$(unclaimed)
	! out=$(PATIENCE=3 "step_$1" 2>&1) || { echo "works, though it should not"; return 1; }
	[ "$(unclaimed)" -gt "$before" ] || { echo "fails ($out), and nothing is counted"; return 1; }
	ctl --json explain ike local=$POOL local-port=500 remote=$PEER remote-port=500 icookie=0x0102030405060708 |
		grep -q ike-ambiguous || { echo "rsipctl explain does not say why"; return 1; }
	echo "fails as it must: ${out##*$'\n'}"
}
unclaimed() { echo $(($(stat_of no-cookie) + $(stat_of ike-ambiguous))); } # IKE that the gateway knows no host for

# steps STEP...: one after the other.  One that fails ends it with RSIP; what masquerading cannot do, or what nobody could
# decide, leaves a broken state: then everybody begins anew.
steps() {
	local step rc
	for step; do
		rc=0
		do_step "$step" || rc=$?
		[ $rc = 0 ] || [ $rc = 2 ] || [ "$GATEWAY" != rsip ] || return
		case $rc-$step in
		0-[!-]* | 2-*) continue ;;
		0--*) [ "$GATEWAY" = rsip ] || continue ;;
		esac
		[ "$step" != "${!#}" ] || return
		anew || { result anew 1 "$(tail -n 1 $LAB/anew)"; return; }
	done
}
anew() { # new charons everywhere, and no SA of the old ones
	local h
	pkill -KILL -x charon
	wait_for 10 eval '! pgrep -x charon >/dev/null'
	for h in $HOSTS; do in_place "$h" ip xfrm state flush && in_place "$h" ip xfrm policy flush; done
	at_peer ip xfrm state flush && at_peer ip xfrm policy flush
	rm -f $LAB/ike-*/vici
	{ peer_charon && for_each "$HOSTS" charon_begin && step_up; } >$LAB/anew 2>&1
}

# What the public wire saw of the hosts; of hosts that talk to each other, what the gateway sends into their tunnels.
wire_facts() {
	local where=($LAB/peer.pcap $POOL)
	[ -z "$PEER_HOST" ] || where=($LAB/lan.pcap "$POOL,$PEER_ADDR" --inner=$GW_PRIV)
	IKE_PORTS=$IKE_PORTS "$PY" "$HERE/esp.py" look "${where[@]}" "${RANGES[@]}" >$LAB/ipsec-wire.json
}
judge_wire() {
	local proto=${SA%%-*} kinds bad h
	wire_facts || { result wire 1 "the capture cannot be read"; return; }
	kinds=$("$PY" "$HERE/esp.py" kinds <$LAB/ipsec-wire.json)
	if [ "$GATEWAY" != rsip ]; then
		result wire 0 "$kinds"
		return
	fi
	bad=$("$PY" "$HERE/esp.py" judge $proto <$LAB/ipsec-wire.json)
	case " $STEPS " in *" large "*) [ "$(js 'd["later_fragments"]' <$LAB/ipsec-wire.json)" -gt 20 ] || bad="$bad no fragments;" ;; esac
	[ -z "$PEER_HOST" ] || [ "$(seen peer src=$POOL) $(seen peer dst=$POOL)" = "0 0" ] || bad="$bad on the public wire, too;"
	result wire "$([ -z "$bad" ]; echo $?)" "${bad:-$kinds, each host under its own lease}"
	same_bytes
}
same_bytes() { # every packet at both hops, the bytes of the inner one untouched
	local h opts=() out rc=0
	for h in $HOSTS_ALL $PEER_HOST; do opts+=(--host "$h=$(addr_of "$h")=$LAB/lan.pcap"); done
	out=$("$PY" "$LAB_SRC/wire.py" same --pool "$POOL,$POOL2" --gw $GW_PRIV "${opts[@]}" --unseen-out $UNSEEN --unseen-in $UNSEEN_IN --peer $LAB/peer.pcap 2>&1) || rc=$?
	result untouched $rc "$([ $rc = 0 ] || tail -n 1 <<<"$out" | cut -c 1-200)"
}

capture_start() {
	started lan cap-lan.log "$PY" "$LAB_SRC/cap.py" portg $LAB/lan.pcap
	CAPTURES=$STARTED
	started "$PUBLIC_WIRE" cap-peer.log "$PY" "$LAB_SRC/cap.py" eth0 $LAB/peer.pcap # the gateway's public wire
	CAPTURES="$CAPTURES $STARTED"
}

host_down() { client "$1" down; }
# capture_end: when it is quiet.  Where the peer is not understood it repeats what it said, which must not come between the end
# of the capture and the look at the counters.
capture_end() {
	local mute=''
	case "$GATEWAY $STEPS" in "rsip "*" -"* | "rsip -"*) mute=1 ;; esac
	[ -z "$mute" ] || charon_kill peer STOP
	wait_for 5 quiet_lab
	captured
	[ -z "$mute" ] || { UNSEEN_IN=$(($(unclaimed) - UNCLAIMED)) && charon_kill peer CONT; }
}

# nothing_left: everybody goes home; then the world must be as it was (left.sh)
nothing_left() {
	local h
	pkill -TERM -x charon
	wait_for 20 eval '! pgrep -x charon >/dev/null' || pkill -KILL -x charon
	[ -z "$ECHO_PID" ] || stop "$ECHO_PID"
	if [ "$GATEWAY" = rsip ]; then
		for_each "$HOSTS_ALL $PEER_HOST" host_down >/dev/null || :
	else
		for h in $HOSTS_ALL; do { on "$h" ip route del $SWAN_INNER_PEER/32; on "$h" ip addr del "$(swan_inner "$h")/32" dev lo; } 2>/dev/null; done
	fi
	wait_for 5 as_before $HOSTS_ALL $PEER_HOST gw peer isp
	result "nothing is left" "$([ -z "$LEFT" ]; echo $?)" "$LEFT"
	rm -rf "${LAB:?}"/ike-*
}

scenario_rows() { # [NAME...]: their lines of the table, all without a name
	local name row
	while read -r name row; do
		case $name in '' | '#'*) continue ;; esac
		[ $# = 0 ] || case " $* " in *" $name "*) ;; *) continue ;; esac
		echo "$name $row"
	done <"$HERE/scenarios"
}
remaining() { # DONE ALL: how long the rest takes, if it goes on like this
	[ "$1" != "$2" ] || { echo "the last"; return; }
	echo "about $((SECONDS * ($2 - $1) / $1 / 60 + 1)) min to go"
}
scenario() { # NAME IKE SA PORTS HOSTS STEP...
	local h i why='' nodes
	NAME=$1 IKE=$2 SA=$3 PORTS=$4 HOSTS='hosta hostb' RANGES=() IKE_PORTS='' DPD='' LEASE='' PEER_HOST='' STEPS="${*:6}"
	BEGUN=$SECONDS BAD=0
	UNSEEN=0 UNSEEN_IN=0 UNCLAIMED=0 # packets of the hosts, of the peer, that the gateway had to drop
	[ -z "${RESULTS:-}" ] || rm -f "$RESULTS/$NAME" "$RESULTS/.$NAME"
	keep on 0 "$(uname -r), ${RSIP_COMMIT:-unknown}, $(date -u +%F)"
	case $5 in
	pair) HOSTS=hosta PEER_HOST=host40 ;;
	1) HOSTS=hosta ;;
	*) for ((i = 3; i <= $5; i++)); do HOSTS="$HOSTS host$i"; done ;;
	esac
	shift 5
	if [ -n "$PEER_HOST" ] && [ "$GATEWAY" != rsip ]; then
		result up 2 "behind it hosts have no public address"
		scenario_over
		return
	fi
	HOSTS_ALL=$HOSTS nodes="$HOSTS $PEER_HOST gw peer isp"
	case " $STEPS " in *" dpd "*) DPD=4 ;; *" renew "* | *" gateway-replaced "* | *" expired "*) LEASE=$SHORT ;; esac
	for h in $HOSTS $PEER_HOST; do add_host "$h" || lab_abort "cannot add $h"; done
	traces_note $nodes
	[ "$GATEWAY" != rsip ] || UNCLAIMED=$(unclaimed)
	{ peer_begin && hosts_begin $HOSTS; } >$LAB/begin 2>&1 || why=$(tail -n 1 $LAB/begin)
	peer_charon || why="charon on the peer: $(tail -n 2 $LAB/ike-peer/out)"
	capture_start
	if [ -n "$why" ]; then result begin 1 "$why"; else
		note_leases
		if do_step up; then steps "$@"; fi
		note_leases
	fi
	capture_end
	judge_wire
	[ $BAD = 0 ] || [ -z "${LAB_KEEP:-}" ] || {
		mkdir -p "$LAB_KEEP-$NAME" # no sockets, which a shared folder does not take
		(cd $LAB && find . -xdev -type f ! -name netns ! -path './bin/*' -exec cp --parents -t "$LAB_KEEP-$NAME" {} +)
	}
	nothing_left
	scenario_over
}
scenario_over() {
	keep over $BAD $((SECONDS - BEGUN))
	[ -z "${RESULTS:-}" ] || mv "$RESULTS/.$NAME" "$RESULTS/$NAME"
}
quiet_lab() {
	local n
	n=$(stat -c %s $LAB/peer.pcap)
	sleep 0.3
	[ "$n" = "$(stat -c %s $LAB/peer.pcap)" ]
}

