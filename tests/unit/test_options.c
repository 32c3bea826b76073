/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sensor/priv/options.h"

static char config[] = "/tmp/tamis-test-options-XXXXXX";

static void write_config(const char *text)
{
	FILE *f = fopen(config, "w");

	fputs(text, f);
	fclose(f);
}

/* Up to ten arguments and a NULL. */
static int parse_args(struct options *o, struct err *e, const char *const *args)
{
	char *argv[12] = { (char *)"tamisd" };
	int argc = 1;

	while (*args)
		argv[argc++] = (char *)*args++;
	err_clear(e);
	return options_parse(argc, argv, o, e);
}
#define parse(o, e, ...) parse_args(o, e, (const char *const[]){ __VA_ARGS__ })

static void the_command_line(void **state)
{
	struct options o;
	struct err e;

	(void)state;
	assert_int_equal(
		parse(&o, &e, "--policy", "p.tpb", "--alerts", "-", "--ring-bytes", "16M", "--foreground", NULL), 0);
	assert_string_equal(o.policy, "p.tpb");
	assert_string_equal(o.alerts, "-");
	assert_string_equal(o.state, OPTIONS_STATE);
	assert_int_equal(o.ring_bytes, 16 << 20);
	assert_int_equal(o.lineage_bytes, 0);
	assert_int_equal(o.canary, OPTIONS_CANARY);
	assert_true(o.foreground);
	assert_false(o.allow_unsigned);
	assert_null(o.trust);
	options_done(&o);
}

static void the_command_line_goes_before_the_file(void **state)
{
	struct options o;
	struct err e;

	(void)state;
	write_config(
		"# a comment\n\n  policy = file.tpb \ntrust=/etc/key.pem\nallow-unsigned = no\nqueue-bytes = 512K\nlog-epoch = 60\nlog-keep = 40G\nlog-keep-age = 3600\nallow-actions = web=kill *=kill\nkill-limit = 20\ndeny-limit = 0\ncaptures-keep = 1G\n");
	assert_int_equal(parse(&o, &e, "--config", config, "--policy", "line.tpb", "--allow-unsigned", NULL), 0);
	assert_string_equal(o.policy, "line.tpb");
	assert_string_equal(o.trust, "/etc/key.pem");
	assert_true(o.allow_unsigned);
	assert_int_equal(o.queue_bytes, 512 << 10);
	assert_int_equal(o.log_epoch, 60);
	assert_true(o.log_keep == UINT64_C(40) << 30);
	assert_int_equal(o.log_keep_age, 3600);
	assert_string_equal(o.allow_actions, "web=kill *=kill");
	assert_int_equal(o.kill_limit, 20);
	assert_int_equal(o.deny_limit, 0);
	assert_true(o.captures_keep == UINT64_C(1) << 30);
	options_done(&o);
}

static void what_is_wrong_is_named(void **state)
{
	struct options o;
	struct err e;

	(void)state;
	assert_int_equal(parse(&o, &e, "--polciy", "p", NULL), -EINVAL);
	assert_non_null(strstr(e.msg, "--polciy"));
	assert_int_equal(parse(&o, &e, "--policy", NULL), -EINVAL);
	assert_non_null(strstr(e.msg, "--policy wants a value"));
	assert_int_equal(parse(&o, &e, "--policy", "p", "more", NULL), -EINVAL);
	assert_non_null(strstr(e.msg, "more"));
	assert_int_equal(parse(&o, &e, "--policy", "p", "--ring-bytes", "8T", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--lineage-bytes", "x", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--canary", "5M", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--canary", "", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--ring-bytes", "-8", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--ring-bytes", "5G", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--ring-bytes", "8Mx", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--kill-limit", "0", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--kill-limit", "101", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--deny-limit", "5M", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--deny-limit", "-1", NULL), -EINVAL);
	assert_int_equal(parse(&o, &e, "--policy", "p", "--allow-actions", "p=dance", NULL), -EINVAL);
	assert_non_null(strstr(e.msg, "'dance'"));

	write_config("policy = p\nfoo = bar\n");
	assert_int_equal(parse(&o, &e, "--config", config, NULL), -EINVAL);
	assert_non_null(strstr(e.msg, ":2: there is no setting 'foo'"));
	write_config("policy p\n");
	assert_int_equal(parse(&o, &e, "--config", config, NULL), -EINVAL);
	assert_non_null(strstr(e.msg, ":1: expected 'name = value'"));
	write_config("allow-unsigned = maybe\n");
	assert_int_equal(parse(&o, &e, "--config", config, NULL), -EINVAL);
	assert_non_null(strstr(e.msg, "yes or no"));
	write_config("state = /x\n");
	assert_int_equal(parse(&o, &e, "--config", config, NULL), -EINVAL);
	assert_non_null(strstr(e.msg, "no policy"));
	assert_int_equal(parse(&o, &e, "--config", "/nonexistent", "--policy", "p", NULL), -ENOENT);
}

/* "--help fits a screen" */
static void help_fits_a_screen(void **state)
{
	const char *text = options_help();
	int lines = 0;

	(void)state;
	while (*text) {
		const char *nl = strchr(text, '\n');

		assert_non_null(nl);
		assert_true(nl - text <= 100);
		text = nl + 1;
		lines++;
	}
	assert_true(lines <= 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_command_line),
		cmocka_unit_test(the_command_line_goes_before_the_file),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(help_fits_a_screen),
	};
	int r;

	close(mkstemp(config));
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(config);
	return r;
}
