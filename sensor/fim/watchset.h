/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_WATCHSET_H
#define TAMIS_SENSOR_FIM_WATCHSET_H

/*
 * Which watch a path belongs to (lib/watch.h: the last one that names it), for one path, and for a walk that goes down
 * directory by directory and keeps what is still possible. Paths are absolute, without '/' at their end; the root
 * directory is "".
 */

#include "lib/err.h"
#include "lib/glob.h"
#include "lib/watch.h"

struct watchset_globs {
	struct glob **v; /* owned */
	uint32_t n;
};

struct watchset_item {
	const struct watch *watch; /* borrowed from the list */
	struct watchset_globs paths, exclude, never_store;
	size_t literal; /* bytes of the shortest directory that a path of it begins with */
};

struct watchset {
	struct watchset_item *v;
	size_t n;
	struct watchset_globs never_store; /* of all watches: keys and password hashes */
};

/* The list has to stay. -ENOMEM, -EINVAL. */
int watchset_new(const struct watch_list *list, struct watchset **ret, struct err *e);
void watchset_free(struct watchset *s);
DEFINE_CLEANUP(struct watchset *, watchset_free);

/* The watch of a path, or NULL. */
const struct watchset_item *watchset_find(const struct watchset *s, const char *path, size_t len);
/* Whether content of this path must never be kept. */
bool watchset_secret(const struct watchset *s, const struct watchset_item *w, const char *path, size_t len);

/* A watch that can still name something in or below a directory. */
struct watchset_live {
	uint16_t watch;
	bool covered;	 /* everything below is the watch's, but for its excludes */
	bool has_device; /* one_filesystem: device is that on which it began */
	uint64_t device;
};

/*
 * Of what lives in the parent (@parent NULL: the root directory itself) what lives in directory @path on @device.
 * @ret has room for s->n; returns how many. None: nothing below need be looked at.
 */
size_t watchset_enter(const struct watchset *s, const struct watchset_live *parent, size_t nparent, const char *path,
		      size_t len, uint64_t device, struct watchset_live *ret);
/* The watch of an entry of the directory that @live is of, or NULL. */
const struct watchset_item *watchset_entry(const struct watchset *s, const struct watchset_live *live, size_t nlive,
					   const char *path, size_t len);

#endif
