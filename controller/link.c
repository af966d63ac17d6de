// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "link.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "above.h"

static int ask(int fd, struct ifreq *req, struct rsip_link *out)
{
	if (ioctl(fd, SIOCGIFMTU, req))
		return -errno;
	out->mtu = (uint32_t)req->ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, req))
		return -errno;
	if (req->ifr_hwaddr.sa_family == ARPHRD_ETHER)
		memcpy(out->mac, req->ifr_hwaddr.sa_data, sizeof(out->mac));
	return 0;
}

int rsip_link_read(uint32_t ifindex, struct rsip_link *out)
{
	struct ifreq req = { 0 };
	struct rsip_above above;
	int fd, err;

	memset(out, 0, sizeof(*out));
	if (!if_indextoname(ifindex, req.ifr_name))
		return errno == ENXIO ? -ENODEV : -errno;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = ask(fd, &req, out);
	close(fd);
	if (!err)
		err = rsip_above_read(ifindex, &above);
	if (!err)
		memcpy(out->vmac, above.vmac, sizeof(out->vmac));
	return err;
}
