// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdio.h>
#include <string.h>
#include "manual.h"
#include "util.h"

static void hex(const uint8_t *bytes, size_t len, char *text)
{
	for (size_t i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", bytes[i]);
}

static int state(const struct rsip_manual *m, bool inward, char *out, size_t size)
{
	char enc[33], auth[65], cipher[64] = "";
	__be32 src = inward ? m->peer : m->local, dst = inward ? m->local : m->peer;

	hex(m->keys[!inward].enc, 16, enc);
	hex(m->keys[!inward].auth, 32, auth);
	if (!m->ah)
		snprintf(cipher, sizeof(cipher), " enc 'cbc(aes)' 0x%s", enc);
	return snprintf(out, size,
			"ip xfrm state add src %s dst %s proto %s spi 0x%08x mode %s "
			"auth-trunc 'hmac(sha256)' 0x%s 128%s\n",
			rsip_ip4(src), rsip_ip4(dst), m->ah ? "ah" : "esp",
			inward ? m->spi_in : m->spi_out, m->inner ? "tunnel" : "transport", auth,
			cipher);
}

/* dir: as seen from the end whose policy it is. */
static int policy(const struct rsip_manual *m, bool inward, const char *dir, char *out, size_t size)
{
	__be32 ours = m->inner ? m->inner : m->local;
	__be32 from = inward ? m->peer : ours, to = inward ? ours : m->peer;

	return snprintf(out, size,
			"ip xfrm policy add src %s/32 dst %s/32 dir %s tmpl src %s dst %s proto %s "
			"mode %s\n",
			rsip_ip4(from), rsip_ip4(to), dir, rsip_ip4(inward ? m->peer : m->local),
			rsip_ip4(inward ? m->local : m->peer), m->ah ? "ah" : "esp",
			m->inner ? "tunnel" : "transport");
}

void rsip_manual_text(const struct rsip_manual *m, bool peers_end, char text[RSIP_MANUAL_TEXT])
{
	size_t len = state(m, true, text, RSIP_MANUAL_TEXT);

	len += state(m, false, text + len, RSIP_MANUAL_TEXT - len);
	len += policy(m, true, peers_end ? "out" : "in", text + len, RSIP_MANUAL_TEXT - len);
	len += policy(m, false, peers_end ? "in" : "out", text + len, RSIP_MANUAL_TEXT - len);
	if (m->inner && !peers_end)
		snprintf(text + len, RSIP_MANUAL_TEXT - len, "ip addr replace %s/32 dev lo\n",
			 rsip_ip4(m->inner));
}
