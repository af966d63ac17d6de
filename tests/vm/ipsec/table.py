#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""table.py [--summary] DIR: what each gateway could and could not do.

DIR/GATEWAY-KERNEL/SCENARIO are what ipsec.sh wrote: lines SCENARIO|GATEWAY|STEP|STATUS|TEXT, the first with the kernel, the
commit and the day as TEXT of the step `on`, the last with the seconds it took as TEXT of the step `over` and how many steps
failed as its STATUS.
The table of docs/comparison.md: for each step yes or no on all kernels that ran it (the scenario's first line names them), or,
where they differ, which.  A step that did not
run is never "yes".  --summary: for each scenario and run how many steps passed or failed, and in what time.
"""
import collections
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GATEWAYS = "rsip", "masquerade"
SA = {"esp": "ESP", "ah": "AH"}
PORTS = {"leased": "two leased ports", "mobike": "two leased ports, MOBIKE on", "label": "port 500, labels",
         "plain": "port 500, no labels", "ephemeral": "two leased ports, no labels"}
HOSTS = {"1": "1 host", "pair": "2 hosts of one gateway, on two addresses, with each other"}
STEPS = {
    "up": "SAs of all hosts at once", "child-rekey-host": "the host rekeys its CHILD_SA",
    "child-rekey-peer": "the peer rekeys the CHILD_SA", "ike-rekey-host": "the host rekeys the IKE_SA",
    "ike-rekey-peer": "the peer rekeys the IKE_SA", "reauth-host": "the host reauthenticates",
    "reauth-peer": "the peer reauthenticates", "dpd": "dead peer detection, both ways",
    "-child-rekey-peer": "the peer rekeys the CHILD_SA, as the first thing it sends after the host rekeyed the IKE_SA",
    "renew": "leases are renewed", "rsipd-killed": "rsipd is killed and started again",
    "rsipd-upgraded": "rsipd is upgraded: another file, and a restart",
    "upgraded": "the data plane's programs are replaced",
    "client-killed": "a host's client is killed and started again", "client-upgraded": "a host's client is upgraded in place",
    "revoked": "one host's leases are revoked: it stops, the other goes on",
    "expired": "a lease runs out while rsipd is away: it stops",
    "large": "datagrams of 4,000 bytes, so fragments of ESP or AH", "pmtu": "a narrow link behind the gateway: hosts hear of it",
    "host-reboot": "a host loses its power", "gateway-reboot": "the gateway reboots",
    "gateway-replaced": "another gateway takes its place, which knows of nothing",
}


def scenarios():
    with open(os.path.join(HERE, "scenarios")) as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                yield words[0], words[1:5], words[5:]


def results(top):
    """{(gateway, kernel): {scenario: {step: (status, text)}}}"""
    got = collections.defaultdict(dict)
    for run in sorted(os.listdir(top)):
        gateway, _, kernel = run.partition("-")
        for name in os.listdir(os.path.join(top, run)):
            if gateway not in GATEWAYS or name.startswith(".") or not os.path.isfile(os.path.join(top, run, name)):
                continue
            with open(os.path.join(top, run, name)) as f:
                lines = [line.rstrip("\n").split("|", 4) for line in f]
            got[gateway, kernel][name] = {step: (int(status), text) for _, _, step, status, text in lines}
    return got


def short(kernel):
    return ".".join(kernel.split(".")[:2])


def one(steps, step, gateway):
    """What one run of a scenario says about a step."""
    if steps is None:
        return "not run"
    if step in steps:
        status, _ = steps[step]
        if status == 2:
            return "-"
        if step.startswith("-") and gateway == "rsip":
            return "no, by design" if status == 0 else "FAILED"
        return "yes" if status == 0 else "no"
    if steps.get("up", (1, ""))[0] == 2:
        return "-"
    if steps.get("up", (1, ""))[0]:
        return "no"
    return "not reached" if any(status == 1 for step, (status, _) in steps.items() if step != "over") else "not run"


def agreed(says):
    """says: {kernel: word}, of the kernels that ran it"""
    says = {k: w for k, w in says.items() if w != "not run"}
    words = set(says.values())
    if len(words) <= 1:
        return words.pop() if words else "not run"
    return ", ".join("%s on %s" % (w, short(k)) for k, w in sorted(says.items()))


def wire(steps):
    if steps is None:
        return "not run"
    if "wire" not in steps:
        return "-" if steps.get("up", (1, ""))[0] == 2 else "not reached"
    status, text = steps["wire"]
    kinds = {w.split(" ", 1)[1] for w in text.split(", ") if w[0].isdigit()} - {"IKE", "ICMP errors", "later fragments"}
    return "FAILED" if status else ", ".join(sorted(kinds)) or "nothing"


def table(got):
    print("| scenario | RSIP | masquerade, NAT-T |\n| --- | --- | --- |")

    def cells(name, what, *args):
        return [agreed({k: what(run.get(name), *(a or gateway for a in args)) for (g, k), run in got.items() if g == gateway})
                for gateway in GATEWAYS]

    def heads(name):
        for gateway, head in zip(GATEWAYS, cells(name, wire)):
            kernels = sorted(short(k) for (g, k), run in got.items() if g == gateway and name in run)
            yield head if head in ("-", "not run") or " on " in head else "%s (%s)" % (head, ", ".join(kernels))

    for name, (ike, sa, ports, hosts), steps in scenarios():
        proto, mode = sa.split("-")
        print("| **`%s`: %s, IKEv%s, %s %s mode, %s** | **%s** | **%s** |" % (
            name, HOSTS.get(hosts, hosts + " hosts"), ike, SA[proto], mode, PORTS[ports], *heads(name)))
        for step in ["up"] + steps:
            print("| %s | %s | %s |" % (STEPS.get(step) or STEPS[step[1:]], *cells(name, one, step, None)))
    print("\nRun on: " + "; ".join(sorted({"%s, kernel %s" % ("RSIP" if g == "rsip" else g, where(run)) for (g, _), run in got.items()})) + ".")


def where(run):
    """Kernel, commits and days of one run, in words."""
    on = sorted({steps["on"][1] for steps in run.values() if "on" in steps})
    kernel = on[0].split(", ")[0] if on else "?"
    return "%s (commit %s)" % (kernel, ", ".join(sorted({", ".join(x.split(", ")[1:]) for x in on})))


def summary(got):
    runs = sorted(got, key=lambda r: (GATEWAYS.index(r[0]), r[1]))
    print("%-18s" % "scenario" + "".join("%-26s" % ("%s %s" % (g, short(k))) for g, k in runs))
    for name, _, steps in scenarios():
        row = "%-18s" % name
        for r in runs:
            row += "%-26s" % said(got[r].get(name), r[0])
        print(row.rstrip())


def said(steps, gateway):
    if steps is None or "over" not in steps:
        return "not run"
    failed, seconds = steps["over"]
    judged = [s for step, (s, _) in steps.items() if step not in ("on", "over")]
    if 2 in judged and len(judged) == 1:
        return "-"
    words = "%d ok" % judged.count(0)
    if gateway != "rsip" and judged.count(1) > failed:
        words += ", %d cannot" % (judged.count(1) - failed)
    if failed:
        words += ", %d FAILED" % failed
    return words + ", %s s" % seconds


if sys.argv[1] == "--summary":
    summary(results(sys.argv[2]))
else:
    table(results(sys.argv[1]))
