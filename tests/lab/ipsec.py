#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""ipsec.py: ESP and AH as packets on the wire, both ends outside of the kernel (which may have no ESP).

  ipsec.py peer LOCAL POOL NAME=SPI [NAME=SPI ...]     answers each verified packet of host NAME to its leased SPI
  ipsec.py host NAME LOCAL PEER SPI COUNT              COUNT packets of each kind; SPI is the first of two leased ones
  ipsec.py stray LOCAL POOL SPI COUNT                  ESP to an SPI that nobody leases
  ipsec.py toobig LOCAL POOL NAME                      ICMP "fragmentation needed" about host NAME's ESP and AH: it
                                                       quotes the peer's SPI, which nobody leases

Each host has three pairs of SAs with the peer: ESP with AES-CBC and HMAC-SHA-256, ESP with AES-GCM, and AH with
HMAC-SHA-256.  Toward the host they use its leased SPIs; toward the peer SPIs that the peer chose.  AH's ICV covers
the addresses, the identification and the payload: it verifies only if the gateway touched none of them.
Keys come from the names: both ends agree without an IKE.  Prints JSON.
"""
import hashlib
import json
import select
import signal
import socket
import sys
import time

import logging
logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, UDP  # noqa: E402
from scapy.layers.ipsec import AH, ESP, SecurityAssociation  # noqa: E402
from scapy.packet import Raw  # noqa: E402

KINDS = ("esp-cbc", "esp-gcm", "ah")
PEER_SPI = {"esp-cbc": 0x50000, "esp-gcm": 0x60000, "ah": 0x70000}


def key(name, size):
    return hashlib.sha256(name.encode()).digest()[:size]


def association(kind, spi, label):
    if kind == "ah":
        return SecurityAssociation(AH, spi=spi, auth_algo="SHA2-256-128", auth_key=key(label + "auth", 32))
    if kind == "esp-gcm":
        return SecurityAssociation(ESP, spi=spi, crypt_algo="AES-GCM", crypt_key=key(label + "crypt", 20))
    return SecurityAssociation(ESP, spi=spi, crypt_algo="AES-CBC", crypt_key=key(label + "crypt", 16),
                               auth_algo="SHA2-256-128", auth_key=key(label + "auth", 32))


def to_host_spi(kind, leased):
    """Two leased SPIs for three SAs: ESP and AH are told apart by their protocol."""
    return leased + 1 if kind == "esp-gcm" else leased


class Host:
    def __init__(self, name, leased):
        n = sum(name.encode())
        self.name = name
        self.up = {k: association(k, PEER_SPI[k] + n, name + k + "up") for k in KINDS}
        self.down = {k: association(k, to_host_spi(k, leased), name + k + "down") for k in KINDS}


def sockets():
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    ins = []
    for proto in (50, 51):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, proto)
        s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        ins.append(s)
    return out, ins


def plain(src, dst, text, ident):
    return IP(src=src, dst=dst, id=ident & 0xFFFF or 1, ttl=64) / UDP(sport=7777, dport=7777) / Raw(text.encode())


def opened(raw, sas):
    """(kind, text) of a verified packet, or (kind, None) if its ICV is wrong, or None if it is no SA of ours."""
    pkt = IP(raw)
    hdr = pkt.getlayer(ESP) or pkt.getlayer(AH)
    if hdr is None:
        return None
    for kind, sa in sas.items():
        if sa.spi == hdr.spi and (pkt.proto == 51) == (kind == "ah"):
            try:
                clear = sa.decrypt(pkt, verify=True)
                return kind, bytes(clear.payload)[8:].decode()  # behind the UDP header
            except Exception:  # scapy and cryptography raise several kinds; each means "does not verify"
                return kind, None
    return None


def ah_guards(raw, sa):
    """A packet whose identification or address was touched must not verify: else AH would prove nothing."""
    for change in ({"id": IP(raw).id ^ 1}, {"src": "203.0.113.77"}):
        pkt = IP(raw)
        for k, v in change.items():
            setattr(pkt, k, v)
        del pkt.chksum
        try:
            sa.decrypt(IP(bytes(pkt)), verify=True)
            return False
        except Exception:
            pass
    return True


def peer(local, pool, specs):
    hosts = [Host(s.split("=")[0], int(s.split("=")[1], 0)) for s in specs]
    good = {h.name: dict.fromkeys(KINDS, 0) for h in hosts}
    bad, unknown, sources, guards = 0, 0, set(), None
    out, ins = sockets()
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    print("ready", flush=True)
    while not stop:
        try:
            ready = select.select(ins, [], [], 0.2)[0]
        except InterruptedError:
            continue
        for s in ready:
            raw = s.recv(65535)
            for h in hosts:
                got = opened(raw, h.up)
                if got:
                    break
            if not got:
                unknown += 1
                continue
            kind, text = got
            sources.add(IP(raw).src)
            if text is None:
                bad += 1
                continue
            if kind == "ah" and guards is None:
                guards = ah_guards(raw, h.up[kind])
            good[h.name][kind] += 1
            answer = h.down[kind].encrypt(plain(local, pool, "answer to " + text, len(text) + good[h.name][kind]))
            out.sendto(bytes(answer), (pool, 0))
    print(json.dumps({"verified": good, "bad": bad, "unknown": unknown, "sources": sorted(sources), "ah_guards": guards}))


def host(name, local, remote, spi, count):
    h, out_ins = Host(name, spi), sockets()
    out, ins = out_ins
    waiting, good, bad = set(), dict.fromkeys(KINDS, 0), 0

    def take(timeout):
        nonlocal bad
        for s in select.select(ins, [], [], timeout)[0]:
            got = opened(s.recv(65535), h.down)
            if not got or got[1] is None or got[1] not in waiting:
                bad += 1
                continue
            waiting.discard(got[1])
            good[got[0]] += 1

    for i in range(count):
        for kind in KINDS:
            text = "%s %s %d" % (name, kind, i)
            waiting.add("answer to " + text)
            out.sendto(bytes(h.up[kind].encrypt(plain(local, remote, text, i + 1))), (remote, 0))
        take(0)
    end = time.monotonic() + 30
    while waiting and time.monotonic() < end:
        take(0.1)
    print(json.dumps({"sent": {k: count for k in KINDS}, "verified": good, "bad": bad, "unanswered": len(waiting)}))


def stray(local, pool, spi, count):
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    sa = association("esp-cbc", spi, "stray")
    for i in range(count):
        out.sendto(bytes(sa.encrypt(plain(local, pool, "stray", i + 1))), (pool, 0))


def toobig(local, pool, name):
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for kind, sa in Host(name, 0x1000).up.items():
        quoted = bytes(sa.encrypt(plain(pool, local, "too big", 1)))[:28]
        err = IP(src=local, dst=pool, id=9) / ICMP(type=3, code=4, nexthopmtu=1400) / Raw(quoted)
        out.sendto(bytes(err), (pool, 0))


args = sys.argv[2:]
if sys.argv[1] == "peer":
    peer(args[0], args[1], args[2:])
elif sys.argv[1] == "host":
    host(args[0], args[1], args[2], int(args[3], 0), int(args[4]))
elif sys.argv[1] == "toobig":
    toobig(*args)
else:
    stray(args[0], args[1], int(args[2], 0), int(args[3]))
