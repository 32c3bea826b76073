/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Capabilities that processes try to use, and use.
 *
 * The kernel asks for them all the time, so they are gathered by process image: an event tells of all that a process has
 * tried and used in the present period, each time that one is new to it. After CAPS_PERIOD_NS, at an exec and with another
 * policy it begins anew. So an image makes at most two events a capability and period, and the last of them has what the period had.
 *
 * Asked on behalf of another task, or with credentials that the kernel put on for a while, is not asked of this process.
 */
#include "lib/call.bpf.h"

#define CAPS_PERIOD_NS (60 * NSEC)
#define CAPS_MAX       64

/* Notes that @cap was tried, and used unless @ret; true where that is new. *ret_caps: what the period has seen. */
INLINE bool caps_note(struct task_struct *task, u32 generation, u32 cap, bool used, struct caps *ret_caps)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct caps now = { .start_ns = READ(task, group_leader, start_boottime),
			    .image = READ(task, self_exec_id),
			    .generation = generation };
	struct caps *old = bpf_map_lookup_elem(&caps_of, &pid);
	u64 bit = 1ull << (cap & (CAPS_MAX - 1)), time = bpf_ktime_get_ns();

	if (old && old->start_ns == now.start_ns && old->image == now.image && old->generation == generation &&
	    time - old->since < CAPS_PERIOD_NS) {
		if (old->attempted & bit && (!used || old->used & bit))
			return false;
		now = *old;
	} else {
		now.since = time;
	}
	now.attempted |= bit;
	if (used)
		now.used |= bit;
	bpf_map_update_elem(&caps_of, &pid, &now, BPF_ANY);
	*ret_caps = now;
	return true;
}

INLINE int cap_asked(u8 rung, const struct cred *cred, u32 cap, s32 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct caps caps = {};
	struct hook h;
	u64 *num;

	if (cap >= CAPS_MAX || as_number(cred) != as_number(READ(task, cred)) ||
	    as_number(cred) != as_number(READ(task, real_cred)))
		return 0;
	if (!hook_sieve(&h, EV_CAPABILITIES) || sv_mask_zero(&h.alive) ||
	    (!caps_note(task, h.sv->generation, cap, !ret, &caps) && !is_canary()) || !hook_enter(&h, EV_CAPABILITIES))
		return 0;
	rec_begin(&h.s->rec, EV_CAPABILITIES, EVN_CAPABILITIES_COUNT, EVS_CAPABILITIES_COUNT, rung);
	rec_task(&h.s->rec, task);
	if (task_async(task))
		h.s->flags |= EV_F_ASYNC;
	num = rec_num(&h.s->rec);
	num[NUM(CAPABILITIES, ATTEMPTED)] = caps.attempted;
	num[NUM(CAPABILITIES, USED)] = caps.used;
	hook_end(&h, EV_CAPABILITIES, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

SEC("fexit/security_capable")
int BPF_PROG(capable_x, const struct cred *cred, void *ns, int cap, u32 opts, int ret)
{
	return cap_asked(EV_RUNG_FENTRY, cred, (u32)cap, (s32)ret);
}
SEC("kprobe/security_capable")
int capable_ke(struct pt_regs *ctx)
{
	return call_keep(EV_CAPABILITIES, ctx);
}
SEC("kretprobe/security_capable")
int capable_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_CAPABILITIES, &c)
		       ? cap_asked(EV_RUNG_KPROBE, (void *)c.arg[0], (u32)c.arg[2], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("tp_btf/cap_capable") /* from 6.14 on */
int BPF_PROG(cap_capable, const struct cred *cred, void *target, void *capable, int cap, int ret)
{
	return cap_asked(EV_RUNG_TRACEPOINT, cred, (u32)cap, (s32)ret);
}
SEC("tp/capability/cap_capable")
int cap_capable_c(struct trace_event_raw_cap_capable *ctx)
{
	return cap_asked(EV_RUNG_TRACEPOINT, ctx->cred, (u32)ctx->cap, ctx->ret);
}
