// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bytes of kernel memory, as the kernel accounts for each map, by what they grow with. */
#include <stdio.h>
#include "plane.h"
#include "log.h"
#include "object.h"

static double map_bytes(const struct bench_gateway *gw, const char *name)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", rsip_object_map(gw->object, name));
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "memlock: %llu", &bytes);
	if (f)
		fclose(f);
	if (!bytes)
		log_err("the kernel does not say how big map %s is", name);
	return (double)bytes;
}

void bench_size(const struct bench_gateway *gw, struct bench_size *out)
{
	double records = map_bytes(gw, "rsip_bindings"), counters = map_bytes(gw, "rsip_bind_cnt");
	double tables = map_bytes(gw, "rsip_spis") + map_bytes(gw, "rsip_pairs") + map_bytes(gw, "rsip_remotes");
	double ports = map_bytes(gw, "rsip_blocks") + map_bytes(gw, "rsip_ports") + map_bytes(gw, "rsip_addr_info") +
		       map_bytes(gw, "rsip_addrs");
	double learned = map_bytes(gw, "rsip_learned") + map_bytes(gw, "rsip_cookies") +
			 map_bytes(gw, "rsip_spis_out");
	double others = map_bytes(gw, "rsip_counters") + map_bytes(gw, "rsip_nexthops");

	out->binding = (records + counters + tables) / gw->n;
	out->binding_64 = (records + counters / gw->config.cpus * 64 + tables) / gw->n;
	out->address = ports / gw->config.max_addrs;
	out->pair = learned / gw->config.max_learned;
	out->total_mb = (records + counters + tables + ports + learned + others) / 1e6;
}
