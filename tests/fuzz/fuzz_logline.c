/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A record's line is untrusted. What we take for a record, a general JSON parser takes for the same one; and what that one takes for
 * an object, and would write in the same way itself, is one for us.
 */

#include "sensor/record/jsonscan.h"
#include "sensor/record/line.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>
#include <stdlib.h>

static int depth_of(const json_t *j)
{
	int deepest = 0, d;
	const char *key;
	json_t *of;
	size_t i;

	json_object_foreach((json_t *)j, key, of) deepest = (d = depth_of(of)) > deepest ? d : deepest;
	json_array_foreach(j, i, of) deepest = (d = depth_of(of)) > deepest ? d : deepest;
	return deepest + (json_is_object(j) || json_is_array(j));
}

static void must_be_seen_as(struct line_str whole, const json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	struct line_str value;

	must(text);
	if (strlen(text) == whole.n && !memcmp(text, whole.p, whole.n) && depth_of(j) <= JSONSCAN_DEPTH)
		must(line_member(whole, "", &value) != -EBADMSG);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_str whole = { (const char *)data, size }, value;
	json_t *j = json_loadb(whole.p, whole.n, JSON_ALLOW_NUL, NULL);
	struct line l;

	line_member(whole, "prev", &value);
	if (json_is_object(j))
		must_be_seen_as(whole, j);
	json_decref(j);
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
