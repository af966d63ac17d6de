#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""ports.py NAME PEER FIRST COUNT: which local ports does a program get?  Run it under `rsip-client exec`.

The peer echoes datagrams on port 7 and has a web server on port 80.  Prints "ok ..." or "not ok ...: why".
"""
import select
import socket
import sys

name, peer, first, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
leased = set(range(first, first + count))


def judge(what, good, why=""):
    print(("ok %s: %s" if good else "not ok %s: %s: %s") % ((name, what) if good else (name, what, why)), flush=True)


def udp(port=None):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if port is not None:
        s.bind(("", port))
    return s


def echoed(s, text):
    s.sendto(text, (peer, 7))
    return bool(select.select([s], [], [], 1)[0]) and s.recv(100) == text


def used(make):
    """Ports of sockets until the kernel has none left, and the error that said so."""
    socks, error = [], "none"
    for _ in range(count + 1):
        try:
            socks.append(make())
        except OSError as e:
            error = e.strerror
    got = sorted(s.getsockname()[1] for s in socks)
    for s in socks:
        s.close()
    return got, error


def connected():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(3)
    s.connect((peer, 80))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")  # no TIME_WAIT that keeps the port
    return s


def sent():
    s = udp()
    if not echoed(s, b"to whom it may concern"):
        raise OSError(0, "no echo")
    return s


for what, make in (("bind to port 0", lambda: udp(0)), ("connect()", connected), ("sendto() without connect", sent)):
    got, error = used(make)
    judge("%s uses exactly the leased ports" % what, set(got) == leased and len(got) == count,
          "got %s, then: %s" % (got, error))
    judge("%s: one more is an error" % what, error != "none", "no error")

judge("an explicit bind to a leased port works", echoed(udp(first + count - 1), b"hello"))
for port in (1999, first + count, first - 1, 500):
    try:
        s = udp(port)
    except OSError as e:
        judge("port %d: %s" % (port, e.strerror), True)
        continue
    judge("port %d: what is sent from it goes nowhere" % port, not echoed(s, b"this must not arrive"), "echoed")
