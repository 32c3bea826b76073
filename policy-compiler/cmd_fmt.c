/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-compiler/cli.h"
#include "policy-compiler/files.h"
#include "policy-compiler/fmt.h"
#include "policy-compiler/policy_keys.h"

#define TMP_SUFFIX ".tamisc-XXXXXX"

enum fmt_mode { FMT_PRINT, FMT_CHECK, FMT_WRITE };

static int write_all(int fd, const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->data + at, b->len - at);

		if (n < 0 && errno != EINTR)
			return -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The new file takes the old one's place when it is all there, with its mode and, where that is allowed, its owner. */
static int replace_file(const char *path, const struct buf *b)
{
	_cleanup_free_ char *real = realpath(path, NULL), *tmp = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!real || stat(real, &st) < 0)
		return -errno;
	if (asprintf(&tmp, "%s" TMP_SUFFIX, real) < 0) {
		tmp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = write_all(fd, b);
	if (r == 0 && (st.st_uid != geteuid() || st.st_gid != getegid()) && fchown(fd, st.st_uid, st.st_gid) < 0)
		r = -errno;
	if (r == 0 && (fchmod(fd, st.st_mode & 07777) < 0 || fsync(fd) < 0 || rename(tmp, real) < 0))
		r = -errno;
	if (r < 0)
		unlink(tmp);
	return r;
}

/* 1 where the file is not as fmt would write it. */
static int format_file(const char *path, enum fmt_mode mode, struct diags *d, struct arena *a)
{
	const struct source *src;
	struct buf out;
	int r = source_read(a, path, d, &src);
	bool differs;

	if (r < 0)
		return r;
	buf_init(&out, YAML_FILE_MAX);
	r = fmt_source(src, files_is_test(path) ? test_file_keys : policy_keys, d, &out);
	differs = r == 0 && (out.len != src->size || memcmp(out.data, src->bytes, out.len) != 0);
	if (r < 0 && r != -EINVAL)
		cli_fail("%s: cannot format it: %s", path, strerror(-r));
	else if (r == 0 && mode == FMT_PRINT)
		r = cli_put(&out) == CLI_OK ? 0 : -EIO;
	else if (differs && mode == FMT_CHECK)
		puts(path);
	else if (differs && mode == FMT_WRITE)
		r = replace_file(path, &out);
	if (r < 0 && mode == FMT_WRITE && differs)
		cli_fail("%s: cannot write it: %s", path, strerror(-r));
	buf_done(&out);
	return r < 0 ? r : differs;
}

static int find_files(struct arena *a, char **paths, int n, struct files *files)
{
	for (int i = 0; i < n; i++) {
		struct err err;
		struct stat st;
		int r = files_find(a, paths[i], FILES_POLICY, files, &err);

		if (r == 0 && stat(paths[i], &st) == 0 && S_ISDIR(st.st_mode))
			r = files_find(a, paths[i], FILES_TEST, files, &err);
		if (r < 0)
			return cli_fail("%s", err.msg);
	}
	return CLI_OK;
}

static int format_files(const struct files *files, enum fmt_mode mode)
{
	size_t failed = 0, differ = 0;

	for (size_t i = 0; i < files->n; i++) {
		struct diags d = diags_new();
		struct arena a = arena_of(2 * YAML_FILE_MAX + (1 << 20));
		int r = format_file(files->path[i], mode, &d, &a);

		cli_print_diags(&d);
		failed += r < 0;
		differ += r == 1;
		diags_done(&d);
		arena_done(&a);
	}
	if (mode == FMT_CHECK && differ)
		cli_say("%zu of %zu file%s not formatted; tamisc fmt -w formats them", differ, files->n,
			files->n == 1 ? " is" : "s are");
	return failed || (mode == FMT_CHECK && differ) ? CLI_FAILED : CLI_OK;
}

static int format_paths(char **paths, int n, enum fmt_mode mode)
{
	struct arena a = arena_of(64u << 20);
	struct files files = { .max = COMPILE_FILES_MAX };
	int r = find_files(&a, paths, n, &files);

	if (r == CLI_OK && files.n > 1 && mode == FMT_PRINT)
		r = cli_usage("fmt", "several files: say -w to change them, or --check");
	else if (r == CLI_OK && !files.n)
		r = cli_fail("no policies and tests there");
	else if (r == CLI_OK)
		r = format_files(&files, mode);
	arena_done(&a);
	return r;
}

int cmd_fmt(int argc, char **argv)
{
	static const struct option options[] = { { "check", no_argument, NULL, 'c' },
						 { "write", no_argument, NULL, 'w' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	bool check = false, write = false;
	int o;

	while ((o = getopt_long(argc, argv, "wh", options, NULL)) != -1) {
		if (o == 'h')
			return cli_help("fmt");
		if (o != 'c' && o != 'w')
			return cli_usage("fmt", "not an option of it");
		check = check || o == 'c';
		write = write || o == 'w';
	}
	if (check && write)
		return cli_usage("fmt", "--check looks, -w changes: say one of them");
	if (optind == argc)
		return cli_usage("fmt", "name a policy file or a directory of policies");
	return format_paths(argv + optind, argc - optind, check ? FMT_CHECK : write ? FMT_WRITE : FMT_PRINT);
}
