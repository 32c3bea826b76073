/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a file is looked up only when a rule that holds otherwise asks for it: its hash, its package. The engine process may read
 * no file of others; the hash process is asked, and waited for. So there are bounds: FETCH_ASK_MS for one answer, FETCH_SPENT_MS of
 * each second for all, FETCH_SIZE_MAX for a file to be hashed. What goes beyond is given up: the field is empty, and counted.
 *
 * A hash is that of the file with the event's inode on the event's filesystem, as it is when it is read, which is a moment after the
 * event. It is remembered by inode, filesystem and change time. Files on mounts that the host does not have (those of containers) are
 * not looked up: their paths mean something else here.
 *
 *	fetch_begin(f, ev); engine_eval(), which calls fetch_field(); alerts are made; fetch_end(f);
 */
#ifndef TAMIS_PRIV_FETCH_H
#define TAMIS_PRIV_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/catalog.h"
#include "lib/program.h"
#include "lib/value.h"

#define FETCH_ASK_MS   100
#define FETCH_SPENT_MS 250
#define FETCH_SIZE_MAX (32u << 20)
#define FETCH_CACHE    2048 /* hashes that are remembered */
#define FETCH_AGAIN_MS 1000 /* what could not be had is asked for again then */

struct fetch;

struct fetch_file {
	const char *path; /* not terminated */
	size_t len;
	uint64_t device, inode, size_max;
};

/* Texts are terminated. */
struct fetch_package {
	char text[5][256]; /* name, version, release, version and release of the source; name "": of no package */
	int64_t epoch, source_epoch;
};

/* Who knows. 0, or a negative errno: -ETIMEDOUT, -ENOENT, -ESTALE, -EFBIG, ... Waits for FETCH_ASK_MS at most. */
struct fetch_asked {
	int (*hash)(void *ctx, const struct fetch_file *f, uint8_t sha256[32]);
	int (*package)(void *ctx, const char *path, size_t len, struct fetch_package *ret);
	uint64_t (*now_ms)(void *ctx);
	const char *mountinfo; /* of the host's first process */
	void *ctx;
};

struct fetch_stats {
	uint64_t asked;	   /* questions to the hash process */
	uint64_t kept;	   /* hashes that were remembered */
	uint64_t failed;   /* there was no answer to be had: gone, another file, too big, not on the host */
	uint64_t given_up; /* it would have taken, or took, too long */
};

/* What the rules of a program may ask for. */
enum fetch_want { FETCH_HASHES = 1 << 0, FETCH_PACKAGES = 1 << 1 };
unsigned int fetch_wants(const struct program *p);

int fetch_new(const struct catalog *c, const struct fetch_asked *asked, struct fetch **ret);
void fetch_free(struct fetch *f);
void fetch_begin(struct fetch *f, struct event *ev);
/*
 * Then, of an event whose file was at rest: nobody was writing to it, nor may have within the tick of its change time. So what is read of
 * it after the event is what it holds under that change time. What was read before it came to rest is not taken, where there is
 * time to read it again.
 */
void fetch_at_rest(struct fetch *f);
/* Whether the hash that the event's file has been given was read at rest. */
bool fetch_settled(const struct fetch *f);
/* engine_options.fetch */
void fetch_field(struct fetch *f, const struct event *ev, uint32_t field);
/* The hash of the file whose path is that field, if it has at most so many bytes (0: any up to the bound): whether it is there. */
bool fetch_hash(struct fetch *f, const struct event *ev, uint32_t path_field, uint64_t size_max);
/* What it has put into the event's processes goes. */
void fetch_end(struct fetch *f);
/* ---- captures and replays: entries CAPTURE_LOOKUP ---- */

typedef void (*fetch_fn)(void *ctx, const void *bytes, size_t len);

/* From now on @fn gets what is found, each time that an event is given it. @ctx names the watcher; -EBUSY: too many. */
#define FETCH_WATCHERS 3
int fetch_watch(struct fetch *f, fetch_fn fn, void *ctx);
void fetch_unwatch(struct fetch *f, const void *ctx);
/* Such an entry, about the next event: from the first on, or with @bytes NULL, nobody is asked. -EBADMSG, -EFBIG, -ENOMEM. */
int fetch_tell(struct fetch *f, const void *bytes, size_t len);

void fetch_stats(const struct fetch *f, struct fetch_stats *ret);

#endif
