#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""events.py SOCKET KIND...: subscribes to these events of rsipd's; says "ready" when it is heard, then each event, a JSON object a line."""
import json
import socket
import sys

s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(json.dumps({"command": "events-subscribe", "arguments": {"kinds": sys.argv[2:]}}).encode() + b"\n")
lines = s.makefile()
answer = json.loads(lines.readline())
if answer["result"]:
    sys.exit(answer["text"])
print("ready", flush=True)
for line in lines:
    print(line, end="", flush=True)
