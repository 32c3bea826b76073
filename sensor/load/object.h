/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF object: opened, set up and loaded in a child that ends with it. What libbpf needs for that, tens of megabytes, never
 * lies in the monitor: only descriptors stay, since the child shares the table of them (clone's CLONE_FILES).
 */
#ifndef TAMIS_LOAD_OBJECT_H
#define TAMIS_LOAD_OBJECT_H

#include "sensor/load/ladder.h"

#include "lib/err.h"
#include "tamis/syscalls.h"

struct offsets;

/* Maps that user space touches: enumerator, name in the object. */
#define OBJECT_MAPS_OF(X)                                                                                              \
	X(OBJECT_EVENTS, "events")                                                                                     \
	X(OBJECT_LINEAGE, "lineage")                                                                                   \
	X(OBJECT_STATS, "stats")                                                                                       \
	X(OBJECT_SIEVE_NOW, "sieve_now")                                                                               \
	X(OBJECT_SYS_EVENTS, "sys_events")                                                                             \
	X(OBJECT_MASKS, "masks")                                                                                       \
	X(OBJECT_LEARNED, "learned")

enum object_map {
#define X(ID, NAME) ID,
	OBJECT_MAPS_OF(X)
#undef X
		OBJECT_MAPS
};

/* What the object is loaded for; all borrowed. */
struct object_plan {
	const struct ladder *ladder; /* rows that are used */
	const char *btf_path;	     /* of type information that is not the kernel's own, or NULL */
	bool kernel_types;	     /* the kernel tells its types: helpers that return pointers to them work */
	int32_t cast;		     /* see cast.h; 0: not here */
	bool no_peek;		     /* without the program that looks at opens before the whole one */
	bool envs;		     /* hand over environments with exec records */
	uint32_t ring_bytes, lineage_bytes;
	uint32_t ncpus;	      /* that there may ever be */
	uint32_t stack_bytes; /* of a thread's stack up to the end of its registers; 0: as the programs have it */
};

/* What is there once it is loaded. Descriptors are owned. */
struct object {
	int map[OBJECT_MAPS];
	int prog[HOOK_ROWS_MAX];	    /* by row; -1: not used. Rows of one program have one descriptor */
	uint8_t attach_type[HOOK_ROWS_MAX]; /* enum bpf_attach_type, for those at cgroups */
	int dispatcher;			    /* of system calls, or -1 */
	int peek;			    /* what looks at opens before the whole program, or -1 */
	const char *dispatcher_name;	    /* static */
	int btf;			    /* type information of the object's own */
	uint32_t sieve_key, sieve_value;    /* of a sieve, in it */
	void *globals;			    /* owned; the programs' variables, in which these lie: */
	struct sysdescs *syscalls;
	uint32_t *canary_pid;
	int32_t *deny_left; /* denials until the programs stop; see load_deny_allow() */
};

/* The program that the kernel did not take. */
struct object_blame {
	char program[64]; /* "": none was named */
	char why[96];
};

#define OBJECT_PEEK "sys_open_peek" /* with this its name begins */

/* Which dispatcher of system calls the rungs of @l use: HOOK_SYS_BTF, HOOK_SYS_TP, or HOOK_KINDS for none. */
enum hook_kind object_dispatcher(const struct ladder *l);

/* Is the program of @row called by the dispatcher? */
bool object_dispatched(size_t row);

/*
 * Loads what @p asks for; attaches nothing. On error nothing is left, and @blame names the program that was refused if it was
 * one: -EPERM, -EINVAL, what the kernel says, with the remedy in @err.
 */
int object_load(const struct object_plan *p, struct object *ret, struct object_blame *blame, struct err *err);

/* Closes all of it; of what is all zero, nothing. */
void object_unload(struct object *o);

/*
 * Type information for the programs, made of offsets @o that were found out: its descriptor, the caller's, in *ret_fd.
 * Where a thread's registers end goes to *ret_stack, as far as @o tells.
 */
int object_types(const struct offsets *o, uint32_t *ret_stack, int *ret_fd, struct err *err);

#endif
