/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * connect and bind. On the upper rungs the address is the kernel's copy; at sys_exit it is read from user memory again.
 * Every result is reported: a refused connection is as telling as one that came about.
 */
#include "lib/call.bpf.h"

#define AF_INET	 2
#define AF_INET6 10

struct sockaddr_any {
	u16 family;
	u16 port; /* network order; IPv4 and IPv6 alike */
	u8 v4[4];
	u8 v6[16]; /* at offset 8, behind IPv6's flow label */
};

struct addr {
	u64 family, port, protocol;
	u8 ip[16]; /* IPv4 mapped into IPv6 */
	bool has_ip;
};

/* @user: @sa lies in user memory. */
INLINE bool addr_read(struct addr *a, const void *sa, bool user)
{
	struct sockaddr_any any = {};

	if (user ? bpf_probe_read_user(&any.family, 2, sa) : bpf_probe_read_kernel(&any.family, 2, sa))
		return false;
	a->family = any.family;
	if (any.family != AF_INET && any.family != AF_INET6)
		return true;
	/* An IPv4 address is 16 bytes long, so reading 8 behind it would be reading another's memory. */
	if (any.family == AF_INET) {
		if (user ? bpf_probe_read_user(&any, 8, sa) : bpf_probe_read_kernel(&any, 8, sa))
			return false;
		a->ip[10] = a->ip[11] = 0xff;
		__builtin_memcpy(&a->ip[12], any.v4, 4);
	} else {
		if (user ? bpf_probe_read_user(&any, 24, sa) : bpf_probe_read_kernel(&any, 24, sa))
			return false;
		__builtin_memcpy(a->ip, any.v6, 16);
	}
	a->port = __builtin_bswap16(any.port);
	a->has_ip = true;
	return true;
}

INLINE u64 file_protocol(struct file *file)
{
	struct socket *sock = READ(file, private_data);

	return READ(sock, sk, sk_protocol);
}

/* Makes the record and decides on all but, for bind's first half, the result. */
INLINE bool net_rec(struct hook *h, const u32 type, const u32 nnum, const u32 nstr, u8 rung, s64 ret, struct addr *a)
{
	const struct sv_automaton *aut = &h->e->automata[SV_AUT_ADDR];
	struct rec *r = &h->s->rec;
	u64 *num = rec_num(r);

	if (aut->used && a->has_ip) {
		sv_mask_and(&h->alive, sv_final_mask(h->sv, aut, sv_dfa_run_addr(h->sv, aut, a->ip)));
		if (sv_mask_zero(&h->alive))
			return false;
	}
	rec_begin(r, type, nnum, nstr, rung);
	rec_task(r, (void *)bpf_get_current_task());
	rec_head(r)->retval = ret;
	if (rung != EV_RUNG_TRACEPOINT && task_async((void *)bpf_get_current_task()))
		h->s->flags |= EV_F_ASYNC;
	num[EVN_CONNECT_PORT] = a->port; /* bind's rows are the same list */
	num[EVN_CONNECT_FAMILY] = a->family;
	num[EVN_CONNECT_PROTOCOL] = a->protocol;
	if (a->has_ip)
		rec_put(h->s, &rec_str(r, nnum)[EVS_CONNECT_IP], a->ip, 16);
	return true;
}

_Static_assert((int)EVN_BIND_PORT == (int)EVN_CONNECT_PORT && (int)EVS_BIND_IP == (int)EVS_CONNECT_IP,
	       "CAT_ADDR first in both");

INLINE int connect_left(u8 rung, struct file *file, void *address, s32 ret)
{
	struct addr a = {};
	struct hook h;
	bool ok;

	if (deny_told(EV_CONNECT, ret) || !hook_begin(&h, EV_CONNECT))
		return 0;
	if (!addr_read(&a, address, false))
		h.s->flags |= EV_F_UNREADABLE;
	a.protocol = file_protocol(file);
	ok = net_rec(&h, EV_CONNECT, EVN_CONNECT_COUNT, EVS_CONNECT_COUNT, rung, result(ret), &a) &&
	     rec_sieve(h.s, h.sv, h.e, &h.alive);
	hook_end(&h, EV_CONNECT, ok);
	return 0;
}

INLINE int bind_begun(u8 rung, struct socket *sock, void *address)
{
	struct addr a = {};
	struct hook h;

	if (!hook_begin(&h, EV_BIND))
		return 0;
	if (!addr_read(&a, address, false))
		h.s->flags |= EV_F_UNREADABLE;
	a.protocol = READ(sock, sk, sk_protocol);
	half_keep(&h, EV_BIND, net_rec(&h, EV_BIND, EVN_BIND_COUNT, EVS_BIND_COUNT, rung, 0, &a));
	return 0;
}

SEC("fexit/__sys_connect_file")
int BPF_PROG(sys_connect_file_x, struct file *file, void *address, int addrlen, int flags, int ret)
{
	return connect_left(EV_RUNG_FENTRY, file, address, (s32)ret);
}
SEC("kprobe/__sys_connect_file")
int sys_connect_file_ke(struct pt_regs *ctx)
{
	return call_keep(EV_CONNECT, ctx);
}
SEC("kretprobe/__sys_connect_file")
int sys_connect_file_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_CONNECT, &c)
		       ? connect_left(EV_RUNG_KPROBE, (void *)c.arg[0], (void *)c.arg[1], (s32)FN_RESULT(ctx))
		       : 0;
}

SEC("fentry/security_socket_bind")
int BPF_PROG(socket_bind_e, struct socket *sock, void *address, int addrlen)
{
	return bind_begun(EV_RUNG_FENTRY, sock, address);
}
SEC("kprobe/security_socket_bind")
int socket_bind_ke(struct pt_regs *ctx)
{
	return bind_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), (void *)FN_ARG2(ctx));
}
SEC("fexit/__sys_bind")
int BPF_PROG(sys_bind_x, int fd, void *address, int addrlen, int ret)
{
	return half_send(EV_BIND, (s32)ret, true);
}
SEC("fexit/__sys_bind_socket") /* io_uring's way, from 6.11 on */
int BPF_PROG(sys_bind_socket_x, struct socket *sock, void *address, int addrlen, int ret)
{
	return half_send(EV_BIND, (s32)ret, true);
}
SEC("kretprobe/__sys_bind")
int sys_bind_kx(struct pt_regs *ctx)
{
	return half_send(EV_BIND, (s32)FN_RESULT(ctx), true);
}
SEC("kretprobe/__sys_bind_socket")
int sys_bind_socket_kx(struct pt_regs *ctx)
{
	return half_send(EV_BIND, (s32)FN_RESULT(ctx), true);
}

/* ---- tracepoint rung ------------------------------------------------------------------------------------------- */

INLINE int sys_net(struct pt_regs *regs, s64 ret, const u32 type)
{
	struct addr a = {};
	struct hook h;
	struct sysargs args;
	struct sysdesc d;
	u32 packed[2] = {};
	struct file *file;
	u64 sa;
	bool ok;

	if (!sys_desc(regs, &args, &d) || !hook_begin(&h, type))
		return 0;
	sys_keep(h.s, &args);
	if (d.form == SYSFORM_SOCKETCALL) {
		/* socketcall(2): the arguments lie in an array of 32-bit words. */
		if (bpf_probe_read_user(packed, sizeof(packed), (void *)args.a[1]))
			h.s->flags |= EV_F_UNREADABLE;
		file = file_of_fd((void *)bpf_get_current_task(), packed[0]);
		sa = packed[1];
	} else {
		file = file_of_fd((void *)bpf_get_current_task(), (s32)args.a[0]);
		sa = args.a[1];
	}
	if (!addr_read(&a, (void *)sa, true))
		h.s->flags |= EV_F_UNREADABLE;
	if (file && (READ(file, f_inode, i_mode) & 0170000) == 0140000)
		a.protocol = file_protocol(file);
	ok = net_rec(&h, type, EVN_CONNECT_COUNT, EVS_CONNECT_COUNT, EV_RUNG_TRACEPOINT, result(ret), &a) &&
	     rec_sieve(h.s, h.sv, h.e, &h.alive);
	hook_end(&h, type, ok);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_connect, struct pt_regs *regs, long ret)
{
	return sys_net(regs, ret, EV_CONNECT);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_bind, struct pt_regs *regs, long ret)
{
	return sys_net(regs, ret, EV_BIND);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_connect_c(struct trace_event_raw_sys_exit *ctx)
{
	return sys_net(task_regs(), ctx->ret, EV_CONNECT);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_bind_c(struct trace_event_raw_sys_exit *ctx)
{
	return sys_net(task_regs(), ctx->ret, EV_BIND);
}
