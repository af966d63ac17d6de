#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# boot.sh [-s SUITE] [-o DIR] [-m MB] [-c CPUS] [-t SECONDS] [-i [-p SCRIPT]] [-T|-K] [-v] COMMAND [ARG...]
#
# Boots the kernel that kernel.sh fetched for SUITE (default bookworm) under qemu, with this machine's root file system
# as root (9p, read-only, under an overlay in memory: what the command writes is gone afterwards), runs COMMAND as root
# in the project's folder, streams its stdout and stderr, and exits with its exit status.
#   -c N    CPUs (default $VM_CPUS, else 2)
#   -o DIR  a folder of this machine that the VM may write: inside /mnt (and $VM_OUT)
#   -t N    stop the VM after N seconds (default 600): exit status 124
#   -i      systemd is process 1, and COMMAND a service of its, started when multi-user.target is up
#   -p S    with -i: script S (its path in the project) runs before systemd; none of this machine's own services is
#           enabled, so what S enables is what boots
#   -T, -K  TCG (software emulation) or KVM; without either, KVM where kvm_intel or kvm_amd drives /dev/kvm
#   -v      the console on stderr
# 125: the VM did not come up, or died.  No network device: the VM reaches nothing outside of itself.
set -euo pipefail
usage() { sed -n '3,16p' "$0" >&2; exit 2; }

suite=bookworm out='' mem=3000 cpus=${VM_CPUS:-2} limit=600 accel=auto verbose='' init='' prepare=''
while getopts s:o:m:c:t:p:iTKv f; do
	case $f in
	s) suite=$OPTARG ;; o) out=$OPTARG ;; m) mem=$OPTARG ;; c) cpus=$OPTARG ;; t) limit=$OPTARG ;;
	i) init=systemd ;; p) prepare=$OPTARG ;; T) accel=tcg ;; K) accel=kvm ;; v) verbose=1 ;; *) usage ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 1 ] || usage
tree=$(cd "$(dirname "$0")/../.." && pwd)
kernel=$tree/build/vm/$suite
[ -s "$kernel/initrd" ] || { echo "boot: no kernel yet: run tests/vm/kernel.sh $suite" >&2; exit 125; }
ver=$(cat "$kernel/version")

# A third driver, kvm_pvm, interprets an unmodified kernel's ring 0: it is slower than TCG, and dies.
if [ $accel = auto ]; then
	accel=tcg
	if [ -w /dev/kvm ] && { [ -e /sys/module/kvm_intel ] || [ -e /sys/module/kvm_amd ]; }; then accel=kvm; fi
fi
if [ $accel = kvm ]; then cpu=(-accel kvm -cpu host); else cpu=(-accel tcg,thread=multi -cpu max); fi

control=$(mktemp -d) qemu=
trap '[ -z "$qemu" ] || kill "$qemu" 2>/dev/null || :; rm -rf "$control"' EXIT
trap 'exit 130' INT TERM HUP

# ---- inside the VM -------------------------------------------------------------------------------------------------

environment() {
	echo 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TERM=dumb RSIP_VM=1'
	[ -z "$out" ] || echo 'export VM_OUT=/mnt'
	for v in O V LONG LABS LAB_KEEP VERDICTS RESULTS RSIP_COMMIT DEMO_TTY; do [ -z "${!v:-}" ] || printf 'export %s=%q\n' $v "${!v}"; done
}
mounts() {
	echo "mkdir -p /usr/lib/modules/$ver; mount --bind '$kernel/lib/modules/$ver' /usr/lib/modules/$ver"
	[ -z "$out" ] || echo 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=none out /mnt'
	echo 'echo 1 >/proc/sys/kernel/printk'
	# a Criterion program reads all of them when it starts, and each of its cases is a process; here nothing asks for them
	[ ! -s /etc/ssl/certs/ca-certificates.crt ] || echo 'mount --bind /dev/null /etc/ssl/certs/ca-certificates.crt'
}
command_script() { # what runs COMMAND, then ends the VM
	environment
	printf 'cd %q\n' "$tree"
	printf '( '
	printf '%q ' "$@"
	printf ') </dev/null >/dev/vport0p1 2>&1\n'
	echo 'echo $? >/run/vm/rc; sync -f /run/vm; echo b >/proc/sysrq-trigger; sleep 5'
}
command_script "$@" >"$control/command"
if [ -n "$init" ]; then
	cat >"$control/vm.service" <<-'UNIT'
		[Unit]
		Description=the command of this VM
		After=multi-user.target
		Wants=multi-user.target
		[Service]
		ExecStart=/bin/bash /run/vm/command
	UNIT
	{
		environment
		echo 'mount -t proc proc /proc; mount -t sysfs sys /sys'
		mounts
		echo 'rm -rf /etc/systemd/system/*.wants /lib/systemd/system/multi-user.target.wants'
		[ -z "$prepare" ] || printf '(cd %q && bash %q) >/run/vm/prepare.log 2>&1 || cat /run/vm/prepare.log >/dev/vport0p1\n' "$tree" "$prepare"
		echo 'mkdir -p /etc/tmpfiles.d; ln -sf /dev/null /etc/tmpfiles.d/tmp.conf' # the tree may be below /tmp
		echo 'mkdir -p /run/systemd/system; cp /run/vm/vm.service /run/systemd/system/'
		echo 'rm -f /etc/machine-id; systemd-machine-id-setup >/dev/null 2>&1; echo >/etc/fstab'
		echo 'exec /lib/systemd/systemd --unit=vm.service --show-status=no'
	} >"$control/stage2"
else
	{
		environment
		echo 'mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t bpf bpf /sys/fs/bpf'
		echo 'mount -t cgroup2 cg /sys/fs/cgroup; mount -t tracefs tracefs /sys/kernel/tracing'
		echo 'ln -sf /proc/self/fd /dev/fd; for n in 0:stdin 1:stdout 2:stderr; do ln -sf /proc/self/fd/${n%:*} /dev/${n#*:}; done'
		echo 'mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts; mount -t tmpfs shm /dev/shm'
		mounts
		echo 'modprobe -q tun' # its node comes with it: no udev here
		echo 'hostname vm; ip link set lo up'
		echo 'exec bash /run/vm/command'
	} >"$control/stage2"
fi

# ---- the machine -----------------------------------------------------------------------------------------------------

share() { # TAG PATH OPTIONS
	args+=(-fsdev "local,id=$1,path=$2,security_model=none$3" -device "virtio-9p-pci,fsdev=$1,mount_tag=$1")
}
# expedited: half of what a test waits for here are grace periods, around namespaces and devices
args=(-M q35 "${cpu[@]}" -smp "$cpus" -m "$mem" -nodefaults -no-user-config -no-reboot -display none
	-kernel "$kernel/vmlinux" -initrd "$kernel/initrd"
	-append "console=ttyS0 ${verbose:+ignore_loglevel} ${verbose:-quiet loglevel=1} panic=-1 reboot=t tsc=reliable random.trust_cpu=on mitigations=off net.ifnames=0 rcupdate.rcu_expedited=1"
	-serial "file:$control/console" -device virtio-serial-pci -device virtio-rng-pci
	-chardev "file,id=c1,path=$control/out" -device virtserialport,chardev=c1,nr=1,name=out)
share hostroot / ,readonly=on,multidevs=remap
share control "$control" ''
[ -z "$out" ] || { mkdir -p "$out"; share out "$(cd "$out" && pwd)" ''; }

mkfifo "$control/out"
cat "$control/out" & cat=$!
timeout -k 5 "$limit" qemu-system-x86_64 "${args[@]}" </dev/null 2>"$control/qemu.err" & qemu=$!
rc=0
wait $qemu || rc=$?
qemu=
if [ -s "$control/rc" ]; then wait $cat || :; else kill $cat 2>/dev/null || :; fi
grep -v multidevs "$control/qemu.err" >&2 || :
[ -z "$verbose" ] || cat "$control/console" >&2
if [ -s "$control/rc" ]; then exit "$(cat "$control/rc")"; fi
if [ $rc = 124 ]; then echo "boot: stopped after $limit s" >&2; exit 124; fi
echo "boot: the VM died; the end of its console:" >&2
tail -n 20 "$control/console" >&2
exit 125
