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
file_says() { sed -n "s/^\t$2 = //p" $LAB/ike-"$1"/drop/*.conf; }
files() { ls $LAB/ike-"$1"/drop 2>/dev/null | wc -l; }

for h in hosta hostb; do
	host_up $h --ports 8 --lease 6 || lab_abort "$h: $(cat $LAB/client-$h.log)"
	mkdir -p $LAB/ike-$h/drop
done
check "host A: leased IKE ports, the default" strongswan hosta
check "host B: port 500" strongswan hostb --ike-ports 0 --ike-spis 8
spi_file() { client "$1" status --json | js '"rsip-binding-%d.conf" % [b["bind-id"] for b in d["bindings"] if b["spis"]][0]'; }
check_eq "one file each, named after its lease" "$(ls $LAB/ike-hosta/drop) $(ls $LAB/ike-hostb/drop)" \
	"$(spi_file hosta) $(spi_file hostb)"
port=$(file_says hosta port)
check_eq "host B's file says nothing of ports" "$(file_says hostb port)" ""
check "the IKE ports are not given to programs by chance" eval \
	'[ "$(inside hosta sysctl -n net.ipv4.ip_local_port_range | cut -f 1)" != "$port" ]'

ike_conf peer $PEER $POOL
ike_start peer nsenter "--net=/run/netns/$(ns peer)" || lab_abort "charon on the peer: $(tail -n 3 $LAB/ike-peer/out)"
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
pkill -KILL -f "rsip-client up .*--state-dir $LAB/client-hosta"
check_eq "the file outlives a client that was killed" "$(files hosta)" 1
check "host A, started again" host_up hosta --ports 8 --lease 6
check_eq "the same file" "$(cat $LAB/ike-hosta/drop/*.conf)" "$written"

# the gateway takes host B's binding back
bind=$(client hostb status --json | js '[b["bind-id"] for b in d["bindings"] if b["spis"]][0]')
ctl binding remove "$bind" >/dev/null
gone() { [ ! -e "$LAB/ike-hostb/drop/rsip-binding-$bind.conf" ]; }
check "the file goes with its lease" wait_for 5 gone
anew() { [ "$(files hostb)" = 1 ]; }
check "and comes with the next" wait_for 10 anew
check_eq "--off removes the file" "$(strongswan hostb --off; echo $? "$(files hostb)")" "0 0"
check "and gives the SPIs back" wait_for 5 eval '[ "$(client hostb status --json | js "[b for b in d[\"bindings\"] if b[\"spis\"]]")" = "[]" ]'

# a file of a past that ended without a word (power cut): removed by the next client with this state folder
cp $LAB/ike-hosta/drop/*.conf $LAB/ike-hosta/drop/rsip-binding-1.conf
sed "1s/$/-of-another/" $LAB/ike-hosta/drop/rsip-binding-1.conf >$LAB/ike-hosta/drop/rsip-binding-2.conf
client hosta down
check_eq "down removes its file" "$(cd $LAB/ike-hosta/drop && echo *)" "rsip-binding-1.conf rsip-binding-2.conf"
host_up hosta --ports 8 --strongswan yes --strongswan-dir $LAB/ike-hosta/drop --strongswan-vici $LAB/ike-hosta/vici
check_eq "a stale file of its own goes, another's stays" \
	"$(cd $LAB/ike-hosta/drop && ls | grep -c . | tr '\n' ' ')$(ls $LAB/ike-hosta/drop/rsip-binding-2.conf)" \
	"2 $LAB/ike-hosta/drop/rsip-binding-2.conf"
client hosta down
client hostb down
check_eq "no binding is left" "$(bindings)" ""
check_eq "no file is left" "$(cd $LAB && echo ike-host*/drop/*.conf)" "ike-hosta/drop/rsip-binding-2.conf"
check_eq "nothing was dropped" "$(drops)" 0
lab_end
