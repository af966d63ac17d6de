// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cursor.h"

#define FILE_MAX 1024

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool rsip_auth_secret_parse(const char *text, struct rsip_auth_key *key)
{
	size_t len = strlen(text) / 2;

	if (strlen(text) % 2 || len < RSIP_AUTH_SECRET_MIN || len > RSIP_AUTH_SECRET_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key->secret[i] = (uint8_t)(high << 4 | low);
	}
	key->len = (uint8_t)len;
	return true;
}

/* Whoever can read the key can be the host; whoever can write it, too. */
static const char *mode_fault(int fd, uid_t owner)
{
	struct stat st;

	if (fstat(fd, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "is no regular file";
	if (st.st_uid != 0 && st.st_uid != owner && st.st_uid != geteuid())
		return "belongs neither to root nor to the program's user";
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return "may be read by others or written by its group: chmod 0640";
	return NULL;
}

const char *rsip_auth_secret_load(const char *path, uid_t owner, struct rsip_auth_key *key)
{
	char text[FILE_MAX + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const char *fault;
	ssize_t len;

	if (fd < 0)
		return strerror(errno);
	fault = mode_fault(fd, owner);
	len = fault ? 0 : read(fd, text, FILE_MAX);
	close(fd);
	if (fault)
		return fault;
	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, " \t\r\n")] = '\0';
	if (!rsip_auth_secret_parse(text, key))
		fault = "holds no secret: one line of 32 to 128 hexadecimal digits";
	explicit_bzero(text, sizeof(text));
	return fault;
}

static bool is_auth(uint8_t type, size_t len, const struct rsip_reader *behind)
{
	return type == RSIP_PARAM_AUTH && len == RSIP_AUTH_LEN && rsip_reader_left(behind) == 0;
}

bool rsip_auth_find(const uint8_t *msg, size_t len, struct rsip_auth *out)
{
	struct rsip_reader r = rsip_reader_on(msg, len), value = r;
	uint8_t type = 0;
	uint16_t size = 0;

	rsip_read_part(&r, RSIP_HDR_LEN);
	while (rsip_reader_left(&r) >= RSIP_TLV_LEN && !r.failed) {
		type = rsip_read_u8(&r);
		size = rsip_read_u16(&r);
		value = rsip_read_part(&r, size);
	}
	if (r.failed || !is_auth(type, size, &r))
		return false;
	out->key_id = rsip_read_u32(&value);
	out->seq = (uint64_t)rsip_read_u32(&value) << 32;
	out->seq |= rsip_read_u32(&value);
	rsip_read_bytes(&value, out->mac, sizeof(out->mac));
	return true;
}

void rsip_auth_add(struct rsip_message *m, uint32_t key_id, uint64_t seq)
{
	struct rsip_writer w = rsip_writer_on(m->auth, sizeof(m->auth));
	static const uint8_t none[RSIP_AUTH_MAC_LEN];

	rsip_write_u32(&w, key_id);
	rsip_write_u32(&w, (uint32_t)(seq >> 32));
	rsip_write_u32(&w, (uint32_t)seq);
	rsip_write_bytes(&w, none, sizeof(none));
	m->has |= RSIP_HAS_AUTH;
}

static void compute(const struct rsip_auth_key *key, uint8_t direction, const uint8_t *request, const uint8_t *msg,
		    size_t len, uint8_t mac[RSIP_AUTH_MAC_LEN])
{
	static const uint8_t none[RSIP_AUTH_MAC_LEN];
	struct hmac_sha256_ctx ctx;

	hmac_sha256_set_key(&ctx, key->len, key->secret);
	hmac_sha256_update(&ctx, 1, &direction);
	if (direction == RSIP_AUTH_FROM_GATEWAY)
		hmac_sha256_update(&ctx, RSIP_AUTH_MAC_LEN, request ? request : none);
	hmac_sha256_update(&ctx, len - RSIP_AUTH_MAC_LEN, msg);
	hmac_sha256_update(&ctx, RSIP_AUTH_MAC_LEN, none);
	hmac_sha256_digest(&ctx, RSIP_AUTH_MAC_LEN, mac);
}

void rsip_auth_sign(const struct rsip_auth_key *key, enum rsip_auth_direction direction, const uint8_t *request,
		    uint8_t *msg, size_t len)
{
	compute(key, direction, request, msg, len, msg + len - RSIP_AUTH_MAC_LEN);
}

bool rsip_auth_check(const struct rsip_auth_key *key, enum rsip_auth_direction direction, const uint8_t *request,
		     const uint8_t *msg, size_t len)
{
	uint8_t mac[RSIP_AUTH_MAC_LEN];

	compute(key, direction, request, msg, len, mac);
	return memeql_sec(mac, msg + len - RSIP_AUTH_MAC_LEN, RSIP_AUTH_MAC_LEN);
}
