#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""carry.py: a file over TCP, and is it the same at the other end?

  carry.py take PORT                          what each connection brings: prints its hash, as sha256sum does, and answers it
  carry.py give ADDRESS PORT FILE [SECONDS]   sends the file; fails if the answer is not its hash, or nothing moves for so long
"""
import hashlib
import socket
import sys


def take(port):
    s = socket.create_server(("", int(port)))
    print("ready", flush=True)
    while True:
        c, _ = s.accept()
        h = hashlib.sha256()
        while data := c.recv(1 << 16):
            h.update(data)
        print(h.hexdigest() + "  -", flush=True)
        c.sendall(h.hexdigest().encode())
        c.close()


def give(address, port, path, seconds=None):
    with open(path, "rb") as f:
        data = f.read()
    s = socket.create_connection((address, int(port)), seconds and float(seconds))
    s.sendall(data)
    s.shutdown(socket.SHUT_WR)
    assert s.recv(100).decode() == hashlib.sha256(data).hexdigest()


{"take": take, "give": give}[sys.argv[1]](*sys.argv[2:])
