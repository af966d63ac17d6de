#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""l2tphost.py: a host by hand whose tunnel is of type 3, L2TP.

  l2tphost.py lease GATEWAY PORTS SPIS [TUNNEL]   prints ADDRESS FIRST-PORT FIRST-SPI of an RSIPSEC lease, or the error's number
  l2tphost.py send DEVICE SOURCE PORT DESTINATION PORT [OUTER-SOURCE OUTER-DESTINATION]
      one datagram by a PPP device, whatever its routes say; in IP-IP with outer addresses
"""
import socket
import struct
import sys

import packets
import rsip


def lease(gateway, ports, spis, tunnel=3):
    host = rsip.Host(gateway)
    host.register()

    def build(n):
        kind, params = rsip.parse(rsip.assign_ipsec(host.client, ports, spis, n))
        return rsip.message(kind, params + [(rsip.TUNNEL, bytes([tunnel]))])
    kind, params = host.ask(build)
    if kind != 23:
        print("error", struct.unpack("!H", rsip.first(params, rsip.ERROR))[0])
        return
    assert rsip.first(params, rsip.TUNNEL) == bytes([tunnel])
    print(socket.inet_ntoa(rsip.first(params, rsip.ADDRESS)[1:5]),
          struct.unpack("!H", rsip.first(params, rsip.PORTS)[1:3])[0], "0x" + rsip.first(params, rsip.SPI)[2:6].hex())


def send(device, src, sport, dst, dport, *outer):
    packet = packets.udp(src, sport, dst, dport, b"hand")
    if outer:
        packet = packets.ip(*outer, 4, packet)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    sock.sendto(packet, (device, 0x0800))


if sys.argv[1] == "lease":
    lease(sys.argv[2], *map(int, sys.argv[3:]))
else:
    send(*sys.argv[2:])
