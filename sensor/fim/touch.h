/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_TOUCH_H
#define TAMIS_SENSOR_FIM_TOUCH_H

/*
 * An event that may have changed a watched file, on its way from the engine process to the hash process: which paths, what
 * was done, and by whom. As bytes, in host order, several back to back:
 *
 *	struct touch_head | path | second path | process (a JSON object) | zeros up to 8
 *
 * The bytes are untrusted: touch_next() checks all of it, but not that the process is JSON, which only goes into alerts, as
 * a rule's alert does.
 */

#include <stdbool.h>

#include "lib/buf.h"

#define TOUCH_PROCESS_MAX (32u << 10)
#define TOUCH_PATH_MAX	  4095u

enum touch_flags {
	TOUCH_NAMES = 1 << 0,	/* names came or went: the directories that they are in have changed, too */
	TOUCH_TREE = 1 << 1,	/* what is below came or went along */
	TOUCH_MAPPED = 1 << 2,	/* what is stored into the mapping later is no event */
	TOUCH_PACKAGE = 1 << 3, /* a package manager is among the ancestors */
	TOUCH_INODE = 1 << 4,	/* the file has this inode, by whatever name it was reached; there may be no path */
	TOUCH_FLAGS = (1 << 5) - 1
};

struct touch_head {
	uint32_t size; /* all of it */
	uint16_t event;
	uint16_t flags;
	uint64_t time_ns; /* since 1970 */
	uint64_t start;	  /* of the process: with its pid, which one it is */
	uint64_t device, inode;
	uint32_t pid;
	uint32_t path_len[2];
	uint32_t process_len;
};

struct touch {
	struct touch_head head;
	const char *path[2]; /* borrowed, not terminated; [1] with path_len[1] 0: there is none */
	const char *process; /* borrowed */
};

/* Appends it; sizes are the caller's to keep within bounds. The buffer's error. */
int touch_put(struct buf *b, const struct touch *t);
/* The next one of @size bytes: 1, 0 at their end, -EPROTO. *off starts at 0. */
int touch_next(const void *p, size_t size, size_t *off, struct touch *ret);

#endif
