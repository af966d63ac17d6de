#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `rsip-client strongswan` makes an unmodified charon an RSIP host: host A speaks IKE from leased ports, host B from
# port 500 with labels; the range of SPIs grows live; ports and label stay; the file goes with its lease.
# The kernel here may lack ESP, so IKE_SAs are childless; SPIs are seen as charon gets them.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/ike.sh"
lab_enter "$@"
ike_have || { skip "ike: strongSwan is missing (make deps installs it)"; lab_end; }
LAB_LEASES='"min": 2, "default": 1800'
lab_up

# strongswan NODE OPTION...: with the folder and the vici socket of that host's charon
strongswan() {
	local node=$1
	shift
	client "$node" strongswan --strongswan-dir "$LAB/ike-$node/drop" --strongswan-vici "$LAB/ike-$node/vici" "$@"
}
told() { client "$1" status --json | js "d['strongswan']['$2']"; }
charon_binding() { client "$1" status --json | js '[b["bind-id"] for b in d["bindings"] if b["spis"]][0]'; }
file_says() { sed -n "s/^\t$2 = //p" $LAB/ike-"$1"/drop/*.conf; }
files() { ls $LAB/ike-"$1"/drop 2>/dev/null | wc -l; }

for h in hosta hostb; do
	host_up $h --ports 8 --lease 6 || lab_abort "$h: $(cat $LAB/client-$h.log)"
	mkdir -p $LAB/ike-$h/drop
done
# whoever may use the socket may not send root's files anywhere
chmod 666 $LAB/client-hosta/*.sock
mkdir -m 777 $LAB/anywhere
check_eq "only root says where the file goes" "$(on hosta setpriv --reuid 65534 --clear-groups "$BIN/rsip-client" strongswan \
	--state-dir $LAB/client-hosta --strongswan-dir $LAB/anywhere 2>&1 | grep -c 'only root'; ls $LAB/anywhere | wc -l)" "1
0"
check "host A: leased IKE ports, the default" strongswan hosta
check "host B: port 500" strongswan hostb --ike-ports 0 --ike-spis 8
check_eq "one file each, named after its lease" \
	"$(ls $LAB/ike-hosta/drop) $(ls $LAB/ike-hostb/drop)" \
	"rsip-binding-$(charon_binding hosta).conf rsip-binding-$(charon_binding hostb).conf"
port=$(file_says hosta port)
check_eq "host B's file says nothing of ports" "$(file_says hostb port)" ""
check "the IKE ports are not given to programs by chance" eval \
	'[ "$(inside hosta sysctl -n net.ipv4.ip_local_port_range | cut -f 1)" != "$port" ]'

ike_peer
for h in hosta hostb; do
	ike_conf $h $POOL $PEER
	echo "include $LAB/ike-$h/drop/*.conf" >>$LAB/ike-$h/strongswan.conf
	sed -i 's/default = 1/default = 1\n\t\t\t\tknl = 2/' $LAB/ike-$h/strongswan.conf
	ike_start $h inside $h || lab_abort "charon on $h: $(tail -n 3 $LAB/ike-$h/out)"
	check "$h: IKE_SA" ike_initiate $h
done
ike_sas peer >$LAB/sas
check_eq "the peer sees host A at its leased port" "$(grep -c "'hosta' @ ${POOL//./\\.}\[$port\]" $LAB/sas)" 1
check_eq "the peer sees host B at port 500" "$(grep -c "'hostb' @ ${POOL//./\\.}\[500\]" $LAB/sas)" 1
labels() { ike_sas "$1" | grep -o '[0-9a-f]\{16\}_i\*' | cut -c 1-8; }
for h in hosta hostb; do check_eq "$h: its IKE SPI carries its label" "0x$(labels $h)" "$(told $h label)"; done
check_eq "so no cookie had to be learned" "$(stat_of cookie-claimed)" 0
check_eq "no NAT was found" "$(cat $LAB/ike-*/charon.log | grep -c -i 'nat.*\(detected\|behind\)')" 0

# connections that cannot work on a shared address are refused before anything is left behind
sed 's/id = hosta/auth = psk/' $LAB/ike-hosta/swanctl.conf >$LAB/no-id.conf
check_eq "a connection without local.id is refused, and what works stays" \
	"$(strongswan hosta --conns $LAB/no-id.conf 2>&1 | grep -c 'refused.*local.id is missing'; files hosta)" "1
1"
check "what is no more than surprising is explained" eval 'strongswan hosta --conns <(sed "s/mobike = no//" \
	$LAB/ike-hosta/swanctl.conf | tee $LAB/mobike.conf) >/dev/null; strongswan hosta --conns $LAB/mobike.conf 2>&1 |
	grep -q "note: connection peer: mobike = yes"'

# --check: what comes back from the peer, while charon sits on the port
path() { client hosta strongswan --check $PEER --json | js "d['$1']"; }
check_eq "--check: IKE comes back" "$(path ike)" answered
esp=unreachable # a kernel without ESP refuses the protocol
on peer ip xfrm state add src $PEER dst $POOL proto esp spi 0x1000 enc 'cipher_null' '' 2>/dev/null && {
	esp=no-sa
	on peer ip xfrm state flush
}
check_eq "--check: ESP reaches the peer, which says what it knows" "$(path esp)" $esp
check "a table of the peer's firewall" on peer nft add table ip f
on peer nft 'add chain ip f in { type filter hook input priority 0; }'
on peer nft add rule ip f in udp dport 500 drop
check_eq "--check: a firewall in the way of IKE" "$(path ike)" silent
on peer nft delete table ip f

# an SPI as charon gets it from the kernel, for a CHILD_SA (which a kernel without ESP then refuses)
spi_of_child() {
	ike_ctl "$1" --initiate --child net --timeout 5 >/dev/null 2>&1
	grep -o 'got SPI [0-9a-f]*' $LAB/ike-"$1"/charon.log | tail -n 1 | cut -d ' ' -f 3
}
in_range() { # NODE SPI
	[ -n "$2" ] && [ $((0x$2)) -ge $(($(file_says "$1" spi_min))) ] && [ $((0x$2)) -le $(($(file_says "$1" spi_max))) ]
}
sed -i 's/childless = force/childless = allow/; s/mobike = no/&\n\t\t\tchildren { net { esp_proposals = aes128gcm16 } }/' $LAB/ike-{hosta,peer}/swanctl.conf
for h in peer hosta; do ike_ctl $h --load-conns --file $LAB/ike-$h/swanctl.conf >/dev/null; done
spi=$(spi_of_child hosta)
check "host A: charon takes SPIs from the leased range ($spi)" in_range hosta "$spi"
before="$(told hosta port) $(told hosta label) $(file_says hosta spi_min)"
check "host A: the range grows while charon runs" strongswan hosta --ike-spis 64
check_eq "ports and label stay" "$(told hosta port) $(told hosta label)" "${before% *}"
check "the range has moved" [ "$(file_says hosta spi_min)" != "${before##* }" ]
check_eq "64 SPIs" $(($(file_says hosta spi_max) - $(file_says hosta spi_min) + 1)) 64
spi=$(spi_of_child hosta)
check "the running charon takes its SPIs from the new range ($spi)" in_range hosta "$spi"
check_eq "charon need not restart" "$(told hosta charon-must-restart)" False
check_eq "other IKE ports while it is on are refused" \
	"$(strongswan hosta --ike-ports 0 2>&1 | grep -c 'with other IKE ports')" 1

written=$(cat $LAB/ike-hosta/drop/*.conf)
check "host A renews" renew hosta
check_eq "nothing changes by that" "$(cat $LAB/ike-hosta/drop/*.conf)" "$written"

# killed and started again: the same file; killed and taken down: none
client_killed hosta
check_eq "the file outlives a client that was killed" "$(files hosta)" 1
check "host A, started again" host_up hosta --ports 8 --lease 6
check_eq "the same file" "$(cat $LAB/ike-hosta/drop/*.conf)" "$written"

for h in hosta hostb; do ike_ctl $h --terminate --ike peer >/dev/null 2>&1; done
check_eq "nothing was dropped" "$(drops)" 0
kill "$(on peer ss -Hlunp 'sport = :500' | grep -o 'pid=[0-9]*' | head -n 1 | cut -d = -f 2)"
charon_gone() { ! on peer ss -Hlun 'sport = :500' | grep -q .; }
check "the peer's charon ends" wait_for 10 charon_gone
check_eq "--check: a peer without IKE" "$(path ike)" unreachable

# by hand: changed or removed, the file comes back (host A's charon runs, host B's, too; it does not matter)
written=$(cat $LAB/ike-hosta/drop/*.conf) file=$(told hostb file)
echo "charon { spi_min = 0x1 }" >>"$(told hosta file)"
rm "$file"
check "a file that was changed by hand is written again" wait_for 15 eval '[ "$(cat $LAB/ike-hosta/drop/*.conf)" = "$written" ]'
check "so is one that was removed" wait_for 15 test -s "$file"
check "the client says so" eval 'grep -q "somebody has changed" $LAB/client-hosta/client.log && grep -q "somebody has removed" $LAB/client-hostb/client.log'

# the gateway takes host B's binding back
bind=$(charon_binding hostb)
ctl binding remove "$bind" >/dev/null
gone() { [ ! -e "$LAB/ike-hostb/drop/rsip-binding-$bind.conf" ]; }
check "the file goes with its lease" wait_for 5 gone
anew() { [ "$(files hostb)" = 1 ]; }
check "and comes with the next" wait_for 10 anew
check_eq "--off removes the file" "$(strongswan hostb --off; echo $? "$(files hostb)")" "0 0"
check "and gives the SPIs back" wait_for 5 eval '[ "$(client hostb status --json | js "[b for b in d[\"bindings\"] if b[\"spis\"]]")" = "[]" ]'

# folders that cannot be written to: said, and nothing stays; one that comes to be read-only
none() { [ "$(client hostb status --json | js '"strongswan" in d, [b for b in d["bindings"] if b["spis"]]')" = "(False, [])" ]; }
refused() { # FOLDER WHY
	check_eq "$2: refused, with what to do" "$(strongswan hostb --strongswan-dir "$1" 2>&1 |
		grep -c "cannot write $1/rsip-binding-[0-9]*.conf: $2: is strongSwan installed")" 1
	check "$2: nothing stays" wait_for 20 none
}
refused $LAB/nowhere "No such file or directory"
mkdir $LAB/drop-ro && mount -t tmpfs -o ro tmpfs $LAB/drop-ro
refused $LAB/drop-ro "Read-only file system"
mount -o remount,rw $LAB/drop-ro
check "host B, again in a folder of its own" strongswan hostb --strongswan-dir $LAB/drop-ro --strongswan-vici $LAB/no-charon
mount -o remount,ro $LAB/drop-ro
strongswan hostb --off
check "a file that cannot be removed with its lease: the log says what that means" wait_for 20 \
	grep -q "cannot remove $LAB/drop-ro/.*: its SPIs and ports are not this host's any more" $LAB/client-hostb/client.log
mount -o remount,rw $LAB/drop-ro
check "the next one removes it" eval 'strongswan hostb --strongswan-dir $LAB/drop-ro --strongswan-vici $LAB/no-charon &&
	[ "$(ls $LAB/drop-ro | wc -l)" = 1 ]'
check_eq "without a charon that runs, too" "$(strongswan hostb --off; ls $LAB/drop-ro | wc -l)" 0

# a file of a past that ended without a word (power cut): removed by the next client with this state folder
cp $LAB/ike-hosta/drop/*.conf $LAB/ike-hosta/drop/rsip-binding-1.conf
sed "1s/$/-of-another/" $LAB/ike-hosta/drop/rsip-binding-1.conf >$LAB/ike-hosta/drop/rsip-binding-2.conf
client hosta down
check_eq "down removes its file" "$(cd $LAB/ike-hosta/drop && echo *)" "rsip-binding-1.conf rsip-binding-2.conf"
host_up hosta --ports 8 --strongswan yes --strongswan-dir $LAB/ike-hosta/drop --strongswan-vici $LAB/ike-hosta/vici
check_eq "a stale file of its own goes, another's stays" \
	"$(cd $LAB/ike-hosta/drop && ls | grep -c . | tr '\n' ' ')$(ls $LAB/ike-hosta/drop/rsip-binding-2.conf)" \
	"2 $LAB/ike-hosta/drop/rsip-binding-2.conf"
rm $LAB/ike-hosta/drop/rsip-binding-2.conf

# the second charon of rsip-charon.service, by the unit's own words, beside one of the machine's own
unit() { sed -n "s/^$1=//p" "$TREE/packaging/rsip-charon.service" | head -n 1; }
second_charon() {
	mkdir -p /run/rsip-charon $LAB/etc
	sed "s,/etc/rsip/charon/,$LAB/ike-hosta/drop/," "$TREE/packaging/charon.conf" >$LAB/etc/charon.conf
	# shellcheck disable=SC2016
	start hosta second.log "$BIN/rsip-client" exec --state-dir $LAB/client-hosta -- \
		unshare --mount --propagation private sh -c '
		mkdir /tmp/$$ && mount --bind /run/rsip-charon /tmp/$$ && mount -t tmpfs tmpfs '"$(unit TemporaryFileSystem)"' &&
		mkdir /run/rsip-charon && mount --move /tmp/$$ /run/rsip-charon && rmdir /tmp/$$ &&
		mkdir -p '"$LAB"' && mount -c --bind . '"$LAB"' &&
		STRONGSWAN_CONF='"$LAB"'/etc/charon.conf exec '"$(unit ExecStart)"
	second=$STARTED
}
(cd $LAB && mkdir -p ike-own && ike_conf own 10.99.0.11 $PEER && ike_start own nsenter "--net=/run/netns/$(ns hosta)") ||
	not_ok "the machine's own charon: $(cat $LAB/ike-own/out)"
cd $LAB && second_charon
check "a second charon starts as rsip-charon.service starts it" wait_for 40 test -S "$(unit BindPaths)/vici"
check "and answers at its own socket" swanctl --stats --uri "unix://$(unit BindPaths)/vici"
check "while the machine's own goes on" ike_ctl own --stats
label=$(told hosta label)
cd $LAB && ike_conf hosta $POOL $PEER
rm -f $LAB/ike-peer/vici # of the one before
ike_start peer nsenter "--net=/run/netns/$(ns peer)"
second_initiates() {
	swanctl --load-all --noprompt --uri "unix://$(unit BindPaths)/vici" --file $LAB/ike-hosta/swanctl.conf &&
		timeout 20 swanctl --initiate --ike peer --uri "unix://$(unit BindPaths)/vici"
}
wait_for 15 second_initiates
check_eq "the second charon has the lease's label" \
	"0x$(swanctl --list-sas --uri "unix://$(unit BindPaths)/vici" | grep -o '[0-9a-f]\{16\}_i\*' | cut -c 1-8)" "$label"
kill $second

client hosta down
client hostb down
check_eq "no binding is left" "$(bindings)" ""
check_eq "no file is left" "$(cat $LAB/ike-host*/drop/*.conf 2>/dev/null)" ""
lab_end
