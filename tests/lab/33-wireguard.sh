#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# WireGuard between two hosts behind two gateways, each with one leased UDP port: they reach each other directly, without a
# relay or STUN, whichever speaks first; the kernel's WireGuard where there is one, else wireguard-go.  And go on while
# one of the clients is killed and started again.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/gw2.sh"
lab_enter "$@"
wg_have() { command -v wg >/dev/null && { command -v wireguard-go >/dev/null || unshare -n ip link add wg0 type wireguard 2>/dev/null; }; }
wg_have || { skip "wireguard: wireguard-go and wireguard-tools are missing"; lab_end; }
lab_up
gw2_up || lab_abort "the second gateway: $(tail -n 2 $LAB/attach2.log $LAB/rsipd2.log)"

declare -A inner=([hostb]=10.77.0.1 [hostc]=10.77.0.2) other=([hostb]=hostc [hostc]=hostb) gw_of=([hostb]=$GW_PRIV [hostc]=$GW2_PRIV)
up() { client "$1" up --gateway "${gw_of[$1]}" --ports 1 --ports-max 0 >"$LAB/client-$1.log" 2>&1; }
end_of() { echo "$(lease "$1" addr):$(lease "$1" port)"; }
wg_start() { # NODE: the device wg-NODE, the kernel's or wireguard-go's
	WG="the kernel's WireGuard"
	inside "$1" ip link add wg-"$1" type wireguard 2>/dev/null && return
	WG=wireguard-go
	start "$1" wg-"$1".log "$BIN/rsip-client" exec --state-dir "$LAB/client-$1" -- \
		env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go --foreground wg-"$1"
	WG_GO="${WG_GO:-} $STARTED"
	wait_for 10 test -S /run/wireguard/wg-"$1".sock
}
# Its socket stays where it was made, on the leased address; the device goes to where the host's programs are.
wg_up() { # NODE
	inside "$1" wg set wg-"$1" listen-port "$(lease "$1" port)" private-key $LAB/wg-"$1".key &&
		inside "$1" ip link set wg-"$1" netns "$(ns "$1")" &&
		on "$1" ip addr add "${inner[$1]}/24" dev wg-"$1" && on "$1" ip link set wg-"$1" up
}
wg_peer() { # NODE
	on "$1" wg set wg-"$1" peer "$(wg pubkey <$LAB/wg-"${other[$1]}".key)" allowed-ips "${inner[${other[$1]}]}/32" \
		endpoint "$(end_of "${other[$1]}")"
}
reaches() { on "$1" ping -c 3 -i 0.3 -W 5 "${inner[${other[$1]}]}"; }

for h in hostb hostc; do up $h || lab_abort "$h: $(cat "$LAB/client-$h.log")"; done
capture peer
for h in hostb hostc; do
	(umask 077; wg genkey >$LAB/wg-$h.key)
	wg_start $h || lab_abort "WireGuard on $h: $(tail -n 2 $LAB/wg-$h.log)"
	check "$h: $WG on its one leased port" wg_up $h
done
for h in hostb hostc; do wg_peer $h; done
check "host B reaches host C, behind another gateway, directly" reaches hostb
check "and host C host B" reaches hostc
captured
direct=$(seen peer proto=17 src="$(lease hostb addr)" sport="$(lease hostb port)" dst="$(lease hostc addr)" dport="$(lease hostc port)")
check_ge "packets from one leased port to the other" "$direct" 4
check_eq "all that went there did" "$(seen peer dst="$(lease hostc addr)")" "$direct"

was=$(end_of hostb)
client_killed hostb
check "host B's client is killed: WireGuard goes on" reaches hostb
check "started again" up hostb
check_eq "with the same port" "$(end_of hostb)" "$was"
check "and so does WireGuard" reaches hostc
check_eq "nothing was dropped, at either gateway" "$(drops) $(ctl2 --json stats | fact drops)" "0 0"

# shellcheck disable=SC2086
if [ -n "${WG_GO:-}" ]; then stop $WG_GO; else for h in hostb hostc; do on $h ip link del wg-$h; done; fi
for h in hostb hostc; do check "$h: down" client $h down; done
check_eq "no binding is left at either gateway" "$(bindings; bindings2)" ""
lab_end
