// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The fixture itself: cases share loaded programs, one after the other, so what one has left in any map must be gone
 * when the next begins.
 */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway.h"

TestSuite(fixture, .init = gateway_up, .fini = gateway_down);

static bool is_nothing(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (value[i])
			return false;
	return true;
}

/* Constants of the programs are in maps, too: those stay. */
static bool is_constant(const struct bpf_map *map)
{
	return strstr(bpf_map__name(map), ".rodata") != NULL;
}

static void soil(const struct bpf_map *map, int fd)
{
	uint32_t first = 0, last = bpf_map__max_entries(map) - 1, lo = if_nametoindex("lo");
	static char value[65536];
	char key[64];

	cr_assert_leq(bpf_map__value_size(map), sizeof(value), "%s: %u bytes", bpf_map__name(map), bpf_map__value_size(map));
	memset(value, 0xa5, sizeof(value));
	memset(key, 0x5a, sizeof(key));
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_ARRAY:
		cr_assert_eq(bpf_map_update_elem(fd, &first, value, BPF_ANY), 0);
		cr_assert_eq(bpf_map_update_elem(fd, &last, value, BPF_ANY), 0);
		break;
	case BPF_MAP_TYPE_DEVMAP:
		cr_assert_eq(bpf_map_update_elem(fd, &last, &lo, BPF_ANY), 0);
		break;
	case BPF_MAP_TYPE_DEVMAP_HASH:
		cr_assert_eq(bpf_map_update_elem(fd, key, &lo, BPF_ANY), 0);
		break;
	case BPF_MAP_TYPE_RINGBUF: /* a packet does that */
		break;
	default:
		cr_assert_eq(bpf_map_update_elem(fd, key, value, BPF_ANY), 0, "%s", bpf_map__name(map));
	}
}

/* As a stranger would look: element by element, by system call. */
static void expect_empty(const struct bpf_map *map, int fd)
{
	enum bpf_map_type type = bpf_map__type(map);
	uint32_t entries = bpf_map__max_entries(map);
	static char value[65536];
	char next[64];

	if (type == BPF_MAP_TYPE_RINGBUF)
		return;
	if (type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_DEVMAP_HASH) {
		cr_expect_neq(bpf_map_get_next_key(fd, NULL, next), 0, "%s has a key", bpf_map__name(map));
		return;
	}
	for (uint32_t key = 0; key < entries; key++) {
		int err = bpf_map_lookup_elem(fd, &key, value);

		cr_assert(type == BPF_MAP_TYPE_DEVMAP ? err : !err && is_nothing(value, bpf_map__value_size(map)),
			  "element %u of %s is not empty", key, bpf_map__name(map));
	}
}

/* As the kernel has it: sizes are set at load. */
static void each_map(void (*what)(const struct bpf_map *map, int fd))
{
	struct bpf_map *map;

	bpf_object__for_each_map (map, gateway_object(false)) {
		struct bpf_map_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd;

		if (is_constant(map))
			continue;
		fd = gateway_map_named(bpf_map__name(map));
		cr_assert_eq(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
		cr_assert_eq(bpf_map__set_max_entries(map, info.max_entries), 0);
		what(map, fd);
		close(fd);
	}
}

Test(fixture, nothing_of_a_case_is_left_for_the_next_in_any_map)
{
	struct pkt refused = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct rsip_event events[16];

	given_binding(HOST_B, PUB_1, ports(4000, 8));
	expect_dropped(refused, IF_PRIV, NOT_OWNER);
	expect_dropped(refused, IF_PRIV, NOT_OWNER);
	each_map(soil);
	gateway_clear();
	each_map(expect_empty);
	cr_expect_eq(gateway_events(events), 0, "a report is left in the ring");
}
