# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Programs of a few instructions, loaded by the system call so that the lab needs no compiler for BPF."""
import ctypes
import os
import struct

SYS_BPF = 321 if os.uname().machine == "x86_64" else 280
BPF_PROG_LOAD, BPF_OBJ_PIN = 5, 6
libc = ctypes.CDLL(None, use_errno=True)


def bpf(cmd, attr):
    buf = ctypes.create_string_buffer(attr, max(len(attr), 128))
    fd = libc.syscall(SYS_BPF, cmd, buf, ctypes.sizeof(buf))
    if fd < 0:
        err = ctypes.get_errno()
        raise OSError(err, "bpf(%d): %s" % (cmd, os.strerror(err)))
    return fd


def load(prog_type, insns, flags=0):
    """No log; for any kernel.  A descriptor."""
    code, licence = ctypes.create_string_buffer(insns), ctypes.create_string_buffer(b"Dual BSD/GPL")
    return bpf(BPF_PROG_LOAD, struct.pack("<IIQQIIQII", prog_type, len(insns) // 8, ctypes.addressof(code),
                                          ctypes.addressof(licence), 0, 0, 0, 0, flags))


def pin_program(pin, prog_type, insns, flags=0):
    """Unless it is there already: made by the first who asks."""
    if not os.path.exists(pin):
        path = ctypes.create_string_buffer(pin.encode())
        bpf(BPF_OBJ_PIN, struct.pack("<QI", ctypes.addressof(path), load(prog_type, insns, flags)))
