#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""rsip.py: RSIP messages written by hand from RFC 3103 and RFC 3104, independent of the project's codec.

  rsip.py abuse GATEWAY SOURCE SEED COUNT udp|tcp CLIENT [--registered]
      COUNT broken messages from SOURCE, some with the client ID of another host (CLIENT);
      --registered: SOURCE first registers and leases.  Prints a JSON object.
"""
import json
import random
import select
import socket
import struct
import sys
import time

PORT = 4555
REGISTER, DEREGISTER, ASSIGN_RSAP, EXTEND, FREE, QUERY, LISTEN, ASSIGN_IPSEC = 2, 4, 8, 10, 12, 14, 16, 22
ADDRESS, PORTS, LEASE, CLIENT, BIND, TUNNEL, METHOD, ERROR, FLOW, INDICATOR, COUNTER, VENDOR, SPI = *range(1, 13), 22
ANY_ADDRESS, NO_PORTS, ANY_PORT = (ADDRESS, b"\x01"), (PORTS, b""), (PORTS, b"\x01")


def u32(n):
    return struct.pack("!I", n & 0xFFFFFFFF)


def message(kind, params):
    body = b"".join(struct.pack("!BH", t, len(v)) + v for t, v in params)
    return struct.pack("!BBH", 1, kind, 4 + len(body)) + body


def parse(data):
    """(type, [(parameter, value)])"""
    kind, length, off, params = data[1], struct.unpack_from("!H", data, 2)[0], 4, []
    while off + 3 <= length:
        t, n = struct.unpack_from("!BH", data, off)
        params.append((t, data[off + 3:off + 3 + n]))
        off += 3 + n
    return kind, params


def first(params, what):
    return next((v for t, v in params if t == what), None)


def ports_wanted(count):
    return (PORTS, bytes([count])) if count else NO_PORTS


def assign_ipsec(client, ports, spis, n):
    return message(ASSIGN_IPSEC, [(CLIENT, u32(client)), ANY_ADDRESS, ports_wanted(ports), ANY_ADDRESS,
                                  ANY_PORT if ports else NO_PORTS, (SPI, struct.pack("!H", spis)), (COUNTER, u32(n))])


def assign_rsap(client, ports, n):
    return message(ASSIGN_RSAP, [(CLIENT, u32(client)), ANY_ADDRESS, ports_wanted(ports), ANY_ADDRESS, ANY_PORT,
                                 (COUNTER, u32(n))])


class Host:
    """One host by its source address, over UDP, with retransmission (RFC 3103 10.1)."""

    def __init__(self, gateway, source=None):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((source or "", 0))
        self.sock.connect((gateway, PORT))
        self.n = random.randrange(1, 1 << 30)
        self.client = self.bind = None
        self.repeats = 0

    def ask(self, build):
        self.n += 1
        data = build(self.n)
        for attempt in range(7):
            self.sock.send(data)
            answer = self.answer(time.monotonic() + 0.05 * 2 ** attempt)
            if answer:
                return answer
            self.repeats += 1
        raise TimeoutError("no answer from the gateway")

    def answer(self, deadline):
        """The answer to request n; another one's, come twice since we were impatient, is passed over."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                kind, params = parse(self.sock.recv(2048))
            except TimeoutError:
                return None
            if first(params, COUNTER) == u32(self.n):
                return kind, params

    def expect(self, build, kind):
        got, params = self.ask(build)
        if got != kind:
            err = first(params, ERROR)
            raise RuntimeError("answer %d, error %s" % (got, err and struct.unpack("!H", err)[0]))
        return params

    def register(self):
        params = self.expect(lambda n: message(REGISTER, [(COUNTER, u32(n))]), 3)
        self.client = struct.unpack("!I", first(params, CLIENT))[0]

    def assign(self, ports, spis):
        build = (lambda n: assign_ipsec(self.client, ports, spis, n)) if spis else (
            lambda n: assign_rsap(self.client, ports, n))
        params = self.expect(build, 23 if spis else 9)
        self.bind = struct.unpack("!I", first(params, BIND))[0]
        return params

    def extend(self):
        self.expect(lambda n: message(EXTEND, [(CLIENT, u32(self.client)), (BIND, u32(self.bind)), (COUNTER, u32(n))]), 11)

    def free(self):
        self.expect(lambda n: message(FREE, [(CLIENT, u32(self.client)), (BIND, u32(self.bind)), (COUNTER, u32(n))]), 13)

    def deregister(self):
        self.expect(lambda n: message(DEREGISTER, [(CLIENT, u32(self.client)), (COUNTER, u32(n))]), 5)


# ---- broken messages -----------------------------------------------------------------------------------------

def seeds(client, n):
    """Well-formed messages of every kind."""
    cid, bid, cnt = (CLIENT, u32(client)), (BIND, u32(7)), (COUNTER, u32(n))
    return [message(REGISTER, [cnt]), message(DEREGISTER, [cid, cnt]), message(EXTEND, [cid, bid, cnt]), message(FREE, [cid, bid, cnt]),
            assign_rsap(client, 4, n), assign_ipsec(client, 4, 2, n),
            message(QUERY, [cid, cnt, (INDICATOR, b"\x00\x01"), (ADDRESS, b"\x01\x0a\x00\x00\x09")]),
            message(LISTEN, [cid, ANY_ADDRESS, (PORTS, b"\x01\x01\xf4"), ANY_ADDRESS, ANY_PORT, cnt]),
            message(3, [cid, cnt]), message(1, [(ERROR, b"\x00\x65"), cnt]), message(200, [cid])]


def broken(rng, good):
    """One mutation that RFC 3103 calls an error, or plain noise."""
    data = bytearray(good)
    way = rng.randrange(9)
    if way == 0:
        return bytes(data[:rng.randrange(len(data))])
    if way == 1:
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif way == 2:
        struct.pack_into("!H", data, 2, rng.randrange(65536))
    elif way == 3:
        data += rng.randbytes(rng.randrange(1, 64))
    elif way == 4:
        data += data[4:]
        struct.pack_into("!H", data, 2, len(data))
    elif way == 5:
        data[0] = rng.choice([0, 2, 255])
    elif way == 6 and len(data) > 6:
        struct.pack_into("!H", data, 5, rng.choice([0, 1, 0xFFFF, len(data)]))
    elif way == 7:
        data = bytearray(rng.randbytes(rng.randrange(0, 200)))
    else:
        data = data[:4] + bytes(rng.choice([13, 99, 200])for _ in range(1)) + b"\x00\x02ab" + data[4:]
        struct.pack_into("!H", data, 2, len(data))
    return bytes(data)


def abuse(gateway, source, seed, count, transport, victim, registered):
    rng, host = random.Random(seed), Host(gateway, source)
    answers, connections, own = {}, 0, 4242
    if registered:
        host.register()
        host.assign(4, 2)
        own = host.client

    def connect():
        if transport == "udp":
            return host.sock
        sock = socket.create_connection((gateway, PORT), 5, (source, 0))
        return sock

    sock, connections = connect(), 1
    for i in range(count):
        client = victim if rng.randrange(4) == 0 else own
        data = broken(rng, rng.choice(seeds(client, host.n + 1 + i)))
        try:
            sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except OSError:
            sock.close()
            sock = connect()
            connections += 1
        if i % 8 == 0:
            take(sock, answers, 0.001)
    take(sock, answers, 0.3)
    print(json.dumps({"sent": count, "answers": answers, "connections": connections}))


def take(sock, answers, timeout):
    while select.select([sock], [], [], timeout)[0]:
        try:
            data = sock.recv(65536)
        except OSError:
            return
        if len(data) < 4:
            return
        kind, params = parse(data)
        err = first(params, ERROR)
        name = "error %d" % struct.unpack("!H", err[:2])[0] if err else "type %d" % kind
        answers[name] = answers.get(name, 0) + 1
        timeout = 0


if __name__ == "__main__":
    abuse(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]), sys.argv[6], int(sys.argv[7]),
          "--registered" in sys.argv)
