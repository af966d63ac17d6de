#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The systemd units as an administrator meets them: they start at boot, survive, restart, and put the machine back.
# Runs as a service of the VM that units-prepare.sh prepared.  Last line: N passed, N failed, N skipped
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../lab/lib.sh"

PIN=/sys/fs/bpf/rsip
show() { systemctl show -P "$2" "$1"; }
is() { [ "$(show "$1" "$2")" = "$3" ]; }
ctl() { rsipctl "$@"; }
end() { # what the journal says helps where something failed
	[ "$failed" = 0 ] || journalctl -b --no-pager -o cat -u rsip-loader -u rsip-watch -u rsipd -u rsip-client -n 40 | sed 's/^/    /'
	echo "$passed passed, $failed failed, $skipped skipped"
	exit $((failed > 0))
}
[ "$(cat /proc/1/comm)" = systemd ] || { skip "units: systemd is not process 1: run make test-vm JOBS=units"; end; }
[ "${RSIP_VM:-}" = 1 ] || { skip "units: they would change this machine: run make test-vm JOBS=units"; end; }

# ---- at boot -------------------------------------------------------------------------------------------------------

for u in rsip-loader rsip-watch rsipd rsip-client; do
	check "$u.service: systemd-analyze verify has nothing to say" eval '[ -z "$(systemd-analyze verify '$u'.service 2>&1 | tee /dev/stderr)" ]'
done
check_eq "the loader attached at boot" "$(show rsip-loader ActiveState) $(show rsip-loader SubState) $(show rsip-loader Result)" "active exited success"
wait_for 20 is rsipd ActiveState active
check_eq "rsipd runs" "$(show rsipd ActiveState) $(show rsipd SubState)" "active running"
check "rsipd came after the loader had ended" [ "$(show rsipd ExecMainStartTimestampMonotonic)" -ge "$(show rsip-loader ExecMainExitTimestampMonotonic)" ]
check "rsip-watch came with the loader" wait_for 20 is rsip-watch ActiveState active
check_eq "the programs are on both interfaces" "$(ip -d link show | grep -c 'prog/xdp')" 2
pid=$(show rsipd MainPID)
check_eq "rsipd is user rsip" "$(ps -o user= -p "$pid")" rsip
check_eq "without any capability" "$(awk '/^Cap(Eff|Prm|Inh|Amb)/ { print $2 }' "/proc/$pid/status" | sort -u)" 0000000000000000
check_eq "systemd's watchdog is on" "$(show rsipd WatchdogUSec)" 10s
check_eq "a restart is asked for" "$(show rsipd Restart)" always
check "rsipctl answers on the default socket" ctl status
check_eq "the socket is for the group rsip" "$(stat -c '%G %a' /run/rsip/rsipd.sock)" "rsip 660"
for u in rsip-loader:70 rsipd:40; do # systemd's exposure in tenths; lower is better
	score=$(systemd-analyze security --no-pager "${u%:*}" 2>/dev/null | sed -n 's/.*Overall exposure level.*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
	check_le "systemd-analyze security ${u%:*}, tenths" "${score:-1000}" "${u#*:}"
done

# ---- it works ---------------------------------------------------------------------------------------------------------

host() { nsenter --net=/run/netns/host -- "$@"; }
client_up() { host rsip-client up --state-dir /run/rsip-host --gateway 10.99.0.1 --ports 8 --spis 4; }
leases() { ctl --json bindings | "$PY" "$LAB_SRC/facts.py" bindings; }
nsenter --net=/run/netns/peer -- "$PY" "$LAB_SRC/udpseq.py" echo 7 >/run/echo.log 2>&1 &
wait_for 10 grep -q ready /run/echo.log
talk() { host rsip-client exec "$@" -- "$PY" "$LAB_SRC/udpseq.py" run 192.0.2.2 7 200 100; }
lost() { js 'd["lost"] + d["doubled"] + (d["received"] != 100)'; }

# ---- the host's unit ----------------------------------------------------------------------------------------------------

traces() { # what a client leaves on its machine while it runs
	findmnt -rno TARGET | grep ^/run/rsip/ || :
	host ip -o link show | grep -o 'rsip[^:@]*' || :
	host ip rule
	host sysctl -n net.ipv4.conf.eth0.arp_ignore net.ipv4.ip_local_reserved_ports
}
clean=$(traces)
check "rsip-client.service starts, and is up only when it has its lease" eval 'systemctl start rsip-client && [ -n "$(leases)" ]'
unit=$(leases)
check_eq "it talks: lost" "$(talk | lost)" 0
client_again() { [ "$(show rsip-client MainPID)" != "$1" ] && is rsip-client ActiveState active; }
pid=$(show rsip-client MainPID)
kill -KILL "$pid"
check "killed: it is started again" wait_for 20 client_again "$pid"
check_eq "with what it had leased" "$(leases)" "$unit"
check_eq "and talks: lost" "$(talk | lost)" 0
systemctl stop rsip-client
check_eq "stopped: it has given back what it leased" "$(leases)" ""
check_eq "and the host is as it was" "$(traces)" "$clean"

# ---- a host by hand ---------------------------------------------------------------------------------------------------------

mkdir -p /run/rsip-host
check "a host leases" wait_for 20 client_up # an emulated machine may need longer than a host waits for an answer
before=$(leases)
check_eq "rsipctl shows its binding" "$(grep -c . <<<"$before")" 1
check_eq "and talks: lost" "$(talk --state-dir /run/rsip-host | lost)" 0

# ---- it survives --------------------------------------------------------------------------------------------------------

new_main() { [ "$(show rsipd MainPID)" != "$1" ] && is rsipd ActiveState active && ctl status; }
survives() { # WHAT COMMAND...
	local what=$1 old
	old=$(show rsipd MainPID)
	shift
	[ "$old" != 0 ] || { not_ok "$what: rsipd does not run"; end; }
	"$@" "$old"
	check "$what: rsipd is started again" wait_for 40 new_main "$old"
	check_eq "$what: the bindings are still there" "$(leases)" "$before"
}
survives "killed" kill -KILL
survives "hangs, the watchdog ends it" kill -STOP
check "it was the watchdog" eval 'journalctl -b --no-pager -u rsipd | grep -q "Watchdog timeout"'
restart() { systemctl restart rsipd; }
survives "systemctl restart" restart
watcher=$(show rsip-watch MainPID)
new_watcher() { [ "$(show rsip-watch MainPID)" != "$watcher" ] && is rsip-watch SubState running; }
check "systemctl reload rsip-loader puts in new programs" systemctl reload rsip-loader
check_eq "rsipd did not notice" "$(show rsipd ActiveState)" active
check_eq "the host still talks: lost" "$(talk --state-dir /run/rsip-host | lost)" 0
check "and rsip-watch is another process" wait_for 20 new_watcher

# ---- an interface is made anew ------------------------------------------------------------------------------------------

made_anew() { # pub0, and the peer's end of it
	ip link del pub0
	ip link add pub0 type veth peer name eth0 netns peer
	ethtool -K pub0 tx off txvlan off >/dev/null
	nsenter --net=/run/netns/peer ethtool -K eth0 tx off txvlan off gro on >/dev/null
	ip -n peer link set eth0 up
	ip -n peer addr add 192.0.2.2/24 dev eth0
	ip -n peer route add 203.0.113.0/24 dev eth0
	ip link set pub0 up
	ip addr add 192.0.2.1/24 dev pub0
}
on_both() { [ "$(ip -d link show | grep -c 'prog/xdp')" = 2 ]; }
old=$(show rsipd MainPID)
made_anew
check "rsip-watch has put the program on the new one" wait_for 40 on_both
check "rsipd is started again" wait_for 40 new_main "$old"
check_eq "the bindings are still there" "$(leases)" "$before"
check "the host talks" wait_for 40 eval '[ "$(talk --state-dir /run/rsip-host | lost)" = 0 ]'

# ---- it goes --------------------------------------------------------------------------------------------------------------

systemctl stop rsip-loader
check_eq "stopping the loader stops rsipd and rsip-watch first" \
	"$(show rsipd ActiveState) $(show rsip-watch ActiveState) $(show rsip-loader ActiveState)" "inactive inactive inactive"
check_eq "no program is left" "$(ip -d link show | grep -c 'prog/xdp')" 0
check_eq "and no pin" "$(ls $PIN 2>/dev/null)" ""
systemctl start rsipd
check_eq "starting rsipd alone brings the loader" "$(show rsipd ActiveState) $(show rsip-loader ActiveState)" "active active"
echo '{ "interfaces": ' >/etc/rsip/rsipd.json
old=$(show rsipd MainPID)
check "a broken configuration is refused at restart" eval '! systemctl restart rsipd 2>/dev/null'
check "with the line" eval 'journalctl -b --no-pager -u rsipd | grep -q "rsipd.json:"'
check_eq "the programs stay where they are" "$(ip -d link show | grep -c 'prog/xdp')" 2

# ---- make install, uninstall ---------------------------------------------------------------------------------------------

check "make uninstall" make uninstall UNITDIR=/lib/systemd/system
check_eq "takes away what install put there" "$(ls /usr/sbin/rsip* /lib/systemd/system/rsip* /usr/lib/sysusers.d/rsip* /usr/share/man/man8/rsip* 2>/dev/null)" ""
end
