/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What packets teach: IKE cookies and outbound SPIs, owned by (host, address) pairs.
 *
 * A claim names the pair's record in rsip_learned and its generation; when the generation has moved on, the
 * claim is void, whoever's it was.
 */
#ifndef BPF_CLAIMS_H
#define BPF_CLAIMS_H

/* The record a claim names, while it is valid; else NULL. */
static __always_inline struct rsip_learned *claim_owner(const struct rsip_claim *claim)
{
	__u64 word = READ_U64(*claim); /* index and generation in one load: hash values are recycled */
	__u32 index = (__u32)word, gen = word >> 32;
	struct rsip_learned *l = bpf_map_lookup_elem(&rsip_learned, &index);

	if (!l || !gen || READ_U32(l->gen) != gen)
		return NULL;
	return l;
}

static __always_inline struct rsip_learned *cookie_owner(__be32 local, __u64 cookie)
{
	struct rsip_cookie_key key = { .cookie = cookie, .local = local };
	struct rsip_claim *claim = bpf_map_lookup_elem(&rsip_cookies, &key);

	return claim ? claim_owner(claim) : NULL;
}

/* The upper half of a labelled cookie is one of the host's SPIs.  Its slot, or 0. */
static __always_inline __u32 label_slot(__be32 local, __u64 cookie)
{
	return spi_slot(local, bpf_ntohl((__be32)cookie)); /* the half that is first on the wire */
}

/* Claims a cookie for the pair whose record is `index`: 0, or why not.  RFC 3104 6.1, trial and error. */
static __noinline int cookie_claim(__u32 index, __be32 local, __u64 cookie)
{
	struct rsip_cookie_key key = { .cookie = cookie, .local = local };
	struct rsip_learned *l = bpf_map_lookup_elem(&rsip_learned, &index);
	struct rsip_cookie_key old = { .local = local };
	struct rsip_claim mine = { .learned = index };
	struct rsip_claim *found;
	__u32 place;

	if (!l || !index)
		return -RSIP_DROP_INTERNAL;
	mine.gen = READ_U32(l->gen);
	found = bpf_map_lookup_elem(&rsip_cookies, &key);
	if (found) {
		struct rsip_learned *owner = claim_owner(found);

		if (owner)
			return owner == l ? 0 : -RSIP_DROP_COOKIE_COLLISION;
		bpf_map_delete_elem(&rsip_cookies, &key); /* of a pair that is gone */
	}
	if (bpf_map_update_elem(&rsip_cookies, &key, &mine, BPF_NOEXIST)) {
		/* Another CPU was first, or the table is full. */
		struct rsip_learned *owner = cookie_owner(local, cookie);

		if (!owner)
			return -RSIP_DROP_COOKIE_LIMIT;
		return owner == l ? 0 : -RSIP_DROP_COOKIE_COLLISION;
	}
	/* The pair's ring holds RSIP_CLAIMS_MAX: the newcomer takes the place of its own oldest. */
	place = __sync_fetch_and_add(&l->claim_head, 1) % RSIP_CLAIMS_MAX;
	old.cookie = __sync_lock_test_and_set(&l->claims[place], cookie);
	if (old.cookie && old.cookie != cookie) {
		found = bpf_map_lookup_elem(&rsip_cookies, &old);
		if (found && READ_U32(found->learned) == index)
			bpf_map_delete_elem(&rsip_cookies, &old);
	}
	return 1; /* new */
}

/* Remembers that the pair sends to `remote` under `spi`, so that an ICMP error about it finds its way back. */
static __noinline int spi_out_learn(__u32 index, __be32 local, __be32 remote, __be32 spi)
{
	struct rsip_learned *l = bpf_map_lookup_elem(&rsip_learned, &index);
	struct rsip_spi_out_key key = { .local = local, .remote = remote, .spi = spi };
	struct rsip_claim mine = { .learned = index };
	__u64 word = (__u64)spi << 32 | remote;
	struct rsip_claim *found;
	__u64 old;
	__u32 place;

	if (!l || !index)
		return -1;
	if (READ_U64(l->spi_newest) == word)
		return 0;
	l->spi_newest = word;
	mine.gen = READ_U32(l->gen);
	found = bpf_map_lookup_elem(&rsip_spis_out, &key);
	if (found && claim_owner(found))
		return 0; /* known: ours, or another host's that was first */
	/* No room is no harm to the packet: only an ICMP error about it would be lost. */
	if (bpf_map_update_elem(&rsip_spis_out, &key, &mine, BPF_ANY))
		return -1;
	place = __sync_fetch_and_add(&l->spi_head, 1) % RSIP_SPI_OUT_MAX;
	old = __sync_lock_test_and_set(&l->spi_out[place], word);
	if (old && old != word) {
		key.remote = (__be32)old;
		key.spi = old >> 32;
		found = bpf_map_lookup_elem(&rsip_spis_out, &key);
		if (found && READ_U32(found->learned) == index)
			bpf_map_delete_elem(&rsip_spis_out, &key);
	}
	return 0;
}

#endif
