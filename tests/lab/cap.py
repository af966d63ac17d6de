#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""cap.py DEV FILE: writes every packet of DEV, both directions, to FILE (pcap) until SIGTERM.

Prints "ready" once the socket sees packets.  At SIGTERM it first drains what the socket holds, so that a
stopped capture is complete; packets the kernel could not store are an error, never silence.
"""
import select
import signal
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 3, 263, 6, 33, 35
SNAP = 65535


def main(dev, path):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    sock.setblocking(False)
    sock.bind((dev, ETH_P_ALL))
    stop = []
    rd, wr = socket.socketpair()
    wr.setblocking(False)
    signal.set_wakeup_fd(wr.fileno())
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    with open(path, "wb", 1 << 20) as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, SNAP, 1))  # nanoseconds, Ethernet
        print("ready", flush=True)
        while True:
            last = bool(stop)
            drain(sock, out)
            if last:
                break
            select.select([sock, rd], [], [])
    packets, drops = struct.unpack("II", sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    if drops:
        sys.exit("cap: %s: %d of %d packets lost by the capture itself" % (dev, drops, packets))


def drain(sock, out):
    while True:
        try:
            data, anc, _, _ = sock.recvmsg(SNAP, 64)
        except BlockingIOError:
            return
        sec, nsec = struct.unpack("qq", anc[0][2]) if anc else (0, 0)
        out.write(struct.pack("<IIII", sec & 0xFFFFFFFF, nsec, len(data), len(data)) + data)


main(*sys.argv[1:3])
