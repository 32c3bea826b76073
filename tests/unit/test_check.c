/* SPDX-License-Identifier: Apache-2.0 */
/* Names, types and what an expression becomes. */
#include "tests/unit/policy_bench.h"

#include <errno.h>

#include "policy-compiler/node_text.h"

static void refuses(const char *expression, const char *diag)
{
	struct policy_bench b;
	uint32_t root;

	assert_int_equal(bench_expression(&b, expression, &root), -EINVAL);
	assert_starts(bench_diag(&b, 0), diag);
	bench_end(&b);
}

static void accepts(const char *expression)
{
	struct policy_bench b;
	uint32_t root;

	if (bench_expression(&b, expression, &root) != 0)
		fail_msg("%s: %s", expression, bench_diag(&b, 0));
	bench_end(&b);
}

static void test_names(void **state)
{
	refuses("open.file.pth == \"x\"", "1:1: error: unknown name \"open.file.pth\": no field, constant or macro "
					  "(did you mean \"open.file.path\"?)");
	refuses("open.flags & O_CREATE > 0", "1:14: error: unknown name \"O_CREATE\"");
	refuses("xyz", "1:1: error: unknown name \"xyz\"");
	refuses("a.b.c == 1", "1:1: error: unknown name \"a.b.c\": no field, constant or macro (`tamisc fields`");
	refuses("open.file.path == \"a\" && exec.file.path == \"b\"",
		"1:26: error: exec.file.path is a field of \"exec\" events, but open.file.path before it is of \"open\" events");
	refuses("process.uid == ${x}", "1:16: error: no variable ${x}");
	refuses("process.file.path == \"/a/${x}\"", "1:26: error: no variable ${x}");
	accepts("process.pid == ${process.pid}");
	accepts("process.pid == %{process.ppid}");
	accepts("process.file.path == \"/a/${x\"");
	accepts("open.filename == \"/a\""); /* an older name */
	accepts("open.flags == O_RDONLY && process.ancestors.file.path == \"a\" && true");
}

static void test_iterators(void **state)
{
	accepts("process.ancestors[A].file.name == \"a\" && process.ancestors[A].pid == 1 && process.ancestors.uid == 1");
	accepts("process.ancestors[X].argv in [\"a\"]");
	accepts("process.ancestors[X].file.name.length > 3");
	accepts("process.ancestors.length > 3");
	refuses("process.ancestors[A].pid == 1 && process.ancestors[B].pid == 2",
		"1:34: error: a rule has one iterator: process.ancestors[A] and process.ancestors[B]");
	refuses("process.ancestors[_].pid == 1", "1:1: error: the iterator needs a name");
	refuses("process.ancestors[1].pid == 1", "1:1: error: the iterator needs a name");
	refuses("process.ancestors[].pid == 1", "1:1: error: the iterator needs a name");
	refuses("process.ancestors.pid[A] == 1", "1:1: error: an iterator is followed by");
	refuses("process.ancestors.file[A].path == \"a\"",
		"1:1: error: the iterator has to stand right behind the list");
	refuses("process[A].pid == 1", "1:1: error: what is before the iterator is no list of objects");
	refuses("process.ancestors[A].argv.length > 1 && process.ancestors.argv.length > 1",
		"1:41: error: the length of");
}

static void test_types(void **state)
{
	refuses("process.uid == \"a\"",
		"1:16: error: a number cannot be compared with text (write the number without quotes)");
	refuses("process.file.path == 1", "1:22: error: text cannot be compared with a number (write it in quotes)");
	refuses("connect.addr.ip == \"::1\"", "1:20: error: an address cannot be compared with text");
	refuses("event.async == 1", "1:16: error: true or false cannot be compared with a number");
	refuses("process.file.path < \"a\"", "1:1: error: the operator < does not go with text");
	refuses("connect.addr.ip < 10.0.0.0/8", "1:1: error: the operator < does not go with an address");
	refuses("process.uid", "1:1: error: a rule wants true or false; this is a number");
	refuses("process.uid && true", "1:1: error: a condition wants true or false");
	refuses("!process.uid", "1:2: error: ! wants true or false");
	refuses("process.file.path & 1 == 1", "1:1: error: & wants a number; this is text");
	refuses("process.argv + 1 == 1", "1:1: error: + wants a number; this is several texts");
	refuses("process.file.path =~ process.file.name", "1:22: error: behind =~ there has to be");
	refuses("process.uid =~ \"1\"", "1:1: error: =~ goes with text");
	refuses("process.ancestors.pid < process.ancestors.ppid",
		"1:1: error: the operator < does not go with several values on both sides");
	accepts("process.argv == process.envp && process.argv in process.envp && process.argv allin process.envp");
	refuses("~\"a*\" == ~\"b*\"", "1:1: error: the pattern \"a*\": is compared with another one");
	refuses("process.uid == -100", "1:16: error: process.uid is never negative");
	accepts("chown.file.destination.uid == -1");
	accepts("event.async && !process.args_truncated || process.is_kworker == false");
}

static void test_lists(void **state)
{
	refuses("process.uid in process.gid", "1:16: error: in wants a list, a network or a field with several values");
	refuses("process.uid in [1, \"a\"]", "1:20: error: the values of a list are of one kind");
	refuses("process.uid in [1, O_CREAT]", "1:20: error: the values of a list are of one kind");
	refuses("process.uid in [\"a\"]", "1:16: error: a number cannot be compared with a list of texts");
	refuses("process.uid in [process.gid]", "1:17: error: a list holds constants");
	refuses("process.created_at in [5s]", "1:24: error: a list holds strings, numbers, addresses or constants");
	refuses("connect.addr.port in 10.0.0.0/8", "1:22: error: a number cannot be compared with an address");
	accepts("event.retval in [EPERM, EACCES]");
	accepts("process.file.path in [\"a\", ~\"b*\"] && process.comm in [\"a\", r\"b\", ~\"c*\"]");
	accepts("\"a\" in process.argv && process.argv allin [\"a\"]");
	accepts("connect.addr.ip in [10.0.0.1, 10.0.0.0/8] && connect.addr.ip not in ::1/128");
}

static void test_strings(void **state)
{
	refuses("open.file.path =~ \"/a/**b\"", "1:19: error: bad path pattern \"/a/**b\"");
	refuses("process.comm == ~\"a**\"", "1:17: error: bad pattern \"a**\"");
	refuses("process.comm == r\"(\"", "1:17: error: bad regular expression \"(\"");
	refuses("open.file.path == r\"x\"", "1:19: error: a path is not compared with a regular expression");
	accepts("open.file.path =~ \"/run/**/token\" && process.comm == r\"^a(b|c)*$\" && open.file.path == \"/a**b\"");
}

static void test_times(void **state)
{
	struct policy_bench b;
	uint32_t root;

	refuses("process.created_at != 5s", "1:1: error: != does not go with a duration");
	accepts("process.created_at > 5s && 5s > process.created_at");
	assert_int_equal(bench_expression(&b, "process.pid < 5s", &root), 0);
	assert_starts(bench_diag(&b, 0), "1:1: warning: process.pid is not a time, but is compared as one");
	bench_end(&b);
}

/* One run shows the errors of all parts, but not without end. */
static void test_many_errors(void **state)
{
	struct policy_bench b;
	uint32_t root;
	char text[4096] = "a0 == 1";

	for (int i = 1; i < 100; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " || a%d == 1", i);
	assert_int_equal(bench_expression(&b, text, &root), -EINVAL);
	assert_int_equal(b.diags.errors, 21);
	assert_starts(bench_diag(&b, 20), "1:226: error: more than 20 errors in this rule");
	bench_end(&b);
}

/* ---- what becomes of it ------------------------------------------------------------------------------------------ */

static void becomes(const char *expression, const char *want)
{
	struct policy_bench b;
	struct program p;
	struct buf out;
	uint32_t root;

	assert_int_equal(bench_expression(&b, expression, &root), 0);
	p = program_view(b.compile->builder);
	buf_init(&out, 1 << 16);
	node_text(&p, root, false, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_done(&out);
	bench_end(&b);
}

static void test_lowering(void **state)
{
	becomes("1 + 2 == 3", "true");
	becomes("open.file.path == \"/a\"", "open.file.path == \"/a\"");
	becomes("\"/a\" == open.file.path", "open.file.path == \"/a\"");
	becomes("open.file.path =~ \"/a\"", "open.file.path == \"/a\"");
	becomes("open.file.extension == \"txt\"", "open.file.extension == \".txt\"");
	becomes("open.file.extension == \".txt\"", "open.file.extension == \".txt\"");
	becomes("open.flags & (O_CREAT|O_TRUNC) > 0 && true", "(open.flags & 576) > 0");
}

/* The same question is the same node, however it is written. */
static void test_sharing(void **state)
{
	struct policy_bench b;
	uint32_t x, y, root;
	uint16_t event;
	const char *again = "(\"/a\" == open.file.path)";
	struct text text = { .s = again, .len = (uint32_t)strlen(again) };

	assert_int_equal(bench_expression(&b, "open.file.path == \"/a\"", &x), 0);
	assert_int_equal(compile_expression(b.compile, &text, &event, &y), 0);
	assert_int_equal(x, y);
	bench_end(&b);

	/* a long chain makes no deep tree */
	char *chain = malloc(64 << 10), *p = chain;

	assert_non_null(chain);
	p += sprintf(p, "process.pid == 1");
	for (int i = 2; i < 2500; i++)
		p += sprintf(p, "||process.pid>%d", 2 * i);
	assert_int_equal(bench_expression(&b, chain, &root), 0);
	assert_true(program_view(b.compile->builder).nodes[root].depth < 32);
	bench_end(&b);
	free(chain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	    cmocka_unit_test(test_iterators), cmocka_unit_test(test_types),
		cmocka_unit_test(test_lists),	    cmocka_unit_test(test_strings),   cmocka_unit_test(test_times),
		cmocka_unit_test(test_many_errors), cmocka_unit_test(test_lowering),  cmocka_unit_test(test_sharing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
