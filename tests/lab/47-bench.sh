#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The bench of the data plane still measures what it says: it ends with a failure where one packet of a line was not counted as
# that line's.  How long they took is nobody's business here.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"

mount -t tmpfs tmpfs /run && mkdir -p $LAB || lab_abort "no room for its output"

bench() { "$BIN/bench/plane" --bindings 100 --rounds 1 --no-path --json >$LAB/bench.json 2>$LAB/bench.err || ! cat $LAB/bench.err; }
check "the bench runs with few bindings, once" bench
figures() { # SECTION: its lines, each with the numbers of bindings that it has figures for
	"$PY" - "$1" $LAB/bench.json <<'P'
import json, sys
lines = {}
for f in json.load(open(sys.argv[2]))["figures"]:
    if f["section"] == sys.argv[1]:
        lines.setdefault(f["what"], []).append(str(f["bindings"]))
print("; ".join("%s: %s" % (what, " ".join(n)) for what, n in lines.items()))
P
}
want=
for line in "floor and one line of memory" "TCP in" "UDP in" "ESP in" "AH in" "IKE in, claimed" "IKE in, label" "fragment in" \
	"TCP out" "UDP out" "ESP out" "AH out" "IKE out, claimed" "fragment out" "TCP out, 4096 remotes" "TCP in, GRE" \
	"TCP out, GRE" "TCP in, IPv6 access" "TCP out, IPv6 access" "TCP in, L2TP (TC, one host)" "TCP out, L2TP (TC, one host)"; do
	want="$want${want:+; }$line: 100"
done
check_eq "a figure for each path" "$(figures "ns a packet over the floor")" "$want"
check_eq "and for memory" "$(figures "kernel memory")" \
	"a binding: 100; a binding, 64 CPUs: 100; a (host, address) with RSIPSEC: 100; an address: 100; all maps: 100"
lab_end
