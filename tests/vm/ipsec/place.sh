# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Where kernel IPsec can be had: on this machine, or in a VM with Debian's kernel.

have_ipsec() {
	local key=0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
	ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x1000 mode tunnel enc 'cbc(aes)' $key auth 'hmac(sha256)' $key 2>/dev/null &&
		ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto ah spi 0x1000 mode tunnel auth 'hmac(sha256)' $key 2>/dev/null
}
# ipsec_can: does this kernel have ESP and AH?  Asked in a namespace of its own.
ipsec_can() { unshare -n bash -c "$(declare -f have_ipsec); have_ipsec"; }

# vm_can SUITE: can this machine run a VM with that suite's kernel?  VM_KERNEL is its version; else WHY says why not.
vm_can() {
	local said=''
	WHY=
	if [ "${RSIP_VM:-}" = 1 ]; then WHY="this is one"
	elif [ "$(id -u)" != 0 ]; then WHY="needs root"
	elif [ "$(uname -m)" != x86_64 ]; then WHY="is for x86_64 only"
	elif ! command -v qemu-system-x86_64 >/dev/null; then WHY="needs qemu (packaging/deps.sh install vm)"
	elif ! said=$("$TREE/tests/vm/kernel.sh" "$1" 2>&1); then
		WHY="needs Debian's kernel, which cannot be had: ${said:-tests/vm/kernel.sh $1 failed}"
	fi
	VM_KERNEL=${said##*$'\n'}
	[ -z "$WHY" ]
}
# vm_run SUITE SECONDS COMMAND...: in such a VM
vm_run() { "$TREE/tests/vm/boot.sh" -s "$1" -t "$2" "${@:3}"; }
