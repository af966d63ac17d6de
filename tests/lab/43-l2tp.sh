#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Tunnels of type 3: a PPP interface for each host, our program on it.  TCP, datagrams, fragments, ESP both ways; what must not
# pass; a session that ends and comes back, by its hook and by pppd's death; an upgrade.
#
#     hosta, hostb  ppp0 ===(L2TP over 10.99.0.0/24)=== ppp0, ppp1  gw  pub0 --- peer
#
# On a kernel with l2tp_ppp (the VM's: make test-vm) Debian's xl2tpd and pppd make the interfaces, on both sides, and the hooks of
# packaging/ppp tell the data plane.  On others TUN devices stand for them: as PPP, they have no Ethernet header.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
modprobe -q l2tp_ppp 2>/dev/null && REAL=1
[ -z "${REAL:-}" ] || [ -e /dev/ppp ] || mknod /dev/ppp c 108 0
if [ -n "${REAL:-}" ]; then
	for need in xl2tpd pppd logger; do command -v $need >/dev/null || { skip "l2tp: $need is missing (make deps installs it)"; lab_end; }; done
elif [ ! -c /dev/net/tun ]; then
	skip "l2tp: this kernel has neither l2tp_ppp nor TUN"
	lab_end
fi
LAB_MODE=${MODE:-native}
LAB_TOP='"policies": [ { "name": "l2tp", "clients": [ "10.99.0.0/24" ], "tunnels": [ "L2TP", "IP-IP" ] } ],'
LINK=192.168.77.1 # ours, of the PPP links

# Debian's own /etc/ppp, with our hooks in it
ppp_settings() {
	mkdir -p $LAB/ppp $LAB/default $LAB/tools /run/xl2tpd && cp -r /etc/ppp/. $LAB/ppp && : >$LAB/ppp/options || return 1
	for way in up down; do
		rm -rf $LAB/ppp/ip-$way.d && mkdir $LAB/ppp/ip-$way.d || return 1
		install -m 755 "$TREE/packaging/ppp/ip-$way" $LAB/ppp/ip-$way.d/rsip || return 1
	done
	printf 'RSIP_LOADER=%s\nRSIP_LOADER_OPTIONS="--pin-path %s"\n' "$BIN/rsip-loader" "$PIN" >$LAB/default/rsip-ppp
	# what the hooks say goes to the system's log: here there is none
	printf '#!/bin/sh\ncat >>%s/hooks.log\n' $LAB >$LAB/tools/logger && chmod 755 $LAB/tools/logger
	mount --bind $LAB/ppp /etc/ppp && mount --bind $LAB/default /etc/default && mount --bind $LAB/tools/logger "$(command -v logger)"
}
common='noauth
noccp
nodefaultroute
nopersist
lcp-echo-interval 2
lcp-echo-failure 3
mtu 1400
mru 1400'
lns_settings() {
	printf '%s\n' "$common" >$LAB/ppp/lns
	cat >$LAB/xl2tpd-gw.conf <<-EOT
		[global]
		listen-addr = $GW_PRIV
		access control = no
		[lns default]
		ip range = 192.168.77.10-192.168.77.20
		local ip = $LINK
		require authentication = no
		refuse pap = yes
		refuse chap = yes
		pass peer = yes
		pppoptfile = $LAB/ppp/lns
		length bit = yes
	EOT
}
lac_settings() { # NODE ADDRESS
	printf '%s\n' "$common" >"$LAB/ppp/$1"
	cat >"$LAB/xl2tpd-$1.conf" <<-EOT
		[global]
		listen-addr = $2
		[lac gw]
		lns = $GW_PRIV
		autodial = yes
		redial = yes
		redial timeout = 1
		require authentication = no
		pppoptfile = $LAB/ppp/$1
		length bit = yes
	EOT
}
l2tp_start() { # NODE
	[ -n "${REAL:-}" ] || return 0
	rm -f "$LAB/xl2tpd-$1.ctl"
	start "$1" "xl2tpd-$1.log" xl2tpd -D -c "$LAB/xl2tpd-$1.conf" -C "$LAB/xl2tpd-$1.ctl" -p "$LAB/xl2tpd-$1.pid"
	eval "L2TP_$1=$STARTED"
}
sessions() { loader status --pin-path "$PIN" --json | js "' '.join(sorted(s['host'] for s in d['sessions'] if s['attached']))"; }
up() { case " $(sessions) " in *" $1 "*) ;; *) return 1 ;; esac; }
gone() { ! up "$1"; }

give_up() { # the rest cannot be judged
	tail -n 20 $LAB/xl2tpd-*.log $LAB/hooks.log 2>/dev/null | sed 's/^/    /'
	lab_end
}
settings() { [ -z "${REAL:-}" ] || { ppp_settings && lns_settings && lac_settings hosta $HOSTA && lac_settings hostb $HOSTB; }; }
lab_up settings
l2tp_start gw
HANDS="$LAB_SRC/l2tphost.py"

# ---- leases, then sessions -------------------------------------------------------------------------------------------------

# lease_of NODE: ADDRESS PORT SPI
lease_of() { on "$1" "$PY" "$HANDS" lease $GW_PRIV 16 4; }
read -r _ A SPI_A <<<"$(lease_of hosta)"
read -r addr B _ <<<"$(lease_of hostb)"
check_eq "both hosts lease the same address in tunnels of type 3, before they have any" "$addr" $POOL
check_eq "the gateway shows the type" "$(ctl --json bindings | js 'sorted(b["tunnel"] for b in d["bindings"])')" "['L2TP', 'L2TP']"
check_eq "and MTUs" "$(ctl --json status | js '[i["tunnel-mtu"] for i in d["interfaces"] if i["role"] == "private"]')" \
	"[{'IP-IP': 1480, 'GRE': 1476, 'L2TP': 1460}]"
knock() { on peer "$PY" -c 'import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"knock", (sys.argv[1], int(sys.argv[2])))' $POOL "$1"; }
knock "$A"
wait_for 5 stat_is no-session 1
check_eq "what comes before the session is up is dropped: no-session" "$(stat_of no-session)" 1

# dial NODE: its PPP interface, and the gateway's
dial() {
	if [ -n "${REAL:-}" ]; then
		l2tp_start "$1"
		wait_for 60 eval 'on '"$1"' ip -br addr show ppp0 | grep -q peer'
		return
	fi
	local gw=$1-ppp end=10 host=$HOSTA
	[ "$1" = hosta ] || { end=11; host=$HOSTB; }
	rm -f "$LAB/cable-$1.log"
	started gw "cable-$1.log" "$PY" "$LAB_SRC/tuncable.py" "/run/netns/$(ns gw)" "$gw" "/run/netns/$(ns "$1")" ppp0
	eval "L2TP_$1=$STARTED"
	on gw ip addr add $LINK peer 192.168.77.$end dev "$gw" && on gw ip link set "$gw" mtu 1400 up || return 1
	on "$1" ip addr add 192.168.77.$end peer $LINK dev ppp0 && on "$1" ip link set ppp0 mtu 1400 up || return 1
	loader session-add "$gw" $host --pin-path "$PIN"
}
# tunnelled NODE PORT: dials in; all that its programs send goes into the PPP interface, from the leased address
tunnelled() {
	dial "$1" || return 1
	on "$1" ip addr add $POOL/32 dev ppp0
	on "$1" ip route replace default dev ppp0 src $POOL
	on "$1" sysctl -qw net.ipv4.conf.ppp0.rp_filter=0 net.ipv4.conf.all.rp_filter=0 \
		net.ipv4.ip_local_port_range="$2 $(($2 + 15))"
}
dials_in() { # NODE PORT ADDRESS: not in a subshell, whose children we could not end
	if tunnelled "$1" "$2" >$LAB/dial.log 2>&1; then ok "$1 dials in"; else not_ok "$1 dials in: $(tail -n 2 $LAB/dial.log)"; fi
	check "$1: its interface is the session" wait_for 10 up "$3" || give_up
}
session_of() { ctl --json bindings | js "[b['session'] for b in d['bindings'] if b['host'] == '$1'][0]"; }
check_eq "rsipctl shows that host A has no session" "$(session_of $HOSTA) $(ctl bindings | grep -c '(no session)')" " 2"
dials_in hosta "$A" $HOSTA
check_eq "and then by which interface it comes" "$(session_of $HOSTA)" \
	"$(loader status --pin-path "$PIN" --json | js "[s['name'] for s in d['sessions'] if s['host'] == '$HOSTA'][0]")"
check_ge "in its table, too" "$(ctl bindings | grep -c "L2TP [0-9]* $(session_of $HOSTA)")" 1
dials_in hostb "$B" $HOSTB
loader status --pin-path "$PIN" --json | js 'd["sessions"]' | sed 's/^/    /'

# ---- whole traffic -----------------------------------------------------------------------------------------------------

mkdir -p $LAB/www && head -c 2000000 /dev/urandom >$LAB/www/file
serve peer
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
started peer taken.log "$PY" "$LAB_SRC/carry.py" take 81
fetches() { check "$1 fetches a file" on "$1" curl -sS --max-time 60 -o $LAB/"$1".file http://$PEER/file && check "$1: unchanged" cmp $LAB/"$1".file $LAB/www/file; }
for h in hosta hostb; do
	fetches $h
	check "$h sends it" on $h "$PY" "$LAB_SRC/carry.py" give $PEER 81 $LAB/www/file 20
	on $h "$PY" "$LAB_SRC/udpseq.py" run $PEER 7 200 200 >$LAB/$h-seq.json || not_ok "$h: no datagrams"
	check_eq "$h: datagrams there and back, lost" "$(js 'd["lost"] + d["doubled"] + (d["received"] != 200)' <$LAB/$h-seq.json)" 0
	check_eq "$h: datagrams of 4,000 bytes, in fragments there and back, lost" \
		"$(on $h "$PY" "$LAB_SRC/frags.py" ask $PEER 7 10 4000 2>&1)" 0
	check "$h pings" on $h ping -n -q -c 3 -i 0.3 -W 2 $PEER
	on $h traceroute -n -q 1 -w 3 -N 2 -I $PEER >$LAB/trace-$h.log 2>&1
	check_eq "$h: traceroute" "$(sed -n 's/^ *[0-9]* *\([0-9.]*\) .*/\1/p' $LAB/trace-$h.log | tr '\n' ' ')" "$GW_PUB $PEER "
done
check_ge "the bindings count it" "$(counter hosta out_packets)" 1000
check_eq "nothing was dropped but what came too early, and traceroute's" "$(drops)" $((1 + $(stat_of ttl-exceeded)))
on peer tracepath -n -p "$A" $POOL >$LAB/path-in.log 2>&1
check_eq "tracepath to host A finds the PPP interface's MTU" "$(grep -o 'pmtu [0-9]*' $LAB/path-in.log | tail -1)" "pmtu 1400"
check "the gateway answers a host's ping of its end of the link" on hosta ping -n -q -c 1 -W 3 -I "$(on hosta ip -j addr show ppp0 |
	js '[a["local"] for a in d[0]["addr_info"] if a["local"].startswith("192.168")][0]')" $LINK

# ---- ESP, by the kernel of host and peer --------------------------------------------------------------------------------------

[ -z "${REAL:-}" ] || modprobe -q esp4 2>/dev/null
esp() { # NODE SOURCE DESTINATION SPI IN-SPI: transport mode, keys by hand
	local key=0x000102030405060708090a0b0c0d0e0f10111213
	on "$1" ip xfrm state add src "$2" dst "$3" proto esp spi "$4" mode transport aead 'rfc4106(gcm(aes))' $key 128 &&
		on "$1" ip xfrm state add src "$3" dst "$2" proto esp spi "$5" mode transport aead 'rfc4106(gcm(aes))' $key 128 &&
		on "$1" ip xfrm policy add src "$2" dst "$3" dir out tmpl src "$2" dst "$3" proto esp mode transport &&
		on "$1" ip xfrm policy add src "$3" dst "$2" dir in tmpl src "$3" dst "$2" proto esp mode transport
}
if esp hosta $POOL $PEER 0xbeef "$SPI_A" 2>$LAB/xfrm.log && esp peer $PEER $POOL "$SPI_A" 0xbeef 2>>$LAB/xfrm.log; then
	capture peer
	check "host A pings in ESP" on hosta ping -n -q -c 5 -i 0.3 -W 3 $PEER
	check "and fetches the file in ESP" on hosta curl -sS --max-time 60 -o $LAB/hosta.file http://$PEER/file
	captured
	check_ge "packets of ESP to the peer" "$(seen peer proto=50 dst=$PEER)" 100
	check_ge "and back, to host A's SPI" "$(seen peer proto=50 dst=$POOL)" 100
	check_eq "and none in the clear" "$(seen peer proto=6 src=$POOL)" 0
	for n in hosta peer; do on $n ip xfrm state flush && on $n ip xfrm policy flush; done
elif [ -n "${REAL:-}" ]; then
	not_ok "no ESP here: $(tail -n 1 $LAB/xfrm.log)"
else
	skip "this kernel has no ESP"
fi

# ---- what must not pass ---------------------------------------------------------------------------------------------------------

# counts REASON NAME NODE ARGUMENT...: one datagram by hand, and what it was counted as
counts() {
	local before
	before=$(stat_of "$1")
	on "$3" "$PY" "$HANDS" send "${@:4}" || not_ok "$3 cannot send"
	wait_for 3 stat_is "$1" $((before + 1))
	check_eq "$2: $1" $(($(stat_of "$1") - before)) 1
}
counts not-owner "host B with host A's port" hostb ppp0 $POOL "$A" $PEER 9
counts local-port-unallowed "a port that nobody leases" hosta ppp0 $POOL 9 $PEER 9
counts local-addr-unallowed "an address that is in no pool" hosta ppp0 10.99.0.77 "$A" $PEER 9
counts dst-unallowed "to a private network" hosta ppp0 $POOL "$A" $HOSTB 9
counts multicast "to a multicast group" hosta ppp0 $POOL "$A" 224.0.0.9 9
counts hairpinned "from host A to host B, of one address" hosta ppp0 $POOL "$A" $POOL "$B"
counts wrong-tunnel "host A in IP-IP" hosta eth0 $POOL "$A" $PEER 9 $HOSTA $GW_PRIV

# XDP does not see what comes out of a session: what is left to the kernel, to look for the neighbour, must be counted there.
# (Nobody has that address: of the peer's, the peer's own ARP may tell the kernel again before the datagram is there.)
sent=$(counter hosta out_packets)
counts slow-path "to a neighbour that must be looked for" hosta ppp0 $POOL "$A" 192.0.2.99 9
check_eq "host A's binding counts it" $(($(counter hosta out_packets) - sent)) 1

# ---- sessions end and come back -----------------------------------------------------------------------------------------------------

# ends host A's end.  Its pppd outlives xl2tpd by a few seconds; one that is started before is given ppp1
host_end() {
	kill "$L2TP_hosta"
	wait "$L2TP_hosta"
	wait_for 20 eval '! on hosta ip link show ppp0 >/dev/null 2>&1'
}
hang_up() {
	[ -n "${REAL:-}" ] || loader session-del hosta-ppp --pin-path "$PIN"
	host_end
	wait_for 20 gone $HOSTA
}
# knocks NAME: a datagram to host A is dropped for want of a session
knocks() {
	local before
	before=$(stat_of no-session)
	knock "$A"
	wait_for 5 stat_is no-session $((before + 1))
	check_eq "$1: no-session" $(($(stat_of no-session) - before)) 1
}
hang_up >$LAB/dial.log 2>&1 && ok "host A hangs up: the hook ends its session" || not_ok "host A hangs up: $(tail -n 1 $LAB/dial.log)"
knocks "what comes for it now is dropped"
check "host B goes on" on hostb ping -n -q -c 2 -i 0.3 -W 3 $PEER
dials_in hosta "$A" $HOSTA
fetches hosta

name_of() { loader status --pin-path "$PIN" --json | js "next(s['name'] for s in d['sessions'] if s['host'] == '$1')"; }
pppd_of() { pgrep -x pppd | while read -r p; do
	[ "$(readlink /proc/"$p"/ns/net)" != "$(on gw readlink /proc/self/ns/net)" ] || ! grep -qz "$1" /proc/"$p"/cmdline || echo "$p"
done; }
if [ -n "${REAL:-}" ]; then
	kill -KILL "$(pppd_of $HOSTA)" || not_ok "no pppd of host A's"
	check "its pppd is killed, and no hook runs: the kernel ends it" wait_for 10 gone $HOSTA
	host_end
else
	kill -KILL "$L2TP_hosta"
	wait "$L2TP_hosta"
	check "its interface goes, and no hook runs: the kernel ends it" wait_for 10 gone $HOSTA
fi
knocks "what comes for it then is dropped, too"
dials_in hosta "$A" $HOSTA
fetches hosta

check "upgrade" loader upgrade --pin-path "$PIN"
check_eq "both sessions have the new program" "$(sessions)" "$HOSTA $HOSTB"
for h in hosta hostb; do fetches $h; done
check "a session that is none: nothing to do" eval 'loader session-del pub0 --pin-path "$PIN"; [ $? = 3 ]'
check "an interface with Ethernet is refused" eval '! loader session-add pub0 $HOSTA --pin-path "$PIN"'
kill $RSIPD && wait $RSIPD
dev=$(name_of $HOSTA)
check "detach" loader detach --pin-path "$PIN"
check_eq "nothing is left on the PPP interface" "$(on gw tc qdisc show dev "$dev" | grep -c clsact)" 0
[ "$failed" = 0 ] || give_up
lab_end
