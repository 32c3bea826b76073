/* SPDX-License-Identifier: Apache-2.0 */

/* A record's line is untrusted. What we take for a record, a general JSON parser takes for the same one. */

#include "sensor/record/line.h"

#include <jansson.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_str whole = { (const char *)data, size }, value;
	struct line l;
	json_t *j;

	line_member(whole, "prev", &value);
	if (line_parse(whole.p, whole.n, &l) < 0)
		return 0;
	must(l.seq >= 1);
	must(line_member(whole, "seq", &value) == 0 && value.p >= whole.p && value.p + value.n <= whole.p + whole.n);
	/* jansson also refuses bad UTF-8, NUL, lone surrogates and numbers out of its range, which are not our business
	 */
	j = json_loadb(whole.p, whole.n, JSON_ALLOW_NUL, NULL);
	if (!j)
		return 0;
	must(json_is_object(j));
	if (json_is_integer(json_object_get(j, "seq")))
		must((uint64_t)json_integer_value(json_object_get(j, "seq")) == l.seq);
	must(json_is_string(json_object_get(j, "kind")) && json_string_length(json_object_get(j, "kind")) == l.kind.n);
	json_decref(j);
	return 0;
}
