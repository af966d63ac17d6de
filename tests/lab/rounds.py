#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""rounds.py protocol GATEWAY COUNT: COUNT times register, lease ports and SPIs, release, de-register, as a host.
rounds.py client SOCKET COUNT: COUNT times lease and release through a running client's control socket.
Prints a JSON object: how many rounds went all the way."""
import json
import socket
import sys

from rsip import BIND, CLIENT, COUNTER, DEREGISTER, FREE, REGISTER, Host, assign_ipsec, first, message, u32


def protocol(gateway, count):
    host, done = Host(gateway), 0
    for _ in range(count):
        kind, p = host.ask(lambda n: message(REGISTER, [(COUNTER, u32(n))]))
        if kind != REGISTER + 1:
            break
        me = int.from_bytes(first(p, CLIENT), "big")
        kind, p = host.ask(lambda n: assign_ipsec(me, 8, 4, n))
        if kind != 23:
            break
        bind = first(p, BIND)
        kind, _ = host.ask(lambda n: message(FREE, [(CLIENT, u32(me)), (BIND, bind), (COUNTER, u32(n))]))
        if kind != FREE + 1:
            break
        kind, _ = host.ask(lambda n: message(DEREGISTER, [(CLIENT, u32(me)), (COUNTER, u32(n))]))
        if kind != DEREGISTER + 1:
            break
        done += 1
    return done


def ask(path, command, args):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        s.sendall(json.dumps({"command": command, "arguments": args}).encode())
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    return json.loads(data)


def client(path, count):
    done, slow = 0, 0
    while done < count:
        got = ask(path, "lease-add", {"ports": 4, "spis": 4})
        if got["result"] and "does not answer" in got["text"] and slow < 20:
            slow += 1  # the gateway's disk was busy for longer than a host repeats: no round, and nothing may be left of it either
            continue
        if got["result"]:
            print(got, file=sys.stderr)
            break
        if ask(path, "lease-remove", {"bind-id": got["arguments"]["bind-id"]})["result"]:
            break
        done += 1
    return done


if __name__ == "__main__":
    what = {"protocol": protocol, "client": client}[sys.argv[1]]
    print(json.dumps({"rounds": what(sys.argv[2], int(sys.argv[3]))}))
