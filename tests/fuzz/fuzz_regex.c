/* SPDX-License-Identifier: Apache-2.0 */
/* Input: '1' or another byte for "without regard to case" or not, the length of the expression, the expression, the text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/regex.h"
#include "tests/unit/regex_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(struct regex *re, const char *p, size_t plen, bool icase, const char *s, size_t len)
{
	struct re_tree t;
	struct regex_ref ref = { .t = &t };
	int want;

	if (!regex_ref_text(&ref, s, len) || re_parse(p, plen, icase, &t, NULL) < 0)
		return;
	want = regex_ref_match(&ref);
	re_tree_done(&t);
	if (want >= 0 && regex_match(re, s, len) != want)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(regex_free) struct regex *re = NULL;
	const char *p = (const char *)data + 2, *s;
	size_t plen, len;
	struct regex_need need;
	struct err err;
	bool icase;

	if (size < 2 || data[1] > size - 2)
		return 0;
	icase = data[0] == '1';
	plen = data[1];
	s = p + plen;
	len = size - 2 - plen;
	if (regex_new(p, plen, icase, &re, &err) < 0)
		return 0;
	/* A second look at the same text goes through states that are there already. */
	/* NOLINTNEXTLINE(misc-redundant-expression) */
	if (regex_match(re, s, len) != regex_match(re, s, len))
		abort();
	if (regex_match(re, s, len) && regex_need(p, plen, icase, &need) == 0 && !regex_ref_needed(&need, s, len))
		abort();
	compare(re, p, plen, icase, s, len);
	return 0;
}
