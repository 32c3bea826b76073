/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All maps, and the settings that user space writes before the load. Nothing else configures a program. */
#ifndef TAMIS_BPF_MAPS_H
#define TAMIS_BPF_MAPS_H

#include "lib/core_compat.bpf.h"
#include "lib/learned.bpf.h"
#include "lib/masks.bpf.h"
#include "lib/sieve.bpf.h"
#include "tamis/syscalls.h"

#define RAW_CAP	       9216		       /* where the last string of a record may begin */
#define RAW_MAX	       (RAW_CAP + EV_PATH_MAX) /* bytes of a record */
#define PENDING_MAX    8704 /* bytes of a record that waits for its return value: head, numbers, two paths */
#define BPF_F_MMAPABLE (1u << 10)
#define CHUNK	       4096 /* bytes of arguments in one EV_ARGS record */

/* A record in the making. */
struct rec {
	u32 type;
	u32 used; /* bytes of raw[] */
	u8 raw[RAW_MAX];
};

struct pending {
	u32 type;
	u32 used;
	u8 raw[PENDING_MAX];
};

/* What a directory is known by, see dir_fingerprint(). */
struct dir_key {
	u64 a, b;
};

/*
 * What a program works on; too big for the stack. One a CPU is not enough: on preemptible kernels a trampoline's
 * program can be preempted and another one run on the same CPU. See slot_claim().
 */
struct slot {
	u64 owner;	 /* thread id + 1; 0: free */
	u64 dirty;	 /* somebody else may have written here while it was owned */
	u64 args[8];	 /* of the system call, on the tracepoint rung */
	u64 path_off[2]; /* the path in work[i] is work[i][path_off..path_off+path_len) */
	u64 path_len[2];
	struct dir_key key;	 /* fingerprint of the directory at hand */
	u64 mounts;		 /* how often mounts have changed */
	u64 run_slash, run_dots; /* see path_normal() */
	u64 asks;		 /* of an open: the key that it asks by; 0: it does not */
	u32 index;		 /* of this slot */
	u32 generation;		 /* of the sieve that the program began with */
	u32 flags;		 /* enum ev_flags */
	u32 unasked;		 /* paths that the automaton could not be asked of, as bits 1 << w */
	u32 kin;		 /* of an exec: what its image meets by itself, see struct sv_kin */
	u32 fresh;		 /* and the set that it begins with */
	u32 pad;
	struct sv_mask alive; /* of an exec, while its words are looked at */
	/* What is possible by an exec's two paths, or by the words in its arguments and environment; the states of the latter. */
	struct sv_mask found[2];
	u64 state[2];
	u8 work[2][SV_BUF_SIZE + 512];
	u8 name[256];
	struct rec rec;
}; /* at most 32 KiB, the limit of a per-CPU value */

#define SLOTS 3

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, u32);
	__type(value, struct slot);
} slots SEC(".maps");

/*
 * Two rings, so that neither starves the other: exec, fork, exit and arguments go to lineage, all else to events. User
 * space puts them together by time (sensor/ingest/ring.c).
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} lineage SEC(".maps");

/* By CPU; the loader sets how many there are. No array of its own for each CPU: user space could not map that. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct ev_stats_cpu);
} stats SEC(".maps");

/* The sieve in force: one slot, swapped as a whole. */
struct sieve_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct sieve);
} sieve_first SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct sieve_inner);
} sieve_now SEC(".maps") = { .values = { &sieve_first } };

/*
 * The automaton's state at directories, by their fingerprint, see path.bpf.h: sets of four, one line of the processor's cache
 * each. An entry is written in two steps that nobody waits for, so both words tell whose it is: a is the one half of the key, b
 * the other one with the state in place of its low bits.
 */
#define DIR_SETS  4096
#define DIR_WAYS  4
#define DIR_STATE (SV_STATES - 1)
struct dir_set {
	struct dir_key way[DIR_WAYS];
};
struct dir_cache {
	struct dir_set set[DIR_SETS];
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct dir_cache);
} dirs SEC(".maps");

/* Masks of processes, in the engine process's memory, too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct masks);
} masks SEC(".maps");

/* What user space has learned of files, in its memory, too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct learned);
} learned SEC(".maps");

/* Records that wait for the return value of their function, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, struct pending);
} pending SEC(".maps");

/* Processes of several threads whose end has been told, by start and id: two threads may both find themselves the last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct dir_key);
	__type(value, u32);
} ended SEC(".maps");

/* Arguments of functions that have been entered, by event and thread: see call.bpf.h. */
struct call {
	u64 arg[4];
};
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct call);
} calls SEC(".maps");

/* Names of modules that a thread loads or removes, from the tracepoint that knows them to the end of the call. */
struct module_name {
	char s[64];
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, u32);
	__type(value, struct module_name);
} module_names SEC(".maps");

/* Capabilities that a process image has tried and used since a point in time: see caps.bpf.c. */
struct caps {
	u64 start_ns, image; /* whose they are */
	u64 generation;	     /* of the sieve that they were shown to */
	u64 since;
	u64 attempted, used;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct caps);
} caps_of SEC(".maps");

/* Threads whose operation was refused a moment ago, until the hook that sees it fail has passed it over. */
struct denied {
	u64 type, boot_ns;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct denied);
} denied SEC(".maps");

/* The tracepoint rung: how each system call tells its event. Written while we run, when the policy changes. */
struct sysdescs syscalls;

/* By event; where peek.bpf.c looks at opens first, EV_OPEN's is that one, and the one that it goes on to comes first. */
#define SYS_OPEN_WHOLE EV_NONE
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, EV_TYPES);
	__type(key, u32);
	__type(value, u32);
} sys_events SEC(".maps");

/* The process whose acts are marked instead of sieved, as the kernel numbers it; 0: none. Written while we run. */
volatile __u32 canary_pid;

/* Our own process, whose bpf calls are no events. */
volatile __u32 self_pid;

/* How many denials are left until the monitor gives more (deny.bpf.c). Written while we run. */
volatile __s32 deny_left;

/* Settings. */
const volatile __u32 ring_bytes = 8 << 20; /* wake the reader when a quarter of it is filled */
const volatile __u32 lineage_bytes = 2 << 20;
const volatile __u32 want_envs = 0;
const volatile __u32 have_deny = 0;	   /* something may be refused (deny.bpf.c) */
const volatile __u32 have_calls = 0;	   /* some program keeps arguments (call.bpf.h) */
const volatile __u32 have_task_regs = 0;   /* bpf_task_pt_regs: 5.15 (dd6e10fbd9fb) */
const volatile __u32 have_current_ids = 0; /* bpf_get_current_pid_tgid in programs of cgroups: not on 5.10 */
const volatile __u32 have_loginuid = 0;	   /* the kernel keeps who has logged in: with CONFIG_AUDIT */
const volatile __u32 stack_bytes = 16384;  /* of a thread in the kernel; only where bpf_task_pt_regs is missing */
/* Of the directory fingerprints; odd. */
const volatile __u64 seed[4] = { 0x9e3779b97f4a7c15ull, 0xc2b2ae3d27d4eb4full, 0x165667b19e3779f9ull,
				 0xd6e8feb86659fd93ull };

#endif
