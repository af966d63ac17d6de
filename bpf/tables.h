/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lookups in the bucket tables.  Those that most packets need are inlined: where returns are guarded against
 * speculation (x86 return thunks), a call costs as much as a lookup that misses the cache, and hides none.
 *
 * Readers race with one writer (include/rsip/maps.h, publish order): the word that is written last is read
 * first, and once more after the others.  Volatile keeps the order in the compiler, and x86 in the processor;
 * elsewhere RSIP_AFTER makes each address depend on what was read before, since there are no acquire loads
 * (docs/design.md, Publishing and reuse; tests/model/publish.pml shows what happens without).
 */
#ifndef RSIP_BPF_TABLES_H
#define RSIP_BPF_TABLES_H

#define RSIP_READ(x) (*(const volatile typeof(x) *)&(x))

/* p, for a load that must not be made before `value` is known. */
#ifdef __TARGET_ARCH_x86
#define RSIP_AFTER(p, value) (p) /* loads are in order */
#else
#define RSIP_AFTER(p, value)                                                \
	({                                                                  \
		__u64 __zero = (value);                                     \
		asm volatile("%0 &= 0" : "+r"(__zero));                     \
		(typeof(p))((__u8 *)(p) + __zero);                          \
	})
#endif

#define RSIP_NO_ADDR 0xffffffffU

static __always_inline struct rsip_policy *rsip_policy_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&rsip_policy, &zero);
}

static __always_inline struct rsip_scratch *rsip_scratch_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&rsip_scratch, &cpu);
}

union rsip_addr_word {
	struct rsip_addr_entry e;
	__u64 word;
};

static __always_inline __u32 rsip_addr_in_bucket(__u32 bucket, __be32 addr)
{
	struct rsip_addr_bucket *b = bpf_map_lookup_elem(&rsip_addrs, &bucket);

	if (!b)
		return RSIP_NO_ADDR;
#pragma unroll
	for (int i = 0; i < 8; i++) {
		union rsip_addr_word w = { .word = RSIP_READ(*(__u64 *)&b->e[i]) };

		if (w.e.addr == addr)
			return w.e.index;
	}
	return RSIP_NO_ADDR;
}

/* Index of a pool address, or RSIP_NO_ADDR.  Most addresses asked for are far from the pools. */
static __always_inline __u32 rsip_addr_find(const struct rsip_policy *policy, __be32 addr)
{
	__u32 number = bpf_ntohl(addr), index;
	__u64 hash;

	if (!addr || number < RSIP_READ(policy->pool_first) || number > RSIP_READ(policy->pool_last))
		return RSIP_NO_ADDR;
	hash = rsip_hash(RSIP_ADDR_KEY(addr), rsip_seed);
	index = rsip_addr_in_bucket(rsip_bucket1(hash, rsip_addr_mask), addr);
	if (index == RSIP_NO_ADDR)
		index = rsip_addr_in_bucket(rsip_bucket2(hash, rsip_addr_mask), addr);
	return index;
}

/* Slot that leases a port (host order) of an address, or 0. */
static __always_inline __u32 rsip_port_find(__u32 addr_index, __u16 port)
{
	__u32 block_index = addr_index << 6 | port >> 10, line_index = addr_index << 12 | port >> 4;
	struct rsip_block_line *block;
	struct rsip_port_line *line;
	__u32 slot;

	if (addr_index >= rsip_max_addrs)
		return 0;
	block = bpf_map_lookup_elem(&rsip_blocks, &block_index);
	slot = block ? RSIP_READ(block->slot[port >> RSIP_PORT_BLOCK_SHIFT & 15]) : 0;
	if (slot)
		return slot;
	line = bpf_map_lookup_elem(&rsip_ports, &line_index);
	return line ? RSIP_READ(line->slot[port & 15]) : 0;
}

/* Read for nothing but time: the second bucket comes while the first one is looked at. */
#define RSIP_FETCH(map, index)                                       \
	do {                                                         \
		__u32 __at = (index);                                \
		__u32 *__word = bpf_map_lookup_elem(&(map), &__at);  \
		if (__word)                                          \
			(void)RSIP_READ(*__word);                    \
	} while (0)

static __always_inline __u32 rsip_spi_in_bucket(__u32 bucket, __be32 addr, __u32 spi)
{
	struct rsip_spi_bucket *b = bpf_map_lookup_elem(&rsip_spis, &bucket);

	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		struct rsip_spi_entry *e = &b->e[i];
		__u32 slot = RSIP_READ(e->slot), first, cnt;
		__be32 owned;

		e = RSIP_AFTER(e, slot);
		owned = RSIP_READ(e->addr);
		if (!slot || owned != addr)
			continue;
		first = RSIP_READ(e->first);
		cnt = RSIP_READ(e->cnt);
		e = RSIP_AFTER(e, owned ^ first ^ cnt);
		if (spi - first < cnt && RSIP_READ(e->slot) == slot)
			return slot;
	}
	return 0;
}

/* Slot that leases an SPI (host order) of an address, or 0. */
static __always_inline __u32 rsip_spi_find(__be32 addr, __u32 spi)
{
	__u64 hash = rsip_hash(RSIP_SPI_KEY(addr, spi), rsip_seed);
	__u32 slot;

	RSIP_FETCH(rsip_spis, rsip_bucket2(hash, rsip_spi_mask));
	slot = rsip_spi_in_bucket(rsip_bucket1(hash, rsip_spi_mask), addr, spi);
	return slot ? slot : rsip_spi_in_bucket(rsip_bucket2(hash, rsip_spi_mask), addr, spi);
}

static __always_inline __u64 rsip_pair_in_bucket(__u32 bucket, __be32 host, __be32 local)
{
	struct rsip_pair_bucket *b = bpf_map_lookup_elem(&rsip_pairs, &bucket);

	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		struct rsip_pair_entry *e = &b->e[i];
		__be32 found = RSIP_READ(e->host), at;
		__u64 slots;

		e = RSIP_AFTER(e, found);
		at = RSIP_READ(e->local);
		if (found != host || at != local)
			continue;
		slots = (__u64)RSIP_READ(e->ipsec_slot) << 32 | RSIP_READ(e->slot);
		e = RSIP_AFTER(e, slots ^ at);
		if (RSIP_READ(e->host) == host)
			return slots;
	}
	return 0;
}

/* RSIP_PAIR_WORDs of a (host, address): any method in the low half, RSIPSEC in the high half; 0: no such pair. */
static __always_inline __u64 rsip_pair_find(__be32 host, __be32 local)
{
	__u64 hash = rsip_hash(RSIP_PAIR_KEY(host, local), rsip_seed);
	__u64 slots;

	if (!host)
		return 0;
	RSIP_FETCH(rsip_pairs, rsip_bucket2(hash, rsip_pair_mask));
	slots = rsip_pair_in_bucket(rsip_bucket1(hash, rsip_pair_mask), host, local);
	return slots ? slots : rsip_pair_in_bucket(rsip_bucket2(hash, rsip_pair_mask), host, local);
}

static __always_inline __u32 rsip_remote_in_bucket(__u32 bucket, __u64 pair, __be32 remote, __u32 ipsec)
{
	struct rsip_remote_bucket *b = bpf_map_lookup_elem(&rsip_remotes, &bucket);

	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		struct rsip_remote_entry *e = &b->e[i];
		__u32 slot = RSIP_READ(e->slot);
		__be32 to;
		__u64 found;

		e = RSIP_AFTER(e, slot);
		to = RSIP_READ(e->remote);
		if (!(slot & ~RSIP_REMOTE_IPSEC) || (slot & RSIP_REMOTE_IPSEC) != ipsec || to != remote)
			continue;
		found = RSIP_PAIR_KEY(RSIP_READ(e->host), RSIP_READ(e->local));
		e = RSIP_AFTER(e, found ^ to);
		if (found == pair && RSIP_READ(e->slot) == slot)
			return slot & ~RSIP_REMOTE_IPSEC;
	}
	return 0;
}

/* Slot of the pair's binding for this remote, or 0; ipsec: RSIP_REMOTE_IPSEC for one of RSIPSEC, else 0. */
__noinline __u32 rsip_remote_find(__be32 host, __be32 local, __be32 remote, __u32 ipsec)
{
	__u64 hash = rsip_hash(RSIP_REMOTE_KEY(host, local, remote, ipsec), rsip_seed);
	__u64 pair = RSIP_PAIR_KEY(host, local);
	__u32 slot = rsip_remote_in_bucket(rsip_bucket1(hash, rsip_remote_mask), pair, remote, ipsec);

	return slot ? slot : rsip_remote_in_bucket(rsip_bucket2(hash, rsip_remote_mask), pair, remote, ipsec);
}

static __always_inline __u32 rsip_host6_in_bucket(__u32 bucket, const __be32 *addr)
{
	struct rsip_host6_bucket *b = bpf_map_lookup_elem(&rsip_host6_tab, &bucket);

	if (!b)
		return 0;
#pragma unroll
	for (int i = 0; i < 3; i++) {
		struct rsip_host6_entry *e = &b->e[i];
		__u32 index = RSIP_READ(e->index), differs;

		e = RSIP_AFTER(e, index);
		differs = (RSIP_READ(e->addr[0]) ^ addr[0]) | (RSIP_READ(e->addr[1]) ^ addr[1]) |
			  (RSIP_READ(e->addr[2]) ^ addr[2]) | (RSIP_READ(e->addr[3]) ^ addr[3]);
		e = RSIP_AFTER(e, differs);
		if (index && !differs && RSIP_READ(e->index) == index)
			return index;
	}
	return 0;
}

/* Handle of the host with this IPv6 address, or 0. */
static __always_inline __be32 rsip_host6_find(const __be32 *addr)
{
	__u64 hash = rsip_hash(RSIP_HOST6_KEY(addr), rsip_seed);
	__u32 index = rsip_host6_in_bucket(rsip_bucket1(hash, rsip_host6_mask), addr);

	if (!index)
		index = rsip_host6_in_bucket(rsip_bucket2(hash, rsip_host6_mask), addr);
	return index ? RSIP_HOST6_HANDLE(index) : 0;
}

/* By its handle. */
static __always_inline struct rsip_host6 *rsip_host6_get(__be32 handle)
{
	__u32 index = RSIP_HOST6_INDEX(handle);

	return bpf_map_lookup_elem(&rsip_hosts6, &index);
}

/* Index of one of our interfaces, or 0. */
static __always_inline __u32 rsip_iface_find(__u32 ifindex)
{
	__u32 bucket = ifindex % RSIP_IFTAB_BUCKETS;
	struct rsip_iftab_bucket *b = bpf_map_lookup_elem(&rsip_iftab, &bucket);

	if (!b || !ifindex)
		return 0;
#pragma unroll
	for (int i = 0; i < 8; i++)
		if (b->e[i].ifindex == ifindex)
			return b->e[i].iface;
	return 0;
}

static __always_inline struct rsip_iface *rsip_iface_get(__u32 iface)
{
	return bpf_map_lookup_elem(&rsip_ifaces, &iface);
}

static __always_inline bool rsip_iface_takes_buffers(__u32 iface)
{
	struct rsip_iface *out = rsip_iface_get(iface);

	return out && out->flags & RSIP_IFACE_BUFFERS;
}

static __always_inline struct rsip_binding *rsip_binding_get(__u32 slot)
{
	return bpf_map_lookup_elem(&rsip_bindings, &slot);
}

/* Slot that leases the whole address (RSA-IP), or 0. */
static __always_inline __u32 rsip_addr_whole(__u32 addr_index)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);

	return info && info->flags & RSIP_ADDR_LIVE ? RSIP_READ(info->whole_slot) : 0;
}

static __always_inline struct rsip_bind_cnt *rsip_bind_cnt_get(__u32 cpu, __u32 slot)
{
	__u32 place = cpu * rsip_slots + slot;

	return bpf_map_lookup_elem(&rsip_bind_cnt, &place);
}

/* A binding's counters, read for nothing but time: with many bindings they are far from the cache, as its record is. */
static __always_inline void rsip_bind_cnt_fetch(__u32 cpu, __u32 slot)
{
	struct rsip_bind_cnt *cnt = rsip_bind_cnt_get(cpu, slot);

	if (cnt)
		(void)RSIP_READ(cnt->in_packets);
}

/*
 * Record and counters, before it is known whose the port is: where its binding lies, as a rule (RSIP_HOME_SLOT).  The answer is that
 * slot.
 */
static __always_inline __u32 rsip_home_fetch(__u32 cpu, __u32 addr_index, __u16 port)
{
	__u32 home = RSIP_HOME_SLOT(addr_index, port, rsip_slot_mask);
	struct rsip_binding *rec = rsip_binding_get(home);

	if (rec)
		(void)RSIP_READ(rec->expires_ns);
	rsip_bind_cnt_fetch(cpu, home);
	return home;
}

/* The record of a packet's binding; its counters come at the same time, unless they are at home, and so on their way. */
static __always_inline struct rsip_binding *rsip_binding_fetch(__u32 cpu, __u32 slot, __u32 home)
{
	if (slot != home)
		rsip_bind_cnt_fetch(cpu, slot);
	return rsip_binding_get(slot);
}

#endif
