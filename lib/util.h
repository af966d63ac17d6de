/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Small things that more than one program needs. */
#ifndef RSIP_UTIL_H
#define RSIP_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#define RSIP_NS_PER_S 1000000000ULL
#define RSIP_PACKAGE_VERSION "0.1.0"

#define RSIP_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* CLOCK_MONOTONIC in nanoseconds.  Only event loops and main() call it: all else takes now_ns. */
uint64_t rsip_now_ns(void);
/* CLOCK_REALTIME, nanoseconds since 1970: for people and records, never for arithmetic with leases. */
uint64_t rsip_wall_ns(void);
/* In microseconds; and what is to be added to rsip_now_ns() / 1000 to have them. */
uint64_t rsip_wall_us(void);
uint64_t rsip_wall_offset_us(void);
/* Fills buf from the kernel's CSPRNG; ends the program if there is none (getrandom cannot fail after boot). */
void rsip_random(void *buf, size_t len);

/* Text of an IPv4 address in network order, in one of eight static buffers in turn. */
const char *rsip_ip4(__be32 addr);
/* The same of 16 bytes of IPv6. */
const char *rsip_ip6(const void *addr);
/* Can it be that of a host or of a tunnel's end on a network of more than one link: a global or unique local one (RFC 4291 2.4)? */
bool rsip_ip6_is_host(const void *addr);
/* Parses such an address into 16 bytes; 0 or -EINVAL, and nothing is written. */
int rsip_ip6_parse_host(const char *text, void *addr);
/* Parses dotted quad; 0 or -EINVAL. */
int rsip_ip4_parse(const char *text, __be32 *addr);
/* Parses "a.b.c.d/len" (or a bare address: /32); host bits must be zero.  0 or -EINVAL.  mask in network order. */
int rsip_net4_parse(const char *text, __be32 *addr, __be32 *mask);

/* Numbers to names, for every log line: "unknown" for what the tables do not hold. */
const char *rsip_msg_name(unsigned int type);
const char *rsip_param_name(unsigned int type);
const char *rsip_err_name(unsigned int err);
const char *rsip_tunnel_name(unsigned int tunnel);
const char *rsip_method_name(unsigned int method);
const char *rsip_transport_name(unsigned int transport);
const char *rsip_counter_name(unsigned int counter); /* NULL where there is none */
const char *rsip_counter_text(unsigned int counter);

#endif
