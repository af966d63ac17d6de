#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""xdp_pass.py DEV: puts a program that only says XDP_PASS on DEV, in native mode.

A veth receives what its other end redirects (or sends back with XDP_TX) only while it polls, and an XDP
program makes it poll.  The program is three instructions, loaded here so that the lab needs no compiler.
"""
import ctypes
import os
import struct
import subprocess
import sys

SYS_BPF = 321 if os.uname().machine == "x86_64" else 280
BPF_PROG_LOAD, BPF_OBJ_PIN, BPF_PROG_TYPE_XDP, XDP_PASS, BPF_F_XDP_HAS_FRAGS = 5, 6, 6, 2, 0x20
PIN = "/sys/fs/bpf/rsip-lab-pass"
libc = ctypes.CDLL(None, use_errno=True)


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr, max(len(attr), 128))
    fd = libc.syscall(SYS_BPF, cmd, buf, ctypes.sizeof(buf))
    if fd < 0:
        err = ctypes.get_errno()
        raise OSError(err, "bpf(%d): %s" % (cmd, os.strerror(err)))
    return fd


def load():
    insns = struct.pack("<BBhi", 0xB7, 0, 0, XDP_PASS) + struct.pack("<BBhi", 0x95, 0, 0, 0)
    code, licence = ctypes.create_string_buffer(insns), ctypes.create_string_buffer(b"Dual BSD/GPL")
    # no log; for any kernel; with frames of several buffers, for long MTUs
    return bpf(BPF_PROG_LOAD, struct.pack("<IIQQIIQII", BPF_PROG_TYPE_XDP, 2, ctypes.addressof(code),
                                          ctypes.addressof(licence), 0, 0, 0, 0, BPF_F_XDP_HAS_FRAGS))


if not os.path.exists(PIN):
    path = ctypes.create_string_buffer(PIN.encode())
    bpf(BPF_OBJ_PIN, struct.pack("<QI", ctypes.addressof(path), load()))
sys.exit(subprocess.call(["ip", "link", "set", "dev", sys.argv[1], "xdpdrv", "pinned", PIN]))
