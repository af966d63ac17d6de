#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""frags.py: fragments made by hand, so that their order is ours.

  frags.py sink PORT                 prints "ready", then a line for each datagram: the text it begins with
  frags.py ask DST PORT COUNT SIZE   COUNT datagrams of SIZE bytes, one after the other, each awaited back; prints the lost
  frags.py tunnel DEV MAC SRC DST LOCAL PORT PEER SIZE
      from SRC to DST a tunnel packet in two fragments, inside a datagram of SIZE bytes with DF from LOCAL and PORT to PEER
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


def header(src, dst, length, ident, word, proto):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, ident, word, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def tunnel(dev, mac, src, dst, local, port, peer, size):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    sock.bind((dev, 0))
    eth = bytes.fromhex(mac.replace(":", "")) + sock.getsockname()[4] + b"\x08\x00"
    inner = header(local, peer, int(size) - 20, 5, 0x4000, 17)
    inner += struct.pack("!HHHH", int(port), 9, int(size) - 20, 0) + bytes(int(size) - 28)
    for off, end in ((0, 800), (800, len(inner))):
        piece = inner[off:end]
        sock.send(eth + header(src, dst, len(piece), 77, (0 if end == len(inner) else 0x2000) | off // 8, 4) + piece)


def hear():
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    print("ready", flush=True)
    while True:
        icmp = sock.recv(65535)[20:]
        if icmp[:2] == b"\x03\x04" and checksum(icmp) == 0:
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
