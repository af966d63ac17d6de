#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a flush costs in a folder: 32 pages written, then fdatasync(), 200 times into new space and into old.  One JSON line."""
import json
import os
import sys
import time

PAGES = b"x" * 4096 * 32
TIMES = 200


def flushes(fd, again):
    took = []
    for i in range(TIMES):
        os.pwrite(fd, PAGES, (i % 8 if again else i) * len(PAGES))
        before = time.perf_counter()
        os.fdatasync(fd)
        took.append(1000 * (time.perf_counter() - before))
    took.sort()
    return {"p50_ms": round(took[TIMES // 2], 2), "p99_ms": round(took[TIMES * 99 // 100], 2)}


path = os.path.join(sys.argv[1], "flush")
fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
try:
    print(json.dumps({"run": "flush", "result": {"new": flushes(fd, False), "old": flushes(fd, True)}}))
finally:
    os.unlink(path)
