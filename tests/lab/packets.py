# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""IPv4 packets by hand, with right header checksums.  Addresses are text or four bytes."""
import socket
import struct


def checksum(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff


def _addr(a):
    return a if isinstance(a, bytes) else socket.inet_aton(a)


def ip(src, dst, proto, body, tos=0, ident=7, frag=0):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(body), ident, frag, 64, proto, 0, _addr(src), _addr(dst))
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def udp(src, sport, dst, dport, text, tos=0, ident=7):
    return ip(src, dst, 17, struct.pack("!HHHH", int(sport), int(dport), 8 + len(text), 0) + text, tos, ident)
