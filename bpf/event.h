/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tells rsipd that a host broke a rule (RFC 3103 10.4), so that it can tell the host.  Cheap under a flood: each CPU
 * reports the same host and reason once a second, and RSIP_EVENTS_PER_S of all together.
 */
#ifndef RSIP_BPF_EVENT_H
#define RSIP_BPF_EVENT_H

/*
 * Drops that are the sender's doing, and that he may hear of: not those that somebody else may have forged.  All that are found before
 * the packet teaches us something; the one found there, RSIP_DROP_COOKIE_COLLISION, is reported there.
 */
static __always_inline bool rsip_event_wanted(int reason)
{
	switch (reason) {
	case RSIP_DROP_LOCAL_ADDR_UNALLOWED:
	case RSIP_DROP_LOCAL_PORT_UNALLOWED:
	case RSIP_DROP_HOST_UNKNOWN:
	case RSIP_DROP_NOT_OWNER:
	case RSIP_DROP_EXPIRED:
	case RSIP_DROP_IPSEC_UNALLOWED:
	case RSIP_DROP_REMOTE_UNALLOWED:
	case RSIP_DROP_DST_UNALLOWED:
	case RSIP_DROP_WRONG_TUNNEL:
		return true;
	}
	return false;
}

/* May this one be reported now? */
static __always_inline bool rsip_event_passes(__be32 host, __u32 reason)
{
	__u64 second = bpf_ktime_get_coarse_ns() >> 30; /* nearly */
	__u64 word = (__u64)host << 32 | (__u64)reason << 24 | (second & 0xffffff);
	__u32 cpu = bpf_get_smp_processor_id();
	struct rsip_event_gate *gate = bpf_map_lookup_elem(&rsip_event_gate, &cpu);
	__u64 *seen;

	if (!gate)
		return false;
	seen = &gate->seen[rsip_hash(word >> 24, 0) & (RSIP_EVENT_SLOTS - 1)];
	if (*seen == word)
		return false;
	if (gate->second != second) {
		gate->second = second;
		gate->cnt = 0;
	}
	if (gate->cnt >= RSIP_EVENTS_PER_S)
		return false;
	gate->cnt++;
	*seen = word;
	return true;
}

/* iface_reason: interface of arrival << 8 | RSIP_DROP_*.  Always 0. */
__noinline int rsip_event_report(const struct rsip_key *key, __be32 host, __u32 iface_reason, __u32 bind_id)
{
	struct rsip_event *e;

	if (!key || !rsip_event_passes(host, iface_reason & 0xff))
		return 0;
	e = bpf_ringbuf_reserve(&rsip_events, sizeof(*e), 0);
	if (!e)
		return 0;
	e->host = host;
	e->local = key->local;
	e->remote = key->remote;
	e->local_port = key->has_ports ? key->local_port : 0;
	e->remote_port = key->has_ports ? key->remote_port : 0;
	e->iface = iface_reason >> 8;
	e->reason = iface_reason & 0xff;
	e->proto = key->proto;
	e->bind_id = bind_id;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

#endif
