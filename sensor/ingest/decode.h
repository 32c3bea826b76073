/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INGEST_DECODE_H
#define TAMIS_INGEST_DECODE_H

/*
 * From the bytes of a kernel record (include/tamis/event.h) to a struct event. Records are untrusted: sizes, counts and
 * every offset are checked before anything is read. There is no code for single events: what a record of a type holds and
 * where it goes is worked out once from the catalog.
 *
 * What decoding changes on the way:
 *  - boot times become ns since 1970 by the clock offset that the caller passes in from time to time;
 *  - paths that the kernel side read from user memory (EV_F_USER_PATH) are base directory, "/", the caller's string. They
 *    are made plain by their text alone: "." and ".." and double slashes go. A symbolic link among the components is not
 *    resolved, so such a path may name another file than the one that was acted on; docs/enrichment.md says more;
 *  - the pieces of an exec's arguments (EV_ARGS) are held until the exec's own record comes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/catalog.h"
#include "lib/value.h"

/* The arguments and environment of an exec as the process has them: NUL-terminated strings back to back. */
struct decode_args {
	const char *argv, *envp;     /* borrowed from the decoder until its next record; NULL when nothing came */
	uint32_t argv_len, envp_len; /* bytes that came */
	bool argv_cut, envp_cut;     /* the process has more than that */
};

/* One record, decoded. Everything in it borrows from the record and from the decoder, until the decoder's next record. */
struct decoded {
	struct event
		ev; /* proc and target are NULL: sensor/enrich fills them in, and the values that no record holds */
	struct ev_head head;
	struct ev_head target; /* its pid, start and ids are those of the second process; pid 0: there is none */
	bool has_proc;	       /* exec and fork: pv holds the CAT_PROC rows of the new image or the child */
	struct val pv[SLOT_PROC_SEEN]; /* CREATED_AT in ns since 1970 */
	uint64_t proc_start_ns;	       /* with has_proc: boot time of the process's start, as in head.start_ns */
	struct decode_args args;       /* exec */
};

struct decode_stats {
	uint64_t records;   /* decoded to an event */
	uint64_t malformed; /* refused with -EBADMSG */
	uint64_t args;	    /* pieces of arguments taken */
	uint64_t args_lost; /* pieces or half-gathered execs that were dropped: over a bound, out of order, no memory */
};

struct decode;

/* @c is borrowed. */
int decode_new(const struct catalog *c, struct decode **ret);
void decode_free(struct decode *d);

/* ns to add to CLOCK_BOOTTIME to get CLOCK_REALTIME; decode_clock_now samples this machine's. */
void decode_clock(struct decode *d, int64_t offset_ns);
int64_t decode_clock_now(void);
/* The one in use. */
int64_t decode_clock_of(const struct decode *d);

/*
 * Decodes one record. Returns 1 and fills *ret for an event; 0 where the record was a piece of arguments, which is kept;
 * -EBADMSG where it is malformed (*ret is then not to be used). @rec needs 8-byte alignment.
 */
int decode_record(struct decode *d, const void *rec, size_t size, struct decoded *ret);

/* What is held of arguments, as records that would bring a new decoder there. 0, or -ENOMEM. */
int decode_save(const struct decode *d, void (*fn)(void *ctx, const void *rec, size_t size), void *ctx);

void decode_stats(const struct decode *d, struct decode_stats *ret);

/*
 * "/a//b/./../c" -> "/a/c", by text alone; a ".." at the root stays at the root; a path without a leading '/' is left as it
 * is. Writes at most @len bytes to @out (which must not overlap) and returns how many.
 */
size_t decode_path_plain(const char *path, size_t len, char *out);

#endif
