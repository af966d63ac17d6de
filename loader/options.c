// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "log.h"
#include "rsip/capture.h"
#include "sizes.h"
#include "util.h"

static const char *const mode_names[] = {
	[RSIP_LOADER_MODE_AUTO] = "auto",
	[RSIP_MODE_NATIVE] = "native",
	[RSIP_MODE_GENERIC] = "generic",
	[RSIP_MODE_TC] = "tc",
};

const char *rsip_loader_mode_name(int mode)
{
	return mode >= 0 && mode < (int)RSIP_ARRAY_LEN(mode_names) ? mode_names[mode] : "unknown";
}

int rsip_loader_mode_parse(const char *text, int *mode)
{
	for (int i = 0; i < (int)RSIP_ARRAY_LEN(mode_names); i++) {
		if (!strcmp(text, mode_names[i])) {
			*mode = i;
			return 0;
		}
	}
	return -EINVAL;
}

void rsip_loader_options_init(struct rsip_loader_options *o)
{
	*o = (struct rsip_loader_options){
		.max_bindings = RSIP_LOADER_BINDINGS_DEFAULT,
		.max_addrs = RSIP_LOADER_ADDRS_DEFAULT,
		.max_pairs = RSIP_LOADER_PAIRS_DEFAULT,
		.max_cookies = RSIP_LOADER_COOKIES_DEFAULT,
		.mode = RSIP_LOADER_MODE_AUTO,
		.pin_path = RSIP_PIN_PATH_DEFAULT,
	};
}

/* ",endpoint=ADDRESS" and ",endpoint6=ADDRESS", each at most once. */
static bool endpoints_parse(const char *text, struct rsip_loader_iface *add)
{
	char copy[128], *rest = copy, *word;

	if (snprintf(copy, sizeof(copy), "%s", text + 1) >= (int)sizeof(copy))
		return false;
	while ((word = strsep(&rest, ","))) {
		if (!strncmp(word, "endpoint=", 9) && !add->endpoint) {
			if (rsip_ip4_parse(word + 9, &add->endpoint) || !add->endpoint)
				return false;
		} else if (strncmp(word, "endpoint6=", 10) || add->endpoint6[0] ||
			   rsip_ip6_parse_host(word + 10, add->endpoint6)) {
			return false;
		}
	}
	return true;
}

int rsip_loader_iface_add(struct rsip_loader_options *o, uint8_t role, const char *text, char *why,
			  size_t why_len)
{
	const char *comma = strchr(text, ',');
	size_t len = comma ? (size_t)(comma - text) : strlen(text);
	struct rsip_loader_iface *add;

	if (o->iface_cnt == RSIP_MAX_IFACES - 1) {
		snprintf(why, why_len, "more than %d interfaces", RSIP_MAX_IFACES - 1);
		return -EINVAL;
	}
	if (!len || len >= IF_NAMESIZE || memchr(text, '/', len)) {
		snprintf(why, why_len, "'%s' is no interface name (1 to %d characters)", text,
			 IF_NAMESIZE - 1);
		return -EINVAL;
	}
	add = &o->iface[o->iface_cnt];
	*add = (struct rsip_loader_iface){.role = role};
	memcpy(add->name, text, len);
	if (comma && (role != RSIP_ROLE_PRIVATE || !endpoints_parse(comma, add))) {
		snprintf(why, why_len, "'%s' does not end as in %s", text,
			 role == RSIP_ROLE_PRIVATE ? "IF,endpoint=ADDRESS,endpoint6=ADDRESS"
						   : "IF: a public interface has no endpoint");
		return -EINVAL;
	}
	for (uint32_t i = 0; i < o->iface_cnt; i++) {
		if (!strcmp(o->iface[i].name, add->name)) {
			snprintf(why, why_len, "interface '%s' is named twice", add->name);
			return -EINVAL;
		}
	}
	o->iface_cnt++;
	return 0;
}

/* ---- numbers and paths, on the command line and in the file ------------ */

static int pin_path_set(struct rsip_loader_options *o, const char *text, char *why, size_t why_len)
{
	size_t len = strlen(text);
	const char *last;

	while (len > 1 && text[len - 1] == '/')
		len--;
	if (*text != '/' || len < 2 || len >= sizeof(o->pin_path)) {
		snprintf(why, why_len,
			 "pin path '%s' must be absolute and shorter than %zu characters", text,
			 sizeof(o->pin_path));
		return -EINVAL;
	}
	memcpy(o->pin_path, text, len);
	o->pin_path[len] = '\0';
	last = strrchr(o->pin_path, '/') + 1;
	if (strchr(last, '.')) {
		snprintf(why, why_len,
			 "pin path '%s' must not have a dot in its last part: the kernel keeps "
			 "them for itself",
			 text);
		return -EINVAL;
	}
	o->pin_guessed = false;
	return 0;
}

struct number {
	const char *key; /* in `dataplane` of the file */
	size_t at;	 /* in struct rsip_loader_options */
	uint32_t max;
};

/* The limits are rsipd's too: rsipd.json(5). */
static const struct number numbers[] = {
	{"max_bindings", offsetof(struct rsip_loader_options, max_bindings),
	 RSIP_LOADER_BINDINGS_MAX},
	{"max_addresses", offsetof(struct rsip_loader_options, max_addrs), RSIP_LOADER_ADDRS_MAX},
	{"max_ipsec_pairs", offsetof(struct rsip_loader_options, max_pairs), RSIP_LOADER_PAIRS_MAX},
	{"max_cookies", offsetof(struct rsip_loader_options, max_cookies), RSIP_LOADER_COOKIES_MAX},
};

static int number_set(struct rsip_loader_options *o, const struct number *n, uint64_t value,
		      char *why, size_t why_len)
{
	if (value < 1 || value > n->max) {
		snprintf(why, why_len, "%s must be a whole number from 1 to %u", n->key, n->max);
		return -EINVAL;
	}
	*(uint32_t *)((char *)o + n->at) = (uint32_t)value;
	return 0;
}

static int number_parse(struct rsip_loader_options *o, const struct number *n, const char *text,
			char *why, size_t why_len)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	return number_set(o, n, *text < '0' || *text > '9' || *end || errno ? 0 : value, why,
			  why_len);
}

/* ---- the file ---------------------------------------------------- */

struct reader {
	struct rsip_loader_options *o;
	char *why;
	size_t why_len;
};

static int wrong(struct reader *r, const cJSON *item, const char *path, const char *text)
{
	snprintf(r->why, r->why_len, "line %d: %s: %s", rsip_json_line(item), path, text);
	return -EINVAL;
}

static int read_iface(struct reader *r, const cJSON *item, uint8_t role, const char *path)
{
	static const char *const keys[] = { "endpoint", "endpoint6" };
	const char *name = cJSON_GetStringValue(item);
	char text[IF_NAMESIZE + 160], why[160], ends[128] = "";

	if (!name && role == RSIP_ROLE_PRIVATE && cJSON_IsObject(item)) {
		name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
		for (size_t i = 0; i < RSIP_ARRAY_LEN(keys); i++) {
			const cJSON *at = cJSON_GetObjectItemCaseSensitive(item, keys[i]);
			size_t len = strlen(ends);

			snprintf(why, sizeof(why), "%s must be an address of this interface", keys[i]);
			if (at && !cJSON_IsString(at))
				return wrong(r, at, path, why);
			if (at)
				snprintf(ends + len, sizeof(ends) - len, ",%s=%.46s", keys[i], at->valuestring);
		}
	}
	if (!name || strchr(name, ','))
		return wrong(r, item, path,
			     "must be an interface's name, or on the private side { name, endpoint, endpoint6 }");
	snprintf(text, sizeof(text), "%.40s%s", name, ends);
	return rsip_loader_iface_add(r->o, role, text, why, sizeof(why)) ? wrong(r, item, path, why)
									 : 0;
}

static int read_ifaces(struct reader *r, const cJSON *section, uint8_t role)
{
	const char *key = role == RSIP_ROLE_PUBLIC ? "public" : "private";
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(section, key), *item;
	char path[64];
	int err = 0, i = 0;

	snprintf(path, sizeof(path), "interfaces.%s", key);
	if (list && !cJSON_IsArray(list))
		return wrong(r, list, path, "must be a list of interfaces in [ ]");
	cJSON_ArrayForEach (item, list) {
		snprintf(path, sizeof(path), "interfaces.%s[%d]", key, i++);
		err = read_iface(r, item, role, path);
		if (err)
			break;
	}
	return err;
}

static int read_dataplane(struct reader *r, const cJSON *section)
{
	const cJSON *mode = cJSON_GetObjectItemCaseSensitive(section, "mode");
	const cJSON *pin = cJSON_GetObjectItemCaseSensitive(section, "pin_path");
	char why[320];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(numbers); i++) {
		const cJSON *item = cJSON_GetObjectItemCaseSensitive(section, numbers[i].key);
		uint64_t value = 0;

		if (item && (!rsip_json_integer(item, &value) ||
			     number_set(r->o, &numbers[i], value, why, sizeof(why)))) {
			number_set(r->o, &numbers[i], 0, why, sizeof(why));
			return wrong(r, item, "dataplane", why);
		}
	}
	if (mode &&
	    (!cJSON_IsString(mode) || rsip_loader_mode_parse(mode->valuestring, &r->o->mode)))
		return wrong(r, mode, "dataplane.mode",
			     "must be \"auto\", \"native\" or \"generic\"");
	if (pin && !cJSON_IsString(pin))
		return wrong(r, pin, "dataplane.pin_path", "must be an absolute path in quotes");
	if (pin && pin_path_set(r->o, pin->valuestring, why, sizeof(why)))
		return wrong(r, pin, "dataplane.pin_path", why);
	return 0;
}

/* "A", "A/LEN" or "A-B".  What is none of these is for rsipd to complain about. */
static void read_range(struct rsip_loader_options *o, const char *text)
{
	const char *dash = text ? strchr(text, '-') : NULL;
	char first[32] = "";
	__be32 addr, mask, last;

	if (!text || o->pool_cnt == RSIP_LOADER_RANGES_MAX)
		return;
	if (dash) {
		snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
		if (rsip_ip4_parse(first, &addr) || rsip_ip4_parse(dash + 1, &last))
			return;
	} else if (rsip_net4_parse(text, &addr, &mask)) {
		return;
	} else {
		last = addr | ~mask;
	}
	o->pool[o->pool_cnt++] = (struct rsip_loader_range){ntohl(addr), ntohl(last)};
}

static void read_pools(struct rsip_loader_options *o, const cJSON *pools)
{
	const cJSON *pool, *addrs, *item;

	cJSON_ArrayForEach (pool, pools) {
		addrs = cJSON_GetObjectItemCaseSensitive(pool, "addresses");
		read_range(o, cJSON_GetStringValue(addrs));
		if (!cJSON_IsArray(addrs))
			continue;
		cJSON_ArrayForEach (item, addrs)
			read_range(o, cJSON_GetStringValue(item));
	}
}

int rsip_loader_config_parse(const char *text, size_t len, struct rsip_loader_options *o, char *why,
			     size_t why_len)
{
	struct rsip_json_error json_err;
	cJSON *root = rsip_json_parse(text, len, RSIP_JSON_COMMENTS, &json_err);
	struct reader r = {.o = o, .why = why, .why_len = why_len};
	const cJSON *ifaces, *dataplane;
	int err;

	if (!root) {
		snprintf(why, why_len, "line %d: %s", json_err.line, json_err.text);
		return -EINVAL;
	}
	ifaces = cJSON_GetObjectItemCaseSensitive(root, "interfaces");
	dataplane = cJSON_GetObjectItemCaseSensitive(root, "dataplane");
	if (!cJSON_IsObject(root))
		err = wrong(&r, root, "the file", "must be an object in { }");
	else if (ifaces && !cJSON_IsObject(ifaces))
		err = wrong(&r, ifaces, "interfaces", "must be an object in { }");
	else if (dataplane && !cJSON_IsObject(dataplane))
		err = wrong(&r, dataplane, "dataplane", "must be an object in { }");
	else
		err = read_ifaces(&r, ifaces, RSIP_ROLE_PUBLIC);
	if (!err)
		err = read_ifaces(&r, ifaces, RSIP_ROLE_PRIVATE);
	if (!err)
		err = read_dataplane(&r, dataplane);
	read_pools(o, cJSON_GetObjectItemCaseSensitive(root, "pools"));
	rsip_nat_read(root, &o->nat);
	cJSON_Delete(root);
	return err;
}

static int read_file(struct rsip_loader_options *o, const char *path)
{
	char *text, why[400];
	size_t len;
	int err = rsip_json_read_file(path, 1024 * 1024, &text, &len);

	if (err) {
		log_err("cannot read %s: %s", path, strerror(-err));
		return err;
	}
	err = rsip_loader_config_parse(text, len, o, why, sizeof(why));
	if (err)
		log_err("%s: %s", path, why);
	free(text);
	snprintf(o->config_path, sizeof(o->config_path), "%s", path);
	return err;
}

/* Detach needs only this of the file: a mistake elsewhere in it must not keep the programs on. */
static void read_pin_path(struct rsip_loader_options *o, const char *path)
{
	const cJSON *dataplane, *pin;
	struct rsip_json_error json_err;
	char *text = NULL, why[320];
	cJSON *root = NULL;
	bool told = false;
	size_t len;

	rsip_loader_options_init(o);
	if (!rsip_json_read_file(path, 1024 * 1024, &text, &len))
		root = rsip_json_parse(text, len, RSIP_JSON_COMMENTS, &json_err);
	dataplane = cJSON_GetObjectItemCaseSensitive(root, "dataplane");
	pin = cJSON_GetObjectItemCaseSensitive(dataplane, "pin_path");
	if (cJSON_IsString(pin))
		told = !pin_path_set(o, pin->valuestring, why, sizeof(why));
	else if (!pin)
		told = cJSON_IsObject(root) && (!dataplane || cJSON_IsObject(dataplane));
	if (!told) {
		rsip_loader_options_init(o);
		o->pin_guessed = true;
	}
	cJSON_Delete(root);
	free(text);
}

/* ---- the command line ---------------------------------------------------- */

enum { OPT_PUBLIC = 256, OPT_PRIVATE, OPT_CONFIG, OPT_MODE, OPT_PIN_PATH, OPT_BINDING, OPT_SNAP, OPT_NUMBER };
#define SHORT_OPTIONS "jvhw:n:"

static const struct option long_options[] = {
	{"public", required_argument, NULL, OPT_PUBLIC},
	{"private", required_argument, NULL, OPT_PRIVATE},
	{"config", required_argument, NULL, OPT_CONFIG},
	{"mode", required_argument, NULL, OPT_MODE},
	{"pin-path", required_argument, NULL, OPT_PIN_PATH},
	{"max-bindings", required_argument, NULL, OPT_NUMBER + 0},
	{"max-addresses", required_argument, NULL, OPT_NUMBER + 1},
	{"max-ipsec-pairs", required_argument, NULL, OPT_NUMBER + 2},
	{"max-cookies", required_argument, NULL, OPT_NUMBER + 3},
	{"binding", required_argument, NULL, OPT_BINDING},
	{"snaplen", required_argument, NULL, OPT_SNAP},
	{"count", required_argument, NULL, 'n'},
	{"write", required_argument, NULL, 'w'},
	{"json", no_argument, NULL, 'j'},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int capture_number(const char *arg, uint32_t max, uint32_t *to, char *why, size_t why_len)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(arg, &end, 10);
	*to = (uint32_t)n;
	if (!errno && end != arg && !*end && *arg != '-' && n && n <= max)
		return 0;
	snprintf(why, why_len, "'%s' is not a number from 1 to %u", arg, max);
	return -EINVAL;
}

/* Options of capture alone. */
static int take_capture_option(struct rsip_loader_options *o, int opt, const char *arg, char *why, size_t why_len)
{
	if (!o->capture.on) {
		snprintf(why, why_len, "--binding, --snaplen, --count and --write are of capture");
		return -EINVAL;
	}
	if (opt == OPT_BINDING)
		return capture_number(arg, UINT32_MAX, &o->capture.bind_id, why, why_len);
	if (opt == OPT_SNAP)
		return capture_number(arg, RSIP_CAPTURE_SNAP, &o->capture.snap, why, why_len);
	if (opt == 'n')
		return capture_number(arg, UINT32_MAX, &o->capture.count, why, why_len);
	if (strlen(arg) < sizeof(o->capture.file)) {
		strcpy(o->capture.file, arg);
		return 0;
	}
	snprintf(why, why_len, "'%.40s...' is too long for a file's name", arg);
	return -EINVAL;
}

/* 0, or -EINVAL with why filled. */
static int take_option(struct rsip_loader_options *o, int opt, const char *arg, char *why,
		       size_t why_len)
{
	switch (opt) {
	case OPT_PUBLIC:
		return rsip_loader_iface_add(o, RSIP_ROLE_PUBLIC, arg, why, why_len);
	case OPT_PRIVATE:
		return rsip_loader_iface_add(o, RSIP_ROLE_PRIVATE, arg, why, why_len);
	case OPT_MODE:
		if (!rsip_loader_mode_parse(arg, &o->mode))
			return 0;
		snprintf(why, why_len, "'%s' is no mode: auto, native, generic, tc", arg);
		return -EINVAL;
	case OPT_PIN_PATH:
		return pin_path_set(o, arg, why, why_len);
	case 'j':
		o->json = true;
		return 0;
	case 'v':
		rsip_log_set_level(RSIP_LOG_DEBUG);
		return 0;
	case OPT_CONFIG:
		return 0;
	case OPT_BINDING:
	case OPT_SNAP:
	case 'n':
	case 'w':
		return take_capture_option(o, opt, arg, why, why_len);
	}
	return number_parse(o, &numbers[opt - OPT_NUMBER], arg, why, why_len);
}

int rsip_loader_words(const char *command)
{
	if (!strcmp(command, "session-add"))
		return 2;
	return !strcmp(command, "capture") || !strcmp(command, "session-del");
}

/* First round: help, mistakes, and which file. */
static enum rsip_loader_parsed find_config(int argc, char **argv, const char **config, bool *ifaces)
{
	int opt, words = rsip_loader_words(argv[0]);

	optind = 1;
	while ((opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
		if (opt == 'h')
			return RSIP_LOADER_HELP;
		if (opt == '?')
			return RSIP_LOADER_USAGE; /* getopt has said it */
		if (opt == OPT_CONFIG)
			*config = optarg;
		if (opt == OPT_PUBLIC || opt == OPT_PRIVATE)
			*ifaces = true;
	}
	if (optind + words < argc) {
		log_err("'%s' is one word too many", argv[optind + words]);
		return RSIP_LOADER_USAGE;
	}
	if (optind + words > argc) {
		log_err("%s", words == 2 ? "an interface and its host's address are missing"
				 : !strcmp(argv[0], "capture") ? "an interface is missing, or any"
							       : "an interface is missing");
		return RSIP_LOADER_USAGE;
	}
	return RSIP_LOADER_RUN;
}

enum rsip_loader_parsed rsip_loader_options_parse(int argc, char **argv,
						  struct rsip_loader_options *o)
{
	const char *config = NULL;
	bool ifaces = false;
	enum rsip_loader_parsed parsed = find_config(argc, argv, &config, &ifaces);
	char why[400];
	int opt;

	if (parsed != RSIP_LOADER_RUN)
		return parsed;
	if (config && read_file(o, config)) {
		if (strcmp(argv[0], "detach"))
			return RSIP_LOADER_FAILED;
		read_pin_path(o, config);
	}
	if (ifaces)
		o->iface_cnt = 0;
	o->capture.on = !strcmp(argv[0], "capture");
	o->capture.snap = RSIP_CAPTURE_SNAP;
	optind = 1;
	while ((opt = getopt_long(argc, argv, SHORT_OPTIONS, long_options, NULL)) != -1) {
		if (take_option(o, opt, optarg, why, sizeof(why))) {
			log_err("%s", why);
			return RSIP_LOADER_USAGE;
		}
	}
	for (int i = 0; i < rsip_loader_words(argv[0]); i++)
		o->word[i] = argv[optind + i];
	if (o->capture.on)
		snprintf(o->capture.iface, sizeof(o->capture.iface), "%s", argv[optind]);
	return RSIP_LOADER_RUN;
}
