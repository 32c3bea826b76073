/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_ENRICH_H
#define TAMIS_ENRICH_ENRICH_H

/*
 * The stage after decoding: gives an event its process with parents, the names of ids, and every value that is worked out
 * from others. After enrich_new() and enrich_seed(), which run as root, nothing here opens a privileged file. What cannot
 * be found out stays empty; counters tell.
 *
 *	as root:	enrich_new(&o, &e); enrich_seed(e);
 *	each record:	if (decode_record(d, rec, size, &dec) == 1) { enrich_event(e, &dec); engine_eval(..., &dec.ev); }
 *	each second:	decode_clock(d, decode_clock_now()); enrich_tick(e);
 */

#include "lib/catalog.h"
#include "sensor/enrich/proctable.h"
#include "sensor/enrich/users.h"
#include "sensor/ingest/decode.h"

struct enrich;
struct container_names;

struct enrich_options {
	const char *hostname;	      /* copied */
	const char *origin;	      /* event.origin: "ebpf" or "replay"; copied */
	const char *proc_path;	      /* as in struct proctable_options */
	const char *etc_path;	      /* normally "/etc"; NULL: no names of users and groups but what is loaded */
	size_t max_images, max_bytes; /* 0: the defaults of the process table */
};

struct enrich_stats {
	struct proctable_stats table;
	struct users_stats users;
	uint64_t no_process; /* events that went on without a process: no memory for one */
};

int enrich_new(const struct enrich_options *o, struct enrich **ret);
void enrich_free(struct enrich *e);

/* Fills the process table from /proc. */
int enrich_seed(struct enrich *e);

/* Completes d->ev. Everything it adds is borrowed from @e until the next call of enrich_event or enrich_tick. */
void enrich_event(struct enrich *e, struct decoded *d);

/* Upkeep; about once a second. */
void enrich_tick(struct enrich *e);

/* What a runtime said of a container, if it is still known. 0, -ENOMEM. */
int enrich_named(struct enrich *e, const char *id, size_t len, const struct container_names *names);

struct proctable *enrich_proctable(struct enrich *e);
void enrich_stats(const struct enrich *e, struct enrich_stats *ret);

/* ---- captures and replays: entries of lib/capture.h ---- */

typedef void (*enrich_fn)(void *ctx, uint16_t type, const void *bytes, size_t len);

/* @fn gets all that enrichment knows now, as entries CAPTURE_USERS, CAPTURE_PROCESS and CAPTURE_CONTAINER. -ENOMEM: not all. */
int enrich_save(struct enrich *e, enrich_fn fn, void *ctx);
/*
 * From now on @fn gets, before each record's event is complete, what enrichment learns from elsewhere: CAPTURE_LOOK,
 * CAPTURE_USERS, CAPTURE_CONTAINER. @ctx names the watcher; there are ENRICH_WATCHERS at most, one more is -EBUSY.
 */
#define ENRICH_WATCHERS 3
int enrich_watch(struct enrich *e, enrich_fn fn, void *ctx);
void enrich_unwatch(struct enrich *e, const void *ctx);

/* Takes such an entry in an enrich that has neither /proc nor /etc. -EBADMSG and the like. */
int enrich_load(struct enrich *e, uint16_t type, const void *bytes, size_t len);
/* enrich_tick() at that boot time. */
void enrich_replay_tick(struct enrich *e, uint64_t boot_ns);

#endif
