// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any bytes to the codec.  What it takes for a message, it must write so that it reads as the same
 * one again. Built with -DFUZZ_MAIN it is a plain program that reads files.
 */
#include <string.h>

#include "codec.h"
#include "fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rsip_message m, again;
	static uint8_t out[RSIP_MSG_MAX], twice[RSIP_MSG_MAX];
	char text[300];
	int n, n2;

	must(rsip_decode_head(data, size, &m) <= RSIP_ERR_BAD_MESSAGE);
	rsip_message_text(&m, text, sizeof(text));
	if (rsip_decode(data, size, &m) != RSIP_OK)
		return 0;
	rsip_message_text(&m, text, sizeof(text));
	n = rsip_encode(&m, out, sizeof(out));
	if (m.spis.form == RSIP_FORM_LIST && m.spis.cnt > RSIP_SPI_LIST_MAX)
		return 0; /* not all of it was kept */
	must(n > 0 && rsip_decode(out, n, &again) == RSIP_OK);
	n2 = rsip_encode(&again, twice, sizeof(twice));
	must(n == n2 && !memcmp(out, twice, n));
	return 0;
}
