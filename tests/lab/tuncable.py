#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tuncable.py NETNS DEVICE NETNS DEVICE: a cable between two TUN devices, which it makes, one in each network namespace.

They have no Ethernet header: what goes into one is an IP packet, and comes out of the other.  Says "ready" when both are
there; they go when it ends."""
import ctypes
import fcntl
import os
import select
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 0x0001, 0x1000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def tun(netns, name):
    with open(netns) as f:
        if libc.setns(f.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), netns)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def carry(a, b):
    try:
        for _ in range(64):
            os.write(b, os.read(a, 65536))
    except BlockingIOError:
        pass  # nothing more for now
    except OSError:
        pass  # the other end is down: lost, as on a cable


def main():
    a, b = tun(*sys.argv[1:3]), tun(*sys.argv[3:5])
    print("ready", flush=True)
    while True:
        for fd in select.select([a, b], [], [])[0]:
            carry(fd, b if fd == a else a)


main()
