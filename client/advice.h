/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What to do about a gateway that refuses. */
#ifndef RSIP_CLIENT_ADVICE_H
#define RSIP_CLIENT_ADVICE_H

#include <stddef.h>

/* Advice for an error of RFC 3103 Appendix A or RFC 3104 Appendix B; NULL: a number nobody defined.
 */
const char *rsip_advice(unsigned int err);
/*
 * One sentence about what the session reported: err > 0 an RSIP error with its advice, < 0 a
 * negative errno.  Returns text, cut to size.
 */
const char *rsip_advice_text(int err, char *text, size_t size);

#endif
