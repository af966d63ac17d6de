/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lease store: what must survive a crash of rsipd, and a power cut.  This is the interface behind which a
 * backend stands; what stands above it (journal.h) knows no file and no database.
 *
 * A store holds rows of three kinds.  Leases (from their grant until what they held is free again, so the rest of
 * 120 s is a state of the row) and clients (registrations with their last answered request, RFC 3103 10.1) stand each
 * under a number that only rises; keys (the highest sequence that was seen of each, which outlives the registrations
 * made with it) under the key's ID.  A commit makes a list of changes durable, all of them or none.
 *
 * Addresses are in network order; ports, SPIs and IDs in host order.  Times are CLOCK_MONOTONIC nanoseconds of the
 * running boot: a store that was written in an earlier boot is moved to this one when it is read, by the wall clock.
 */
#ifndef RSIP_STORE_H
#define RSIP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#define RSIP_STORE_IFACE 16 /* IFNAMSIZ */

struct rsip_store_range { /* of ports or SPIs */
	uint32_t first, cnt;
};

struct rsip_store_lease {
	uint64_t seq; /* the row's number */
	uint64_t start_ns, expires_ns;
	uint64_t rest_ns; /* 0: leased; else it has ended, and rests until then */
	uint32_t client_id, bind_id;
	__be32 host, local, endpoint, remote;
	uint16_t remote_port, remote_port_cnt;
	uint16_t mtu;
	uint8_t method, tunnel, kind; /* RSIP_KIND_* */
	uint16_t port_ranges, spi_ranges;
	const struct rsip_store_range *range; /* ports, then SPIs */
};

/* A request that was executed, and its answer. */
struct rsip_store_answer {
	uint64_t hash; /* of the request, keyed with struct rsip_store_info's secret */
	uint64_t at_ns;
	uint32_t n; /* its message counter */
	uint16_t port; /* it came from */
	uint16_t len; /* 0: none */
	uint8_t type;
	const uint8_t *bytes;
};

struct rsip_store_client {
	uint64_t seq;
	uint64_t start_ns, expires_ns;
	uint64_t departed_ns; /* 0: registered; else it has de-registered, and this is kept until then */
	uint32_t key_id; /* it uses this key; 0: none */
	uint32_t client_id;
	__be32 host;
	uint8_t host6[16]; /* where host is a handle: the address that it stands for */
	/*
	 * The private interface that it is on, by name, since numbers change with a reboot.  ":N" is number N, of a
	 * file that knew no names: no interface has a colon in its name.
	 */
	char iface[RSIP_STORE_IFACE];
	uint8_t transport;
	uint8_t local_policy, remote_policy;
	struct rsip_store_answer last;
};

struct rsip_store_key {
	uint32_t key_id; /* and the row's number */
	uint64_t mac_seq; /* highest sequence of its MACs that was seen */
};

enum rsip_store_kind { RSIP_STORE_LEASE, RSIP_STORE_CLIENT, RSIP_STORE_KEY };

struct rsip_store_change {
	enum rsip_store_kind kind;
	bool gone; /* only kind and seq count */
	uint64_t seq;
	union { /* else the row as it is from now on; what it points to lives as long as the change */
		struct rsip_store_lease lease;
		struct rsip_store_client client;
		struct rsip_store_key key;
	};
};

struct rsip_store_clock {
	char boot_id[40]; /* /proc/sys/kernel/random/boot_id */
	uint64_t mono_ns, real_ns;
};

struct rsip_store_info {
	uint64_t secret; /* random, made with the store */
	bool fresh; /* made just now: what is installed was granted before there was a store */
};

/* Rows in ascending seq: keys, then clients, then leases.  Nonzero stops the reading and is returned. */
struct rsip_store_reader {
	void *arg;
	int (*key)(void *arg, const struct rsip_store_key *row);
	int (*client)(void *arg, const struct rsip_store_client *row);
	int (*lease)(void *arg, const struct rsip_store_lease *row);
};

struct rsip_store;

struct rsip_store_ops {
	const char *name; /* of the backend */
	/*
	 * Start-up, once, before the first commit: all rows, with times of this boot.  0 or -errno.  A store that can be read
	 * and not be written is loaded all the same: its commits fail until it can.
	 */
	int (*load)(struct rsip_store *s, const struct rsip_store_clock *now, const struct rsip_store_reader *reader,
		    struct rsip_store_info *info);
	/*
	 * Makes the changes durable, in their order: all, or none.  0 or -errno; -ENOSPC, -EROFS, -EIO and the like may
	 * pass, and the same changes will come again.  None at all (cnt 0) asks whether it can be written, and writes the
	 * clock.  Called from one thread at a time, not always the same.
	 */
	int (*commit)(struct rsip_store *s, const struct rsip_store_change *change, uint32_t cnt,
		      const struct rsip_store_clock *now);
	/* A sentence about the last failure. */
	const char *(*why)(const struct rsip_store *s);
	void (*close)(struct rsip_store *s);
};

struct rsip_store {
	const struct rsip_store_ops *ops;
};

/*
 * The file `path` (created with mode 0600; its folder must exist).  Where the disk is full or read-only, what is there is
 * read (of a file that is missing: nothing), and each commit tries to open it again.  0, or -errno with a sentence in
 * why: -EBUSY another process has it, -EPROTO a newer rsipd wrote it, -EBADMSG it is damaged.
 */
int rsip_store_sqlite(const char *path, struct rsip_store **out, char *why, size_t why_len);
/* The twin in memory: same answers, nothing on disk. */
int rsip_store_mem(struct rsip_store **out);
/* Its faults, for tests: every commit fails with this -errno; 0: none. */
void rsip_store_mem_fail(struct rsip_store *s, int err);

/* Fills in the clock: CLOCK_MONOTONIC, CLOCK_REALTIME and, where it is still empty, the kernel's boot ID.  0 or -errno. */
int rsip_store_clock_read(struct rsip_store_clock *now);
/* The wall clock was set (or drifted by 100 ms) between the two, or they are of two boots. */
bool rsip_store_clock_was_set(const struct rsip_store_clock *then, const struct rsip_store_clock *now);
/*
 * What is to be added to times of the boot that wrote `then`, to have times of the boot that reads `now`; 0 within
 * one boot.  A wall clock that stands before what was written last says nothing: then no time has passed.
 */
int64_t rsip_store_clock_shift(const struct rsip_store_clock *then, const struct rsip_store_clock *now);

#endif
