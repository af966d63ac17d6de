/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The steps that find a packet's binding, for the operator who asks: no packet, no counter, nothing learned. */
#ifndef RSIP_BPF_EXPLAIN_H
#define RSIP_BPF_EXPLAIN_H

static __always_inline __u8 rsip_explain_kind(__u8 proto)
{
	if (rsip_proto_has_ports(proto))
		return RSIP_KEY_PORTS;
	if (proto == RSIP_PROTO_ESP || proto == RSIP_PROTO_AH)
		return RSIP_KEY_SPI;
	return proto == RSIP_PROTO_ICMP ? RSIP_KEY_ICMP : RSIP_KEY_OTHER;
}

static __always_inline void rsip_explain_key(const struct rsip_explain *x, struct rsip_key *key)
{
	key->local = x->local;
	key->remote = x->remote;
	key->now_s = x->now_ns / RSIP_NS_PER_S;
	key->local_port = x->local_port;
	key->remote_port = x->remote_port;
	key->spi = x->spi;
	key->icookie = x->icookie;
	key->rcookie = x->rcookie;
	key->proto = x->proto;
	key->kind = rsip_explain_kind(x->proto);
	key->has_ports = key->kind == RSIP_KEY_PORTS;
	key->ike_major = x->ike_major;
	key->ike_initiator = x->ike_initiator;
	key->ike_response = x->ike_response;
	key->quoted = x->quoted;
	key->host_sent = x->outbound || x->quoted;
	if (key->has_ports && x->ike == RSIP_EXPLAIN_COOKIES)
		key->ike = RSIP_IKE_COOKIES;
	if (key->has_ports && x->ike == RSIP_EXPLAIN_ESP_IN_UDP)
		key->ike = RSIP_IKE_SPI;
	if (!x->outbound && key->kind == RSIP_KEY_ICMP)
		rsip_key_bad(key, RSIP_DROP_ICMP_QUERY);
}

/* Found by what is RSIPSEC's: of the pair's bindings, one of those is meant. */
static __always_inline bool rsip_explain_ipsec(const struct rsip_explain *x, const struct rsip_key *key)
{
	return x->outbound ? rsip_key_is_ipsec(key) : !key->by_pair;
}

/* What rsip_cookie_claim() would say, without a claim: 0 or -RSIP_DROP_COOKIE_COLLISION. */
static __always_inline int rsip_explain_cookie(const struct rsip_key *key, __u64 cookie, __u32 learned)
{
	struct rsip_cookie_key k = { .cookie = cookie, .local = key->local };
	union rsip_claim_word w;
	struct rsip_binding *rec;
	__u64 *held;

	if (!cookie)
		return 0;
	rec = rsip_cookie_labels(key->local, cookie);
	if (rec)
		return rec->learned == learned || rsip_claim_stands(&k, learned) ? 0 : -RSIP_DROP_COOKIE_COLLISION;
	held = bpf_map_lookup_elem(&rsip_cookies, &k);
	if (!held)
		return 0;
	w.word = RSIP_READ(*held) ^ rsip_claim_mask(&k);
	return rsip_claim_holder(w.word) && w.c.learned != learned ? -RSIP_DROP_COOKIE_COLLISION : 0;
}

/* As rsip_ike_claim(). */
static __always_inline int rsip_explain_claim(const struct rsip_key *key, __u32 learned, bool hairpin)
{
	int err;

	if (key->ike_major >= 2)
		return rsip_explain_cookie(key, rsip_ike_half(key), learned);
	err = rsip_explain_cookie(key, key->icookie, learned);
	return err && hairpin && key->rcookie ? rsip_explain_cookie(key, key->rcookie, learned) : err;
}

/* A query's identifier: as rsip_owner_icmp(). */
static __always_inline int rsip_explain_ident(const struct rsip_key *key, const struct rsip_binding *rec)
{
	struct rsip_binding *holder;
	__u32 slot;

	if (rsip_kernel_ident(rec->addr_index, key->spi - 1))
		return -RSIP_DROP_IDENT_TAKEN;
	slot = rsip_ident_find(key->local, key->spi - 1, key->now_s);
	holder = slot ? rsip_binding_get(slot) : NULL;
	return holder && holder->host != rec->host ? -RSIP_DROP_IDENT_TAKEN : 0;
}

/* What the host's packet would teach: may it?  Step 12 of docs/packet-flow.md. */
static __always_inline int rsip_explain_learn(const struct rsip_key *key, const struct rsip_binding *rec)
{
	struct rsip_policy *policy = rsip_policy_get();

	if (!key->by_pair)
		return 0;
	if (key->kind == RSIP_KEY_ICMP && key->spi)
		return rsip_explain_ident(key, rec);
	if (key->ike != RSIP_IKE_COOKIES)
		return 0;
	return rsip_explain_claim(key, rec->learned, policy && rsip_addr_find(policy, key->remote) != RSIP_NO_ADDR);
}

/* The binding is found: does the packet keep to it? */
static __always_inline int rsip_explain_binding(struct rsip_explain *x, struct rsip_key *key, int slot, __u64 now)
{
	const struct rsip_walk walk = { .now = now };
	struct rsip_binding *rec = rsip_binding_get(slot);
	int err;

	if (!rec)
		return -RSIP_DROP_INTERNAL;
	if (key->by_pair || key->ike == RSIP_IKE_COOKIES || (key->quoted && (key->kind == RSIP_KEY_SPI || key->ike)))
		rec = rsip_pair_for_remote(&walk, key, rec,
					   rsip_explain_ipsec(x, key) ? RSIP_REMOTE_IPSEC : 0, &slot);
	x->slot = slot;
	x->bind_id = rec->bind_id;
	x->guessed = key->guessed;
	if (rec->local != key->local || RSIP_READ(rec->expires_ns) <= now)
		return -RSIP_DROP_EXPIRED;
	if (x->outbound && rec->host != x->host)
		return -RSIP_DROP_NOT_OWNER;
	err = rsip_remote_check(rec, key);
	if (!err && x->outbound)
		err = rsip_explain_learn(key, rec);
	return err ? err : RSIP_EXPLAIN_OWNED;
}

static __always_inline int rsip_explain_packet(struct rsip_explain *x)
{
	struct rsip_policy *policy = rsip_policy_get();
	__u32 addr_index = policy ? rsip_addr_find(policy, x->local) : RSIP_NO_ADDR;
	struct rsip_key key = {};
	int res;

	if (addr_index == RSIP_NO_ADDR)
		return x->outbound ? -RSIP_DROP_LOCAL_ADDR_UNALLOWED : -RSIP_DROP_NOT_LEASED;
	rsip_explain_key(x, &key);
	res = x->outbound ? rsip_owner(&key, x->host, addr_index) : rsip_demux(&key, addr_index);
	if (res > 0)
		return rsip_explain_binding(x, &key, res, x->now_ns);
	if (!x->outbound && rsip_kernel_owns(&key, addr_index))
		return RSIP_EXPLAIN_TO_KERNEL;
	return res ? res : -RSIP_DROP_INTERNAL;
}

#endif
