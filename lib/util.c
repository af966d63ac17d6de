// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "log.h"

uint64_t rsip_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * RSIP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t rsip_wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * RSIP_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t rsip_wall_us(void)
{
	return rsip_wall_ns() / 1000;
}

uint64_t rsip_wall_offset_us(void)
{
	return rsip_wall_us() - rsip_now_ns() / 1000;
}

void rsip_random(void *buf, size_t len)
{
	unsigned char *at = buf;

	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_err("cannot read random bytes: %s", strerror(errno));
			abort();
		}
		at += n;
		len -= (size_t)n;
	}
}

const char *rsip_ip4(__be32 addr)
{
	static __thread char buf[8][INET_ADDRSTRLEN];
	static __thread unsigned int next;
	char *out = buf[next++ % 8];

	return inet_ntop(AF_INET, &addr, out, INET_ADDRSTRLEN);
}

const char *rsip_ip6(const void *addr)
{
	static __thread char buf[8][INET6_ADDRSTRLEN];
	static __thread unsigned int next;
	char *out = buf[next++ % 8];

	return inet_ntop(AF_INET6, addr, out, INET6_ADDRSTRLEN);
}

bool rsip_ip6_is_host(const void *addr)
{
	struct in6_addr a;

	memcpy(&a, addr, sizeof(a));
	return !IN6_IS_ADDR_LINKLOCAL(&a) && !IN6_IS_ADDR_MULTICAST(&a) && !IN6_IS_ADDR_LOOPBACK(&a) &&
	       !IN6_IS_ADDR_UNSPECIFIED(&a) && !IN6_IS_ADDR_V4MAPPED(&a);
}

int rsip_ip6_parse_host(const char *text, void *addr)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, text, &a) != 1 || !rsip_ip6_is_host(&a))
		return -EINVAL;
	memcpy(addr, &a, sizeof(a));
	return 0;
}

int rsip_ip4_parse(const char *text, __be32 *addr)
{
	return inet_pton(AF_INET, text, addr) == 1 ? 0 : -EINVAL;
}

int rsip_net4_parse(const char *text, __be32 *addr, __be32 *mask)
{
	const char *slash = strchr(text, '/');
	char host[INET_ADDRSTRLEN];
	size_t host_len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long prefix_len = 32;

	if (host_len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	if (slash) {
		char *end;

		if (slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		prefix_len = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || prefix_len > 32)
			return -EINVAL;
	}
	if (rsip_ip4_parse(host, addr))
		return -EINVAL;
	*mask = prefix_len ? htonl(~0U << (32 - prefix_len)) : 0;
	return *addr & ~*mask ? -EINVAL : 0;
}
