// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/advice.c: whoever is refused is told what to do. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "advice.h"
#include "rsip/wire.h"
#include "util.h"

static const unsigned int all[] = {
#define X(sym, val, name) val,
	RSIP_ERR_TABLE(X)
#undef X
};

Test(advice, there_is_some_for_every_error_of_the_rfcs)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(all); i++)
		cr_expect(rsip_advice(all[i]), "none for %s", rsip_err_name(all[i]));
}

Test(advice, the_sentence_has_name_number_and_advice_and_is_not_cut)
{
	char text[400], number[16];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(all); i++) {
		rsip_advice_text(all[i], text, sizeof(text));
		snprintf(number, sizeof(number), "(%u)", all[i]);
		cr_expect(strstr(text, rsip_err_name(all[i])), "%s", text);
		cr_expect(strstr(text, number), "%s", text);
		cr_expect(strstr(text, rsip_advice(all[i])), "cut: %s", text);
	}
}

Test(advice, a_number_that_nobody_defined_still_gives_a_sentence)
{
	char text[400];

	cr_assert_null(rsip_advice(999));
	cr_assert(strstr(rsip_advice_text(999, text, sizeof(text)), "999"));
}

Test(advice, what_the_host_finds_out_by_itself_is_told_in_words)
{
	static const struct {
		int err;
		const char *word;
	} row[] = {
		{-ETIMEDOUT, "does not answer"},
		{-EPROTO, "--private-addresses"},
		{-EADDRINUSE, "has already"},
		{-EPERM, "not permitted"},
	};
	char text[400];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(row); i++)
		cr_expect(strstr(rsip_advice_text(row[i].err, text, sizeof(text)), row[i].word),
			  "%s", text);
}
