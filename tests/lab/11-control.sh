#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The control socket of a live rsipd: every sample of docs/control/ is asked and answered so.  And one who subscribes to
# events but does not read loses some, is told how many, and delays nobody.
. "$(dirname "$0")/lib.sh"
lab_enter "$@"
LAB_TOP='"policies": [ { "name": "branch", "clients": [ "10.99.1.0/24" ], "remote": "macro", "dscp": "AF21", "deny": [ "198.51.100.0/24" ] } ],
	"auth": { "keys": [ { "id": 1, "secret": "000102030405060708090a0b0c0d0e0f", "hosts": [ "10.99.0.50" ] } ] },
	"private_networks": [ "10.99.0.0/16" ],'
lab_up
chgrp nogroup $LAB/rsipd.json && chmod 640 $LAB/rsipd.json # for root and rsipd alone
both_up --ports 16 --spis 4
judged "$PY" "$LAB_SRC/ctlsamples.py" replay $LAB/rsipd.sock "$TREE/docs/control"
client hosta down
client hostb down
on hosta ip address add 10.99.0.40/24 dev eth0
judged "$PY" "$LAB_SRC/ctlsamples.py" slow $LAB/rsipd.sock \
	"nsenter --net=/run/netns/$(ns hosta) -- $PY $LAB_SRC/ctlsamples.py churn $GW_PRIV 10.99.0.40 4000"
lab_end
