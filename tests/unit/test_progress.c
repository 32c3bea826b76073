/* SPDX-License-Identifier: Apache-2.0 */
/* The line of a progress bar: what it says, and that it never is wider than the terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "sensor/ctl/progress.h"

static void test_line(void **state)
{
	char line[256];

	progress_line(line, sizeof(line), 2500, 25 << 20, 10000, 2.5, 120);
	assert_string_equal(line,
			    "[######..................] 25% 2,500 of 10,000 files, 1,000/s, 10.0 MiB/s, 8 s left");
	progress_line(line, sizeof(line), 2500, 25 << 20, 10000, 2.5, 80);
	assert_string_equal(line, "[#####...............] 25% 2,500 of 10,000 files, 1,000/s, 10.0 MiB/s, 8 s left");
	progress_line(line, sizeof(line), 2500, 0, 0, 2.5, 80);
	assert_string_equal(line, "2,500 files, 1,000/s, 0 B/s");
	progress_line(line, sizeof(line), 11, 0, 10, 1, 80); /* more came meanwhile */
	assert_string_equal(line, "11 files, 11/s, 0 B/s");
	progress_line(line, sizeof(line), 0, 0, 10, 0, 80);
	assert_non_null(strstr(line, "? left"));
}

static void test_width(void **state)
{
	char line[256];

	for (int columns = 2; columns < 200; columns++)
		for (uint64_t n = 0; n <= 5000000; n += 500000) {
			progress_line(line, sizeof(line), n, n * 5000, 5000000, 61.5, columns);
			assert_true(strlen(line) < (size_t)columns);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_line), cmocka_unit_test(test_width) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
