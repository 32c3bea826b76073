/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tracepoint rung's dispatcher: one program at sys_exit looks the system call up and goes on in the program of its
 * event. For a call that tells no event this is all it costs.
 */
#include "lib/path.bpf.h"

#define AT_REMOVEDIR 0x200
enum { SYS_BIND = 2, SYS_CONNECT = 3 }; /* first argument of socketcall(2) */

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_exit_dispatch, struct pt_regs *regs, long ret)
{
	struct sysargs args = {};
	struct sysdesc d;
	u32 event;

	if (!sys_desc(regs, &args, &d))
		return 0;
	event = d.event;
	if (event == EV_UNLINK && d.x != NO_ARG && args.a[2] & AT_REMOVEDIR)
		event = EV_RMDIR;
	else if (d.form == SYSFORM_SOCKETCALL)
		event = args.a[0] == SYS_CONNECT ? EV_CONNECT : args.a[0] == SYS_BIND ? EV_BIND : EV_NONE;
	if (!event)
		return 0;
	bpf_tail_call(ctx, &sys_events, event);
	return 0;
}
