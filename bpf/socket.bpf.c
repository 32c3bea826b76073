/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * socket, listen, accept and setsockopt.
 *
 * What is told of a socket is read from the kernel's socket on every rung, never from user memory: of listen its own
 * address once it listens (the port may only then be chosen), of accept the peer's, of setsockopt the filter that the
 * kernel has taken.
 *
 * listen and setsockopt have their socket inside only (security_socket_*) and their result outside only, in functions
 * that call each other or are inlined as the compiler likes: the arguments are kept by thread in between (call.bpf.h), on
 * the fentry rung, too, and the first function that is left takes them.
 *
 * Every result is reported, but of accept: an accept that finds nobody is none.
 */
#include "lib/call.bpf.h"

#define SOCK_TYPE_MASK	 0xf /* of socket(2)'s type; above are flags */
#define SOL_SOCKET	 1
#define SO_ATTACH_FILTER 26
#define FILTER_INSN	 8 /* bytes of a struct sock_filter */

INLINE struct socket *file_socket(struct file *file)
{
	if (!file || (READ(file, f_inode, i_mode) & 0170000) != 0140000)
		return 0;
	return READ(file, private_data);
}

/* The address of @sk's own end, or with @peer the other's. */
INLINE void addr_of_sock(struct addr *a, struct sock *sk, bool peer)
{
	struct sock_common *c = &sk->__sk_common;

	a->family = READ(c, skc_family);
	a->protocol = READ(sk, sk_protocol);
	if (a->family == AF_INET) {
		u32 v4 = peer ? READ(c, skc_daddr) : READ(c, skc_rcv_saddr);

		a->ip[10] = a->ip[11] = 0xff;
		__builtin_memcpy(&a->ip[12], &v4, 4);
	} else if (a->family == AF_INET6 && bpf_core_field_exists(c->skc_v6_daddr)) {
		bpf_probe_read_kernel(a->ip, 16,
				      (void *)c + (peer ? bpf_core_field_offset(c->skc_v6_daddr)
							: bpf_core_field_offset(c->skc_v6_rcv_saddr)));
	} else {
		return;
	}
	a->port = peer ? __builtin_bswap16(READ(c, skc_dport)) : READ(c, skc_num);
	a->has_ip = true;
}

/* ---- bodies ---------------------------------------------------------------------------------------------------- */

INLINE int socket_left(u8 rung, u32 family, u32 type, u32 protocol, s64 ret, u32 flags)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct hook h;
	u64 *num;

	if (!hook_begin(&h, EV_SOCKET))
		return 0;
	h.s->flags |= flags;
	rec_begin(&h.s->rec, EV_SOCKET, EVN_SOCKET_COUNT, EVS_SOCKET_COUNT, rung);
	rec_task(&h.s->rec, task);
	rec_head(&h.s->rec)->retval = result(ret);
	if (rung != EV_RUNG_TRACEPOINT && task_async(task))
		h.s->flags |= EV_F_ASYNC;
	num = rec_num(&h.s->rec);
	num[EVN_SOCKET_TYPE] = type & SOCK_TYPE_MASK;
	num[EVN_SOCKET_DOMAIN] = family;
	num[EVN_SOCKET_PROTOCOL] = protocol;
	hook_end(&h, EV_SOCKET, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

INLINE int listen_left(u8 rung, struct socket *sock, s32 backlog, s64 ret, u32 flags)
{
	struct addr a = {};
	struct hook h;
	bool ok;

	if (!hook_begin(&h, EV_LISTEN))
		return 0;
	h.s->flags |= flags;
	if (sock)
		addr_of_sock(&a, READ(sock, sk), false);
	else
		h.s->flags |= EV_F_UNREADABLE;
	ok = net_rec(&h, EV_LISTEN, EVN_LISTEN_COUNT, EVS_LISTEN_COUNT, rung, result(ret), &a);
	if (ok) {
		rec_num(&h.s->rec)[EVN_LISTEN_BACKLOG] = (s64)backlog;
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_LISTEN, ok);
	return 0;
}

/* @made: the new connection; NULL where it was refused, which tells of @listener only what it is. */
INLINE int accept_left(u8 rung, struct file *listener, struct file *made, s64 ret, u32 flags)
{
	struct socket *sock = file_socket(made ? made : listener);
	struct addr a = {};
	struct hook h;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, EV_ACCEPT))
		return 0;
	h.s->flags |= flags;
	if (sock)
		addr_of_sock(&a, READ(sock, sk), true);
	else
		h.s->flags |= EV_F_UNREADABLE;
	if (!made) {
		a.has_ip = false;
		a.port = 0;
	}
	ok = net_rec(&h, EV_ACCEPT, EVN_ACCEPT_COUNT, EVS_ACCEPT_COUNT, rung, result(ret), &a) &&
	     rec_sieve(h.s, h.sv, h.e, &h.alive);
	hook_end(&h, EV_ACCEPT, ok);
	return 0;
}

_Static_assert((int)EVN_ACCEPT_PORT == (int)EVN_CONNECT_PORT && (int)EVS_ACCEPT_IP == (int)EVS_CONNECT_IP &&
		       (int)EVN_LISTEN_PORT == (int)EVN_CONNECT_PORT && (int)EVS_LISTEN_IP == (int)EVS_CONNECT_IP,
	       "CAT_ADDR first in all of them: net_rec");

/* The filter that the kernel has just taken for @sk, as it was given: its instructions as bytes. */
INLINE void filter_put(struct hook *h, struct sock *sk)
{
	struct sock_fprog_kern *prog = READ(sk, sk_filter, prog, orig_prog);
	struct rec *r = &h->s->rec;
	u64 len = READ(prog, len);

	if (!prog)
		return;
	rec_num(r)[EVN_SETSOCKOPT_FILTER_LEN] = len;
	len *= FILTER_INSN;
	if (len > EV_PATH_MAX) {
		rec_num(r)[EVN_SETSOCKOPT_FILTER_TRUNCATED] = 1;
		len = EV_PATH_MAX;
	}
	rec_put(h->s, &rec_str(r, EVN_SETSOCKOPT_COUNT)[EVS_SETSOCKOPT_FILTER_TEXT], READ(prog, filter), len);
}

INLINE int setsockopt_left(u8 rung, struct socket *sock, s32 level, s32 optname, s64 ret, u32 flags)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct hook h;
	u64 *num;
	bool ok;

	if (!hook_begin(&h, EV_SETSOCKOPT))
		return 0;
	h.s->flags |= flags;
	rec_begin(&h.s->rec, EV_SETSOCKOPT, EVN_SETSOCKOPT_COUNT, EVS_SETSOCKOPT_COUNT, rung);
	rec_task(&h.s->rec, task);
	rec_head(&h.s->rec)->retval = result(ret);
	if (rung != EV_RUNG_TRACEPOINT && task_async(task))
		h.s->flags |= EV_F_ASYNC;
	num = rec_num(&h.s->rec);
	num[EVN_SETSOCKOPT_LEVEL] = (s64)level;
	num[EVN_SETSOCKOPT_OPTNAME] = (s64)optname;
	if (sock) {
		struct sock *sk = READ(sock, sk);

		num[EVN_SETSOCKOPT_FAMILY] = READ(sk, __sk_common.skc_family);
		num[EVN_SETSOCKOPT_TYPE] = READ(sock, type);
		num[EVN_SETSOCKOPT_PROTOCOL] = READ(sk, sk_protocol);
		if (ret >= 0 && level == SOL_SOCKET && optname == SO_ATTACH_FILTER)
			filter_put(&h, sk);
	} else {
		h.s->flags |= EV_F_UNREADABLE;
	}
	ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	hook_end(&h, EV_SETSOCKOPT, ok);
	return 0;
}

INLINE int listen_taken(u8 rung, s32 ret)
{
	struct call c;

	return call_take(EV_LISTEN, &c) ? listen_left(rung, (void *)c.arg[0], (s32)c.arg[1], ret, 0) : 0;
}

INLINE int setsockopt_taken(u8 rung, s32 ret)
{
	struct call c;

	return call_take(EV_SETSOCKOPT, &c)
		       ? setsockopt_left(rung, (void *)c.arg[0], (s32)c.arg[1], (s32)c.arg[2], ret, 0)
		       : 0;
}

/* @ret: the new file, or an error. */
INLINE int accept_file(u8 rung, struct file *listener, struct file *ret)
{
	s64 r = as_number(ret);

	return IS_ERR_VALUE(r) ? accept_left(rung, listener, 0, r, 0) : accept_left(rung, listener, ret, 0, 0);
}

/* @ret: a descriptor, or an error. */
INLINE int accept_fd(u8 rung, struct file *listener, s32 ret)
{
	return accept_left(rung, listener, file_of_fd((void *)bpf_get_current_task(), ret), ret, 0);
}

INLINE int socket_file(u8 rung, u32 family, u32 type, u32 protocol, u64 ret)
{
	return socket_left(rung, family, type, protocol, IS_ERR_VALUE(ret) ? (s64)ret : 0, 0);
}

/* ---- fentry ---------------------------------------------------------------------------------------------------- */

SEC("fexit/__sys_socket")
int BPF_PROG(sys_socket_x, int family, int type, int protocol, int ret)
{
	return socket_left(EV_RUNG_FENTRY, family, type, protocol, (s32)ret, 0);
}
SEC("fexit/__sys_socket_file") /* io_uring's way, from 5.19 on */
int BPF_PROG(sys_socket_file_x, int family, int type, int protocol, struct file *ret)
{
	return socket_file(EV_RUNG_FENTRY, family, type, protocol, as_number(ret));
}

SEC("fentry/security_socket_listen")
int BPF_PROG(socket_listen_e, struct socket *sock, int backlog)
{
	return call_keep_args(EV_LISTEN, as_number(sock), backlog, 0);
}
SEC("fexit/__sys_listen")
int BPF_PROG(sys_listen_x, int fd, int backlog, int ret)
{
	return listen_taken(EV_RUNG_FENTRY, (s32)ret);
}
SEC("fexit/__sys_listen_socket") /* io_uring's way, from 6.11 on */
int BPF_PROG(sys_listen_socket_x, struct socket *sock, int backlog, int ret)
{
	return listen_taken(EV_RUNG_FENTRY, (s32)ret);
}

SEC("fexit/do_accept") /* from 5.12 on */
int BPF_PROG(do_accept_x, struct file *file, void *arg, void *address, void *len, int flags, struct file *ret)
{
	return accept_file(EV_RUNG_FENTRY, file, ret);
}
SEC("fexit/__sys_accept4_file") /* before that */
int BPF_PROG(sys_accept4_file_x, struct file *file, u32 file_flags, void *address, void *len, int flags, u64 nofile,
	     int ret)
{
	return accept_fd(EV_RUNG_FENTRY, file, (s32)ret);
}

SEC("fentry/security_socket_setsockopt")
int BPF_PROG(socket_setsockopt_e, struct socket *sock, int level, int optname)
{
	return call_keep_args(EV_SETSOCKOPT, as_number(sock), level, optname);
}
SEC("fexit/__sys_setsockopt")
int BPF_PROG(sys_setsockopt_x, int fd, int level, int optname, void *value, int len, int ret)
{
	return setsockopt_taken(EV_RUNG_FENTRY, (s32)ret);
}

/* ---- kprobe ---------------------------------------------------------------------------------------------------- */

SEC("kprobe/__sys_socket") /* and __sys_socket_file */
int sys_socket_ke(struct pt_regs *ctx)
{
	return call_keep(EV_SOCKET, ctx);
}
SEC("kretprobe/__sys_socket")
int sys_socket_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SOCKET, &c)
		       ? socket_left(EV_RUNG_KPROBE, c.arg[0], c.arg[1], c.arg[2], (s32)FN_RESULT(ctx), 0)
		       : 0;
}
SEC("kretprobe/__sys_socket_file")
int sys_socket_file_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_SOCKET, &c) ? socket_file(EV_RUNG_KPROBE, c.arg[0], c.arg[1], c.arg[2], FN_RESULT(ctx)) : 0;
}

SEC("kprobe/security_socket_listen")
int socket_listen_ke(struct pt_regs *ctx)
{
	return call_keep(EV_LISTEN, ctx);
}
SEC("kretprobe/__sys_listen") /* and __sys_listen_socket */
int sys_listen_kx(struct pt_regs *ctx)
{
	return listen_taken(EV_RUNG_KPROBE, (s32)FN_RESULT(ctx));
}

SEC("kprobe/do_accept") /* and __sys_accept4_file */
int do_accept_ke(struct pt_regs *ctx)
{
	return call_keep(EV_ACCEPT, ctx);
}
SEC("kretprobe/do_accept")
int do_accept_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_ACCEPT, &c) ? accept_file(EV_RUNG_KPROBE, (void *)c.arg[0], (void *)FN_RESULT(ctx)) : 0;
}
SEC("kretprobe/__sys_accept4_file")
int sys_accept4_file_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_ACCEPT, &c) ? accept_fd(EV_RUNG_KPROBE, (void *)c.arg[0], (s32)FN_RESULT(ctx)) : 0;
}

SEC("kprobe/security_socket_setsockopt")
int socket_setsockopt_ke(struct pt_regs *ctx)
{
	return call_keep(EV_SETSOCKOPT, ctx);
}
SEC("kretprobe/__sys_setsockopt") /* and do_sock_setsockopt */
int sys_setsockopt_kx(struct pt_regs *ctx)
{
	return setsockopt_taken(EV_RUNG_KPROBE, (s32)FN_RESULT(ctx));
}

/* io_uring's way to set an option, from 6.7 on. The value is a structure of two words, so the result comes seventh. */
SEC("fexit/do_sock_setsockopt")
int do_sock_setsockopt_x(u64 *ctx)
{
	return setsockopt_taken(EV_RUNG_FENTRY, (s32)ctx[7]);
}

/* ---- tracepoint rung ------------------------------------------------------------------------------------------- */

/* The first three arguments of a socket call, by socketcall(2) or its own. */
struct sockargs {
	u64 a[3];
	u32 flags;
};

INLINE bool sys_sockargs(struct pt_regs *regs, struct sockargs *ret)
{
	struct sysargs args;
	struct sysdesc d;
	u32 packed[3] = {};

	if (!sys_desc(regs, &args, &d))
		return false;
	ret->flags = args.compat ? EV_F_COMPAT : 0;
	ret->a[0] = args.a[0];
	ret->a[1] = args.a[1];
	ret->a[2] = args.a[2];
	if (d.form != SYSFORM_SOCKETCALL)
		return true;
	/* listen and accept have less than three; what lies behind theirs may not be readable */
	if (bpf_probe_read_user(packed, 12, (void *)args.a[1]) && bpf_probe_read_user(packed, 8, (void *)args.a[1]))
		ret->flags |= EV_F_UNREADABLE;
	ret->a[0] = packed[0];
	ret->a[1] = packed[1];
	ret->a[2] = packed[2];
	return true;
}

INLINE struct file *sys_sockfile(const struct sockargs *s)
{
	return file_of_fd((void *)bpf_get_current_task(), (s32)s->a[0]);
}

INLINE int socket_at_exit(struct pt_regs *regs, s64 ret)
{
	struct sockargs s;

	return sys_sockargs(regs, &s) ? socket_left(EV_RUNG_TRACEPOINT, s.a[0], s.a[1], s.a[2], ret, s.flags) : 0;
}
INLINE int listen_at_exit(struct pt_regs *regs, s64 ret)
{
	struct sockargs s;

	return sys_sockargs(regs, &s)
		       ? listen_left(EV_RUNG_TRACEPOINT, file_socket(sys_sockfile(&s)), (s32)s.a[1], ret, s.flags)
		       : 0;
}
INLINE int accept_at_exit(struct pt_regs *regs, s64 ret)
{
	struct sockargs s;

	return sys_sockargs(regs, &s) ? accept_left(EV_RUNG_TRACEPOINT, sys_sockfile(&s),
						    file_of_fd((void *)bpf_get_current_task(), (s32)ret), ret, s.flags)
				      : 0;
}
INLINE int setsockopt_at_exit(struct pt_regs *regs, s64 ret)
{
	struct sockargs s;

	return sys_sockargs(regs, &s) ? setsockopt_left(EV_RUNG_TRACEPOINT, file_socket(sys_sockfile(&s)), (s32)s.a[1],
							(s32)s.a[2], ret, s.flags)
				      : 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(sys_socket, struct pt_regs *regs, long ret)
{
	return socket_at_exit(regs, ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_listen, struct pt_regs *regs, long ret)
{
	return listen_at_exit(regs, ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_accept, struct pt_regs *regs, long ret)
{
	return accept_at_exit(regs, ret);
}
SEC("tp_btf/sys_exit")
int BPF_PROG(sys_setsockopt, struct pt_regs *regs, long ret)
{
	return setsockopt_at_exit(regs, ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_socket_c(struct trace_event_raw_sys_exit *ctx)
{
	return socket_at_exit(task_regs(), ctx->ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_listen_c(struct trace_event_raw_sys_exit *ctx)
{
	return listen_at_exit(task_regs(), ctx->ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_accept_c(struct trace_event_raw_sys_exit *ctx)
{
	return accept_at_exit(task_regs(), ctx->ret);
}
SEC("tp/raw_syscalls/sys_exit")
int sys_setsockopt_c(struct trace_event_raw_sys_exit *ctx)
{
	return setsockopt_at_exit(task_regs(), ctx->ret);
}
