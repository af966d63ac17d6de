#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A cut of the matrix of tests/vm/ipsec.sh, for a kernel that has ESP and AH; on another it says so and skips.
exec "$(dirname "$0")/../vm/ipsec.sh" rsip v2-esp-label v2-ah-label
