/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Settings of the kernel that are read and written: a program of the root of the cgroups, which the kernel asks about each
 * access below /proc/sys. It knows the name and both values, sees io_uring, and needs neither ftrace nor a tracepoint: who
 * switches ftrace off by kernel/ftrace_enabled is seen by it, and after it.
 *
 * It is asked before the access is done, and always says yes. So there is no result, and a write of a value that the
 * kernel then refuses is an event, too.
 */
#include "lib/emit.bpf.h"

#define SYSCTL_YES  1
#define SYSCTL_NAME 256	 /* bytes of a name that are kept */
#define SYSCTL_TEXT 1024 /* bytes of a value that are kept */
#define E2BIG	    7
enum { ACTION_READ = 1, ACTION_WRITE = 2 };

/* The string that a helper has just put behind the record, of @n bytes or cut at @max; without the line's end. */
INLINE bool sysctl_keep(struct slot *s, struct ev_str *str, long n, const u32 max)
{
	struct rec *r = &s->rec;
	u64 at = r->used, last;
	bool cut = n == -E2BIG;

	if (cut)
		n = max - 1;
	if (n <= 0 || n >= max || at > RAW_CAP)
		return false;
	last = at + n - 1;
	sv_hide(last);
	if (last < RAW_MAX && r->raw[last] == '\n')
		n--;
	str->off = at;
	str->len = n;
	r->used = at + n;
	return cut;
}

/* Where the next string goes; NULL where there is no room. */
INLINE char *sysctl_room(struct slot *s)
{
	u64 at = s->rec.used;

	sv_hide(at);
	return at > RAW_CAP ? 0 : (char *)s->rec.raw + at;
}

INLINE void sysctl_strs(struct slot *s, struct bpf_sysctl *ctx, u64 *num)
{
	struct ev_str *str = rec_str(&s->rec, EVN_SYSCTL_COUNT);
	char *to = sysctl_room(s);

	if (to)
		num[NUM(SYSCTL, NAME_TRUNCATED)] = sysctl_keep(
			s, &str[STR(SYSCTL, NAME)], bpf_sysctl_get_name(ctx, to, SYSCTL_NAME, 0), SYSCTL_NAME);
	to = sysctl_room(s);
	if (to)
		num[NUM(SYSCTL, OLD_TRUNCATED)] = sysctl_keep(
			s, &str[STR(SYSCTL, OLD)], bpf_sysctl_get_current_value(ctx, to, SYSCTL_TEXT), SYSCTL_TEXT);
	to = sysctl_room(s);
	if (to && ctx->write) {
		num[NUM(SYSCTL, VALUE_TRUNCATED)] = sysctl_keep(
			s, &str[STR(SYSCTL, VALUE)], bpf_sysctl_get_new_value(ctx, to, SYSCTL_TEXT), SYSCTL_TEXT);
	} else {
		str[STR(SYSCTL, VALUE)] = str[STR(SYSCTL, OLD)];
		num[NUM(SYSCTL, VALUE_TRUNCATED)] = num[NUM(SYSCTL, OLD_TRUNCATED)];
	}
}

SEC("cgroup/sysctl")
int sysctl_asked(struct bpf_sysctl *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct hook h;
	u64 *num;
	bool ok;

	if (!hook_begin(&h, EV_SYSCTL))
		return SYSCTL_YES;
	rec_begin(&h.s->rec, EV_SYSCTL, EVN_SYSCTL_COUNT, EVS_SYSCTL_COUNT, EV_RUNG_CGROUP);
	rec_task(&h.s->rec, task);
	if (READ(task, flags) & PF_IO_WORKER || sys_nr(task_regs_of(task)) == SYS_IO_URING_ENTER)
		h.s->flags |= EV_F_ASYNC;
	num = rec_num(&h.s->rec);
	num[NUM(SYSCTL, ACTION)] = ctx->write ? ACTION_WRITE : ACTION_READ;
	num[NUM(SYSCTL, POSITION)] = ctx->file_pos;
	sysctl_strs(h.s, ctx, num);
	ok = rec_sieve_nums(h.s, h.sv, h.e, &h.alive, false);
	hook_end(&h, EV_SYSCTL, ok);
	return SYSCTL_YES;
}
