/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RSIP_TEST_MODE=l3: the gateway's interfaces are TUN devices, which as PPP and modems have no Ethernet header.
 * BPF_PROG_TEST_RUN gives TC programs none but frames of Ethernet; so here the programs are attached, packets go in by the
 * device's file, and what came out of which device, or went on to the kernel with which mark, is read back.  All of it
 * happens within the write() in the kernel: there is nothing to wait for.
 */
#ifndef RSIP_TEST_GATEWAY_TUN_H
#define RSIP_TEST_GATEWAY_TUN_H

#include <stdbool.h>
#include <stdint.h>

struct ran;
struct rsip_binding;

/* In the test's network namespace: makes the devices.  0 or negative errno (-ENOENT: this kernel has no TUN). */
int gateway_tun_make(void);

/* Attaches the programs, and behind each what catches the packets that it leaves to the kernel. */
void gateway_tun_attach(void);

/*
 * RSIP_TEST_MODE=l2tp: the host of this record, which is in L2TP, has a session, as PPP has it on a device of its own.  What comes
 * from the host in IP-IP goes in there without the outer header; what comes out of it gets the one that IP-IP would have.
 */
void gateway_tun_session(const struct rsip_binding *rec);

/*
 * Runs a frame of Ethernet, without its header, through the interface.  ran has what came out, in front of it the header
 * that it would have between the cast's stations, with the source address of the device that it came out of.
 */
void gateway_tun_run(int iface, struct ran *ran, const uint8_t *data, uint32_t len);

/*
 * The same for what rsip_tc_slow, in a test run, sends into a session: the outer header that IP-IP would have, where one is wanted to
 * a host that has a session.
 */
void gateway_tun_slow(struct ran *ran, const uint8_t *want, uint32_t len);

#endif
