#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Writes vmlinux.h anew from the running kernel's type information.  The programs are relocated when they are
# loaded (CO-RE), so this is needed only when they begin to use a type that the file does not hold.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin
[ -r /sys/kernel/btf/vmlinux ] || { echo "regenerate: this kernel has no BTF (/sys/kernel/btf/vmlinux)" >&2; exit 1; }
bpftool btf dump file /sys/kernel/btf/vmlinux format c >vmlinux.h.new
mv vmlinux.h.new vmlinux.h
wc -l vmlinux.h
