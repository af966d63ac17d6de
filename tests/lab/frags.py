#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""frags.py: fragments made by hand, so that their order is ours.

  frags.py sink PORT                 prints "ready", then a line for each datagram: the text it begins with
  frags.py ask DST PORT COUNT SIZE   COUNT datagrams of SIZE bytes, one after the other, each awaited back; prints the lost
  frags.py send DEV MAC SRC DST PORT HOW COUNT TEXT [PORT TEXT]
      COUNT datagrams of 4,000 bytes (of each TEXT) in four fragments: forward, backward, shuffled, interleaved,
      overlap (the second fragment covers a part of the first), last-missing; flood: first fragments only
"""
import random
import socket
import struct
import sys
import time

SIZE, PIECE = 4000, 1024


def sink(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", port))
    print("ready", flush=True)
    while True:
        data = sock.recv(65535)
        text = data.rstrip(b".")
        print(text.decode() if len(data) == SIZE else "%d bytes" % len(data), flush=True)


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


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return 0xffff - total


def fragments(src, dst, port, text, ident, how):
    udp = struct.pack("!HHHH", 9, port, 8 + SIZE, 0) + text.encode().ljust(SIZE, b".")
    step = PIECE - 64 if how == "overlap" else PIECE
    pieces = []
    for off in range(0, len(udp), step):
        last = off + PIECE >= len(udp)
        body = udp[off:off + PIECE]
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident, (0 if last else 0x2000) | off // 8, 64, 17, 0,
                           socket.inet_aton(src), socket.inet_aton(dst))
        pieces.append(head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body)
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


if sys.argv[1] == "sink":
    sink(int(sys.argv[2]))
elif sys.argv[1] == "ask":
    ask(sys.argv[2], *[int(x) for x in sys.argv[3:]])
else:
    send(*sys.argv[2:])
