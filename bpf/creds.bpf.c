/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setuid, setgid, capset: a process that gives itself other credentials. Only calls that came about are events: the
 * language has no result for them, so what its rules say is of changes.
 *
 * Upper rungs: the security hooks that all calls of a family come through, with the new credentials as an argument while
 * the old ones are still in force. So the head has the old ones. Tracepoint rung: the call is over, the credentials at
 * hand are the new ones, and the old ones are gone (EV_F_CREDS_AFTER); then rules on the process's ids are left to user
 * space, which remembers them.
 */
#include "lib/call.bpf.h"
#include "lib/syscall.bpf.h"

/* What was set, out of credentials. */
INLINE void creds_nums(u64 *num, const u32 type, const struct cred *cred)
{
	switch (type) {
	case EV_SETUID:
		num[EVN_SETUID_UID] = READ(cred, uid.val);
		num[EVN_SETUID_EUID] = READ(cred, euid.val);
		num[EVN_SETUID_FSUID] = READ(cred, fsuid.val);
		break;
	case EV_SETGID:
		num[EVN_SETGID_GID] = READ(cred, gid.val);
		num[EVN_SETGID_EGID] = READ(cred, egid.val);
		num[EVN_SETGID_FSGID] = READ(cred, fsgid.val);
		break;
	case EV_CAPSET:
		bpf_probe_read_kernel(&num[EVN_CAPSET_EFFECTIVE], 8, (void *)cred + CRED_OFF(cap_effective));
		bpf_probe_read_kernel(&num[EVN_CAPSET_PERMITTED], 8, (void *)cred + CRED_OFF(cap_permitted));
		break;
	}
}

/* @type and @nnum are constants; @flags: of the record. */
INLINE int creds_set(u8 rung, const u32 type, const u32 nnum, const struct cred *cred, u32 flags, s64 ret)
{
	struct hook h;

	if (ret || !hook_begin(&h, type))
		return 0;
	h.s->flags |= flags;
	rec_begin(&h.s->rec, type, nnum, 0, rung);
	rec_task(&h.s->rec, (void *)bpf_get_current_task());
	creds_nums(rec_num(&h.s->rec), type, cred);
	hook_end(&h, type, rec_sieve_ids(h.s, h.sv, h.e, &h.alive, rung == EV_RUNG_TRACEPOINT));
	return 0;
}

#define CREDS_SET(RUNG, TYPE, CRED, RET) creds_set(RUNG, EV_##TYPE, EVN_##TYPE##_COUNT, CRED, 0, RET)

_Static_assert(EVS_SETUID_COUNT == 0 && EVS_SETGID_COUNT == 0 && EVS_CAPSET_COUNT == 0, "numbers alone");

/* ---- upper rungs ----------------------------------------------------------------------------------------------- */

SEC("fexit/security_task_fix_setuid")
int BPF_PROG(task_fix_setuid_x, struct cred *new, struct cred *old, int how, int ret)
{
	return CREDS_SET(EV_RUNG_FENTRY, SETUID, new, (s32)ret);
}
SEC("kprobe/security_task_fix_setuid")
int task_fix_setuid_ke(struct pt_regs *ctx)
{
	return call_keep(EV_SETUID, ctx);
}
SEC("kretprobe/security_task_fix_setuid")
int task_fix_setuid_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SETUID, &c)
		       ? CREDS_SET(EV_RUNG_KPROBE, SETUID, (struct cred *)c.arg[0], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("fexit/security_task_fix_setgid")
int BPF_PROG(task_fix_setgid_x, struct cred *new, struct cred *old, int how, int ret)
{
	return CREDS_SET(EV_RUNG_FENTRY, SETGID, new, (s32)ret);
}
SEC("kprobe/security_task_fix_setgid")
int task_fix_setgid_ke(struct pt_regs *ctx)
{
	return call_keep(EV_SETGID, ctx);
}
SEC("kretprobe/security_task_fix_setgid")
int task_fix_setgid_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SETGID, &c)
		       ? CREDS_SET(EV_RUNG_KPROBE, SETGID, (struct cred *)c.arg[0], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("fexit/security_capset")
int BPF_PROG(capset_x, struct cred *new, struct cred *old, void *effective, void *inheritable, void *permitted, int ret)
{
	return CREDS_SET(EV_RUNG_FENTRY, CAPSET, new, (s32)ret);
}
SEC("kprobe/security_capset")
int capset_ke(struct pt_regs *ctx)
{
	return call_keep(EV_CAPSET, ctx);
}
SEC("kretprobe/security_capset")
int capset_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_CAPSET, &c)
		       ? CREDS_SET(EV_RUNG_KPROBE, CAPSET, (struct cred *)c.arg[0], (s32)FN_RESULT(ctx))
		       : 0;
}

/* ---- tracepoint rung ------------------------------------------------------------------------------------------- */

/*
 * setfsuid and setfsgid return the id before, never an error: whether they changed it is to be seen. Asking for the id
 * (with one that is none, or the same) is common.
 */
INLINE s64 setfs_result(u32 id, s64 ret)
{
	return id == (u32)-1 || id == (u32)ret ? -EPERM : 0;
}

/* @type and its size are constants. */
INLINE int creds_at_exit(u8 rung, struct pt_regs *regs, s64 ret, const u32 type, const u32 nnum)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return 0;
	return creds_set(rung, type, nnum, READ(task, cred), args.compat ? EV_F_COMPAT : 0,
			 d.form == SYSFORM_SETFS ? setfs_result(args.a[0], ret) : ret);
}
INLINE int setuid_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	return creds_at_exit(rung, regs, ret, EV_SETUID, EVN_SETUID_COUNT);
}
INLINE int setgid_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	return creds_at_exit(rung, regs, ret, EV_SETGID, EVN_SETGID_COUNT);
}
INLINE int capset_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	return creds_at_exit(rung, regs, ret, EV_CAPSET, EVN_CAPSET_COUNT);
}
CALL_SYS_EXIT(sys_setuid, setuid_at_exit)
CALL_SYS_EXIT(sys_setgid, setgid_at_exit)
CALL_SYS_EXIT(sys_capset, capset_at_exit)
