/* SPDX-License-Identifier: Apache-2.0 */
/* How gently a scan treats the machine: what --rate and --idle do is seen from outside of it. */
#include "tests/unit/fim_bench.h"

#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Whether another process has so many threads, and each of them gives way, or none. */
static bool are_all(pid_t pid, unsigned int threads, bool idle)
{
	const struct dirent *de;
	unsigned int n = 0;
	char path[64];
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	assert_non_null(d);
	while ((de = readdir(d))) {
		pid_t tid = atoi(de->d_name);

		if (tid > 0 && (sched_getscheduler(tid) == SCHED_IDLE) == idle &&
		    (syscall(SYS_ioprio_get, 1 /* of a thread */, tid) >> 13 == 3 /* idle */) == idle)
			n++;
		else if (tid > 0)
			threads = 0;
	}
	closedir(d);
	return threads && n == threads;
}

/*
 * A process of its own, as there is no way back, whose worker waits for the right to go on as long as the test likes: it has
 * read one file, and may read a byte a second.
 */
static void scan_in_child(struct fim_bench *b, bool idle)
{
	pid_t pid = fork();
	bool good = false;
	int status;

	if (pid == 0) {
		struct baseline_options o = fim_options(b);
		struct baseline_counts c;
		struct err e;

		o.idle = idle;
		o.scan.workers = 1;
		o.scan.rate = 1;
		baseline_check(&o, NULL, &c, &e);
		_exit(0); /* too early */
	}
	/* whoever gives way may have to wait for long where others work */
	for (int i = 0; i < 30000 && !good; i++) {
		usleep(10000);
		good = are_all(pid, 2, idle);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(good);
}

static void test_idle(void **state)
{
	static char text[4096];
	struct fim_bench b;

	memset(text, 'x', sizeof(text) - 1);
	fim_begin(&b);
	fim_watch(&b, WATCH_STANDARD, 0, false);
	fim_write(&b, "a", text);
	fim_write(&b, "b", text);
	fim_write(&b, "c", text);
	fim_init(&b);
	scan_in_child(&b, false);
	scan_in_child(&b, true);
	fim_end(&b);
}

/* All workers together read no more than that: what was read before a piece is paid for before it is handed on. */
static void test_rate(void **state)
{
	static char text[64 << 10];
	const unsigned int files = 16;
	struct baseline_options o;
	struct baseline_counts c;
	struct fim_bench b;
	struct err e;
	char name[32];
	double start;

	memset(text, 'x', sizeof(text) - 1);
	fim_begin(&b);
	fim_watch(&b, WATCH_STANDARD, 0, false);
	for (unsigned int i = 0; i < files; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		fim_write(&b, name, text);
	}
	o = fim_options(&b);
	o.scan.rate = 2000000;
	start = now();
	assert_int_equal(baseline_init(&o, NULL, &c, &e), 0);
	/* the last piece is not waited for */
	assert_true(now() - start >= (double)(files - 1) * (sizeof(text) - 1) / 2e6);
	assert_int_equal(c.looked, files + 1);
	fim_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
