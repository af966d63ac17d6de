// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any text as a configuration file.  What is wrong is found with a place and a printable sentence; what is taken
 * is within its limits, is shown as JSON, and reads the same a second time.
 */
#include <ctype.h>
#include <string.h>

#include "config.h"
#include "fuzz_main.h"
#include "json.h"

static bool printable(const char *text)
{
	for (; *text; text++)
		if (!isprint((unsigned char)*text))
			return false;
	return true;
}

static void check_findings(const struct rsip_conf_report *report)
{
	must(report->cnt <= RSIP_CONF_ISSUES_MAX);
	must(report->cnt <= report->errors + report->warnings);
	for (uint32_t i = 0; i < report->cnt; i++) {
		must(report->issue[i].line >= 0);
		must(report->issue[i].text[0] && printable(report->issue[i].text));
		must(printable(report->issue[i].path));
	}
}

static void check_limits(const struct rsip_conf *conf)
{
	must(conf->pool_cnt <= RSIP_CONF_POOLS_MAX);
	must(conf->policy_cnt <= RSIP_CONF_POLICIES_MAX);
	must(conf->private_nets.cnt <= RSIP_MAX_NETS && conf->client_nets.cnt <= RSIP_MAX_NETS);
	must(conf->limits.lease_min_s <= conf->limits.lease_max_s);
	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		must(conf->pool[i].port_first <= conf->pool[i].port_last);
		must(conf->pool[i].spi_min >= 256 && conf->pool[i].spi_min <= conf->pool[i].spi_max);
		must(conf->pool[i].addr_cnt && conf->pool[i].methods);
	}
}

/* The stream reader must find the end of an object at the same place however the bytes arrive. */
static void check_span(const char *text, size_t len)
{
	struct rsip_json_span whole, parts;
	long at, again = 0;

	memset(&whole, 0, sizeof(whole));
	memset(&parts, 0, sizeof(parts));
	at = rsip_json_span(&whole, text, len);
	must(at <= (long)len);
	for (size_t n = 1; n <= len && !again; n++)
		again = rsip_json_span(&parts, text, n);
	must(at == again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rsip_conf conf, twice;
	static struct rsip_conf_report report, again;
	cJSON *shown;

	if (size > 65536)
		return 0;
	check_span((const char *)data, size);
	if (rsip_conf_parse((const char *)data, size, &conf, &report)) {
		must(report.errors && report.cnt);
		check_findings(&report);
		rsip_conf_free(&conf);
		return 0;
	}
	check_findings(&report);
	check_limits(&conf);
	shown = rsip_conf_to_json(&conf);
	must(shown != NULL);
	cJSON_Delete(shown);
	must(!rsip_conf_parse((const char *)data, size, &twice, &again));
	must(!memcmp(&conf.pool, &twice.pool, sizeof(conf.pool)) && conf.pool_cnt == twice.pool_cnt);
	must(again.warnings == report.warnings);
	must(conf.auth.cnt == twice.auth.cnt);
	for (uint32_t i = 0; i < conf.auth.cnt; i++)
		must(!memcmp(&conf.auth.key[i], &twice.auth.key[i], sizeof(conf.auth.key[i])) && conf.auth.key[i].k.key.id);
	rsip_conf_free(&conf);
	rsip_conf_free(&twice);
	return 0;
}
