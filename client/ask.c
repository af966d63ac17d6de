// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The asking side of the control socket, and what people see of its answers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "commands.h"
#include "json.h"
#include "rsip/ctl.h"

#define RSIP_ANSWER_MAX (1 << 20)

static int connect_to(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at))) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

static int send_request(int fd, const char *command, cJSON *args)
{
	cJSON *obj = cJSON_CreateObject();
	char *text;
	int err = 0;

	cJSON_AddStringToObject(obj, "command", command);
	if (args)
		cJSON_AddItemToObject(obj, "arguments", args);
	text = cJSON_PrintUnformatted(obj);
	cJSON_Delete(obj);
	if (!text || send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		err = text ? -errno : -ENOMEM;
	free(text);
	return err;
}

/* One read, with the descriptor that may come along. */
static ssize_t receive(int fd, char *buf, size_t size, int *passed)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control.space,
			     .msg_controllen = sizeof(control.space)};
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	int got;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		memcpy(&got, CMSG_DATA(c), sizeof(got));
		if (passed)
			*passed = got;
		else
			close(got);
	}
	return n < 0 ? -errno : n;
}

static int read_answer(int fd, cJSON **answer, int *passed)
{
	char *text = malloc(RSIP_ANSWER_MAX);
	struct rsip_json_error bad;
	size_t len = 0;
	ssize_t n = 1;

	if (!text)
		return -ENOMEM;
	while (n > 0 && len < RSIP_ANSWER_MAX) {
		n = receive(fd, text + len, RSIP_ANSWER_MAX - len, passed);
		len += n > 0 ? n : 0;
	}
	*answer = n < 0 ? NULL : rsip_json_parse(text, len, 0, &bad);
	free(text);
	if (!*answer)
		return n < 0 ? n : -EPROTO;
	return rsip_json_get_u64(*answer, "result", RSIP_CTL_ERROR);
}

int rsip_ask(const char *socket_path, const char *command, cJSON *args, cJSON **answer, int *passed)
{
	int fd = connect_to(socket_path);
	int err;

	*answer = NULL;
	if (passed)
		*passed = -1;
	if (fd < 0) {
		cJSON_Delete(args);
		return fd;
	}
	err = send_request(fd, command, args);
	if (!err)
		err = read_answer(fd, answer, passed);
	close(fd);
	return err;
}

/* What is quoted may be the user's word: cJSON knows how to. */
static void show_words_json(int result, const char *words)
{
	cJSON *obj = cJSON_CreateObject();
	char *text;

	cJSON_AddNumberToObject(obj, "result", result);
	cJSON_AddStringToObject(obj, "text", words);
	text = cJSON_PrintUnformatted(obj);
	printf("%s\n", text ? text : "{}");
	free(text);
	cJSON_Delete(obj);
}

bool rsip_has_died(int result, const cJSON *answer)
{
	return !answer && (result == -ENOENT || result == -ECONNREFUSED || result == -ECONNRESET || result == -EPIPE ||
			   result == -EPROTO);
}

/* One that waits for the network has its lock, and no socket yet. */
static bool is_waiting(const char *state_dir)
{
	char path[300];
	bool locked;
	int fd;

	snprintf(path, sizeof(path), "%s/client.lock", state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
	close(fd);
	return locked;
}

int rsip_show_failure(const struct rsip_cli *cli, int result, const cJSON *answer)
{
	bool none = result == -ENOENT || result == -ECONNREFUSED;
	const char *text = answer ? rsip_json_get_string(answer, "text", "?")
			   : none && is_waiting(cli->set.state_dir)
				   ? "a client has been started, but does not listen yet: it waits for the network (its log, or "
				     "journalctl -u rsip-client, says for what)"
			   : none ? "no client is running (start it with `rsip-client up`)"
			   : rsip_has_died(result, NULL) ? "the client has ended while it was asked (its log says why)"
							 : strerror(-result);

	if (cli->json)
		show_words_json(none ? RSIP_CTL_EMPTY : result < 0 ? RSIP_CTL_ERROR : result, text);
	else
		fprintf(stderr, "rsip-client: %s: %s%s\n", cli->set.socket, text,
			result == -EACCES ? " (run as root, or as a member of the group rsip)"
					  : "");
	return none || result == RSIP_CTL_EMPTY ? RSIP_EXIT_NOTHING : RSIP_EXIT_FAILED;
}

int rsip_order(struct rsip_cli *cli, const char *command, cJSON *args, void (*show)(const struct rsip_cli *cli, const cJSON *answer))
{
	cJSON *answer;
	int result = rsip_ask(cli->set.socket, command, args, &answer, NULL);
	int status = result ? rsip_show_failure(cli, result, answer) : RSIP_EXIT_DONE;

	if (!result && show)
		show(cli, answer);
	cJSON_Delete(answer);
	return status;
}

void rsip_show_done(const struct rsip_cli *cli, const cJSON *answer)
{
	const char *text = rsip_json_get_string(answer, "text", "done");

	if (cli->json)
		show_words_json(RSIP_CTL_OK, text);
	else
		printf("%s\n", text);
}

/* ---- for people ---- */

static const cJSON *get(const cJSON *obj, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(obj, name);
}

static void show_list(const char *name, const cJSON *array)
{
	const cJSON *item;
	const char *comma = " ";

	if (!cJSON_GetArraySize(array))
		return;
	printf("%s:", name);
	cJSON_ArrayForEach (item, array) {
		printf("%s%s", comma, cJSON_GetStringValue(item));
		comma = ", ";
	}
	printf("\n");
}

void rsip_show_binding(const cJSON *b)
{
	printf("binding %llu: %s\n", (unsigned long long)rsip_json_get_u64(b, "bind-id", 0),
	       rsip_json_get_string(b, "method", "?"));
	printf("  address: %s\n", rsip_json_get_string(b, "address", "?"));
	show_list("  ports", get(b, "ports"));
	show_list("  SPIs", get(b, "spis"));
	if (get(b, "seconds-left"))
		printf("  expires: in %llu s\n",
		       (unsigned long long)rsip_json_get_u64(b, "seconds-left", 0));
}

void rsip_show_strongswan(const cJSON *obj)
{
	printf("strongSwan: %s\n", rsip_json_get_string(obj, "file", "?"));
	if (get(obj, "file-error"))
		printf("  that file cannot be written: %s (trying again)\n", rsip_json_get_string(obj, "file-error", "?"));
	printf("  address: %s\n", rsip_json_get_string(obj, "address", "?"));
	printf("  IKE ports: %llu, NAT-T %llu\n",
	       (unsigned long long)rsip_json_get_u64(obj, "port", 0),
	       (unsigned long long)rsip_json_get_u64(obj, "port-nat-t", 0));
	show_list("  SPIs", get(obj, "spis"));
	printf("  label of its IKE SPIs: %s\n", rsip_json_get_string(obj, "label", "?"));
	if (cJSON_IsTrue(get(obj, "charon-must-restart")))
		printf("  ports or label have changed: start charon again\n");
}

void rsip_show_status(const struct rsip_cli *cli, const cJSON *answer)
{
	const cJSON *args = get(answer, "arguments"), *tunnel = get(args, "tunnel"), *item;
	char *text;

	if (cli->json) {
		text = cJSON_Print(args);
		printf("%s\n", text ? text : "{}");
		free(text);
		return;
	}
	printf("gateway: %s (%s, %s)\n", rsip_json_get_string(args, "gateway", "?"),
	       rsip_json_get_string(args, "transport", "?"),
	       rsip_json_get_string(args, "state", "?"));
	cJSON_ArrayForEach (item, get(args, "gateways")) {
		printf("  %s: %s", rsip_json_get_string(item, "address", "?"), rsip_json_get_string(item, "is", "?"));
		if (get(item, "why"))
			printf(" %llu s ago: %s", (unsigned long long)rsip_json_get_u64(item, "seconds-ago", 0),
			       rsip_json_get_string(item, "why", "?"));
		if (get(item, "answers-for"))
			printf("; answers again for %llu s: back there after %llu s, when nothing is in use",
			       (unsigned long long)rsip_json_get_u64(item, "answers-for", 0),
			       (unsigned long long)rsip_json_get_u64(item, "return-after", 0));
		printf("\n");
	}
	if (cJSON_IsTrue(get(args, "no-way")))
		printf("  there is no way to it at the moment: see `ip addr` and `ip route`\n");
	if (cJSON_IsTrue(get(args, "no-carrier")))
		printf("  nothing is at the other end of %s: is its cable in, its network on?\n", rsip_json_get_string(args, "interface", "?"));
	printf("client ID: %llu\n", (unsigned long long)rsip_json_get_u64(args, "client-id", 0));
	printf("private address: %s on %s\n", rsip_json_get_string(args, "private-address", "?"),
	       rsip_json_get_string(args, "interface", "?"));
	printf("tunnel: %s, device %s, MTU %llu, namespace %s\n",
	       rsip_json_get_string(tunnel, "kind", "?"),
	       rsip_json_get_string(tunnel, "device", "?"),
	       (unsigned long long)rsip_json_get_u64(tunnel, "mtu", 0),
	       rsip_json_get_string(tunnel, "namespace", "?"));
	show_list("local, not through it", get(args, "local"));
	cJSON_ArrayForEach (item, get(tunnel, "counters"))
		if (item->valuedouble > 0)
			printf("  %s: %.0f\n", item->string, item->valuedouble);
	cJSON_ArrayForEach (item, get(args, "bindings")) {
		printf("\n");
		rsip_show_binding(item);
	}
	if (get(args, "strongswan")) {
		printf("\n");
		rsip_show_strongswan(get(args, "strongswan"));
	}
	if (rsip_json_get_u64(args, "bindings-wanted", 0))
		printf("\nstill asking for: %llu\n",
		       (unsigned long long)rsip_json_get_u64(args, "bindings-wanted", 0));
}
