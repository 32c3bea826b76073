/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the hook ladder: every event has every rung it claims, system calls point at arguments that exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "sensor/load/hooks.h"
#include "sensor/load/load.h"
#include "sensor/load/syscalls.h"

static bool is_process(uint16_t ev)
{
	return ev == EV_EXEC || ev == EV_FORK || ev == EV_EXIT;
}

static bool has_rung(uint16_t ev, uint8_t rung)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].event == ev && hook_rows[i].rung == rung)
			return true;
	return false;
}

static void every_event_has_its_rungs(void **state)
{
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++) {
		assert_true(has_rung(ev, EV_RUNG_TRACEPOINT));
		assert_int_equal(has_rung(ev, EV_RUNG_FENTRY), !is_process(ev));
		assert_non_null(hook_misses(ev, EV_RUNG_TRACEPOINT));
	}
}

static void rungs_have_names(void **state)
{
	assert_string_equal(load_rung_name(EV_RUNG_FENTRY), "fentry");
	assert_int_equal(load_rung_parse("tracepoint"), EV_RUNG_TRACEPOINT);
	assert_int_equal(load_rung_parse("nonsense"), EV_RUNG_NONE);
	assert_int_equal(load_rung_parse("none"), EV_RUNG_NONE);
	assert_null(load_rung_name(EV_RUNG_NONE));
}

static void only_wanted_calls_are_looked_at(void **state)
{
	static struct sysdescs d;
	bool wanted[EV_TYPES] = { [EV_RMDIR] = true };

	syscalls_fill(wanted, &d);
	assert_int_equal(d.native[SYS_openat].event, EV_NONE);
	/* unlinkat(AT_REMOVEDIR) removes directories. */
	assert_int_equal(d.native[SYS_unlinkat].event, EV_UNLINK);
	assert_int_not_equal(d.native[SYS_unlinkat].x, NO_ARG);
#ifdef SYS_unlink
	assert_int_equal(d.native[SYS_unlink].event, EV_NONE);
	assert_int_equal(d.native[SYS_rmdir].event, EV_RMDIR);
	assert_int_equal(d.compat[40].event, EV_RMDIR);
#endif
}

static void every_event_has_a_call(void **state)
{
	static struct sysdescs d;
	bool wanted[EV_TYPES], seen[EV_TYPES] = { false };

	memset(wanted, true, sizeof(wanted));
	syscalls_fill(wanted, &d);
	for (size_t i = 0; i < SYSCALLS; i++) {
		seen[d.native[i].event] = true;
		assert_true(d.native[i].x <= NO_ARG && d.native[i].path <= NO_ARG && d.compat[i].dirfd <= NO_ARG);
	}
	for (uint16_t ev = EV_OPEN; ev < EV_TYPES; ev++)
#ifndef __x86_64__
		if (ev != EV_RMDIR) /* by unlinkat alone */
#endif
			assert_true(seen[ev]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_has_its_rungs),
		cmocka_unit_test(rungs_have_names),
		cmocka_unit_test(only_wanted_calls_are_looked_at),
		cmocka_unit_test(every_event_has_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
