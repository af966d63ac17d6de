// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The configuration as it lies on this machine: its file, the files it names, and what the machine says of it. */
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "json.h"

int rsip_conf_load(const char *path, struct rsip_conf *conf, struct rsip_conf_report *report)
{
	const struct passwd *user;
	char *text;
	size_t len;
	int err = rsip_json_read_file(path, RSIP_CONF_SIZE_MAX, &text, &len), fd;

	if (err) {
		rsip_conf_init(conf);
		return err;
	}
	rsip_conf_parse(text, len, conf, report);
	conf->path = path;
	explicit_bzero(text, len);
	free(text);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		rsip_conf_check_secrecy(conf, fd, report);
		close(fd);
	}
	user = getpwnam(conf->user);
	rsip_conf_load_keys(conf, user ? user->pw_uid : geteuid(), report);
	rsip_conf_check_machine(conf, report);
	return 0;
}
