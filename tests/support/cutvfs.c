// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cutvfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "seeded.h"

#define FILES 4
#define SECTOR 512

struct disk_file {
	char name[64];
	bool exists;
	uint8_t *bytes;
	sqlite3_int64 size, room;
};

enum op_kind { OP_CREATE, OP_WRITE, OP_TRUNCATE, OP_SYNC, OP_DELETE };

struct op {
	enum op_kind kind;
	int file;
	sqlite3_int64 at;
	int len;
	uint8_t *bytes;
};

struct handle {
	sqlite3_file base;
	int file;
	int level; /* its lock on the file */
	int held[8]; /* its locks on the index: 0, 1 shared, -1 exclusive */
};

static struct disk_file now_[FILES], begin[FILES]; /* as written; as the log begins */
static struct op *log_;
static uint32_t log_cnt, log_room, saved_cnt;
static enum cut_fault fault;
static sqlite3_vfs vfs, *real;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all above: the store folds its log in a thread of its own */

/* The index of the write-ahead log, which two connections share; it is memory, and no power cut leaves any of it. */
#define SHM_REGIONS 64
#define SHM_LOCKS 8

static void *region[SHM_REGIONS];
static int readers[FILES]; /* handles with a lock on the file, of whatever level */
static struct handle *writer[FILES]; /* the one that has more than a shared one */
static int holders[SHM_LOCKS]; /* of each lock: -1 one for itself alone */

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static void reserve(struct disk_file *f, sqlite3_int64 size)
{
	if (size <= f->room)
		return;
	f->bytes = realloc(f->bytes, (size_t)(2 * size));
	memset(f->bytes + f->room, 0, (size_t)(2 * size - f->room));
	f->room = 2 * size;
}

static void file_write(struct disk_file *f, sqlite3_int64 at, const uint8_t *bytes, int len)
{
	reserve(f, at + len);
	memcpy(f->bytes + at, bytes, (size_t)len);
	if (at + len > f->size)
		f->size = at + len;
}

static void file_truncate(struct disk_file *f, sqlite3_int64 size)
{
	reserve(f, size);
	if (size < f->size)
		memset(f->bytes + size, 0, (size_t)(f->size - size));
	f->size = size;
}

static void file_copy(struct disk_file *to, const struct disk_file *from)
{
	to->exists = from->exists;
	memcpy(to->name, from->name, sizeof(to->name));
	to->size = 0;
	file_truncate(to, from->size);
	if (from->size)
		memcpy(to->bytes, from->bytes, (size_t)from->size);
}

static void file_apply(struct disk_file *f, const struct op *op)
{
	switch (op->kind) {
	case OP_CREATE:
		f->exists = true;
		f->size = 0;
		break;
	case OP_WRITE:
		file_write(f, op->at, op->bytes, op->len);
		break;
	case OP_TRUNCATE:
		file_truncate(f, op->at);
		break;
	case OP_DELETE:
		f->exists = false;
		f->size = 0;
		break;
	case OP_SYNC:
		break;
	}
}

static void op_add(enum op_kind kind, int file, sqlite3_int64 at, const void *bytes, int len)
{
	struct op *op;

	if (log_cnt == log_room) {
		log_room = log_room ? 2 * log_room : 1024;
		log_ = realloc(log_, log_room * sizeof(*log_));
	}
	op = &log_[log_cnt++];
	*op = (struct op){ .kind = kind, .file = file, .at = at, .len = len };
	if (len) {
		op->bytes = malloc((size_t)len);
		memcpy(op->bytes, bytes, (size_t)len);
	}
	file_apply(&now_[file], op);
}

static int file_named(const char *name, bool make)
{
	const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;

	for (int i = 0; i < FILES; i++)
		if (now_[i].exists && !strcmp(now_[i].name, base))
			return i;
	for (int i = 0; make && i < FILES; i++) {
		if (now_[i].exists || (now_[i].name[0] && strcmp(now_[i].name, base)))
			continue;
		strncpy(now_[i].name, base, sizeof(now_[i].name) - 1);
		op_add(OP_CREATE, i, 0, NULL, 0);
		return i;
	}
	return -1;
}

/* ---- the VFS: what SQLite calls ---------------------------------------------------------------------------------------- */

#define FILE_OF(f) (&now_[((struct handle *)(f))->file])

static int x_unlock(sqlite3_file *f, int level);

static int x_close(sqlite3_file *f)
{
	return x_unlock(f, SQLITE_LOCK_NONE);
}

static int x_read_alone(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	struct disk_file *d = FILE_OF(f);
	sqlite3_int64 have = at < d->size ? d->size - at : 0;

	if (have > len)
		have = len;
	if (have)
		memcpy(to, d->bytes + at, (size_t)have);
	if (have == len)
		return SQLITE_OK;
	memset((uint8_t *)to + have, 0, (size_t)(len - have));
	return SQLITE_IOERR_SHORT_READ;
}

static int x_read(sqlite3_file *f, void *to, int len, sqlite3_int64 at)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_read_alone(f, to, len, at);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int failed(void)
{
	return fault == CUT_FULL ? SQLITE_FULL : fault == CUT_READONLY ? SQLITE_READONLY : SQLITE_OK;
}

static int x_write_alone(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
	if (failed())
		return failed();
	op_add(OP_WRITE, ((struct handle *)f)->file, at, from, len);
	return SQLITE_OK;
}

static int x_write(sqlite3_file *f, const void *from, int len, sqlite3_int64 at)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_write_alone(f, from, len, at);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_truncate_alone(sqlite3_file *f, sqlite3_int64 size)
{
	op_add(OP_TRUNCATE, ((struct handle *)f)->file, size, NULL, 0);
	return SQLITE_OK;
}

static int x_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_truncate_alone(f, size);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_sync_alone(sqlite3_file *f, int flags)
{
	(void)flags;
	if (fault == CUT_SYNC)
		return SQLITE_IOERR_FSYNC;
	op_add(OP_SYNC, ((struct handle *)f)->file, 0, NULL, 0);
	return SQLITE_OK;
}

static int x_sync(sqlite3_file *f, int flags)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_sync_alone(f, flags);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_size_alone(sqlite3_file *f, sqlite3_int64 *size)
{
	*size = FILE_OF(f)->size;
	return SQLITE_OK;
}

static int x_size(sqlite3_file *f, sqlite3_int64 *size)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_size_alone(f, size);
	pthread_mutex_unlock(&mutex);
	return rc;
}

/* Of the levels what matters: one writes, and one that wants the file for itself waits for all others. */
static int x_lock(sqlite3_file *f, int level)
{
	struct handle *h = (struct handle *)f;
	int others, rc = SQLITE_OK;

	pthread_mutex_lock(&mutex);
	others = readers[h->file] - (h->level > SQLITE_LOCK_NONE);
	if (level > SQLITE_LOCK_SHARED && ((writer[h->file] && writer[h->file] != h) || (level == SQLITE_LOCK_EXCLUSIVE && others)))
		rc = SQLITE_BUSY;
	if (!rc && level > h->level) {
		readers[h->file] += h->level == SQLITE_LOCK_NONE;
		if (level > SQLITE_LOCK_SHARED)
			writer[h->file] = h;
		h->level = level;
	}
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_unlock(sqlite3_file *f, int level)
{
	struct handle *h = (struct handle *)f;

	pthread_mutex_lock(&mutex);
	if (level <= SQLITE_LOCK_SHARED && writer[h->file] == h)
		writer[h->file] = NULL;
	if (level == SQLITE_LOCK_NONE)
		readers[h->file] -= h->level > SQLITE_LOCK_NONE;
	h->level = level < h->level ? level : h->level;
	pthread_mutex_unlock(&mutex);
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
	return 0; /* promises nothing */
}

static int x_shm_map(sqlite3_file *f, int n, int size, int extend, void volatile **out)
{
	(void)f;
	pthread_mutex_lock(&mutex);
	if (n < SHM_REGIONS && !region[n] && extend)
		region[n] = calloc(1, (size_t)size);
	*out = n < SHM_REGIONS ? region[n] : NULL;
	pthread_mutex_unlock(&mutex);
	return n < SHM_REGIONS ? SQLITE_OK : SQLITE_NOMEM;
}

static int shm_take(struct handle *h, int from, int to, bool alone)
{
	for (int i = from; i < to; i++)
		if (!h->held[i] && (alone ? holders[i] != 0 : holders[i] < 0))
			return SQLITE_BUSY;
	for (int i = from; i < to; i++) {
		if (h->held[i])
			continue;
		h->held[i] = alone ? -1 : 1;
		holders[i] += h->held[i];
	}
	return SQLITE_OK;
}

static int x_shm_lock(sqlite3_file *f, int from, int cnt, int flags)
{
	struct handle *h = (struct handle *)f;
	int rc = SQLITE_OK;

	pthread_mutex_lock(&mutex);
	if (flags & SQLITE_SHM_LOCK)
		rc = shm_take(h, from, from + cnt, flags & SQLITE_SHM_EXCLUSIVE);
	for (int i = from; i < from + cnt && flags & SQLITE_SHM_UNLOCK; i++) {
		holders[i] -= h->held[i];
		h->held[i] = 0;
	}
	pthread_mutex_unlock(&mutex);
	return rc;
}

static void x_shm_barrier(sqlite3_file *f)
{
	(void)f;
	__sync_synchronize();
}

static void shm_forget(void)
{
	for (int i = 0; i < SHM_REGIONS; i++) {
		free(region[i]);
		region[i] = NULL;
	}
	memset(holders, 0, sizeof(holders));
}

static int x_shm_unmap(sqlite3_file *f, int gone)
{
	(void)f;
	if (gone)
		shm_forget();
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
	.iVersion = 2,
	.xShmMap = x_shm_map,
	.xShmLock = x_shm_lock,
	.xShmBarrier = x_shm_barrier,
	.xShmUnmap = x_shm_unmap,
	.xClose = x_close,
	.xRead = x_read,
	.xWrite = x_write,
	.xTruncate = x_truncate,
	.xSync = x_sync,
	.xFileSize = x_size,
	.xLock = x_lock,
	.xUnlock = x_unlock,
	.xCheckReservedLock = x_check,
	.xFileControl = x_control,
	.xSectorSize = x_sector,
	.xDeviceCharacteristics = x_device,
};

static int x_open_alone(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct handle *h = (struct handle *)f;

	(void)v;
	memset(h, 0, sizeof(*h));
	if (fault == CUT_READONLY && flags & SQLITE_OPEN_READWRITE) /* as the system's does */
		flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
	h->file = file_named(name ? name : "temporary", flags & SQLITE_OPEN_CREATE);
	if (h->file < 0)
		return SQLITE_CANTOPEN;
	h->base.pMethods = &methods;
	if (out)
		*out = flags;
	return SQLITE_OK;
}

static int x_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *out)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_open_alone(v, name, f, flags, out);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_delete_alone(sqlite3_vfs *v, const char *name, int sync)
{
	int file = file_named(name, false);

	(void)v;
	if (file < 0)
		return SQLITE_IOERR_DELETE_NOENT;
	op_add(OP_DELETE, file, 0, NULL, 0);
	if (sync)
		op_add(OP_SYNC, file, 0, NULL, 0);
	return SQLITE_OK;
}

static int x_delete(sqlite3_vfs *v, const char *name, int sync)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_delete_alone(v, name, sync);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_access_alone(sqlite3_vfs *v, const char *name, int flags, int *out)
{
	(void)v;
	(void)flags;
	*out = file_named(name, false) >= 0;
	return SQLITE_OK;
}

static int x_access(sqlite3_vfs *v, const char *name, int flags, int *out)
{
	int rc;

	pthread_mutex_lock(&mutex);
	rc = x_access_alone(v, name, flags, out);
	pthread_mutex_unlock(&mutex);
	return rc;
}

static int x_full(sqlite3_vfs *v, const char *name, int size, char *out)
{
	(void)v;
	strncpy(out, name, (size_t)size);
	return SQLITE_OK;
}

void cut_start(void)
{
	real = sqlite3_vfs_find(NULL);
	vfs = *real;
	vfs.iVersion = 1;
	vfs.szOsFile = sizeof(struct handle);
	vfs.zName = "cut";
	vfs.xOpen = x_open;
	vfs.xDelete = x_delete;
	vfs.xAccess = x_access;
	vfs.xFullPathname = x_full;
	fault = CUT_NONE;
	sqlite3_vfs_register(&vfs, 1);
}

static void log_clear(uint32_t from)
{
	while (log_cnt > from)
		free(log_[--log_cnt].bytes);
}

void cut_stop(void)
{
	sqlite3_vfs_unregister(&vfs);
	shm_forget();
	log_clear(0);
	free(log_);
	log_ = NULL;
	log_room = 0;
	for (int i = 0; i < FILES; i++) {
		free(now_[i].bytes);
		free(begin[i].bytes);
	}
	memset(now_, 0, sizeof(now_));
	memset(begin, 0, sizeof(begin));
}

void cut_fault(enum cut_fault which)
{
	fault = which;
}

uint32_t cut_ops(void)
{
	uint32_t cnt;

	pthread_mutex_lock(&mutex);
	cnt = log_cnt;
	pthread_mutex_unlock(&mutex);
	return cnt;
}

/* ---- power cuts -------------------------------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *seed)
{
	return seeded_step(seed) >> 33;
}

/* A write that no sync followed: some of its sectors are there. */
static void tear(struct disk_file *f, const struct op *op, uint64_t *seed)
{
	for (int at = 0; at < op->len; at += SECTOR) {
		int len = op->len - at < SECTOR ? op->len - at : SECTOR;

		if (next(seed) % 2)
			file_write(f, op->at + at, op->bytes + at, len);
	}
}

/* What is left: how the write-back of a disk goes: all, a beginning, or any part of it. */
static void apply_loose(struct disk_file *f, const struct op *op, unsigned int manner, uint64_t *seed)
{
	if (manner == 0 || op->kind == OP_CREATE)
		file_apply(f, op); /* all of it had gone out */
	else if (manner == 1)
		return; /* nothing had */
	else if (op->kind == OP_WRITE)
		tear(f, op, seed);
	else if (next(seed) % 2)
		file_apply(f, op);
}

void cut_power(uint32_t ops, uint64_t seed)
{
	struct disk_file disk[FILES] = { { .exists = false } };
	unsigned int manner[FILES];
	bool *hard = calloc(ops + 1U, sizeof(*hard)), later[FILES] = { false };

	for (uint32_t i = ops; i--;) {
		hard[i] = later[log_[i].file];
		later[log_[i].file] |= log_[i].kind == OP_SYNC;
	}
	for (int i = 0; i < FILES; i++) {
		file_copy(&disk[i], &begin[i]);
		memcpy(disk[i].name, now_[i].name, sizeof(disk[i].name));
		manner[i] = (unsigned int)(next(&seed) % 4);
	}
	for (uint32_t i = 0; i < ops; i++) {
		if (hard[i])
			file_apply(&disk[log_[i].file], &log_[i]);
		else
			apply_loose(&disk[log_[i].file], &log_[i], manner[log_[i].file], &seed);
	}
	for (int i = 0; i < FILES; i++) {
		file_copy(&now_[i], &disk[i]);
		free(disk[i].bytes);
	}
	free(hard);
	saved_cnt = log_cnt;
	fault = CUT_NONE;
}

void cut_save(void)
{
	for (int i = 0; i < FILES; i++)
		file_copy(&begin[i], &now_[i]);
	log_clear(0);
}

/* Back to the whole log, after a look at what one cut left. */
void cut_restore(void)
{
	log_clear(saved_cnt);
	for (int i = 0; i < FILES; i++)
		file_copy(&now_[i], &begin[i]);
	for (uint32_t i = 0; i < log_cnt; i++)
		file_apply(&now_[log_[i].file], &log_[i]);
}
