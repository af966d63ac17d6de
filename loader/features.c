// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What this kernel and these interfaces can do, what is in the way, and how to mend it. */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "checks.h"
#include "commands.h"
#include "json.h"
#include "log.h"
#include "netdev.h"
#include "object.h"
#include "util.h"

static void add_kernel(cJSON *answer, const struct rsip_kernel *k)
{
	cJSON *obj = cJSON_AddObjectToObject(answer, "kernel");

	cJSON_AddStringToObject(obj, "release", k->release);
	cJSON_AddBoolToObject(obj, "bpf", k->bpf);
	cJSON_AddBoolToObject(obj, "btf", k->btf);
	cJSON_AddStringToObject(obj, "jit",
				k->jit > 0    ? "on"
				: k->jit == 0 ? "off"
					      : "not to be seen");
	cJSON_AddBoolToObject(obj, "bpffs_mounted", k->bpffs);
	if (k->memlock == UINT64_MAX)
		cJSON_AddStringToObject(obj, "memlock", "unlimited");
	else
		rsip_json_add_u64(obj, "memlock", k->memlock);
	cJSON_AddBoolToObject(obj, "ip_forward", k->forwarding > 0);
	if (k->neighbours >= 0)
		rsip_json_add_u64(obj, "neighbours_max", (uint64_t)k->neighbours);
	rsip_json_add_u64(obj, "cpus_possible",
			  k->cpus_possible > 0 ? (uint64_t)k->cpus_possible : 0);
	rsip_json_add_u64(obj, "cpus_online", (uint64_t)k->cpus_online);
}

/* ---- native mode ---------------------------------------------------- */

/*
 * Kernels before 6.3 do not say what a driver can: put a program on and take it off, where there
 * is none.
 */
static int try_native(const struct rsip_netdev *dev)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	int prog = rsip_object_pass_program(), link, err;

	if (prog < 0)
		return prog;
	link = bpf_link_create(prog, (int)dev->ifindex, BPF_XDP, &opts);
	err = link < 0 ? -errno : 0;
	if (err && !bpf_xdp_attach((int)dev->ifindex, prog,
				   XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL))
		bpf_xdp_detach((int)dev->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	if (link >= 0)
		close(link);
	close(prog);
	return err;
}

/*
 * named: the user has named this interface, so that trying it is what he wants (a real card may
 * pause for it).
 */
static const char *native_word(const struct rsip_netdev *dev, bool named, struct rsip_findings *f)
{
	const char *said;
	int err;

	if (dev->prog_id && dev->attach_mode == XDP_ATTACHED_DRV)
		return "yes";
	if (dev->features_known && !(dev->features & RSIP_XDP_ACT_BASIC))
		return "no";
	if (dev->prog_id || !named)
		return dev->features_known ? "yes" : "unknown";
	err = try_native(dev);
	if (!err)
		return "yes";
	if (err == -EPERM)
		return "unknown"; /* said of the machine already */
	said = rsip_object_kernel_message();
	rsip_finding_add(f, RSIP_WARNING, dev->name, "refuses native XDP at MTU %u: %s%s%s",
			 dev->mtu, strerror(-err), *said ? ": " : "", said);
	return "no";
}

static void add_native(cJSON *obj, const struct rsip_netdev *dev, bool named,
		       struct rsip_findings *f)
{
	cJSON_AddStringToObject(obj, "native_xdp", native_word(dev, named, f));
	if (dev->features_known) {
		cJSON_AddBoolToObject(obj, "xdp_redirect", dev->features & RSIP_XDP_ACT_REDIRECT);
		cJSON_AddBoolToObject(obj, "xdp_redirect_target",
				      dev->features & RSIP_XDP_ACT_NDO_XMIT);
		cJSON_AddBoolToObject(obj, "xdp_redirect_target_long", dev->features & RSIP_XDP_ACT_NDO_XMIT_SG);
	}
	if (!dev->features_known)
		cJSON_AddStringToObject(obj, "native_mtu_limit", "the driver's");
	else if (dev->features & RSIP_XDP_ACT_RX_SG)
		cJSON_AddStringToObject(obj, "native_mtu_limit", "none");
	else
		rsip_json_add_u64(obj, "native_mtu_limit", RSIP_NATIVE_MTU);
}

/* ---- one interface ---------------------------------------------------- */

static void add_addresses(cJSON *obj, const struct rsip_netdev *dev)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "addresses");

	for (uint32_t i = 0; i < dev->addr_cnt; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(rsip_ip4(dev->addr[i])));
}

static void add_hardware(cJSON *obj, const struct rsip_netdev *dev)
{
	for (int i = 0; i < RSIP_OFFLOADS; i++)
		if (dev->offload[i] >= 0)
			cJSON_AddStringToObject(obj, rsip_offload_name(i),
						dev->offload[i] ? "on" : "off");
	cJSON_AddBoolToObject(obj, "vlan_devices", dev->vlan_above);
	if (dev->rx_queues >= 0)
		rsip_json_add_u64(obj, "rx_queues", (uint64_t)dev->rx_queues);
	cJSON_AddStringToObject(obj, "rss_esp4",
				dev->esp4_err ? "the driver does not say"
				: dev->esp4_hash & (RXH_L4_B_0_1 | RXH_L4_B_2_3) ? "addresses and SPI"
				: dev->esp4_hash ? "addresses only"
						 : "not hashed");
}

static void add_iface(cJSON *list, const struct rsip_loader_iface *want, bool named, int mode,
		      struct rsip_findings *f)
{
	struct rsip_netdev dev;
	int err = rsip_netdev_read(want->name, &dev);
	cJSON *obj;

	if (err) {
		rsip_finding_add(f, RSIP_FATAL, want->name, "cannot be looked at: %s",
				 strerror(-err));
		return;
	}
	obj = cJSON_CreateObject();
	cJSON_AddStringToObject(obj, "name", dev.name);
	if (want->role)
		cJSON_AddStringToObject(obj, "role",
					want->role == RSIP_ROLE_PUBLIC ? "public" : "private");
	cJSON_AddStringToObject(obj, "driver", dev.driver);
	cJSON_AddBoolToObject(obj, "up", dev.up);
	cJSON_AddBoolToObject(obj, "ethernet", dev.ethernet);
	rsip_json_add_u64(obj, "mtu", dev.mtu);
	add_addresses(obj, &dev);
	if (dev.prog_id)
		rsip_json_add_u64(obj, "xdp_program_id", dev.prog_id);
	if (dev.ethernet)
		add_native(obj, &dev, named, f);
	add_hardware(obj, &dev);
	cJSON_AddItemToArray(list, obj);
	rsip_check_netdev(&dev, want->role, mode, f);
	rsip_check_speed(&dev, f);
}

/* Without names: every interface but loopback, and nothing is tried on them. */
static void add_all(cJSON *list, int mode, struct rsip_findings *f)
{
	struct if_nameindex *all = if_nameindex();

	for (int i = 0; all && all[i].if_index; i++) {
		struct rsip_loader_iface iface = {0};
		struct rsip_findings other = {
			0}; /* that some interface cannot be used is in nobody's way */

		if (!strcmp(all[i].if_name, "lo"))
			continue;
		snprintf(iface.name, sizeof(iface.name), "%s", all[i].if_name);
		add_iface(list, &iface, false, mode, &other);
		for (uint32_t j = 0; j < other.cnt; j++)
			rsip_finding_add(f, RSIP_WARNING, other.item[j].ifname, "%s",
					 other.item[j].text);
	}
	if (all)
		if_freenameindex(all);
}

/* ---- the command ---------------------------------------------------- */

static void add_findings(cJSON *answer, const struct rsip_findings *f, bool json)
{
	cJSON *list = cJSON_AddArrayToObject(answer, "in_the_way");

	for (uint32_t i = 0; i < f->cnt; i++) {
		const struct rsip_finding *item = &f->item[i];
		const char *severity = item->severity == RSIP_FATAL ? "fatal" : "warning";
		char line[400];
		cJSON *obj;

		if (!json) {
			snprintf(line, sizeof(line), "%s: %s%s%s", severity, item->ifname,
				 item->ifname[0] ? ": " : "", item->text);
			cJSON_AddItemToArray(list, cJSON_CreateString(line));
			continue;
		}
		obj = cJSON_CreateObject();
		cJSON_AddStringToObject(obj, "severity", severity);
		cJSON_AddStringToObject(obj, "interface", item->ifname);
		cJSON_AddStringToObject(obj, "text", item->text);
		cJSON_AddItemToArray(list, obj);
	}
}

int rsip_loader_features(const struct rsip_loader_options *o)
{
	static struct rsip_findings f;
	cJSON *answer = cJSON_CreateObject(), *list;
	struct rsip_kernel k;

	rsip_kernel_read(&k);
	rsip_check_kernel(&k, &f);
	if (!k.forwarding)
		rsip_finding_add(
			&f, RSIP_WARNING, "",
			"net.ipv4.ip_forward is 0 (attach switches it on, detach off again)");
	if (!k.bpffs)
		rsip_finding_add(&f, RSIP_WARNING, "",
				 "no BPF file system on /sys/fs/bpf (attach mounts one)");
	add_kernel(answer, &k);
	list = cJSON_AddArrayToObject(answer, "interfaces");
	for (uint32_t i = 0; i < o->iface_cnt; i++)
		add_iface(list, &o->iface[i], true, o->mode, &f);
	if (!o->iface_cnt)
		add_all(list, o->mode, &f);
	add_findings(answer, &f, o->json);
	cJSON_AddBoolToObject(answer, "ready", !f.fatal);
	rsip_loader_print(answer, o->json);
	return f.fatal ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}
