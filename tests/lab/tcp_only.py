#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tcp_only.py GATEWAY SOURCE: a gateway whose UDP is off (RFC 3103 Appendix A, 102).  Prints "ok" and "not ok" lines."""
import select
import socket
import struct
import sys

from rsip import (BIND, CLIENT, COUNTER, DEREGISTER, ERROR, FREE, PORT, QUERY, REGISTER, Host, assign_rsap, first, message, parse, u32)


def judge(name, got, want):
    print("%s %s%s" % ("ok" if got == want else "not ok", name, "" if got == want else ": got %s, want %s" % (got, want)), flush=True)


def told(answer):
    kind, params = answer
    err = first(params, ERROR)
    return kind, struct.unpack("!H", err)[0] if err else None


def main(gateway, source):
    host = Host(gateway, source)
    for what, build in (("REGISTER", lambda n: message(REGISTER, [(COUNTER, u32(n))])),
                        ("ASSIGN", lambda n: assign_rsap(7, 1, n)),
                        ("QUERY", lambda n: message(QUERY, [(CLIENT, u32(7)), (COUNTER, u32(n))]))):
        judge("%s over UDP: use TCP" % what, told(host.ask(build)), (1, 102))
    answer = host.ask(lambda n: message(FREE, [(CLIENT, u32(7)), (BIND, u32(8)), (COUNTER, u32(n))]))[1]
    judge("with the counter and the IDs of the request", (first(answer, COUNTER), first(answer, CLIENT), first(answer, BIND)),
          (u32(host.n), u32(7), u32(8)))
    host.sock.send(message(1, [(ERROR, b"\x00\x65"), (COUNTER, u32(5))]))
    judge("an ERROR_RESPONSE: nothing", select.select([host.sock], [], [], 0.3)[0], [])
    host.sock.send(b"\x01")
    judge("noise draws its own error", told(parse(host.sock.recv(2048))), (1, 207))

    tcp = socket.create_connection((gateway, PORT), 5, (source, 0))
    tcp.send(message(REGISTER, []))
    kind, params = parse(tcp.recv(2048))
    client = first(params, CLIENT)
    judge("REGISTER over TCP is served", kind, 3)
    got = host.ask(lambda n: message(DEREGISTER, [(CLIENT, client), (COUNTER, u32(n))]))
    judge("DE-REGISTER with the right ID over UDP, too: it ends a registration", told(got), (5, None))
    tcp.send(message(QUERY, [(CLIENT, client)]))
    judge("and then the host must register first", told(parse(tcp.recv(2048))), (1, 301))


main(*sys.argv[1:])
