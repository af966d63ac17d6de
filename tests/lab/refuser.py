#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""refuser.py ERROR...: a gateway that registers everybody and then refuses: the next ASSIGN with the next error.
A repeated request (the same message counter) draws the same answer."""
import socket
import struct
import sys

from rsip import CLIENT, COUNTER, ERROR, FLOW, LEASE, PORT, QUERY, REGISTER, DEREGISTER, first, message, parse, u32

errors = [int(e) for e in sys.argv[1:]]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", PORT))
print("ready", flush=True)
answered = {}
while True:
    data, host = sock.recvfrom(2048)
    kind, params = parse(data)
    counter = (COUNTER, first(params, COUNTER))
    if kind == REGISTER:
        answer = message(REGISTER + 1, [(CLIENT, u32(7)), (LEASE, u32(3600)), (FLOW, b"\x01\x03"), counter])
    elif kind == DEREGISTER:
        answer = message(DEREGISTER + 1, [(CLIENT, u32(7)), counter])
    elif kind == QUERY:
        answer = message(QUERY + 1, [(CLIENT, u32(7)), counter])
    else:
        error = answered.get(counter[1]) or (errors.pop(0) if errors else 101)
        answered[counter[1]] = error
        answer = message(1, [(ERROR, struct.pack("!H", error)), counter, (CLIENT, u32(7))])
    sock.sendto(answer, host)
