# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2086
#
# A link of 1,400 bytes between the gateway and a host, for scripts that source this after lib.sh.  They say what addresses
# there are, and of the host's $FAR.
#
#     gw priv0 -- lan -- eth0 rta eth1 --1400-- eth1 rtb eth0 -- eth0 far

routers_wired() {
	local n
	node rta rtb far || return 1
	wire rta eth0 lan portr && wire rta eth1 rtb eth1 && wire rtb eth0 far eth0 || return 1
	on lan ip link set portr master br0
	for n in "lan portr" "rta eth0" "rta eth1" "rtb eth1" "rtb eth0" "far eth0"; do plain $n || return 1; done
	for n in rta rtb; do on $n ip link set eth1 mtu 1400; done
}

bind_says() { ctl --json bindings | js "[str(b['$1']) for b in d['bindings'] if b['host'] == '$FAR'][0]"; }
path() { echo "$(bind_says mtu) $(bind_says mtu-learned)"; }

# Each with an address of the peer of its own: who knows a shorter path asks for shorter segments from the start.
sends() { # ADDRESS
	mkdir -p $LAB/www && head -c 3000000 /dev/urandom >$LAB/www/big
	sum=$(sha256sum <$LAB/www/big)
	started peer taken.log "$PY" "$LAB_SRC/carry.py" take 81
	check "the host sends 3 MB" inside far timeout 30 "$PY" "$LAB_SRC/carry.py" give "$1" 81 $LAB/www/big
	check "all of it arrives" wait_for 20 grep -q -- - $LAB/taken.log
	check_eq "byte for byte" "$(tail -n 1 $LAB/taken.log)" "$sum"
}
passed_on() { # LEAST; where the device is the kernel's, the kernel does it
	local too_big
	too_big=$(client far status --json | js 'd["tunnel"].get("counters", {}).get("in-too-big", "-")')
	[ "$too_big" = - ] || check_ge "the host's end of the tunnel has passed it on" "$too_big" "$1"
}
fetches() { # ADDRESS MTU: a connection whose segments are too long at first, and what is learned by it
	serve peer
	started gw events.log "$PY" "$LAB_SRC/events.py" $LAB/rsipd.sock bindings
	EVENTS=$STARTED
	check "the host fetches 3 MB" inside far curl -sS --max-time 30 -o $LAB/got "http://$1/big"
	check_eq "byte for byte" "$(sha256sum <$LAB/got)" "$sum"
	check_eq "the MTU of the path was learned" "$(path)" "$2 True"
	check_eq "and its sender was told the same (RFC 1191 4)" "$(on peer ip route get $POOL from "$1" | grep -o 'mtu [0-9]*')" "mtu $2"
	check "rsipctl marks it" eval 'ctl bindings | grep -F "'$FAR'" | grep -q -F "'$2' (path)"'
	check "who subscribed has heard of it" wait_for 10 grep -q path-mtu $LAB/events.log
	kill $EVENTS
	check_eq "the message was believed once" "$(ctl --json stats | js 'd["protocol"]["pmtu-lowered"]')" 1
}
found_again() { # MTU
	{ kill -KILL "$RSIPD" && wait "$RSIPD"; } 2>/dev/null
	rsipd_start
	check_eq "a killed rsipd finds it again" "$(path)" "$1 True"
}
