/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/syscall.h>

#include "sensor/load/syscalls.h"

static struct sysdescs d;

static void fill(uint16_t a, uint16_t b)
{
	bool wanted[EV_TYPES] = { false };

	wanted[a] = wanted[b] = true;
	syscalls_fill(wanted, &d);
}

static void only_what_is_wanted(void **state)
{
	struct sysdescs none;

	(void)state;
	memset(&none, 0, sizeof(none));
	fill(EV_NONE, EV_NONE);
	assert_memory_equal(&d, &none, sizeof(d));
	fill(EV_CHMOD, EV_NONE);
	assert_int_equal(d.native[SYS_fchmod].event, EV_CHMOD);
	assert_int_equal(d.native[SYS_fchmod].form, SYSFORM_FD);
	assert_int_equal(d.native[SYS_openat].event, EV_NONE);
	assert_int_equal(d.native[SYS_write].event, EV_NONE);
}

/* An open is no event then, but what it opens is not what was written before. */
static void writes_alone(void **state)
{
	(void)state;
	fill(EV_WRITE, EV_NONE);
	assert_int_equal(d.native[SYS_write].event, EV_WRITE);
	assert_int_equal(d.native[SYS_write].dirfd, 0);
	assert_int_equal(d.native[SYS_copy_file_range].dirfd, 2);
	assert_int_equal(d.native[SYS_splice].event, EV_WRITE);
	assert_int_equal(d.native[SYS_splice].dirfd, 2);
	assert_int_equal(d.native[SYS_openat].event, EV_WRITE);
	assert_int_equal(d.native[SYS_openat].form, SYSFORM_OPENED);
	assert_int_equal(d.compat[295].form, SYSFORM_OPENED);
	assert_int_equal(d.native[SYS_fchmod].event, EV_NONE);
}

/* Their programs go on to that of writes. */
static void writes_and_others(void **state)
{
	(void)state;
	fill(EV_WRITE, EV_OPEN);
	assert_int_equal(d.native[SYS_openat].event, EV_OPEN);
	assert_int_equal(d.native[SYS_openat].form, SYSFORM_PATH);
	fill(EV_WRITE, EV_SPLICE);
	assert_int_equal(d.native[SYS_splice].event, EV_SPLICE);
	assert_int_equal(d.native[SYS_splice].dirfd, 0);
	assert_int_equal(d.native[SYS_splice].dirfd2, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_wanted),
		cmocka_unit_test(writes_alone),
		cmocka_unit_test(writes_and_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
