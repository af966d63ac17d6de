#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""udpseq.py: numbered datagrams there and back, by unconnected sockets (sendto), so that loss is counted exactly.

  udpseq.py echo PORT [COUNT_FILE]           sends each datagram back to where it came from
  udpseq.py run DST PORT RATE COUNT [BIND [SIZE]]
      COUNT datagrams at RATE a second (COUNT 0: until SIGTERM), from port BIND (0: any), of SIZE bytes (208); waits for the
      last echoes; prints "ready", then a JSON object: sent received lost doubled gap_ms sport refused
      (errors of this machine's own kernel in sending, as while it changes an SA: such a datagram is sent again; after a
      second in which nothing else was heard, they count as sent, and lost)
"""
import collections
import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import time

SO_RCVBUFFORCE = 33
REFUSED = 1.0  # for so many seconds a datagram that our own kernel does not take is tried again


def echo(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    sock.bind(("", port))
    print("ready", flush=True)
    while True:
        data, addr = sock.recvfrom(65535)
        end = time.monotonic() + REFUSED
        while True:
            try:
                sock.sendto(data, addr)
                break
            except OSError as e:
                if time.monotonic() > end:
                    print(f"no echo to {addr[0]} port {addr[1]}: {e}", flush=True)
                    break
                time.sleep(0.01)


# How late an echo may be: what an emulated machine sends while it has other things to do takes its time.
PATIENCE = 6 if os.environ.get("RSIP_VM") == "1" else 1.5

# How many may be on their way, those aside that are late by GIVEN_UP seconds.  Without a limit a program that echoes more
# slowly than we send (an emulated machine's does) has a full socket in the end, and a sender that had to wait for a CPU
# makes up for it at once, which may be more than a veth's ring of 256 holds.
WINDOW, GIVEN_UP = 120, 0.25


def run(dst, port, rate, total, bind=0, size=208):
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    if bind:
        sock.bind(("", bind))
    sock.setblocking(False)
    pad, sent, seen, doubled, gap = b"x" * (size - 8), 0, set(), 0, 0.0
    refused, refused_since = collections.Counter(), 0.0
    start = last_echo = time.monotonic()
    end, waiting = None, collections.deque()
    while end is None or (time.monotonic() < end and len(seen) < sent):
        now = time.monotonic()
        while waiting and (waiting[0][0] in seen or waiting[0][1] < now - GIVEN_UP):
            waiting.popleft()
        while (end is None and sent < (now - start) * rate and not (total and sent >= total) and not stop
               and len(waiting) < WINDOW):
            try:
                sock.sendto(struct.pack("!Q", sent) + pad, (dst, port))
            except BlockingIOError:  # what it sent before has not left yet
                break
            except OSError as e:  # no SA that it could go into, at this moment
                refused[errno.errorcode.get(e.errno, str(e))] += 1
                refused_since = refused_since or now
                if now - refused_since < REFUSED:
                    break
            else:
                waiting.append((sent, now))
                refused_since = 0.0
            sent += 1
            if sent == 1:
                print("ready", flush=True)
        if end is None and (stop or (total and sent >= total)):
            end = time.monotonic() + PATIENCE
        if not select.select([sock], [], [], 0.5 / rate if end is None else 0.05)[0]:
            continue
        try:
            while True:
                seq = struct.unpack_from("!Q", sock.recv(65535))[0]
                gap, last_echo = max(gap, time.monotonic() - last_echo), time.monotonic()
                doubled += seq in seen
                seen.add(seq)
        except BlockingIOError:
            pass
    print(json.dumps({"sent": sent, "received": len(seen), "lost": sent - len(seen), "doubled": doubled,
                      "gap_ms": round(gap * 1000, 1), "sport": sock.getsockname()[1], "refused": refused}))


if sys.argv[1] == "echo":
    echo(int(sys.argv[2]))
else:
    run(sys.argv[2], *[int(x) for x in sys.argv[3:]])
