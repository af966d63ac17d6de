/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket: what rsipd and rsipctl agree on.
 *
 * A request is one JSON object {"command": NAME, "arguments": {...}}, the reply one object
 * {"result": N, "text": "...", "arguments": {...}} and a newline.  A connection may carry one request or many,
 * one after the other.  docs/control/ has a sample of each command.
 *
 * After events-subscribe, lines with "event" in place of "result" come between the replies; "lost" counts those that
 * found the subscriber too slow.
 */
#ifndef RSIP_CTL_H
#define RSIP_CTL_H

#define RSIP_CONFIG_PATH_DEFAULT "/etc/rsip/rsipd.json"
#define RSIP_CTL_PATH_DEFAULT "/run/rsip/rsipd.sock"
#define RSIP_CTL_GROUP_DEFAULT "rsip"
#define RSIP_CTL_MODE_DEFAULT 0660

#define RSIP_CTL_REQUEST_MAX (256 * 1024) /* bytes; config-test carries a whole configuration */
#define RSIP_CTL_REPLY_MAX (4 * 1024 * 1024)
#define RSIP_CTL_PAGE_DEFAULT 100
#define RSIP_CTL_PAGE_MAX 1000

enum rsip_ctl_result {
	RSIP_CTL_OK = 0,
	RSIP_CTL_ERROR = 1, /* the text says why */
	RSIP_CTL_UNSUPPORTED = 2, /* no such command here */
	RSIP_CTL_EMPTY = 3, /* understood, but there is nothing like that */
};

/* X(symbol, name, what it does, arguments, changes something: not on the read-only socket) */
#define RSIP_CTL_TABLE(X) \
	X(LIST_COMMANDS, "list-commands", "the commands this rsipd knows", "", false) \
	X(VERSION_GET, "version-get", "versions of rsipd and of the map layout", "", false) \
	X(STATUS_GET, "status-get", \
	  "how rsipd is doing: interfaces, counts, pools, since when", "", false) \
	X(STATS_GET, "stats-get", \
	  "counters of data plane and protocol, or of one binding", "[bind-id]", false) \
	X(CLIENT_GET, "client-get", "one registration", "client-id or host", false) \
	X(CLIENT_GET_PAGE, "client-get-page", \
	  "registrations, a page at a time", "[from] [limit]", false) \
	X(CLIENT_REMOVE, "client-remove", \
	  "ends a registration and all its bindings", "client-id", true) \
	X(BINDING_GET, "binding-get", "one binding with its counters", "bind-id", false) \
	X(BINDING_GET_PAGE, "binding-get-page", "bindings, a page at a time", "[from] [limit]", false) \
	X(BINDING_REMOVE, "binding-remove", "ends a binding", "bind-id", true) \
	X(CONFIG_GET, "config-get", "the configuration in effect, defaults filled in", "", false) \
	X(CONFIG_TEST, "config-test", "checks a configuration given as text", "config", false) \
	X(CONFIG_RELOAD, "config-reload", \
	  "reads the configuration file again; live leases stay", "", true) \
	X(EXPLAIN, "explain", "which binding would get this packet, or why none", \
	  "[direction] protocol local [local-port] [remote] [remote-port] [spi] [host] [icookie] [rcookie] [ike-version] " \
	  "[initiator] [response] [quoted]", false) \
	X(EVENTS_SUBSCRIBE, "events-subscribe", \
	  "from now on, a line for each event of these kinds: bindings, violations, limits; none named: all", "[kinds]", false)

/* Kinds of events.  X(symbol, name) */
#define RSIP_CTL_EVENT_TABLE(X) \
	X(BINDINGS, "bindings") /* a registration or a lease begins, ends */ \
	X(VIOLATIONS, "violations") /* packets and requests against the rules */ \
	X(LIMITS, "limits") /* requests refused because a limit is reached or a pool is dry */

enum rsip_ctl_event {
#define X(sym, name) RSIP_CTL_EVENT_##sym,
	RSIP_CTL_EVENT_TABLE(X)
#undef X
		RSIP_CTL_EVENT_CNT,
};
#define RSIP_CTL_EVENTS_UNSENT_MAX (1024 * 1024) /* bytes; a subscriber that reads slower is told how many it lost */

#endif
