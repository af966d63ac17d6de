#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Does this kernel's verifier take every BPF program of ours?  The data plane's as rsip-loader sets them up, behind XDP and
# alone on TC (the verifier sees other programs then), the host's by rsip-client, and each other object as it is.
# Last line: N passed, N failed, N skipped
# shellcheck source=tests/lab/lib.sh
. "$(dirname "$0")/../lab/lib.sh"
lab_enter "$@"
tool=$(PATH=$PATH:/usr/sbin command -v bpftool) || { skip "objects: bpftool is missing (make deps installs it)"; lab_end; }

loads() { # OBJECT: all its programs; the verifier's last words otherwise
	local dir
	dir=/sys/fs/bpf/objects-$(basename "$1" .bpf.o)
	mkdir -p "$dir"
	"$tool" prog loadall "$1" "$dir" 2>$LAB/verifier || { grep -v '^processed\|^libbpf: --' $LAB/verifier | tail -n 3; return 1; }
	ls "$dir" | wc -l
}
objects=("$BIN"/gen/*.bpf.o) verifier=$BIN/tests/bpf/test_verifier # lab_net goes on with copies of the programs alone
lab_net || lab_abort "cannot build the network"
for object in "${objects[@]}"; do
	case $object in */rsip_xdp.* | */rsip_tc.*) continue ;; esac # below
	check "$(basename "$object") loads on $(uname -r), programs" loads "$object"
done
for LAB_MODE in tc native; do
	lab_conf
	check "rsip-loader attaches the data plane, mode $LAB_MODE" loader attach --config $LAB/rsipd.json
	[ $LAB_MODE = native ] || check "and takes it off again" loader detach --config $LAB/rsipd.json
done
rsipd_start
for place in namespace host; do
	check "a host's tunnel in BPF, place $place" host_up hosta --ports 8 --place $place --tunnel bpf
	client hosta down >/dev/null 2>&1
done
# an older verifier may walk five times as far because of where a field lies
budgets() {
	"$verifier" --verbose >$LAB/budgets 2>&1 && return
	grep 'the budget' $LAB/budgets || tail -n 3 $LAB/budgets
	return 1
}
check "every program of the data plane keeps to its budget" budgets
lab_end
