// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "privs.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int rsip_privs_user(const char *name, uid_t *uid, gid_t *gid, char *why, size_t why_len)
{
	const struct passwd *pw = getpwnam(name);

	if (!pw) {
		snprintf(why, why_len,
			 "there is no user \"%s\" (create it: useradd --system --no-create-home "
			 "--shell /usr/sbin/nologin %s; or name another as \"user\" in the "
			 "configuration)",
			 name, name);
		return -ENOENT;
	}
	if (pw->pw_uid == 0) {
		snprintf(why, why_len, "user \"%s\" is root: name an ordinary user", name);
		return -EINVAL;
	}
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int change_user(uid_t uid, gid_t gid)
{
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

static int clear_capabilities(void)
{
	/* The bounding set can only be cleared with CAP_SETPCAP; without it no_new_privs does what
	 * it is for. */
	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP)) {
		capng_clear(CAPNG_SELECT_BOUNDS);
		if (capng_apply(CAPNG_SELECT_BOUNDS))
			return -EPERM;
	}
	return 0;
}

static int check(uid_t uid, gid_t gid, char *why, size_t why_len)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	capng_get_caps_process();
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) != CAPNG_NONE) {
		snprintf(why, why_len, "capabilities are left after dropping them");
		return -EPERM;
	}
	if (getresuid(&r, &e, &s) || getresgid(&rg, &eg, &sg) || r != uid || e != uid || s != uid ||
	    rg != gid || eg != gid || sg != gid || (uid != 0 && setuid(0) == 0)) {
		snprintf(why, why_len, "still another user after changing it");
		return -EPERM;
	}
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		snprintf(why, why_len, "no_new_privs is not in effect");
		return -EPERM;
	}
	return 0;
}

int rsip_privs_drop(uid_t uid, gid_t gid, char *why, size_t why_len)
{
	int err = clear_capabilities();

	if (!err && getuid() == 0)
		err = change_user(uid, gid);
	if (!err) {
		capng_clear(CAPNG_SELECT_CAPS);
		if (capng_apply(CAPNG_SELECT_CAPS))
			err = -EPERM;
	}
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (err) {
		snprintf(why, why_len, "%s", strerror(-err));
		return err;
	}
	return check(uid, gid, why, why_len);
}
