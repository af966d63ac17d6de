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
