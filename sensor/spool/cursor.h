/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SPOOL_CURSOR_H
#define TAMIS_SPOOL_CURSOR_H

/*
 * How far a sink is, on disk: a file NAME.cursor of fixed size with two places, which are written in turn and synced. A
 * write that is torn leaves the other one; a full disk does not keep it from being written. Each place is a header line
 * with its number, length and SHA-256, and JSON.
 *
 * The file is also the sink's lock: two processes never speak for one sink.
 */

#include "lib/err.h"
#include "sensor/spool/fold.h"
#include "sensor/spool/logreader.h"

#define CURSOR_PLACE (64u << 10)

struct cursor_state {
	struct logpos at; /* all in front of this is delivered, or held in fold, or not wanted */
	bool clean;	  /* nothing was under way when it was written */
	bool fresh;	  /* there was no cursor yet */
	uint64_t handed;  /* the last record that may have been delivered beyond @at; 0: not known */
	struct fold fold;
};

struct cursor {
	int fd; /* owned; -1: not open */
	uint64_t number;
};

/*
 * Opens or makes NAME.cursor in @dir_fd and takes its lock, waiting up to @wait_ms for who has it. A file that holds no
 * cursor is -EBADMSG, and is not touched.
 */
int cursor_open(int dir_fd, const char *name, unsigned int wait_ms, struct cursor *ret, struct cursor_state *state,
		struct err *e);
int cursor_save(struct cursor *c, const struct cursor_state *state, struct err *e);
void cursor_close(struct cursor *c);

/* The JSON within. -EBADMSG for anything else. */
int cursor_parse(const char *text, size_t n, struct cursor_state *ret);

#endif
