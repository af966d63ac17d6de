#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""oldmap.py PIN BYTES...: puts a copy of a pinned array or hash in its place whose values are BYTES shorter.

So a folder of pins looks as an older release left it, while the programs that are attached go on with the real map.
"""
import ctypes
import os
import struct
import sys

SYS_BPF = 321 if os.uname().machine == "x86_64" else 280
MAP_CREATE, LOOKUP, UPDATE, NEXT_KEY, OBJ_PIN, OBJ_GET, INFO = 0, 1, 2, 4, 6, 7, 15
libc = ctypes.CDLL(None, use_errno=True)


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr, 128)
    res = libc.syscall(SYS_BPF, cmd, buf, ctypes.sizeof(buf))
    if res < 0:
        raise OSError(ctypes.get_errno(), "bpf(%d): %s" % (cmd, os.strerror(ctypes.get_errno())))
    return res


def address(buf):
    return ctypes.addressof(buf)


def info(fd):
    """type, key size, value size, entries, flags, name of a map (struct bpf_map_info)"""
    buf = ctypes.create_string_buffer(88)
    bpf(INFO, struct.pack("=IIQ", fd, len(buf), address(buf)))
    kind, _, key, value, entries, flags = struct.unpack_from("=IIIIII", buf.raw)
    return kind, key, value, entries, flags, buf.raw[24:40]


def keys(fd, size):
    key, following, here = ctypes.create_string_buffer(size), ctypes.create_string_buffer(size), 0
    while True:
        try:
            bpf(NEXT_KEY, struct.pack("=IIQQ", fd, 0, here, address(following)))
        except FileNotFoundError:
            return
        ctypes.memmove(key, following, size)
        here = address(key)
        yield key


path = sys.argv[1]
name = ctypes.create_string_buffer(path.encode())
real = bpf(OBJ_GET, struct.pack("=QII", address(name), 0, 0))
kind, key_size, value_size, entries, flags, text = info(real)
value = ctypes.create_string_buffer(value_size + 8)
old = bpf(MAP_CREATE, struct.pack("=IIIIIII16s", kind, key_size, value_size - int(sys.argv[2]), entries, flags, 0, 0, text))
for key in keys(real, key_size):
    bpf(LOOKUP, struct.pack("=IIQQQ", real, 0, address(key), address(value), 0))
    if any(value.raw):
        bpf(UPDATE, struct.pack("=IIQQQ", old, 0, address(key), address(value), 0))
os.unlink(path)
bpf(OBJ_PIN, struct.pack("=QII", address(name), old, 0))
