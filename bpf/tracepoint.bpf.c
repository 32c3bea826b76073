/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracepoint rung's dispatcher: one program at sys_exit looks the system call up and goes on in the program of its event.
 * For a call that tells no event this is all it costs.
 */
#include "lib/path.bpf.h"

#define AT_REMOVEDIR 0x200
enum { SYS_BIND = 2, SYS_CONNECT = 3 }; /* first argument of socketcall(2) */

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_dispatch, struct pt_regs *regs, long ret)
{
	u32 zero = 0, nr = sys_nr(regs);
	struct sysdescs *all = bpf_map_lookup_elem(&syscalls, &zero);
	const struct sysdesc *d;
	struct sysargs args;
	u32 event;
	bool compat;

	if (!all || nr >= SYSCALLS)
		return 0;
	compat = sys_compat((void *)bpf_get_current_task());
	d = compat ? &all->compat[nr] : &all->native[nr];
	event = d->event;
	if (!event)
		return 0;
	if (event == EV_UNLINK && d->x != NO_ARG) {
		sys_args(regs, compat, &args);
		if (args.a[2] & AT_REMOVEDIR)
			event = EV_RMDIR;
	} else if (d->form == SYSFORM_SOCKETCALL) {
		sys_args(regs, compat, &args);
		event = args.a[0] == SYS_CONNECT ? EV_CONNECT : args.a[0] == SYS_BIND ? EV_BIND : EV_NONE;
	}
	bpf_tail_call(ctx, &sys_events, event);
	return 0;
}
