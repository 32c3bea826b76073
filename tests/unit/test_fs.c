/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A pipe gives each piece by itself: a read of all of them takes several reads. */
static void pieces_are_put_together(void **state)
{
	char got[64];
	int fds[2], status;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (int i = 0; i < 5; i++) {
			usleep(2000);
			if (write(fds[1], "abcd", 4) != 4)
				_exit(1);
		}
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(fs_read(fds[0], got, 10), 10);
	assert_memory_equal(got, "abcdabcdab", 10);
	assert_int_equal(fs_read(fds[0], got, sizeof(got)), 10);
	assert_memory_equal(got, "cdabcdabcd", 10);
	assert_int_equal(fs_read(fds[0], got, sizeof(got)), 0);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void errors_are_the_system_s(void **state)
{
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char byte;

	assert_int_equal(fs_read(-1, &byte, 1), -EBADF);
	assert_int_equal(fs_read(dir, &byte, 1), -EISDIR);
	assert_int_equal(fs_read(-1, &byte, 0), 0);
	close(dir);
}

static void directories_are_made_with_those_above(void **state)
{
	char top[] = "/tmp/test_fs.XXXXXX", path[256];
	struct err e = { "" };
	struct stat st;

	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/a//b/c/", top);
	assert_int_equal(fs_make_dirs(path, &e), 0);
	assert_int_equal(fs_make_dirs(path, &e), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);

	snprintf(path, sizeof(path), "%s/f", top);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	snprintf(path, sizeof(path), "%s/f/x", top);
	assert_int_equal(fs_make_dirs(path, &e), -ENOTDIR);
	assert_non_null(strstr(e.msg, "choose another place with --state DIR"));

	for (const char *const *left = (const char *const[]){ "a/b/c", "a/b", "a", "f", "", NULL }; *left; left++) {
		snprintf(path, sizeof(path), "%s/%s", top, *left);
		assert_int_equal(remove(path), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_put_together),
		cmocka_unit_test(errors_are_the_system_s),
		cmocka_unit_test(directories_are_made_with_those_above),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
