/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sensor/priv/printer.h"

#define SECOND 1000000000ull

static uint64_t put_lines(struct printer *p, uint64_t from, uint64_t n, uint64_t now)
{
	char line[128];

	for (uint64_t i = from; i < from + n; i++) {
		int len = snprintf(line, sizeof(line), "%llu %099d\n", (unsigned long long)i, 0);

		printer_put(p, line, (size_t)len, 1, now);
	}
	return from + n;
}

/* Reads what is there; each line whole, the numbers ascending. */
static uint64_t read_lines(int fd, char *rest, size_t *rest_len, long long *last)
{
	static char text[1 << 20];
	uint64_t n = 0;
	ssize_t got;
	char *p, *nl;

	memcpy(text, rest, *rest_len);
	got = read(fd, text + *rest_len, sizeof(text) - *rest_len - 1);
	if (got <= 0)
		return 0;
	text[*rest_len + (size_t)got] = '\0';
	for (p = text; (nl = strchr(p, '\n')); p = nl + 1, n++) {
		long long number = atoll(p);

		assert_true(nl - p > 99 && number > *last);
		*last = number;
	}
	*rest_len = strlen(p);
	memmove(rest, p, *rest_len);
	return n;
}

static void a_reader_that_stalls_misses_whole_lines(void **state)
{
	char rest[256];
	size_t rest_len = 0;
	long long last = -1;
	uint64_t next = 0, read_n = 0;
	struct printer p;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	printer_init(&p, fds[1]);

	/* it fills up, and asks for patience */
	while (!printer_full(&p)) {
		next = put_lines(&p, next, 1000, SECOND);
		printer_write(&p, SECOND);
	}
	assert_false(p.stalled);
	assert_int_equal(p.skipped, 0);
	/* patience is over after a second without progress */
	printer_write(&p, SECOND + SECOND / 2);
	assert_true(printer_full(&p));
	printer_write(&p, 2 * SECOND + 1000000);
	assert_false(printer_full(&p));
	next = put_lines(&p, next, 500, 3 * SECOND);
	assert_int_equal(p.skipped, 500);

	/* the reader is back */
	while (printer_waits(&p)) {
		read_n += read_lines(fds[0], rest, &rest_len, &last);
		printer_write(&p, 4 * SECOND);
	}
	next = put_lines(&p, next, 10, 4 * SECOND);
	printer_write(&p, 4 * SECOND);
	for (uint64_t n = 1; n; read_n += n)
		n = read_lines(fds[0], rest, &rest_len, &last);
	assert_int_equal(p.skipped, 500);
	assert_int_equal(p.printed, read_n);
	assert_int_equal(p.printed + p.skipped, next);
	assert_int_equal(last, next - 1);
	printer_done(&p);
	close(fds[0]);
	close(fds[1]);
}

static void a_reader_that_left_is_not_waited_for(void **state)
{
	struct printer p;
	int fds[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	printer_init(&p, fds[1]);
	close(fds[0]);
	put_lines(&p, 0, 100, SECOND);
	printer_write(&p, SECOND);
	assert_false(printer_waits(&p));
	put_lines(&p, 100, 100, SECOND);
	assert_int_equal(p.printed, 0);
	assert_int_equal(p.skipped, 200);
	printer_done(&p);
	close(fds[1]);
}

static void without_a_reader_nothing_counts(void **state)
{
	struct printer p;

	(void)state;
	printer_init(&p, -1);
	put_lines(&p, 0, 100, SECOND);
	assert_false(printer_waits(&p));
	assert_int_equal(p.printed + p.skipped, 0);
	printer_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_that_stalls_misses_whole_lines),
		cmocka_unit_test(a_reader_that_left_is_not_waited_for),
		cmocka_unit_test(without_a_reader_nothing_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
