# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a host said once, said again by somebody else on its address.

authreplay.py PCAP HOST GATEWAY RSIPCTL SOCKET   replays, strips and forges the host's messages in PCAP
authreplay.py plain HOST GATEWAY                 registers without a MAC
Prints "ok" and "not ok" lines."""
import json
import socket
import struct
import subprocess
import sys

RSIP = 4555
DENIED = 304


def requests(pcap, host):
	"""UDP payloads from host to the RSIP port."""
	with open(pcap, "rb") as f:
		data = f.read()
	at, found = 24, []
	while at + 16 <= len(data):
		size = struct.unpack_from("<I", data, at + 8)[0]
		frame = data[at + 16:at + 16 + size]
		at += 16 + size
		ip = frame[14:]
		if frame[12:14] != b"\x08\x00" or ip[9] != 17 or ip[12:16] != socket.inet_aton(host):
			continue
		udp = ip[(ip[0] & 15) * 4:]
		if struct.unpack_from("!H", udp, 2)[0] == RSIP:
			found.append((struct.unpack_from("!H", udp)[0], udp[8:struct.unpack_from("!H", udp, 4)[0]]))
	return found


def verdict(good, text):
	print("ok" if good else "not ok", text)


def error_of(answer):
	"""Number of an ERROR_RESPONSE; 0: another message; None: silence."""
	if answer is None:
		return None
	if answer[1] != 1:
		return 0
	at = 4
	while at + 3 <= len(answer):
		kind, size = struct.unpack_from("!BH", answer, at)
		if kind == 8:
			return struct.unpack_from("!H", answer, at + 3)[0]
		at += 3 + size
	return 0


class Host:
	def __init__(self, address, gateway):
		self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		self.sock.bind((address, 0))
		self.sock.connect((gateway, RSIP))
		self.sock.settimeout(0.5)

	def say(self, message):
		self.sock.send(message)
		try:
			return self.sock.recv(65535)
		except TimeoutError:
			return None


def strip(message):
	short = message[:-31]
	return short[:2] + struct.pack("!H", len(short)) + short[4:]


def dropped(ctl):
	return json.loads(subprocess.check_output(ctl))["unanswered"]


def attack(pcap, host, gateway, ctl):
	said = requests(pcap, host)
	assign = [m for _, m in said if m[1] in (8, 22)]
	register = [m for _, m in said if m[1] == 2]
	verdict(assign and register, "the capture has %d REGISTERs and %d ASSIGNs" % (len(register), len(assign)))
	verdict(all(m[-31:-28] == b"\xf1\x00\x1c" for _, m in said), "every message of the host carries its MAC")
	somebody = Host(host, gateway)
	before = dropped(ctl)
	verdict(somebody.say(assign[0]) is None, "a replayed ASSIGN is silent")
	# with counters above the host's, so that only the MAC can stop them
	newer = bytearray(strip(assign[0]))
	at = newer.index(b"\x0b\x00\x04")
	newer[at + 3:at + 7] = struct.pack("!I", (struct.unpack_from("!I", newer, at + 3)[0] + 1000) & 0xffffffff or 1)
	verdict(somebody.say(bytes(newer)) is None, "an ASSIGN stripped of its MAC is silent")
	forged = bytearray(newer + assign[0][-31:])
	forged[2:4] = struct.pack("!H", len(forged))
	verdict(somebody.say(bytes(forged)) is None, "a forged ASSIGN is silent")
	verdict(error_of(somebody.say(strip(register[0]))) == DENIED, "a stripped REGISTER is denied")
	answer = somebody.say(register[0])
	verdict(error_of(answer) == DENIED and answer[-31:-28] == b"\xf1\x00\x1c",
		"a replayed REGISTER is denied, with proof and the highest number")
	after = dropped(ctl)
	verdict(after["no-mac"] == before["no-mac"] + 1 and after["bad-mac"] == before["bad-mac"] + 1,
		"each is counted as what it is")


def plain(host, gateway):
	answer = Host(host, gateway).say(b"\x01\x02\x00\x0b\x0b\x00\x04\x00\x00\x00\x01")
	verdict(answer is not None and answer[1] == 3, "a host without a key registers")


if sys.argv[1] == "plain":
	plain(*sys.argv[2:])
else:
	attack(*sys.argv[1:4], [sys.argv[4], "--socket", sys.argv[5], "--json", "stats"])
