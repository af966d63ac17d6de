#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# "No change to the machine that down does not undo": all of the host that a client could change is noted before `up` and
# compared after `down`, in each way that it can work; also where the client was killed and `up` came between, or `down` came
# alone, or the settings were edited to another place, device or tunnel meanwhile.
. "$(dirname "$0")/lib.sh"
. "$LAB_SRC/machine.sh"
lab_enter "$@"
LAB_LEASES='"default": 1800, "hold": 0'
lab_up
mkdir -p $LAB/drop
on hosta sysctl -qw net.ipv4.ip_local_reserved_ports=4000-4003 net.ipv4.ip_unprivileged_port_start=80 # an administrator's own
up() { host_up hosta --ports 8 --strongswan-dir $LAB/drop "$@"; }
up && client hosta down # what the first one leaves for good (the folder) is no change
now() { machine hosta; ls $LAB/drop; bindings; }
now >$LAB/before
same() { now >$LAB/after; diff $LAB/before $LAB/after; }
touched() { ! same >/dev/null; }
# cycle WHAT COMMAND...: the machine is another one while it is up, and the same after COMMAND
cycle() {
	local what=$1
	shift
	"$@" >$LAB/cycle.log 2>&1 || { not_ok "$what: $(tail -n 2 $LAB/cycle.log)"; return; }
	check "$what" same || diff $LAB/before $LAB/after | head -n 20
}
ways() { # OPTION...
	local what="${*:-in a namespace}"
	up "$@" || { not_ok "$what: $(tail -n 2 $LAB/client-hosta.log)"; return; }
	check "$what: up changes what is looked at" touched
	cycle "$what: down undoes it" client hosta down
	up "$@" && client_killed hosta && up "$@" || not_ok "$what: $(tail -n 2 $LAB/client-hosta.log)"
	cycle "$what: killed, up, down" client hosta down
	up "$@" && client_killed hosta || not_ok "$what: $(tail -n 2 $LAB/client-hosta.log)"
	cycle "$what: killed, down" client hosta down
}
ways
ways --tunnel bpf --transport tcp
ways --tunnel-type GRE --strongswan yes
ways --place host
ways --place host --route remote
edited() { # WHAT BEFORE... -- AFTER...
	local was=() what=$1
	shift
	while [ "$1" != -- ]; do was+=("$1"); shift; done
	shift
	up "${was[@]}" && client_killed hosta || not_ok "$what: $(tail -n 2 $LAB/client-hosta.log)"
	up "$@" || not_ok "$what: up: $(tail -n 2 $LAB/client-hosta.log)"
	cycle "killed, $what, up, down" client hosta down
}
edited "another device" --device rsip-a -- --device rsip-b
edited "another device beside the host" --place host --device rsip-a -- --place host --device rsip-b
edited "from beside the host to a namespace" --place host --route remote -- --place namespace
edited "from a namespace to beside the host" --place namespace -- --place host
edited "another tunnel" --tunnel-type GRE -- --tunnel bpf
edited "no kernel device any more" --tunnel auto -- --tunnel bpf
edited "a strongSwan no longer" --strongswan yes -- --strongswan no
edited "route bound again" --place host --route remote -- --place host --route bound
lab_end
