/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel -> user record. Plain C, padded by hand, the same bytes for BPF, the daemon, fuzzers and tests.
 *
 * A record is
 *	struct ev_head | u64 num[nnum] | struct ev_str str[nstr] | tail bytes
 * num[] and str[] hold the N and S rows of the event's list in catalog.def, in their order; for exec and fork the N and
 *S rows of CAT_PROC follow those of the event; for events of CAT_TARGETS EV_TARGET_COUNT numbers do. Integers are in host order. A string's off counts from the start of the
 * record. A record is untrusted: sensor/ingest checks every size before it reads.
 *
 * Times of files in num[] are ns since 1970; a process's CREATED_AT is CLOCK_BOOTTIME ns, the start_ns of that process
 *(in a fork, of the child, whose head is the parent's).
 *
 * EV_ARGS records carry a piece of an exec's arguments and environment (struct ev_args); they come before the exec
 *record that they belong to, on the same CPU, and carry its tid, start_ns and image; not its boot_ns, which may be later.
 */
#ifndef TAMIS_EVENT_H
#define TAMIS_EVENT_H

#ifdef __bpf__
typedef unsigned char ev_u8;
typedef unsigned short ev_u16;
typedef unsigned int ev_u32;
typedef unsigned long long ev_u64;
typedef long long ev_s64;
#else
#include <stdint.h>
typedef uint8_t ev_u8;
typedef uint16_t ev_u16;
typedef uint32_t ev_u32;
typedef uint64_t ev_u64;
typedef int64_t ev_s64;
#endif

#include "tamis/catalog.def"

enum ev_type {
	EV_NONE = 0,
#define E(EV, NR, NAME, LIST, PROC, DOC) EV_##EV = NR,
	CAT_EVENTS(E)
#undef E
		EV_TYPES = 63, /* above every type of a record: the size of per-event tables */
#define F(FAMILY, NR, NAME, DOC)	      EV_##FAMILY = NR,
#define U(EV, NR, NAME, LIST, PROC, DOC, WHY) EV_##EV = NR,
	CAT_FAMILIES(F) CAT_EVENTS_UNSEEN(U)
#undef U
#undef F
		EV_ALL_TYPES, /* the same with the types that no record has yet: what policies and JSON know */
	EV_ARGS = 0x100,      /* not an event: a piece of argv/envp */
	/*
	 * Not an event: a process as it is, asked for; rows as of an exec, the head is that process's own. With pid 0: all
	 * that were there at boot_ns have been told of.
	 */
	EV_TASK,
	EV_INODE /* not an event: something is done to a file of the baseline, by whatever name: struct ev_inode */
};

/* Indexes into num[] and str[], one enum an event: EVN_OPEN_FLAGS, EVS_OPEN_FILE_PATH, ... EVN_OPEN_COUNT */
#define EV_ROW_N_N(EV, SLOT) EVN_##EV##_##SLOT,
#define EV_ROW_N_S(EV, SLOT)
#define EV_ROW_N_U(EV, SLOT)
#define EV_ROW_N_H(EV, SLOT)
#define EV_ROW_S_S(EV, SLOT) EVS_##EV##_##SLOT,
#define EV_ROW_S_N(EV, SLOT)
#define EV_ROW_S_U(EV, SLOT)
#define EV_ROW_S_H(EV, SLOT)
#define EV_ROW_N(KIND, EV, SLOT, ...) EV_ROW_N_##KIND(EV, SLOT)
#define EV_ROW_S(KIND, EV, SLOT, ...) EV_ROW_S_##KIND(EV, SLOT)
#define E(EV, NR, NAME, LIST, PROC, DOC)                                                                               \
	enum { LIST(EV_ROW_N) EVN_##EV##_COUNT };                                                                      \
	enum { LIST(EV_ROW_S) EVS_##EV##_COUNT };                                                                      \
	_Static_assert((NR) != EV_TYPES, "the number of a family");
CAT_EVENTS(E)
#define U(EV, NR, NAME, LIST, PROC, DOC, WHY) E(EV, NR, NAME, LIST, PROC, DOC)
CAT_EVENTS_UNSEEN(U)
#undef U
#undef E
enum { CAT_PROC(EV_ROW_N, "") EVN_PROC_COUNT };
enum { CAT_PROC(EV_ROW_S, "") EVS_PROC_COUNT };

/* The second process of an event, behind the event's own numbers. All 0: there is none, or it is not known. */
enum {
	EV_TARGET_PID,	 /* thread group, in the initial pid namespace */
	EV_TARGET_START, /* as head.start_ns */
	EV_TARGET_IDS,	 /* uid | gid << 32 */
	EV_TARGET_EIDS,	 /* euid | egid << 32 */
	EV_TARGET_FSIDS, /* fsuid | fsgid << 32 */
	EV_TARGET_CAP_PERMITTED,
	EV_TARGET_CAP_EFFECTIVE,
	EV_TARGET_AUID,
	EV_TARGET_COUNT
};

#define EV_NUM_MAX  40		/* num[] of any record */
#define EV_STR_MAX  12		/* str[] of any record */
#define EV_PATH_MAX 4096	/* bytes of a path, without a NUL */
#define EV_REC_MAX  (24 << 10)	/* bytes of a record */
#define EV_ARGS_MAX (256 << 10) /* bytes of arguments and environment that the kernel side hands over */

enum ev_flags {
	EV_F_ASYNC = 1 << 0,	      /* done through io_uring */
	EV_F_TRUNCATED = 1 << 1,      /* a string did not fit, or a path was deeper than the walk */
	EV_F_USER_PATH = 1 << 2,      /* a path was read from user memory: not resolved */
	EV_F_UNREADABLE = 1 << 3,     /* something could not be read: the sieve was open for it */
	EV_F_CONTEXT = 1 << 4,	      /* no clause is alive: sent only to keep the process table */
	EV_F_COMPAT = 1 << 5,	      /* 32-bit system call */
	EV_F_ARGS_TRUNCATED = 1 << 6, /* exec: arguments or environment beyond EV_ARGS_MAX */
	EV_F_CANARY = 1 << 7,	      /* a mark: the canary's act of this type was seen; a head and nothing else */
	EV_F_CREDS_AFTER = 1 << 8,    /* the head's credentials are those that the event gave, those before are gone */
	EV_F_DENIED = 1 << 9,	      /* the kernel side refused it, because a rule says so */
	EV_F_SAME_CGROUPS =
		1 << 10 /* exec: in the very cgroups that its process was last told of in, by exec or fork */
};

/* Goes by the ring of its own: nothing that files do can push it out. */
#define EV_IS_LINEAGE(TYPE)                                                                                            \
	((TYPE) == EV_EXEC || (TYPE) == EV_FORK || (TYPE) == EV_EXIT || (TYPE) == EV_ARGS || (TYPE) == EV_TASK)

enum ev_rung { EV_RUNG_NONE, EV_RUNG_FENTRY, EV_RUNG_KPROBE, EV_RUNG_TRACEPOINT, EV_RUNG_CGROUP, EV_RUNGS };

struct ev_str {
	ev_u32 off; /* from the start of the record */
	ev_u32 len; /* bytes, no NUL counted */
};

struct ev_head {
	ev_u32 size;	/* whole record, a multiple of 8; checked before anything else */
	ev_u16 type;	/* enum ev_type */
	ev_u16 flags;	/* enum ev_flags */
	ev_u64 boot_ns; /* CLOCK_BOOTTIME */
	ev_u32 pid;	/* thread group */
	ev_u32 tid;
	/*
	 * Credentials of the acting thread, in the initial user namespace. When an event is about a change of them, those
	 * before, if not EV_F_CREDS_AFTER. From euid on in the order of the kernel's struct cred.
	 */
	ev_u32 uid, gid, euid, egid, fsuid, fsgid;
	ev_u64 cap_permitted, cap_effective;
	ev_u64 start_ns; /* CLOCK_BOOTTIME start of the thread group's leader: with pid, names a process for good */
	ev_s64 retval;	 /* 0 or a negative errno */
	ev_u32 policy;	 /* generation of the sieve that looked at it */
	ev_u8 nnum, nstr;
	ev_u8 rung; /* enum ev_rung */
	ev_u8 pad;
	ev_u32 auid; /* login uid of the acting thread; EV_AUID_UNSET: nobody has logged in */
	ev_u32 image; /* counts what the process has executed; of an exec the new one, of a fork the same as the child's; 0: not known */
	ev_u64 alive[4]; /* clauses that the sieve could not rule out */
};

#define EV_AUID_UNSET 0xffffffffu

/* A piece of argv and envp: bytes [off, off+len) of the block that starts with argv and goes on with envp. */
struct ev_args {
	struct ev_head head; /* type EV_ARGS */
	ev_u32 off;
	ev_u32 len;
	ev_u32 argv_total; /* bytes of argv in the process */
	ev_u32 envp_total; /* bytes of envp in the process */
			   /* len bytes follow, then zero padding to 8 */
};

/* Who is about to do what (an event type; EV_NONE: set flags as chattr does) to an inode. Not oftener than EV_INODE_AGAIN_NS. */
struct ev_inode {
	struct ev_head head; /* type EV_INODE, flags EV_F_CONTEXT, no clauses */
	ev_u64 ino;
	ev_u32 what, pad;
};
#define EV_INODE_AGAIN_NS 100000000ull

/* While records come, the reader of the rings looks so often; only the first after a while without wakes it (bpf/lib/wake.bpf.h). */
#define EV_WAKE_NS 10000000ull

/* Counters that the kernel keeps of an event type on a CPU. */
struct ev_stats {
	ev_u64 seen;	/* reached the sieve */
	ev_u64 dropped; /* ruled out by the sieve */
	ev_u64 sent;	/* handed to the ring */
	ev_u64 lost;	/* could not be handed over: ring full or no room to keep it until its return value was known */
	ev_u64 context; /* sent though ruled out, to keep the process table */
	ev_u64 lost_context; /* the like, lost: no alert is missing, but the process table may be */
	ev_u64 denied;	     /* refused, because a rule says so */
	ev_u64 deny_unsure; /* let through although a rule may have wanted it refused: not all that it asks for could be told */
};

/*
 * A CPU's, by type: an entry of the map "stats", which user space has in its memory (docs/decisions/0013). A power of two, so that
 * the verifier sees that a masked index lies within; and no two CPUs write to one line of the cache.
 */
#define EV_STATS 64
struct ev_stats_cpu {
	struct ev_stats of[EV_STATS];
};

#ifndef __bpf__
_Static_assert(sizeof(struct ev_head) == 128, "ev_head is an ABI");
_Static_assert(sizeof(struct ev_args) == 144, "ev_args is an ABI");
_Static_assert(sizeof(struct ev_stats) == 64, "ev_stats is an ABI");
_Static_assert(EV_STATS >= EV_TYPES && !(EV_STATS & (EV_STATS - 1)), "a power of two with room for each type");
#endif

#endif
