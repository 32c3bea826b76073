/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/derive.h"
#include "lib/ipnet.h"

static struct val str(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

static void is(struct val v, const char *s)
{
	if (v.len != strlen(s) || (v.len && memcmp(v.s, s, v.len) != 0))
		fail_msg("\"%.*s\" instead of \"%s\"", (int)v.len, v.s, s);
}

static void test_names(void **state)
{
	static const struct {
		const char *path, *name, *extension;
	} cases[] = {
		{ "/a/b.tar.gz", "b.tar.gz", ".gz" },
		{ "/a.d/b", "b", "" },
		{ "/", "", "" },
		{ "", "", "" },
		{ "b", "b", "" },
		{ "/.bashrc", ".bashrc", ".bashrc" },
		{ "/a.", "a.", "." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		is(derive_name(str(cases[i].path)), cases[i].name);
		is(derive_extension(derive_name(str(cases[i].path))), cases[i].extension);
	}
}

static void test_event(void **state)
{
	struct event ev = { .type = EV_RENAME };
	struct proc p = { .v = { [SLOT_PROC_FILE_MODE] = { .num = 0104755 } } };

	(void)state;
	ev.v[SLOT_RENAME_FILE_PATH] = str("/a/x.sh");
	ev.v[SLOT_RENAME_DEST_PATH] = str("/b/y");
	ev.v[SLOT_RENAME_DEST_MODE].num = 0100644;
	event_derive(&ev);
	is(ev.v[SLOT_RENAME_FILE_NAME], "x.sh");
	is(ev.v[SLOT_RENAME_FILE_EXTENSION], ".sh");
	is(ev.v[SLOT_RENAME_DEST_NAME], "y");
	assert_int_equal(ev.v[SLOT_RENAME_DEST_RIGHTS].num, 0644);

	/* What is there already stays. */
	p.v[SLOT_PROC_FILE_PATH] = str("/proc/self/fd/3");
	p.v[SLOT_PROC_FILE_NAME] = str("memfd:x");
	proc_derive(&p);
	is(p.v[SLOT_PROC_FILE_NAME], "memfd:x");
	assert_int_equal(p.v[SLOT_PROC_FILE_RIGHTS].num, 04755);

	ev.type = 60000;
	event_derive(&ev);
}

static void test_addresses(void **state)
{
	struct event ev = { .type = EV_CONNECT };
	uint8_t ip[IPNET_BYTES];

	(void)state;
	event_derive(&ev);
	assert_int_equal(ev.v[SLOT_CONNECT_IS_PUBLIC].num, 0);
	ipnet_parse("8.8.8.8", 7, ip);
	ev.v[SLOT_CONNECT_IP] = (struct val){ .s = (char *)ip, .len = IPNET_BYTES };
	event_derive(&ev);
	assert_int_equal(ev.v[SLOT_CONNECT_IS_PUBLIC].num, 1);
}

/* Splits @args at spaces, and compares with @want joined by them. */
static void check_args(const char *args, const char *flags, const char *options)
{
	struct val argv[16], out[DERIVE_ARGS_MAX];
	char text[256], got[256] = "";
	uint32_t n = 0, k;

	for (const char *s = args; *s; s += strcspn(s, " "), s += *s == ' ')
		argv[n++] = (struct val){ .s = s, .len = (uint32_t)strcspn(s, " ") };
	k = derive_args_flags(argv, n, out, DERIVE_ARGS_MAX);
	for (uint32_t i = 0; i < k; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", i ? " " : "", (int)out[i].len,
			 out[i].s);
	assert_string_equal(got, flags);
	assert_true(derive_args_text_size(argv, n) <= sizeof(text));
	got[0] = 0;
	k = derive_args_options(argv, n, out, DERIVE_ARGS_MAX, text);
	for (uint32_t i = 0; i < k; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s", i ? " " : "", (int)out[i].len,
			 out[i].s);
	assert_string_equal(got, options);
}

static void test_args(void **state)
{
	(void)state;
	check_args("--version", "version", "");
	check_args("-ln", "ln l n", "");
	check_args("-T 8 --width=8", "T", "T=8 width=8");
	check_args("-l -l -ll --l", "l ll l", "");
	check_args("file - -- -1 x", "1", "1=x");
	check_args("--randomx-1gb-pages --cpu_priority 3", "randomx-1gb-pages cpu_priority", "cpu_priority=3");
	check_args("-d@x --data @y", "data", "data=@y");
	check_args("--=x -=", "", "");
	check_args("-o a=b", "o", "o=a=b");
	check_args("-c", "c", "");
	check_args("", "", "");
}

static void test_args_bounded(void **state)
{
	struct val argv[] = { { .s = "-abc", .len = 4 }, { .s = "-d=1", .len = 4 }, { .s = "-e=1", .len = 4 } }, out[2];
	char text[64];

	(void)state;
	assert_int_equal(derive_args_flags(argv, 3, out, 2), 2);
	assert_int_equal(derive_args_options(argv, 3, out, 1, text), 1);
	assert_int_equal(derive_args_flags(NULL, 0, out, 2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), cmocka_unit_test(test_event),	   cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_args),  cmocka_unit_test(test_args_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
