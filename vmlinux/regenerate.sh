#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Writes vmlinux.h anew from a kernel's BTF: the types that keep.txt names and what they contain.
# CO-RE relocates each access at load time, so any kernel will do that has these types.
#
# usage: vmlinux/regenerate.sh [BTF]        (default: the running kernel's, /sys/kernel/btf/vmlinux)
set -eu
PATH=$PATH:/usr/sbin:/sbin
here=$(dirname "$0")
btf=${1:-/sys/kernel/btf/vmlinux}
full=$(mktemp)
trap 'rm -f "$full" "$here/vmlinux.h.new"' EXIT

bpftool btf dump file "$btf" format c > "$full" || {
	echo "cannot read the kernel's types: $btf (needs bpftool and CONFIG_DEBUG_INFO_BTF)" >&2
	exit 1
}

# The dump is paragraphs, each one type, in an order that compiles.  Pass 1 finds what must stay, pass 2 prints it.
awk -v keep="$here/keep.txt" '
function name_of(text,    s) {
	if (text ~ /^typedef /) {
		s = text
		if (match(s, /\(\*[A-Za-z0-9_]+\)/))
			return substr(s, RSTART + 2, RLENGTH - 3)
		sub(/(\[[0-9]+\])*;[ \n]*$/, "", s)
		sub(/^.*[ *}]/, "", s)
		return s
	}
	if (match(text, /^(struct|union|enum) [A-Za-z0-9_]+ \{/)) {
		split(text, w, " ")
		return w[2]
	}
	return ""
}
function want(name,    lines, n, i, l, w, k, m) {
	if (!(name in body) || (name in wanted))
		return
	wanted[name] = 1
	n = split(body[name], lines, "\n")
	for (i = 1; i <= n; i++) {
		l = lines[i]
		if (l ~ /\*/ && l !~ /^typedef/)
			continue # a pointer needs no definition
		if (l !~ /^typedef/)
			sub(/[A-Za-z0-9_]+(\[[0-9]+\])*( *: *[0-9]+)?[;,][^;]*$/, "", l) # the member, not its type
		gsub(/[^A-Za-z0-9_]+/, " ", l)
		m = split(l, w, " ")
		for (k = 1; k <= m; k++)
			if (w[k] != name)
				want(w[k])
	}
}
BEGIN {
	while ((getline line < keep) > 0)
		if (line !~ /^#/ && line != "") {
			if (line ~ /^anon /)
				anon[substr(line, 6)] = 1
			else
				list[++lists] = line
		}
	RS = ""
}
{
	text[NR] = $0
	name = name_of($0)
	if ($0 ~ /^(typedef |(struct|union|enum) [A-Za-z0-9_]+ \{)/ && name != "" && !(name in body)) {
		body[name] = $0
		names[NR] = name
	}
	if ($0 ~ /^enum \{/) {
		split($0, part, "\n")
		for (i in part) {
			p = part[i]
			gsub(/[ \t]/, "", p)
			sub(/[=,].*/, "", p)
			if (p in anon)
				forced[NR] = 1
		}
	}
}
END {
	for (i = 1; i <= lists; i++)
		want(list[i])
	print "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */"
	print "/* Kernel types for CO-RE, written by regenerate.sh from keep.txt: do not edit. */"
	print "#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n"
	print "#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)\n"
	for (i = 1; i <= NR; i++)
		if ((i in forced) || ((i in names) && (names[i] in wanted)))
			print text[i] "\n"
	print "#pragma clang attribute pop\n\n#endif"
}' "$full" > "$here/vmlinux.h.new"
mv "$here/vmlinux.h.new" "$here/vmlinux.h"
