/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of rules on any bytes: a policy with "tests:" in memory, run from its YAML to every form of the results. With
 * snapshots taken, the file that comes out is tested again: what was taken has to hold.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy-compiler/test_print.h"
#include "policy-compiler/test_snapshot.h"

#define OUT_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct test_run *t)
{
	static void (*const forms[])(const struct test_run *, struct buf *) = {
		test_print_text,  test_print_list, test_print_tap,
		test_print_junit, test_print_json, test_print_uncovered,
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct buf out;

		buf_init(&out, OUT_MAX);
		forms[i](t, &out);
		buf_done(&out);
	}
}

/* Every edit can be made, or is refused; nothing but snapshots changes, so as many tests as before fail. */
static void take(const char *text, size_t size)
{
	struct test_run t, again;
	struct buf out;
	bool taken;

	test_run_init(&t);
	t.options.update = true;
	buf_init(&out, OUT_MAX);
	if (test_run_text(&t, "fuzz", text, size) == 0 && t.nedits &&
	    test_snapshot_bytes(&t, t.edits[0].key->at.src, &out) == 0) {
		taken = !t.diags.errors;
		test_run_init(&again);
		if (test_run_text(&again, "fuzz", buf_cstr(&out), out.len) == 0 && taken &&
		    (again.ncases != t.ncases || again.nfailed != t.nfailed || again.diags.errors))
			abort();
		test_run_done(&again);
	}
	buf_done(&out);
	test_run_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct test_run t;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	test_run_init(&t);
	if (test_run_text(&t, "fuzz", text, size) == 0)
		print(&t);
	test_run_done(&t);
	take(text, size);
	free(text);
	return 0;
}
