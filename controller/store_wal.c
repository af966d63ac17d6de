// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Room for the write-ahead log.  A flush of a file that has grown costs the file system a transaction of its own, two to
 * five times what a flush of old blocks costs.  So the log is as long as it ever gets from the start, and stays so.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "log.h"
#include "store_sqlite.h"

#define FRAME (4096 + 24) /* a page and its head */
#define CHUNK (1024 * 1024)
#define PART 8 /* of what is free on the disk it may take */

/* Zeros behind its end: no frame begins with them, so that SQLite takes them for nothing. */
static int lengthen(int fd, off_t from, off_t to)
{
	uint8_t *zeros = calloc(1, CHUNK);
	int err = zeros ? 0 : -1;

	for (off_t at = from; at < to && !err; at += CHUNK) {
		size_t len = to - at < CHUNK ? (size_t)(to - at) : CHUNK;

		err = pwrite(fd, zeros, len, at) == (ssize_t)len ? 0 : -1;
	}
	free(zeros);
	if (!err)
		err = fsync(fd);
	if (err && ftruncate(fd, from))
		log_debug("cannot shorten the lease store's log again");
	return err;
}

void rsip_sqlite_make_room(struct sqlite_store *s)
{
	const off_t want = (off_t)RSIP_STORE_WAL_PAGES * 2 * FRAME; /* commits go on while it is folded back */
	char path[sizeof(s->path) + 8];
	struct statvfs disk;
	struct stat st;
	int keep = 1, fd;

	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep);
	snprintf(path, sizeof(path), "%s-wal", s->path);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) /* not yet: the next start finds it */
		return;
	if (!fstat(fd, &st) && st.st_size < want && !fstatvfs(fd, &disk) &&
	    (uint64_t)disk.f_bavail * disk.f_frsize / PART > (uint64_t)want)
		lengthen(fd, st.st_size, want);
	close(fd);
}
