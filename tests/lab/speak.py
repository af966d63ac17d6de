#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""speak.py GATEWAY SOURCE STATE WHAT...: one host by hand, over as many runs as it likes; STATE is its memory.

WHAT: register, assign:PORTS, extend, free.  Prints for each "ok" or the error it drew, "silence" where nothing came.
"""
import json
import struct
import sys

import rsip
from rsip import BIND, CLIENT, COUNTER, ERROR, LEASE, first, message, u32


def ask(host, what):
    """(message, type of its answer)"""
    name, _, ports = what.partition(":")
    own = [(CLIENT, u32(host.client)), (BIND, u32(host.bind or 0))]
    return {
        "register": lambda n: message(rsip.REGISTER, [(COUNTER, u32(n))]),
        "assign": lambda n: rsip.assign_rsap(host.client, int(ports or 1), n),
        "extend": lambda n: message(rsip.EXTEND, own + [(LEASE, u32(3600)), (COUNTER, u32(n))]),
        "free": lambda n: message(rsip.FREE, own + [(COUNTER, u32(n))]),
    }[name]


def speak(host, what):
    try:
        _, params = host.ask(ask(host, what))
    except TimeoutError:
        return "silence"
    error = first(params, ERROR)
    if first(params, CLIENT):
        host.client = struct.unpack("!I", first(params, CLIENT))[0]
    if error:
        return str(struct.unpack("!H", error)[0])
    if first(params, BIND):
        host.bind = struct.unpack("!I", first(params, BIND))[0]
    return "ok"


def main(gateway, source, state, *wanted):
    host = rsip.Host(gateway, source)
    host.client = 0
    try:
        with open(state) as f:
            host.client, host.bind, host.n = json.load(f)
    except FileNotFoundError:
        pass
    print(*[speak(host, what) for what in wanted])
    with open(state, "w") as f:
        json.dump([host.client, host.bind, host.n], f)


main(*sys.argv[1:])
