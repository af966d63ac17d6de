/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP queries of hosts on shared addresses (RFC 3102 6.2): a query takes its identifier, replies and errors about it
 * find the host by it.  The first owner keeps it, for RSIP_IDENT_S after its last query.
 *
 * An entry names a binding by slot and bind ID, in one word that is kept combined with its key, as claims are
 * (ike.h); it is void when the slot has another binding.  A binding holds RSIP_IDENTS_MAX and loses its own oldest.
 */
#ifndef RSIP_BPF_IDENT_H
#define RSIP_BPF_IDENT_H

union rsip_ident_word {
	struct rsip_ident_owner o;
	__u64 word;
};

static const struct rsip_ident_ring rsip_no_idents = {}; /* too long for the stack */

static __always_inline __u64 rsip_ident_mask(const struct rsip_ident_key *key)
{
	return RSIP_IDENT_MASK(key, rsip_seed);
}

/* The live binding that an entry names, or NULL. */
static __always_inline struct rsip_binding *rsip_ident_holder(__u64 word, __be32 local)
{
	union rsip_ident_word w = { .word = word };
	struct rsip_binding *rec = rsip_binding_get(w.o.slot);

	if (!w.o.slot || !rec || !RSIP_READ(rec->expires_ns))
		return NULL;
	return rec->bind_id == w.o.bind_id && rec->local == local ? rec : NULL;
}

/* Slot of the binding whose host sent a query with this identifier lately, or 0. */
__noinline __u32 rsip_ident_find(__be32 local, __u32 ident, __u32 now_s)
{
	struct rsip_ident_key key = { .local = local, .ident = ident };
	struct rsip_ident *held = bpf_map_lookup_elem(&rsip_idents, &key);
	union rsip_ident_word w;

	if (!held || rsip_age_s(now_s, RSIP_READ(held->seen_s)) >= RSIP_IDENT_S)
		return 0;
	w.word = RSIP_READ(held->owner) ^ rsip_ident_mask(&key);
	return rsip_ident_holder(w.word, local) ? w.o.slot : 0;
}

/* Out of the table, unless it is another's by now. */
static __always_inline void rsip_ident_drop(const struct rsip_ident_key *key, __u64 mine)
{
	struct rsip_ident *held = bpf_map_lookup_elem(&rsip_idents, key);

	if (held && (RSIP_READ(held->owner) ^ rsip_ident_mask(key)) == mine)
		bpf_map_delete_elem(&rsip_idents, key);
}

/* Among its owner's, whose oldest gives way.  0, or -RSIP_DROP_IDENT_LIMIT: there is no room for its list. */
static __always_inline int rsip_ident_remember(const struct rsip_ident_key *key, union rsip_ident_word mine)
{
	struct rsip_ident_ring *ring = bpf_map_lookup_elem(&rsip_ident_ring, &mine.o.slot);
	struct rsip_ident_key old = { .local = key->local };
	__u32 at, place;

	if (!ring) {
		bpf_map_update_elem(&rsip_ident_ring, &mine.o.slot, &rsip_no_idents, BPF_NOEXIST);
		ring = bpf_map_lookup_elem(&rsip_ident_ring, &mine.o.slot);
		if (!ring)
			return -RSIP_DROP_IDENT_LIMIT;
	}
	if (RSIP_READ(ring->bind_id) != mine.o.bind_id) { /* the slot's binding before: its entries are void */
		*(volatile __u32 *)&ring->head = 0;
		*(volatile __u32 *)&ring->bind_id = mine.o.bind_id;
	}
	at = __sync_fetch_and_add(&ring->head, 1);
	place = at % RSIP_IDENTS_MAX;
	old.ident = ring->ident[place];
	ring->ident[place] = (__u16)key->ident;
	if (at >= RSIP_IDENTS_MAX && old.ident != key->ident)
		rsip_ident_drop(&old, mine.word);
	return 0;
}

/* A host's query.  0, or -RSIP_DROP_IDENT_TAKEN: another host's, -RSIP_DROP_IDENT_LIMIT. */
__noinline int rsip_ident_take(__be32 local, __u32 ident, __u32 slot, __u32 now_s)
{
	struct rsip_ident_key key = { .local = local, .ident = ident };
	union rsip_ident_word mine = { .o.slot = slot };
	struct rsip_binding *rec = rsip_binding_get(slot), *holder;
	__u64 mask = rsip_ident_mask(&key), old;
	struct rsip_ident *held;
	int err;

	if (!rec)
		return -RSIP_DROP_INTERNAL;
	mine.o.bind_id = rec->bind_id;
	held = bpf_map_lookup_elem(&rsip_idents, &key);
	if (held) {
		old = RSIP_READ(held->owner);
		holder = rsip_ident_holder(old ^ mask, local);
		if (holder && holder->host != rec->host && rsip_age_s(now_s, RSIP_READ(held->seen_s)) < RSIP_IDENT_S)
			return -RSIP_DROP_IDENT_TAKEN;
		if (holder && holder->host == rec->host) {
			if (RSIP_READ(held->seen_s) != now_s)
				*(volatile __u32 *)&held->seen_s = now_s;
			return 0;
		}
		if (__sync_val_compare_and_swap(&held->owner, old, mine.word ^ mask) != old)
			return -RSIP_DROP_IDENT_TAKEN;
		*(volatile __u32 *)&held->seen_s = now_s;
	} else {
		struct rsip_ident fresh = { .owner = mine.word ^ mask, .seen_s = now_s };
		long ret = bpf_map_update_elem(&rsip_idents, &key, &fresh, BPF_NOEXIST);

		if (ret)
			return ret == -RSIP_EEXIST ? -RSIP_DROP_IDENT_TAKEN : -RSIP_DROP_IDENT_LIMIT;
	}
	err = rsip_ident_remember(&key, mine);
	if (err)
		rsip_ident_drop(&key, mine.word);
	return err;
}

#endif
