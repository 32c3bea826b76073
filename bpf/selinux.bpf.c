/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes to the files of SELinux: enforce, disable, the booleans and their commit. In the functions that do these writes,
 * which are there wherever SELinux is compiled in. What was written is the caller's text, read after the call.
 */
#include "lib/call.bpf.h"

enum selinux_file { SELINUX_ENFORCE, SELINUX_DISABLE, SELINUX_BOOL, SELINUX_COMMIT };

/* Whether the text at @user is a number other than 0; false where it cannot be read. */
INLINE bool written_true(struct slot *s, const char *user)
{
	char text[8] = {};

	if (bpf_probe_read_user_str(text, sizeof(text), user) < 0)
		s->flags |= EV_F_UNREADABLE;
#pragma GCC unroll 8
	for (int i = 0; i < 8; i++)
		if (text[i] >= '1' && text[i] <= '9')
			return true;
	return false;
}

INLINE void selinux_status(struct slot *s, struct ev_str *str, enum selinux_file what, bool on)
{
	char enforcing[] = "enforcing", permissive[] = "permissive", disabled[] = "disabled";

	if (what == SELINUX_DISABLE && on)
		rec_put(s, str, disabled, sizeof(disabled) - 1);
	else if (what == SELINUX_ENFORCE && on)
		rec_put(s, str, enforcing, sizeof(enforcing) - 1);
	else if (what == SELINUX_ENFORCE)
		rec_put(s, str, permissive, sizeof(permissive) - 1);
}

INLINE void selinux_bool(struct slot *s, struct ev_str *str, struct file *file, bool on)
{
	char text[] = "off";

	rec_puts(s, &str[STR(SELINUX, BOOL_NAME)], READ(file, f_path.dentry, d_name.name), SV_NAME_MAX, false);
	if (on)
		text[1] = 'n';
	rec_put(s, &str[STR(SELINUX, BOOL_STATE)], text, on ? 2 : 3);
}

INLINE int selinux_written(u8 rung, const enum selinux_file what, struct file *file, const char *user, s64 ret)
{
	struct hook h;
	struct rec *r;
	bool on;

	if (!reportable(ret) || !hook_begin(&h, EV_SELINUX))
		return 0;
	r = &h.s->rec;
	rec_begin(r, EV_SELINUX, EVN_SELINUX_COUNT, EVS_SELINUX_COUNT, rung);
	rec_task(r, (void *)bpf_get_current_task());
	rec_head(r)->retval = result(ret);
	if (task_async((void *)bpf_get_current_task()))
		h.s->flags |= EV_F_ASYNC;
	on = written_true(h.s, user);
	if (what == SELINUX_COMMIT)
		rec_num(r)[NUM(SELINUX, COMMIT)] = on;
	else if (what == SELINUX_BOOL)
		selinux_bool(h.s, rec_str(r, EVN_SELINUX_COUNT), file, on);
	else
		selinux_status(h.s, &rec_str(r, EVN_SELINUX_COUNT)[STR(SELINUX, ENFORCE)], what, on);
	hook_end(&h, EV_SELINUX, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

INLINE int selinux_returned(const enum selinux_file what, struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SELINUX, &c)
		       ? selinux_written(EV_RUNG_KPROBE, what, (void *)c.arg[0], (void *)c.arg[1], (s64)FN_RESULT(ctx))
		       : 0;
}

SEC("fexit/sel_write_enforce")
int BPF_PROG(sel_write_enforce_x, struct file *file, const char *user, u64 n, void *pos, long ret)
{
	return selinux_written(EV_RUNG_FENTRY, SELINUX_ENFORCE, file, user, ret);
}
SEC("fexit/sel_write_disable") /* before 6.4 */
int BPF_PROG(sel_write_disable_x, struct file *file, const char *user, u64 n, void *pos, long ret)
{
	return selinux_written(EV_RUNG_FENTRY, SELINUX_DISABLE, file, user, ret);
}
SEC("fexit/sel_write_bool")
int BPF_PROG(sel_write_bool_x, struct file *file, const char *user, u64 n, void *pos, long ret)
{
	return selinux_written(EV_RUNG_FENTRY, SELINUX_BOOL, file, user, ret);
}
SEC("fexit/sel_commit_bools_write")
int BPF_PROG(sel_commit_bools_x, struct file *file, const char *user, u64 n, void *pos, long ret)
{
	return selinux_written(EV_RUNG_FENTRY, SELINUX_COMMIT, file, user, ret);
}
SEC("kprobe/sel_write_enforce") /* and the other three */
int sel_write_ke(struct pt_regs *ctx)
{
	return call_keep(EV_SELINUX, ctx);
}
SEC("kretprobe/sel_write_enforce")
int sel_write_enforce_kx(struct pt_regs *ctx)
{
	return selinux_returned(SELINUX_ENFORCE, ctx);
}
SEC("kretprobe/sel_write_disable")
int sel_write_disable_kx(struct pt_regs *ctx)
{
	return selinux_returned(SELINUX_DISABLE, ctx);
}
SEC("kretprobe/sel_write_bool")
int sel_write_bool_kx(struct pt_regs *ctx)
{
	return selinux_returned(SELINUX_BOOL, ctx);
}
SEC("kretprobe/sel_commit_bools_write")
int sel_commit_bools_kx(struct pt_regs *ctx)
{
	return selinux_returned(SELINUX_COMMIT, ctx);
}
