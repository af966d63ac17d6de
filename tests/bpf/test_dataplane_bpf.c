// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane over real maps: what is installed is in the kernel's memory, survives its writer,
 * and pins are opened only where root alone could have put them.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "dataplane_bpf.h"
#include "gateway.h"
#include "gateway_maps.h"

static char folder[64], pins[80], why[256];
static struct rsip_dataplane *dp;

/* A mount namespace of its own: the BPF file system in it goes with the test. */
static void pins_up(void)
{
	gateway_up();
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	snprintf(folder, sizeof(folder), "/tmp/rsip-test-%d", (int)getpid());
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(mount("bpf", folder, "bpf", 0, "mode=0700"), 0);
	snprintf(pins, sizeof(pins), "%s/rsip", folder);
	cr_assert_eq(mkdir(pins, 0700), 0);
}

static void pins_down(void)
{
	if (dp)
		dp->ops->close(dp);
	umount2(folder, MNT_DETACH);
	rmdir(folder);
	gateway_down();
}

TestSuite(pins, .init = pins_up, .fini = pins_down);

static void pin(int fd, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	cr_assert_eq(bpf_obj_pin(fd, path), 0, "%s: %s", path, strerror(errno));
}

static void pin_all(void)
{
	int explain = gateway_prog("rsip_explain"), sessions = gateway_map_named("rsip_ppp_of");

	for (int i = 0; i < RSIP_DP_MAPS; i++)
		pin(gateway_map(i), rsip_dp_map_name(i));
	pin(explain, "prog_explain");
	pin(sessions, "rsip_ppp_of");
	close(explain);
	close(sessions);
}

static void expect_refused(int err, const char *part)
{
	cr_expect_eq(rsip_dataplane_open(pins, &dp, why, sizeof(why)), err, "%s", why);
	cr_expect_not_null(strstr(why, part), "it says: %s", why);
	dp = NULL;
}

static int count_found(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	(void)slot;
	*(uint32_t *)arg += b->ports.cnt;
	return 0;
}

Test(pins, what_one_process_installed_the_next_finds)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 64)), found = 0;
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	pin_all();
	cr_assert_eq(rsip_dataplane_open(pins, &dp, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(dp->ops->addr_add(dp, 0, PUB_1, 0), 0);
	cr_assert_eq(dp->ops->foreach(dp, 1, count_found, &found), 0);
	cr_expect_eq(found, 64);
	expect_tunnelled(in, want, slot);
	cr_assert_eq(dp->ops->bind_remove(dp, slot), 0);
	expect_dropped(in, IF_PUB, NO_PORT);
}

Test(pins, descriptors_are_closed_and_forwarding_goes_on)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 64));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));
	int before = dup(0), after;

	close(before);
	pin_all();
	cr_assert_eq(rsip_dataplane_open(pins, &dp, why, sizeof(why)), 0, "%s", why);
	dp->ops->close(dp);
	dp = NULL;
	after = dup(0);
	close(after);
	cr_expect_eq(after, before, "a descriptor is left open");
	expect_tunnelled(in, want, slot);
}

Test(pins, nothing_pinned)
{
	expect_refused(-ENOENT, "rsip-loader attach");
}

Test(pins, no_folder)
{
	rmdir(pins);
	expect_refused(-ENOENT, "rsip-loader attach");
}

Test(pins, one_map_missing)
{
	char path[128];

	pin_all();
	snprintf(path, sizeof(path), "%s/rsip_pairs", pins);
	unlink(path);
	expect_refused(-ENOENT, "rsip_pairs");
}

Test(pins, a_folder_that_is_not_roots)
{
	pin_all();
	cr_assert_eq(chown(pins, 1234, 0), 0);
	expect_refused(-EPERM, "owner 1234");
}

Test(pins, a_folder_or_pin_that_others_can_write)
{
	char path[128];

	pin_all();
	cr_assert_eq(chmod(pins, 0777), 0);
	expect_refused(-EPERM, "mode 0777");
	cr_assert_eq(chmod(pins, 0700), 0);
	snprintf(path, sizeof(path), "%s/rsip_bindings", pins);
	cr_assert_eq(chmod(path, 0620), 0);
	expect_refused(-EPERM, "rsip_bindings");
}

Test(pins, a_folder_outside_a_bpf_file_system)
{
	char other[64];

	snprintf(other, sizeof(other), "/tmp/rsip-test-%d-plain", (int)getpid());
	cr_assert_eq(mkdir(other, 0700), 0);
	cr_expect_eq(rsip_dataplane_open(other, &dp, why, sizeof(why)), -EINVAL);
	cr_expect_not_null(strstr(why, "BPF file system"), "it says: %s", why);
	rmdir(other);
	dp = NULL;
}

Test(pins, another_layout_version)
{
	struct rsip_config conf;
	uint32_t zero = 0;

	pin_all();
	cr_assert_eq(bpf_map_lookup_elem(gateway_map(RSIP_DP_CONFIG), &zero, &conf), 0);
	conf.layout_version = RSIP_LAYOUT_VERSION + 1;
	cr_assert_eq(bpf_map_update_elem(gateway_map(RSIP_DP_CONFIG), &zero, &conf, BPF_ANY), 0);
	expect_refused(-EPROTO, "rsip-loader upgrade");
}

Test(pins, a_map_smaller_than_the_configuration_says)
{
	struct rsip_config conf;
	uint32_t zero = 0;

	pin_all();
	cr_assert_eq(bpf_map_lookup_elem(gateway_map(RSIP_DP_CONFIG), &zero, &conf), 0);
	conf.max_bindings *= 2;
	cr_assert_eq(bpf_map_update_elem(gateway_map(RSIP_DP_CONFIG), &zero, &conf, BPF_ANY), 0);
	expect_refused(-EPROTO, "rsip_bindings");
}

Test(pins, a_freed_slot_waits_for_packets_under_way)
{
	struct rsip_dataplane *g = gateway_dp();
	uint32_t first = given_binding(HOST_A, PUB_1, ports(1000, 1)), slot = 0;

	given_end_of(first);
	for (uint16_t i = 1; i < GATEWAY_BINDINGS - 1; i++)
		cr_assert_neq(given_binding(HOST_A, PUB_1, ports(1000 + i, 1)), first);
	slot = given_binding(HOST_A, PUB_1, ports(1000, 1)); /* through a real grace period */
	cr_expect_eq(slot, first);
	cr_expect_eq(g->ops->bind_remove(g, slot), 0);
}
