#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""appendix_c.py GATEWAY SOURCE_NET udp|tcp HEX_FILE REMOVE_COMMAND...: the exchanges of RFC 3103 Appendix C.

Each answer is compared parameter by parameter, in order.  Names in capitals are variables: bound where they first
appear, compared from then on.  Hosts are SOURCE_NET.1 (16.1), .2 (16.2) and .3 (16.3); their flow policies are in
the gateway's configuration.  REMOVE_COMMAND with a bind ID appended makes the gateway take a binding back.
Every message is appended to HEX_FILE, one a line, for the dissector.  docs/rfc-compliance.md lists where we send
something else than Appendix C, because sections 8 to 10 say so.  Prints "ok" and "not ok" lines.
"""
import select
import socket
import subprocess
import sys
import time

from rsip import (ADDRESS, ASSIGN_IPSEC, ASSIGN_RSAP, BIND, CLIENT, COUNTER, DEREGISTER, ERROR, EXTEND, FLOW, FREE, INDICATOR,
                  LEASE, LISTEN, METHOD, PORT, PORTS, QUERY, REGISTER, SPI, TUNNEL, message, parse, u32)

ASSIGN_RSA = 6
NAMES = {ADDRESS: "Address", PORTS: "Ports", LEASE: "Lease Time", CLIENT: "Client ID", BIND: "Bind ID", TUNNEL: "Tunnel Type",
         METHOD: "RSIP Method", ERROR: "Error", FLOW: "Flow Policy", INDICATOR: "Indicator", COUNTER: "Message Counter", SPI: "SPI"}
MACRO, MICRO, NONE = b"\x01", b"\x02", b"\x03"
ANY, ANY_PORT = (ADDRESS, b"\x01"), (PORTS, b"\x01")
IPIP, GRE, L2TP = (TUNNEL, b"\x01"), (TUNNEL, b"\x02"), (TUNNEL, b"\x03")
RSAP, RSA, RSIPSEC = (METHOD, b"\x02"), (METHOD, b"\x01"), (METHOD, b"\x03")
ZERO = (ADDRESS, b"\x01\0\0\0\0")


class Var:
    """A value that the gateway chooses: bound by its first answer."""

    def __init__(self, name, prefix=b"", length=4):
        self.name, self.prefix, self.length = name, prefix, length


def ip(text):
    return (ADDRESS, b"\x01" + socket.inet_aton(text))


def ports(number, first):
    return (PORTS, bytes([number]) + first.to_bytes(2, "big"))


def seconds(n):
    return (LEASE, u32(n))


CID, B1, B2 = (CLIENT, Var("CLIENT")), (BIND, Var("BIND1")), (BIND, Var("BIND2"))
LOCAL = (ADDRESS, Var("ADDRESS", b"\x01"))
NET = [(INDICATOR, b"\x00\x02"), ip("10.20.60.0"), (ADDRESS, b"\x02" + socket.inet_aton("255.255.255.0"))]
FTP = "192.0.2.2"
FOO, BAR = (ADDRESS, b"\x04www.foo.com"), (ADDRESS, b"\x04www.bar.com")


def loosest(x):
    """16.1: RSAP-IP with local macro and no remote flow policy."""
    x.says("registers", REGISTER, [], 3, [CID, seconds(600), (FLOW, MACRO + NONE), x.n, RSAP, RSA, RSIPSEC, IPIP, GRE])
    four = (PORTS, Var("PORTS1", b"\x04", 2))
    x.says("wants four ports, any", ASSIGN_RSAP, [CID, ZERO, (PORTS, b"\x04\0\0"), ZERO, (PORTS, b"\x00"), x.n, seconds(1800)], 9,
           [CID, B1, LOCAL, four, ANY, ANY_PORT, seconds(1800), IPIP, x.n])
    x.says("asks whether 10.20.60.0/24 is local", QUERY, [CID, x.n] + NET, 15, [CID, x.n] + NET)
    # as in the RFC: right behind the first four, and the gateway says where they are
    behind = ports(8, int.from_bytes(x.bound["PORTS1"], "big") + 4)
    x.says("wants eight more by number", ASSIGN_RSAP, [CID, LOCAL, behind, ZERO, (PORTS, b"\x00"), x.n, seconds(1800)], 9,
           [CID, B2, LOCAL, behind, ANY, ANY_PORT, seconds(1800), IPIP, x.n])
    x.says("frees the first", FREE, [CID, B1, x.n], 13, [CID, B1, x.n])
    x.says("extends the second", EXTEND, [CID, B2, seconds(1800), x.n], 11, [CID, B2, seconds(1800), x.n])
    x.gateway_frees("BIND2", [CID, B2, (COUNTER, u32(0))])
    x.says("de-registers", DEREGISTER, [CID, x.n], 5, [CID, x.n])


def strictest(x):
    """16.2: RSAP-IP with local micro and remote micro flow policy."""
    x.says("registers", REGISTER, [], 3, [CID, seconds(600), (FLOW, MICRO + MICRO), x.n, RSAP, RSIPSEC, IPIP, GRE])
    port = (PORTS, Var("PORTS1", b"\x01", 2))
    x.says("wants one port for FTP control", ASSIGN_RSAP, [CID, ZERO, (PORTS, b"\x01\0\0"), ip(FTP), ports(1, 21), x.n, seconds(600), IPIP], 9,
           [CID, B1, LOCAL, port, ip(FTP), ports(1, 21), seconds(600), IPIP, x.n])
    data = ports(1, int.from_bytes(x.bound["PORTS1"], "big") + 1)
    x.says("listens for FTP data", LISTEN, [CID, LOCAL, data, ip(FTP), ports(1, 20), x.n, seconds(600)], 17,
           [CID, B2, LOCAL, data, ip(FTP), ports(1, 20), IPIP, seconds(600), x.n])
    x.says("de-registers", DEREGISTER, [CID, x.n], 5, [CID, x.n])


def whole(x):
    """16.3: RSA-IP with local macro and remote macro flow policy."""
    x.says("registers", REGISTER, [], 3, [CID, seconds(600), (FLOW, MACRO + MACRO), x.n, RSAP, RSA, RSIPSEC, IPIP, GRE])
    for name in (FOO, BAR):  # a name is no remote here: App. C grants the second
        x.says("wants to talk to a name", ASSIGN_RSA, [CID, ZERO, name, (PORTS, b"\x00"), x.n, seconds(3600), IPIP], 1,
               [(ERROR, (314).to_bytes(2, "big")), x.n, CID])
    x.says("wants to talk to a denied address", ASSIGN_RSA, [CID, ZERO, ip("198.51.100.9"), (PORTS, b"\x00"), x.n, seconds(3600), IPIP], 1,
           [(ERROR, (314).to_bytes(2, "big")), x.n, CID])
    x.says("wants to talk to an address", ASSIGN_RSA, [CID, ZERO, ip(FTP), (PORTS, b"\x00"), x.n, seconds(3600), IPIP], 7,
           [CID, B1, LOCAL, ip(FTP), ANY_PORT, seconds(3600), IPIP, x.n])
    x.says("de-registers", DEREGISTER, [CID, x.n], 5, [CID, x.n])


def ipsec(x):
    """RFC 3104: SPIs by the gateway, and by the host in a list; other tunnels."""
    x.says("registers", REGISTER, [], 3, [CID, seconds(600), (FLOW, MACRO + NONE), x.n, RSAP, RSA, RSIPSEC, IPIP, GRE])
    spis = (SPI, Var("SPIS", b"\x00\x04", 4))
    x.says("wants four SPIs and no port", ASSIGN_IPSEC, [CID, ANY, (PORTS, b""), ANY, (PORTS, b""), (SPI, b"\x00\x04"), x.n], 23,
           [CID, B1, LOCAL, (PORTS, b""), ANY, (PORTS, b""), spis, seconds(1800), IPIP, x.n])
    two = (SPI, b"\x00\x02\x00\x00\x20\x00\x00\x00\x30\x00")
    x.says("wants two SPIs by number, and a port", ASSIGN_IPSEC, [CID, LOCAL, (PORTS, b"\x01"), ANY, ANY_PORT, two, x.n], 23,
           [CID, B2, LOCAL, (PORTS, Var("PORTS1", b"\x01", 2)), ANY, ANY_PORT, two, seconds(1800), IPIP, x.n])
    x.says("wants a port in a tunnel of L2TP", ASSIGN_RSAP, [CID, ANY, (PORTS, b"\x01"), ANY, ANY_PORT, x.n, L2TP], 1,
           [(ERROR, (307).to_bytes(2, "big")), x.n, CID])
    x.says("listens in a tunnel of L2TP or GRE", LISTEN, [CID, ANY, (PORTS, b"\x01"), ANY, ANY_PORT, x.n, L2TP, GRE], 17,
           [CID, (BIND, Var("BIND3")), LOCAL, (PORTS, Var("PORTS3", b"\x01", 2)), ANY, ANY_PORT, GRE, seconds(1800), x.n])
    x.says("frees what it does not have", FREE, [CID, (BIND, u32(0xDEAD)), x.n], 1,
           [(ERROR, (306).to_bytes(2, "big")), x.n, CID, (BIND, u32(0xDEAD))])
    x.says("de-registers", DEREGISTER, [CID, x.n], 5, [CID, x.n])


class Exchange:
    n = object()  # stands for the message counter: there over UDP, absent over TCP

    def __init__(self, gateway, source, transport, log, remove):
        self.udp, self.log, self.remove, self.bound, self.counter, self.good = transport == "udp", log, remove, {}, 0, True
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if self.udp else socket.SOCK_STREAM)
        self.sock.bind((source, 0))
        self.sock.settimeout(5)
        self.sock.connect((gateway, PORT))
        self.rest = b""

    def params(self, wanted):
        """What stands for something else, replaced; variables that are bound are their values."""
        out = []
        for item in wanted:
            if item is self.n:
                out += [(COUNTER, u32(self.counter))] if self.udp else []
                continue
            what, value = item
            if isinstance(value, Var) and value.name in self.bound:
                value = value.prefix + self.bound[value.name]
            out.append((what, value))
        return out

    def receive(self):
        if self.udp:
            data = self.sock.recv(65536)
        else:
            while len(self.rest) < 4 or len(self.rest) < int.from_bytes(self.rest[2:4], "big"):
                more = self.sock.recv(65536)
                if not more:
                    raise OSError("the gateway closed the connection")
                self.rest += more
            length = int.from_bytes(self.rest[2:4], "big")
            data, self.rest = self.rest[:length], self.rest[length:]
        print(data.hex(), file=self.log, flush=True)
        return data

    def compare(self, kind, wanted, data):
        """The first difference, or nothing."""
        got_kind, got = parse(data)
        wanted = self.params(wanted)
        if data[0] != 1 or int.from_bytes(data[2:4], "big") != len(data):
            return "version or length"
        if got_kind != kind:
            return "message type %d, want %d (%s)" % (got_kind, kind, data.hex())
        if [t for t, _ in got] != [t for t, _ in wanted]:
            return "parameters %s, want %s" % ([NAMES.get(t, t) for t, _ in got], [NAMES[t] for t, _ in wanted])
        for (what, want), (_, have) in zip(wanted, got):
            if isinstance(want, Var):
                if have[:len(want.prefix)] != want.prefix or len(have) != len(want.prefix) + want.length:
                    return "%s is %s" % (NAMES[what], have.hex())
                self.bound[want.name] = have[len(want.prefix):]
            elif have != want:
                return "%s is %s, want %s" % (NAMES[what], have.hex(), want.hex())
        return ""

    def judge(self, name, difference):
        print("%s %s%s" % ("not ok" if difference else "ok", name, ": " + difference if difference else ""), flush=True)
        self.good = self.good and not difference
        if difference:
            raise StopIteration

    def says(self, what, kind, params, answer, wanted):
        self.counter += 1
        if kind == REGISTER and self.udp:
            params = [self.n]
        data = message(kind, self.params(params))
        print(data.hex(), file=self.log, flush=True)
        self.sock.send(data)
        self.judge("%s: the host %s" % (self.title, what), self.compare(answer, wanted, self.receive()))

    def gateway_frees(self, variable, wanted):
        subprocess.run(self.remove + [str(int.from_bytes(self.bound[variable], "big"))], check=True, capture_output=True)
        self.judge("%s: the gateway takes a binding back" % self.title, self.compare(13, wanted, self.receive()))
        end = time.monotonic() + 2.5  # over UDP it comes three times; the host's next message must not be taken for one
        while self.udp and time.monotonic() < end and select.select([self.sock], [], [], end - time.monotonic())[0]:
            if self.compare(13, wanted, self.receive()):
                self.judge("%s: a repetition" % self.title, "another message")


def main(gateway, net, transport, path, remove):
    with open(path, "a", encoding="ascii") as log:
        for i, part in enumerate((loosest, strictest, whole, ipsec), 1):
            x = Exchange(gateway, "%s.%d" % (net, i), transport, log, remove)
            x.title = "%s over %s" % (part.__doc__.split(":")[0], transport.upper())
            try:
                part(x)
            except StopIteration:
                pass
            except OSError as err:
                print("not ok %s: %s" % (x.title, err), flush=True)
            x.sock.close()


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
