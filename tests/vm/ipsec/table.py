#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""table.py [RESULTS...]: what each gateway could and could not do, as the table of docs/comparison.md.

RESULTS are the lines that ipsec.sh wrote: SCENARIO|GATEWAY|STEP|STATUS|TEXT, of one or more kernels.  A step of a scenario
that did not run (an earlier one failed) is no "yes".
"""
import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SA = {"esp": "ESP", "ah": "AH"}
PORTS = {"leased": "two leased ports", "mobike": "two leased ports, MOBIKE on", "label": "port 500, labels",
         "plain": "port 500, no labels"}
HOSTS = {"1": "1 host", "pair": "2 hosts of one gateway, on two addresses, with each other"}
STEPS = {
    "up": "SAs of all hosts at once", "child-rekey-host": "the host rekeys its CHILD_SA",
    "child-rekey-peer": "the peer rekeys the CHILD_SA", "ike-rekey-host": "the host rekeys the IKE_SA",
    "ike-rekey-peer": "the peer rekeys the IKE_SA", "reauth-host": "the host reauthenticates",
    "reauth-peer": "the peer reauthenticates", "dpd": "dead peer detection, both ways",
    "renew": "leases are renewed", "rsipd-killed": "rsipd is killed and started again",
    "upgraded": "the data plane's programs are replaced", "revoked": "one host's leases are revoked: it stops, the other goes on",
    "expired": "a lease runs out while rsipd is away: it stops",
    "large": "datagrams of 4,000 bytes, so fragments of ESP or AH", "pmtu": "a narrow link behind the gateway: hosts hear of it",
    "host-reboot": "a host loses its power", "gateway-reboot": "the gateway reboots",
}


def scenarios():
    with open(os.path.join(HERE, "scenarios")) as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                yield words[0], words[1:5], words[5:]


def results(paths):
    got = collections.defaultdict(list)
    for path in paths:
        with open(path) as f:
            for line in f:
                name, gateway, step, status, text = line.rstrip("\n").split("|", 4)
                got[name, gateway, step].append((int(status), text))
    return got


def absent(got, name, gateway, otherwise):
    """Why there is no result: a dash where such a gateway has nothing to do with it."""
    ups = [status for status, _ in got.get((name, gateway, "up"), [])]
    return "-" if 2 in ups else otherwise if ups else "not run"


def cell(got, name, gateway, step):
    """yes, no (why), or a dash where there is nothing to say."""
    runs = got.get((name, gateway, step.lstrip("-")), [])
    if not runs:
        return absent(got, name, gateway, "not reached")
    status, text = max(runs)
    if status == 2:
        return "-"
    if step.startswith("-") and gateway == "rsip":
        return "no, by design" if status == 0 else text
    return "yes" if status == 0 else "no"


def wire(got, name, gateway):
    if (name, gateway, "wire") not in got:
        return absent(got, name, gateway, "not run")
    texts = [t for s, t in got.get((name, gateway, "wire"), []) if s == 0]
    kinds = sorted({w.split(" ", 1)[1] for t in texts for w in t.split(", ") if w[0].isdigit()} - {"IKE", "ICMP errors", "later fragments"})
    return ", ".join(kinds) or "nothing"


def main(paths):
    got = results(paths)
    print("| scenario | RSIP | masquerade, NAT-T |\n| --- | --- | --- |")
    for name, (ike, sa, ports, hosts), steps in scenarios():
        if (name, "rsip", "wire") not in got:
            continue
        proto, mode = sa.split("-")
        print("| **`%s`: %s, IKEv%s, %s %s mode, %s** | **%s** | **%s** |" % (
            name, HOSTS.get(hosts, hosts + " hosts"), ike, SA[proto], mode, PORTS[ports], wire(got, name, "rsip"), wire(got, name, "masquerade")))
        for step in ["up"] + steps:
            print("| %s | %s | %s |" % (STEPS[step.lstrip("-")], cell(got, name, "rsip", step), cell(got, name, "masquerade", step)))


main(sys.argv[1:])
