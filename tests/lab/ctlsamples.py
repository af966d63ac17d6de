# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The control socket against its documentation, and against somebody who does not read.

ctlsamples.py replay SOCKET DIR   sends the request of each DIR/*.json to a live rsipd; IDs and hosts are bound as they
                                  are seen there; the answer has the sample's result and shape.  What removes goes last.
ctlsamples.py slow SOCKET LEASES  subscribes and reads nothing while the shell command LEASES runs; then what was lost
                                  and what was read are all that happened
ctlsamples.py churn GATEWAY ADDRESS N  leases and frees N times; prints how many events that makes, with its registration
Prints "ok" and "not ok" lines."""
import glob
import json
import os
import socket
import subprocess
import sys
import time

import rsip


def verdict(good, text):
	print("ok" if good else "not ok", text, flush=True)


class Control:
	def __init__(self, path, buffer=None):
		self.sock = socket.socket(socket.AF_UNIX)
		if buffer:
			self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
		self.sock.settimeout(20)
		self.sock.connect(path)
		self.lines = self.sock.makefile("rb")

	def ask(self, command, arguments=None):
		request = {"command": command}
		if arguments is not None:
			request["arguments"] = arguments
		self.sock.sendall(json.dumps(request).encode() + b"\n")
		return self.next()

	def next(self):
		return json.loads(self.lines.readline())


def kind(value):
	return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def differ(want, got, where):
	"""The first difference in shape, or None.  A list's entries are like one of the sample's."""
	if kind(want) != kind(got):
		return "%s is %s, not %s" % (where, kind(got), kind(want))
	if isinstance(want, dict):
		for key in want:
			if key not in got:
				return "%s.%s is missing" % (where, key)
			found = differ(want[key], got[key], where + "." + key)
			if found:
				return found
		return None
	if isinstance(want, list) and want:
		for i, entry in enumerate(got):
			found = [differ(w, entry, "%s[%d]" % (where, i)) for w in want]
			if all(found):
				return found[0]
	return None


# Keys that depend on the configuration or on what is leased, so that the sample may have more than the live answer.
OPTIONAL = {"why", "failing-for", "remote", "remote-ports", "endpoint", "next", "clients", "allocations"}


def prune(want, got):
	if isinstance(want, dict) and isinstance(got, dict):
		return {k: prune(v, got.get(k)) for k, v in want.items() if k in got or k not in OPTIONAL}
	if isinstance(want, list) and isinstance(got, list) and got:
		return [prune(v, got[min(i, len(got) - 1)]) for i, v in enumerate(want)]
	return want


def bind(arguments, live):
	"""The sample's IDs and hosts are others here."""
	return {k: live.get(k, v) for k, v in arguments.items()} if arguments else arguments


def replay(path, folder):
	samples = []
	for name in glob.glob(os.path.join(folder, "*.json")):
		with open(name, encoding="utf-8") as f:
			samples.append(json.load(f))
	verdict(samples != [], "%d samples" % len(samples))
	commands = {c["name"] for c in Control(path).ask("list-commands")["arguments"]["commands"]}
	verdict(commands == {s["command"] for s in samples}, "each command has a sample: %s" %
		sorted(commands ^ {s["command"] for s in samples}))
	for s in sorted(samples, key=lambda s: ("remove" in s["command"], s["command"] == "client-remove", s["command"])):
		control = Control(path)
		bindings = control.ask("binding-get-page")["arguments"]["bindings"]
		newest = bindings[-1]
		live = {"bind-id": newest["bind-id"], "client-id": newest["client-id"], "host": newest["host"],
			"local": newest["local"], "from": 0}
		if "client-id" in s["request"].get("arguments", {}) and "host" in s["request"].get("arguments", {}):
			del live["host"]
		reply = control.ask(s["command"], bind(s["request"].get("arguments"), live))
		want = s["reply"]
		fault = differ(prune(want, reply), reply, "reply") if reply["result"] == want["result"] else \
			"result %d, not %d: %s" % (reply["result"], want["result"], reply.get("text"))
		verdict(not fault, "%s is answered as its sample says%s" % (s["command"], ": " + fault if fault else ""))


def slow(path, leases):
	sleeper = Control(path, 4096)
	reply = sleeper.ask("events-subscribe", {"kinds": ["bindings"]})
	verdict(reply["result"] == 0, "events-subscribe: %s" % reply["text"])
	happened = int(subprocess.check_output(leases, shell=True, text=True).split()[-1])
	time.sleep(1.5)
	status = Control(path).ask("status-get")
	verdict(status["result"] == 0, "rsipd answers others while a subscriber does not read")
	read = lost = 0
	while read + lost < happened:
		event = sleeper.next()
		if event["event"] == "lost":
			lost += event["count"]
		else:
			read += 1
	verdict(lost > 0, "a subscriber that did not read has lost %d events and was told" % lost)
	verdict(read + lost == happened, "read and lost are all that happened: %d of %d" % (read + lost, happened))


def churn(gateway, address, count):
	host = rsip.Host(gateway, address)
	host.register()
	for _ in range(int(count)):
		host.assign(1, 0)
		host.free()
	print(1 + 2 * int(count))


if sys.argv[1] == "churn":
	churn(*sys.argv[2:])
elif sys.argv[1] == "replay":
	replay(*sys.argv[2:])
else:
	slow(*sys.argv[2:])
