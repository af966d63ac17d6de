// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "store_overlay.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define CHUNK 4096
#define SECTOR 512

struct chunk { /* that was written */
	sqlite3_int64 number;
	UT_hash_handle hh;
	uint8_t bytes[CHUNK];
};

struct overlay {
	sqlite3_file base; /* first */
	sqlite3_file *under; /* NULL: there is no such file */
	sqlite3_int64 size;
	sqlite3_int64 kept; /* of the file under it: what was cut off and grew again is zero */
	struct chunk *chunks;
};

static sqlite3_vfs vfs, *real;

/* ---- chunks --------------------------------------------------------------------------------------------------------- */

static int read_under(struct overlay *o, void *to, int len, sqlite3_int64 at)
{
	sqlite3_int64 have = at < o->kept ? o->kept - at : 0;
	int rc = SQLITE_OK;

	if (have > len)
		have = len;
	if (have)
		rc = o->under->pMethods->xRead(o->under, to, (int)have, at);
	memset((uint8_t *)to + have, 0, (size_t)(len - have));
	return rc;
}

static struct chunk *chunk_find(struct overlay *o, sqlite3_int64 number)
{
	struct chunk *c;

	HASH_FIND(hh, o->chunks, &number, sizeof(number), c);
	return c;
}

/* With what is there. */
static struct chunk *chunk_get(struct overlay *o, sqlite3_int64 number)
{
	struct chunk *c = chunk_find(o, number);

	if (c)
		return c;
	c = malloc(sizeof(*c));
	if (!c)
		return NULL;
	c->number = number;
	if (read_under(o, c->bytes, CHUNK, number * CHUNK)) {
		free(c);
		return NULL;
	}
	HASH_ADD(hh, o->chunks, number, sizeof(c->number), c);
	return c;
}

static void chunks_drop(struct overlay *o, sqlite3_int64 from)
{
	struct chunk *c, *next;

	HASH_ITER(hh, o->chunks, c, next) {
		if (c->number < from)
			continue;
		HASH_DEL(o->chunks, c);
		free(c);
	}
}

/* Of the part of at .. at + len - 1 that lies in one chunk: its length. */
static int part_of(sqlite3_int64 at, int len)
{
	int room = (int)(CHUNK - at % CHUNK);

	return len < room ? len : room;
}

/* ---- the file: what SQLite calls --------------------------------------------------------------------------------------- */

static int x_close(sqlite3_file *f)
{
	struct overlay *o = (struct overlay *)f;

	chunks_drop(o, 0);
	return o->under ? o->under->pMethods->xClose(o->under) : SQLITE_OK;
}

static int x_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	struct overlay *o = (struct overlay *)f;
	bool short_read = at + len > o->size;

	for (int done = 0, part; done < len; done += part) {
		struct chunk *c = chunk_find(o, (at + done) / CHUNK);
		int rc = SQLITE_OK;

		part = part_of(at + done, len - done);
		if (c)
			memcpy((uint8_t *)to + done, c->bytes + (at + done) % CHUNK, (size_t)part);
		else
			rc = read_under(o, (uint8_t *)to + done, part, at + done);
		if (rc)
			return rc;
	}
	return short_read ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int x_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
	struct overlay *o = (struct overlay *)f;

	for (int done = 0, part; done < len; done += part) {
		struct chunk *c = chunk_get(o, (at + done) / CHUNK);

		if (!c)
			return SQLITE_IOERR_WRITE;
		part = part_of(at + done, len - done);
		memcpy(c->bytes + (at + done) % CHUNK, (const uint8_t *)from + done, (size_t)part);
	}
	if (at + len > o->size)
		o->size = at + len;
	return SQLITE_OK;
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct overlay *o = (struct overlay *)f;
	struct chunk *c = chunk_find(o, size / CHUNK);

	chunks_drop(o, size / CHUNK + 1);
	if (c)
		memset(c->bytes + size % CHUNK, 0, (size_t)(CHUNK - size % CHUNK));
	if (size < o->kept)
		o->kept = size;
	o->size = size;
	return SQLITE_OK;
}

static int x_sync(sqlite3_file *f, int flags)
{
	(void)f;
	(void)flags;
	return SQLITE_OK;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	*size = ((struct overlay *)f)->size;
	return SQLITE_OK;
}

static int x_lock(sqlite3_file *f, int level)
{
	(void)f;
	(void)level;
	return SQLITE_OK;
}

static int x_check(sqlite3_file *f, int *out)
{
	(void)f;
	*out = 0;
	return SQLITE_OK;
}

static int x_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int x_sector(sqlite3_file *f)
{
	(void)f;
	return SECTOR;
}

static int x_device(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static const sqlite3_io_methods methods = {
	.iVersion = 1, /* no shared memory: nobody else sees what is here */
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_lock,
	.xCheckReservedLock = x_check,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device,
};

/* ---- the VFS ------------------------------------------------------------------------------------------------------------- */

#define FOR_WRITING (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE | SQLITE_OPEN_DELETEONCLOSE)

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct overlay *o = (struct overlay *)f;
	int exists = 0, rc = SQLITE_OK;

	(void)v;
	memset(o, 0, sizeof(*o));
	if (name)
		rc = real->xAccess(real, name, SQLITE_ACCESS_EXISTS, &exists);
	if (!rc && exists) {
		o->under = (sqlite3_file *)(o + 1);
		memset(o->under, 0, (size_t)real->szOsFile);
		rc = real->xOpen(real, name, o->under, (flags & ~FOR_WRITING) | SQLITE_OPEN_READONLY, NULL);
		if (!rc)
			rc = o->under->pMethods->xFileSize(o->under, &o->size);
	}
	if (rc) {
		if (o->under && o->under->pMethods)
			o->under->pMethods->xClose(o->under);
		return rc;
	}
	o->kept = o->size;
	o->base.pMethods = &methods;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *v, const char *name, int sync)
{
	(void)v;
	(void)name;
	(void)sync;
	return SQLITE_OK; /* its bytes went when it was closed */
}

static int x_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
	(void)v;
	return real->xAccess(real, name, flags == SQLITE_ACCESS_READWRITE ? SQLITE_ACCESS_READ : flags, out);
}

int rsip_overlay_register(void)
{
	if (real)
		sqlite3_vfs_unregister(&vfs);
	real = sqlite3_vfs_find(NULL);
	if (!real)
		return -ENOMEM;
	vfs = *real;
	vfs.iVersion = 1;
	vfs.pNext = NULL;
	vfs.szOsFile = (int)sizeof(struct overlay) + real->szOsFile;
	vfs.zName = RSIP_OVERLAY_VFS;
	vfs.xOpen = x_open;
	vfs.xDelete = x_delete;
	vfs.xAccess = x_access;
	return sqlite3_vfs_register(&vfs, 0) ? -ENOMEM : 0;
}
