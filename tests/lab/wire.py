#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""wire.py: what was on the wire at each hop, from the captures.

  wire.py same --pool A[,A] --gw G --host NAME=ADDR=FILE ... --peer FILE [--unseen N] [--nat LOW-HIGH]
      Every packet in a host's tunnel is on the public wire and the other way round, byte for byte but for
      TTL (one less) and header checksum (correct); what one host sends another of the gateway's is in that one's
      tunnel.  Fragments are put together first: the datagram counts, not how it was cut.  Prints a JSON object:
      packets and bytes of inner IP for each host and direction, and for each kind of traffic.  Exit 1 with the
      first difference otherwise.
      --nat: packets at these ports of the pool belong to hosts without RSIP; they are counted apart.
  wire.py show ... (as same)
      One packet of each kind as it looked at each hop, for people.
  wire.py count FILE WORD...
      How many packets fit all words: src=A dst=A proto=N sport=N dport=N dscp=N outer=ipip|none kind=NAME
      arp=ADDRESS [mac=MAC]: ARP replies that claim the address (from that MAC)
"""
import argparse
import collections
import functools
import json
import socket
import struct
import sys

IPIP, GRE, NAMES = 4, 47, {1: "icmp", 6: "tcp", 17: "udp", 50: "esp", 51: "ah"}


def frames(path):
    with open(path, "rb") as f:
        data = f.read()
    off = 24
    while off + 16 <= len(data):
        caplen = struct.unpack_from("<I", data, off + 8)[0]
        yield data[off + 16:off + 16 + caplen]
        off += 16 + caplen


def header_sum(header):
    s = sum(struct.unpack("!%dH" % (len(header) // 2), header))
    while s >> 16:
        s = (s & 0xFFFF) + (s >> 16)
    return s


class Packet:
    """An IPv4 packet out of a frame; .inner is the one inside an IP-IP or GRE tunnel, or None."""

    def __init__(self, raw):
        self.hdr = (raw[0] & 15) * 4
        self.raw = raw = raw[:struct.unpack_from("!H", raw, 2)[0]]
        self.proto, self.ttl = raw[9], raw[8]
        self.src, self.dst = socket.inet_ntoa(raw[12:16]), socket.inet_ntoa(raw[16:20])
        self.inner = Packet(raw[self.hdr:]) if self.proto == IPIP else None
        if self.proto == GRE and raw[self.hdr:self.hdr + 4] == b"\0\0\x08\0":  # without options, around IPv4
            self.inner = Packet(raw[self.hdr + 4:])

    def fragment(self):
        """Where its payload belongs, and whether more follows: (offset, more); None of a whole packet."""
        word = struct.unpack_from("!H", self.raw, 6)[0]
        return ((word & 0x1FFF) * 8, bool(word & 0x2000)) if word & 0x3FFF else None

    def ports(self):
        if self.proto not in (6, 17) or len(self.raw) < self.hdr + 4:
            return (None, None)
        return struct.unpack_from("!HH", self.raw, self.hdr)

    def kind(self):
        if self.proto == 17 and 500 in self.ports():
            return "ike"
        return NAMES.get(self.proto, str(self.proto))

    def key(self):
        """All that may not change on the way: everything but TTL and header checksum."""
        return self.raw[:8] + self.raw[9:10] + self.raw[12:]

    def checksum_ok(self):
        return header_sum(self.raw[:self.hdr]) == 0xFFFF

    def __str__(self):
        return "%s %s > %s %s id %d ttl %d len %d" % (self.kind(), self.src, self.dst, self.ports(),
                                                      struct.unpack_from("!H", self.raw, 4)[0], self.ttl, len(self.raw))


def packets(path):
    for f in frames(path):
        if len(f) >= 34 and f[12:14] == b"\x08\x00":
            yield Packet(f[14:])


@functools.lru_cache(maxsize=None)
def capture(path):
    return list(packets(path))


def joined(parts):
    """The datagram of these fragments under the header of the first; None while one is missing."""
    parts = sorted(parts, key=lambda p: p.fragment()[0])
    body, end = b"", False
    for p in parts:
        off, more = p.fragment()
        if off != len(body):
            return None
        body, end = body + p.raw[p.hdr:], not more
    if not end:
        return None
    first = parts[0]
    head = bytearray(first.raw[:first.hdr])
    struct.pack_into("!HHH", head, 2, first.hdr + len(body), struct.unpack_from("!H", head, 4)[0], 0)
    if all(p.checksum_ok() for p in parts):
        struct.pack_into("!H", head, 10, 0)
        struct.pack_into("!H", head, 10, 0xFFFF - header_sum(bytes(head)))
    return Packet(bytes(head) + body)


def whole(stream):
    """The packets with fragments put together; what stays incomplete comes last, as it is."""
    pieces, out = collections.defaultdict(list), []
    for p in stream:
        if not p.fragment():
            out.append(p)
            continue
        key = p.raw[4:6] + p.raw[9:10] + p.raw[12:20]
        pieces[key].append(p)
        datagram = joined(pieces[key])
        if datagram:
            out.append(datagram)
            del pieces[key]
    return out + [p for parts in pieces.values() for p in parts]


def fail(text):
    print(text)
    sys.exit(1)


def match(what, sent, seen, unseen):
    """Each packet of sent is in seen, with one hop taken off; at most `unseen` were dropped on the way."""
    waiting = collections.defaultdict(list)
    for p in sent:
        waiting[p.key()].append(p)
    for p in seen:
        mates = waiting.get(p.key())
        if not mates:
            fail("%s: arrived but was not sent so: %s" % (what, p))
        mate = mates.pop(0)
        if p.ttl != mate.ttl - 1:
            fail("%s: TTL %d became %d: %s" % (what, mate.ttl, p.ttl, p))
        if not (p.checksum_ok() and mate.checksum_ok()):
            fail("%s: wrong header checksum: %s" % (what, p))
    left = [p for mates in waiting.values() for p in mates]
    if len(left) != unseen:
        fail("%s: %d sent packets did not arrive, expected %d; first: %s" % (what, len(left), unseen, left[0] if left else ""))


def without_nat(opt, seen, end):
    """seen less what is at a port of NAT at that end (0 source, 1 destination), and how much that was."""
    low, high = opt.nat
    rest = [p for p in seen if not low <= (p.ports()[end] or -1) <= high]
    return rest, len(seen) - len(rest)


def same(opt):
    pools = opt.pool.split(",")
    out_sent, in_seen, report = [], [], {"hosts": {}, "kinds": {}}
    for spec in opt.host:
        name, addr, path = spec.split("=")
        out, back = [], []
        for p in capture(path):
            if p.src == addr and p.dst == opt.gw and p.inner:
                out.append(p.inner)
            elif p.dst == addr and p.src == opt.gw and p.inner:
                back.append(p.inner)
            elif p.src in pools or p.dst in pools:
                fail("%s: a leased address outside of the tunnel: %s" % (name, p))
        out, back = whole(out), whole(back)
        out_sent += out
        in_seen += back
        report["hosts"][name] = {"out_packets": len(out), "out_bytes": sum(len(p.raw) for p in out),
                                 "in_packets": len(back), "in_bytes": sum(len(p.raw) for p in back)}
    public = whole(packets(opt.peer))
    for p in public:
        if p.inner:
            fail("a tunnel on the public wire: %s" % p)
    out_seen, report["nat_out_packets"] = without_nat(opt, [p for p in public if p.src in pools], 0)
    in_sent, report["nat_in_packets"] = without_nat(opt, [p for p in public if p.dst in pools], 1)
    for p in out_sent:
        if p.src not in pools:
            fail("in a tunnel, but from no leased address: %s" % p)
    turned = [p for p in out_sent if p.dst in pools], [p for p in in_seen if p.src in pools]
    match("host to host", *turned, 0)
    match("host to peer", [p for p in out_sent if p.dst not in pools], out_seen, opt.unseen_out)
    match("peer to host", in_sent, [p for p in in_seen if p.src not in pools], opt.unseen_in)
    for p in out_seen + in_seen:
        report["kinds"][p.kind()] = report["kinds"].get(p.kind(), 0) + 1
    report["out_packets"], report["in_packets"] = len(out_seen), len(in_seen)
    print(json.dumps(report))


def line(p):
    what = {"esp": "ESP", "ah": "AH", "ike": "UDP", "tcp": "TCP", "udp": "UDP", "icmp": "ICMP"}.get(p.kind(), p.kind())
    src, dst = p.ports()
    if p.kind() in ("esp", "ah"):
        spi = struct.unpack_from("!I", p.raw, p.hdr + (4 if p.kind() == "ah" else 0))[0]
        return "%s > %s %s SPI 0x%08x" % (p.src, p.dst, what, spi)
    return "%s%s > %s%s %s" % (p.src, "" if src is None else ":%d" % src, p.dst, "" if dst is None else ":%d" % dst, what)


def show(opt):
    """For each kind the first packet of a host, and the same one on the public wire."""
    public = {p.key(): p for p in packets(opt.peer)}
    done = set()
    for spec in opt.host:
        name, addr, path = spec.split("=")
        for p in packets(path):
            if p.src != addr or not p.inner or (p.inner.kind(), name) in done or p.inner.key() not in public:
                continue
            done.add((p.inner.kind(), name))
            print("%-6s LAN     %s > %s [ %s, TTL %d ]" % (name, p.src, p.dst, line(p.inner), p.inner.ttl))
            print("       public  %s  %s, TTL %d" % (" " * len("%s > %s" % (p.src, p.dst)), line(p.inner),
                                                      public[p.inner.key()].ttl))


def count(path, words):
    n = 0
    want = dict(w.split("=") for w in words)
    if "arp" in want:
        for f in frames(path):
            reply = f[12:14] == b"\x08\x06" and f[20:22] == b"\x00\x02"  # that claims this address
            if reply and socket.inet_ntoa(f[28:32]) == want["arp"] and want.get("mac", f[22:28].hex(":")) == f[22:28].hex(":"):
                n += 1
        print(n)
        return
    for p in packets(path):
        if want.get("outer") == "ipip":
            if not p.inner:
                continue
            p = p.inner
        elif want.get("outer") == "none" and p.inner:
            continue
        got = {"src": p.src, "dst": p.dst, "proto": str(p.proto), "dscp": str(p.raw[1] >> 2), "kind": p.kind(),
               "sport": str(p.ports()[0]), "dport": str(p.ports()[1])}
        n += all(got[k] == v for k, v in want.items() if k != "outer")
    print(n)


if __name__ == "__main__":
    if sys.argv[1:2] == ["count"]:
        count(sys.argv[2], sys.argv[3:])
    else:
        ap = argparse.ArgumentParser()
        ap.add_argument("what", choices=["same", "show"])
        ap.add_argument("--pool", required=True)
        ap.add_argument("--gw", required=True)
        ap.add_argument("--host", action="append", default=[])
        ap.add_argument("--peer", required=True)
        ap.add_argument("--unseen-out", type=int, default=0)
        ap.add_argument("--unseen-in", type=int, default=0)
        ap.add_argument("--nat", type=lambda ports: tuple(map(int, ports.split("-"))), default=(0, -1))
        args = ap.parse_args()
        same(args) if args.what == "same" else show(args)
