# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Stock strongSwan with CHILD_SAs in the kernel: one charon for each host and the peer (ike.sh starts them).
# Inner addresses of tunnel mode: host N has 10.77.N.1, the peer 10.78.0.1.

SWAN_INNER_PEER=10.78.0.1
swan_inner() { echo "10.77.$(index "$1").1"; }

# swan_settings NAME [LINE...]: ike.sh's settings, but for a real life: retransmission as patient as a slow machine needs
swan_settings() {
	local dir=$LAB/ike-$1
	shift
	mkdir -p "$dir/drop"
	cat >"$dir/strongswan.conf" <<-CONF
		charon {
			load = $IKE_PLUGINS
			install_routes = no
			install_virtual_ip = no
			retry_initiate_interval = 0
			retransmit_timeout = 8
			retransmit_tries = 3
			$(printf '%s\n' "$@")
			plugins { vici { socket = unix://$dir/vici } }
			filelog { log { path = $dir/charon.log
				default = 1
				ike = 2
				flush_line = yes } }
		}
		swanctl { load = random }
		include $dir/drop/*.conf
	CONF
}

# swan_conn NAME LOCAL REMOTE LOCAL_ID REMOTE_ID LOCAL_TS REMOTE_TS [REMOTE_PORT]: a connection and its one child, both called NAME
swan_conn() {
	cat <<-CONF
		connections { $1 {
			version = $IKE
			mobike = $([ "$PORTS" = mobike ] && echo yes || echo no)
			unique = never
			local_addrs = $2
			remote_addrs = $3
			${8:+remote_port = $8}
			proposals = aes128-sha256-ecp256
			dpd_delay = ${DPD:-0}s
			local { auth = psk
				id = $4 }
			remote { auth = psk
				id = $5 }
			children { $1 {
				mode = ${SA#*-}
				${SA%%-*}_proposals = $([ "${SA%%-*}" = ah ] && echo sha256 || echo aes128-sha256)
				local_ts = $6
				remote_ts = $7
				dpd_action = ${DPD:+clear}
			} }
		} }
	CONF
}

# Without a dpd_delay there is no dpd_action.
swan_file() { sed '/dpd_action = $/d' >"$LAB/ike-$1/swanctl.conf"; echo "secrets { ike { secret = shared-by-all } }" >>"$LAB/ike-$1/swanctl.conf"; }

# swan_ts NAME: the host's traffic selector and the peer's for it.  Transport mode needs one that no other host of the
# address has: an aligned block of ports, which the peer's kernel can keep as a mask (RFC 3104 section 3).
swan_ts() {
	if [ "${SA#*-}" = tunnel ]; then echo "$(swan_inner "$1")/32 $SWAN_INNER_PEER/32"; return; fi
	local first
	first=${APP[$1]}
	echo "dynamic[udp/$first-$((first + 7))] dynamic[udp/$ECHO]"
}

swan_peer_conf() {
	local h ts
	swan_settings peer
	for h in $HOSTS; do
		read -r -a ts <<<"$(swan_ts "$h")"
		# a transport mode selector of the host's is seen through its shared address
		swan_conn "$h" "$PEER_ADDR" $POOL peer "$h" "${ts[1]}" "${ts[0]}"
	done | swan_file peer
}

swan_host_conf() { # NAME
	local ts lines=()
	read -r -a ts <<<"$(swan_ts "$1")"
	if [ "$GATEWAY" = rsip ] && [ "$PORTS" = plain ]; then
		lines=("spi_min = $(lease "$1" spi)" "spi_max = $(lease "$1" spi_last)")
	elif [ "$GATEWAY" = rsip ] && [ "$PORTS" = ephemeral ]; then # all of the lease but its label
		mapfile -t lines < <(grep -hE '^[[:space:]]*(port|port_nat_t|spi_min|spi_max) =' "$LAB/ike-$1"/lease/*.conf)
	fi
	swan_settings "$1" "${lines[@]}"
	swan_conn "$1" "${LOCAL[$1]}" "$PEER_ADDR" "$1" peer "${ts[0]}" "${ts[1]}" "$PEER_PORT" | swan_file "$1"
}

swan_initiate() { ike_ctl "$1" --initiate --child "$1" --timeout $((60 * (${RSIP_VM:-0} ? 2 : 1))) >"$LAB/ike-$1/initiate" 2>&1; }

# What tells that something is new, read from kernel and log, because every swanctl costs a second in an emulated machine:
# the host's inbound SPIs; how often an IKE_SA of the host's came up, in its own log or the peer's.
swan_child() { in_place "$1" ip xfrm state list dst "${LOCAL[$1]}" 2>/dev/null | grep -o 'spi 0x[0-9a-f]*' | sort; }
swan_ike() { grep -c "IKE_SA $1\[[0-9]*\] \(established\|rekeyed\) between" "$LAB/ike-${2:-$1}/charon.log"; }
swan_sas() { # ADDRESS: "in|out PROTOCOL SPI" of that end's SAs, of an `ip xfrm state list`
	awk -v me="$1" '/^src/ { way = $4 == me ? "in" : "out" } /^\tproto (esp|ah) spi/ && $4 != "0x00000000" { print way, $2, $4 }'
}
swan_up() { [ -n "$(swan_child "$1")" ]; }
