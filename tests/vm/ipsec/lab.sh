# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# The IPsec lab behind ipsec.sh and the demo: the lab's hosts and peer with kernel ESP and AH and a strongSwan each.
# GATEWAY says what is between them: rsip, or masquerade.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$LAB_SRC/ike.sh"
. "$HERE/swan.sh"
. "$HERE/steps.sh"

have_ipsec() {
	ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto "$1" spi 0x1000 mode tunnel $2 2>/dev/null &&
		ip xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto "$1" spi 0x1000
}
# ipsec_can: does this kernel have ESP and AH?  Asked in a namespace of its own.
ipsec_can() {
	local key=0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
	unshare -n bash -c "$(declare -f have_ipsec)
		have_ipsec esp 'enc cbc(aes) $key auth hmac(sha256) $key' && have_ipsec ah 'auth hmac(sha256) $key'"
}

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
	ip netns add "$(ns "$1")" && on "$1" ip link set lo up && wire "$1" eth0 lan "port$1" &&
		on lan ip link set "port$1" master br0 && plain lan "port$1" && plain "$1" eth0 &&
		on "$1" ip addr add "$(addr_of "$1")/24" dev eth0 && on "$1" ip route add default via $GW_PRIV
}

world() {
	LAB_LEASES='"min": 2, "default": 1800, "hold": 2'
	if [ "$GATEWAY" = rsip ]; then lab_up; else
		lab_net || lab_abort "cannot build the network"
		command -v nft >/dev/null || { skip "ipsec: nft is missing (make test-vm installs it)"; lab_end; }
		on gw ip addr add $POOL/32 dev pub0 && masquerade || lab_abort "cannot masquerade"
	fi
	on peer ip addr add $SWAN_INNER_PEER/32 dev lo
	on peer ip route add 10.77.0.0/16 dev eth0 src $SWAN_INNER_PEER
	started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
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
host_begin() { # NODE: leases and a charon, as an administrator sets them up
	local opts=(--ports 8 ${LEASE:+--lease $LEASE})
	if [ "$GATEWAY" = rsip ]; then
		mkdir -p "$LAB/ike-$1/drop"
		case $PORTS in
		plain) opts+=(--spis 16) ;;
		label) opts+=(--strongswan yes --ike-ports 0) ;;
		*) opts+=(--strongswan yes) ;;
		esac
		[ "$PORTS" = plain ] || opts+=(--ike-spis 16 --strongswan-dir "$LAB/ike-$1/drop" --strongswan-vici "$LAB/ike-$1/vici")
		host_up "$1" "${opts[@]}" || { echo "$1 does not lease: $(tail -n 2 "$LAB/client-$1.log")"; return 1; }
	fi
	note_host "$1"
	inner_up "$1"
	swan_host_conf "$1"
	charon_begin "$1"
}
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
	for h in $HOSTS; do
		note_host "$h" || continue
		# shellcheck disable=SC2207
		RANGES+=($(sed -n 2p "$LAB/leases-$h"))
		IKE_PORTS="$IKE_PORTS $(sed -n 3p "$LAB/leases-$h")"
	done
}

# result STEP STATUS TEXT: counts it, and keeps it for the table
result() {
	local status=$2 name="$NAME: $1"
	[ -z "${RESULTS:-}" ] || printf '%s|%s|%s|%s|%s\n' "$NAME" "$GATEWAY" "$1" "$2" "$3" >>"$RESULTS"
	if [ "$GATEWAY" != rsip ]; then # not ours to judge: what it does is what we want to know
		[ "$status" = 2 ] || ok "$name, masqueraded: $([ "$status" = 0 ] && echo works || echo "fails")${3:+ ($3)}"
	elif [ "$status" = 0 ]; then ok "$name${3:+ ($3)}"; else not_ok "$name: $3"; fi
}
do_step() { # [-]STEP
	local out rc=0 step=${1#-}
	"step_$step" >$LAB/step 2>&1 || rc=$?
	out=$(tail -n 1 $LAB/step)
	if [ "$GATEWAY" = rsip ] && [ "$step" != "$1" ]; then
		UNSEEN_IN=$(($(stat_of no-cookie) - NO_COOKIE))
		if [ $rc = 0 ]; then result "$step" 1 "works, though it should not"; else result "$step" 0 "fails as it must: $out"; fi
		return
	fi
	result "$step" $rc "$([ $rc = 0 ] || echo "$out")"
	return $rc
}

wire_facts() { IKE_PORTS=$IKE_PORTS "$PY" "$HERE/esp.py" look $LAB/peer.pcap $POOL "${RANGES[@]}" >$LAB/ipsec-wire.json; }
judge_wire() {
	local proto=${SA%%-*} kinds bad h
	wire_facts || { result wire 1 "the capture cannot be read"; return; }
	kinds=$("$PY" "$HERE/esp.py" kinds <$LAB/ipsec-wire.json)
	if [ "$GATEWAY" != rsip ]; then
		result wire 0 "$kinds"
		return
	fi
	bad=$("$PY" "$HERE/esp.py" judge $proto <$LAB/ipsec-wire.json)
	result wire "$([ -z "$bad" ]; echo $?)" "${bad:-$kinds, each host under its own lease}"
	same_bytes
}
same_bytes() { # every packet at both hops, the bytes of the inner one untouched
	local h opts=() out rc=0
	[ "${BYTES:-1}" = 1 ] || return 0
	for h in $HOSTS_ALL; do opts+=(--host "$h=$(addr_of "$h")=$LAB/lan.pcap"); done
	out=$("$PY" "$LAB_SRC/wire.py" same --pool $POOL --gw $GW_PRIV "${opts[@]}" --unseen-out $UNSEEN --unseen-in $UNSEEN_IN --peer $LAB/peer.pcap 2>&1) || rc=$?
	result untouched $rc "$([ $rc = 0 ] || tail -n 1 <<<"$out" | cut -c 1-200)"
}

capture_start() {
	started lan cap-lan.log "$PY" "$LAB_SRC/cap.py" portg $LAB/lan.pcap
	CAPTURES=$STARTED
	started peer cap-peer.log "$PY" "$LAB_SRC/cap.py" eth0 $LAB/peer.pcap
	CAPTURES="$CAPTURES $STARTED"
}

nothing_left() {
	local h left=''
	pkill -TERM -x charon
	wait_for 20 eval '! pgrep -x charon >/dev/null' || pkill -KILL -x charon
	if [ "$GATEWAY" = rsip ]; then
		for h in $HOSTS_ALL; do
			client "$h" down >"$LAB/down-$h" 2>&1 || :
			[ -z "$(on "$h" ip -o link show type ipip 2>/dev/null | grep -v tunl0)" ] || left="$left a tunnel on $h;"
			[ -z "$(ls "$LAB/ike-$h/drop" 2>/dev/null)" ] || left="$left a drop-in of $h;"
			[ ! -e "$LAB/client-$h/netns" ] || left="$left the namespace of $h;"
		done
		[ -z "$(bindings)" ] || left="$left bindings: $(bindings | head -n 2);"
	fi
	for h in $HOSTS_ALL peer; do
		[ -z "$(on "$h" ip xfrm state; on "$h" ip xfrm policy)" ] || left="$left SAs or policies on $h;"
		[ "$GATEWAY" = rsip ] || { on "$h" ip route del $SWAN_INNER_PEER/32; on "$h" ip addr del "$(swan_inner "$h" 2>/dev/null)/32" dev lo; } 2>/dev/null
	done
	[ -z "$left" ] || left="left behind:$left"
	[ "$GATEWAY" != rsip ] || result "nothing is left" "$([ -z "$left" ]; echo $?)" "$left"
	rm -rf "${LAB:?}"/ike-*
}

scenario() { # NAME IKE SA PORTS HOSTS STEP...
	local h i begin=$SECONDS why=''
	NAME=$1 IKE=$2 SA=$3 PORTS=$4 HOSTS='hosta hostb' RANGES=() IKE_PORTS='' DPD='' LEASE='' UNSEEN=0 UNSEEN_IN=0 NO_COOKIE=0
	# UNSEEN, UNSEEN_IN: packets of the hosts, of the peer, that the gateway had to drop
	[ "$GATEWAY" != rsip ] || NO_COOKIE=$(stat_of no-cookie)
	[ "$5" != 1 ] || HOSTS=hosta
	for ((i = 3; i <= $5; i++)); do HOSTS="$HOSTS host$i"; done
	shift 5
	HOSTS_ALL=$HOSTS
	case " $* " in *" dpd "*) DPD=4 ;; *" renew "* | *" gateway-reboot "* | *" expired "*) LEASE=10 ;; esac
	for h in $HOSTS; do add_host "$h" || lab_abort "cannot add $h"; done
	for h in $HOSTS; do host_begin "$h" >$LAB/begin 2>&1 || { why=$(tail -n 1 $LAB/begin); break; }; done
	swan_peer_conf
	ike_start peer nsenter "--net=/run/netns/$(ns peer)" || why="charon on the peer: $(tail -n 2 $LAB/ike-peer/out)"
	capture_start
	if [ -n "$why" ]; then result begin 1 "$why"; else
		note_leases
		for step in up "$@"; do do_step "$step" || break; done
		note_leases
	fi
	wait_for 5 quiet_lab
	captured
	judge_wire
	[ "$failed" = 0 ] || [ -z "${LAB_KEEP:-}" ] || cp -r $LAB "$LAB_KEEP/$NAME" 2>/dev/null
	nothing_left
	echo "    $NAME took $((SECONDS - begin)) s"
}
quiet_lab() {
	local n
	n=$(stat -c %s $LAB/peer.pcap)
	sleep 0.3
	[ "$n" = "$(stat -c %s $LAB/peer.pcap)" ]
}

