#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""scale.py GATEWAY FIRST PID NETNS DEV ROUNDS SIZE...: does a request, or a packet, cost more when more hosts are there?

Registers hosts from address FIRST on, each with one RSIPSEC binding of 64 ports and 4 SPIs, until SIZE hosts are
there; then ROUNDS times a random host extends its binding, leases one port more and frees it.  For each SIZE one
JSON line: hosts, median and 99th percentile of the answer's time (us), CPU time of process PID (rsipd) per request
(us, from the scheduler's own clock), addresses in use, and packet_ns: the median time of the program on DEV in
network namespace NETNS, for packets to random leased ports and SPIs (BPF_PROG_TEST_RUN, one packet a call).
"""
import ctypes
import ipaddress
import json
import os
import random
import resource
import socket
import struct
import subprocess
import sys
import time

import packets
import rsip

PORTS, SPIS = 64, 4


def cpu_us(pid):
    """of all its threads: the one that commits to the lease store, too"""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total / 1000


def grow(hosts, gateway, first, size, leased):
    while len(hosts) < size:
        h = rsip.Host(gateway, str(ipaddress.ip_address(first) + len(hosts)))
        h.register()
        params = h.assign(PORTS, SPIS)
        addr = socket.inet_ntoa(rsip.first(params, rsip.ADDRESS)[1:5])
        ports, spis = rsip.first(params, rsip.PORTS), rsip.first(params, rsip.SPI)
        if ports[0] != PORTS or struct.unpack_from("!H", spis)[0] != SPIS:
            raise RuntimeError("not what was asked for: %r" % params)
        leased.append((addr, struct.unpack_from("!H", ports, 1)[0], struct.unpack_from("!I", spis, 2)[0]))
        h.main = h.bind
        hosts.append(h)


def measure(hosts, pid, rounds):
    rng, times = random.Random(1), []
    before = cpu_us(pid)
    for _ in range(rounds):
        h = rng.choice(hosts)
        for step in (h.extend, lambda: h.assign(1, 0), h.free):
            began = time.perf_counter()
            step()
            times.append((time.perf_counter() - began) * 1e6)
        h.bind = h.main
    cost = (cpu_us(pid) - before) / len(times)
    times.sort()
    return {"median_us": round(times[len(times) // 2], 1), "p99_us": round(times[len(times) * 99 // 100], 1),
            "cpu_us": round(cost, 2)}


libc = ctypes.CDLL(None, use_errno=True)
SYS_BPF = 321 if os.uname().machine == "x86_64" else 280
PROG_TEST_RUN, PROG_GET_FD_BY_ID, XDP_REDIRECT, CLONE_NEWNET = 10, 13, 4, 0x40000000


def bpf(cmd, buf):
    ret = libc.syscall(SYS_BPF, cmd, buf, ctypes.sizeof(buf))
    if ret < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d): %s" % (cmd, os.strerror(ctypes.get_errno())))
    return ret


class Program:
    """The XDP program on a device of another network namespace."""

    def __init__(self, netns, dev):
        self.netns, self.home = os.open(netns, os.O_RDONLY), os.open("/proc/self/ns/net", os.O_RDONLY)
        link = json.loads(subprocess.check_output(["nsenter", "--net=" + netns, "ip", "-j", "link", "show", dev]))[0]
        self.index, self.mac = link["ifindex"], bytes.fromhex(link["address"].replace(":", ""))
        self.fd = bpf(PROG_GET_FD_BY_ID, ctypes.create_string_buffer(struct.pack("<I", link["xdp"]["prog"]["id"]), 64))

    def run(self, frames):
        """Median nanoseconds of one packet; each must be redirected."""
        libc.setns(self.netns, CLONE_NEWNET)
        times = sorted(self.once(f) for f in frames)
        libc.setns(self.home, CLONE_NEWNET)
        return times[len(times) // 2]

    def once(self, frame):
        data, out = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(256)
        ctx = ctypes.create_string_buffer(struct.pack("<IIIIII", 0, len(frame), 0, self.index, 0, 0), 24)
        attr = ctypes.create_string_buffer(struct.pack(
            "<IIIIQQIIIIQQIII", self.fd, 0, len(frame), 256, ctypes.addressof(data), ctypes.addressof(out), 1, 0, 24, 0,
            ctypes.addressof(ctx), 0, 0, 0, 0), 128)
        bpf(PROG_TEST_RUN, attr)
        if struct.unpack_from("<I", attr, 4)[0] != XDP_REDIRECT:
            raise RuntimeError("a packet to a leased port or SPI was not redirected")
        return struct.unpack_from("<I", attr, 36)[0]


def frames_to(leased, mac, count):
    rng, out = random.Random(2), []
    for _ in range(count):
        addr, port, spi = rng.choice(leased)
        if rng.randrange(2):
            proto, body = 17, struct.pack("!HHHH", 9, port + rng.randrange(PORTS), 26, 0) + b"x" * 18
        else:
            proto, body = 50, struct.pack("!II", spi + rng.randrange(SPIS), 1) + b"x" * 18
        out.append(mac + b"\x02\0\0\0\0\x01\x08\x00" + packets.ip("192.0.2.2", addr, proto, body, ident=1))
    return out


def main(gateway, first, pid, netns, dev, rounds, *sizes):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    program, hosts, leased = Program(netns, dev), [], []
    for size in sizes:
        began = time.monotonic()
        grow(hosts, gateway, first, size, leased)
        line = {"hosts": size, "grown_s": round(time.monotonic() - began, 2)}
        measure(hosts, pid, rounds // 4)  # warm
        line.update(measure(hosts, pid, rounds), addresses=len({a for a, _, _ in leased}),
                    repeats=sum(h.repeats for h in hosts))
        line["packet_ns"] = program.run(frames_to(leased, program.mac, 4000))
        print(json.dumps(line), flush=True)
    claimed = {(a, p + i) for a, p, _ in leased for i in range(PORTS)} | {
        (a, "spi", s + i) for a, _, s in leased for i in range(SPIS)}
    print(json.dumps({"distinct": len(claimed), "expected": len(leased) * (PORTS + SPIS)}))


main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5], *[int(x) for x in sys.argv[6:]])
