#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""inject.py SET DEV GATEWAY_MAC CONTEXT STATS_COMMAND...: forged and broken packets, one table of cases.

Each case is sent three times; the drop counters must then show exactly these three, under the named reason, and
nothing else.  Prints "ok NAME" or "not ok NAME: why" for each.  CONTEXT is a JSON object: pool, gw, gw_pub, peer,
hosta, hostb (addresses), port_a, port_b, spi_b (first leased of each).  STATS_COMMAND prints {"reason": count}.
Host A leases ports and no SPI, host B ports and SPIs; private packets leave from host A's interface.
"""
import json
import logging
import subprocess
import sys
import time

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import AH, ESP, ICMP, IP, UDP, Ether, Raw, conf  # noqa: E402

TIMES = 3
MARK = Raw(b"FORGED-IN-THE-LAB")


def tunnel(c, inner, host=None, proto=4):
    return IP(src=host or c["hosta"], dst=c["gw"], proto=proto) / inner


def from_a(c, **over):
    """A packet as host A may send it, with what `over` changes."""
    udp = UDP(sport=over.pop("sport", c["port_a"]), dport=9)
    return IP(**{"src": c["pool"], "dst": c["peer"], **over}) / udp / MARK


def private_spoof(c):
    yield "host A uses host B's port", "not-owner", tunnel(c, from_a(c, sport=c["port_b"]))
    yield "host A uses a port nobody leases", "local-port-unallowed", tunnel(c, from_a(c, sport=1999))
    yield "host A's inner source is no pool address", "local-addr-unallowed", tunnel(c, from_a(c, src="198.51.100.7"))
    yield "host A's inner source is its private address", "local-addr-unallowed", tunnel(c, from_a(c, src=c["hosta"]))
    esp = ESP(spi=0x1234, seq=1, data=b"x" * 32)
    yield "an unknown outer source uses host A's port", "not-owner", tunnel(c, from_a(c), host="10.99.0.99")
    yield "ESP from an unknown outer source", "host-unknown", tunnel(c, IP(src=c["pool"], dst=c["peer"]) / esp, host="10.99.0.99")
    yield "IKE of a host without RSIPSEC", "ipsec-unallowed", tunnel(c, from_a(c, sport=500))
    yield "ESP of a host without RSIPSEC", "ipsec-unallowed", tunnel(
        c, IP(src=c["pool"], dst=c["peer"]) / esp)
    yield "AH of a host without RSIPSEC", "ipsec-unallowed", tunnel(
        c, IP(src=c["pool"], dst=c["peer"]) / AH(nh=17, spi=0x1234, seq=1, icv=b"x" * 12) / MARK)
    for dst, reason in (("127.0.0.1", "dst-unallowed"), ("0.1.2.3", "dst-unallowed"), ("240.0.0.1", "dst-unallowed"),
                        ("255.255.255.255", "dst-unallowed"), (c["hostb"], "dst-unallowed"), (c["gw"], "dst-unallowed"),
                        ("224.0.0.5", "multicast")):
        yield "host A sends to %s" % dst, reason, tunnel(c, from_a(c, dst=dst))
    yield "host A's packet with a time to live of 1", "ttl-exceeded", tunnel(c, from_a(c, ttl=1))
    yield "without a tunnel, from host B's port", "src-spoofed", from_a(c, sport=c["port_b"])
    yield "without a tunnel, from host A's own port", "src-spoofed", from_a(c)
    yield "without a tunnel, to a host's leased port", "src-spoofed", from_a(c, dst=c["pool"])


def other_interface(c):
    """From a host on another private interface: c["gw"] is the endpoint there."""
    yield "host A's packet, but on another interface", "wrong-interface", tunnel(c, from_a(c))
    yield "host B's ESP, but on another interface", "wrong-interface", tunnel(
        c, IP(src=c["pool"], dst=c["peer"]) / ESP(spi=0x1234, seq=1, data=b"x" * 32), host=c["hostb"])


def from_peer(c, **over):
    udp = UDP(sport=9, dport=over.pop("dport", c["port_a"]))
    return IP(**{"src": c["peer"], "dst": c["pool"], **over}) / udp / MARK


def public_spoof(c):
    for src in (c["pool"], c["hostb"], "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0"):
        yield "from the public side, source %s" % src, "src-spoofed", from_peer(c, src=src)
    yield "from the public side, destination in the private network", "dst-private", from_peer(c, dst=c["hosta"])
    yield "a tunnel from the public side", "dst-private", IP(src=c["hosta"], dst=c["gw"]) / from_a(c)
    yield "a port nobody leases", "no-port", from_peer(c, dport=1999)
    yield "an SPI nobody leases", "no-spi", IP(src=c["peer"], dst=c["pool"]) / ESP(spi=300, seq=1, data=b"x" * 32)
    yield "the SPI after host B's last", "no-spi", IP(src=c["peer"], dst=c["pool"]) / ESP(spi=c["spi_b"] + 4, seq=1, data=b"x" * 32)
    yield "IKE that no host began", "no-cookie", IP(src=c["peer"], dst=c["pool"]) / UDP(sport=500, dport=500) / Raw(
        b"\x11" * 8 + b"\x22" * 8 + b"\x21\x20\x25\x20" + b"\x00" * 4 + b"\x00\x00\x00\x1c")
    yield "a protocol without ports", "no-protocol", IP(src=c["peer"], dst=c["pool"], proto=89) / MARK
    yield "an ICMP error about a packet nobody sent", "no-quote-owner", IP(src=c["peer"], dst=c["pool"]) / ICMP(
        type=3, code=1) / IP(src=c["pool"], dst=c["peer"]) / UDP(sport=1999, dport=9) / Raw(b"12345678")
    yield "an echo reply that nobody asked for", "icmp-query", IP(src=c["peer"], dst=c["pool"]) / ICMP(type=0) / MARK
    yield "a time to live of 1", "ttl-exceeded", from_peer(c, ttl=1)


def malformed(c, wrap, good):
    """Cut short or contradicting itself, at every header; wrap puts it behind what precedes it."""
    whole = bytes(good)
    yield "IP header length 4 words", wrap(b"\x44" + whole[1:])
    yield "IP header longer than the packet", wrap(b"\x4f" + whole[1:24])
    yield "IP version 6 where 4 is said", wrap(b"\x65" + whole[1:])
    yield "total length less than the header", wrap(whole[:2] + b"\x00\x08" + whole[4:])
    yield "total length more than the frame", wrap(whole[:2] + b"\x05\x00" + whole[4:])
    for size in (1, 12, 19):
        yield "cut off inside the IP header after %d bytes" % size, wrap(whole[:size])
    cut = bytearray(whole[:23])
    cut[2:4] = (23).to_bytes(2, "big")
    yield "cut off inside the ports", wrap(bytes(cut))


def private_malformed(c):
    def wrap(inner):
        return IP(src=c["hosta"], dst=c["gw"], proto=4) / Raw(inner)
    for name, pkt in malformed(c, wrap, from_a(c)):
        yield "in a tunnel: " + name, "malformed", pkt
    yield "an empty tunnel", "malformed", IP(src=c["hosta"], dst=c["gw"], proto=4)


def public_malformed(c):
    def esp(size):
        return IP(src=c["peer"], dst=c["pool"], proto=50) / Raw(b"x" * size)
    yield "ESP cut off inside the SPI", "malformed", esp(3)
    yield "UDP cut off inside the ports", "malformed", IP(src=c["peer"], dst=c["pool"], proto=17) / Raw(b"abc")
    yield "TCP cut off inside the ports", "malformed", IP(src=c["peer"], dst=c["pool"], proto=6) / Raw(b"a")
    yield "AH cut off inside the SPI", "malformed", IP(src=c["peer"], dst=c["pool"], proto=51) / Raw(b"abcdef")
    yield "ICMP error that quotes half a header", "malformed", IP(src=c["peer"], dst=c["pool"]) / ICMP(
        type=3, code=1) / Raw(bytes(IP(src=c["pool"], dst=c["peer"]))[:12])
    yield "IKE cut off inside its header", "malformed", IP(src=c["peer"], dst=c["pool"]) / UDP(
        sport=500, dport=500) / Raw(b"\x11" * 12)


SETS = {"other-interface": other_interface, "private-spoof": private_spoof, "public-spoof": public_spoof, "private-malformed": private_malformed,
        "public-malformed": public_malformed}


def drops(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def settled(command, before):
    """The counters once three more are in them (or a second has passed)."""
    end = time.monotonic() + 1
    while True:
        now = drops(command)
        more = {k: v - before.get(k, 0) for k, v in now.items() if v != before.get(k, 0)}
        if sum(more.values()) >= TIMES or time.monotonic() > end:
            return now, more


def main(name, dev, mac, context, command):
    conf.verb = 0
    sock = conf.L2socket(iface=dev)
    before = drops(command)
    for what, reason, pkt in SETS[name](json.loads(context)):
        frame = bytes(Ether(dst=mac) / pkt)
        for _ in range(TIMES):
            sock.send(frame)
        before, more = settled(command, before)
        if more == {reason: TIMES}:
            print("ok %s: %s" % (what, reason), flush=True)
        else:
            print("not ok %s: got %s, want %s" % (what, more, {reason: TIMES}), flush=True)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
