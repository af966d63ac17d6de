#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# rsip-loader on real interfaces: all or nothing, twice, upgraded under traffic, killed, and nothing left behind.
#
#     gw   pub0 192.0.2.1/24 ---- eth0  peer
#          priv0 10.99.0.1/24 --- eth0  hosta
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/lib.sh"
lab_enter "$@"

# ---- the place ---------------------------------------------------------------------------------------------------

world() {
	mount -t tmpfs -o mode=755 tmpfs /run && mkdir -p $LAB /run/netns || return 1
	while mountpoint -q /sys/fs/bpf; do umount /sys/fs/bpf || return 1; done # only in our mount namespace
	for n in gw peer hosta; do
		ip netns add "$(ns $n)" && on $n ip link set lo up || return 1
		on $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
	done
	wire gw pub0 peer eth0 && wire gw priv0 hosta eth0 || return 1
	for n in peer hosta; do on $n ethtool -K eth0 gro on && on $n ip link set eth0 up || return 1; done
	for n in pub0 priv0; do on gw ethtool -K $n gro on && on gw ip link set $n up || return 1; done
	on gw ip addr add 192.0.2.1/24 dev pub0
	on gw ip addr add 10.99.0.1/24 dev priv0
	on gw ip addr add 10.99.0.3/24 dev priv0
	on peer ip addr add 192.0.2.2/24 dev eth0
	on gw sysctl -qw net.ipv4.conf.priv0.promote_secondaries=1
	# not the values that attach needs
	on gw sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.priv0.rp_filter=2 net.ipv4.conf.pub0.forwarding=1
	PIN=/sys/fs/bpf/rsip
}

BOTH=(--public pub0 --private priv0)
machine() {
	on gw sysctl -a 2>/dev/null | grep -E '^net\.ipv4\.(ip_forward|conf\.|neigh\.default\.gc)'
	for n in pub0 priv0; do on gw ethtool -k $n; done
	on gw ip -br link | cut -d' ' -f1
	on gw ip rule
	on gw ip route show table all | grep -E 'table 210|rsip-'
	on gw tc qdisc show
	on gw nft list ruleset
}
programs() { on gw ip -d link | grep -c 'prog/xdp'; }
said() { grep -q -- "$1" $LAB/out || { cat $LAB/out; return 1; }; }

# run NAME EXIT COMMAND...: the loader's exit code; what it said is in $LAB/out
run() {
	local name=$1 want=$2 rc=0
	shift 2
	loader "$@" >$LAB/out 2>&1 || rc=$?
	if [ $rc = "$want" ]; then ok "$name"; else not_ok "$name: exit $rc, want $want: $(tail -n 3 $LAB/out | tr '\n' ' ')"; fi
}

# nothing_left NAME: no program, no pin, the machine as it was
nothing_left() {
	if [ -e $PIN ]; then not_ok "$1: $PIN is there: $(ls $PIN)"; return; fi
	if [ "$(programs)" != 0 ]; then not_ok "$1: a program is still there"; return; fi
	if machine | diff $LAB/before - >$LAB/diff; then ok "$1"; else not_ok "$1: $(tr '\n' ' ' <$LAB/diff)"; fi
}

read_config() { bpftool -j map lookup pinned $PIN/rsip_config key 0 0 0 0 | js '" ".join(d["value"])'; }
write_config() { bpftool map update pinned $PIN/rsip_config key 0 0 0 0 value "$@"; }
# attached_ns = 0: what a kill in the middle leaves (offset 48, 8 bytes)
half_made() {
	local value
	value=$(read_config)
	# shellcheck disable=SC2046
	write_config $(cut -d' ' -f1-48 <<<"$value") 0 0 0 0 0 0 0 0 $(cut -d' ' -f57- <<<"$value")
}

# ids, to see whether they are the same ones
map_ids() { loader status --json 2>/dev/null | js '" ".join(str(m["id"]) for m in d["maps"])'; }
program_ids() { loader status --json 2>/dev/null | js '" ".join(str(i["program_id"]) for i in d["interfaces"])'; }
status_of() { loader status --json 2>/dev/null | js "$1"; }

world || lab_abort "cannot build the network"
machine >$LAB/before

# ---- words ----------------------------------------------------------------------------------------------------------

run "help is an answer" 0 --help
run "help of a command" 0 attach --help
check "help of attach names its options" said --max-bindings
run "no such command: exit 2" 2 fly
run "no such option: exit 2" 2 attach --fly
run "a number out of range: exit 2" 2 attach "${BOTH[@]}" --max-bindings 0
run "attach without a private interface: exit 2" 2 attach --public pub0
run "status of nothing: exit 3" 3 status
run "upgrade of nothing: exit 3" 3 upgrade
run "detach of nothing: exit 0" 0 detach
check "detach of nothing says so" said "nothing is attached"
run "an interface that is not there is refused" 1 attach --public nope0 --private priv0
check "it is named" said nope0
nothing_left "refusals leave nothing"
check_eq "not even the BPF file system" "$(stat -f -c %T /sys/fs/bpf)" sysfs

# ---- features ---------------------------------------------------------------------------------------------------------

run "features" 0 features "${BOTH[@]}" --json
check_eq "features says that native XDP works" "$(js 'd["interfaces"][0]["native_xdp"], d["ready"]' <$LAB/out)" "('yes', True)"
check_eq "features knows the driver" "$(js 'd["interfaces"][1]["driver"]' <$LAB/out)" veth
check_eq "features says what the driver does not say" "$(js 'd["interfaces"][0]["rss_esp4"]' <$LAB/out)" "the driver does not say"
check_eq "features knows how many neighbours the machine keeps" "$("$BIN/rsip-loader" features --json | js 'd["kernel"].get("neighbours_max")')" \
	"$(cat /proc/sys/net/ipv4/neigh/default/gc_thresh3 2>/dev/null || echo None)"
check "features says what is in the way" said "ip_forward is 0"
nothing_left "features changes nothing"

# ---- attach, twice, otherwise, off -------------------------------------------------------------------------------------

run "attach" 0 attach "${BOTH[@]}"
check "it says the mode and the endpoint" said "attached in native mode: public pub0, private priv0 (10.99.0.1)"
check_eq "both interfaces carry a program" "$(programs)" 2
check_eq "the folder is root's alone" "$(stat -c '%u %a' $PIN)" "0 700"
check_eq "forwarding is on" "$(on gw sysctl -n net.ipv4.ip_forward)" 1
check_eq "no reverse-path filter on the private side" \
	"$(on gw sysctl -n net.ipv4.conf.all.rp_filter net.ipv4.conf.priv0.rp_filter | tr '\n' ' ')" "0 0 "
check_eq "the others keep theirs" "$(on gw sysctl -n net.ipv4.conf.pub0.rp_filter)" 1
ids=$(map_ids) progs=$(program_ids)
run "the same attach again is no error" 0 attach "${BOTH[@]}"
check "and says that there is nothing to do" said "nothing to do"
check_eq "and changes no map" "$(map_ids)" "$ids"
check_eq "and no program" "$(program_ids)" "$progs"
run "another size is refused" 1 attach "${BOTH[@]}" --max-bindings 1000
check "it says the difference" said "max_bindings is 65536 there, not 1000"
check "and what to do" said "rsip-loader detach"
run "another endpoint is refused" 1 attach --public pub0 --private priv0,endpoint=10.99.0.3
run "another mode is refused" 1 attach "${BOTH[@]}" --mode generic
run "exchanged roles are refused" 1 attach --public priv0 --private pub0
run "another pin path cannot take the interfaces" 1 attach "${BOTH[@]}" --pin-path /sys/fs/bpf/rsip2
check "it names the program in the way" said "another XDP program, id [0-9]*, name 'rsip_xdp_pub'"
check_eq "and leaves no folder" "$(ls -d /sys/fs/bpf/rsip2 2>/dev/null)" ""
check_eq "all of that changed nothing" "$(map_ids) $(program_ids)" "$ids $progs"
on gw ip addr del 10.99.0.1/24 dev priv0
run "an endpoint that is no longer an address of the interface is told" 1 attach "${BOTH[@]}"
check "with both addresses" said "tunnels end at 10.99.0.1 on priv0 there, not at 10.99.0.3"
on gw ip addr add 10.99.0.1/24 dev priv0
run "as long as it is an address of the interface it is the same" 0 attach "${BOTH[@]}"
loader detach >$LAB/out 2>&1
nothing_left "detach leaves nothing"
on gw ip addr flush dev priv0
on gw ip addr add 10.99.0.1/24 dev priv0
on gw ip addr add 10.99.0.3/24 dev priv0
check_eq "and unmounts the BPF file system that attach mounted" "$(stat -f -c %T /sys/fs/bpf)" sysfs
loader attach "${BOTH[@]}" >$LAB/out 2>&1
half_made
loader attach "${BOTH[@]}" >>$LAB/out 2>&1
loader detach >>$LAB/out 2>&1
check_eq "that of an attach that was killed in the middle, too" "$(stat -f -c %T /sys/fs/bpf)" sysfs

mount -t bpf -o mode=0700 bpf /sys/fs/bpf || lab_abort "cannot mount a BPF file system"
loader attach "${BOTH[@]}" >$LAB/out 2>&1
loader detach >>$LAB/out 2>&1
check_eq "a BPF file system that was there stays" "$(stat -f -c %T /sys/fs/bpf)" bpf_fs
nothing_left "the second time too"

# ---- the configuration file ---------------------------------------------------------------------------------------------

cat >$LAB/rsipd.json <<-'EOF2'
	{
		// the loader reads its part only
		"interfaces": { "public": [ "pub0" ], "private": [ { "name": "priv0", "endpoint": "10.99.0.3" } ] },
		"dataplane": { "max_bindings": 1000, "max_addresses": 8, /* small */ "pin_path": "/sys/fs/bpf/rsip-conf" },
		"pools": [ "not the loader's business" ]
	}
EOF2
PIN=/sys/fs/bpf/rsip-conf
run "attach --config" 0 attach --config $LAB/rsipd.json
run "status --config" 0 status --config $LAB/rsipd.json --json
check_eq "sizes and endpoint are the file's" \
	"$(js 'd["max_bindings"], d["max_addresses"], d["interfaces"][1]["endpoint"]' <$LAB/out)" "(1000, 8, '10.99.0.3')"
check_eq "as large as the contract says" \
	"$(js '[m["entries"] for n in ("rsip_bindings", "rsip_ports", "rsip_counters") for m in d["maps"] if m["name"] == n][:2]' <$LAB/out)" "[1001, 32768]"
run "detach --config" 0 detach --config $LAB/rsipd.json
nothing_left "and it is gone"
sed -i 's/"max_bindings": 1000/"max_bindings": "many"/' $LAB/rsipd.json
run "a mistake in the file" 1 attach --config $LAB/rsipd.json
check "is named with its line" said "line 4: dataplane: max_bindings must be a whole number"
cat >$LAB/own.json <<-'EOF2'
	{ "interfaces": { "public": [ "pub0" ], "private": [ "priv0" ] },
	  "pools": [ { "addresses": "198.51.100.0/30" }, { "addresses": [ "198.51.100.9", "192.0.2.1-192.0.2.9" ] } ] }
EOF2
PIN=/sys/fs/bpf/rsip
run "a pool may hold an address of the machine itself" 0 attach --config $LAB/own.json
check "it says what that means" said "192.0.2.1 is in a pool and an address of this machine too"
check_eq "its packets may come in on the private side" "$(on gw sysctl -n net.ipv4.conf.priv0.accept_local)" 1
loader detach >$LAB/out 2>&1
nothing_left "and that is put back"

# what has become of the file meanwhile does not keep the programs on
loader attach --config $LAB/own.json >$LAB/out 2>&1
echo '{ "interfaces": ' >$LAB/broken.json
run "detach with a file that cannot be parsed" 0 detach --config $LAB/broken.json
check "says what is wrong" said "broken.json: line"
check "and where it looks" said "trying the default, /sys/fs/bpf/rsip"
nothing_left "and takes everything off"
run "where nothing is there it fails" 1 detach --config $LAB/broken.json
check "and says what to do" said "does not tell where else"
run "other commands fail with such a file" 1 status --config $LAB/broken.json
loader attach --config $LAB/own.json >$LAB/out 2>&1
run "detach without the file" 0 detach --config $LAB/gone.json
nothing_left "takes everything off, too"
loader attach --config $LAB/own.json --pin-path /sys/fs/bpf/rsip-conf >$LAB/out 2>&1
run "detach finds the pin path in a file that is wrong elsewhere" 0 detach --config $LAB/rsipd.json
check "and says that it is" said "max_bindings must be"
check_eq "that data plane is off" "$(programs) $(ls -d /sys/fs/bpf/rsip-conf 2>/dev/null)" "0 "
loader attach --config $LAB/own.json --pin-path /sys/fs/bpf/rsip-conf >$LAB/out 2>&1
run "a pin path that is named is no guess" 0 detach --config $LAB/broken.json --pin-path /sys/fs/bpf/rsip-conf
nothing_left "and nothing is left"

# nat_conf FILE POOLS NETWORKS MORE: a file with this many pools with nat
nat_conf() {
	local i
	{
		printf '{ "interfaces": { "public": [ "pub0" ], "private": [ "priv0" ] }, %s "pools": [' "${4:-}"
		for i in $(seq "$2"); do
			printf '%s { "addresses": "198.51.100.%d", "nat": { "ports": "61000-65535", "networks": [ %s ] } }' \
				"$([ $i = 1 ] || echo ,)" $i "$3"
		done
		printf ' ] }\n'
	} >$1
}
nat_conf $LAB/nat.json 9 '"10.99.0.0/25"'
run "a ninth pool with nat is refused" 1 attach --config $LAB/nat.json
check "it is named" said "nat.json: pools\[8\].nat: more than 8 pools with nat"
nothing_left "and nothing is made"
on gw "$BIN/rsipd" --check --config $LAB/nat.json >$LAB/out 2>&1
check "rsipd says so, too" said "more than 8 pools with nat"
nat_conf $LAB/nat.json 1 '"10.99.0.0/25"' '"stray": "drop",'
run "nat and stray" 0 attach --config $LAB/nat.json
run "the same again is no error" 0 attach --config $LAB/nat.json
check "and says that there is nothing to do" said "nothing to do"
nat_conf $LAB/nat2.json 1 '"10.99.0.0/26"' '"stray": "drop",'
run "another network of nat is refused" 1 attach --config $LAB/nat2.json
check "it says the difference" said "rsip_nat is for other .nat., .stray. or pools"
nat_conf $LAB/nat2.json 1 '"10.99.0.0/25"' '"stray": "reject",'
run "another stray is refused" 1 attach --config $LAB/nat2.json
run "none at all, too" 1 attach "${BOTH[@]}"
check "it says the difference" said "with .nat. or .stray., which is not asked for"
on gw nft list table ip rsip_nat >$LAB/nat-table
check_eq "status knows the table" "$(status_of 'd["nat"]["complete"]')" True
on gw nft flush ruleset
check_eq "status sees that it is gone" "$(status_of 'd["nat"]["complete"], d["slow_path"]["complete"]')" "(False, False)"
run "and warns people" 0 status
check "of it" said "rsip_nat is gone"
run "attach again mends it" 0 attach --config $LAB/nat.json
check_eq "all of it" "$(status_of 'd["nat"]["complete"], d["slow_path"]["complete"]')" "(True, True)"
check "with the same rules" diff <(on gw nft list table ip rsip_nat) $LAB/nat-table
loader detach >$LAB/out 2>&1
nothing_left "detach takes the table back"
on gw nft add table ip rsip_nat
run "another's table of this name is refused" 1 attach --config $LAB/nat.json
check "and named" said "nftables table ip rsip_nat already"
check_eq "it stays" "$(on gw nft list tables)" "table ip rsip_nat"
run "and is in nobody's way who needs none" 0 attach "${BOTH[@]}"
check_eq "status says nothing of it" "$(status_of '"nat" in d')" False
loader detach >$LAB/out 2>&1
check_eq "it stays" "$(on gw nft list tables)" "table ip rsip_nat"
on gw nft delete table ip rsip_nat
nothing_left "nothing else does"
loader attach "${BOTH[@]}" >$LAB/out 2>&1
run "nat that is not there is refused" 1 attach --config $LAB/nat.json
check "it says the difference" said "without the .nat. or .stray. that is asked for"
loader detach >$LAB/out 2>&1
nothing_left "and nothing is left"
run "an endpoint that is no address of the interface" 1 attach --public pub0 --private priv0,endpoint=10.99.0.9
nothing_left "mistakes leave nothing"

# ---- generic mode, and failures in the middle -----------------------------------------------------------------------------

run "generic mode" 0 attach "${BOTH[@]}" --mode generic
check_eq "is generic" "$(status_of 'd["mode"], [i["mode"] for i in d["interfaces"]]')" "('generic', ['generic', 'generic', 'tc'])"
check_eq "GRO is off" "$(on gw ethtool -k pub0 | grep '^generic-receive')" "generic-receive-offload: off"
loader detach >$LAB/out 2>&1
nothing_left "detach switches GRO on again"

on hosta ethtool -L eth0 tx 2 # veth refuses native XDP when its peer sends by more queues than it receives by
run "native mode refused by the second interface's driver" 1 attach "${BOTH[@]}" --mode native
check "it says why" said "priv0.*\(queues\|no native XDP\)"
nothing_left "a failure in the middle leaves nothing"
run "auto falls back" 0 attach "${BOTH[@]}"
check "and says so" said "falling back to generic mode.*priv0"
check_eq "on all interfaces" "$(status_of '[i["mode"] for i in d["interfaces"]]')" "['generic', 'generic', 'tc']"
loader detach >$LAB/out 2>&1
nothing_left "detach after the fall-back"
on hosta ethtool -L eth0 tx 1

on gw "$PY" "$LAB_SRC/xdp_pass.py" priv0
run "another's program is respected" 1 attach "${BOTH[@]}"
check "and named" said "priv0: carries another XDP program, id [0-9]"
check_eq "it is still there" "$(programs)" 1
on gw ip link set dev priv0 xdp off
nothing_left "nothing else is"

mkdir -m 755 $PIN
run "a folder that others can look into is refused" 1 attach "${BOTH[@]}"
check "it says why" said "mode 0755"
rmdir $PIN

# ---- mode tc, and the slow path -------------------------------------------------------------------------------------------

run "mode tc" 0 attach "${BOTH[@]}" --mode tc
check "it says so" said "attached in tc mode"
check_eq "is tc" "$(status_of 'd["mode"], [i["mode"] for i in d["interfaces"]]')" "('tc', ['tc', 'tc', 'tc'])"
check_eq "no XDP program is there" "$(programs)" 0
progs=$(program_ids)
run "upgrade in mode tc" 0 upgrade
check_eq "changes all programs" "$(comm -12 <(tr ' ' '\n' <<<"$progs" | sort) <(program_ids | tr ' ' '\n' | sort))" ""
check_eq "which are attached" "$(status_of '[i["attached"] for i in d["interfaces"]]')" "[True, True, True]"
run "attach again is no error" 0 attach "${BOTH[@]}" --mode tc
loader detach >$LAB/out 2>&1
nothing_left "detach leaves nothing of it"

on gw nft add table ip rsip
run "an nftables table of this name that is there is refused" 1 attach "${BOTH[@]}"
check "and named" said "nftables table ip rsip already"
check_eq "it stays" "$(on gw nft list tables)" "table ip rsip"
on gw nft delete table ip rsip
nothing_left "and nothing else"

on gw ip rule add pref 5 table local
on gw ip rule del pref 0
machine >$LAB/before-rule
run "a local table that somebody has moved" 0 attach "${BOTH[@]}"
loader detach >$LAB/out 2>&1
check "stays where it was" diff <(machine) $LAB/before-rule
on gw ip rule add pref 0 table local
on gw ip rule del pref 5
nothing_left "and nothing else"

loader attach "${BOTH[@]}" >$LAB/out 2>&1
on gw tc qdisc del dev pub0 clsact
run "a clsact qdisc that somebody has removed meanwhile is no error of detach" 0 detach
nothing_left "and nothing else"

on gw tc qdisc add dev pub0 clsact
run "a clsact qdisc that is there" 0 attach "${BOTH[@]}"
check_eq "the slow path is complete" "$(status_of 'd["slow_path"]["complete"]')" True
on gw nft flush ruleset
check_eq "status sees that it is not" "$(status_of 'd["slow_path"]["missing"]')" "nftables table ip rsip"
run "attach again mends it" 0 attach "${BOTH[@]}"
check_eq "and it is complete" "$(status_of 'd["slow_path"]["complete"]')" True
loader detach >$LAB/out 2>&1
check_eq "a clsact qdisc that was there stays" "$(on gw tc qdisc show dev pub0 | grep -c clsact)" 1
on gw tc qdisc del dev pub0 clsact
nothing_left "and nothing else"
loader attach "${BOTH[@]}" >$LAB/out 2>&1
on gw tc filter add dev pub0 ingress protocol ip pref 7 u32 match u32 0 0 classid 1:1
loader detach >$LAB/out 2>&1
check_eq "a qdisc that somebody else uses by now stays" "$(on gw tc filter show dev pub0 ingress | grep -c 'flowid 1:1')" 1
on gw tc qdisc del dev pub0 clsact
nothing_left "and nothing else"

# ---- upgrade ----------------------------------------------------------------------------------------------------------------

# Ping-pong of numbered datagrams while the programs are replaced: none may be missing.
cat >$LAB/pong.py <<-'EOF2'
	import os, socket, sys
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	if sys.argv[1] == "echo":
	    s.bind(("192.0.2.1", 7))
	    print("ready", flush=True)
	    while True:
	        data, who = s.recvfrom(64)
	        s.sendto(data, who)
	s.connect(("192.0.2.1", 7))
	s.settimeout(2)
	sent = lost = 0
	print("ready", flush=True)
	while not os.path.exists(sys.argv[2]):
	    s.send(b"%d" % sent)
	    sent += 1
	    try:
	        while s.recv(64) != b"%d" % (sent - 1):
	            pass
	    except socket.timeout:
	        lost += 1
	print("sent %d lost %d" % (sent, lost))
EOF2
loader attach "${BOTH[@]}" >$LAB/out 2>&1
started gw echo.log "$PY" $LAB/pong.py echo; echo_pid=$STARTED
started peer ping.log "$PY" $LAB/pong.py ping $LAB/stop; ping_pid=$STARTED
ids=$(map_ids) progs=$(program_ids)
run "upgrade under traffic" 0 upgrade
check_eq "the maps stay" "$(map_ids)" "$ids"
if [ "$(program_ids)" != "$progs" ]; then ok "the programs are new"; else not_ok "the programs are still the old ones"; fi
for _ in 1 2 3 4 5; do loader upgrade >$LAB/out 2>&1 || break; done
check "again and again" said upgraded
passed_by() { status_of 'd["interfaces"][0]["counters"]["passed"]'; }
counted=$(passed_by)
grown() { [ "$(passed_by)" -gt "$counted" ]; }
check "the new programs count in the maps that stay" wait_for 5 grown
touch $LAB/stop
wait $ping_pid
check "no packet is lost ($(tail -n 1 $LAB/ping.log))" grep -q ' lost 0$' $LAB/ping.log
check "and there were some" grep -Eq 'sent [0-9]{3,}' $LAB/ping.log
kill $echo_pid
check_ge "they are counted" "$(passed_by)" 100
check_eq "as many pins as before" "$(find $PIN -name '*new*' | wc -l)" 0
check_eq "pinned programs are the attached ones" "$(bpftool prog show pinned $PIN/prog_pub | sed -n '1s/:.*//p') $(bpftool prog show pinned $PIN/prog_priv | sed -n '1s/:.*//p')" "$(program_ids | cut -d' ' -f1-2)"

# a map in a link's place: the last program of all cannot be replaced (hosts' go first)
attached_ids() { program_ids; for n in pub0 priv0; do on gw tc filter show dev $n ingress | grep -o ' id [0-9]*'; done | tr '\n' ' '; on gw tc filter show dev rsip-slow egress | grep -o ' id [0-9]*'; }
ids=$(attached_ids)
mv $PIN/link_pub0 $PIN/hidden
bpftool map pin pinned $PIN/rsip_config $PIN/link_pub0
run "an upgrade that fails at the last interface" 1 upgrade
check "names it" said "cannot put the new program on pub0"
rm $PIN/link_pub0
mv $PIN/hidden $PIN/link_pub0
check_eq "leaves the old programs on, XDP and TC" "$(attached_ids)" "$ids"
check_eq "all of which there are" "$(wc -w <<<"$ids")" 9
run "and can be run again" 0 upgrade

# ---- other versions, other namespaces, what vanished ---------------------------------------------------------------------------

first=$(read_config)
# shellcheck disable=SC2046
write_config 0x63 0x00 0x00 0x00 $(cut -d' ' -f5- <<<"$first")
for c in status upgrade "attach ${BOTH[*]}"; do
	# shellcheck disable=SC2086
	run "${c%% *} of another layout fails" 1 $c
	check "and says so" said "map layout 99"
done
# shellcheck disable=SC2086
write_config $first
on hosta "$BIN/rsip-loader" detach >$LAB/out 2>&1
check_eq "detach in another network namespace is refused" "$?" 1
check "and says where" said "another network namespace"
check_eq "nothing is touched" "$(program_ids | wc -w)" 3

half_made
run "half an attach is no attach" 3 status
run "the next attach mends it" 0 attach "${BOTH[@]}"
check "and says so" said "did not come to its end"
loader detach >$LAB/out 2>&1
nothing_left "and its detach knows the values from before the first"

for n in $(seq 1 "$([ -n "${LONG:-}" ] && echo 100 || echo 12)"); do
	timeout -s KILL "0.$(printf %03d $((n * 7 % 100 + 1)))" nsenter --net="/run/netns/$(ns gw)" -- "$BIN/rsip-loader" attach "${BOTH[@]}"
	loader attach "${BOTH[@]}" && [ "$(programs)" = 2 ] && loader detach || break
done >$LAB/out 2>&1
check_eq "attach after attaches killed at any moment" "$n" "$([ -n "${LONG:-}" ] && echo 100 || echo 12)"
nothing_left "detach after them"

loader attach "${BOTH[@]}" >$LAB/out1 2>&1 & a=$!
loader attach "${BOTH[@]}" >$LAB/out2 2>&1 & b=$!
wait $a; rc1=$?
wait $b; rc2=$?
check_eq "two loaders at once: both succeed" "$rc1 $rc2" "0 0"
check_eq "one of them had nothing to do" "$(cat $LAB/out1 $LAB/out2 | grep -c 'nothing to do')" 1

on gw ip link del priv0
run "status when an interface has vanished" 0 status --json
check_eq "tells it" "$(js '[i["attached"] for i in d["interfaces"]]' <$LAB/out)" "[True, False, True]"
run "upgrade goes on without it" 0 upgrade
run "attach says what is wrong" 1 attach --public pub0 --private priv0
run "detach when an interface has vanished" 0 detach
check_eq "leaves no program" "$(programs)" 0
check_eq "and no pin" "$(ls $PIN 2>/dev/null)" ""
check_eq "and forwarding as it was" "$(on gw sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.rp_filter | tr '\n' ' ')" "0 1 "

wire gw priv0 hosta eth0
on gw ip link set priv0 up
on gw ip addr add 10.99.0.1/24 dev priv0
loader attach "${BOTH[@]}" >$LAB/out 2>&1
ip netns del "$(ns gw)"
detach_elsewhere() { on hosta "$BIN/rsip-loader" detach >$LAB/out 2>&1; }
check "what a dead namespace leaves can be detached from elsewhere" wait_for 10 detach_elsewhere
check_eq "and is gone" "$(ls -d $PIN 2>/dev/null)" ""

lab_end
