// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rsip_inet rsip_inet_v4(__be32 addr)
{
	return (struct rsip_inet){.family = AF_INET, .v4 = addr};
}

struct rsip_inet rsip_inet_v6(const void *addr, uint32_t scope)
{
	struct rsip_inet inet = {.family = AF_INET6, .scope = scope};

	memcpy(inet.v6, addr, sizeof(inet.v6));
	return inet;
}

bool rsip_inet_is_link_local(const struct rsip_inet *addr)
{
	return addr->family == AF_INET6 && addr->v6[0] == 0xfe && (addr->v6[1] & 0xc0) == 0x80;
}

/* An interface's name or number; 0: there is none such. */
static uint32_t read_scope(const char *text)
{
	uint32_t index = if_nametoindex(text);
	char name[IF_NAMESIZE], *end;
	unsigned long n;

	if (index || *text < '0' || *text > '9')
		return index;
	n = strtoul(text, &end, 10);
	return !*end && n <= INT32_MAX && if_indextoname((unsigned int)n, name) ? (uint32_t)n : 0;
}

static int parse_v6(char *text, struct rsip_inet *addr)
{
	char *percent = strchr(text, '%');
	struct rsip_inet inet = {.family = AF_INET6};

	if (percent)
		*percent++ = '\0';
	if (inet_pton(AF_INET6, text, inet.v6) != 1)
		return -EINVAL;
	if (percent)
		inet.scope = read_scope(percent);
	if (!inet.scope != !rsip_inet_is_link_local(&inet))
		return -EINVAL;
	*addr = inet;
	return 0;
}

int rsip_inet_parse(const char *text, struct rsip_inet *addr)
{
	char copy[RSIP_INET_TEXT];
	size_t len = strlen(text);
	__be32 v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*addr = rsip_inet_v4(v4);
		return 0;
	}
	if (*text == '[' && len > 1 && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return parse_v6(copy, addr);
}

const char *rsip_inet_text(const struct rsip_inet *addr)
{
	static __thread char buf[8][RSIP_INET_TEXT];
	static __thread unsigned int next;
	char *out = buf[next++ % 8], name[IF_NAMESIZE];

	*out = '\0';
	if (addr->family == AF_INET)
		inet_ntop(AF_INET, &addr->v4, out, RSIP_INET_TEXT);
	else if (addr->family == AF_INET6)
		inet_ntop(AF_INET6, addr->v6, out, RSIP_INET_TEXT);
	if (addr->family == AF_INET6 && addr->scope && if_indextoname(addr->scope, name))
		snprintf(out + strlen(out), RSIP_INET_TEXT - strlen(out), "%%%s", name);
	else if (addr->family == AF_INET6 && addr->scope)
		snprintf(out + strlen(out), RSIP_INET_TEXT - strlen(out), "%%%u", addr->scope);
	return out;
}

bool rsip_inet_same(const struct rsip_inet *a, const struct rsip_inet *b)
{
	if (a->family != b->family || a->scope != b->scope)
		return false;
	if (a->family == AF_INET)
		return a->v4 == b->v4;
	return !a->family || !memcmp(a->v6, b->v6, sizeof(a->v6));
}

socklen_t rsip_inet_sockaddr(const struct rsip_inet *addr, uint16_t port, struct sockaddr_storage *sa)
{
	struct sockaddr_in *in = (void *)sa;
	struct sockaddr_in6 *in6 = (void *)sa;

	memset(sa, 0, sizeof(*sa));
	sa->ss_family = addr->family;
	if (addr->family == AF_INET) {
		in->sin_port = htons(port);
		in->sin_addr.s_addr = addr->v4;
		return sizeof(*in);
	}
	in6->sin6_port = htons(port);
	in6->sin6_scope_id = addr->scope;
	memcpy(&in6->sin6_addr, addr->v6, sizeof(addr->v6));
	return sizeof(*in6);
}

struct rsip_inet rsip_inet_from(const struct sockaddr_storage *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->ss_family == AF_INET)
		return rsip_inet_v4(in->sin_addr.s_addr);
	if (sa->ss_family != AF_INET6)
		return (struct rsip_inet){0};
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		__be32 v4;

		memcpy(&v4, in6->sin6_addr.s6_addr + 12, sizeof(v4));
		return rsip_inet_v4(v4);
	}
	return rsip_inet_v6(&in6->sin6_addr, in6->sin6_scope_id);
}
