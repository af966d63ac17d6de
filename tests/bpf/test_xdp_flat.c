// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A packet's cost must not grow with the number of bindings.  Time is not measured here: the
 * programs' structure is looked at instead (which helpers they can call at all, which kinds of map
 * they look into), and that the last of many bindings is found as the first one is.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway.h"
#include "gateway_maps.h"

TestSuite(flat, .init = gateway_up, .fini = gateway_down);

/* Helpers that walk or wait: none may be called. */
static bool walks(int helper)
{
	return helper == BPF_FUNC_for_each_map_elem || helper == BPF_FUNC_loop ||
	       helper == BPF_FUNC_spin_lock || helper == BPF_FUNC_find_vma ||
	       helper == BPF_FUNC_user_ringbuf_drain;
}

static void check_program(const struct bpf_program *prog)
{
	const struct bpf_insn *insn = bpf_program__insns(prog);
	size_t cnt = bpf_program__insn_cnt(prog), calls = 0;

	for (size_t i = 0; i < cnt; i++) {
		if (insn[i].code != (BPF_JMP | BPF_CALL) || insn[i].src_reg)
			continue;
		calls++;
		cr_expect_not(walks(insn[i].imm), "%s calls helper %d", bpf_program__name(prog),
			      insn[i].imm);
	}
	cr_expect_gt(calls, 0, "no call seen in %s: this test looks at the wrong thing",
		     bpf_program__name(prog));
}

Test(flat, no_helper_that_walks_a_table)
{
	struct bpf_program *prog;

	for (int tc = 0; tc < 2; tc++)
		bpf_object__for_each_program(prog, gateway_object(tc)) check_program(prog);
}

/* Arrays are indexed; a hash costs the same for any size; nothing else may be there (an LPM trie, a
 * list, a queue). */
Test(flat, only_arrays_and_hashes_that_are_known)
{
	struct bpf_map *map;
	int hashes = 0;

	bpf_object__for_each_map(map, gateway_object(false))
	{
		enum bpf_map_type type = bpf_map__type(map);

		hashes += type == BPF_MAP_TYPE_HASH;
		cr_expect(type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_HASH ||
				  type == BPF_MAP_TYPE_DEVMAP || type == BPF_MAP_TYPE_DEVMAP_HASH ||
				  type == BPF_MAP_TYPE_RINGBUF,
			  "%s is of type %d", bpf_map__name(map), type);
	}
	cr_expect_eq(hashes, 6, "five of what packets teach, and L2TP sessions");
}

Test(flat, the_last_of_many_bindings_is_found_like_the_first)
{
	uint32_t slot[GATEWAY_BINDINGS];
	uint32_t n = GATEWAY_BINDINGS - 1;

	for (uint32_t i = 0; i < n; i++)
		slot[i] = given_binding(i % 2 ? HOST_A : HOST_B, PUB_1,
					ports((uint16_t)(1024 + 64 * i), 64),
					spis(0x10000 + 16 * i, 4));
	for (uint32_t i = 0; i < n; i++) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1),
				    udp(53, (uint16_t)(1024 + 64 * i + 63)), text("x"));
		struct pkt at_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63),
				      udp(53, (uint16_t)(1024 + 64 * i + 63)), text("x"));
		struct pkt at_b = pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63),
				      udp(53, (uint16_t)(1024 + 64 * i + 63)), text("x"));
		struct pkt in_esp = pkt(from_router, ip4(REMOTE, PUB_1), esp(0x10003 + 16 * i));
		struct pkt esp_a =
			pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), esp(0x10003 + 16 * i));
		struct pkt esp_b =
			pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), esp(0x10003 + 16 * i));

		expect_tunnelled(in, *(i % 2 ? &at_a : &at_b), slot[i]);
		expect_tunnelled(in_esp, *(i % 2 ? &esp_a : &esp_b), slot[i]);
	}
}
