// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "commands.h"
#include "json.h"
#include "log.h"
#include "nat.h"
#include "pins.h"
#include "plane.h"
#include "ppp.h"
#include "slow.h"
#include "util.h"

/* ---- interfaces ---------------------------------------------------- */

static const char *attach_mode_name(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (!ifindex || bpf_xdp_query((int)ifindex, 0, &query))
		return "none";
	switch (query.attach_mode) {
	case XDP_ATTACHED_DRV:
		return "native";
	case XDP_ATTACHED_SKB:
		return "generic";
	case XDP_ATTACHED_NONE:
		return "none";
	}
	return "other";
}

static void add_program(cJSON *obj, uint32_t prog_id)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	char tag[2 * BPF_TAG_SIZE + 1];
	int fd = prog_id ? bpf_prog_get_fd_by_id(prog_id) : -1;

	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
		for (int i = 0; i < BPF_TAG_SIZE; i++)
			snprintf(tag + 2 * i, 3, "%02x", info.tag[i]);
		cJSON_AddStringToObject(obj, "program", info.name);
		rsip_json_add_u64(obj, "program_id", info.id);
		cJSON_AddStringToObject(obj, "program_tag", tag);
	}
	close(fd);
}

/* Rows of this interface, all CPUs.  People get what is not zero. */
static void add_counters(cJSON *obj, int fd, const struct rsip_config *config, uint32_t iface,
			 bool all)
{
	cJSON *out = cJSON_AddObjectToObject(obj, "counters");
	struct rsip_counters sum = {0}, row;

	for (uint32_t cpu = 0; cpu < config->cpus; cpu++) {
		uint32_t key = cpu * RSIP_MAX_IFACES + iface;

		if (bpf_map_lookup_elem(fd, &key, &row))
			continue;
		for (int i = 0; i < RSIP_CNT_MAX; i++)
			sum.cnt[i] += row.cnt[i];
	}
	for (unsigned int i = 0; i < RSIP_CNT_USED; i++)
		if (rsip_counter_name(i) && (all || sum.cnt[i]))
			rsip_json_add_u64(out, rsip_counter_name(i), sum.cnt[i]);
}

static cJSON *describe_iface(const struct rsip_plane *p, uint32_t i, int counters_fd, bool json)
{
	const struct rsip_iface *iface = &p->iface[i];
	const struct rsip_plane_link *link = &p->link[i];
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "name", iface->name);
	cJSON_AddStringToObject(obj, "role",
				rsip_plane_role_name(iface->role));
	if (iface->role == RSIP_ROLE_PRIVATE)
		rsip_json_add_ip4(obj, "endpoint", iface->endpoint);
	if (iface->endpoint6[0])
		cJSON_AddStringToObject(obj, "endpoint6", rsip_ip6(iface->endpoint6));
	cJSON_AddStringToObject(obj, "mode",
				!link->ifindex ? "none"
				: iface->role == RSIP_ROLE_SLOW || p->config.mode == RSIP_MODE_TC ? "tc"
				: p->here      ? attach_mode_name(link->ifindex)
					       : rsip_loader_mode_name((int)p->config.mode));
	cJSON_AddBoolToObject(obj, "attached", link->pinned && link->ifindex);
	rsip_json_add_u64(obj, "ifindex", iface->ifindex);
	rsip_json_add_u64(obj, "mtu", iface->mtu);
	rsip_json_add_mac(obj, "mac", iface->mac);
	add_program(obj, link->prog_id);
	if (link->link_id)
		rsip_json_add_u64(obj, "link_id", link->link_id);
	add_counters(obj, counters_fd, &p->config, p->index[i], json);
	return obj;
}

/* ---- maps ---------------------------------------------------- */

/* What the kernel has charged for the map: only its fdinfo says so. */
static uint64_t map_memory(int fd)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	if (file)
		fclose(file);
	return bytes;
}

static uint64_t add_map(cJSON *maps, const char *folder, const char *name)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = rsip_plane_open(folder, name);
	uint64_t bytes = 0;
	cJSON *obj;

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
		bytes = map_memory(fd);
		if (!bytes)
			bytes = (uint64_t)info.max_entries * info.value_size;
		obj = cJSON_CreateObject();
		cJSON_AddStringToObject(obj, "name", name);
		rsip_json_add_u64(obj, "id", info.id);
		rsip_json_add_u64(obj, "entries", info.max_entries);
		rsip_json_add_u64(obj, "value_bytes", info.value_size);
		rsip_json_add_u64(obj, "memory", bytes);
		cJSON_AddItemToArray(maps, obj);
	}
	close(fd);
	return bytes;
}

static int not_hidden(const struct dirent *entry)
{
	return !strncmp(entry->d_name, "rsip_", 5);
}

static void add_maps(cJSON *answer, const char *folder, bool json)
{
	cJSON *maps = cJSON_CreateArray();
	struct dirent **entry;
	uint64_t bytes = 0;
	int cnt = scandir(folder, &entry, not_hidden, alphasort);

	for (int i = 0; i < cnt; i++) {
		bytes += add_map(maps, folder, entry[i]->d_name);
		free(entry[i]);
	}
	if (cnt >= 0)
		free(entry);
	rsip_json_add_u64(answer, "memory", bytes);
	if (json)
		cJSON_AddItemToObject(answer, "maps", maps);
	else
		cJSON_Delete(maps);
}

/* ---- the command ---------------------------------------------------- */

/* The kernel's reassembly, of all fragments on this machine: its own count. */
static void add_reassembly(cJSON *obj)
{
	static const char *const names[] = {"ReasmTimeout", "ReasmReqds", "ReasmOKs", "ReasmFails"};
	static const char *const keys[] = {"timeouts", "fragments", "packets", "failures"};
	FILE *file = fopen("/proc/net/snmp", "re");
	char head[1024], line[1024];
	char *name, *value, *name_rest = head, *value_rest = line;

	if (!file)
		return;
	if (!fgets(head, sizeof(head), file) || !fgets(line, sizeof(line), file))
		*head = '\0';
	fclose(file);
	while ((name = strsep(&name_rest, " \n")) && (value = strsep(&value_rest, " \n")))
		for (size_t i = 0; i < RSIP_ARRAY_LEN(names); i++)
			if (!strcmp(name, names[i]))
				rsip_json_add_u64(obj, keys[i], strtoull(value, NULL, 10));
}

static void add_slow_path(cJSON *answer, const struct rsip_loader_options *o)
{
	cJSON *obj = cJSON_AddObjectToObject(answer, "slow_path");
	const char *missing = rsip_slow_missing();

	cJSON_AddStringToObject(obj, "device", RSIP_SLOW_NAME);
	cJSON_AddBoolToObject(obj, "complete", !*missing);
	if (*missing) {
		cJSON_AddStringToObject(obj, "missing", missing);
		if (!o->json)
			log_warn("the slow path's %s is gone: fragments are lost (run `rsip-loader "
				 "attach` again, which mends it)",
				 missing);
	}
	add_reassembly(cJSON_AddObjectToObject(obj, "reassembly"));
}

static void add_nat(cJSON *answer, const struct rsip_loader_options *o)
{
	cJSON *obj = cJSON_AddObjectToObject(answer, "nat");
	bool there = rsip_nat_there();

	cJSON_AddStringToObject(obj, "table", "ip rsip_nat");
	cJSON_AddBoolToObject(obj, "complete", there);
	if (!there && !o->json)
		log_warn("nftables table ip rsip_nat is gone: no NAT, and no rule for stray packets (run "
			 "`rsip-loader attach` with the same configuration again, which mends it)");
}

/* Does an rsipd write these maps?  One that an upgrade has left with older ones does not. */
static void add_rsipd(cJSON *answer, const struct rsip_loader_options *o, const struct rsip_plane *p)
{
	uint64_t silent_ns = rsip_plane_silent_ns(o->pin_path);
	bool at_work = silent_ns < RSIP_ALIVE_NS;
	cJSON *obj = cJSON_AddObjectToObject(answer, "rsipd");

	cJSON_AddBoolToObject(obj, "at_work", at_work);
	if (!at_work && silent_ns != UINT64_MAX)
		rsip_json_add_u64(obj, "silent_seconds", silent_ns / RSIP_NS_PER_S);
	if (p->moving) {
		cJSON_AddBoolToObject(obj, "held", true);
		if (!o->json)
			log_warn("an upgrade to another map layout is under way, or was killed: no rsipd starts until it is done (if no "
				 "rsip-loader runs, run `rsip-loader upgrade` again)");
	}
	if (!at_work && !o->json)
		log_warn("no rsipd is at work on these maps: packets go on, leases neither begin nor end (start it; after an upgrade, "
			 "restart it)");
}

static cJSON *describe(const struct rsip_loader_options *o, const struct rsip_plane *p)
{
	cJSON *answer = cJSON_CreateObject(), *list;
	int fd = rsip_plane_open(o->pin_path, "rsip_counters");

	cJSON_AddStringToObject(answer, "pin_path", o->pin_path);
	cJSON_AddBoolToObject(answer, "attached", true);
	cJSON_AddStringToObject(answer, "mode", rsip_loader_mode_name((int)p->config.mode));
	rsip_json_add_u64(answer, "layout_version", p->config.layout_version);
	rsip_json_add_u64(answer, "attached_seconds",
			  (rsip_now_ns() - p->config.attached_ns) / RSIP_NS_PER_S);
	if (!p->here)
		cJSON_AddStringToObject(answer, "network_namespace", "another than this one");
	rsip_json_add_u64(answer, "max_bindings", p->config.max_bindings);
	rsip_json_add_u64(answer, "max_addresses", p->config.max_addrs);
	rsip_json_add_u64(answer, "max_ipsec_pairs", p->config.max_learned);
	rsip_json_add_u64(answer, "max_cookies", p->max_cookies);
	rsip_json_add_u64(answer, "cpus", p->config.cpus);
	add_maps(answer, o->pin_path, o->json);
	add_rsipd(answer, o, p);
	if (p->here)
		add_slow_path(answer, o);
	if (p->here && p->has_nat)
		add_nat(answer, o);
	if (p->here)
		rsip_ppp_list(o->pin_path, p, answer);
	list = cJSON_AddArrayToObject(answer, "interfaces");
	for (uint32_t i = 0; i < p->iface_cnt; i++)
		cJSON_AddItemToArray(list, describe_iface(p, i, fd, o->json));
	if (fd >= 0)
		close(fd);
	return answer;
}

static int nothing(const struct rsip_loader_options *o, const char *why)
{
	cJSON *answer;

	if (!o->json) {
		log_err("%s at %s (run `rsip-loader attach`)", why, o->pin_path);
		return RSIP_EXIT_NOTHING;
	}
	answer = cJSON_CreateObject();
	cJSON_AddStringToObject(answer, "pin_path", o->pin_path);
	cJSON_AddBoolToObject(answer, "attached", false);
	rsip_loader_print(answer, true);
	return RSIP_EXIT_NOTHING;
}

int rsip_loader_status(const struct rsip_loader_options *o)
{
	struct rsip_plane p;
	int err = rsip_plane_read(o->pin_path, &p);

	if (err == -ENOENT)
		return nothing(o, "nothing is attached");
	if (err == -EUCLEAN)
		return nothing(o, "nothing whole is attached, an attach did not come to its end,");
	if (err == -EPROTO)
		log_err("%s has map layout %u, this loader knows %u (use the loader that attached "
			"it, or detach)",
			o->pin_path, p.config.layout_version, RSIP_LAYOUT_VERSION);
	if (err)
		return RSIP_EXIT_FAILED;
	rsip_loader_print(describe(o, &p), o->json);
	return RSIP_EXIT_DONE;
}
