#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""losses.py NETNS...: where packets were lost: each counter of lost packets that is not zero, of each device in these
network namespaces (files), of UDP sockets that were full, and of IPsec."""
import json
import os
import subprocess
import sys


def run(netns, *command):
    out = subprocess.run(["nsenter", "--net=" + netns, *command], capture_output=True, text=True, check=False)
    return out.stdout


def counters(netns, dev, stats):
    for way in "rx", "tx":
        for what in "dropped", "errors", "over_errors":
            yield "%s %s" % (way, what), stats.get(way, {}).get(what, 0)
    for line in run(netns, "ethtool", "-S", dev).splitlines():
        name, _, value = line.strip().rpartition(": ")
        if ("drop" in name or "err" in name) and value.isdigit():
            yield name, int(value)


for path in sys.argv[1:]:
    node = os.path.basename(path).split("-")[-1] if not path.endswith("netns") else os.path.basename(os.path.dirname(path))
    for link in json.loads(run(path, "ip", "-j", "-s", "link") or "[]"):
        lost = ["%s %d" % (k, v) for k, v in counters(path, link["ifname"], link.get("stats64", {})) if v]
        if lost:
            print("%s %s: %s" % (node, link["ifname"], ", ".join(lost)))
    for line in run(path, "cat", "/proc/net/xfrm_stat").splitlines():
        name, value = line.split()
        if int(value):
            print("%s: %s %s" % (node, name, value))
    for line in run(path, "nstat", "-az", "UdpInErrors", "UdpRcvbufErrors", "UdpSndbufErrors", "IpOutDiscards", "IpInDiscards").splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdigit() and int(words[1]):
            print("%s: %s %s" % (node, words[0], words[1]))
