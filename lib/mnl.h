/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Asking the kernel over netlink, through libmnl: the one loop for rtnetlink, generic netlink, XFRM and socket diagnosis.
 * All: 0 or a negative errno; an error that the kernel answers with is one.
 */
#ifndef RSIP_MNL_H
#define RSIP_MNL_H

#include <libmnl/libmnl.h>

/* Opens and binds a socket of this bus (NETLINK_ROUTE, ...) with these multicast groups; ends with mnl_socket_close(). */
int rsip_mnl_open(int bus, unsigned int groups, struct mnl_socket **out);
/*
 * Gives each answer to the request of that number to cb (NULL: none is wanted), until its end: of a dump, the
 * acknowledgement, or cb's MNL_CB_STOP.
 */
int rsip_mnl_read(struct mnl_socket *sock, unsigned int seq, mnl_cb_t cb, void *arg);
/* Sends the request as it is, its number included, and reads what comes. */
int rsip_mnl_exchange(struct mnl_socket *sock, const struct nlmsghdr *request, mnl_cb_t cb, void *arg);
/* The same with a socket of its own: sets the number and NLM_F_REQUEST. */
int rsip_mnl_ask(int bus, struct nlmsghdr *request, mnl_cb_t cb, void *arg);

#endif
