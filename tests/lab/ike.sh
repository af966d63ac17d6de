# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# strongSwan as Debian ships it, several on one machine: each charon has a mount namespace with a /run of its own
# (its PID file has a fixed place), its own configuration and its own vici socket.  Kernels without ESP cannot
# hold a CHILD_SA, so only IKE_SAs come up (RFC 6023, childless).

IKE_CHARON=/usr/lib/ipsec/charon
IKE_PLUGINS="random nonce openssl aes sha1 sha2 hmac kdf gmp pem pkcs1 x509 pubkey constraints"
IKE_PLUGINS="$IKE_PLUGINS socket-default kernel-netlink vici"

ike_have() { [ -x $IKE_CHARON ] && command -v swanctl >/dev/null; }

# ike_conf NAME ADDRESS REMOTE [SPI_FIRST SPI_LAST]: configuration of one charon; no port is set: it speaks from 500
ike_conf() {
	local dir=$LAB/ike-$1
	mkdir -p "$dir"
	cat >"$dir/strongswan.conf" <<-EOF
		charon {
			load = $IKE_PLUGINS
			install_routes = no
			install_virtual_ip = no
			retry_initiate_interval = 0
			retransmit_base = 1.5
			retransmit_timeout = 1
			${4:+spi_min = $4}
			${5:+spi_max = $5}
			plugins { vici { socket = unix://$dir/vici } }
			filelog { log { path = $dir/charon.log
				default = 1
				ike = 2
				flush_line = yes } }
		}
		swanctl { load = random nonce openssl pem pkcs1 x509 pubkey }
	EOF
	local host
	for host in hosta hostb; do
		case $1 in
		peer) ike_conn $host "$2" "$3" peer $host ;;
		"$host") ike_conn peer "$2" "$3" $host peer ;;
		*) continue ;;
		esac
		echo "secrets { ike-$host { id-1 = peer
			id-2 = $host
			secret = of-$host } }"
	done >"$dir/swanctl.conf"
}

ike_conn() { # name local remote local-id remote-id
	cat <<-EOF
		connections { $1 {
			version = 2
			childless = force
			mobike = no
			unique = never
			local_addrs = $2
			remote_addrs = $3
			proposals = aes128gcm16-prfsha256-ecp256
			local { auth = psk
				id = $4 }
			remote { auth = psk
				id = $5 }
		} }
	EOF
}

# ike_start NAME COMMAND...: charon NAME, started through COMMAND (which chooses its namespace), ready for vici
ike_start() {
	local name=$1 dir=$LAB/ike-$1
	shift
	# its mount namespace has another /run, with the lab's folder in the same place
	# shellcheck disable=SC2016
	(cd $LAB && "$@" unshare --mount --propagation private sh -c '
		mount -t tmpfs tmpfs /run && mkdir -p "$1" && mount -c --bind . "$1" &&
		STRONGSWAN_CONF=$2/strongswan.conf exec "$3"' sh $LAB "$dir" $IKE_CHARON) >"$dir/out" 2>&1 &
	STARTED=$!
	wait_for 10 test -S "$dir/vici" || return 1
	ike_ctl "$name" --load-all --noprompt --clear --file "$dir/swanctl.conf" >"$dir/load" 2>&1
}

# ike_ctl NAME OPTION...: swanctl, to that charon
ike_ctl() {
	local dir=$LAB/ike-$1
	shift
	STRONGSWAN_CONF=$dir/strongswan.conf timeout $((20 * (${RSIP_VM:-0} ? 6 : 1))) swanctl "$@" --uri "unix://$dir/vici"
}
ike_initiate() { ike_ctl "$1" --initiate --ike peer >"$LAB/ike-$1/initiate" 2>&1; }
ike_sas() { ike_ctl "$1" --list-sas; }

# The peer asks host NAME to delete the IKE_SA: a request of the peer's, under the host's cookie; both forget it.
ike_peer_asks() {
	ike_ctl peer --terminate --ike "$1" && wait_for 5 ike_gone "$1"
}
ike_gone() { ! ike_sas "$1" | grep -q ESTABLISHED; }

# ike_peer: the peer's charon, for the address that the hosts share
ike_peer() {
	ike_conf peer $PEER $POOL
	ike_start peer nsenter "--net=/run/netns/$(ns peer)" || lab_abort "charon on the peer: $(tail -n 3 $LAB/ike-peer/out)"
}
