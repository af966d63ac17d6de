#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Errors not from the protocol (RFC 3103 10.4): a host whose packets break its flow policy, or that uses what it does not
# lease, is told with ERROR_RESPONSE, counter 0, once for each error and five seconds; a stranger is told nothing.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_TOP='"policies": [ { "remote": "micro" } ],'
lab_up
on hosta ip addr add 10.99.0.21/24 dev eth0
judged on hosta "$PY" "$LAB_SRC/told.py" $GW_PRIV $HOSTA 10.99.0.21 $PEER 198.51.100.9
check_ge "reports that came to rsipd" "$(ctl --json stats | js 'd["protocol"]["violations"]')" 6
check_le "for a thousand packets" "$(ctl --json stats | js 'd["protocol"]["violations"]')" 40
lab_end
