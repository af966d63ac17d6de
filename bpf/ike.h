/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IKE on ports that nobody leases: whose exchange is it?  By a cookie that a host claimed with its first packet
 * (RFC 3104 6.1, 6.5), or by a label: one of the host's leased SPIs in the upper half of the cookie it chose.
 * What has no half of a host's is for the listener for that remote (RFC 3104 App. G); the rest is in peers.h.
 *
 * Claims are (record, generation) words.  BPF_NOEXIST, or one compare-and-swap on a dead word, decides who is
 * first; a word counts only while rsip_learned has the same generation.  It is kept combined with its key, so a hash
 * value that is recycled for another key under a reader does no harm either.
 */
#ifndef RSIP_BPF_IKE_H
#define RSIP_BPF_IKE_H

#define RSIP_EEXIST 17

union rsip_claim_word {
	struct rsip_claim c;
	__u64 word;
};

enum rsip_claim_result {
	RSIP_CLAIM_TAKEN,
	RSIP_CLAIM_MINE, /* since before */
	RSIP_CLAIM_OTHERS,
	RSIP_CLAIM_NO_ROOM,
};

static __always_inline struct rsip_learned *rsip_learned_get(__u32 index)
{
	if (!index || index >= rsip_learned_cnt)
		return NULL;
	return bpf_map_lookup_elem(&rsip_learned, &index);
}

/*
 * Read for nothing but time, where the pair's binding is known but not in the cache: its learned record has, as a rule,
 * the number of the pair's slot (controller/dataplane_pairs.c).  Of IKE the line that its exchanges look at.
 */
static __always_inline void rsip_learned_fetch(__u32 slot, bool ike)
{
	struct rsip_learned *l = rsip_learned_get(slot);

	if (l)
		(void)RSIP_READ(*(ike ? &l->claimed_newest : &l->spi_newest));
}

/* The other way round: the binding of a learned record that is known but not in the cache. */
static __always_inline void rsip_learned_binding_fetch(__u32 learned)
{
	struct rsip_binding *rec = rsip_binding_get(learned);
	struct rsip_learned *l = rsip_learned_get(learned);

	if (rec)
		(void)RSIP_READ(rec->expires_ns);
	rsip_bind_cnt_fetch(bpf_get_smp_processor_id(), learned);
	if (l)
		(void)RSIP_READ(l->answered_newest);
}

/* The record that a claim names, if it still holds. */
static __always_inline struct rsip_learned *rsip_claim_holder(__u64 word)
{
	union rsip_claim_word w = { .word = word };
	struct rsip_learned *l = rsip_learned_get(w.c.learned);

	return l && w.c.gen && RSIP_READ(l->gen) == w.c.gen ? l : NULL;
}

/* The maps' keys are 16 bytes, no two with the same mask but by chance. */
static __always_inline __u64 rsip_claim_mask(const void *key)
{
	const __u64 *word = key;

	return RSIP_CLAIM_MASK(word[0], word[1], rsip_seed);
}

static __always_inline enum rsip_claim_result rsip_claim_take(void *map, const void *key, __u64 word)
{
	__u64 mask = rsip_claim_mask(key), mine = word ^ mask;

#pragma unroll
	for (int try = 0; try < 2; try++) {
		__u64 *held = bpf_map_lookup_elem(map, key);
		__u64 old;

		if (!held) {
			long err = bpf_map_update_elem(map, key, &mine, BPF_NOEXIST);

			if (!err)
				return RSIP_CLAIM_TAKEN;
			if (err != -RSIP_EEXIST)
				return RSIP_CLAIM_NO_ROOM;
			continue;
		}
		old = RSIP_READ(*held);
		if (old == mine)
			return RSIP_CLAIM_MINE;
		if (rsip_claim_holder(old ^ mask))
			return RSIP_CLAIM_OTHERS;
		if (__sync_val_compare_and_swap(held, old, mine) == old)
			return RSIP_CLAIM_TAKEN;
	}
	return RSIP_CLAIM_OTHERS;
}

/* Gives up a claim that fell out of its owner's ring, unless it is another's by now. */
static __always_inline void rsip_claim_drop(void *map, const void *key, __u64 word)
{
	__u64 *held = bpf_map_lookup_elem(map, key);

	if (held && (RSIP_READ(*held) ^ rsip_claim_mask(key)) == word)
		bpf_map_delete_elem(map, key);
}

/* ---- finding ---------------------------------------------------------------------------------------------------- */

static __always_inline __u32 rsip_cookie_label(__u64 cookie)
{
	return bpf_ntohl(*(__be32 *)&cookie); /* the upper half is the first four bytes on the wire */
}

/* Slot of the listener on this port of this address for this remote, or 0. */
static __always_inline __u32 rsip_listener_find(const struct rsip_key *key)
{
	return rsip_remote_find(RSIP_LISTEN_HOST((__u32)key->local_port), key->local, key->remote, 0);
}

/*
 * A host's binding for IKE with this remote: its RSIPSEC binding (slot, 0: none), but its listener for the remote
 * where that binding is for another one.
 */
static __always_inline __u32 rsip_ike_binding(const struct rsip_key *key, __u32 slot, __be32 host)
{
	struct rsip_binding *rec = rsip_binding_get(slot), *listener;
	__u32 other;

	if (slot && rec && (!rec->remote || rec->remote == key->remote))
		return slot;
	other = rsip_listener_find(key);
	listener = rsip_binding_get(other);
	return other && listener && listener->host == host ? other : slot;
}

/* Slot of the host that speaks under this cookie, or 0; a sender that turns around inside is never the answer. */
__noinline __u32 rsip_cookie_find(struct rsip_key *key, __u64 cookie)
{
	struct rsip_cookie_key k = { .cookie = cookie };
	struct rsip_binding *rec;
	struct rsip_learned *l;
	__u64 *held;
	__u32 slot;

	if (!key || !cookie)
		return 0;
	k.local = key->local;
	held = bpf_map_lookup_elem(&rsip_cookies, &k);
	if (held) {
		union rsip_claim_word w = { .word = RSIP_READ(*held) ^ rsip_claim_mask(&k) };

		rsip_learned_binding_fetch(w.c.learned);
		l = rsip_claim_holder(w.word);
		if (l && l->local == key->local && w.c.learned != key->self) {
			key->claimed = cookie;
			return rsip_ike_binding(key, RSIP_READ(l->slot), l->host);
		}
	}
	slot = rsip_spi_find(key->local, rsip_cookie_label(cookie));
	rec = rsip_binding_get(slot);
	if (!slot || !rec || (key->self && rec->learned == key->self))
		return 0;
	return rsip_ike_binding(key, slot, rec->host);
}

/* Has the packet a half that is a host's?  RFC 7296 2.6: from the peer, I set means that the other side's is. */
static __always_inline __u64 rsip_ike_half(const struct rsip_key *key)
{
	return !!key->ike_initiator == !!key->host_sent ? key->icookie : key->rcookie;
}

/*
 * The host of an exchange by what it chose itself, else the listener for the remote that begins one.  IKEv1 does
 * not say whose half is whose: the initiator cookie goes first.  A response of IKEv2 never begins anything, even
 * if it has no responder SPI yet.
 */
static __always_inline __u32 rsip_ike_find(struct rsip_key *key)
{
	__u32 slot;

	if (key->ike_major >= 2) {
		slot = rsip_cookie_find(key, rsip_ike_half(key));
		if (slot || rsip_ike_half(key) || (key->ike_response && !key->host_sent))
			return slot;
	} else {
		slot = rsip_cookie_find(key, key->icookie);
		if (!slot)
			slot = rsip_cookie_find(key, key->rcookie);
		if (slot || key->rcookie)
			return slot;
	}
	slot = rsip_listener_find(key);
	if (slot && key->self) { /* its own listener is no answer to a sender either */
		struct rsip_binding *rec = rsip_binding_get(slot);

		return rec && rec->learned != key->self ? slot : 0;
	}
	return slot;
}

/* Slot of the host that sends to (remote, SPI) from this address, or 0: for ICMP errors about its ESP or AH. */
__noinline __u32 rsip_spi_out_find(__be32 local, __be32 remote, __be32 spi)
{
	struct rsip_spi_out_key key = { .local = local, .remote = remote, .spi = spi };
	__u64 *held = bpf_map_lookup_elem(&rsip_spis_out, &key);
	struct rsip_learned *l;

	if (!held)
		return 0;
	l = rsip_claim_holder(RSIP_READ(*held) ^ rsip_claim_mask(&key));
	return l && l->local == local ? RSIP_READ(l->slot) : 0;
}

/* ---- claiming --------------------------------------------------------------------------------------------------- */

/* Which claim gives way to a new one: a free place, else the oldest unanswered, else the oldest. */
__noinline __u32 rsip_claim_place(__u32 learned, __u32 seq)
{
	struct rsip_learned *l = rsip_learned_get(learned);
	__u64 best = 0, answered;
	__u32 place = 0;

	if (!l)
		return 0;
	answered = RSIP_READ(l->answered);
	for (__u32 i = 0; i < RSIP_CLAIMS_MAX; i++) {
		__u64 score = (__u64)(seq - RSIP_READ(l->claim_at[i])) + 1;

		if (!RSIP_READ(l->claims[i]))
			score |= 1ULL << 34;
		else if (!(answered >> i & 1))
			score |= 1ULL << 33;
		if (score > best) {
			best = score;
			place = i;
		}
	}
	return place;
}

/*
 * Puts a claim among its owner's; the one that gives way is given up (RFC 3104 6.1, capped).  It is the newest before it is among
 * them: so whoever takes it out again sees that.
 */
static __always_inline void rsip_claim_remember(__u32 learned, __be32 local, __u64 cookie, __u64 mine)
{
	struct rsip_learned *l = rsip_learned_get(learned);
	struct rsip_cookie_key old = { .local = local };
	__u32 seq, place;

	if (!l)
		return;
	seq = __sync_fetch_and_add(&l->claim_seq, 1);
	place = rsip_claim_place(learned, seq) % RSIP_CLAIMS_MAX;
	__sync_fetch_and_and(&l->answered, ~(1ULL << place));
	*(volatile __u32 *)&l->claim_at[place] = seq;
	*(volatile __u64 *)&l->claimed_newest = cookie;
	old.cookie = __sync_lock_test_and_set(&l->claims[place], cookie);
	if (old.cookie && old.cookie != cookie) {
		__sync_val_compare_and_swap(&l->claimed_newest, old.cookie, 0);
		rsip_claim_drop(&rsip_cookies, &old, mine);
	}
}

/* The peer speaks under a claimed cookie, not the one of last time: the claim outlives those that nobody has answered. */
__noinline int rsip_claim_answered(__u32 learned, __u64 cookie)
{
	struct rsip_learned *l = rsip_learned_get(learned);

	if (!l || !cookie)
		return 0;
	for (__u32 i = 0; i < RSIP_CLAIMS_MAX; i++) {
		if (RSIP_READ(l->claims[i]) != cookie)
			continue;
		__sync_fetch_and_or(&l->answered, 1ULL << i);
		*(volatile __u64 *)&l->answered_newest = cookie;
		break;
	}
	return 0;
}

/* The binding whose SPI labels the cookie, or NULL. */
static __always_inline struct rsip_binding *rsip_cookie_labels(__be32 local, __u64 cookie)
{
	__u32 slot = rsip_spi_find(local, rsip_cookie_label(cookie));
	struct rsip_binding *rec = rsip_binding_get(slot);

	return slot && rec && rec->local == local ? rec : NULL;
}

/* Has the record claimed the cookie, and holds that? */
static __always_inline bool rsip_claim_stands(const struct rsip_cookie_key *key, __u32 learned)
{
	union rsip_claim_word w;
	__u64 *held = bpf_map_lookup_elem(&rsip_cookies, key);

	if (!held)
		return false;
	w.word = RSIP_READ(*held) ^ rsip_claim_mask(key);
	return w.c.learned == learned && rsip_claim_holder(w.word);
}

/* 1: claimed now; 0: nothing to do; else -RSIP_DROP_*. */
__noinline int rsip_cookie_claim(__be32 local, __u64 cookie, __u32 learned)
{
	struct rsip_cookie_key key = { .cookie = cookie, .local = local };
	struct rsip_learned *l = rsip_learned_get(learned);
	union rsip_claim_word mine = { .c.learned = learned };
	struct rsip_binding *rec;

	if (!cookie)
		return 0;
	rec = rsip_cookie_labels(local, cookie);
	if (rec) /* a label that was leased since does not end an exchange */
		return rec->learned == learned || rsip_claim_stands(&key, learned) ? 0 : -RSIP_DROP_COOKIE_COLLISION;
	if (!l || !l->gen)
		return -RSIP_DROP_COOKIE_LIMIT;
	mine.c.gen = RSIP_READ(l->gen);
	switch (rsip_claim_take(&rsip_cookies, &key, mine.word)) {
	case RSIP_CLAIM_TAKEN:
		rsip_claim_remember(learned, local, cookie, mine.word);
		return 1;
	case RSIP_CLAIM_MINE:
		return 0;
	case RSIP_CLAIM_OTHERS:
		return -RSIP_DROP_COOKIE_COLLISION;
	default:
		return -RSIP_DROP_COOKIE_LIMIT;
	}
}

/* The same for a host in an exchange that goes on, as most are: its claim stands, and it is its newest. */
static __always_inline int rsip_cookie_claim_or_go_on(__be32 local, __u64 cookie, __u32 learned)
{
	struct rsip_learned *l = rsip_learned_get(learned);

	return l && cookie && RSIP_READ(l->claimed_newest) == cookie ? 0 : rsip_cookie_claim(local, cookie, learned);
}

/*
 * A host's IKE packet claims the half that is the host's.  IKEv1 between two of our hosts: the initiator cookie is
 * the other's, so the responder claims its own half.  Result as of rsip_cookie_claim().
 */
static __always_inline int rsip_ike_claim(const struct rsip_key *key, __u32 learned, bool hairpin)
{
	int res;

	if (key->ike_major >= 2)
		return rsip_cookie_claim_or_go_on(key->local, key->ike_initiator ? key->icookie : key->rcookie, learned);
	res = rsip_cookie_claim_or_go_on(key->local, key->icookie, learned);
	if (res == -RSIP_DROP_COOKIE_COLLISION && hairpin && key->rcookie)
		res = rsip_cookie_claim(key->local, key->rcookie, learned);
	return res;
}

/* ---- SPIs that hosts send with ------------------------------------------------------------------------------------ */

static __always_inline __u64 rsip_spi_out_word(__be32 remote, __be32 spi)
{
	return (__u64)spi << 32 | remote;
}

/* A pair that the newest is not: into ring and table, and the owner's own oldest out of both. */
__noinline int rsip_spi_out_learn(__be32 local, __be32 remote, __be32 spi, __u32 learned)
{
	struct rsip_spi_out_key key = { .local = local, .remote = remote, .spi = spi };
	struct rsip_spi_out_key old = { .local = local };
	struct rsip_learned *l = rsip_learned_get(learned);
	union rsip_claim_word mine = { .c.learned = learned };
	__u64 word = rsip_spi_out_word(remote, spi), out;
	__u32 place;

	if (!l || !l->gen)
		return 0;
	for (place = 0; place < RSIP_SPI_OUT_MAX; place++) /* a host with several SAs sends now by one, now by another */
		if (RSIP_READ(l->spi_out[place]) == word)
			return 0;
	mine.c.gen = RSIP_READ(l->gen);
	if (rsip_claim_take(&rsip_spis_out, &key, mine.word) == RSIP_CLAIM_TAKEN) {
		place = __sync_fetch_and_add(&l->spi_head, 1) % RSIP_SPI_OUT_MAX;
		out = __sync_lock_test_and_set(&l->spi_out[place], word);
		old.remote = (__be32)out;
		old.spi = (__be32)(out >> 32);
		if (out && out != word)
			rsip_claim_drop(&rsip_spis_out, &old, mine.word);
	}
	*(volatile __u64 *)&l->spi_newest = word;
	return 0;
}

static __always_inline void rsip_spi_out_seen(const struct rsip_key *key, __u32 learned)
{
	struct rsip_learned *l = rsip_learned_get(learned);

	if (l && RSIP_READ(l->spi_newest) != rsip_spi_out_word(key->remote, key->spi))
		rsip_spi_out_learn(key->local, key->remote, key->spi, learned);
}

#endif
