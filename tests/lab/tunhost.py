#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tunhost.py GATEWAY PORTS: a host by hand, whatever its link is: leases PORTS ports, and is an IP-IP tunnel's end.

The tunnel is TUN device rsip0 with the leased address, a raw socket carries its packets.  Says "ready ADDRESS FIRST-PORT";
then every program in this network namespace that binds to one of these ports speaks from the leased address."""
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

import rsip

TUNSETIFF, IFF_TUN, IFF_NO_PI, IP_MTU_DISCOVER, MTU = 0x400454CA, 0x0001, 0x1000, 10, 1480


def lease(gateway, count):
    host = rsip.Host(gateway)
    host.register()
    params = host.assign(count, 0)
    addr = socket.inet_ntoa(rsip.first(params, rsip.ADDRESS)[1:5])
    return addr, struct.unpack("!H", rsip.first(params, rsip.PORTS)[1:3])[0]


def device(addr, first, count):
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", b"rsip0", IFF_TUN | IFF_NO_PI))
    for line in ("addr add %s/32 dev rsip0" % addr, "link set rsip0 mtu %d up" % MTU,
                 "route replace default dev rsip0 src %s" % addr):
        subprocess.run(["ip", *line.split()], check=True)
    with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
        f.write("%d %d" % (first, first + count - 1))
    return fd


def main():
    gateway, count = sys.argv[1], int(sys.argv[2])
    addr, first = lease(gateway, count)
    tun = device(addr, first, count)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
    raw.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, 0)
    raw.connect((gateway, 0))
    print("ready", addr, first, flush=True)
    while True:
        for fd in select.select([tun, raw.fileno()], [], [])[0]:
            if fd == tun:
                raw.send(os.read(tun, 65536))
            else:
                packet = raw.recv(65536)
                os.write(tun, packet[(packet[0] & 15) * 4:])


main()
