/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_WATCH_H
#define TAMIS_LIB_WATCH_H

/*
 * What a policy says about files that should not change: a list of watches. The compiler fills it, a bundle carries it
 * (lib/watch_io.h), file integrity acts on it. Nothing here opens a file.
 *
 * A path is watched by the LAST watch of the list that names it, so that a later policy can be stricter or laxer about
 * part of what an earlier one covers. A watch names a path where one of its globs (lib/glob.h) matches it, or, if it is
 * recursive, something above it, and none of its excludes matches it or something above it. So each glob of a recursive
 * watch is two globs of the sieve's clauses: itself, and itself with a last component of two stars.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What of a file is compared. The bits are part of the bundle's and the baseline's formats: never renumbered. */
enum watch_attr {
	WATCH_PERMISSIONS = 1 << 0,
	WATCH_OWNER = 1 << 1,
	WATCH_GROUP = 1 << 2,
	WATCH_SIZE = 1 << 3,
	WATCH_MTIME = 1 << 4,
	WATCH_CTIME = 1 << 5,
	WATCH_INODE = 1 << 6,
	WATCH_LINKS = 1 << 7,
	WATCH_CONTENT = 1 << 8,
	WATCH_XATTRS = 1 << 9, /* those that have no name of their own here */
	WATCH_ACL = 1 << 10,
	WATCH_CAPABILITIES = 1 << 11,
	WATCH_SELINUX = 1 << 12,
	WATCH_CHATTR = 1 << 13,
	WATCH_TARGET = 1 << 14, /* of a symbolic link */
	WATCH_ALL = (1 << 15) - 1
};

#define WATCH_TIMES    (WATCH_MTIME | WATCH_CTIME)
#define WATCH_STANDARD (WATCH_ALL & ~(WATCH_TIMES | WATCH_INODE | WATCH_LINKS))
#define WATCH_LOG      (WATCH_STANDARD & ~(WATCH_SIZE | WATCH_CONTENT))

#define WATCHES_MAX	   256	/* of a bundle */
#define WATCH_GLOBS_MAX	   1024 /* of each kind, of one watch */
#define WATCH_TAGS_MAX	   64
#define WATCH_PATH_MAX	   4095
#define WATCH_DIFF_DEFAULT 65536u
#define WATCH_DIFF_MAX	   (1u << 20)
#define WATCH_DEBOUNCE_MS  200u /* where a watch says nothing */
#define WATCH_DEBOUNCE_MAX 10000u

struct watch_tag {
	const char *name, *value;
};

/* All texts are NUL-terminated and borrowed: from the compiler's arena, or from the list that they were read into. */
struct watch {
	const char *id, *description, *policy, *version; /* "" where there is none */
	const char **paths, **exclude;			 /* path globs, absolute */
	const char **never_store;			 /* path globs: their content is never kept */
	const struct watch_tag *tags;
	uint32_t npaths, nexclude, nnever_store, ntags;
	uint32_t attrs;	      /* enum watch_attr */
	uint32_t diff_max;    /* bytes of a text file that is kept for a diff; 0: none is */
	uint32_t debounce_ms; /* a file that was touched is looked at when it was left alone for so long */
	uint16_t severity;    /* enum severity */
	bool recursive, growing, one_filesystem;
};

struct watch_list {
	struct watch *v;
	size_t n;
	void *owned[2]; /* what watch_unpack() took */
};

/* A name that people write: one attribute or a group of them, in the order in which they are shown. */
struct watch_attr_name {
	const char *name;
	uint32_t attrs;
	const char *what; /* for the manual */
};

/* Single attributes first, then groups; ends with a NULL name. */
extern const struct watch_attr_name watch_attr_names[];
#define WATCH_ATTRS 15 /* single ones */

/* Why a text is no glob of a watch, as a remedy for a person; NULL where it is fine. Syntax of stars is glob_new()'s. */
const char *watch_path_problem(const char *path, size_t len);

#endif
