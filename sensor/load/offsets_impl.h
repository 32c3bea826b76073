/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the search share: kernel memory as regions, and the processes whose state is known. */
#ifndef TAMIS_LOAD_OFFSETS_IMPL_H
#define TAMIS_LOAD_OFFSETS_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sensor/load/offsets.h"
#include "sensor/load/peek.h"

#define REGION_MAX 8192u
#define NOWHERE	   OFFSET_UNKNOWN

/* A piece of kernel memory as it was when it was read. */
struct region {
	uint64_t address;
	uint32_t n;
	uint8_t b[REGION_MAX];
};

struct hunt {
	struct peek peek;
	struct offsets *found;	 /* shared with who waits for it */
	uint32_t task_size;	 /* of a task_struct, or more */
	uint64_t parent_task;	 /* of the process that waits */
	uint64_t own_task;	 /* of the process that hunts, its first thread */
	struct region *own;	 /* its task_struct */
	volatile uint64_t *told; /* shared with models: where a model's task is */
};

/* Whether an address is the kernel's: others are never read, since 5.10 warns of those that no address can be. */
bool is_kernel(uint64_t address);

/* Reads @n bytes, fewer where the memory ends. False where there is nothing. */
bool region_read(struct hunt *h, struct region *r, uint64_t address, uint32_t n);

uint64_t u64_at(const struct region *r, uint32_t at);
uint32_t u32_at(const struct region *r, uint32_t at);
uint16_t u16_at(const struct region *r, uint32_t at);

/* What is at @at as a pointer to kernel data, or 0. */
uint64_t pointer_at(const struct region *r, uint32_t at);

/* Whether the text at kernel address @address is @text. */
bool text_is(struct hunt *h, uint64_t address, const char *text);

/*
 * The only place, a multiple of @step, where @fits says so; NOWHERE if there is none or more than one. @first takes the
 * first of several.
 */
typedef bool region_fits(struct hunt *h, const struct region *r, uint32_t at, const void *want);
uint32_t region_only(struct hunt *h, const struct region *r, uint32_t step, region_fits *fits, const void *want);
uint32_t region_first(struct hunt *h, const struct region *r, uint32_t step, region_fits *fits, const void *want);

/* Fits: a number, of 8, 4, 2 bytes. */
region_fits is_u64, is_u32, is_u16;

/* Up to three regions of the same type, each with its number of @size bytes: the only place that fits in all, or NOWHERE. */
uint32_t regions_only(const struct region *const r[], const uint64_t want[], size_t n, uint32_t size);

static inline void found(struct hunt *h, enum offset_id id, uint32_t at)
{
	h->found->at[id] = at;
}
static inline uint32_t at_of(const struct hunt *h, enum offset_id id)
{
	return h->found->at[id];
}

/* ---- models: processes in a known state ------------------------------------------------------------------------ */

struct model {
	pid_t pid;
	uint64_t task; /* its task_struct */
	int hold;      /* owned; it ends when this is closed */
};

/*
 * Starts a process that calls @arrange and then waits. False if that returned false, or it could not be started. With
 * @flags for clone(2). End it with model_end in any case.
 */
bool model_start(struct hunt *h, struct model *m, bool (*arrange)(void *), void *arg, int flags);
void model_end(struct model *m);

/* Each part: what it needs is found by those before it. */
void hunt_task(struct hunt *h);
void hunt_files(struct hunt *h);
void hunt_ends(struct hunt *h);
void hunt_pids(struct hunt *h);
void hunt_sockets(struct hunt *h);

/* Where an inode of /proc has the struct pid at @pid. */
void hunt_proc(struct hunt *h, uint64_t pid);

#endif
