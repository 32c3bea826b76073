/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function's arguments, kept by thread from its entry to the program that knows the result: of the same function on the
 * kprobe rung, whose kretprobes have no arguments; of another one where a hook inside has what a hook outside lacks.
 *
 * Where the kernel has no instance left for a return (maxactive), the kprobe has kept arguments that nobody takes: the
 * kernel counts that, and the thread's next call, or its end, clears them.
 */
#ifndef TAMIS_BPF_CALL_H
#define TAMIS_BPF_CALL_H

#include "lib/path.bpf.h"

INLINE u64 call_key(const u32 type)
{
	return (u64)type << 32 | (u32)bpf_get_current_pid_tgid();
}

/* Keeps arguments of the function that is entered; the event is lost, and counted, where there is no room. */
INLINE int call_keep_all(const u32 type, u64 arg1, u64 arg2, u64 arg3, u64 arg4)
{
	struct call c = { { arg1, arg2, arg3, arg4 } };
	const struct sieve *sv = sieve_get();
	u64 key = call_key(type);

	/* Hooks may be there that the policy has no use for: see now_or_never() in sensor/load/load.c. */
	if (!sv || sv_mask_zero(&sv->event[type].clauses))
		return 0;
	if (bpf_map_update_elem(&calls, &key, &c, BPF_ANY)) {
		stat_add(type, seen);
		stat_add(type, lost);
	}
	return 0;
}

INLINE int call_keep_args(const u32 type, u64 arg1, u64 arg2, u64 arg3)
{
	return call_keep_all(type, arg1, arg2, arg3, 0);
}

INLINE int call_keep(const u32 type, struct pt_regs *ctx)
{
	return call_keep_all(type, FN_ARG1(ctx), FN_ARG2(ctx), FN_ARG3(ctx), FN_ARG4(ctx));
}

/* Takes them back. False where there are none: the call began before the hooks were there. */
INLINE bool call_take(const u32 type, struct call *ret)
{
	u64 key = call_key(type);
	struct call *c = bpf_map_lookup_elem(&calls, &key);

	if (!c)
		return false;
	*ret = *c;
	bpf_map_delete_elem(&calls, &key);
	return true;
}

#endif
