#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# UDP is off: who asks over UDP is told to use TCP (error 102), whatever it asks, and who does is served.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_TOP='"udp": false,'
lab_up
judged on hosta "$PY" "$LAB_SRC/tcp_only.py" $GW_PRIV $HOSTA
check_eq "one registration: the one over TCP" "$(ctl --json stats | js 'd["sent"]["REGISTER_RESPONSE"], d["errors"]["USE_TCP"]')" "(1, 4)"
lab_end
