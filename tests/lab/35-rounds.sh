#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Register, lease, release, de-register, over and over: neither side keeps anything of it, no memory, no descriptor, no
# binding, nothing in the maps, nothing on the host.  LONG=1: 10,000 rounds of each kind.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
[ "${LONG:-}" = 1 ] && rounds=10000 ups=200 || { rounds=300 ups=8; }

rss() { awk '/^VmRSS/ { print $2 }' /proc/"$1"/status; }
# a sanitizer keeps freed memory back for a while, and has its own way to find leaks
lean() { if [ -d $LAB/san ]; then skip "$1: not with a sanitizer"; else check_le "$@"; fi; }
fds() { ls /proc/"$1"/fd | wc -l; }
machine() { on hosta ip -br link; on hosta ip rule; on hosta ip route show table all; on hosta tc qdisc show; ls $LAB/client-hosta; mount | grep -c netns; }

# warm up first: what is taken once is no leak
protocol() { on hosta "$PY" "$LAB_SRC/rounds.py" protocol $GW_PRIV "$1" | js 'd["rounds"]'; }
check_eq "rounds with rsipd" "$(protocol 100)" 100
before_rss=$(rss $RSIPD) before_fds=$(fds $RSIPD)
check_eq "rounds with rsipd" "$(protocol $rounds)" $rounds
check_eq "rsipd's descriptors" "$(fds $RSIPD)" "$before_fds"
lean "rsipd's memory has not grown, KB more" $(($(rss $RSIPD) - before_rss)) 1024
check_eq "no registration and no binding is left" "$(ctl --json clients | grep -c client-id; bindings)" "0"

host_up hosta --ports 8 --spis 4 || lab_abort "hosta: $(cat $LAB/client-hosta.log)"
CLIENT=$(client_pid hosta)
leases() { on hosta "$PY" "$LAB_SRC/rounds.py" client $LAB/client-hosta/client.sock "$1" | js 'd["rounds"]'; }
check_eq "lease and release with the client" "$(leases 50)" 50
before_rss=$(rss $CLIENT) before_fds=$(fds $CLIENT) gw_rss=$(rss $RSIPD) gw_fds=$(fds $RSIPD)
check_eq "lease and release with the client" "$(leases $rounds)" $rounds
check_eq "the client's descriptors" "$(fds $CLIENT)" "$before_fds"
lean "the client's memory has not grown, KB more" $(($(rss $CLIENT) - before_rss)) 512
check_eq "rsipd's descriptors" "$(fds $RSIPD)" "$gw_fds"
lean "rsipd's memory has not grown, KB more" $(($(rss $RSIPD) - gw_rss)) 1024
one() { [ "$(bindings | wc -l)" = 1 ]; }
check "one binding is left, the client's own" wait_for 5 one
client hosta down

before=$(machine)
for ((i = 0; i < ups; i++)); do
	place=namespace
	[ $((i % 2)) = 0 ] || place=host
	host_up hosta --ports 8 --spis 4 --place $place && client hosta down || { tail -n 5 $LAB/client-hosta.log | sed 's/^/    /'; break; }
done
check_eq "rounds of up and down" $i $ups
machine >$LAB/after
check "the host is what it was" diff - $LAB/after <<<"$before"
check_eq "no client is left" "$(pgrep -f 'rsip-client up' | wc -l)" 0
check_eq "no binding is left" "$(bindings)" ""
check_eq "nothing was dropped" "$(drops)" 0
lab_end
