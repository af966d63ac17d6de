#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `rsip-client strongswan --check PEER` with live SAs, kernel ESP and a router on the way that filters: IKE and ESP come
# back, neither, only one of the two, and a filter that comes when the SAs are old.  It must tell each from the others.
# Needs a kernel with ESP: this machine's, or the VM's (tests/vm/run pathcheck).
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../lab/lib.sh"
. "$(dirname "$0")/ipsec/lab.sh"
lab_enter "$@"
ike_have || { skip "pathcheck: strongSwan is missing (make deps installs it)"; lab_end; }
ipsec_can || { skip "pathcheck: this kernel has no ESP; tests/vm/run pathcheck runs it on one that has"; lab_end; }
GATEWAY=rsip NAME=pathcheck IKE=2 SA=esp-tunnel PORTS=leased HOSTS=hosta HOSTS_ALL=hosta PEER_HOST='' DPD='' LEASE='' RANGES=() IKE_PORTS=''

world
peer_begin && hosts_begin hosta || lab_abort "hosta: $(tail -n 2 $LAB/client-hosta.log $LAB/each-hosta)"
peer_charon || lab_abort "charon on the peer"

filter() { # [RULE...]: the router on the way does these to what it forwards
	local rule
	{
		printf '%s\n' 'add table ip f' 'delete table ip f' 'add table ip f' 'add chain ip f c { type filter hook forward priority 0; }'
		for rule; do echo "add rule ip f c $rule"; done
	} | on isp nft -f - || lab_abort "nft does not take: $*"
}
looks() { # what --check says in JSON, and its exit status
	local rc=0
	client hosta strongswan --check $PEER --json >$LAB/check.json 2>&1 || rc=$?
	echo "$(js 'd["ike"], d["esp"]' <$LAB/check.json | tr -d "(),'") $rc"
}
says() { client hosta strongswan --check $PEER 2>&1 | grep -q -- "$1"; }
anew_sas() { # a fresh pair of SAs, made while nothing filters
	filter
	ike_ctl hosta --terminate --ike hosta >/dev/null 2>&1
	swan_initiate hosta && swan_up hosta || lab_abort "no SAs: $(tail -n 2 $LAB/ike-hosta/initiate)"
}
sends() { talk_once hosta; } # twenty datagrams, if they can
IKE_OUT='ip protocol udp drop' ESP_BACK='ip protocol esp ip saddr '$PEER' drop' ESP_OUT='ip protocol esp ip daddr '$PEER' drop'

check_eq "without SAs: IKE comes back, of ESP nothing is known" "$(looks)" "answered no-sa 0"
anew_sas
check_eq "SAs that nobody has used yet" "$(looks)" "answered unused 0"
sends
check_eq "both come back" "$(looks)" "answered comes-back 0"
check "and it says so in words" eval 'says "IKE: comes back from $PEER" && says "ESP: comes back from $PEER ("'

anew_sas
filter "$ESP_BACK"
sends
check_eq "ESP does not come back" "$(looks)" "answered one-way 1"
check "and it says what to look for" says "none came back: something between drops protocol 50"
anew_sas
filter "$ESP_OUT"
sends
check_eq "ESP does not get there" "$(looks)" "answered one-way 1"

anew_sas
sends
filter "$IKE_OUT"
check_eq "IKE does not get there, ESP goes on" "$(looks)" "silent comes-back 1"
anew_sas
filter "$IKE_OUT" "$ESP_BACK"
sends
check_eq "neither" "$(looks)" "silent one-way 1"

# old SAs, which have carried ESP both ways, and a filter that is new
anew_sas
sends
filter "$ESP_BACK"
stream_start || lab_abort "hosta cannot send"
check_eq "what came back earlier is no excuse, while the host sends" "$(looks)" "answered one-way 1"
stream_end
filter
stream_start || lab_abort "hosta cannot send"
check_eq "the filter is gone: it comes back again" "$(looks)" "answered comes-back 0"
stream_end

# without an SA a router's refusal is all there is to see
ike_ctl hosta --terminate --ike hosta >/dev/null 2>&1
filter 'ip protocol esp reject with icmp type admin-prohibited'
check_eq "without SAs: a router refuses protocol 50, and says so" "$(looks)" "answered unreachable 1"
filter
pkill -TERM -x charon
client hosta down
lab_end
