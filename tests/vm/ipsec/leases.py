#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""leases.py NAME: what a host holds, from `rsip-client status --json` on standard input, as three lines:
its address and the first of its eight ports for programs; NAME=FIRST-LAST for each range of SPIs; its IKE ports."""
import json
import sys

d = json.load(sys.stdin)
bindings = d.get("bindings", [])
spans = [(b["address"], *(int(p) for p in (s.split("-") * 2)[:2])) for b in bindings for s in b["ports"]]
print(*next(((addr, first) for addr, first, last in spans if last - first == 7), ()))
print(*("%s=%s" % (sys.argv[1], s) for b in bindings for s in b["spis"]))
charon = d.get("strongswan", {})
print(*(charon[k] for k in ("port", "port-nat-t") if k in charon))
