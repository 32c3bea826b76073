/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensor/priv/counts.h"

#define MEMBERS (sizeof(struct engine_counts) / sizeof(uint64_t))

/* Every member the same number: a torn copy shows. */
static void fill(struct engine_counts *c, uint64_t n)
{
	uint64_t *p = (uint64_t *)c;

	for (size_t i = 0; i < MEMBERS; i++)
		p[i] = n;
}

static uint64_t whole(const struct engine_counts *c)
{
	const uint64_t *p = (const uint64_t *)c;

	for (size_t i = 1; i < MEMBERS; i++)
		assert_int_equal(p[i], p[0]);
	return p[0];
}

static void write_for_ever(struct engine_page *p)
{
	struct engine_counts c;

	for (uint64_t n = 1;; n++) {
		fill(&c, n);
		engine_counts_put(p, &c);
	}
}

/* A writer that is killed anywhere leaves numbers that belong together. */
static void killed_writers_leave_whole_counts(void **state)
{
	struct engine_page *p = counts_map(sizeof(*p));
	struct engine_counts c;

	(void)state;
	assert_non_null(p);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0)
			write_for_ever(p);
		usleep((useconds_t)(rand() % 2000));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		engine_counts_get(p, &c);
		whole(&c);
	}
	counts_unmap(p, sizeof(*p));
}

static void numbers_only_grow_while_read(void **state)
{
	struct engine_page *p = counts_map(sizeof(*p));
	struct engine_counts c;
	uint64_t last = 0;
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		for (uint64_t n = 1;; n++) {
			fill(&c, n);
			engine_counts_put(p, &c);
			usleep(1);
		}
	}
	for (int i = 0; i < 2000; i++) {
		engine_counts_get(p, &c);
		assert_true(whole(&c) >= last);
		last = c.received;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	counts_unmap(p, sizeof(*p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_writers_leave_whole_counts),
		cmocka_unit_test(numbers_only_grow_while_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
