#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""fakegw.py ADDRESS LEASED [--tunnel 1|2] [--stranger ADDRESS] [--flood N]: a gateway and, behind its tunnel, a peer that echoes UDP.

It grants LEASED with ports from 4000 on (and SPIs from 0x10000 on), over UDP and TCP at ADDRESS, IPv4 or IPv6.  What comes
through the tunnel it shows, a JSON object a line, and echoes; before each echo, from STRANGER (another address of its own)
a copy that says "stranger", and from ADDRESS one for an address that nobody leased.  Written from the RFCs, by hand.

SIGUSR1: it turns on the host that spoke last over UDP: N messages of noise, replays, answers to nothing, other hosts' IDs and
its own, as fast as it can; then it says "flooded".  SIGUSR2: from now on it grants what nobody may have."""
import argparse
import ipaddress
import json
import random
import select
import signal
import socket
import struct

import packets
from rsip import (ADDRESS, ANY_PORT, ASSIGN_IPSEC, BIND, CLIENT, COUNTER, DEREGISTER, FLOW, LEASE, METHOD, PORT, PORTS, QUERY,
                  REGISTER, SPI, TUNNEL, first, message, parse, u32)

ap = argparse.ArgumentParser()
ap.add_argument("address")
ap.add_argument("leased")
ap.add_argument("--tunnel", type=int, default=1)
ap.add_argument("--stranger")
ap.add_argument("--flood", type=int, default=0)
args = ap.parse_args()
info = socket.getaddrinfo(args.address, PORT, type=socket.SOCK_DGRAM)[0]
family, here = info[0], info[4]
V6 = family == socket.AF_INET6
OUTER = {1: 4, 2: 47}[args.tunnel]
GRE = b"\0\0\x08\0" if args.tunnel == 2 else b""


last, said, absurd = None, [], []


def flood(*_):
    rng = random.Random(1)
    mine, other = (CLIENT, u32(7)), (CLIENT, u32(8))
    for i in range(args.flood):
        counter = (COUNTER, u32(rng.choice([0, 0, 1, rng.getrandbits(32)])))
        udp.sendto(rng.choice([
            rng.randbytes(rng.randrange(200)),
            rng.choice(said),
            message(1, [(8, b"\x01\x37"), counter, rng.choice([mine, other])]),
            message(DEREGISTER + 1, [other, counter]),
            message(13, [rng.choice([mine, other]), (BIND, u32(rng.getrandbits(32))), counter]),
            message(REGISTER + 1, [other, (LEASE, u32(rng.getrandbits(32))), (FLOW, b"\x01\x03"), counter]),
            message(9, [mine, (BIND, u32(9)), (ADDRESS, b"\x01" + socket.inet_aton("203.0.113.77")), (PORTS, b"\x04\x10\x00"),
                        (ADDRESS, b"\x01"), ANY_PORT, (LEASE, u32(1)), (TUNNEL, b"\x01"), counter])]), last)
    print("flooded", flush=True)


def bad_grant(kind, counter):
    """One after the other: loopback, multicast, the host's own address, a private one, no time, too few ports."""
    n = len(absurd)
    address = ["127.0.0.1", "224.0.0.1", last[0], "192.168.7.7", args.leased, args.leased][n % 6]
    absurd.append(n)
    return message(kind + 1, [(CLIENT, u32(7)), (BIND, u32(100 + n)), (ADDRESS, b"\x01" + socket.inet_aton(address)),
                              (PORTS, (b"\x01" if n % 6 == 5 else b"\x08") + struct.pack("!H", 4000)), (ADDRESS, b"\x01"), ANY_PORT,
                              (LEASE, u32(0 if n % 6 == 4 else 600)), (TUNNEL, bytes([args.tunnel]))] + counter)


def answer(data):
    kind, params = parse(data)
    counter = [(COUNTER, first(params, COUNTER))] if first(params, COUNTER) else []
    if kind == REGISTER:
        return message(kind + 1, [(CLIENT, u32(7)), (LEASE, u32(3600)), (FLOW, b"\x01\x03")] + counter +
                       [(METHOD, b"\x02"), (METHOD, b"\x03"), (TUNNEL, bytes([args.tunnel]))])
    if kind in (DEREGISTER, QUERY):
        return message(kind + 1, [(CLIENT, u32(7))] + counter)
    bind = first(params, BIND)
    if bind:  # EXTEND, FREE
        return message(kind + 1, [(CLIENT, u32(7)), (BIND, bind)] + ([(LEASE, u32(600))] if kind == 10 else []) + counter)
    if turned:
        return bad_grant(kind, counter)
    ports, spis = first(params, PORTS), first(params, SPI)
    grant = [(CLIENT, u32(7)), (BIND, u32(9)), (ADDRESS, b"\x01" + socket.inet_aton(args.leased))]
    grant.append((PORTS, bytes([ports[0]]) + struct.pack("!H", 4000) if ports else b""))
    grant += [(ADDRESS, b"\x01"), ANY_PORT if ports else (PORTS, b"")]
    if kind == ASSIGN_IPSEC:
        grant.append((SPI, spis[:2] + struct.pack("!I", 0x10000)))
    return message(kind + 1, grant + [(LEASE, u32(600)), (TUNNEL, bytes([args.tunnel]))] + counter)


def inner(src, dst, sport, dport, text, tos=0):
    return GRE + packets.udp(src, sport, dst, dport, text, tos)


def raw(address):
    s = socket.socket(family, socket.SOCK_RAW, OUTER)
    s.bind(socket.getaddrinfo(address, 0, type=socket.SOCK_DGRAM)[0][4])
    return s


def tunnelled(sock, strange):
    data, control, _, host = sock.recvmsg(65535, 256)
    tos = data[1] if not V6 else next(struct.unpack("i", v)[0] for l, t, v in control if t == socket.IPV6_TCLASS)
    packet = data[len(GRE):] if V6 else data[(data[0] & 15) * 4 + len(GRE):]
    if data[:len(GRE)] != GRE and V6:
        return
    src, dst = packet[12:16], packet[16:20]
    sport, dport = struct.unpack("!HH", packet[20:24])
    text = packet[28:]
    print(json.dumps({"from": host[0], "tos": tos, "inner-tos": packet[1], "len": len(packet), "source": str(ipaddress.ip_address(src)),
                      "port": sport, "to": str(ipaddress.ip_address(dst))}), flush=True)
    if packet[9] != 17:
        return
    if strange:
        strange.sendto(inner(dst, src, dport, sport, b"stranger"), host)
    sock.sendto(inner(dst, socket.inet_aton("203.0.113.99"), dport, sport, b"not leased"), host)
    sock.sendto(inner(dst, src, dport, sport, text, packet[1]), host)


udp = socket.socket(family, socket.SOCK_DGRAM)
udp.bind(here)
tcp = socket.socket(family, socket.SOCK_STREAM)
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind(here)
tcp.listen()
tunnel = raw(args.address)
if V6:
    tunnel.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
stranger = raw(args.stranger) if args.stranger else None
turned = []
signal.signal(signal.SIGUSR1, flood)
signal.signal(signal.SIGUSR2, lambda *_: turned.append(1))
print("ready", flush=True)
socks, streams = [udp, tcp, tunnel], {}
while True:
    for s in select.select(socks, [], [])[0]:
        if s is udp:
            data, last = udp.recvfrom(2048)
            said.append(answer(data))
            if first(parse(data)[1], BIND) and turned:
                print("given back" if data[1] == 12 else "extended", first(parse(data)[1], BIND).hex(), flush=True)
            udp.sendto(said[-1], last)
        elif s is tcp:
            conn, _ = tcp.accept()
            socks.append(conn)
            streams[conn] = b""
        elif s is tunnel:
            tunnelled(tunnel, stranger)
        else:
            try:
                got = s.recv(2048)
            except OSError:
                got = b""
            streams[s] += got
            while len(streams[s]) >= 4 and len(streams[s]) >= (n := struct.unpack_from("!H", streams[s], 2)[0]):
                s.sendall(answer(streams[s][:n]))
                streams[s] = streams[s][n:]
            if not got:
                socks.remove(s)
                del streams[s]
                s.close()
