#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""xdp_pass.py DEV: puts a program that only says XDP_PASS on DEV, in native mode.

A veth receives what its other end redirects (or sends back with XDP_TX) only while it polls, and an XDP
program makes it poll.
"""
import struct
import subprocess
import sys

from bpfload import pin_program

BPF_PROG_TYPE_XDP, XDP_PASS, BPF_F_XDP_HAS_FRAGS = 6, 2, 0x20
PIN = "/sys/fs/bpf/rsip-lab-pass"

# with frames of several buffers, for long MTUs
pin_program(PIN, BPF_PROG_TYPE_XDP, struct.pack("<BBhi", 0xB7, 0, 0, XDP_PASS) + struct.pack("<BBhi", 0x95, 0, 0, 0),
            BPF_F_XDP_HAS_FRAGS)
sys.exit(subprocess.call(["ip", "link", "set", "dev", sys.argv[1], "xdpdrv", "pinned", PIN]))
