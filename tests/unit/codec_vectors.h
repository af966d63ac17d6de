/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Messages made by hand from the formats of RFC 3103 and 3104; documentation addresses; no
 * exchange, one by one. */
#ifndef CODEC_VECTORS_H
#define CODEC_VECTORS_H

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct vector {
	const char *name, *hex;
};

static const struct vector vectors[] = {
	{ "register-request", "0102000b 0b000400000001" },
	{ "register-response", "0103002e 04000400000001 03000400000258 0900020103 0b000400000001 "
			       "07000102 07000103 06000101 06000102" },
	{ "de-register-request", "01040012 04000400000001 0b000400000009" },
	{ "assign-request-rsipsec",
	  "01160025 04000400000001 01000101 020000 01000101 020000 1600020002 0b000400000002" },
	{ "assign-response-range-of-4", "0117003f 04000400000001 05000400000007 01000501cb007101 "
					"020000 01000101 020000 1600060004c0010000 "
					"03000400000708 06000101 0b000400000002" },
	{ "assign-response-list-of-2",
	  "01170043 04000400000001 05000400000007 01000501cb007101 020000 01000101 020000 "
	  "16000a0002c0010000c0020000 03000400000708 06000101 0b000400000002" },
	{ "assign-request-fqdn", "01080033 04000400000001 01000101 02000101 "
				 "010010047777772e6578616d706c652e636f6d 0200030101bb "
				 "0b00040000000a" },
	{ "assign-response-4-1234", "0109003a 04000400000001 05000400000001 01000501cb007101 "
				    "0200030404d2 01000101 02000101 03000400000708 "
				    "06000101 0b000400000003" },
	{ "assign-response-rsa-endpoint", "0107003c 04000400000001 05000400000008 01000501cb007111 "
					  "01000101 02000101 03000400000708 06000101 "
					  "010005010a000002 0b000400000007" },
	{ "extend-request",
	  "010a0020 04000400000001 05000400000007 03000400000708 0b000400000006" },
	{ "extend-response",
	  "010b0020 04000400000001 05000400000007 03000400000708 0b000400000006" },
	{ "free-response-asynchronous", "010d0019 04000400000001 05000400000007 0b000400000000" },
	{ "listen-response-micro", "01110040 04000400000001 05000400000009 01000501cb007101 "
				   "020003010802 01000501c6336406 020003010014 "
				   "06000101 03000400000258 0b000400000008" },
	{ "error-403", "01010017 0800020193 0b000400000004 04000400000001" },
	{ "query-request-address",
	  "010e001f 04000400000001 0b000400000005 0a00020001 010005010a000009" },
	{ "query-response-local-network",
	  "010f0027 04000400000001 0b000400000005 0a00020002 010005010a143c00 01000502ffffff00" },
	{ "register-request-mac",
	  "0102002a 0b000400000001 "
	  "f1001c000000010006400000000001df7bf8e6b8556b022b52ec1c47cccd6a" },
};

#define VECTOR_CNT (sizeof(vectors) / sizeof(vectors[0]))

/* Hexadecimal with blanks anywhere to bytes; returns how many. */
static inline size_t from_hex(const char *hex, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (char digits[3] = ""; *hex && n < size; hex += 2) {
		while (isspace((unsigned char)*hex))
			hex++;
		if (!*hex)
			break;
		digits[0] = hex[0];
		digits[1] = hex[1];
		out[n++] = strtoul(digits, NULL, 16);
	}
	return n;
}

#endif
