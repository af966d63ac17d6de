#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Many hosts on one address, all speaking IKE from port 500 to one peer, played by a script at each end.

ikes.py peer ADDRESS ADDRESS2          answers on UDP 500 of both; "ready" when it does
ikes.py hosts GATEWAY FIRST COUNT PEER PEER2
    registers COUNT hosts from FIRST on, each with four SPIs of one shared address, and plays the exchanges; every
    other host labels its cookies (its SPI in the upper half).  One line of JSON: per step, how many packets reached
    the host that they were for, and how many another one.

The payload behind the IKE header tells the peer what to do: "answer", "cookie" (answer with a responder SPI of zero),
"rekey HEX" (a request of its own under a new pair: its SPI, and this one of the host's), "call" (a new exchange).
"""
import json
import os
import random
import select
import socket
import struct
import sys
import time

import packets
import rsip

INITIATOR, RESPONSE = 0x08, 0x20


def header(icookie, rcookie, flags, body):
    return icookie + rcookie + struct.pack("!BBBBII", 0, 0x20, 34, flags, 0, 28 + len(body)) + body


# ---- the peer ---------------------------------------------------------------------------------------------------


def reply(data, spi):
    """What the peer sends after one packet of a host's: (bytes, ...)."""
    icookie, flags, body = data[:8], data[19], data[28:]
    if flags & RESPONSE:
        return ()
    word = body.split()
    out = [header(icookie, bytes(8) if word[0] == b"cookie" else spi, RESPONSE, b"answer to " + word[0])]
    if word[0] == b"rekey":
        out.append(header(os.urandom(8), bytes.fromhex(word[1].decode()), INITIATOR, b"first of rekey"))
    if word[0] == b"call":
        out.append(header(os.urandom(8), bytes(8), INITIATOR, b"first of call"))
    return out


def peer(addresses):
    socks = []
    for a in addresses:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        s.bind((a, 500))
        socks.append(s)
    spis = {}
    print("ready", flush=True)
    while True:
        for s in select.select(socks, [], [])[0]:
            data, source = s.recvfrom(2048)
            for packet in reply(data, spis.setdefault(data[:8], os.urandom(8))):
                s.sendto(packet, source)


# ---- the hosts --------------------------------------------------------------------------------------------------


def ip(proto, src, dst, body):
    return packets.ip(src, dst, proto, body, ident=random.randrange(65536))


class Many:
    def __init__(self, gateway, first, count):
        base = struct.unpack("!I", socket.inet_aton(first))[0]
        self.gateway, self.hosts = gateway, []
        for i in range(count):
            h = rsip.Host(gateway, socket.inet_ntoa(struct.pack("!I", base + i)))
            h.source = h.sock.getsockname()[0]
            h.register()
            params = h.assign(0, 4)
            h.local = socket.inet_ntoa(rsip.first(params, rsip.ADDRESS)[1:5])
            h.label = struct.pack("!I", struct.unpack_from("!I", rsip.first(params, rsip.SPI), 2)[0])
            self.hosts.append(h)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.tunnel = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
        self.tunnel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)

    def cookie(self, i):
        return (self.hosts[i].label if i % 2 else os.urandom(4)) + os.urandom(4)

    def send(self, i, peer_address, icookie, rcookie, body):
        h = self.hosts[i]
        data = header(icookie, rcookie, INITIATOR, body)
        udp = struct.pack("!HHHH", 500, 500, 8 + len(data), 0) + data
        self.out.sendto(ip(4, h.source, self.gateway, ip(17, h.local, peer_address, udp)), (self.gateway, 0))
        time.sleep(0.001)  # a veth's ring is short

    def heard(self, quiet=0.5):
        """(host index, IKE header and payload) of all that comes until it is quiet."""
        index = {h.source: i for i, h in enumerate(self.hosts)}
        while select.select([self.tunnel], [], [], quiet)[0]:
            data = self.tunnel.recv(4096)
            yield index.get(socket.inet_ntoa(data[16:20])), data[48:]


def step(many, who, peer_address, cookies, body, expect):
    """Each of `who` sends; counts what with `expect` in its payload reached the sender, and what anybody else."""
    for i in who:
        many.send(i, peer_address, cookies[i], bytes(8), body(i) if callable(body) else body)
    right = wrong = other = 0
    for i, data in many.heard():
        if not data[28:].startswith(expect):
            other += 1
        elif data[:8] == cookies.get(i) or data[8:16] == cookies.get(i) or data[8:16] == bytes(8):
            right += i in who
            wrong += i not in who
        else:
            wrong += 1
    return {"right": right, "wrong": wrong, "other": other}


def hosts(gateway, first, count, peer1, peer2):
    many, everyone = Many(gateway, first, count), range(count)
    labelled = [i for i in everyone if i % 2]
    cookies = {i: many.cookie(i) for i in everyone}
    out = {"hosts": count, "addresses": len({h.local for h in many.hosts})}
    out["cookie"] = step(many, everyone, peer1, cookies, b"cookie", b"answer to cookie")
    out["answer"] = step(many, everyone, peer1, cookies, b"answer", b"answer to answer")
    out["again"] = step(many, everyone, peer1, cookies, b"answer", b"answer to answer")
    fresh = {i: many.cookie(i) for i in everyone}
    out["rekey-labelled"] = step(many, labelled, peer1, cookies, lambda i: b"rekey " + fresh[i].hex().encode(),
                                 b"answer to rekey")
    # the peer's own first packet under the new pair: only the label can tell
    many_first = {i: fresh[i] for i in labelled}
    for i in labelled:
        many.send(i, peer1, cookies[i], bytes(8), b"rekey " + many_first[i].hex().encode())
    got = [(i, d) for i, d in many.heard() if d[28:].startswith(b"first of rekey")]
    out["rekey-first"] = {"right": sum(d[8:16] == many_first.get(i) for i, d in got),
                          "wrong": sum(d[8:16] != many_first.get(i) for i, d in got)}
    out["call-to-many"] = step(many, [0], peer1, cookies, b"call", b"first of call")
    alone = {0: os.urandom(8)}
    step(many, [0], peer2, alone, b"answer", b"answer")
    out["call-to-one"] = step(many, [0], peer2, alone, b"call", b"first of call")
    twice = {1: cookies[0]}
    out["collision"] = step(many, [1], peer1, twice, b"answer", b"answer")
    print(json.dumps(out))


if sys.argv[1] == "peer":
    peer(sys.argv[2:4])
else:
    hosts(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6])
