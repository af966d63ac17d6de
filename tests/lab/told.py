#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""told.py GATEWAY SOURCE STRANGER PEER DENIED: a host that breaks the rules is told (RFC 3103 10.4), nobody else is.

SOURCE registers and leases ports for PEER (its remote policy is micro) and then misuses them; STRANGER, another address
of this machine, only misuses.  Prints "ok" and "not ok" lines.
"""
import logging
import select
import socket
import struct
import sys
import time

from rsip import ADDRESS, ASSIGN_RSAP, BIND, CLIENT, COUNTER, ERROR, PORTS, Host, first, message, parse, u32

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import ESP, IP, UDP  # noqa: E402


def tunnel(source, gateway):
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
    sock.bind((source, 0))
    sock.connect((gateway, 0))
    return sock


def errors(sock, seconds):
    """[(error, counter, client ID, bind ID)] of what the gateway says within that time."""
    out, end = [], time.monotonic() + seconds
    while select.select([sock], [], [], max(0, end - time.monotonic()))[0]:
        kind, params = parse(sock.recv(2048))
        if kind == 1:
            out.append((struct.unpack("!H", first(params, ERROR))[0], first(params, COUNTER), first(params, CLIENT), first(params, BIND)))
    return out


def judge(name, got, want):
    print("%s %s%s" % ("ok" if got == want else "not ok", name, "" if got == want else ": got %s, want %s" % (got, want)), flush=True)


def main(gateway, source, stranger, peer, denied):
    host = Host(gateway, source)
    host.register()
    remote = [(ADDRESS, b"\x01" + socket.inet_aton(peer)), (PORTS, b"\x01" + (53).to_bytes(2, "big"))]
    granted = host.expect(lambda n: message(ASSIGN_RSAP, [(CLIENT, u32(host.client)), (ADDRESS, b"\x01"), (PORTS, b"\x01")] + remote +
                                            [(COUNTER, u32(n))]), 9)
    local, bind = socket.inet_ntoa(first(granted, ADDRESS)[1:]), first(granted, BIND)
    port, zero, client = int.from_bytes(first(granted, PORTS)[1:3], "big"), u32(0), u32(host.client)
    good = IP(src=local, dst=peer) / UDP(sport=port, dport=53)
    bad = [
        ("a local address of no pool", 312, None, IP(src="198.51.100.77", dst=peer) / UDP(sport=port, dport=53)),
        ("a local port that it does not lease", 313, None, IP(src=local, dst=peer) / UDP(sport=port + 1, dport=53)),
        ("a remote that its binding is not for", 314, bind, IP(src=local, dst=denied) / UDP(sport=port, dport=53)),
        ("a remote port that its binding is not for", 315, bind, IP(src=local, dst=peer) / UDP(sport=port, dport=54)),
        ("ESP without a lease of SPIs", 401, None, IP(src=local, dst=peer) / ESP(spi=0x1234, seq=1, data=b"x" * 32)),
    ]
    out = tunnel(source, gateway)
    out.send(bytes(good))
    judge("who keeps to the rules hears nothing", errors(host.sock, 0.3), [])
    for what, error, named, packet in bad:
        if error == 315:
            time.sleep(1.1)  # the data plane reports a host and drop reason once a second, and 314 has the same reason
        for _ in range(200):
            out.send(bytes(packet))
        judge("a host is told once of %s" % what, errors(host.sock, 0.5), [(error, zero, client, named)])
    for _ in range(3):
        out.send(bytes(bad[-1][3]))
    judge("and not again so soon", errors(host.sock, 0.3), [])
    time.sleep(5)
    out.send(bytes(bad[0][3]))
    judge("but five seconds later", errors(host.sock, 0.5), [(312, zero, client, None)])

    other = Host(gateway, stranger)  # has a socket to hear with, and never registers
    forged = tunnel(stranger, gateway)
    for _, _, _, packet in bad:
        forged.send(bytes(packet))
    judge("a host that is not registered hears nothing", errors(other.sock, 0.5), [])
    host.deregister()


main(*sys.argv[1:])
