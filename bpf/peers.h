/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * IKE that carries no half of a host's and has no listener: a peer that reauthenticates, or calls first, or speaks
 * first under the SPIs of a host's own rekey.  Where only one host of the address has an exchange with that peer,
 * answered within a day, it is for that one; where several have, for nobody.  This departs from RFC 3104 App. E
 * ("SHOULD drop"), because users' SAs would die; `ike_guess` of the pool switches it off.
 *
 * rsip_ike_peers has a few places for hosts in each (address, peer).  A host takes one with its first packet to the
 * peer, and the time of an answer goes beside it.  When all are taken by answered hosts, the record is crowded for a
 * day: then nothing is guessed, whoever leaves.  A host is in at most RSIP_IKE_PEERS_MAX records, and its own oldest
 * gives way.
 */
#ifndef RSIP_BPF_PEERS_H
#define RSIP_BPF_PEERS_H

#define RSIP_PEER_NEWS_S 60 /* what is known and younger than this is not written again */

static __always_inline bool rsip_answer_is_live(__u32 answered_s, __u32 now_s)
{
	return answered_s && rsip_age_s(now_s, answered_s) < RSIP_IKE_ANSWER_S;
}

/* ---- learning ------------------------------------------------------------------------------------------------- */

/* Takes this host out of the record of a peer that fell out of its ring; a record without hosts goes. */
static __always_inline void rsip_peer_leave(__be32 local, __be32 remote, __u64 mine)
{
	struct rsip_ike_peer_key key = { .local = local, .remote = remote };
	struct rsip_ike_peer *p = bpf_map_lookup_elem(&rsip_ike_peers, &key);
	__u64 others = 0;

	if (!p)
		return;
	for (int i = 0; i < RSIP_IKE_PEER_HOSTS; i++)
		others |= __sync_val_compare_and_swap(&p->host[i], mine, 0) ^ mine ? RSIP_READ(p->host[i]) : 0;
	if (!others && !RSIP_READ(p->crowded_s))
		bpf_map_delete_elem(&rsip_ike_peers, &key);
}

/* A free place, a dead host's, one whose answer is old, and only then one that was never answered. */
static __always_inline int rsip_peer_place(struct rsip_ike_peer *p, __u32 now_s, __u64 *held)
{
	int unanswered = -1;

	for (int i = 0; i < RSIP_IKE_PEER_HOSTS; i++) {
		__u64 word = RSIP_READ(p->host[i]);
		__u32 answered = RSIP_READ(p->answered_s[i]);

		*held = word;
		if (!word || !rsip_claim_holder(word) || (answered && !rsip_answer_is_live(answered, now_s)))
			return i;
		if (!answered)
			unanswered = i;
	}
	if (unanswered >= 0)
		*held = RSIP_READ(p->host[unanswered & (RSIP_IKE_PEER_HOSTS - 1)]);
	return unanswered;
}

/* The first host of a record.  0 or a negative error. */
static __always_inline long rsip_peer_begin(const struct rsip_ike_peer_key *key, __u64 mine)
{
	struct rsip_scratch *scratch = rsip_scratch_get();

	if (!scratch)
		return -1;
	__builtin_memset(&scratch->peer, 0, sizeof(scratch->peer));
	scratch->peer.host[0] = mine;
	scratch->peer.local = key->local;
	scratch->peer.remote = key->remote;
	return bpf_map_update_elem(&rsip_ike_peers, key, &scratch->peer, BPF_NOEXIST);
}

/* 1: the host has a place that it did not have before. */
__noinline int rsip_peer_join(__be32 local, __be32 remote, __u64 mine, __u32 now_s)
{
	struct rsip_ike_peer_key key = { .local = local, .remote = remote };
	struct rsip_ike_peer *p = bpf_map_lookup_elem(&rsip_ike_peers, &key);
	__u64 held;
	int place;

	if (!p) {
		long err = rsip_peer_begin(&key, mine);

		if (err != -RSIP_EEXIST)
			return !err;
		p = bpf_map_lookup_elem(&rsip_ike_peers, &key);
		if (!p)
			return 0;
	}
	for (int i = 0; i < RSIP_IKE_PEER_HOSTS; i++)
		if (RSIP_READ(p->host[i]) == mine)
			return 0;
	place = rsip_peer_place(p, now_s, &held);
	if (place < 0 || p->local != local || p->remote != remote)
		return 0;
	place &= RSIP_IKE_PEER_HOSTS - 1;
	*(volatile __u32 *)&p->answered_s[place] = 0; /* before the host: the old one's answer is not its own */
	return __sync_val_compare_and_swap(&p->host[place], held, mine) == held;
}

/* Is the peer another than the last one, or was that long ago?  seen: peer_asked or peer_answered. */
static __always_inline bool rsip_peer_is_news(__u64 seen, __be32 remote, __u32 now_s)
{
	return (__be32)seen != remote || rsip_age_s(now_s, (__u32)(seen >> 32)) >= RSIP_PEER_NEWS_S;
}

/* The host's packet to an IKE peer, which is news. */
__noinline int rsip_peer_asked_first(__be32 remote, __u32 learned, __u32 now_s)
{
	struct rsip_learned *l = rsip_learned_get(learned);
	union rsip_claim_word mine = { .c.learned = learned };
	__u32 place;
	__be32 old;

	if (!l || !l->gen)
		return 0;
	*(volatile __u64 *)&l->peer_asked = (__u64)now_s << 32 | remote;
	mine.c.gen = RSIP_READ(l->gen);
	if (!rsip_peer_join(l->local, remote, mine.word, now_s))
		return 0;
	place = __sync_fetch_and_add(&l->peer_head, 1) % RSIP_IKE_PEERS_MAX;
	old = __sync_lock_test_and_set(&l->peers[place], remote);
	if (old && old != remote)
		rsip_peer_leave(l->local, old, mine.word);
	return 0;
}

/* The host's packet to an IKE peer.  Most are no news, and a call is dear. */
static __always_inline void rsip_peer_asked(__be32 remote, __u32 learned, __u32 now_s)
{
	struct rsip_learned *l = rsip_learned_get(learned);

	if (l && rsip_peer_is_news(RSIP_READ(l->peer_asked), remote, now_s))
		rsip_peer_asked_first(remote, learned, now_s);
}

/* The peer's packet to a host, in an exchange that both know: it is news. */
__noinline int rsip_peer_answered_first(__be32 remote, __u32 learned, __u32 now_s)
{
	struct rsip_learned *l = rsip_learned_get(learned);
	union rsip_claim_word mine = { .c.learned = learned };
	struct rsip_ike_peer_key key = { .remote = remote };
	struct rsip_ike_peer *p;
	__u32 live = 0;

	if (!l)
		return 0;
	*(volatile __u64 *)&l->peer_answered = (__u64)now_s << 32 | remote;
	mine.c.gen = RSIP_READ(l->gen);
	key.local = l->local;
	p = bpf_map_lookup_elem(&rsip_ike_peers, &key);
	if (!p)
		return 0;
	for (int i = 0; i < RSIP_IKE_PEER_HOSTS; i++) {
		if (RSIP_READ(p->host[i]) == mine.word) {
			*(volatile __u32 *)&p->answered_s[i] = now_s ? now_s : 1;
			return 0;
		}
		live += rsip_answer_is_live(RSIP_READ(p->answered_s[i]), now_s);
	}
	if (live == RSIP_IKE_PEER_HOSTS)
		*(volatile __u32 *)&p->crowded_s = now_s ? now_s : 1;
	return 0;
}

/* What a packet between a host and its IKE peer teaches, both halves of its header being known. */
static __always_inline void rsip_ike_answered(const struct rsip_key *key, __u32 learned)
{
	struct rsip_learned *l;

	if (key->ike != RSIP_IKE_COOKIES || key->quoted || key->guessed || !key->icookie || !key->rcookie)
		return;
	l = rsip_learned_get(learned);
	if (!l)
		return;
	if (key->claimed && RSIP_READ(l->answered_newest) != key->claimed)
		rsip_claim_answered(learned, key->claimed);
	if (rsip_peer_is_news(RSIP_READ(l->peer_answered), key->remote, key->now_s))
		rsip_peer_answered_first(key->remote, learned, key->now_s);
}

/* ---- guessing --------------------------------------------------------------------------------------------------- */

/*
 * Slot of the only host that has an exchange with the remote; 0: none; else -RSIP_DROP_*.  An error may be about a packet
 * that was never answered, so where one is quoted it is the only host that has written to the remote.
 */
__noinline int rsip_ike_guess(struct rsip_key *key)
{
	struct rsip_ike_peer_key k = {};
	struct rsip_learned *only = NULL;
	struct rsip_ike_peer *p;
	__u32 now_s;

	if (!key)
		return 0;
	k.local = key->local;
	k.remote = key->remote;
	p = bpf_map_lookup_elem(&rsip_ike_peers, &k);
	if (!p)
		return 0;
	now_s = key->now_s;
	if (rsip_answer_is_live(RSIP_READ(p->crowded_s), now_s))
		return -RSIP_DROP_IKE_AMBIGUOUS;
	for (int i = 0; i < RSIP_IKE_PEER_HOSTS; i++) {
		union rsip_claim_word w = { .word = RSIP_READ(p->host[i]) };
		__u32 answered = RSIP_READ(p->answered_s[i]);
		struct rsip_learned *l = rsip_claim_holder(w.word);

		if (!l || w.c.learned == key->self || (!key->quoted && !rsip_answer_is_live(answered, now_s)))
			continue;
		if (only)
			return -RSIP_DROP_IKE_AMBIGUOUS;
		only = l;
	}
	if (!only || only->local != key->local || p->local != key->local || p->remote != key->remote)
		return 0;
	key->guessed = !key->quoted;
	return (int)rsip_ike_binding(key, RSIP_READ(only->slot), only->host);
}

#endif
