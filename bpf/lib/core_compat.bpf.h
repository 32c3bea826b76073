/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fields that kernels renamed or moved: one accessor each, so that nothing else knows of it. */
#ifndef TAMIS_BPF_CORE_COMPAT_H
#define TAMIS_BPF_CORE_COMPAT_H

#include "lib/kernel.h"
#include "tamis/cast.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define INLINE static inline __attribute__((always_inline, unused))
#define NSEC   1000000000ull

/*
 * From 6.2 on (a35b9af4ec2c) a program may take any address for a pointer to a type that the kernel knows, and what it
 * reads there is one load, which gives 0 where there is nothing, in place of a helper's call. The type is one of plain
 * numbers and larger than what is looked at, whatever lies at the address: so the verifier takes all that is read for
 * numbers. Where it works, user space puts the kernel's number of that function in place of CAST_CALL
 * (sensor/load/cast.c) and sets have_cast; elsewhere the call is dead code.
 */
const volatile __u32 have_cast = 0;
#define CAST(P)                                                                                                        \
	((typeof(P))((void *(*)(const void *, u32))CAST_CALL)(P, bpf_core_type_id_kernel(struct vm_event_state)))

/* What lies at @P, which is a pointer into the kernel. The comma takes qualifiers from the type. */
#define LOAD(P) LOAD_IF(have_cast, P)
#define LOAD_IF(HAVE_CAST, P)                                                                                          \
	({                                                                                                             \
		typeof((0, *(P))) v_;                                                                                  \
		__auto_type at_ = (P);                                                                                 \
		if (HAVE_CAST)                                                                                         \
			v_ = *(volatile typeof(v_) *)CAST(at_);                                                        \
		else                                                                                                   \
			bpf_probe_read_kernel(&v_, sizeof(v_), at_);                                                   \
		v_;                                                                                                    \
	})

/* READ(p, a, b): p->a->b. Accesses within @p itself (at.d, where struct place is ours) are not relocated. */
#define READ_1(P, A)                                                                                                   \
	({                                                                                                             \
		__auto_type p_ = (P);                                                                                  \
		LOAD(&p_->A);                                                                                          \
	})
#define READ_2(P, A, B)		      READ_1(READ_1(P, A), B)
#define READ_3(P, A, B, C)	      READ_1(READ_2(P, A, B), C)
#define READ_4(P, A, B, C, D)	      READ_1(READ_3(P, A, B, C), D)
#define READ_N(P, A, B, C, D, N, ...) N
#define READ(...)		      READ_N(__VA_ARGS__, READ_4, READ_3, READ_2, READ_1)(__VA_ARGS__)

/* A pointer that the verifier knows the type of, as a number: to compute with, or to hand to a global function. */
INLINE u64 as_number(const void *p)
{
	u64 n = 0;

	bpf_probe_read_kernel(&n, sizeof(n), &p);
	return n;
}

INLINE u64 inode_mtime(struct inode *inode)
{
	struct inode___ctime_split *split = (void *)inode;
	struct inode___ctime_6_7 *v67 = (void *)inode;
	struct inode___ctime_old *old = (void *)inode;

	if (bpf_core_field_exists(split->i_mtime_sec))
		return READ(split, i_mtime_sec) * NSEC + READ(split, i_mtime_nsec);
	if (bpf_core_field_exists(v67->__i_mtime))
		return READ(v67, __i_mtime.tv_sec) * NSEC + READ(v67, __i_mtime.tv_nsec);
	return READ(old, i_mtime.tv_sec) * NSEC + READ(old, i_mtime.tv_nsec);
}

#define I_CTIME_QUERIED (1u << 31) /* a flag in the nanoseconds, from 6.13 on (4e40eff0b573) */

INLINE u64 inode_ctime(struct inode *inode)
{
	struct inode___ctime_split *split = (void *)inode;
	struct inode___ctime_6_6 *v66 = (void *)inode;
	struct inode___ctime_old *old = (void *)inode;

	if (bpf_core_field_exists(split->i_ctime_sec))
		return READ(split, i_ctime_sec) * NSEC + (READ(split, i_ctime_nsec) & ~I_CTIME_QUERIED);
	if (bpf_core_field_exists(v66->__i_ctime))
		return READ(v66, __i_ctime.tv_sec) * NSEC + READ(v66, __i_ctime.tv_nsec);
	return READ(old, i_ctime.tv_sec) * NSEC + READ(old, i_ctime.tv_nsec);
}

INLINE struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___rcu *rcu = (void *)kn;

	if (bpf_core_field_exists(rcu->__parent))
		return READ(rcu, __parent);
	return READ(kn, parent);
}

/*
 * Whether functions that go by the owner of a file have the mount's map of ids as their first argument: from 5.12
 * on (c7c7a1a18af4).
 */
INLINE bool fn_idmapped(void)
{
	struct vfsmount___userns *userns = 0;
	struct vfsmount___idmap *idmap = 0;

	return bpf_core_field_exists(userns->mnt_userns) || bpf_core_field_exists(idmap->mnt_idmap);
}

/*
 * Argument @i (a constant) of an fentry or fexit program; behind the last comes the result. In assembly, because the
 * compiler makes one load with an offset of two in different branches, and the verifier of older kernels takes constant
 * offsets into a context only.
 */
#define CTX_ARG(CTX, I)                                                                                                \
	({                                                                                                             \
		u64 arg_;                                                                                              \
		asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(arg_) : "r"(CTX), "i"((I)*8));                            \
		arg_;                                                                                                  \
	})

/* The name of the attribute that a call is about: its text comes first in what kname points to. */
INLINE const char *xattr_kname(void *ctx)
{
	struct kernel_xattr_ctx *now = ctx;
	struct xattr_ctx *old = ctx;

	return bpf_core_field_exists(now->kname) ? READ(now, kname) : READ(old, kname);
}

/* A system call's arguments and number out of pt_regs, for the 64-bit and the 32-bit entry. */
struct sysargs {
	u64 a[6];
	u32 nr;
	bool compat;
};

#define TS_COMPAT 0x0002 /* thread_info.status: 32-bit system call (arch/x86/include/asm/thread_info.h) */
#define TIF_32BIT 22	 /* thread_info.flags: a 32-bit program (arch/arm64/include/asm/thread_info.h) */

/* Arguments and result of the function that a kprobe or kretprobe sits on. */
#if defined(__TARGET_ARCH_x86)
#define FN_ARG1(ctx)   ((u64)(ctx)->di)
#define FN_ARG2(ctx)   ((u64)(ctx)->si)
#define FN_ARG3(ctx)   ((u64)(ctx)->dx)
#define FN_ARG4(ctx)   ((u64)(ctx)->cx)
#define FN_ARG5(ctx)   ((u64)(ctx)->r8)
#define FN_RESULT(ctx) ((u64)(ctx)->ax)
#elif defined(__TARGET_ARCH_arm64)
#define FN_ARG1(ctx)   ((u64)(ctx)->regs[0])
#define FN_ARG2(ctx)   ((u64)(ctx)->regs[1])
#define FN_ARG3(ctx)   ((u64)(ctx)->regs[2])
#define FN_ARG4(ctx)   ((u64)(ctx)->regs[3])
#define FN_ARG5(ctx)   ((u64)(ctx)->regs[4])
#define FN_RESULT(ctx) ((u64)(ctx)->regs[0])
#endif

#if defined(__TARGET_ARCH_x86)
INLINE u32 sys_nr(struct pt_regs *regs)
{
	return (u32)READ(regs, orig_ax);
}
/* Of registers that the verifier knows the type of. */
INLINE u32 sys_nr_btf(struct pt_regs *regs)
{
	return (u32)regs->orig_ax;
}
INLINE bool sys_compat(struct task_struct *task)
{
	return READ(task, thread_info.status) & TS_COMPAT;
}
/* Its second or third argument, of a 64-bit call. */
INLINE u64 sys_arg_1(struct pt_regs *regs)
{
	return READ(regs, si);
}
INLINE u64 sys_arg_2(struct pt_regs *regs)
{
	return READ(regs, dx);
}
INLINE void sys_args(struct pt_regs *regs, bool compat, struct sysargs *s)
{
	if (compat) {
		s->a[0] = (u32)READ(regs, bx);
		s->a[1] = (u32)READ(regs, cx);
		s->a[2] = (u32)READ(regs, dx);
		s->a[3] = (u32)READ(regs, si);
		s->a[4] = (u32)READ(regs, di);
		s->a[5] = (u32)READ(regs, bp);
	} else {
		s->a[0] = READ(regs, di);
		s->a[1] = READ(regs, si);
		s->a[2] = READ(regs, dx);
		s->a[3] = READ(regs, r10);
		s->a[4] = READ(regs, r8);
		s->a[5] = READ(regs, r9);
	}
}
#elif defined(__TARGET_ARCH_arm64)
INLINE u32 sys_nr(struct pt_regs *regs)
{
	return (u32)READ(regs, syscallno);
}
INLINE u32 sys_nr_btf(struct pt_regs *regs)
{
	return (u32)regs->syscallno;
}
INLINE bool sys_compat(struct task_struct *task)
{
	return READ(task, thread_info.flags) >> TIF_32BIT & 1;
}
INLINE u64 sys_arg_1(struct pt_regs *regs)
{
	return READ(regs, regs[1]);
}
INLINE u64 sys_arg_2(struct pt_regs *regs)
{
	return READ(regs, regs[2]);
}
INLINE void sys_args(struct pt_regs *regs, bool compat, struct sysargs *s)
{
	s->a[0] = READ(regs, orig_x0); /* regs[0] holds the return value at exit */
	s->a[1] = READ(regs, regs[1]);
	s->a[2] = READ(regs, regs[2]);
	s->a[3] = READ(regs, regs[3]);
	s->a[4] = READ(regs, regs[4]);
	s->a[5] = READ(regs, regs[5]);
}
#endif

/*
 * Flags of open(2). On every architecture open.flags has the numbers that x86 gives them, so that a policy means the same
 * everywhere; O_LARGEFILE, which 64-bit kernels add to what the caller gave, is left out.
 */
#define O_NONBLOCK 04000
#define O_WRONLY   01
#define O_RDWR	   02
#define O_CREAT	   0100
#define O_TRUNC	   01000
#if defined(__TARGET_ARCH_x86)
#define O_LARGEFILE 0100000
INLINE u32 open_flags_portable(u32 flags)
{
	return flags & ~O_LARGEFILE;
}
#elif defined(__TARGET_ARCH_arm64)
/* arch/arm64/include/uapi/asm/fcntl.h; 32-bit programs have the same */
enum { ARM_DIRECTORY = 040000, ARM_NOFOLLOW = 0100000, ARM_DIRECT = 0200000, ARM_LARGEFILE = 0400000 };
enum { X86_DIRECT = 040000, X86_DIRECTORY = 0200000, X86_NOFOLLOW = 0400000 };
INLINE u32 open_flags_portable(u32 flags)
{
	u32 same = flags & ~(ARM_DIRECTORY | ARM_NOFOLLOW | ARM_DIRECT | ARM_LARGEFILE);

	return same | (flags & ARM_DIRECTORY ? X86_DIRECTORY : 0) | (flags & ARM_NOFOLLOW ? X86_NOFOLLOW : 0) |
	       (flags & ARM_DIRECT ? X86_DIRECT : 0);
}
#endif

#endif
