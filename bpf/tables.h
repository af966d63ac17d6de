/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Look-ups in the tables that rsipd writes: all inlined, at most two cache lines each. */
#ifndef BPF_TABLES_H
#define BPF_TABLES_H

#define READ_U32(x) (*(const volatile __u32 *)&(x))
#define READ_U64(x) (*(const volatile __u64 *)&(x))

static __always_inline bool addr_in_bucket(__u32 bucket, __be32 addr, __u32 *index)
{
	struct rsip_addr_bucket *b = bpf_map_lookup_elem(&rsip_addrs, &bucket);

	if (!b)
		return false;
#pragma unroll
	for (int i = 0; i < 8; i++) {
		/* one 8-byte load: address and index belong together */
		__u64 word = READ_U64(b->e[i]);

		if ((__be32)word == addr) {
			*index = word >> 32;
			return true;
		}
	}
	return false;
}

/* Is this one of the pools' addresses?  Its index then. */
static __always_inline bool addr_find(__be32 addr, __u32 *index)
{
	__u64 hash = rsip_hash(RSIP_ADDR_KEY(addr), rsip_seed);

	if (!addr)
		return false;
	return addr_in_bucket(rsip_bucket1(hash, rsip_addr_mask), addr, index) ||
	       addr_in_bucket(rsip_bucket2(hash, rsip_addr_mask), addr, index);
}

/* Slot of a port of an address; 0: nobody leases it. */
static __always_inline __u32 port_slot(__u32 addr_index, __u16 port)
{
	__u32 key = addr_index << 12 | port >> 4;
	struct rsip_port_line *line = bpf_map_lookup_elem(&rsip_ports, &key);

	return line ? READ_U32(line->slot[port & 15]) : 0;
}

static __always_inline __u32 spi_in_bucket(__u32 bucket, __be32 addr, __u32 spi)
{
	struct rsip_spi_bucket *b = bpf_map_lookup_elem(&rsip_spis, &bucket);

	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u32 slot = READ_U32(b->e[i].slot);

		if (slot && b->e[i].addr == addr && spi - b->e[i].first < b->e[i].cnt)
			return slot;
	}
	return 0;
}

/* Slot of an SPI (host order) of an address; 0: nobody leases it. */
static __always_inline __u32 spi_slot(__be32 addr, __u32 spi)
{
	__u64 hash = rsip_hash(RSIP_SPI_KEY(addr, spi), rsip_seed);
	__u32 slot = spi_in_bucket(rsip_bucket1(hash, rsip_spi_mask), addr, spi);

	return slot ? slot : spi_in_bucket(rsip_bucket2(hash, rsip_spi_mask), addr, spi);
}

struct pair {
	__u32 slot; /* of any method; 0: the pair holds nothing */
	__u32 ipsec_slot;
};

static __always_inline bool pair_in_bucket(__u32 bucket, __be32 host, __be32 local, struct pair *pair)
{
	struct rsip_pair_bucket *b = bpf_map_lookup_elem(&rsip_pairs, &bucket);

	if (!b)
		return false;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		if (READ_U32(b->e[i].host) == host && b->e[i].local == local) {
			pair->slot = READ_U32(b->e[i].slot);
			pair->ipsec_slot = READ_U32(b->e[i].ipsec_slot);
			return true;
		}
	}
	return false;
}

/* What (outer source, inner source) holds; false, and zeros, if nothing. */
static __always_inline bool pair_find(__be32 host, __be32 local, struct pair *pair)
{
	__u64 hash = rsip_hash(RSIP_PAIR_KEY(host, local), rsip_seed);

	pair->slot = 0;
	pair->ipsec_slot = 0;
	if (!host)
		return false;
	return pair_in_bucket(rsip_bucket1(hash, rsip_pair_mask), host, local, pair) ||
	       pair_in_bucket(rsip_bucket2(hash, rsip_pair_mask), host, local, pair);
}

static __always_inline struct rsip_binding *binding_at(__u32 slot)
{
	return bpf_map_lookup_elem(&rsip_bindings, &slot);
}

/* Interface index of an ifindex; 0: not one of ours. */
static __always_inline __u32 iface_of(__u32 ifindex)
{
	__u32 key = ifindex % RSIP_IFTAB_BUCKETS;
	struct rsip_iftab_bucket *b = bpf_map_lookup_elem(&rsip_iftab, &key);

	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < 8; i++)
		if (b->e[i].ifindex == ifindex)
			return b->e[i].iface;
	return 0;
}

static __always_inline struct rsip_iface *iface_at(__u32 iface)
{
	return bpf_map_lookup_elem(&rsip_ifaces, &iface);
}

static __always_inline struct rsip_policy *policy(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&rsip_policy, &zero);
}

#endif
