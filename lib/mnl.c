// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "mnl.h"

#include <errno.h>
#include <sys/socket.h>

#define ANSWER_MAX 32768 /* the kernel's own limit for a part of a dump */

int rsip_mnl_open(int bus, unsigned int groups, struct mnl_socket **out)
{
	struct mnl_socket *sock = mnl_socket_open2(bus, SOCK_CLOEXEC);
	int err;

	if (sock && mnl_socket_bind(sock, groups, MNL_SOCKET_AUTOPID) == 0) {
		*out = sock;
		return 0;
	}
	err = -errno;
	if (sock)
		mnl_socket_close(sock);
	return err;
}

int rsip_mnl_read(struct mnl_socket *sock, unsigned int seq, mnl_cb_t cb, void *arg)
{
	char buf[ANSWER_MAX];
	int rc = MNL_CB_OK;

	while (rc > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(sock, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)len, seq, mnl_socket_get_portid(sock), cb, arg);
		if (rc < 0)
			return -errno;
	}
	return 0;
}

int rsip_mnl_exchange(struct mnl_socket *sock, const struct nlmsghdr *request, mnl_cb_t cb, void *arg)
{
	unsigned int seq = request->nlmsg_seq; /* the answer may take its place */

	if (mnl_socket_sendto(sock, request, request->nlmsg_len) < 0)
		return -errno;
	return rsip_mnl_read(sock, seq, cb, arg);
}

int rsip_mnl_ask(int bus, struct nlmsghdr *request, mnl_cb_t cb, void *arg)
{
	struct mnl_socket *sock;
	int err = rsip_mnl_open(bus, 0, &sock);

	if (err)
		return err;
	request->nlmsg_flags |= NLM_F_REQUEST;
	request->nlmsg_seq = 1;
	err = rsip_mnl_exchange(sock, request, cb, arg);
	mnl_socket_close(sock);
	return err;
}
