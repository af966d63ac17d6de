// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include "sockets.h"

static int take_socket(const struct nlmsghdr *h, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && m->id.idiag_sport)
		rsip_portset_add(data, ntohs(m->id.idiag_sport), 1);
	return MNL_CB_OK;
}

static int dump(struct mnl_socket *sock, uint8_t family, uint8_t proto, struct rsip_portset *used)
{
	char buf[32768];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	int n, ret = MNL_CB_OK;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	h->nlmsg_seq = 1;
	req->sdiag_family = family;
	req->sdiag_protocol = proto;
	req->idiag_states = ~0U;
	if (mnl_socket_sendto(sock, h, h->nlmsg_len) < 0)
		return -errno;
	while (ret == MNL_CB_OK) {
		n = mnl_socket_recvfrom(sock, buf, sizeof(buf));
		if (n < 0)
			return -errno;
		ret = mnl_cb_run(buf, n, 1, mnl_socket_get_portid(sock), take_socket, used);
		if (ret == MNL_CB_ERROR)
			return errno == ENOENT ? 0 : -errno; /* no such protocol here */
	}
	return 0;
}

int rsip_sockets_ports(struct rsip_portset *used)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP},
			     families[] = {AF_INET, AF_INET6};
	struct mnl_socket *sock = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int err;

	if (!sock)
		return -errno;
	err = mnl_socket_bind(sock, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	for (int i = 0; i < 4 && !err; i++)
		err = dump(sock, families[i & 1], protos[i >> 1], used);
	mnl_socket_close(sock);
	return err;
}
