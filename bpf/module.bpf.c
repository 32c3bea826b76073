/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What changes the kernel's own code: modules that are loaded and removed, another kernel.
 *
 * All of it is done by system calls alone, so on every rung it is their return that is hooked (the function of the call on
 * the upper rungs, sys_exit on the last), and arguments are those that the thread entered with. The name of a module comes
 * from a tracepoint in between, where it is the kernel's; where there is none (a call that was refused) it is what the
 * caller gave, or empty.
 */
#include "lib/path.bpf.h"
#include "lib/syscall.bpf.h"

/* A record without a file: the path is empty, and no automaton is asked about it. */
INLINE void no_path(struct slot *s)
{
	s->path_off[0] = EV_PATH_MAX;
	s->path_len[0] = 0;
}

/* Where @file is, sieved; where there is none every clause stays. */
INLINE bool file_sieve(struct hook *h, const u32 type, struct file *file, struct place *ret_at)
{
	*ret_at = (struct place){};
	no_path(h->s);
	if (!file)
		return true;
	*ret_at = place_of_file(file);
	return path_sieve(h->s, 0, h->sv, h->e, type, *ret_at, &h->alive);
}

/* The same for the file of @fd. */
INLINE bool kernel_file(struct hook *h, const u32 type, s32 fd, struct place *ret_at)
{
	return file_sieve(h, type, file_of_fd((void *)bpf_get_current_task(), fd), ret_at);
}

/* ---- names of modules ------------------------------------------------------------------------------------------ */

INLINE int module_named(const void *name)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct module_name n = {};

	bpf_probe_read_kernel_str(n.s, sizeof(n.s), name);
	bpf_map_update_elem(&module_names, &tid, &n, BPF_ANY);
	return 0;
}

SEC("tp_btf/module_load")
int BPF_PROG(module_load, struct module *mod)
{
	return module_named(mod->name);
}
SEC("tp/module/module_load")
int module_load_c(struct trace_event_raw_module_load *ctx)
{
	return module_named((void *)(as_number(ctx) + (ctx->__data_loc_name & 0xffff)));
}
SEC("tp_btf/module_free")
int BPF_PROG(module_free, struct module *mod)
{
	return module_named(mod->name);
}
SEC("tp/module/module_free")
int module_free_c(struct trace_event_raw_module_free *ctx)
{
	return module_named((void *)(as_number(ctx) + (ctx->__data_loc_name & 0xffff)));
}

/* Puts the name that the kernel told, or that the caller gave at @user. */
INLINE void module_name_put(struct slot *s, struct ev_str *str, const void *user)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct module_name *n = bpf_map_lookup_elem(&module_names, &tid);

	if (n) {
		rec_puts(s, str, n->s, sizeof(n->s), false);
		bpf_map_delete_elem(&module_names, &tid);
	} else if (user) {
		rec_puts(s, str, user, sizeof(n->s), true);
	}
}

/* ---- loading ---------------------------------------------------------------------------------------------------- */

/* From @memory, or from the file of @fd; @args: the parameters, in user memory. */
INLINE int module_loaded(u8 rung, bool memory, s32 fd, const void *args, s64 ret)
{
	struct hook h;
	struct place at;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, EV_LOAD_MODULE))
		return 0;
	ok = kernel_file(&h, EV_LOAD_MODULE, fd, &at);
	if (ok) {
		u64 *num = rec_num(&h.s->rec);
		struct ev_str *str = rec_str(&h.s->rec, EVN_LOAD_MODULE_COUNT);

		file_rec(h.s, EV_LOAD_MODULE, EVN_LOAD_MODULE_COUNT, EVS_LOAD_MODULE_COUNT, rung, result(ret), at);
		module_name_put(h.s, &str[STR(LOAD_MODULE, NAME)], 0);
		rec_puts(h.s, &str[STR(LOAD_MODULE, ARGS)], args, EV_PATH_MAX, true);
		num[NUM(LOAD_MODULE, ARGS_TRUNCATED)] = str[STR(LOAD_MODULE, ARGS)].len == EV_PATH_MAX - 1;
		num[NUM(LOAD_MODULE, FROM_MEMORY)] = memory;
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_LOAD_MODULE, ok);
	return 0;
}

/* init_module(image, len, args) */
INLINE int init_module_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args = {};

	call_args(regs, &args);
	return module_loaded(rung, true, -1, (void *)args.a[2], ret);
}

/* finit_module(fd, args, flags) */
INLINE int finit_module_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args = {};

	call_args(regs, &args);
	return module_loaded(rung, false, (s32)args.a[0], (void *)args.a[1], ret);
}

CALL_FEXIT(init_module_x, SYSCALL64("init_module"), init_module_left)
CALL_FEXIT(finit_module_x, SYSCALL64("finit_module"), finit_module_left)
CALL_KRETPROBE(init_module_kx, SYSCALL64("init_module"), init_module_left)    /* or its 32-bit entry */
CALL_KRETPROBE(finit_module_kx, SYSCALL64("finit_module"), finit_module_left) /* or its 32-bit entry */
CALL_FEXIT32(init_module_x32, "init_module", init_module_left)
CALL_FEXIT32(finit_module_x32, "finit_module", finit_module_left)

INLINE int load_module_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return 0;
	return d.form == SYSFORM_FD ? finit_module_left(rung, regs, ret) : init_module_left(rung, regs, ret);
}
CALL_SYS_EXIT(sys_load_module, load_module_at_exit)

/* ---- removing --------------------------------------------------------------------------------------------------- */

/* delete_module(name, flags) */
INLINE int unload_module_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args = {};
	struct hook h;
	struct rec *r;

	if (!reportable(ret) || !hook_begin(&h, EV_UNLOAD_MODULE))
		return 0;
	call_args(regs, &args);
	r = &h.s->rec;
	rec_begin(r, EV_UNLOAD_MODULE, EVN_UNLOAD_MODULE_COUNT, EVS_UNLOAD_MODULE_COUNT, rung);
	rec_task(r, (void *)bpf_get_current_task());
	rec_head(r)->retval = result(ret);
	module_name_put(h.s, &rec_str(r, EVN_UNLOAD_MODULE_COUNT)[STR(UNLOAD_MODULE, NAME)], (void *)args.a[0]);
	hook_end(&h, EV_UNLOAD_MODULE, rec_sieve(h.s, h.sv, h.e, &h.alive));
	return 0;
}

CALL_FEXIT(delete_module_x, SYSCALL64("delete_module"), unload_module_left)
CALL_KRETPROBE(delete_module_kx, SYSCALL64("delete_module"), unload_module_left) /* or its 32-bit entry */
CALL_FEXIT32(delete_module_x32, "delete_module", unload_module_left)
CALL_SYS_EXIT(sys_unload_module, unload_module_left)

/* ---- another kernel --------------------------------------------------------------------------------------------- */

/* @fd: of the image, or -1 where it came from memory. */
INLINE int kexec_done(u8 rung, s32 fd, u64 flags, s64 ret)
{
	struct hook h;
	struct place at;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, EV_KEXEC))
		return 0;
	ok = kernel_file(&h, EV_KEXEC, fd, &at);
	if (ok) {
		file_rec(h.s, EV_KEXEC, EVN_KEXEC_COUNT, EVS_KEXEC_COUNT, rung, result(ret), at);
		rec_num(&h.s->rec)[NUM(KEXEC, FLAGS)] = flags;
		ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	}
	hook_end(&h, EV_KEXEC, ok);
	return 0;
}

/* kexec_load(entry, nr_segments, segments, flags) */
INLINE int kexec_load_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args = {};

	call_args(regs, &args);
	return kexec_done(rung, -1, args.a[3], ret);
}

/* kexec_file_load(kernel_fd, initrd_fd, cmdline_len, cmdline, flags) */
INLINE int kexec_file_load_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args = {};

	call_args(regs, &args);
	return kexec_done(rung, (s32)args.a[0], args.a[4], ret);
}

CALL_FEXIT(kexec_load_x, SYSCALL64("kexec_load"), kexec_load_left)
CALL_FEXIT(kexec_file_load_x, SYSCALL64("kexec_file_load"), kexec_file_load_left)
CALL_KRETPROBE(kexec_load_kx, SYSCALL64("kexec_load"), kexec_load_left) /* or its 32-bit entry */
CALL_KRETPROBE(kexec_file_load_kx, SYSCALL64("kexec_file_load"), kexec_file_load_left)
CALL_FEXIT(kexec_load_x32, SYSCALL32_OWN("kexec_load"), kexec_load_left)

INLINE int kexec_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d))
		return 0;
	return d.form == SYSFORM_FD ? kexec_file_load_left(rung, regs, ret) : kexec_load_left(rung, regs, ret);
}
CALL_SYS_EXIT(sys_kexec, kexec_at_exit)
