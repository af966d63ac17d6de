#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""dissect.py HEX_FILE PCAP: what tshark's RSIP dissector, which nobody of us wrote, makes of our messages.

HEX_FILE has one message a line.  Each must come out with the same type, length, parameters and values.  Known defects of
the dissector (4.0): a "don't care" of SPIs is read four bytes past its end, and only the first SPI of a list is shown;
names of errors 401-403 are one off, method 3 and type 23 have other names.  So numbers are compared, not names.
Prints "ok" or "not ok" lines.
"""
import logging
import subprocess
import sys
import xml.etree.ElementTree as xml

from rsip import ADDRESS, BIND, CLIENT, COUNTER, ERROR, FLOW, INDICATOR, LEASE, METHOD, PORT, PORTS, SPI, TUNNEL, parse

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.all import IP, UDP, Ether, Raw, wrpcap  # noqa: E402

SMALL = {LEASE: ("rsip.parameter.lease_time", 4), CLIENT: ("rsip.parameter.client_id", 4), BIND: ("rsip.parameter.bind_id", 4),
         TUNNEL: ("rsip.parameter.tunnel_type", 1), METHOD: ("rsip.method_param.method", 1), ERROR: ("rsip.parameter.error", 2),
         INDICATOR: ("rsip.parameter.indicator", 2), COUNTER: ("rsip.parameter.message_counter", 4)}


def number(value):
    return int.from_bytes(value, "big")


def wanted(what, value):
    """[(field, number)] that the dissector must show for a parameter; None: nothing to compare beyond type and length."""
    if what in SMALL:
        return [(SMALL[what][0], number(value))]
    if what == FLOW:
        return [("rsip.parameter.local_flow_policy", value[0]), ("rsip.parameter.remote_flow_policy", value[1])]
    if what == ADDRESS and value[0] == 1 and len(value) == 5:
        return [("rsip.parameter.address_type", 1), ("rsip.parameter.address", ".".join(map(str, value[1:])))]
    if what == ADDRESS and value[0] == 2:
        return [("rsip.parameter.address_type", 2), ("rsip.parameter.netmask", ".".join(map(str, value[1:])))]
    if what == ADDRESS and value[0] == 4:
        return [("rsip.parameter.address_type", 4), ("rsip.parameter.fqdn", value[1:].decode())]
    if what == PORTS and len(value) >= 3:
        return [("rsip.parameter.ports.number", value[0]), ("rsip.parameter.ports.port_number", number(value[1:3]))]
    if what == SPI and len(value) >= 6:
        return [("rsip.parameter.spi_number", number(value[:2])), ("rsip.parameter.spi", number(value[2:6]))]
    return []


def shown(proto):
    """(type, length, [(parameter, length, {field: value})]) as the dissector has it."""
    top = {f.get("name"): f for f in proto.iter("field")}
    params = []
    for f in proto.iter("field"):
        name = f.get("name")
        if name == "rsip.parameter.type":
            params.append([int(f.get("value"), 16), None, {}])
        elif name == "rsip.parameter.length":
            params[-1][1] = int(f.get("value"), 16)
        elif name.startswith("rsip.") and params and f.get("value"):
            params[-1][2].setdefault(name, f.get("show") if name.endswith((".address", ".netmask", ".fqdn")) else int(f.get("value"), 16))
    return int(top["rsip.message_type"].get("value"), 16), int(top["rsip.message_length"].get("value"), 16), params


def difference(data, proto):
    kind, params = parse(data)
    if proto is None:
        return "not seen as RSIP"
    got_kind, got_len, got = shown(proto)
    if (got_kind, got_len) != (kind, len(data)):
        return "type %d length %d, want %d and %d" % (got_kind, got_len, kind, len(data))
    if any(t == SPI and len(v) == 2 for t, v in params):  # the known defect: what follows is not looked at
        cut = next(i for i, (t, v) in enumerate(params) if t == SPI and len(v) == 2)
        params, got = params[:cut], got[:cut]
    if [(t, len(v) & 0xFF) for t, v in params] != [(p[0], p[1] & 0xFF) for p in got]:
        return "parameters %s, want %s" % ([p[:2] for p in got], [(t, len(v)) for t, v in params])
    for (what, value), (_, _, fields) in zip(params, got):
        for field, want in wanted(what, value):
            if fields.get(field) != want:
                return "%s is %s, want %s" % (field, fields.get(field), want)
    return ""


def main(path, pcap):
    with open(path, encoding="ascii") as f:
        messages = [bytes.fromhex(line) for line in f]
    wrpcap(pcap, [Ether() / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=PORT, dport=40000) / Raw(m) for m in messages])
    out = subprocess.run(["tshark", "-r", pcap, "-T", "pdml"], check=True, capture_output=True).stdout
    packets = xml.fromstring(out).findall("packet")
    if len(packets) != len(messages):
        print("not ok tshark shows %d messages of %d" % (len(packets), len(messages)))
        return
    kinds = {}
    for data, packet in zip(messages, packets):
        why = difference(data, packet.find("proto[@name='rsip']"))
        kinds.setdefault(data[1], [0, ""])
        kinds[data[1]][0] += 1
        kinds[data[1]][1] = kinds[data[1]][1] or (why and "%s: %s" % (why, data.hex()))
    for kind, (count, why) in sorted(kinds.items()):
        print("%s tshark reads message type %d as it was meant (%d messages)%s" % ("not ok" if why else "ok", kind, count, why and ": " + why))


main(sys.argv[1], sys.argv[2])
