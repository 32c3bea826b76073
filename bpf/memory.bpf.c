/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory: what processes map, protect anew, and make without a name.
 *
 * Mappings are many, so numbers decide before any path is looked at. What the kernel maps by itself when a program is
 * executed is no event: exec says it.
 */
#include "lib/call.bpf.h"
#include "lib/syscall.bpf.h"

#define MAP_ANONYMOUS  0x20
#define MAP_NO_MEANING 0x1800 /* MAP_DENYWRITE, MAP_EXECUTABLE: old kernels take them away at once */

/* ---- mmap ---------------------------------------------------------------------------------------------------------- */

INLINE bool mmap_begin(struct hook *h, u64 prot, u64 flags, s64 ret)
{
	return HOOK_BEGIN_TWO(h, MMAP, result(ret), prot, flags);
}

INLINE int mmap_rec(struct hook *h, u8 rung, struct file *file, u64 prot, u64 flags, s64 ret)
{
	struct place at = {};
	u64 *num = rec_num(&h->s->rec);

	/* Of large pages without a file the kernel makes one. */
	if (file && !(flags & MAP_ANONYMOUS))
		at = place_of_file(file);
	file_head(h->s, EV_MMAP, EVN_MMAP_COUNT, EVS_MMAP_COUNT, rung, result(ret), at);
	num[NUM(MMAP, FLAGS)] = flags;
	num[NUM(MMAP, PROTECTION)] = prot;
	hook_end(h, EV_MMAP, file_decide(h, EV_MMAP, EVN_MMAP_COUNT, at, true));
	return 0;
}

#if defined(__TARGET_ARCH_x86)
enum { SYS_MMAP = 9, SYS_MMAP_32 = 90, SYS_MMAP2_32 = 192 };
#elif defined(__TARGET_ARCH_arm64)
enum { SYS_MMAP = 222, SYS_MMAP_32 = 192, SYS_MMAP2_32 = 192 };
#endif

INLINE bool is_mmap(void)
{
	u32 nr = sys_nr(task_regs());

	return nr == SYS_MMAP || nr == SYS_MMAP_32 || nr == SYS_MMAP2_32;
}

INLINE int mmap_left(u8 rung, struct file *file, u64 prot, u64 flags, s64 ret)
{
	struct hook h;

	flags &= ~MAP_NO_MEANING;
	if (!reportable(ret) || !is_mmap() || !mmap_begin(&h, prot, flags, ret))
		return 0;
	return mmap_rec(&h, rung, file, prot, flags, ret);
}

SEC("fexit/vm_mmap_pgoff")
int BPF_PROG(vm_mmap_pgoff_x, struct file *file, u64 addr, u64 len, u64 prot, u64 flags, u64 pgoff, u64 ret)
{
	return mmap_left(EV_RUNG_FENTRY, (void *)as_number(file), prot, flags, ret);
}
SEC("kprobe/vm_mmap_pgoff")
int vm_mmap_pgoff_ke(struct pt_regs *ctx)
{
	return is_mmap() ? call_keep_args(EV_MMAP, FN_ARG1(ctx), FN_ARG4(ctx), FN_ARG5(ctx)) : 0;
}
SEC("kretprobe/vm_mmap_pgoff")
int vm_mmap_pgoff_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_MMAP, &c) ? mmap_left(EV_RUNG_KPROBE, (void *)c.arg[0], c.arg[1], c.arg[2], FN_RESULT(ctx))
				      : 0;
}

/* Address, length, protection, flags, descriptor, offset; on 32 bits there is a call that has them in memory. */
INLINE int mmap_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sysargs args;
	struct sysdesc d;
	struct hook h;
	bool unreadable = false;

	if (!sys_desc(regs, &args, &d) || !reportable(ret))
		return 0;
	if (d.form == SYSFORM_BLOCK) {
		u32 block[6] = {};

		unreadable = bpf_probe_read_user(block, sizeof(block), (void *)args.a[0]);
		args.a[2] = block[2];
		args.a[3] = block[3];
		args.a[4] = block[4];
	}
	args.a[3] &= ~MAP_NO_MEANING;
	if (unreadable ? !hook_begin(&h, EV_MMAP) : !mmap_begin(&h, args.a[2], args.a[3], ret))
		return 0;
	h.s->flags |= (args.compat ? EV_F_COMPAT : 0) | (unreadable ? EV_F_UNREADABLE : 0);
	return mmap_rec(&h, rung, args.a[3] & MAP_ANONYMOUS ? 0 : file_of_fd(task, (s32)args.a[4]), args.a[2],
			args.a[3], ret);
}
CALL_SYS_EXIT(sys_mmap, mmap_at_exit)

/* ---- mprotect ------------------------------------------------------------------------------------------------------ */

/*
 * One call may go over several mappings, and each is an event: that there is a next one says that the one before went
 * well. A call that is refused before any mapping is looked at (what may not become writable) is an event without one:
 * so the thread's entry of calls says whether there was one (arg[0]); on the kprobe rung arg[2] is the protection.
 */
INLINE int mprotect_begun(u8 rung, struct vm_area_struct *vma, u64 prot)
{
	struct file *file = READ(vma, vm_file);
	u64 key = call_key(EV_MPROTECT), *num;
	struct call first = { { 1 } }, *c;
	struct place at = {};
	struct hook h;

	if (!hook_begin(&h, EV_MPROTECT))
		return 0;
	c = bpf_map_lookup_elem(&calls, &key);
	if (c)
		c->arg[0] = 1;
	else
		bpf_map_update_elem(&calls, &key, &first, BPF_ANY);
	half_send(EV_MPROTECT, 0, true);
	if (file)
		at = place_of_file(file);
	file_head(h.s, EV_MPROTECT, EVN_MPROTECT_COUNT, EVS_MPROTECT_COUNT, rung, 0, at);
	num = rec_num(&h.s->rec);
	num[NUM(MPROTECT, REQ)] = prot;
	num[NUM(MPROTECT, VM)] = READ(vma, vm_flags);
	half_keep(&h, EV_MPROTECT, file_decide(&h, EV_MPROTECT, EVN_MPROTECT_COUNT, at, false));
	return 0;
}

/* Without a mapping: what is not known of it is 0, or empty. */
INLINE int mprotect_alone(u8 rung, u64 prot, s64 ret, bool compat)
{
	struct place none = {};
	struct hook h;

	if (!HOOK_BEGIN_TWO(&h, MPROTECT, result(ret), prot, 0))
		return 0;
	if (compat)
		h.s->flags |= EV_F_COMPAT;
	file_head(h.s, EV_MPROTECT, EVN_MPROTECT_COUNT, EVS_MPROTECT_COUNT, rung, result(ret), none);
	rec_num(&h.s->rec)[NUM(MPROTECT, REQ)] = prot;
	hook_end(&h, EV_MPROTECT, file_decide(&h, EV_MPROTECT, EVN_MPROTECT_COUNT, none, true));
	return 0;
}

INLINE int mprotect_left(u8 rung, bool begun, u64 prot, s32 ret)
{
	if (begun)
		return half_send(EV_MPROTECT, ret, reportable(ret));
	return ret == -EACCES || ret == -EPERM ? mprotect_alone(rung, prot, ret, false) : 0;
}

SEC("fentry/security_file_mprotect")
int BPF_PROG(file_mprotect_e, struct vm_area_struct *vma, u64 reqprot, u64 prot)
{
	return mprotect_begun(EV_RUNG_FENTRY, vma, reqprot);
}
SEC("fexit/do_mprotect_pkey")
int BPF_PROG(do_mprotect_pkey_x, u64 start, u64 len, u64 prot, int pkey, int ret)
{
	struct call c;

	return mprotect_left(EV_RUNG_FENTRY, call_take(EV_MPROTECT, &c), prot, (s32)ret);
}
SEC("kprobe/do_mprotect_pkey")
int do_mprotect_pkey_ke(struct pt_regs *ctx)
{
	return call_keep_args(EV_MPROTECT, 0, 0, FN_ARG3(ctx));
}
SEC("kprobe/security_file_mprotect")
int file_mprotect_ke(struct pt_regs *ctx)
{
	return mprotect_begun(EV_RUNG_KPROBE, (void *)FN_ARG1(ctx), FN_ARG2(ctx));
}
SEC("kretprobe/do_mprotect_pkey")
int do_mprotect_pkey_kx(struct pt_regs *ctx)
{
	struct call c;

	return call_take(EV_MPROTECT, &c) ? mprotect_left(EV_RUNG_KPROBE, c.arg[0], c.arg[2], (s32)FN_RESULT(ctx)) : 0;
}

/* Afterwards nothing tells what the mapping was before, nor, in a way that all kernels have, which it was. */
INLINE int mprotect_at_exit(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct sysargs args;
	struct sysdesc d;

	if (!sys_desc(regs, &args, &d) || !reportable(ret))
		return 0;
	return mprotect_alone(rung, args.a[2], ret, args.compat);
}
CALL_SYS_EXIT(sys_mprotect, mprotect_at_exit)

/* ---- memfd_create -------------------------------------------------------------------------------------------------- */

#define MEMFD_PREFIX	  "memfd:" /* of the file's name */
#define MEMFD_PREFIX_SIZE (sizeof(MEMFD_PREFIX) - 1)
#define MEMFD_NAME_SIZE	  256

/* Of a file that was made the kernel has the name; of one that was refused only the caller. */
INLINE void memfd_name(struct slot *s, struct ev_str *str, struct file *file, const void *user)
{
	if (file)
		rec_puts(s, str, READ(file, f_path.dentry, d_name.name) + MEMFD_PREFIX_SIZE, MEMFD_NAME_SIZE, false);
	else
		rec_puts(s, str, user, MEMFD_NAME_SIZE, true);
}

INLINE int memfd_left(u8 rung, struct pt_regs *regs, s64 ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct sysargs args = {};
	struct hook h;
	struct rec *r;
	bool ok;

	if (!reportable(ret) || !hook_begin(&h, EV_MEMFD_CREATE))
		return 0;
	r = &h.s->rec;
	call_args(regs, &args);
	if (args.compat)
		h.s->flags |= EV_F_COMPAT;
	rec_begin(r, EV_MEMFD_CREATE, EVN_MEMFD_CREATE_COUNT, EVS_MEMFD_CREATE_COUNT, rung);
	rec_task(r, task);
	rec_head(r)->retval = result(ret);
	rec_num(r)[NUM(MEMFD_CREATE, FLAGS)] = (u32)args.a[1];
	ok = rec_sieve(h.s, h.sv, h.e, &h.alive);
	if (ok)
		memfd_name(h.s, &rec_str(r, EVN_MEMFD_CREATE_COUNT)[STR(MEMFD_CREATE, NAME)],
			   ret >= 0 ? file_of_fd(task, (s32)ret) : 0, (void *)args.a[0]);
	hook_end(&h, EV_MEMFD_CREATE, ok);
	return 0;
}

CALL_FEXIT(memfd_create_x, SYSCALL64("memfd_create"), memfd_left)
CALL_FEXIT32(memfd_create_x32, "memfd_create", memfd_left)
CALL_KRETPROBE(memfd_create_kx, SYSCALL64("memfd_create"), memfd_left) /* and its 32-bit twin */
CALL_SYS_EXIT(sys_memfd_create, memfd_left)
