/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the hook ladder: every event has every rung it claims, system calls point at arguments that exist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>
#include <errno.h>

#include "sensor/load/hooks.h"
#include "sensor/load/kernel.h"
#include "sensor/load/ladder.h"
#include "sensor/load/load.h"
#include "sensor/load/syscalls.h"

static bool has_rung(uint16_t ev, uint8_t rung)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (hook_rows[i].event == ev && hook_rows[i].rung == rung && !hook_rows[i].deny)
			return true;
	return false;
}

static void every_event_has_its_rungs(void **state)
{
	for (uint16_t ev = EV_NONE + 1; ev < EV_TYPES; ev++) {
		if (!has_rung(ev, EV_RUNG_TRACEPOINT))
			continue; /* an event that has no hooks yet */
		assert_int_equal(has_rung(ev, EV_RUNG_FENTRY), !hook_lineage(ev) && ev != EV_IO_URING);
		assert_int_equal(has_rung(ev, EV_RUNG_KPROBE), !hook_lineage(ev) && ev != EV_IO_URING);
		assert_non_null(hook_misses(ev, EV_RUNG_TRACEPOINT));
		assert_non_null(hook_event_name(ev));
	}
	for (const uint16_t *ev = hook_minimum; *ev; ev++)
		assert_true(has_rung(*ev, EV_RUNG_TRACEPOINT));
}

/* `tamisctl hooks` says of which events the paths or addresses are the caller's, which another thread can change. */
static void what_can_be_changed_is_said(void **state)
{
	static const uint16_t changed[] = { EV_UNLINK,	 EV_RENAME,	 EV_MKDIR,   EV_RMDIR,	  EV_LINK,
					    EV_SYMLINK,	 EV_CHMOD,	 EV_CHOWN,   EV_TRUNCATE, EV_UTIMES,
					    EV_SETXATTR, EV_REMOVEXATTR, EV_CONNECT, EV_BIND,	  EV_MOUNT,
					    EV_UMOUNT,	 EV_PIVOT_ROOT,	 EV_OPEN,    EV_CHDIR,	  EV_CHROOT };

	for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
		if (!strstr(hook_misses(changed[i], EV_RUNG_TRACEPOINT), "another thread can change"))
			fail_msg("%s does not say it", hook_event_name(changed[i]));
}

static void clones_are_told_from_pieces(void **state)
{
	struct hook_row r = { .target = "do_rmdir", .clones = true };

	assert_true(hook_symbol_is(&r, "do_rmdir"));
	assert_true(hook_symbol_is(&r, "do_rmdir.isra.0"));
	assert_true(hook_symbol_is(&r, "do_rmdir.constprop.0.isra.0"));
	assert_false(hook_symbol_is(&r, "do_rmdir.cold"));
	assert_false(hook_symbol_is(&r, "do_rmdir.isra.0.cold"));
	assert_false(hook_symbol_is(&r, "do_rmdir.part.0"));
	assert_false(hook_symbol_is(&r, "do_rmdirat"));
	/* where arguments are read, a clone with others will not do */
	r.clones = false;
	assert_true(hook_symbol_is(&r, "do_rmdir"));
	assert_false(hook_symbol_is(&r, "do_rmdir.isra.0"));
}

/* ---- the choice ---- */

/* A kernel where everything works and every target is there. */
static void best_kernel(struct ladder *l)
{
	memset(l, 0, sizeof(*l));
	memset(l->works, true, sizeof(l->works));
	for (size_t i = 0; i < hook_nrows; i++)
		snprintf(l->symbol[i][0], sizeof(l->symbol[i][0]), "%s", hook_rows[i].target);
}

static void without_symbol(struct ladder *l, const char *name)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (strcmp(hook_rows[i].target, name) == 0)
			l->symbol[i][0][0] = '\0';
}

/* The kind that serves @ev, which must be one row of those that have to be there. */
static int kind_of(const struct ladder *l, uint16_t ev)
{
	int kind = -1;

	for (size_t i = 0; i < hook_nrows; i++)
		if (l->used[i] && hook_rows[i].event == ev && !hook_rows[i].optional) {
			assert_int_equal(kind, -1);
			kind = hook_rows[i].kind;
		}
	return kind;
}

static void the_best_is_taken(void **state)
{
	static struct ladder l;
	struct err e;

	best_kernel(&l);
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_OPEN], EV_RUNG_FENTRY);
	assert_string_equal(l.why[EV_OPEN], "");
	assert_int_equal(kind_of(&l, EV_EXEC), HOOK_TP_BTF);

	l.works[HOOK_FENTRY] = false;
	strcpy(l.why_not[HOOK_FENTRY], "cannot be loaded: X");
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_OPEN], EV_RUNG_KPROBE);
	assert_string_equal(l.why[EV_OPEN], "fentry: fexit cannot be loaded: X");

	l.works[HOOK_KPROBE] = l.works[HOOK_KRETPROBE] = false;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_OPEN], EV_RUNG_TRACEPOINT);
	assert_int_equal(kind_of(&l, EV_OPEN), HOOK_SYS_BTF);
}

/* How the file of a script is seen before its interpreter takes its place; HOOK_KINDS: not at all. */
static int script_kind(const struct ladder *l)
{
	for (size_t i = 0; i < hook_nrows; i++)
		if (l->used[i] && strcmp(hook_rows[i].target, "security_bprm_check") == 0)
			return hook_rows[i].kind;
	return HOOK_KINDS;
}

/* A better rung helps an event of the last one, unless the last one was asked for. */
static void scripts_are_seen_by_the_best_hook(void **state)
{
	static struct ladder l;
	struct err e;

	best_kernel(&l);
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(script_kind(&l), HOOK_FENTRY);
	l.preempts = true;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(script_kind(&l), HOOK_KPROBE);
	l.preempts = false;
	l.forced = EV_RUNG_KPROBE;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(script_kind(&l), HOOK_KPROBE);
	l.forced = EV_RUNG_TRACEPOINT;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_DNS], EV_RUNG_CGROUP); /* which has no other, and nobody can ask for */
	assert_int_equal(load_rung_parse("cgroup"), EV_RUNG_NONE);
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(script_kind(&l), HOOK_KINDS);
	assert_int_equal(l.rung[EV_EXEC], EV_RUNG_TRACEPOINT);
	l.forced = EV_RUNG_NONE;
	l.works[HOOK_FENTRY] = l.works[HOOK_KPROBE] = l.works[HOOK_KRETPROBE] = false;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(script_kind(&l), HOOK_KINDS);
}

/* Where the kernel skips runs, what it does not skip goes first, on every rung. */
static void what_loses_nothing_goes_first(void **state)
{
	static struct ladder l;
	struct err e;

	best_kernel(&l);
	l.preempts = true;
	assert_int_equal(ladder_choose(&l, &e), 0);
	for (size_t i = 0; i < hook_nrows; i++)
		assert_false(l.used[i] && hook_skippable(hook_rows[i].kind));
	assert_int_equal(l.rung[EV_OPEN], EV_RUNG_KPROBE);
	assert_non_null(strstr(l.why[EV_OPEN], "skipped"));

	l.works[HOOK_KPROBE] = l.works[HOOK_KRETPROBE] = l.works[HOOK_FENTRY] = false;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(kind_of(&l, EV_OPEN), HOOK_SYS_TP);

	/* better some than none */
	l.works[HOOK_TP] = l.works[HOOK_SYS_TP] = false;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(kind_of(&l, EV_OPEN), HOOK_SYS_BTF);
	assert_int_equal(kind_of(&l, EV_FORK), HOOK_TP_BTF);
}

static void one_missing_function_costs_one_rung_of_one_event(void **state)
{
	static struct ladder l;
	struct err e;

	best_kernel(&l);
	without_symbol(&l, "security_path_rename");
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_RENAME], EV_RUNG_TRACEPOINT);
	assert_string_equal(l.why[EV_RENAME],
			    "fentry: security_path_rename not found; kprobe: security_path_rename not found");
	assert_int_equal(l.rung[EV_UNLINK], EV_RUNG_FENTRY);

	/* one of two names is enough; an optional one is not needed */
	best_kernel(&l);
	without_symbol(&l, "do_unlinkat");
	without_symbol(&l, "__sys_bind_socket");
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_UNLINK], EV_RUNG_FENTRY);
	assert_int_equal(l.rung[EV_BIND], EV_RUNG_FENTRY);

	/* the same for a program that did not load */
	best_kernel(&l);
	ladder_break(&l, "chmod_common_x", "BPF program load failed: X");
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_CHMOD], EV_RUNG_KPROBE);
	assert_string_equal(l.why[EV_CHMOD], "fentry: chmod_common_x: BPF program load failed: X");
	assert_int_equal(l.rung[EV_CHOWN], EV_RUNG_FENTRY);
}

/* System calls have one dispatcher: where a program for the cheaper one does not load, all take the other. */
static void the_other_dispatcher_is_a_second_chance(void **state)
{
	static struct ladder l;
	struct err e;

	best_kernel(&l);
	l.forced = EV_RUNG_TRACEPOINT;
	ladder_break(&l, "sys_mkdir", "X");
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(kind_of(&l, EV_MKDIR), HOOK_SYS_TP);
	assert_int_equal(kind_of(&l, EV_OPEN), HOOK_SYS_TP);
}

static void below_the_minimum_it_does_not_start(void **state)
{
	static struct ladder l;
	struct err e;

	/* mkdir may be missing */
	best_kernel(&l);
	without_symbol(&l, "security_path_mkdir");
	ladder_break(&l, "sys_mkdir", "X");
	ladder_break(&l, "sys_mkdir_c", "X");
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_MKDIR], EV_RUNG_NONE);
	assert_non_null(strstr(l.why[EV_MKDIR], "tracepoint: sys_mkdir"));

	/* exec and open may not */
	ladder_break(&l, "process_exec", "X");
	ladder_break(&l, "process_exec_c", "X");
	assert_int_equal(ladder_choose(&l, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "no hook for exec, "));
	memset(l.works, false, sizeof(l.works));
	assert_int_equal(ladder_choose(&l, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "exec, fork, exit, open, rename, unlink, chmod, connect"));
}

static void a_rung_can_be_asked_for(void **state)
{
	static struct ladder l;
	struct err e;

	best_kernel(&l);
	l.forced = EV_RUNG_KPROBE;
	assert_int_equal(ladder_choose(&l, &e), 0);
	assert_int_equal(l.rung[EV_OPEN], EV_RUNG_KPROBE);
	assert_int_equal(l.rung[EV_EXEC], EV_RUNG_TRACEPOINT); /* knows only one */

	l.works[HOOK_KPROBE] = false;
	strcpy(l.why_not[HOOK_KPROBE], "cannot be made: X");
	assert_int_equal(ladder_choose(&l, &e), -ENOTSUP);
	assert_non_null(strstr(e.msg, "--rung kprobe does not do here"));
	assert_non_null(strstr(e.msg, "cannot be made: X"));
}

static void preemption_modes(void **state)
{
	bool p;

	assert_int_equal(kernel_preempt_mode("none (voluntary) full", &p), 0);
	assert_false(p);
	assert_int_equal(kernel_preempt_mode("(none) voluntary full lazy", &p), 0);
	assert_false(p);
	assert_int_equal(kernel_preempt_mode("none voluntary full (lazy)", &p), 0);
	assert_true(p);
	assert_int_equal(kernel_preempt_mode("(full) lazy", &p), 0);
	assert_true(p);
	assert_int_equal(kernel_preempt_mode("", &p), -EINVAL);
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

/* A few of each kind; the whole table is what unistd.h of both says. */
static void arm_numbers_calls_its_own_way(void **state)
{
	assert_int_equal(syscalls_arm(5), 5);	  /* open */
	assert_int_equal(syscalls_arm(102), -1);  /* socketcall */
	assert_int_equal(syscalls_arm(217), 218); /* pivot_root */
	assert_int_equal(syscalls_arm(295), 322); /* openat */
	assert_int_equal(syscalls_arm(353), 382); /* renameat2 */
	assert_int_equal(syscalls_arm(362), 283); /* connect */
	assert_int_equal(syscalls_arm(402), 304); /* msgctl */
	assert_int_equal(syscalls_arm(437), 437); /* openat2 */
	assert_int_equal(syscalls_arm(-1), -1);
	assert_int_equal(syscalls_arm(ARM_ONLY(285)), 285); /* accept */
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
	for (size_t i = 0; i < hook_nrows; i++) {
#ifndef __x86_64__
		if (hook_rows[i].event == EV_RMDIR) /* by unlinkat alone */
			continue;
#endif
		assert_true(hook_rows[i].kind != HOOK_SYS_BTF || seen[hook_rows[i].event]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_has_its_rungs),
		cmocka_unit_test(what_can_be_changed_is_said),
		cmocka_unit_test(clones_are_told_from_pieces),
		cmocka_unit_test(the_best_is_taken),
		cmocka_unit_test(scripts_are_seen_by_the_best_hook),
		cmocka_unit_test(what_loses_nothing_goes_first),
		cmocka_unit_test(one_missing_function_costs_one_rung_of_one_event),
		cmocka_unit_test(the_other_dispatcher_is_a_second_chance),
		cmocka_unit_test(below_the_minimum_it_does_not_start),
		cmocka_unit_test(a_rung_can_be_asked_for),
		cmocka_unit_test(preemption_modes),
		cmocka_unit_test(rungs_have_names),
		cmocka_unit_test(only_wanted_calls_are_looked_at),
		cmocka_unit_test(arm_numbers_calls_its_own_way),
		cmocka_unit_test(every_event_has_a_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
