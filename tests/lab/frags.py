#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""frags.py: fragments made by hand, so that their order is ours.

  frags.py sink PORT                 prints "ready", then a line for each datagram: the text it begins with
  frags.py ask DST PORT COUNT SIZE   COUNT datagrams of SIZE bytes, one after the other, each awaited back; prints the lost
  frags.py tunnel DEV MAC SRC DST LOCAL PORT PEER SIZE [PIECE [DPORT TEXT]]
      from SRC to DST a tunnel packet in two fragments, whose identification is always the same (PIECE: one of them, 0 or 1); inside
      a datagram of SIZE bytes with DF from LOCAL and PORT to PEER
  frags.py hear                      prints "ready", then the MTU of each ICMP error that says one, and how long what it is about was
  frags.py send DEV MAC SRC DST PORT HOW COUNT TEXT [PORT TEXT]
      COUNT datagrams of 4,000 bytes (of each TEXT) in four fragments: forward, backward, shuffled, interleaved,
      overlap (the second fragment covers a part of the first), last-missing; flood: first fragments only
"""
import random
import socket
import struct
import sys
import time

import packets

SIZE, PIECE = 4000, 1024


def sink(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", port))
    print("ready", flush=True)
    while True:
        data = sock.recv(65535)
        text = data.rstrip(b".")
        print(text.decode() if len(data) == SIZE or text.isalpha() else "%d bytes" % len(data), flush=True)


def ask(dst, port, count, size):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(1)
    lost = 0
    for i in range(count):
        data = (b"%d " % i).ljust(size, b".")
        sock.sendto(data, (dst, port))
        try:
            while True:
                back = sock.recv(65535)
                if back == data:
                    break
        except socket.timeout:
            lost += 1
    print(lost)


def fragments(src, dst, port, text, ident, how):
    udp = struct.pack("!HHHH", 9, port, 8 + SIZE, 0) + text.encode().ljust(SIZE, b".")
    step = PIECE - 64 if how == "overlap" else PIECE
    pieces = []
    for off in range(0, len(udp), step):
        last = off + PIECE >= len(udp)
        body = udp[off:off + PIECE]
        pieces.append(packets.ip(src, dst, 17, body, ident=ident, frag=(0 if last else 0x2000) | off // 8))
        if last:
            break
    if how == "backward":
        pieces.reverse()
    elif how == "shuffled":
        random.shuffle(pieces)
    elif how == "last-missing":
        pieces.pop()
    elif how == "flood":
        pieces = pieces[:1]
    return pieces


def send(dev, mac, src, dst, port, how, count, text, port2=None, text2=None):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind((dev, 0))
    eth = bytes.fromhex(mac.replace(":", "")) + sock.getsockname()[4] + b"\x08\x00"
    base = random.randrange(65536)
    for i in range(int(count)):
        frames = fragments(src, dst, int(port), text, (base + 2 * i) & 0xffff, how)
        if port2:
            other = fragments(src, dst, int(port2), text2, (base + 2 * i + 1) & 0xffff, how)
            frames = [f for both in zip(frames, other[::-1]) for f in both]
        for f in frames:
            sock.send(eth + f)
        if how == "flood" and i % 64 == 63:
            time.sleep(0.002)


def tunnel(dev, mac, src, dst, local, port, peer, size, piece=None, dport=9, text=""):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    sock.bind((dev, 0))
    eth = bytes.fromhex(mac.replace(":", "")) + sock.getsockname()[4] + b"\x08\x00"
    udp = struct.pack("!HHHH", int(port), int(dport), int(size) - 20, 0) + text.encode().ljust(int(size) - 28, b"." if text else b"\0")
    inner = packets.ip(local, peer, 17, udp, ident=5, frag=0x4000)
    pieces = [(0, 800), (800, len(inner))]
    for off, end in pieces[int(piece):int(piece) + 1] if piece is not None else pieces:
        sock.send(eth + packets.ip(src, dst, 4, inner[off:end], ident=77, frag=(0 if end == len(inner) else 0x2000) | off // 8))


def hear():
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    print("ready", flush=True)
    while True:
        icmp = sock.recv(65535)[20:]
        if icmp[:2] == b"\x03\x04" and packets.checksum(icmp) == 0:
            print(*struct.unpack("!HHH", icmp[6:12])[::2], flush=True)


if sys.argv[1] == "sink":
    sink(int(sys.argv[2]))
elif sys.argv[1] == "ask":
    ask(sys.argv[2], *[int(x) for x in sys.argv[3:]])
elif sys.argv[1] == "tunnel":
    tunnel(*sys.argv[2:])
elif sys.argv[1] == "hear":
    hear()
else:
    send(*sys.argv[2:])
