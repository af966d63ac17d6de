// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Watch: stays, and takes interfaces in again that were deleted and made anew, with nobody there to say so. */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "commands.h"
#include "log.h"
#include "mnl.h"
#include "pins.h"
#include "reattach.h"
#include "util.h"

#define RETRY_S 5 /* what failed once may work later; and so an attach after ours is seen */
#define RETRY_MOST_S 320 /* each try loads all programs and says what is wrong: ever fewer of them */
#define SETTLE_NS 200000000 /* an interface comes with several events: link, up, addresses */

static volatile sig_atomic_t ended;

static void on_signal(int sig)
{
	(void)sig;
	ended = 1;
}

/* For the log, once. */
static void say_new(const char *what)
{
	static char last[256];

	if (*what && strcmp(last, what))
		log_warn("%s: waiting", what);
	snprintf(last, sizeof(last), "%s", what);
}

/* Another loader may be at work: what it leaves counts. */
static int mend(const char *folder)
{
	struct rsip_plane p;
	char why[256];
	int lock = rsip_pins_lock(folder, NULL), err;

	if (lock < 0)
		return lock;
	err = rsip_plane_read(folder, &p);
	if (!err && rsip_reattach_due(&p, why, sizeof(why)))
		err = rsip_reattach(folder, &p);
	close(lock);
	return err;
}

/* Of one that failed: after something has happened to a link or an address it may work, else less and less probably. */
struct tries {
	uint64_t last_ns;
	uint32_t wait_s; /* 0: none has failed */
	bool news; /* since the last one */
};

static bool may_try(const struct tries *t)
{
	uint32_t wait_s = t->news && t->wait_s ? RETRY_S : t->wait_s;

	return !wait_s || rsip_now_ns() - t->last_ns >= wait_s * RSIP_NS_PER_S;
}

static void tried(struct tries *t, int err)
{
	uint32_t wait_s = t->wait_s ? 2 * t->wait_s : RETRY_S;

	*t = (struct tries){.last_ns = rsip_now_ns()};
	if (err)
		t->wait_s = wait_s < RETRY_MOST_S ? wait_s : RETRY_MOST_S;
}

static void look(const char *folder, struct tries *t)
{
	struct rsip_plane p;
	char why[256];
	int err = rsip_plane_read(folder, &p);

	if (err == -EPROTO)
		say_new("attached by a loader of another version (restart this one after an upgrade)");
	if (err || !p.here)
		return;
	if (!rsip_reattach_due(&p, why, sizeof(why))) {
		say_new(why);
		*t = (struct tries){0};
	} else if (may_try(t)) {
		tried(t, mend(folder));
	}
}

/* Until something happens to a link or an address (true), a signal comes, or it is time. */
static bool wait_for_news(int fd, const sigset_t *open_to)
{
	struct timespec most = {.tv_sec = RETRY_S}, settle = {.tv_nsec = SETTLE_NS};
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char buf[32768];

	if (ppoll(&poll_fd, 1, &most, open_to) <= 0)
		return false;
	nanosleep(&settle, NULL);
	while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	return true;
}

int rsip_loader_watch(const struct rsip_loader_options *o)
{
	const struct sigaction act = {.sa_handler = on_signal};
	struct tries tries = {0};
	struct mnl_socket *sock;
	sigset_t stop, before;
	int err = rsip_mnl_open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR, &sock);

	if (err) {
		log_err("cannot hear of interfaces: %s", strerror(-err));
		return RSIP_EXIT_FAILED;
	}
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, &before); /* only while it waits */
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	log_info("ready: interfaces of %s that are deleted and made again are attached again", o->pin_path);
	while (!ended) {
		look(o->pin_path, &tries);
		tries.news |= wait_for_news(mnl_socket_get_fd(sock), &before);
	}
	mnl_socket_close(sock);
	return RSIP_EXIT_DONE;
}
