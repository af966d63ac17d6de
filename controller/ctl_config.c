// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands about the configuration. */
#include <string.h>

#include "ctl.h"
#include "json.h"
#include "log.h"

enum rsip_ctl_result rsip_ctl_fn_CONFIG_GET(struct rsip_ctl_call *call)
{
	cJSON_AddItemToObject(call->out, "config", rsip_conf_to_json(call->ctx->conf));
	return rsip_ctl_say(call, RSIP_CTL_OK, "the configuration in effect");
}

static void add_findings(struct rsip_ctl_call *call, const struct rsip_conf_report *report,
			 bool warnings)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, warnings ? "warnings" : "errors");

	for (uint32_t i = 0; i < report->cnt; i++) {
		cJSON *obj;

		if (report->issue[i].warning != warnings)
			continue;
		obj = cJSON_CreateObject();
		rsip_json_add_u64(obj, "line", (uint64_t)report->issue[i].line);
		cJSON_AddStringToObject(obj, "path", report->issue[i].path);
		cJSON_AddStringToObject(obj, "text", report->issue[i].text);
		cJSON_AddItemToArray(list, obj);
	}
}

enum rsip_ctl_result rsip_ctl_fn_CONFIG_TEST(struct rsip_ctl_call *call)
{
	/* Big, and only one call at a time. */
	static struct rsip_conf_report report;
	static struct rsip_conf conf;
	const char *text =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(call->args, "config"));

	if (!text)
		return rsip_ctl_say(call, RSIP_CTL_ERROR,
				    "config must be the text of a configuration, as a string");
	rsip_conf_parse(text, strlen(text), &conf, &report);
	add_findings(call, &report, false);
	add_findings(call, &report, true);
	rsip_conf_free(&conf);
	if (report.errors)
		return rsip_ctl_say(call, RSIP_CTL_ERROR, "%u errors, %u warnings", report.errors,
				    report.warnings);
	return rsip_ctl_say(call, RSIP_CTL_OK, "ok, %u warnings", report.warnings);
}

enum rsip_ctl_result rsip_ctl_fn_CONFIG_RELOAD(struct rsip_ctl_call *call)
{
	static struct rsip_conf_report report;
	struct rsip_ctl_context *ctx = call->ctx;

	if (!ctx->reload)
		return rsip_ctl_say(call, RSIP_CTL_UNSUPPORTED, "there is no file to read again");
	log_info("control: %s: config-reload", call->peer->who);
	ctx->reload(ctx->arg, &report);
	add_findings(call, &report, false);
	add_findings(call, &report, true);
	if (report.errors)
		return rsip_ctl_say(call, RSIP_CTL_ERROR, "nothing has changed: %u errors, %u warnings", report.errors,
				    report.warnings);
	return rsip_ctl_say(call, RSIP_CTL_OK, "in effect, %u warnings", report.warnings);
}
