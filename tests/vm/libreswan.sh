#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# libreswan.sh [fetch]   libreswan as Debian ships it as an RSIP host, against a stock strongSwan as the peer, with kernel ESP.
# Works: a whole address (RSA-IP); manual keys (36-manual.sh).  Does not, and the lab shows why: an address that is shared,
# because libreswan cannot be told which SPIs to choose.
# Its package excludes strongSwan's, so `fetch` downloads and unpacks it (build/vm/libreswan) and installs nothing.
# Needs a kernel with ESP: this machine's, or the VM's (tests/vm/run libreswan).
HERE=$(cd "$(dirname "$0")" && pwd)
LSW=$(cd "$HERE/../.." && pwd)/build/vm/libreswan
if [ "${1:-}" = fetch ]; then
	[ ! -x "$LSW/usr/libexec/ipsec/pluto" ] || exit 0
	set -e
	rm -rf "$LSW" && mkdir -p "$LSW/deb" && cd "$LSW/deb"
	apt-get -q -o APT::Sandbox::User=root download libreswan libldns3 libnss3-tools >get.log 2>&1 || { tail -n 2 get.log; exit 1; }
	for deb in *.deb; do dpkg -x "$deb" "$LSW"; done
	rm -rf "$LSW/deb"
	find "$LSW" -type d -name "*.d" -prune -exec rm -rf {} + # make would take them for its own
	exit
fi
# shellcheck source=tests/lab/lib.sh
. "$HERE/../lab/lib.sh"
. "$HERE/ipsec/lab.sh"
lab_enter "$@"
ike_have || { skip "libreswan: strongSwan, the peer, is missing (make deps installs it)"; lab_end; }
[ -x "$LSW/usr/libexec/ipsec/pluto" ] || { skip "libreswan: it is not fetched (tests/vm/libreswan.sh fetch)"; lab_end; }
ipsec_can || { skip "libreswan: this kernel has no ESP; tests/vm/run libreswan runs it on one that has"; lab_end; }
GATEWAY=rsip IKE=2 SA=esp-tunnel PORTS=label ECHO=7 SIZE=64
WHOLE=203.0.113.9
LAB_POOL='{ "name": "lab", "addresses": [ "'$POOL'" ], "methods": [ "RSAP-IP", "RSIPSEC" ] },
	{ "name": "whole", "addresses": [ "'$WHOLE'" ], "methods": [ "RSA-IP" ] }'
lab_up
on peer ip addr add $SWAN_INNER_PEER/32 dev lo
on peer ip route add 10.77.0.0/16 dev eth0 src $SWAN_INNER_PEER
started peer echo.log "$PY" "$LAB_SRC/udpseq.py" echo 7
export LD_LIBRARY_PATH=$LSW/usr/lib/x86_64-linux-gnu
# pluto looks for its helpers in one place only; this mount is the lab's own
mount -t overlay overlay -o "lowerdir=$LSW/usr/libexec:/usr/libexec" /usr/libexec || lab_abort "cannot show /usr/libexec/ipsec"

# pluto NODE ADDRESS: one libreswan, in the host's namespace, with one connection
pluto() {
	local node=$1 dir=$LAB/lsw-$1 address=$2
	mkdir -p "$dir/nss" "$dir/run" "$dir/ipsec.d"
	"$LSW/usr/bin/certutil" -N -d "sql:$dir/nss" --empty-password || return 1
	echo ": PSK \"shared-by-all\"" >"$dir/secrets"
	cat >"$dir/ipsec.conf" <<-CONF
		conn $node
		  ikev2=insist
		  authby=secret
		  left=$address
		  leftid=@$node
		  leftsubnet=$(swan_inner "$node")/32
		  leftupdown=/bin/true
		  right=$PEER
		  rightid=@peer
		  rightsubnet=$SWAN_INNER_PEER/32
		  type=tunnel
		  ike=aes128-sha2_256;dh19
		  esp=aes128-sha2_256
		  pfs=no
		  mobike=no
		  encapsulation=no
		  auto=add
	CONF
	start "$node" "pluto-$node.log" "$BIN/rsip-client" exec --state-dir "$LAB/client-$node" -- "$LSW/usr/libexec/ipsec/pluto" \
		--nofork --stderrlog --rundir "$dir/run" --nssdir "$dir/nss" --ipsecdir "$dir/ipsec.d" --secretsfile "$dir/secrets" --no-dnssec
	PLUTO="${PLUTO:-} $STARTED"
	wait_for 30 grep -q "loading secrets\|listening for IKE" "$LAB/pluto-$node.log" || wait_for 5 test -S "$dir/run/pluto.ctl" || return 1
	whack "$node" --listen && \
		"$LSW/usr/libexec/ipsec/addconn" --ctlsocket "$dir/run/pluto.ctl" --config "$dir/ipsec.conf" "$node"
}
whack() { "$LSW/usr/libexec/ipsec/whack" --ctlsocket "$LAB/lsw-$1/run/pluto.ctl" "${@:2}"; }
initiates() { timeout 60 "$LSW/usr/libexec/ipsec/whack" --ctlsocket "$LAB/lsw-$1/run/pluto.ctl" --name "$1" --initiate >"$LAB/init-$1" 2>&1; }
peer_for() { # NODE ADDRESS: a fresh charon on the peer
	rm -rf $LAB/ike-peer
	swan_settings peer
	swan_conn "$1" $PEER "$2" peer "$1" $SWAN_INNER_PEER/32 "$(swan_inner "$1")/32" | swan_file peer
	ike_start peer nsenter "--net=/run/netns/$(ns peer)"
}
inner() { # NODE: its inner address and the way to the peer's
	in_place "$1" ip addr add "$(swan_inner "$1")/32" dev lo
	in_place "$1" ip route replace $SWAN_INNER_PEER/32 dev rsip0 src "$(swan_inner "$1")"
}
flows_back() { # NODE: how many of twenty datagrams came back
	talk_once "$1"
	came_back "$1"
}
spis_in() { in_place "$1" ip xfrm state list dst "$2" | grep -o 'spi 0x[0-9a-f]*' | sort -u; }
ended() { ! pgrep -x "$1" >/dev/null; }

# ---- a whole address: an unmodified libreswan with nothing set for us ----------------------------------------------

host_up hosta --whole-address yes || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
LOCAL[hosta]=$WHOLE
inner hosta
peer_for hosta $WHOLE || not_ok "charon on the peer: $(tail -n 3 $LAB/ike-peer/out)"
started peer cap-peer.log "$PY" "$LAB_SRC/cap.py" eth0 $LAB/peer.pcap
cap=$STARTED
check "whole address: pluto starts on it" pluto hosta $WHOLE
check "whole address: IKE_SA and CHILD_SA" initiates hosta || tail -n 20 $LAB/init-hosta $LAB/pluto-hosta.log | sed 's/^/    /'
check_eq "whole address: datagrams through the tunnel, there and back" "$(flows_back hosta)" 20
had=$(spis_in hosta $WHOLE)
check "the peer rekeys the CHILD_SA" ike_ctl peer --rekey --child hosta
rekeyed() { [ -n "$(comm -13 <(echo "$had") <(spis_in hosta $WHOLE))" ]; }
check "whole address: libreswan has a new SPI" wait_for 10 rekeyed
check_eq "whole address: and packets go on" "$(flows_back hosta)" 20
check "the peer rekeys the IKE_SA" ike_ctl peer --rekey --ike hosta
check_eq "whole address: and packets go on" "$(flows_back hosta)" 20
stop $cap
kinds() { "$PY" "$HERE/esp.py" look $LAB/peer.pcap "$1" hosta=256-0xffffffff | "$PY" "$HERE/esp.py" kinds; }
check "on the wire: raw ESP" eval 'kinds $WHOLE | grep -q "ESP" && ! kinds $WHOLE | grep -q -i "udp\|plain"'
echo "    $(kinds $WHOLE)"
whack hosta --shutdown >/dev/null
wait_for 20 ended pluto
pkill -TERM -x charon
wait_for 20 ended charon
client hosta down

# ---- a shared address: IKE works, ESP from the peer does not -------------------------------------------------------

host_up hostb --ports 8 --spis 16 || lab_abort "hostb: $(cat $LAB/client-hostb.log)"
LOCAL[hostb]=$POOL
inner hostb
peer_for hostb $POOL || not_ok "charon on the peer: $(tail -n 3 $LAB/ike-peer/out)"
no_spi=$(stat_of no-spi)
check "shared address: pluto starts on it" pluto hostb $POOL
check "shared address: IKE_SA and CHILD_SA, from port 500" initiates hostb || tail -n 20 $LAB/init-hostb $LAB/pluto-hostb.log | sed 's/^/    /'
leased_spi() { [ $(($1)) -ge $(($(lease hostb spi))) ] && [ $(($1)) -le $(($(lease hostb spi_last))) ]; }
outside=0
for spi in $(spis_in hostb $POOL | cut -d ' ' -f 2); do leased_spi "$spi" || outside=$((outside + 1)); done
check_ge "shared address: libreswan chose an SPI that is not leased" $outside 1
check_eq "so nothing comes back" "$(flows_back hostb)" 0
check_ge "and the gateway says why: no-spi" $(($(stat_of no-spi) - no_spi)) 20
whack hostb --shutdown >/dev/null
wait_for 20 ended pluto
pkill -TERM -x charon
wait_for 20 ended charon
client hostb down
check_eq "no binding is left" "$(bindings)" ""
lab_end
