/* SPDX-License-Identifier: Apache-2.0 */
/* Input: '1' or another byte for "without regard to case" or not, the pattern, a newline, the string. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/glob.h"
#include "tests/unit/glob_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool same)
{
	if (!same)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	const char *p = (const char *)data + 1, *newline, *s;
	size_t plen, len;
	bool icase;
	struct err err;

	if (size < 2 || !(newline = memchr(p, '\n', size - 1)))
		return 0;
	icase = data[0] == '1';
	plen = (size_t)(newline - p);
	s = newline + 1;
	len = size - plen - 2;
	if (glob_new(p, plen, icase, &g, &err) == 0) {
		glob_match(g, s, len);
		glob_contains(g, s, len);
	}
	pattern_match(p, plen, s, len, icase);
	if (plen > GLOB_REF_MAX || len > GLOB_REF_MAX)
		return 0;
	check((g != NULL) == glob_ref_valid(p, plen));
	check(!g || glob_match(g, s, len) == glob_ref_match(p, plen, s, len, icase));
	check(pattern_match(p, plen, s, len, icase) == glob_ref_pattern(p, plen, s, len, icase));
	return 0;
}
