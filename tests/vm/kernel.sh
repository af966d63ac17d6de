#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kernel.sh SUITE     SUITE: bookworm (6.1) | bookworm-backports (6.12) | trixie
#
# Downloads Debian's linux-image-amd64 of SUITE with the machine's own apt configuration, unpacks it (no postinst,
# nothing installed, no bootloader) and builds a small initramfs.  Result, reused by later calls:
#   build/vm/SUITE/{vmlinux,initrd,version,config,lib/modules/VERSION}
# Needs the packages of tests/vm/packages.txt, and root, as apt does.
set -euo pipefail
[ $# = 1 ] || { sed -n '3,8p' "$0" >&2; exit 2; }
for c in depmod cpio busybox zstd xz; do
	PATH=$PATH:/usr/sbin:/sbin command -v $c >/dev/null || { echo "kernel: $c is missing: make test-vm installs it" >&2; exit 1; }
done
suite=$1
here=$(cd "$(dirname "$0")" && pwd)
dir=$(cd "$here/../.." && pwd)/build/vm/$suite
if [ -s "$dir/vmlinux" ] && [ -s "$dir/initrd" ] && [ "$dir/initrd" -nt "$here/initramfs-init" ]; then
	cat "$dir/version"; exit 0
fi
mkdir -p "$dir"
export PATH=$PATH:/usr/sbin:/sbin
export APT_LISTCHANGES_FRONTEND=none

if [ ! -s "$dir/vmlinux" ]; then
	# A private apt state holding just this suite, so that the system's package choice is left alone.
	st=$dir/apt; mkdir -p "$st/lists/partial" "$st/cache/archives/partial" "$st/src"
	# The machine's first Debian source, in deb822 or one-line form, with the suite changed.
	uri=$(sed -n 's/^URIs: *//p; s/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\)  *[a-z-]*  *main.*/\2/p' \
		/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | head -1) || true
	[ -n "$uri" ] || { echo "kernel: no Debian source in apt's configuration" >&2; exit 1; }
	printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n' \
		"$uri" "$suite" > "$st/src/vm.sources"
	apt=(-q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$st/src" -o Dir::State::lists="$st/lists"
	     -o Dir::Cache="$st/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none
	     -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20) # without a network: soon
	apt-get "${apt[@]}" update >"$dir/apt.log" 2>&1 || { tail -3 "$dir/apt.log" >&2; exit 1; }
	pkg=$(apt-cache "${apt[@]}" --no-all-versions show linux-image-amd64 2>/dev/null |
		sed -n 's/^Depends: \(linux-image-[^ ,]*\).*/\1/p' | head -1) || :
	[ -n "$pkg" ] || { # apt-get update is content with an archive that it cannot reach
		echo "kernel: no linux-image-amd64 in $suite; $(grep '^[WE]:' "$dir/apt.log" | head -n 1)" >&2
		exit 1
	}
	rm -rf "$dir/x"; mkdir "$dir/x"
	(cd "$dir/x" && apt-get "${apt[@]}" download "$pkg" >>"$dir/apt.log" 2>&1 && dpkg -x ./*.deb . && rm -f ./*.deb) ||
		{ tail -3 "$dir/apt.log" >&2; exit 1; }
	ver=${pkg#linux-image-}
	rm -rf "${dir:?}/lib"; mkdir -p "$dir/lib"
	if [ -d "$dir/x/usr/lib/modules" ]; then mv "$dir/x/usr/lib/modules" "$dir/lib/"; else mv "$dir/x/lib/modules" "$dir/lib/"; fi
	depmod -b "$dir" "$ver"
	mv "$dir/x/boot/config-$ver" "$dir/config"
	# The uncompressed ELF kernel has a PVH entry point, which qemu starts directly: no firmware, and no decompression,
	# which takes 4 seconds under software emulation.
	z=$dir/x/boot/vmlinuz-$ver; rm -f "$dir/vmlinux"
	for try in 'xz:\xfd7zXZ\x00:xz -dc' 'zstd:\x28\xb5\x2f\xfd:zstd -dcq' 'gzip:\x1f\x8b\x08:gzip -dc'; do
		IFS=: read -r _ magic unpack <<<"$try"
		for off in $(LC_ALL=C grep -abo -P "$magic" "$z" | cut -d: -f1); do
			tail -c +$((off + 1)) "$z" | $unpack > "$dir/vmlinux.new" 2>/dev/null || :
			if [ "$(head -c 4 "$dir/vmlinux.new" | tail -c 3)" = ELF ]; then mv "$dir/vmlinux.new" "$dir/vmlinux"; break 2; fi
		done
	done
	rm -f "$dir/vmlinux.new"
	[ -s "$dir/vmlinux" ] || { echo "cannot unpack $z" >&2; exit 1; }
	echo "$ver" > "$dir/version"
	rm -rf "$dir/x" "$st" "$dir/apt.log"
fi

# The initramfs: busybox, the init script, and just the modules that reach the 9p root, in load order.
ver=$(cat "$dir/version")
i=$dir/initramfs; rm -rf "$i"; mkdir -p "$i"/{bin,mods,dev,proc,sys,root}
cp /bin/busybox "$i/bin/busybox"
for a in sh mount insmod mkdir cat echo uname reboot switch_root sleep ls; do ln -s busybox "$i/bin/$a"; done
cp "$here/initramfs-init" "$i/init"; chmod 755 "$i/init"
n=10
for m in virtio_pci virtio_console 9pnet_virtio 9p overlay; do
	while read -r kind path _; do
		[ "$kind" = insmod ] || continue
		b=$(basename "$path"); b=${b%.xz}; b=${b%.zst}
		grep -qsx "$b" "$i/mods/.seen" && continue
		echo "$b" >> "$i/mods/.seen"
		case $path in *.xz) xz -dc "$path" ;; *.zst) zstd -dcq "$path" ;; *) cat "$path" ;; esac > "$i/mods/$n-$b"
		n=$((n + 1))
	done < <(modprobe -d "$dir" -S "$ver" --show-depends "$m" 2>/dev/null)
done
rm -f "$i/mods/.seen"
(cd "$i" && find . | cpio -o -H newc --quiet | gzip -1) > "$dir/initrd.new"
mv "$dir/initrd.new" "$dir/initrd"; rm -rf "$i"
echo "$ver"
