/* SPDX-License-Identifier: Apache-2.0 */
/* Files of type information: the right one is taken; of any other the error names the file and what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sensor/load/kernel.h"

static char dir[] = "/tmp/tamis-kernel.XXXXXX";
static char path[256];

static void write_file(const char *name, const void *bytes, size_t n)
{
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

/* BTF with functions of these names. */
static void write_functions(const char *name, const char *const *of, size_t n)
{
	struct btf *btf = btf__new_empty();
	int proto = btf__add_func_proto(btf, 0);
	const void *raw;
	uint32_t size;

	for (size_t i = 0; i < n; i++)
		assert_true(btf__add_func(btf, of[i], BTF_FUNC_GLOBAL, proto) > 0);
	raw = btf__raw_data(btf, &size);
	write_file(name, raw, size);
	btf__free(btf);
}

static void refused(const char *what)
{
	struct btf *btf = NULL;
	struct err e;

	assert_true(kernel_btf_file(path, &btf, &e) < 0);
	assert_null(btf);
	assert_non_null(strstr(e.msg, path));
	if (!strstr(e.msg, what))
		fail_msg("\"%s\" lacks \"%s\"", e.msg, what);
}

static void a_file_that_is_missing(void **state)
{
	snprintf(path, sizeof(path), "%s/none", dir);
	refused("No such file");
	snprintf(path, sizeof(path), "%s", dir);
	refused("no file");
}

static void files_that_are_no_btf(void **state)
{
	unsigned char noise[4096];

	write_file("empty", "", 0);
	refused("TYPE INFORMATION in tamisd(8)");
	write_file("text", "hello\n", 6);
	refused("TYPE INFORMATION in tamisd(8)");
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (unsigned char)(i * 37);
	write_file("noise", noise, sizeof(noise));
	refused("TYPE INFORMATION in tamisd(8)");
	/* an ELF file without types */
	snprintf(path, sizeof(path), "/proc/self/exe");
	refused("TYPE INFORMATION in tamisd(8)");
}

static const char *functions[64]; /* of names[], or literals */
static char names[64][512];
static size_t nfunctions;

static void keep(void *ctx, const char *name)
{
	if (nfunctions == 64 || strchr(name, '.'))
		return;
	snprintf(names[nfunctions], sizeof(names[0]), "%s", name);
	functions[nfunctions] = names[nfunctions];
	nfunctions++;
}

static void a_truncated_file(void **state)
{
	struct stat st;

	nfunctions = 0;
	assert_int_equal(kernel_symbols(keep, NULL), 0);
	if (!nfunctions)
		skip();
	write_functions("whole", functions, nfunctions);
	assert_int_equal(stat(path, &st), 0);
	for (off_t n = st.st_size - 1; n > 0; n -= 1 + st.st_size / 40) {
		assert_int_equal(truncate(path, n), 0);
		refused("TYPE INFORMATION in tamisd(8)");
	}
}

static void the_kernel_must_be_this_one(void **state)
{
	struct btf *btf = NULL;
	struct err e;

	nfunctions = 0;
	assert_int_equal(kernel_symbols(keep, NULL), 0);
	if (nfunctions < 64)
		skip();
	write_functions("right", functions, nfunctions);
	assert_int_equal(kernel_btf_file(path, &btf, &e), 0);
	btf__free(btf);
	/* a few may be missing */
	functions[7] = "a_function_that_no_kernel_has";
	write_functions("right", functions, nfunctions);
	assert_int_equal(kernel_btf_file(path, &btf, &e), 0);
	btf__free(btf);
	btf = NULL;
	functions[8] = "another_that_no_kernel_has";
	write_functions("wrong", functions, nfunctions);
	refused("2 of the 64 functions");
	refused("not of this kernel");
}

static void places_are_searched(void **state)
{
	char *found = NULL, name[128];
	struct utsname u;
	struct err e;

	uname(&u);
	snprintf(name, sizeof(name), "%s.btf", u.release);
	write_file(name, "x", 1);
	assert_int_equal(kernel_btf_search(dir, &found, &e), 0);
	assert_string_equal(found, path);
	free(found);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	char command[300];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_that_is_missing), cmocka_unit_test(files_that_are_no_btf),
		cmocka_unit_test(a_truncated_file),	  cmocka_unit_test(the_kernel_must_be_this_one),
		cmocka_unit_test(places_are_searched),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
