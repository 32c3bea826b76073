/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_PROCFS_H
#define TAMIS_ENRICH_PROCFS_H

/*
 * What /proc tells about a process, in the form of a decoded exec record. As root it tells all; without privilege the path
 * of the program and the environment of others' processes cannot be read, and are not tried: a refused try is a system call
 * that the process then has no other use for. Works through a directory descriptor, so a later chroot
 * changes nothing. The format is that of proc(5).
 */

#include <stdbool.h>
#include <stdint.h>

#include "sensor/ingest/decode.h"

struct procfs;

int procfs_new(const char *path, struct procfs **ret);
void procfs_free(struct procfs *p);

/*
 * Fills *ret with what can be read of process @pid: head.pid, head.start_ns and the ids, pv, args. The start is rounded
 * down to a tick (procfs_tick_ns). Strings are borrowed until the next call. -ENOENT or -ESRCH when there is no such process.
 * *ret_kthread tells whether it is a kernel thread.
 */
int procfs_read(struct procfs *p, uint32_t pid, bool as_root, int64_t clock_offset_ns, struct decoded *ret,
		bool *ret_kthread);

/* The arguments alone; false when they cannot be read or there are none. */
bool procfs_args(struct procfs *p, uint32_t pid, struct decode_args *ret);

/* The cgroup path that says most (cgroup_of_proc). */
bool procfs_cgroup(struct procfs *p, uint32_t pid, const char **ret, size_t *ret_len, unsigned *ret_version);
/* Whether this machine has hierarchies beside the unified one, so that kernel records do not tell containers. */
bool procfs_cgroup_v1(const struct procfs *p);

/* Whether the process still exists; true also when that cannot be told. */
bool procfs_alive(const struct procfs *p, uint32_t pid);

/* Calls @fn for every process, in no order; stops at and returns what is not 0. */
int procfs_each(struct procfs *p, int (*fn)(void *ctx, uint32_t pid), void *ctx);

uint64_t procfs_tick_ns(const struct procfs *p);

#endif
