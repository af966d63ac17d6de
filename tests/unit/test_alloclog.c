// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The allocation log: its lines, letter for letter, and its file: rotated, full, and written again; and the journal. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <sched.h>

#include "alloclog.h"
#include "util.h"

#define AT(s) ((1700000000ULL + (s)) * RSIP_NS_PER_S + 250000000)

static struct rsip_spi_range range[2] = { { 0xc0010000, 4 }, { 0x1000, 1 } };
static const struct rsip_lease_client client = { .client_id = 7 };
static struct rsip_lease_client host_a;
static struct rsip_lease_bind b;

static void given(uint8_t method)
{
	host_a = client;
	host_a.host = htonl(0x0a00000b);
	b = (struct rsip_lease_bind){ .bind_id = 99, .method = method, .local = htonl(0xcb007101) };
	for (uint16_t i = 0; i < 4; i++)
		b.ports.port[i] = (uint16_t)(4000 + i);
	b.ports.port[4] = 5000;
	b.ports.cnt = 5;
	b.spis = (struct rsip_spi_set){ .range_cnt = 2, .range = range };
}

static const struct rsip_alloc_event starts = { .now_ns = AT(0), .since_ns = AT(0), .iface = "priv0" };

static void expect_line(const struct rsip_alloc_event *ev, const char *want)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	rsip_alloclog_line(to, ev, &host_a, &b);
	fclose(to);
	cr_assert_str_eq(text, want);
	free(text);
}

Test(alloclog, the_start_of_a_lease)
{
	given(RSIP_METHOD_RSIPSEC);
	expect_line(&starts, "rsip-lease v1 start 2023-11-14T22:13:20.250000Z host=10.0.0.11 interface=priv0 client=7 bind=99 "
			     "method=RSIPSEC local=203.0.113.1 ports=4000-4003,5000 spis=0xc0010000-0xc0010003,0x00001000 "
			     "since=2023-11-14T22:13:20.250000Z\n");
}

Test(alloclog, its_end_says_all_of_it_again_and_why)
{
	struct rsip_alloc_event ends = { .now_ns = AT(60), .since_ns = AT(0), .iface = "priv0", .ends = true, .why = RSIP_END_EXPIRED };

	given(RSIP_METHOD_RSAP_IP);
	b.spis.range_cnt = 0;
	expect_line(&ends, "rsip-lease v1 end 2023-11-14T22:14:20.250000Z host=10.0.0.11 interface=priv0 client=7 bind=99 "
			   "method=RSAP-IP local=203.0.113.1 ports=4000-4003,5000 spis=- "
			   "since=2023-11-14T22:13:20.250000Z reason=expired\n");
}

Test(alloclog, a_whole_address)
{
	given(RSIP_METHOD_RSA_IP);
	b.ports.cnt = 0;
	b.spis.range_cnt = 0;
	expect_line(&starts, "rsip-lease v1 start 2023-11-14T22:13:20.250000Z host=10.0.0.11 interface=priv0 client=7 bind=99 "
			     "method=RSA-IP local=203.0.113.1 ports=all spis=all since=2023-11-14T22:13:20.250000Z\n");
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/rsip-alloclog-XXXXXX", path[64], other[64], journal[64];
static const char *failed;

static void file_up(void)
{
	given(RSIP_METHOD_RSAP_IP);
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(other, sizeof(other), "%s/log.1", folder);
	snprintf(journal, sizeof(journal), "%s/journal", folder);
}

static void file_down(void)
{
	unlink(path);
	unlink(other);
	unlink(journal);
	rmdir(folder);
}

TestSuite(alloclog_file, .init = file_up, .fini = file_down);

static int lines(const char *of)
{
	FILE *f = fopen(of, "r");
	int n = 0, c;

	while (f && (c = fgetc(f)) != EOF)
		n += c == '\n';
	if (f)
		fclose(f);
	return n;
}

Test(alloclog_file, goes_on_in_the_same_file_and_only_for_owner_and_group)
{
	struct rsip_alloclog *log;
	struct stat st;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(rsip_alloclog_open(path, "", getuid(), getgid(), &log, &failed), 0);
		rsip_alloclog_write(log, &starts, &host_a, &b);
		cr_assert_eq(rsip_alloclog_stats(log).written, 1);
		rsip_alloclog_close(log);
	}
	cr_assert_eq(lines(path), 2);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07, 0);
}

Test(alloclog_file, follows_a_rotation)
{
	struct rsip_alloclog *log;

	cr_assert_eq(rsip_alloclog_open(path, "", getuid(), getgid(), &log, &failed), 0);
	rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_eq(rename(path, other), 0);
	rsip_alloclog_write(log, &starts, &host_a, &b);
	rsip_alloclog_check(log);
	rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_eq(lines(other), 2);
	cr_assert_eq(lines(path), 1);
	rsip_alloclog_close(log);
}

Test(alloclog_file, a_link_is_refused)
{
	struct rsip_alloclog *log = NULL;

	cr_assert_eq(symlink(other, path), 0);
	cr_assert_eq(rsip_alloclog_open(path, "", getuid(), getgid(), &log, &failed), -ELOOP);
}

Test(alloclog_file, a_disk_that_is_read_only_at_the_start)
{
	struct rsip_alloclog *log = NULL;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", folder, "tmpfs", MS_RDONLY, NULL))
		cr_skip_test("needs CAP_SYS_ADMIN to mount a small file system: run as root");
	cr_assert_eq(rsip_alloclog_open(path, "", getuid(), getgid(), &log, &failed), 0, "rsipd starts");
	rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_eq(rsip_alloclog_stats(log).failed, 1);
	rsip_alloclog_check(log);
	cr_assert_eq(mount(NULL, folder, NULL, MS_REMOUNT, NULL), 0);
	rsip_alloclog_check(log);
	rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_eq(rsip_alloclog_stats(log).written, 1);
	cr_assert_eq(lines(path), 1);
	rsip_alloclog_close(log);
	umount(folder);
}

/* A file system of one page: what does not fit is counted, and a torn line never runs into the next. */
Test(alloclog_file, a_full_disk)
{
	struct rsip_alloclog *log;
	char *text = NULL, *line;
	size_t size = 0;
	int whole = 0;
	FILE *f;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", folder, "tmpfs", 0, "size=4096"))
		cr_skip_test("needs CAP_SYS_ADMIN to mount a small file system: run as root");
	cr_assert_eq(rsip_alloclog_open(path, "", getuid(), getgid(), &log, &failed), 0);
	for (int i = 0; i < 100; i++)
		rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_gt(rsip_alloclog_stats(log).failed, 50);
	cr_assert_eq(rsip_alloclog_stats(log).failed + rsip_alloclog_stats(log).written, 100);
	cr_assert_eq(mount(NULL, folder, NULL, MS_REMOUNT, "size=65536"), 0);
	rsip_alloclog_write(log, &starts, &host_a, &b);
	f = fopen(path, "r");
	while (getline(&text, &size, f) > 0) {
		line = strstr(text + 1, "rsip-lease");
		cr_assert_null(line, "two in one line: %s", text);
		whole += strstr(text, "since=2023-11-14T22:13:20.250000Z\n") != NULL;
	}
	cr_assert_eq(whole, rsip_alloclog_stats(log).written);
	fclose(f);
	free(text);
	rsip_alloclog_close(log);
	umount(folder);
}

/* ---- the journal ------------------------------------------------------------------------------------------------ */

static int journald(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", journal);
	cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static struct rsip_alloclog *to_journal(const char *file)
{
	struct rsip_alloclog *log;

	cr_assert_eq(rsip_alloclog_open(file, journal, getuid(), getgid(), &log, &failed), 0);
	return log;
}

Test(alloclog_file, the_journal_gets_the_line_with_fields_to_search_for)
{
	struct rsip_alloc_event ends = { .now_ns = AT(60), .since_ns = AT(0), .iface = "priv0", .ends = true, .why = RSIP_END_HOST };
	int fd = journald();
	struct rsip_alloclog *log = to_journal("");
	char got[1000];
	ssize_t n;

	rsip_alloclog_write(log, &starts, &host_a, &b);
	rsip_alloclog_write(log, &ends, &host_a, &b);
	n = recv(fd, got, sizeof(got) - 1, 0);
	cr_assert_gt(n, 0);
	got[n] = '\0';
	cr_assert_str_eq(got, "MESSAGE=rsip-lease v1 start 2023-11-14T22:13:20.250000Z host=10.0.0.11 interface=priv0 client=7 "
			      "bind=99 method=RSAP-IP local=203.0.113.1 ports=4000-4003,5000 "
			      "spis=0xc0010000-0xc0010003,0x00001000 since=2023-11-14T22:13:20.250000Z\n"
			      "PRIORITY=6\nSYSLOG_IDENTIFIER=rsip-lease\nRSIP_EVENT=start\nRSIP_HOST=10.0.0.11\n"
			      "RSIP_LOCAL=203.0.113.1\nRSIP_CLIENT=7\nRSIP_BIND=99\n");
	n = recv(fd, got, sizeof(got) - 1, 0);
	cr_assert_gt(n, 0);
	got[n] = '\0';
	cr_assert_not_null(strstr(got, "reason=host\nPRIORITY"), "%s", got);
	cr_assert_not_null(strstr(got, "RSIP_EVENT=end\n"), "%s", got);
	cr_assert_eq(rsip_alloclog_stats(log).written, 2);
	cr_assert_neq(access(path, F_OK), 0, "no file is made");
	rsip_alloclog_check(log);
	cr_assert_neq(access(path, F_OK), 0, "nor later");
	rsip_alloclog_close(log);
	close(fd);
}

Test(alloclog_file, a_journal_that_does_not_read_or_is_away_holds_nothing_up)
{
	int fd = journald(), sent = 0;
	struct rsip_alloclog *log = to_journal(path);
	char got[1000];

	while (sent < 5000 && !rsip_alloclog_stats(log).failed) {
		rsip_alloclog_write(log, &starts, &host_a, &b);
		sent++;
	}
	cr_assert_eq(rsip_alloclog_stats(log).failed, 1, "its queue is full, we do not wait");
	cr_assert_eq(lines(path), sent, "the file has all of them");
	close(fd);
	unlink(journal);
	rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_eq(rsip_alloclog_stats(log).failed, 2);
	fd = journald(); /* started anew */
	rsip_alloclog_write(log, &starts, &host_a, &b);
	cr_assert_eq(rsip_alloclog_stats(log).failed, 2);
	cr_assert_gt(recv(fd, got, sizeof(got), 0), 0);
	rsip_alloclog_close(log);
	close(fd);
}

Test(alloclog_file, without_a_journal_it_is_not_opened)
{
	struct rsip_alloclog *log = NULL;

	cr_assert_eq(rsip_alloclog_open(path, journal, getuid(), getgid(), &log, &failed), -ENOENT);
	cr_assert_str_eq(failed, journal);
	cr_assert_eq(rsip_alloclog_open("/nowhere/log", "", getuid(), getgid(), &log, &failed), -ENOENT);
	cr_assert_str_eq(failed, "/nowhere/log");
}
