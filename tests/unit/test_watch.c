/* SPDX-License-Identifier: Apache-2.0 */
/* Watches: what a policy may say, what it becomes, the bundle's section and every way in which it can be damaged. */
#include "tests/unit/policy_bench.h"

#include <errno.h>

#include "lib/glob.h"
#include "lib/severity.h"
#include "lib/watch_io.h"

static void first_diag(const char *watch, const char *want)
{
	struct policy_bench b;
	char yaml[4096];

	snprintf(yaml, sizeof(yaml), "watches:\n  - %s\n", watch);
	bench_policy(&b, yaml);
	assert_starts(bench_diag(&b, 0), want);
	bench_end(&b);
}

static void test_diagnostics(void **state)
{
	first_diag("a", "2:5: error: a watch is a map, not text");
	first_diag("{paths: [/etc]}", "2:5: error: a watch without an id (add \"id: name\")");
	first_diag("{id: a b, paths: [/etc]}", "2:10: error: \"a b\" is no id");
	first_diag("{id: a, path: [/etc]}", "2:13: error: unknown key \"path\" in a watch (did you mean \"paths\"?)");
	first_diag("{id: a}", "2:10: error: the watch a has no paths");
	first_diag("{id: a, paths: []}", "2:10: error: the watch a has no paths");
	first_diag("{id: a, paths: /etc}", "2:20: error: \"paths\" is a list of texts, not text");
	first_diag("{id: a, paths: [etc]}", "2:21: error: \"etc\" is no path to watch (a path begins with '/'");
	first_diag("{id: a, paths: [/etc/]}", "2:21: error: \"/etc/\" is no path to watch (leave out the '/'");
	first_diag("{id: a, paths: [/a//b]}", "2:21: error: \"/a//b\" is no path to watch (write one '/'");
	first_diag("{id: a, paths: [/a/../b]}", "2:21: error: \"/a/../b\" is no path to watch (write the path without");
	first_diag("{id: a, paths: [/a/x**]}", "2:21: error: \"**\" in \"x**\": it has to be a whole component");
	first_diag("{id: a, paths: [/a], exclude: [\"*.swp\"]}",
		   "2:36: error: \"*.swp\" is no path to watch (a path begins with '/': write \"/etc/**/*.conf\"");
	first_diag("{id: a, paths: [/a], attributes: [permision]}",
		   "2:39: error: \"permision\" is no attribute of a file (did you mean \"permissions\"?)");
	first_diag("{id: a, paths: [/a], attributes: [size, -size]}", "2:38: error: a watch that compares nothing");
	first_diag("{id: a, paths: [/a], attributes: [log], growing: true}",
		   "2:54: error: a growing file of which neither size nor content is compared");
	first_diag("{id: a, paths: [/a], attributes: [size], diff: true}",
		   "2:52: error: a diff of content that is not compared");
	first_diag("{id: a, paths: [/a], diff: true, diff_max_size: 0}", "2:53: error: \"diff_max_size\" is 0");
	first_diag("{id: a, paths: [/a], diff_max_size: 5}", "2:41: warning: \"diff_max_size\" is without effect");
	first_diag("{id: a, paths: [/a], severity: hihg}",
		   "2:36: error: \"hihg\" is no value of \"severity\" (did you mean \"high\"?)");
	first_diag("{id: a, paths: [/a], tags: {x: [1]}}", "2:36: error: the tag \"x\" is a list");
	first_diag("{id: a, paths: [/a]}\n  - {id: a, paths: [/b]}",
		   "3:10: warning: the watch a is defined again: this copy is ignored (the first is at policy.yaml:2");
	first_diag("{id: a, paths: [/a], attributes: [all, -ctime], growing: true, recursive: false}", "");
}

static struct watch_list compiled(struct policy_bench *b, const char *yaml)
{
	struct watch_list list;

	bench_policy(b, yaml);
	if (b->diags.n)
		fail_msg("%s", bench_diag(b, 0));
	assert_int_equal(watches_list(&b->compile->watches, &b->compile->arena, &list), 0);
	return list;
}

static const char both[] = "version: 1.2\n"
			   "watches:\n"
			   "  - id: etc\n"
			   "    description: the configuration\n"
			   "    paths: [/etc, '/opt/*/etc']\n"
			   "    exclude: ['/etc/**/*.swp']\n"
			   "    diff: true\n"
			   "    never_store: [/etc/secret]\n"
			   "    severity: high\n"
			   "    tags: {technique: T1565, team: b}\n"
			   "  - {id: log, paths: [/var/log], growing: true, one_filesystem: true, recursive: false}\n"
			   "  - {id: all, paths: [/x], attributes: [all, -times]}\n"
			   "  - {id: off, paths: [/x], disabled: true}\n";

static void test_meaning(void **state)
{
	struct policy_bench b;
	struct watch_list l = compiled(&b, both);

	assert_int_equal(l.n, 3);
	assert_string_equal(l.v[0].id, "etc");
	assert_string_equal(l.v[0].version, "1.2");
	assert_string_equal(l.v[0].policy, "policy");
	assert_int_equal(l.v[0].attrs, WATCH_STANDARD);
	assert_int_equal(l.v[0].severity, SEVERITY_HIGH);
	assert_int_equal(l.v[0].diff_max, WATCH_DIFF_DEFAULT);
	assert_true(l.v[0].recursive && !l.v[0].growing && !l.v[0].one_filesystem);
	assert_int_equal(l.v[0].npaths, 2);
	assert_string_equal(l.v[0].paths[1], "/opt/*/etc");
	assert_string_equal(l.v[0].tags[1].value, "b");
	assert_int_equal(l.v[1].attrs, WATCH_LOG | WATCH_SIZE | WATCH_CONTENT);
	assert_true(!l.v[1].recursive && l.v[1].growing && l.v[1].one_filesystem);
	assert_int_equal(l.v[1].severity, SEVERITY_MEDIUM);
	assert_int_equal(l.v[2].attrs, WATCH_ALL & ~WATCH_TIMES);
	bench_end(&b);
}

static void test_copies(void **state)
{
	struct policy_bench b;
	struct watch_list l = compiled(&b, "watches:\n"
					   "  - {id: a, paths: [/a]}\n"
					   "  - {id: b, paths: [/b]}\n"
					   "  - {id: a, disabled: true}\n"
					   "  - {id: b, paths: [/c], combine: override}\n");

	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0].paths[0], "/c");
	bench_end(&b);
	l = compiled(&b, "watches:\n"
			 "  - {id: a, disabled: true}\n"
			 "  - {id: a, paths: [/a]}\n");
	assert_int_equal(l.n, 1);
	assert_string_equal(l.v[0].paths[0], "/a");
	bench_end(&b);
}

static void test_round_trip(void **state)
{
	struct policy_bench b;
	struct watch_list l = compiled(&b, both), read;
	struct buf out, again;
	struct err e;

	buf_init(&out, 1 << 20);
	buf_init(&again, 1 << 20);
	assert_int_equal(watch_pack(&l, &out), 0);
	if (watch_unpack(out.data, out.len, &read, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(read.n, 3);
	assert_int_equal(watch_pack(&read, &again), 0);
	assert_int_equal(out.len, again.len);
	assert_memory_equal(out.data, again.data, out.len);
	watch_list_done(&read);
	watch_list_done(&read);
	buf_done(&out);
	buf_done(&again);
	bench_end(&b);
}

/* Cut anywhere, or with any bit turned: refused, or within the bounds that readers rely on. */
static void test_damaged(void **state)
{
	struct policy_bench b;
	struct watch_list l = compiled(&b, both), read;
	struct buf out;
	struct err e;

	buf_init(&out, 1 << 20);
	assert_int_equal(watch_pack(&l, &out), 0);
	for (size_t n = 0; n < out.len; n++) {
		assert_int_equal(watch_unpack(out.data, n, &read, &e), -EBADMSG);
		assert_non_null(strstr(e.msg, "damaged"));
	}
	for (size_t bit = 0; bit < 8 * out.len; bit++) {
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (watch_unpack(out.data, out.len, &read, &e) == 0) {
			for (size_t i = 0; i < read.n; i++)
				assert_true(read.v[i].npaths && read.v[i].attrs &&
					    read.v[i].severity <= SEVERITY_CRITICAL);
			watch_list_done(&read);
		}
		out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_putc(&out, 0);
	assert_int_equal(watch_unpack(out.data, out.len, &read, &e), -EBADMSG);
	out.data[0] = 3;
	assert_int_equal(watch_unpack(out.data, out.len, &read, &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "version 3"));
	buf_done(&out);
	bench_end(&b);
}

static void test_names(void **state)
{
	uint32_t all = 0;

	for (int i = 0; i < WATCH_ATTRS; i++) {
		assert_int_equal(watch_attr_names[i].attrs, 1u << i);
		all |= watch_attr_names[i].attrs;
	}
	assert_int_equal(all, WATCH_ALL);
	assert_int_equal(severity_of("critical"), SEVERITY_CRITICAL);
	assert_int_equal(severity_of(""), 0);
	assert_string_equal(severity_name(99), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_diagnostics), cmocka_unit_test(test_meaning), cmocka_unit_test(test_copies),
		cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_damaged), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
