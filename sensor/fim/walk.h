/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_WALK_H
#define TAMIS_SENSOR_FIM_WALK_H

/*
 * What a set of watches names on this host, in order of paths as bytes: the order of the baseline, so that both can be
 * walked side by side with no more memory than the largest directory takes. Directories are opened below their parent's
 * descriptor, without following links; nothing is asked of a file.
 *
 * Order of bytes: "/a" comes before "/a-b", which comes before "/a/b". So a directory's entry and what is in it are two
 * entries of its parent's list: "a" and "a/".
 */

#include "sensor/fim/watchset.h"

#include <stdatomic.h>

struct walk_dir { /* counted; the last one closes it */
	atomic_int users;
	int fd;
};

struct walk_dir *walk_dir_use(struct walk_dir *d);
void walk_dir_drop(struct walk_dir *d);

/* Why a directory was not looked into. */
enum walk_skip { WALK_ENTRY = 0, WALK_KERNEL_FS, WALK_TOO_DEEP, WALK_DENIED, WALK_FAILED, WALK_SKIPS };
const char *walk_skip_name(unsigned int skip);

struct walk_entry {
	const char *path, *name; /* name: where to find it below dir; both borrowed until the next step */
	size_t len;
	int type;			   /* DT_* */
	enum walk_skip skip;		   /* else than ENTRY: this directory's inside is not known; dir is NULL */
	const struct watchset_item *watch; /* ENTRY */
	struct walk_dir *dir;		   /* borrowed; walk_dir_use() to keep it */
};

struct walk;
/* @root_fd stays the caller's. Begins behind path @after (may be NULL). */
int walk_open(const struct watchset *s, int root_fd, const char *after, size_t after_len, struct walk **ret,
	      struct err *e);
/* 1 with an entry, 0 at the end, -ENOMEM. */
int walk_next(struct walk *w, struct walk_entry *ret);
void walk_close(struct walk *w);
DEFINE_CLEANUP(struct walk *, walk_close);

#endif
