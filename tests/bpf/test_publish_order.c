// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The publish order of rsip/maps.h, looked at in the middle: the real writer is stopped at its first store into a table
 * (the pages are write-protected), and what a packet would find at this moment is checked.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "dataplane_core.h"
#include "gateway.h"
#include "gateway_maps.h"

TestSuite(order, .init = gateway_up, .fini = gateway_down, .timeout = 60);

#define BLOCK 4096 /* first port of a block of the first address */
#define PART 8192
#define SPI 0x10000000U

static struct {
	void *at; /* pages; NULL: open */
	size_t len;
	const struct rsip_binding *bindings; /* the map, wherever the writer looks meanwhile */
	__be32 host; /* whose binding is installed or removed */
	int stores; /* that were caught */
	bool live; /* its record, at that moment */
	bool named; /* by a table of ports */
} watch;

static struct rsip_dp_mem *maps(void)
{
	return &((struct rsip_dp_core *)gateway_dp())->m;
}

static bool has_record(__be32 host)
{
	for (int i = 1; i < GATEWAY_BINDINGS; i++)
		if (watch.bindings[i].host == host && watch.bindings[i].expires_ns)
			return true;
	return false;
}

static void on_store(int sig, siginfo_t *info, void *context)
{
	size_t off = (size_t)((char *)info->si_addr - (char *)watch.at);

	(void)context;
	if (!watch.at || off >= watch.len) { /* another fault: as ever */
		signal(sig, SIG_DFL);
		return;
	}
	watch.stores++;
	watch.live = has_record(watch.host);
	watch.named = maps()->blocks[BLOCK >> 10].slot[BLOCK >> RSIP_PORT_BLOCK_SHIFT & 15] != 0;
	mprotect(watch.at, watch.len, PROT_READ | PROT_WRITE);
	watch.at = NULL;
}

/* Of a map as it is mapped: whole pages from the first one on. */
static void catch_store(__be32 host, void *map, size_t len)
{
	struct sigaction act = { .sa_sigaction = on_store, .sa_flags = SA_SIGINFO };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	memset(&watch, 0, sizeof(watch));
	watch.host = host;
	watch.bindings = maps()->bindings;
	watch.at = map;
	watch.len = (len + page - 1) / page * page;
	cr_assert_eq(sigaction(SIGSEGV, &act, NULL), 0);
	cr_assert_eq(mprotect(watch.at, watch.len, PROT_READ), 0);
}

#define expect_record_first(table, bytes, ...)                                                   \
	do {                                                                                     \
		catch_store(HOST_A, maps()->table, bytes);                                       \
		given_end_of(given_binding(HOST_A, PUB_1, __VA_ARGS__));                         \
		cr_expect_eq(watch.stores, 1, "nothing was written to " #table);                 \
		cr_expect(watch.live, #table " was written before the record that it points to"); \
	} while (0)

Test(order, a_record_is_written_before_the_tables_that_point_to_it)
{
	expect_record_first(blocks, 64 * sizeof(*maps()->blocks), ports(BLOCK, RSIP_PORT_BLOCK));
	expect_record_first(ports, 4096 * sizeof(*maps()->ports), ports(PART, 4));
	expect_record_first(spis, 256 * sizeof(*maps()->spis), spis(SPI, 4));
	expect_record_first(pairs, 256 * sizeof(*maps()->pairs), ports(PART, 4));
	expect_record_first(remotes, 256 * sizeof(*maps()->remotes), ports(PART, 4), .remote = REMOTE);
	expect_record_first(addr_info, GATEWAY_ADDRS * sizeof(*maps()->addr_info), .whole = true);
}

Test(order, the_tables_are_cleared_before_the_record_ends)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(BLOCK, RSIP_PORT_BLOCK));

	catch_store(HOST_A, maps()->bindings, GATEWAY_BINDINGS * sizeof(*maps()->bindings));
	given_end_of(slot);
	cr_expect_eq(watch.stores, 1, "the record was not ended");
	cr_expect(watch.live, "caught too late");
	cr_expect_not(watch.named, "a table still points to the record that ends");
}
