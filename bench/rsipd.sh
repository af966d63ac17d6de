#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# How many leases rsipd grants, how fast, and what a request costs it, with the lease store on a disk.  rsipd and the
# load share this machine.  Prints JSON lines; docs/performance.md explains them.
#   BENCH_STORE=FOLDER   where the store lies (default /var/tmp; a disk, or the numbers mean nothing)
#   BENCH_FLUSH_US=N     not a disk but memory, with a flush that takes so long: what other work does to the disk is left out
#   BENCH_LIVE="N..."    live bindings to fill up to (default 1000 100000 1000000)
#   BENCH_RUNS="N..."    hosts that are busy at the same time (default 1 100 256 10000)
#   BENCH_OVERLOAD="N..." times its capacity, as 256 busy hosts had it, are offered (default 2 4)
#   BENCH_STORM=N        hosts that ask all at once (default 20000; empty: none)
#   BENCH_SECONDS=N      of each run (default 10)
. "$(dirname "$0")/../tests/lab/lib.sh"
lab_enter "$@"
[ -z "${BENCH_FLUSH_US:-}" ] || BENCH_STORE=${BENCH_STORE:-/dev/shm}
STORE=$(mktemp -d "${BENCH_STORE:-/var/tmp}/rsip-bench-XXXXXX") || lab_abort "no folder for the store"
chmod 755 "$STORE"
trap 'rm -rf "$STORE"' EXIT
LOAD=${BENCH_BIN:-$TREE/$O}/bench/rsipd_load
LAB_STORE=$STORE/store/leases.sqlite
LAB_TOP='"local_networks": [ "10.99.0.0/24" ],'
LAB_POOL='{ "name": "bench", "addresses": [ "203.0.113.0/26" ], "methods": [ "RSAP-IP" ] }'
LAB_CLIENTS='"10.98.0.0/16", "10.99.0.0/24"'
LAB_LIMITS='"messages_per_second": 1000000, "clients": 100000, "bindings_per_client": 64'
LAB_LEASES='"default": 86400, "registration": 86400'

sizes() { # the data plane of the lab, large
	sed -i 's/"dataplane": {/& "max_bindings": 1200000, "max_addresses": 64, /' $LAB/rsipd.json
}
network() {
	on hosta ip route add local 10.98.0.0/16 dev lo
	on gw ip route add 10.98.0.0/16 via $HOSTA
}
lab_net || lab_abort "cannot build the network"
network
lab_conf
sizes
loader attach --config $LAB/rsipd.json >$LAB/attach.log 2>&1 || lab_abort "rsip-loader attach: $(cat $LAB/attach.log)"
slow=$TREE/$O/bench/slow_flush.so
[ -z "${BENCH_FLUSH_US:-}" ] || { export BENCH_FLUSH_US LD_PRELOAD=$slow; }
rsipd_start
"$PY" "$(dirname "$0")/flush.py" "$STORE" # what a flush costs here and now
unset LD_PRELOAD
load() { # NAME OPTION...
	result=$(on hosta "$LOAD" --pid $RSIPD --seconds "${BENCH_SECONDS:-10}" "${@:2}")
	printf '{"run": "%s", "result": %s}\n' "$1" "$result"
}
for n in ${BENCH_RUNS-1 100 256 10000}; do
	load "cycle, $n hosts" --hosts $((n < 256 ? n : n < 4096 ? 4096 : n)) --busy "$n"
done
for live in ${BENCH_LIVE-1000 100000 1000000}; do
	hosts=$((live < 60000 ? live : 60000))
	load "fill to $live" --mode fill --hosts $hosts --busy 256 --binds $(((live + hosts - 1) / hosts)) --leases "$live"
	load "cycle, 256 hosts, $live live" --net 10.98.240.0 --hosts 2048 --busy 256
done
if [ -n "${BENCH_OVERLOAD-2 4}" ]; then
	load "capacity: cycle, 256 hosts" --hosts 4096 --busy 256
	capacity=$(js 'int(d["leases_per_s"])' <<<"$result")
	for times in ${BENCH_OVERLOAD-2 4}; do
		load "$times times as many" --hosts 60000 --busy 60000 --rate $((capacity * times))
		js '"%d of %d leases/s: %.0f %%" % (d["leases_per_s"], '"$capacity"', 100 * d["leases_per_s"] / '"$capacity"')' <<<"$result"
	done
fi
[ -z "${BENCH_STORM-20000}" ] || load "${BENCH_STORM-20000} at once" --hosts 60000 --busy "${BENCH_STORM-20000}"
ctl --json stats | js '{k: v for k, v in d.get("arguments", d)["transport"].items() if k.startswith("udp")}'
ctl --json status | js 'd.get("arguments", d)["store"]'
