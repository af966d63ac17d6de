// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* controller/flow.c and config_policies.c: whose flow policy is what, and which remotes it allows. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "json.h"
#include "util.h"

static struct rsip_conf conf;
static struct rsip_conf_report report;

static const char pools[] = "\"pools\": [{\"name\": \"a\", \"addresses\": [\"8.8.8.1\", \"8.8.8.4/30\"]},"
			    " {\"name\": \"whole\", \"addresses\": \"8.8.9.0/28\", \"methods\": [\"RSA-IP\"]}]";

static int parse_policies(const char *list)
{
	char text[2000];

	snprintf(text, sizeof(text), "{%s, \"policies\": %s}", pools, list);
	return rsip_conf_parse(text, strlen(text), &conf, &report);
}

static const struct rsip_flow_policy *of(const char *host)
{
	return rsip_flow_of(conf.policy, conf.policy_cnt, inet_addr(host));
}

Test(flow, the_first_policy_that_holds_a_host_is_its_own)
{
	cr_assert_eq(parse_policies("[{\"name\": \"one\", \"clients\": [\"10.0.1.0/24\", \"10.0.9.9/32\"]},"
				    " {\"name\": \"two\", \"clients\": [\"10.0.0.0/16\"]}]"), 0);
	cr_expect_str_eq(of("10.0.1.5")->name, "one");
	cr_expect_str_eq(of("10.0.9.9")->name, "one");
	cr_expect_str_eq(of("10.0.9.8")->name, "two");
	cr_expect_eq(of("10.1.0.1"), &rsip_flow_default);
}

Test(flow, keys_and_their_defaults)
{
	const struct rsip_flow_policy *p;

	cr_assert_eq(parse_policies("[{}, {\"local\": \"micro\", \"remote\": \"micro\", \"pools\": [\"a\"], \"ipsec\": false,"
				    " \"endpoint\": \"10.0.0.2\"}, {\"remote\": \"micro\", \"listen\": true}]"), 0);
	p = &conf.policy[0];
	cr_expect_eq(p->local, RSIP_LOCAL_MACRO);
	cr_expect_eq(p->remote, RSIP_REMOTE_NONE);
	cr_expect(p->ipsec && p->listen && !p->some_pools && !p->endpoint);
	cr_expect_null(rsip_flow_pools(p));
	cr_expect_str_eq(p->name, "policy0");
	p = &conf.policy[1];
	cr_expect_eq(p->local, RSIP_LOCAL_MICRO);
	cr_expect_eq(p->remote, RSIP_REMOTE_MICRO);
	cr_expect_not(p->listen, "RFC 3103 10.6");
	cr_expect_not(p->ipsec);
	cr_expect_eq(p->endpoint, inet_addr("10.0.0.2"));
	cr_expect(rsip_pool_in(rsip_flow_pools(p), 0), "both ranges of pool a");
	cr_expect(rsip_pool_in(rsip_flow_pools(p), 1));
	cr_expect_not(rsip_pool_in(rsip_flow_pools(p), 2));
	cr_expect(conf.policy[2].listen);
}

#define IPIP RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP)
#define GRE RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE)

Test(flow, tunnels_that_any_host_may_lease_in)
{
	cr_assert_eq(parse_policies("[{\"clients\": [\"10.0.0.1/32\"], \"tunnels\": [\"IP-IP\"]},"
				    " {\"tunnels\": [\"IP-IP\"]}, {\"tunnels\": [\"GRE\"]}]"), 0);
	cr_expect_eq(conf.policy[2].tunnels, GRE);
	cr_expect_eq(rsip_flow_tunnels(conf.policy, 3), IPIP, "the third holds nobody");
	cr_expect_eq(rsip_flow_tunnels(conf.policy, 1), IPIP | GRE, "others have the default");
	cr_expect_eq(rsip_flow_tunnels(NULL, 0), IPIP | GRE);
}

Test(flow, endpoints_are_counted_once)
{
	__be32 out[RSIP_MAX_ENDPOINTS];

	cr_assert_eq(parse_policies("[{\"endpoint\": \"10.0.0.2\"}, {}, {\"endpoint\": \"10.0.0.3\"}, {\"endpoint\": \"10.0.0.2\"}]"), 0);
	cr_assert_eq(rsip_conf_endpoints(&conf, out), 2);
	cr_expect_eq(out[0], inet_addr("10.0.0.2"));
	cr_expect_eq(out[1], inet_addr("10.0.0.3"));
	cr_expect_eq(parse_policies("[{\"endpoint\": \"10.0.0.1\"}, {\"endpoint\": \"10.0.0.2\"}, {\"endpoint\": \"10.0.0.3\"},"
				    "{\"endpoint\": \"10.0.0.4\"}, {\"endpoint\": \"10.0.0.5\"}, {\"endpoint\": \"10.0.0.6\"},"
				    "{\"endpoint\": \"10.0.0.7\"}, {\"endpoint\": \"10.0.0.8\"}, {\"endpoint\": \"10.0.0.9\"}]"), -EINVAL);
	cr_expect_str_eq(report.issue[report.cnt - 1].path, "policies");
}

Test(flow, mistakes_are_named)
{
	static const struct {
		const char *list, *path, *part;
	} rows[] = {
		{ "{}", "policies", "list" },
		{ "[7]", "policies[0]", "object" },
		{ "[{\"local\": \"none\"}]", "policies[0].local", "micro" },
		{ "[{\"remote\": 1}]", "policies[0].remote", "none" },
		{ "[{\"pools\": []}]", "policies[0].pools", "at least one" },
		{ "[7, {\"pools\": [\"a\", \"b\"]}]", "policies[0].pools[1]", "\"b\"" },
		{ "[{\"pools\": [8]}]", "policies[0].pools[0]", "no pool" },
		{ "[{\"endpoint\": \"0.0.0.0\"}]", "policies[0].endpoint", "address" },
		{ "[{\"tunnels\": []}]", "policies[0].tunnels", "at least one" },
		{ "[{\"tunnels\": \"GRE\"}]", "policies[0].tunnels", "list" },
		{ "[{\"tunnels\": [\"GRE\", \"L2F\"]}]", "policies[0].tunnels[1]", "\"L2TP\"" },
		{ "[{\"allow\": [\"8.0.0.0/8\"]}]", "policies[0]", "remote policy" },
		{ "[{\"remote\": \"macro\", \"deny\": [\"8.0.0.0/8:25\"]}]", "policies[0]", "micro" },
		{ "[{\"remote\": \"micro\", \"deny\": [\"8.0.0.1/8:25\"]}]", "policies[0].deny[0]", "must be" },
		{ "[{\"remote\": \"micro\", \"deny\": [\"8.0.0.0/8:\"]}]", "policies[0].deny[0]", "must be" },
		{ "[{\"remote\": \"micro\", \"deny\": [\"8.0.0.0/8:9-3\"]}]", "policies[0].deny[0]", "must be" },
		{ "[{\"remote\": \"micro\", \"allow\": \"8.0.0.0/8\"}]", "policies[0].allow", "list" },
		{ "[{\"clients\": [\"8.0.0.1/8\"]}]", "policies[0].clients[0]", "" },
		{ "[{\"color\": 1}]", "policies[0].color", "unknown key" },
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		bool found = false;

		cr_expect_eq(parse_policies(rows[i].list), -EINVAL, "%s", rows[i].list);
		for (uint32_t k = 0; k < report.cnt; k++)
			found |= !strcmp(report.issue[k].path, rows[i].path) && strstr(report.issue[k].text, rows[i].part);
		cr_expect(found, "%s: got %s: %s", rows[i].list, report.issue[report.cnt - 1].path,
			  report.issue[report.cnt - 1].text);
	}
}

static bool allows(const char *remote, uint16_t first, uint16_t cnt)
{
	return rsip_flow_allows(&conf.policy[0], inet_addr(remote), first, cnt);
}

Test(flow, deny_goes_first_and_allow_is_all_there_is)
{
	cr_assert_eq(parse_policies("[{\"remote\": \"macro\", \"deny\": [\"198.51.100.0/24\"]}]"), 0);
	cr_expect_not(allows("198.51.100.7", 0, 0));
	cr_expect(allows("198.51.101.7", 0, 0));
	cr_assert_eq(parse_policies("[{\"remote\": \"macro\", \"deny\": [\"198.51.100.7/32\"], \"allow\": [\"198.51.100.0/24\"]}]"), 0);
	cr_expect_not(allows("198.51.100.7", 0, 0));
	cr_expect(allows("198.51.100.8", 0, 0));
	cr_expect_not(allows("198.51.101.8", 0, 0));
}

Test(flow, ports_are_allowed_as_a_whole_or_not)
{
	cr_assert_eq(parse_policies("[{\"remote\": \"micro\", \"deny\": [\"0.0.0.0/0:25\"],"
				    " \"allow\": [\"198.51.100.0/24:1-99\", \"198.51.100.0/24:100-443\", \"192.0.2.0/24\"]}]"), 0);
	cr_expect(allows("198.51.100.7", 80, 1));
	cr_expect(allows("198.51.100.7", 95, 10), "two rules together");
	cr_expect(allows("198.51.100.7", 443, 1));
	cr_expect_not(allows("198.51.100.7", 440, 5), "one port too many");
	cr_expect_not(allows("198.51.100.7", 20, 10), "25 is denied to all");
	cr_expect(allows("192.0.2.1", 65535, 1));
	cr_expect_not(allows("192.0.2.1", 25, 1));
	cr_expect_not(allows("203.0.113.9", 80, 1));
}

Test(flow, what_is_shown_reads_back)
{
	char *text;
	cJSON *json;

	cr_assert_eq(parse_policies("[{\"name\": \"p\", \"clients\": [\"10.0.1.0/24\"], \"local\": \"micro\", \"remote\": \"micro\","
				    " \"pools\": [\"a\"], \"listen\": true, \"endpoint\": \"10.0.0.2\","
				    " \"tunnels\": [\"GRE\"], \"allow\": [\"192.0.2.0/24:80-90\"], \"deny\": [\"192.0.2.1/32\"]}]"), 0);
	json = rsip_conf_to_json(&conf);
	text = cJSON_Print(json);
	static struct rsip_conf again;
	cr_assert_eq(rsip_conf_parse(text, strlen(text), &again, &report), 0, "%s", text);
	cr_expect_arr_eq(&again.policy[0], &conf.policy[0], sizeof(conf.policy[0]));
	cr_expect_eq(again.policy_cnt, 1);
	cJSON_free(text);
	cJSON_Delete(json);
}
