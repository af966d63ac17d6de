// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Capture: the capturing programs in place of the others, on one interface or all, for as long as somebody looks.  The
 * exchange is an upgrade's: each link and filter changes in one step, maps and traffic go on.  A child, which has given up
 * all privileges, reads and writes; this process waits for its end, whatever that is, and puts the others back.
 */
#include "capture.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "commands.h"
#include "log.h"
#include "pins.h"
#include "rsip/capture.h"
#include "tc.h"
#include "util.h"

#define RING_BYTES (16U << 20)

/* Programs of one interface: descriptors of those before, IDs of ours; -1, 0: left alone. */
struct place {
	const struct rsip_iface *iface;
	int link, old_xdp, old_tc;
	uint32_t xdp_id, tc_id;
};

struct exchange {
	const char *folder;
	struct place at[RSIP_MAX_IFACES];
	uint32_t cnt;
};

static uint32_t id_of(int prog)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(prog, &info, &len) ? 0 : info.id;
}

static uint32_t linked(int link)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(link, &info, &len) ? 0 : info.prog_id;
}

/* Is it a program of a capture?  Those have a map of their own. */
static bool is_capturing(int prog)
{
	uint32_t ids[64], len = sizeof(struct bpf_prog_info);
	struct bpf_prog_info info = {.nr_map_ids = RSIP_ARRAY_LEN(ids), .map_ids = (uint64_t)(uintptr_t)ids};
	bool found = false;

	if (bpf_obj_get_info_by_fd(prog, &info, &len))
		return false;
	for (uint32_t i = 0; i < info.nr_map_ids && i < RSIP_ARRAY_LEN(ids) && !found; i++) {
		struct bpf_map_info map = {0};
		int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(map);
		found = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &map, &len) && !strcmp(map.name, "rsip_cap_ring");
		if (fd >= 0)
			close(fd);
	}
	return found;
}

static int put_xdp(const struct exchange *x, struct place *p, int prog)
{
	char path[RSIP_PINS_PATH_MAX];

	rsip_pins_link_path(x->folder, p->iface->name, path);
	p->link = bpf_obj_get(path);
	if (p->link < 0)
		return errno == ENOENT ? 0 : -errno; /* tc mode, the slow path: no link */
	p->old_xdp = rsip_plane_open(x->folder, p->iface->role == RSIP_ROLE_PUBLIC ? "prog_pub" : "prog_priv");
	if (p->old_xdp < 0)
		return p->old_xdp;
	if (bpf_link_update(p->link, prog, NULL))
		return -errno;
	p->xdp_id = id_of(prog);
	return 0;
}

static int put_tc(struct place *p, int prog)
{
	uint32_t id = rsip_tc_prog_id(p->iface);
	int err;

	p->old_tc = id ? bpf_prog_get_fd_by_id(id) : -1;
	if (p->old_tc < 0)
		return 0;
	err = rsip_tc_put(p->iface, prog);
	if (!err)
		p->tc_id = id_of(prog);
	return err;
}

/* Puts those before back where ours still are: an upgrade meanwhile goes before. */
static void put_back(struct exchange *x)
{
	while (x->cnt) {
		struct place *p = &x->at[--x->cnt];
		int err = 0, tc_err = 0;

		if (p->xdp_id && linked(p->link) == p->xdp_id && bpf_link_update(p->link, p->old_xdp, NULL))
			err = -errno;
		if (p->tc_id && rsip_tc_prog_id(p->iface) == p->tc_id)
			tc_err = rsip_tc_put(p->iface, p->old_tc);
		err = err ? err : tc_err;
		if (err)
			log_err("cannot put the programs back on %s: %s (`rsip-loader upgrade` does)", p->iface->name,
				strerror(-err));
		for (int *fd = (int[]){p->link, p->old_xdp, p->old_tc}, i = 0; i < 3; i++)
			if (fd[i] >= 0)
				close(fd[i]);
	}
}

/* Of a capture that was killed: put back at our end, they would stay for ever.  -EBUSY (said). */
static int check_leftovers(const struct rsip_plane *plane)
{
	for (uint32_t i = 0; i < plane->iface_cnt; i++) {
		uint32_t id[] = {plane->link[i].prog_id, rsip_tc_prog_id(&plane->iface[i])};
		bool found = false;

		for (size_t j = 0; j < RSIP_ARRAY_LEN(id) && !found; j++) {
			int prog = id[j] ? bpf_prog_get_fd_by_id(id[j]) : -1;

			found = prog >= 0 && is_capturing(prog);
			if (prog >= 0)
				close(prog);
		}
		if (!found)
			continue;
		log_err("the programs of a capture that was killed are still on %s (run `rsip-loader upgrade`, then this again)",
			plane->iface[i].name);
		return -EBUSY;
	}
	return 0;
}

static int put_on(struct exchange *x, const struct rsip_plane *plane, const struct rsip_cap *cap, uint32_t only)
{
	int err = 0;

	for (uint32_t i = 0; i < plane->iface_cnt && !err; i++) {
		struct place *p = &x->at[x->cnt];

		if (only && plane->index[i] != only)
			continue;
		*p = (struct place){.iface = &plane->iface[i], .link = -1, .old_xdp = -1, .old_tc = -1};
		x->cnt++;
		err = put_tc(p, rsip_object_cap_tc_prog(cap, p->iface));
		if (!err)
			err = put_xdp(x, p, rsip_object_cap_prog(cap, p->iface->role));
		if (err)
			log_err("cannot put the capturing programs on %s: %s", p->iface->name, strerror(-err));
	}
	return err;
}

/* ---- the two processes ---- */

static void drop_privileges(void)
{
	const struct passwd *nobody = getuid() ? NULL : getpwnam("nobody");

	if (!nobody)
		return;
	if (setgroups(0, NULL) || setresgid(nobody->pw_gid, nobody->pw_gid, nobody->pw_gid) ||
	    setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid)) {
		log_err("cannot give up privileges: %s", strerror(errno));
		_exit(RSIP_EXIT_FAILED);
	}
}

static pid_t start_reader(const struct rsip_capture_reader *want, const sigset_t *before)
{
	pid_t parent = getpid(), child = fork();

	if (child)
		return child;
	signal(SIGINT, SIG_IGN); /* of the terminal: the parent says when */
	sigprocmask(SIG_SETMASK, before, NULL);
	drop_privileges();
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(RSIP_EXIT_FAILED);
	_exit(rsip_capture_read(want) ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE);
}

/* Not only stopped; it stays to be waited for. */
static bool has_exited(pid_t child)
{
	siginfo_t info = {0};

	return !waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid == child;
}

/* Until a signal ends it or the reader is through; then the programs go first: what they handed out is still read. */
static int attend(struct exchange *x, pid_t reader, const sigset_t *signals)
{
	bool ended = false;
	int status, sig;

	while (!ended && !sigwait(signals, &sig))
		ended = sig != SIGCHLD || has_exited(reader);
	put_back(x);
	kill(reader, SIGTERM);
	if (waitpid(reader, &status, 0) != reader || !WIFEXITED(status))
		return RSIP_EXIT_FAILED;
	return WEXITSTATUS(status);
}

static int run(const struct rsip_loader_options *o, const struct rsip_plane *plane, const struct rsip_cap *cap, FILE *out,
	       uint32_t only)
{
	struct rsip_capture_reader want = {plane, cap, out, o->capture.snap, o->capture.count};
	struct exchange x = {.folder = o->pin_path};
	sigset_t signals, before;
	pid_t reader;
	int lock, err, status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &before); /* from here on nothing ends this process but what it waits for */
	reader = start_reader(&want, &before);
	if (reader < 0) {
		log_err("cannot start the reader: %s", strerror(errno));
		return RSIP_EXIT_FAILED;
	}
	lock = rsip_pins_lock(o->pin_path, NULL);
	err = lock < 0 ? lock : check_leftovers(plane);
	if (!err)
		err = put_on(&x, plane, cap, only);
	if (lock >= 0)
		close(lock);
	if (err)
		kill(getpid(), SIGTERM);
	else
		log_info("capturing on %s%s", o->capture.iface, o->capture.count ? "" : ": Ctrl-C ends it");
	status = attend(&x, reader, &signals);
	return err ? RSIP_EXIT_FAILED : status;
}

/* ---- the command ---- */

/* Index in rsip_ifaces; 0: any; -ENODEV (said). */
static int find_iface(const struct rsip_plane *plane, const char *name)
{
	if (!strcmp(name, "any"))
		return 0;
	for (uint32_t i = 0; i < plane->iface_cnt; i++)
		if (!strcmp(plane->iface[i].name, name))
			return (int)plane->index[i];
	log_err("the data plane is not on '%s': it is on", name);
	for (uint32_t i = 0; i < plane->iface_cnt; i++)
		log_err("  %s (%s)", plane->iface[i].name, rsip_plane_role_name(plane->iface[i].role));
	return -ENODEV;
}

static FILE *open_output(const char *path)
{
	FILE *out;
	int fd;

	if (!*path || !strcmp(path, "-")) {
		if (!isatty(STDOUT_FILENO))
			return stdout;
		log_err("a terminal cannot show packets: give -w FILE, or | tshark -r -");
		return NULL;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		log_err("cannot write %s: %s", path, strerror(errno));
	return out;
}

/*
 * One capture at a time: the second would take the first one's programs for those to put back.  A descriptor that holds
 * the lock as long as we (and the reader) live, or a negative errno (said).
 */
static int only_one(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	log_err("cannot capture: %s", errno == EWOULDBLOCK ? "another capture is under way: one at a time" : strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EBUSY;
}

int rsip_loader_capture(const struct rsip_loader_options *o)
{
	struct rsip_cap_want want = {.bind_id = o->capture.bind_id, .snap = o->capture.snap, .ring_bytes = RING_BYTES};
	struct rsip_plane plane;
	struct rsip_cap *cap;
	FILE *out;
	int err = rsip_plane_read(o->pin_path, &plane), only, status, alone;

	if (err == -ENOENT) {
		log_err("nothing is attached at %s (run `rsip-loader attach`)", o->pin_path);
		return RSIP_EXIT_NOTHING;
	}
	if (err) {
		log_err("cannot capture: the data plane at %s is not whole, or of another version (run `rsip-loader status`)",
			o->pin_path);
		return RSIP_EXIT_FAILED;
	}
	if (!plane.here) {
		log_err("cannot capture: the data plane was attached in another network namespace (nsenter --net=... rsip-loader "
			"capture)");
		return RSIP_EXIT_FAILED;
	}
	only = find_iface(&plane, o->capture.iface);
	if (only < 0)
		return RSIP_EXIT_NOTHING;
	want.iface = (uint32_t)only;
	alone = only_one(o->pin_path);
	if (alone < 0)
		return RSIP_EXIT_FAILED;
	out = open_output(o->capture.file);
	if (!out)
		return RSIP_EXIT_FAILED;
	if (rsip_object_cap_load(o->pin_path, &plane.config, &want, &cap))
		return RSIP_EXIT_FAILED;
	status = run(o, &plane, cap, out, want.iface);
	rsip_object_cap_close(cap);
	close(alone);
	return fclose(out) && status == RSIP_EXIT_DONE ? RSIP_EXIT_FAILED : status;
}
