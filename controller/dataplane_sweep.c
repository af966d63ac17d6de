// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Out of the hashes that packets fill: claims whose records are freed, and what has grown old. */
#include "dataplane_sweep.h"

#include <string.h>
#include <bpf/bpf.h>
#include "util.h"

#define SWEEP_KEYS 1024 /* claims looked at in one call: some 2 ms */
#define SWEEP_IDENTS 256 /* ICMP identifiers */
#define SWEEP_RINGS 16 /* each costs up to RSIP_IDENTS_MAX look-ups */

#define PEERS (RSIP_DP_IKE_PEERS - RSIP_DP_ARRAYS)
#define IDENTS (RSIP_DP_IDENTS - RSIP_DP_ARRAYS) /* from here on: what grows old by itself */
#define RING (RSIP_DP_IDENT_RING - RSIP_DP_ARRAYS)

static bool claim_is_stale(const struct rsip_dp_sweep *s, const struct rsip_claim *claim)
{
	return claim->learned > s->core->config.max_learned ||
	       __atomic_load_n(&s->core->m.learned[claim->learned].gen, __ATOMIC_ACQUIRE) !=
		       claim->gen;
}

union value {
	struct rsip_claim claim;
	struct rsip_ike_peer peer;
	struct rsip_ident ident;
	struct rsip_ident_ring ring;
};

static bool slot_has(const struct rsip_dp_sweep *s, uint32_t slot, uint32_t bind_id)
{
	const struct rsip_binding *rec = &s->core->m.bindings[slot];

	return slot <= s->core->config.max_bindings && rec->bind_id == bind_id &&
	       __atomic_load_n(&rec->expires_ns, __ATOMIC_ACQUIRE);
}

/* Below 0 for what a packet has noted since the event loop looked at the clock. */
static int32_t age_s(const struct rsip_dp_sweep *s, uint32_t then_s)
{
	return (int32_t)((uint32_t)(s->now_ns / RSIP_NS_PER_S) - then_s);
}

/* Nobody asks under it any more, or its binding is gone. */
static bool ident_is_stale(const struct rsip_dp_sweep *s, const struct rsip_ident_key *key, const struct rsip_ident *v)
{
	uint64_t word = v->owner ^ RSIP_IDENT_MASK(key, s->core->config.hash_seed);
	struct rsip_ident_owner owner;

	memcpy(&owner, &word, sizeof(owner));
	return age_s(s, v->seen_s) > 2 * (int32_t)RSIP_IDENT_S || !slot_has(s, owner.slot, owner.bind_id);
}

/* A binding's list goes with the last of what it lists: hosts that asked once take no room for ever. */
static bool ring_is_stale(const struct rsip_dp_sweep *s, uint32_t slot, const struct rsip_ident_ring *v)
{
	struct rsip_ident_key ident = { 0 };
	struct rsip_ident held;

	if (!slot_has(s, slot, v->bind_id))
		return true;
	ident.local = s->core->m.bindings[slot].local;
	for (uint32_t i = 0; i < RSIP_IDENTS_MAX && i < v->head; i++) {
		ident.ident = v->ident[i];
		if (!bpf_map_lookup_elem(s->fd[IDENTS], &ident, &held) && !ident_is_stale(s, &ident, &held))
			return false;
	}
	return true;
}

/* A claim is kept combined with its key. */
static bool masked_is_stale(const struct rsip_dp_sweep *s, const union rsip_dp_key *key, const struct rsip_claim *v)
{
	uint64_t word_claim;
	struct rsip_claim held;

	memcpy(&word_claim, v, sizeof(word_claim));
	word_claim ^= RSIP_CLAIM_MASK(key->word[0], key->word[1], s->core->config.hash_seed);
	memcpy(&held, &word_claim, sizeof(held));
	return claim_is_stale(s, &held);
}

/*
 * A peer's record is as good as the best of its hosts.  One that was crowded must say so for a day: there are hosts that
 * it has no place for, and without it the next of them would seem to be the only one.
 */
static bool peer_is_stale(const struct rsip_dp_sweep *s, const struct rsip_ike_peer *p)
{
	if (p->crowded_s && age_s(s, p->crowded_s) < (int32_t)RSIP_IKE_ANSWER_S)
		return false;
	for (int i = 0; i < RSIP_IKE_PEER_HOSTS; i++) {
		struct rsip_claim claim;

		memcpy(&claim, &p->host[i], sizeof(claim));
		if (claim.gen && !claim_is_stale(s, &claim))
			return false;
	}
	return true;
}

static bool value_is_stale(const struct rsip_dp_sweep *s, int map, const union rsip_dp_key *key, const union value *v)
{
	if (map == IDENTS)
		return ident_is_stale(s, &key->ident, &v->ident);
	if (map == RING)
		return ring_is_stale(s, key->slot, &v->ring);
	return map == PEERS ? peer_is_stale(s, &v->peer) : masked_is_stale(s, key, &v->claim);
}

/* A packet may take the key over between our look and our deletion: what was alive is put back. */
static void drop_if_stale(struct rsip_dp_sweep *s, int map, const union rsip_dp_key *key)
{
	int fd = s->fd[map];
	union value v;

	if (bpf_map_lookup_elem(fd, key, &v) || !value_is_stale(s, map, key, &v))
		return;
	if (bpf_map_lookup_and_delete_elem(fd, key, &v)) {
		bpf_map_delete_elem(fd, key);
		return;
	}
	if (!value_is_stale(s, map, key, &v))
		bpf_map_update_elem(fd, key, &v, BPF_NOEXIST);
}

/* One key on.  false: that was the last one; the next call begins anew. */
static bool sweep_step(struct rsip_dp_sweep *s, int map)
{
	struct rsip_dp_cursor *at = &s->cursor[map];
	union rsip_dp_key next = { { 0 } };
	bool more = !bpf_map_get_next_key(s->fd[map], at->begun ? &at->key : NULL, &next);

	/* Step on before the deletion: the key we stand on must exist at the next step. */
	if (at->begun)
		drop_if_stale(s, map, &at->key);
	at->key = next;
	at->begun = more;
	return more;
}

/* Claims: only after learned records were freed. */
static void sweep_claims(struct rsip_dp_sweep *s)
{
	for (int n = 0; n < SWEEP_KEYS && s->core->stale; n++) {
		if (!s->at && !s->cursor[0].begun)
			s->stale = s->core->stale;
		if (sweep_step(s, s->at))
			continue;
		s->at = (s->at + 1) % IDENTS;
		if (!s->at) { /* all done: what was freed meanwhile needs another round */
			s->core->stale -= s->stale;
			return;
		}
	}
}

void rsip_dp_sweep(struct rsip_dp_sweep *s, struct rsip_dp_core *core, uint64_t now_ns)
{
	s->core = core;
	s->now_ns = now_ns;
	sweep_claims(s);
	for (int n = 0; n < SWEEP_IDENTS && sweep_step(s, IDENTS); n++)
		;
	for (int n = 0; n < SWEEP_RINGS && sweep_step(s, RING); n++)
		;
}
