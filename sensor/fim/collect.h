/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_COLLECT_H
#define TAMIS_SENSOR_FIM_COLLECT_H

/*
 * The facts of one file, as it is now, by file descriptor: the name is opened once, below a directory that is open
 * already, without following a symbolic link, and everything is asked of what was opened. So no rename or link made
 * meanwhile leads elsewhere. Only regular files are read; a FIFO, socket or device is never opened for reading.
 */

#include "sensor/fim/fact.h"
#include "sensor/fim/limit.h"

#include <signal.h>
#include <sys/types.h>

struct collect {
	struct limit *limit;		   /* borrowed; NULL: as fast as it goes */
	const volatile sig_atomic_t *stop; /* borrowed, may be NULL: reading ends with -EINTR where it is set */
	uint64_t bytes;			   /* read so far */
	bool asked, no_trusted;		   /* who we are: root at the first file is root at all others */
	uint8_t *data;			   /* owned; content as it is read */
	size_t size;
	struct buf xattrs;
	uint8_t target[FACT_TARGET_MAX];
};

int collect_init(struct collect *c, struct limit *limit);
void collect_done(struct collect *c);

struct collect_want {
	uint32_t attrs;
	uint32_t keep_max;	/* content of at most so many bytes stays in c->data; 0: none */
	const struct fact *old; /* or NULL */
	bool growing;		/* says whether old's content is still the beginning */
	bool quick;		/* where the metadata is old's, its hash is taken over */
};

struct collect_found {
	struct fact fact; /* borrows from c until the next call */
	bool prefix_same; /* growing: the first old->size bytes hash as they did */
	bool kept;	  /* c->data has the content, fact.size bytes */
};

/* @type: what readdir said (DT_*), a hint. 0; -ENOENT: there is nothing of that name any more; -EINTR: *c->stop. */
int collect_file(struct collect *c, int dir_fd, const char *name, int type, const struct collect_want *want,
		 struct collect_found *ret);

/*
 * Opens a path (NUL-terminated, at @len) below @root_fd for a later collect_file: its directory, and its last name. No symbolic link on the way is
 * followed. -ENOENT, -ELOOP, -EACCES, ...
 */
int collect_open_dir(int root_fd, const char *path, size_t len, int *ret_fd, const char **ret_name);
/* One name below a directory, not following links; flags as of open. The descriptor or negative errno. */
int collect_open(int dir_fd, const char *name, int flags);

#endif
