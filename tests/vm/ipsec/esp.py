#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""esp.py: what IPsec looked like on the public wire.

  esp.py look FILE POOL [--inner=GW] [NAME=FIRST-LAST...]     reads a capture, prints a JSON object:
      esp ah            packets of protocol 50 and 51, both ways
      in_spis out_spis  their distinct SPIs towards the shared addresses (POOL, A[,A]) and from them
      encap             ESP in UDP 4500 (the four bytes after the UDP header are not the zero non-ESP marker)
      ike               IKE packets (the environment's IKE_PORTS are more ports of it)
      plain             anything else between a shared address and the peer, in words
      foreign           SPIs towards the shared addresses that no NAME leases (ranges in host order)
      of                packets that came in under each NAME's range
      errors            ICMP errors to and from the shared addresses
      With --inner, it is about what GW sends in tunnels: a host that talks to a host is never on the public wire.
  esp.py judge esp|ah   that object from standard input: prints what is wrong if all of it should be esp or ah
  esp.py kinds          of the same: what there was, in words
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "lab"))
import wire as packets  # noqa: E402

LEAST = 40  # packets of a scenario that saw traffic


def look(path, pool, *specs):
    ike_ports = {int(p) for p in os.environ.get("IKE_PORTS", "").split()}
    pool, ranges = pool.split(","), []
    gw = specs[0][8:] if specs and specs[0].startswith("--inner=") else None
    out = {"esp": 0, "ah": 0, "encap": 0, "ike": 0, "plain": {}, "foreign": [], "of": {}, "later_fragments": 0,
           "errors": 0}
    for spec in specs[gw is not None:]:
        name, span = spec.split("=")
        ranges.append((name, *(int(x, 0) for x in (span.split("-") * 2)[:2])))
        out["of"][name] = 0
    spis = {"in": set(), "out": set()}

    def seen(p, kind, spi):
        out[kind] += 1
        way = "in" if p.dst in pool else "out"
        spis[way].add("0x%08x" % spi)
        if way == "out" or not ranges:
            return
        name = next((n for n, first, last in ranges if first <= spi <= last), None)
        if name is None:
            out["foreign"].append("0x%08x" % spi)
        else:
            out["of"][name] += 1

    for p in packets.packets(path):
        if gw:
            p = p.inner if p.src == gw else None
        if not p:
            continue
        if p.src not in pool and p.dst not in pool:
            continue
        body, ports = p.raw[p.hdr:], set(p.ports())
        if struct.unpack_from("!H", p.raw, 6)[0] & 0x1FFF:
            out["later_fragments"] += 1
        elif p.proto == 50:
            seen(p, "esp", struct.unpack_from("!I", body)[0])
        elif p.proto == 51:
            seen(p, "ah", struct.unpack_from("!I", body, 4)[0])
        elif p.proto == 1 and body[0] in (3, 11, 12):
            out["errors"] += 1
        elif p.proto == 17 and 4500 in ports and len(body) > 12 and body[8:12] != bytes(4):
            out["encap"] += 1
        elif p.proto == 17 and ports & ({500, 4500} | ike_ports):
            out["ike"] += len(body) > 9  # no NAT keepalive, which is one byte
        else:
            out["plain"][packets.line(p)] = out["plain"].get(packets.line(p), 0) + 1
    out["in_spis"], out["out_spis"] = sorted(spis["in"]), sorted(spis["out"])
    print(json.dumps(out))


def judge(d, want):
    other = "ah" if want == "esp" else "esp"
    bad = []
    if d[want] < LEAST:
        bad.append("only %d packets of %s" % (d[want], want))
    if d[other]:
        bad.append("%d packets of %s" % (d[other], other))
    if d["encap"]:
        bad.append("%d packets in UDP encapsulation" % d["encap"])
    if d["foreign"]:
        bad.append("SPIs that nobody leases: %s" % ", ".join(sorted(set(d["foreign"]))[:3]))
    if d["plain"]:
        bad.append("in the clear: %s" % d["plain"])
    bad += ["nothing for %s" % name for name, n in d["of"].items() if n == 0]
    print("; ".join(bad))


def kinds(d):
    names = (("esp", "ESP"), ("ah", "AH"), ("encap", "ESP in UDP"), ("ike", "IKE"), ("later_fragments", "later fragments"),
             ("errors", "ICMP errors"))
    print(", ".join("%d %s" % (d[k], name) for k, name in names if d[k]) or "nothing")


if sys.argv[1] == "look":
    look(*sys.argv[2:])
elif sys.argv[1] == "judge":
    judge(json.load(sys.stdin), sys.argv[2])
else:
    kinds(json.load(sys.stdin))
