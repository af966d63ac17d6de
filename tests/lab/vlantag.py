#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Frames whose VLAN tags are not in the frame, as a card leaves them that strips tags: on a machine without VLAN devices.

vlantag.py push DEV               a program at DEV's egress: the mark of a packet says what tags it gets, outer one in the lower
                                  half, inner one in the upper half.  Whether they then go into the frame is for DEV's txvlan.
vlantag.py send DEV FRAME         ten of each kind in KINDS, from the frame (hex) that has KIND in its text; then the last, "end"
vlantag.py hear DEV               after "end", or at SIGTERM what has come until then: {"kind tags": how many}; says "ready" first
"""
import collections
import json
import re
import signal
import socket
import struct
import subprocess
import sys
import time

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING, VLAN_VALID = 3, 263, 8, 4, 0x10
PIN = "/sys/fs/bpf/rsip-lab-vlantag"
CTAG, STAG = 0x8100, 0x88A8
PRIORITY = 0xA000  # 5, of VLAN 0: no VLAN
# What a frame's text says, and its mark.  VLAN 7; VLAN 7 in service VLAN 100; a priority alone, and before VLAN 7.
KINDS = {b"plain": 0, b"tagged": 7, b"qinq": 7 << 16 | 100, b"priority": PRIORITY, b"prioqinq": 7 << 16 | PRIORITY}


def insn(op, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", op, src << 4 | dst, off, imm)


def push_tag(proto, tci_from):
    """r1 = the packet, r2 = the protocol as on the wire, r3 = the tag; bpf_skb_vlan_push()"""
    return (insn(0xBF, 1, 6) + insn(0xB7, 2, imm=socket.htons(proto)) + insn(0xBF, 3, tci_from) + insn(0x85, imm=18))


def program():
    outer = insn(0xBF, 8, 7) + insn(0x57, 8, imm=0xFFFF)  # r8 = mark & 0xffff
    inner = insn(0x77, 7, imm=16)  # r7 = mark >> 16
    two = push_tag(CTAG, 7) + push_tag(STAG, 8)
    one = push_tag(CTAG, 8)
    end = insn(0xB7, 0, imm=-1) + insn(0x95)  # TC_ACT_UNSPEC: on to the next filter
    head = insn(0xBF, 6, 1) + insn(0x61, 7, 1, off=8)  # r7 = mark
    steps = [insn(0x15, 7, off=0, imm=0), outer, inner, insn(0x15, 7, off=0, imm=0), two, insn(0x05, off=0), one]
    n = [len(s) // 8 for s in steps]
    steps[0] = insn(0x15, 7, off=sum(n[1:]), imm=0)  # no mark: nothing to do
    steps[3] = insn(0x15, 7, off=n[4] + n[5], imm=0)
    steps[5] = insn(0x05, off=n[6])
    return head + b"".join(steps) + end


def push(dev):
    from bpfload import pin_program

    pin_program(PIN, 3, program())  # BPF_PROG_TYPE_SCHED_CLS
    subprocess.run(["tc", "qdisc", "replace", "dev", dev, "clsact"], check=True)
    subprocess.run(["tc", "filter", "add", "dev", dev, "egress", "prio", "1", "bpf", "da", "pinned", PIN], check=True)


def send(dev, frame):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((dev, 0))
    for _ in range(10):
        for kind, mark in KINDS.items():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            sock.send(frame.replace(b"KINDKIND", kind.ljust(8, b".")))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0)
    sock.send(frame.replace(b"KINDKIND", b"end....."))


def tags(data, ancillary):
    found = []
    for level, kind, aux in ancillary:
        if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", aux[:20])
            if status & VLAN_VALID:
                found.append("%x:%x" % (tpid, tci))
    at = 12
    while struct.unpack_from("!H", data, at)[0] in (CTAG, STAG):
        found.append("%x:%x" % struct.unpack_from("!HH", data, at))
        at += 4
    return " ".join(found) or "untagged"


def hear(dev):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.bind((dev, ETH_P_ALL))
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    print("ready", flush=True)
    seen, end = collections.Counter(), time.monotonic() + 40
    while time.monotonic() < end:
        sock.settimeout(0 if stop else 0.1)
        try:
            data, ancillary, _, (_, _, packet_type, *_) = sock.recvmsg(2048, 64)
        except (socket.timeout, BlockingIOError):
            if stop:
                break
            continue
        kind = re.search(rb"<(\w+)\.*>", data)
        if not kind or packet_type == PACKET_OUTGOING:
            continue
        if kind[1] == b"end":
            break
        seen["%s %s" % (kind[1].decode(), tags(data, ancillary))] += 1
    print(json.dumps(seen, sort_keys=True))


if sys.argv[1] == "push":
    push(sys.argv[2])
elif sys.argv[1] == "send":
    send(sys.argv[2], bytes.fromhex(sys.argv[3]))
else:
    hear(sys.argv[2])
