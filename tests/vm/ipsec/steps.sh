# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# What happens in a scenario.  step_NAME: 0 if it came out as it should for every host; it says why not.

# ---- traffic: numbered datagrams of every host, there and back -------------------------------------------------------

talker() { # NODE RATE COUNT: the command, in TALKER; its datagrams have SIZE bytes
	local to=("$SWAN_INNER_PEER" "$ECHO" "$2" "$3" 0 "$SIZE")
	[ "${SA#*-}" = tunnel ] || to=("$PEER_ADDR" "$ECHO" "$2" "$3" "${APP[$1]}" "$SIZE")
	TALKER=("$PY" "$LAB_SRC/udpseq.py" run "${to[@]}")
	[ "$GATEWAY" != rsip ] || TALKER=("$BIN/rsip-client" exec --state-dir "$LAB/client-$1" -- "${TALKER[@]}")
}
SIZE=208
stream_start() {
	local h all
	streams=''
	all=$(wc -w <<<"$HOSTS")
	for h in $HOSTS; do
		talker "$h" $((RATE / (1 + all / 8))) 0
		start "$h" "stream-$h" "${TALKER[@]}"
		streams="$streams $STARTED"
	done
	for h in $HOSTS; do
		wait_for 20 grep -q ready "$LAB/stream-$h" || { echo "$h cannot send: $(tail -n 1 "$LAB/stream-$h")"; return 1; }
	done
}
# count_of KEY FILE: of udpseq.py's report; without one, too much
count_of() { grep -o "\"$1\": [0-9]*" "$2" | grep -o '[0-9]*$' || echo 999999; }
# stream_end: LOST is how many datagrams were lost or came twice; 1 and a message where a sender has not said it
stream_end() {
	local h
	# shellcheck disable=SC2086
	stop $streams
	LOST=0
	for h in $HOSTS; do grep -q '"lost"' "$LAB/stream-$h" || { echo "$h's sender ended without a report: $(tail -n 1 "$LAB/stream-$h")"; LOST=999999; return 1; }; done
	for h in $HOSTS; do LOST=$((LOST + $(count_of lost "$LAB/stream-$h") + $(count_of doubled "$LAB/stream-$h"))); done
}
RATE=$([ "${RSIP_VM:-}" = 1 ] && echo 5 || echo 50) # datagrams a second: an emulated CPU has other things to do
talk_once() { talker "$1" 40 20 && on "$1" "${TALKER[@]}" >"$LAB/flow-$1" 2>&1; } # NODE: twenty datagrams
came_back() { count_of received "$LAB/flow-$1"; }
talks() { talk_once "$1" && [ "$(came_back "$1")" = 20 ] || { echo "$1: of 20 datagrams $(came_back "$1") came back"; return 1; }; }
flows_now() { for_each "$HOSTS" talks; }
flows() { # within some seconds
	local out end=$((SECONDS + ${1:-12}))
	until out=$(flows_now); do
		[ $SECONDS -lt $end ] || { echo "$out"; return 1; }
	done
}
# lossless COMMAND...: runs it while every host sends; none may be lost.  But with IKEv1 the end that has said the last word
# of Quick Mode uses the new SA before the other has heard it and has one, too (RFC 2409 5.5): there each datagram that is
# lost must have come to an end of the tunnel, which counts it, and be whole on both sides of the gateway (same_bytes).
lossless() {
	local rc=0 before=0
	[ "$IKE" = 2 ] || before=$(refused)
	stream_start || return 1
	"$@" || rc=$?
	stream_end || return 1
	[ $rc = 0 ] || return 1
	if [ "$IKE" = 1 ]; then
		before=$(($(refused) - before))
		[ "$LOST" -le $before ] || { echo "$LOST datagrams were lost, only $before of them at an end of the tunnel"; return 1; }
	else
		[ "$LOST" = 0 ] || { echo "$LOST datagrams were lost"; return 1; }
	fi
}
# refused: packets that IPsec at the two ends got and could not use, or could not send, summed over hosts and peer.  What comes
# for an SA whose SPI is chosen but which is not there yet is an XfrmAcquireError.
refused() {
	local h
	{
		for h in $HOSTS; do in_place "$h" cat /proc/net/xfrm_stat; done
		at_peer cat /proc/net/xfrm_stat
	} | awk '{ n += $2 } END { print n + 0 }'
}

# ---- IKE --------------------------------------------------------------------------------------------------------------

step_up() { # all at once, or, of many, as many at a time as one CPU can do arithmetic for
	local h bad=''
	at_once "$HOSTS" swan_initiate
	for h in $HOSTS; do swan_up "$h" || bad="$bad $h: $(grep -i 'fail\|error\|no \|unable' "$LAB/ike-$h/initiate" | tail -n 1)"; done
	[ -z "$bad" ] || { echo "no CHILD_SA:$bad"; return 1; }
	wait_for 20 both_ends || { echo "$ENDS"; return 1; }
	flows
}
at_once() { # NODES COMMAND...: COMMAND NODE for all of them
	local h jobs=()
	if [ "$(wc -w <<<"$1")" -gt 8 ]; then
		for_each "$@" || :
		return
	fi
	for h in $1; do
		"${@:2}" "$h" &
		jobs+=($!)
	done
	wait "${jobs[@]}"
}
# both_ends: what one end sends into, the other has, too; else ENDS says what it is.  (Not more: with IKEv1 an end may keep
# an old SA longer than the other, and strongSwan stops sending into it first.)
both_ends() {
	local h hosts peer
	hosts=$(for h in $HOSTS; do in_place "$h" ip xfrm state list | swan_sas "${LOCAL[$h]}"; done)
	peer=$(at_peer ip xfrm state list | swan_sas "$PEER_ADDR")
	ENDS=$(one_sided "$hosts" "$peer" "only hosts have")$(one_sided "$peer" "$hosts" "only the peer has")
	[ -z "$ENDS" ] && grep -q "^out" <<<"$hosts" && grep -q "^out" <<<"$peer"
}
one_sided() { # SAS OF-THE-OTHER TEXT
	comm -23 <(sed -n 's/^out //p' <<<"$1" | sort) <(sed -n 's/^in //p' <<<"$2" | sort) | sed "s/^/$3 /"
}
peer_sends() { at_peer ip xfrm state list | swan_sas "$PEER_ADDR" | grep '^out' | sort; }
# fresh child BEFORE NOW: an SPI that was not there; fresh ike BEFORE NOW: one more
fresh() { if [ "$1" = ike ]; then [ "$3" -gt "$2" ]; else [ -n "$(comm -13 <(echo "$2") <(echo "$3"))" ]; fi; }
changed() { fresh "$1" "$3" "$(swan_"$1" "$2" "${4:-$2}")"; } # child|ike HOST BEFORE [AT]
# renegotiate SIDE child|ike OPTION...: on the host or the peer, for all hosts at once; then each must have new SAs, and the
# peer the same ones
renegotiate() {
	local side=$1 what=$2 h sends
	local -A before at_peer
	shift 2
	for h in $HOSTS; do before[$h]=$(swan_"$what" "$h") at_peer[$h]=$(swan_ike "$h" peer); done
	sends=$(peer_sends)
	at_once "$HOSTS" asks "$side" "$what" "$@"
	for h in $HOSTS; do
		renewed "$side" "$what" "$h" "${before[$h]}" "$@" || { echo "$h: no new $what SA ($(last_words))"; return 1; }
		[ "$what" = child ] || wait_for "${PATIENCE:-20}" changed ike "$h" "${at_peer[$h]}" peer || { echo "$h has a new IKE_SA, and the peer has none"; return 1; }
	done
	[ "$what" = ike ] || wait_for 20 sends_anew || { echo "the peer does not send into new SAs of all hosts"; return 1; }
	wait_for 20 both_ends || { echo "$ENDS"; return 1; }
}
# renewed SIDE child|ike HOST BEFORE OPTION...: in time; asked again meanwhile, because a charon that is asked for an SA which it is
# still installing, or deleting, does nothing ("nothing to initiate") and reports success
renewed() {
	local try
	for try in 1 2 3 4; do
		[ $try = 1 ] || [ -n "${PATIENCE:-}" ] || asks "$1" "$2" "${@:5}" "$3"
		wait_for $(((${PATIENCE:-20} + 3) / 4)) changed "$2" "$3" "$4" && return
	done
	return 1
}
last_words() { # of all charons
	local log
	for log in $LAB/ike-*/charon.log; do printf '%s: %s; ' "$(basename "$(dirname "$log")")" "$(tail -n 1 "$log")"; done
}
sends_anew() { [ "$(comm -13 <(echo "$sends") <(peer_sends) | wc -l)" -ge "$(wc -w <<<"$HOSTS")" ]; }
asks() { # SIDE child|ike [OPTION...] HOST
	local node=peer h=${!#}
	[ "$1" = peer ] || node=$h
	ike_ctl "$node" --rekey "--$2" "$h" "${@:3:$(($# - 3))}" >"$LAB/ike-$node/rekey-$h" 2>&1
}
step_child-rekey-host() { lossless renegotiate host child && flows; }
step_child-rekey-peer() { lossless renegotiate peer child && flows; }
step_ike-rekey-host() { lossless renegotiate host ike && flows; }
step_ike-rekey-peer() { # the first packet under the new pair may be the peer's: it must find the host
	lossless renegotiate peer ike || return 1
	renegotiate peer child && flows
}
# strongSwan's reauthentication breaks before it makes: datagrams are lost meanwhile, whatever is between
step_reauth-host() { renegotiate host ike --reauth && flows 25; }
step_reauth-peer() { renegotiate peer ike --reauth && flows 25; }

# step_dpd: liveness checks from both sides are answered (IKEv1: RFC 3706)
dpd_answers() { # NODE: how often it was
	if [ "$IKE" = 1 ]; then
		grep -c 'parsed INFORMATIONAL_V1 request.*N(DPD_ACK)' "$LAB/ike-$1/charon.log"
	else
		grep -c 'parsed INFORMATIONAL response [0-9]* \[ \]' "$LAB/ike-$1/charon.log"
	fi
}
answered() { [ "$(dpd_answers "$1")" -gt "$2" ]; }
step_dpd() {
	local h node
	local -A before
	for node in $HOSTS peer; do before[$node]=$(dpd_answers "$node"); done
	for node in $HOSTS peer; do wait_for 20 answered "$node" "${before[$node]}" || { echo "$node: no answer to DPD"; return 1; }; done
	for h in $HOSTS; do swan_up "$h" || { echo "$h lost its SA"; return 1; }; done
	flows
}

# ---- size ---------------------------------------------------------------------------------------------------------------

step_large() { SIZE=4000 flows; } # ESP or AH of them is fragmented; only the first fragment has the SPI
# A router on the way has a narrow link.  What it says is about a packet with the peer's SPI, sent by an address that is shared.
step_pmtu() {
	local h rc=0
	on isp ip link set eth1 mtu 1300 && on peer ip link set eth0 mtu 1300 || return 1
	for_each "$HOSTS" narrow || rc=1
	on isp ip link set eth1 mtu 1500
	on peer ip link set eth0 mtu 1500
	return $rc
}
narrow() { # datagrams that fit the tunnel but not that link: the host must hear of it, and then send smaller packets
	local SIZE=1250
	talk_once "$1"
	in_place "$1" ip route get "$PEER_ADDR" | grep -q 'mtu 1300' || { echo "$1 was not told"; return 1; }
	talks "$1"
}

# ---- the gateway and its leases -------------------------------------------------------------------------------------------

renewals() { local h; for h in $HOSTS; do renew "$h" || { echo "$h does not renew"; return 1; }; done; }
killed_and_back() {
	kill -KILL "$RSIPD"
	wait "$RSIPD" 2>/dev/null
	sleep 1
	rsipd_start
}
# as a package does it: another file in the old one's place, then a restart
replaced() {
	cp "$BIN/rsipd" "$BIN/rsipd.new" && mv -f "$BIN/rsipd.new" "$BIN/rsipd" || return 1
	stop "$RSIPD"
	rsipd_start
}
upgrade() { loader upgrade --config $LAB/rsipd.json || return 1; }
step_renew() { if [ "$GATEWAY" = rsip ]; then lossless renewals; else lossless sleep 8; fi && flows; }
step_rsipd-killed() {
	[ "$GATEWAY" = rsip ] || { echo "-"; return 2; }
	lossless killed_and_back && renewals && flows
}
step_rsipd-upgraded() {
	[ "$GATEWAY" = rsip ] || { echo "-"; return 2; }
	lossless replaced && renewals && flows
}
step_upgraded() {
	[ "$GATEWAY" = rsip ] || { echo "-"; return 2; }
	lossless upgrade && flows
}
# client_again COMMAND...: the first host's client begins anew by that; the SAs, which are charon's and the kernel's, stay.  Its
# tunnel's device is another, so what leads to the peer's inner address must be set again.
client_again() {
	[ "$GATEWAY" = rsip ] || { echo "-"; return 2; }
	local h=${HOSTS%% *} before
	before=$(swan_child "$h")
	"$@" "$h" && inner_up "$h" || { echo "$h does not come back"; return 1; }
	[ "$(swan_child "$h")" = "$before" ] || { echo "$h has other SAs"; return 1; }
	flows
}
killed_and_up() { client_killed "$1"; host_lease "$1"; }
upgraded_client() { client "$1" upgrade; }
step_client-killed() { client_again killed_and_up; }
step_client-upgraded() { client_again upgraded_client; }
step_revoked() { # the operator takes the first host's leases away: that host's ESP stops, nobody else's does
	[ "$GATEWAY" = rsip ] || { echo "-"; return 2; }
	local h=${HOSTS%% *} before
	# a client that is away cannot lease anew; its programs go on
	client_killed "$h"
	HOSTS=${HOSTS#* } lossless taken_away "$h" || return 1
	before=$(stat_of "$REVOKED_COUNTS")
	talker "$h" 40 20
	in_place "$h" "${TALKER[@]:5}" >"$LAB/flow-$h" 2>&1 # what follows `exec --state-dir DIR --`
	[ "$(came_back "$h")" = 0 ] || { echo "$h still gets through"; return 1; }
	[ "$(stat_of "$REVOKED_COUNTS")" -ge $((before + 20)) ] || { echo "not counted as $REVOKED_COUNTS: $(drops)"; return 1; }
	UNSEEN=$(($(stat_of "$REVOKED_COUNTS") - before))
	HOSTS=${HOSTS#* } flows
}
taken_away() { # HOST
	local b
	for b in $(bindings | grep -F " $(addr_of "$1") " | cut -d ' ' -f 1); do ctl binding remove "$b" >/dev/null || return 1; done
	sleep 1
}
REVOKED_COUNTS=host-unknown
step_expired() { # rsipd and the first host's client are away until the lease has run out: the data plane ends it by itself
	[ "$GATEWAY" = rsip ] || { echo "-"; return 2; }
	local h=${HOSTS%% *}
	kill -KILL "$RSIPD"
	wait "$RSIPD" 2>/dev/null
	pkill -KILL -f "rsip-client up .*--state-dir $LAB/client-"
	talker "$h" 40 20
	wait_for 20 silence "$h" || { echo "$h still gets through"; return 1; }
	rsipd_start
	UNSEEN=$(dropped_at private expired) UNSEEN_IN=$(dropped_at public expired)
	[ "$UNSEEN" -ge 20 ] || { echo "not counted as expired: $(drops)"; return 1; }
}
dropped_at() { ctl --json stats | js "sum(i['drops'].get('$2', 0) for i in d['interfaces'] if i['role'] == '$1')"; } # ROLE REASON
silence() { in_place "$1" "${TALKER[@]:5}" >"$LAB/flow-$1" 2>&1 && [ "$(came_back "$1")" = 0 ]; }

step_host-reboot() { # power off: no goodbye to anybody
	local h=${HOSTS%% *}
	charon_kill "$h"
	if [ "$GATEWAY" = rsip ]; then
		client_killed "$h"
		umount "$LAB/client-$h/netns" 2>/dev/null
		rm -rf "${LAB:?}/client-$h" "${LAB:?}/ike-$h/drop"
	else
		on "$h" ip xfrm state flush
		on "$h" ip xfrm policy flush
	fi
	rm -f "$LAB/ike-$h/vici"
	hosts_begin "$h" && swan_initiate "$h" && note_leases && flows 20
}
step_gateway-reboot() { # rsipd's file is all that is left of it: leases and SAs go on, and nobody at the hosts notices
	local before
	[ "$GATEWAY" = rsip ] || { nat_again; flows 30; return; }
	before=$(bindings)
	[ -n "$before" ] && gateway_again || return 1
	[ "$(bindings)" = "$before" ] || { echo "other leases than before: $(bindings)"; return 1; }
	flows 30 && renegotiate peer child && flows
}
step_gateway-replaced() { # by one that knows no lease; the hosts notice when they renew (RFC 3103 10.2.2)
	local h
	[ "$GATEWAY" = rsip ] || { nat_again; flows 30; return; }
	gateway_again "$LAB/store" || return 1
	for h in $HOSTS; do wait_for 30 leases_again "$h" || { echo "$h does not lease again"; return 1; }; done
	for h in $HOSTS; do recharge "$h" || { echo "$h: charon does not come back"; return 1; }; done
	note_leases
	flows 30
}
nat_again() {
	on gw nft flush ruleset
	on gw conntrack -F >/dev/null 2>&1
	masquerade
}
gateway_again() { # [FILES...]: without power for a moment; FILES of it are lost, too
	kill -KILL "$RSIPD"
	wait "$RSIPD" 2>/dev/null
	loader detach --config $LAB/rsipd.json >/dev/null 2>&1
	rm -rf "$@"
	sleep 1
	loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || { cat $LAB/attach.log; return 1; }
	rsipd_start
}
leases_again() { ctl --json bindings | js "len([b for b in d['bindings'] if b['host'] == '$(addr_of "$1")' and b['spis']])" | grep -q '[1-9]'; }
# recharge NODE: the new leases are other ones: charon starts again with them (rsip-client status says that it must)
recharge() {
	charon_kill "$1" TERM
	wait_for 20 eval "! grep -qsz '^STRONGSWAN_CONF=$LAB/ike-$1/' /proc/[0-9]*/environ" || charon_kill "$1"
	rm -f "$LAB/ike-$1/vici"
	wait_for 30 note_host "$1" || { echo "$1 holds no lease"; return 1; }
	wait_for 20 inner_up "$1" || { echo "$1: no way to the peer's inner address through its tunnel"; return 1; }
	swan_host_conf "$1" # its transport selectors are ports of the new lease
	charon_begin "$1" && swan_initiate "$1"
}
