#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""facts.py: one fact out of the JSON that our own programs print, from standard input.

  lease KEY          of `rsip-client --json status`: addr, client_id, port, port_cnt, spi, spi_last, renewals, bindings
  leased PORT        exit status: does the host hold this port?
  stat NAME          of `rsipctl --json stats`: an event or drop counter, summed over the interfaces
  drops              of the same: all drops, summed
  reasons            of the same: {"reason": count} of all drops
  bindings           of `rsipctl --json bindings`: one line a binding: ID host method address ports SPIs
  counter HOST NAME  of the same: in_packets, in_bytes, out_packets, out_bytes, summed over the host's bindings
"""
import json
import sys


def spans(bindings, what):
    out = []
    for b in bindings:
        for text in b[what]:
            first, _, last = text.partition("-")
            out.append((int(first, 0), int(last or first, 0)))
    return sorted(out)


def lease(status, key):
    bindings = status["bindings"]
    ports, spis = spans(bindings, "ports"), spans(bindings, "spis")
    return {
        "addr": lambda: ",".join(sorted({b["address"] for b in bindings})),
        "client_id": lambda: status["client-id"],
        "port": lambda: ports[0][0],
        "port_cnt": lambda: sum(b - a + 1 for a, b in ports),
        "spi": lambda: spis[0][0],
        "spi_last": lambda: spis[0][1],
        "renewals": lambda: status["messages"]["renewals"],
        "bindings": lambda: len(bindings),
    }[key]()


def leased(status, port):
    sys.exit(not any(a <= int(port) <= b for a, b in spans(status["bindings"], "ports")))


def stat(stats, name):
    return {**stats["total"]["events"], **stats["total"]["drops"]}[name]


def lines(d):
    rows = ["%s %s %s %s %s %s" % (b["bind-id"], b["host"], b["method"], b["local"], ",".join(b["ports"]) or "-",
                                   ",".join(b["spis"]) or "-") for b in d["bindings"]]
    return "\n".join(sorted(rows))


FACTS = {
    "lease": lease, "leased": leased, "stat": stat, "bindings": lines,
    "drops": lambda d: sum(d["total"]["drops"].values()),
    "reasons": lambda d: json.dumps(d["total"]["drops"]),
    "counter": lambda d, host, name: sum(b[name.replace("_", "-")] for b in d["bindings"] if b["host"] == host),
}
text = sys.stdin.read()
data = json.loads(text) if text.strip() else {}
if isinstance(data, list):
    data = {"bindings": data}
data.setdefault("bindings", [])  # an empty list may be no list
print(FACTS[sys.argv[1]](data, *sys.argv[2:]))
