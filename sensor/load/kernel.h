/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the running kernel tells of itself: its symbols, whether it preempts in the middle of a BPF program, its tracing
 * files, and where type information (BTF) for it may lie. Reads files only; knows no hook and no program.
 */
#ifndef TAMIS_LOAD_KERNEL_H
#define TAMIS_LOAD_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/* Calls @cb for each function in /proc/kallsyms, modules left out. 0 or a negative errno. */
int kernel_symbols(void (*cb)(void *ctx, const char *name), void *ctx);

/*
 * Whether the kernel may preempt a thread that runs in the kernel, and @ret_how it was found out ("its scheduler's mode
 * is lazy"). In doubt true.
 */
bool kernel_preempts(char *ret_how, size_t size);

/* What /sys/kernel/debug/sched/preempt says: "none (voluntary) full"; true for full and lazy. Anything else: -EINVAL. */
int kernel_preempt_mode(const char *text, bool *ret);

/*
 * A file system of @type, mounted nowhere, as a descriptor: only who has it sees it. @attributes as fsmount(2) has them,
 * MOUNT_ATTR_*. Negative errno.
 */
int kernel_mount(const char *type, unsigned int attributes);

/*
 * The root of tracefs as a descriptor (O_PATH): where it is mounted, or a mount of our own that nobody else sees.
 * Negative errno.
 */
int kernel_tracefs(void);

struct btf;

/*
 * Type information out of @file (raw BTF, or an ELF file with a .BTF section), checked to be that of the running kernel:
 * its functions must be this kernel's. Errors name the file and the remedy.
 */
int kernel_btf_file(const char *file, struct btf **ret, struct err *e);

/* Looks for such a file: in @dir (may be NULL) and where debug packages put it. -ENOENT names the places. Free *ret_path. */
int kernel_btf_search(const char *dir, char **ret_path, struct err *e);

#endif
