#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""flows.py PEER PORT COUNT SECONDS: opens COUNT flows of UDP, one after the other, COUNT in SECONDS but the first 16 a third
as fast (the fewer ports there are, the sooner the next must be leased), keeps all of them, sends once on each and reads
the echo; prints a JSON object {"ports": [...], "failed": n, "lost": n}, then "ready" and sleeps."""
import json
import signal
import socket
import sys
import time

peer, port, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
flows, failed, lost = [], 0, 0
for i in range(count):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(2)
    try:
        sock.connect((peer, port))
        sock.send(b"hello")
        flows.append(sock)
    except OSError:
        failed += 1
    time.sleep(seconds / count * (3 if i < 16 else 1))
for sock in flows:
    try:
        sock.recv(100)
    except OSError:
        lost += 1
print(json.dumps({"ports": [s.getsockname()[1] for s in flows], "failed": failed, "lost": lost}))
print("ready", flush=True)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.pause()
