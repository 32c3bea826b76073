/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_EVENT_JSON_H
#define TAMIS_LIB_EVENT_JSON_H

/*
 * Events as JSON, in the vocabulary of the rules: the field open.file.path is {"open":{"file":{"path":...}}}. What is written
 * here can be read here, so that an alert is an event that rules can be tried on.
 *
 * Written is canonical JSON (lib/jsonw.h), of what is set: numbers that come from the kernel always, everything else unless
 * it is empty, 0 or false. Left out because they follow from others: argv where splitting args at its spaces gives it,
 * args_flags, args_options. Of environment variables only the names are written, and the values of those that make a
 * program load other code. An ancestor is written in brief: what it was, whose, and its arguments.
 *
 * Read is that, and the same with flat names ({"open.file.path":...}), or mixed. Numbers may be strings: decimal, or
 * constants of the language joined by '|' ("O_WRONLY|O_CREAT", "EPERM"). What the JSON leaves out and what follows from
 * what it has is filled in (lib/derive.h; arguments from args or argv). Names that are no field are an error, but for the
 * members of an alert that are no event: v, seq, rule, actions, log, suppressed, variables and those that begin with '_'.
 */

#include "lib/buf.h"
#include "lib/catalog.h"
#include "lib/cleanup.h"
#include "lib/err.h"

/* ---- writing ------------------------------------------------------------------------------------------------------- */

struct event_json;

/* Works out the order of all fields of the catalog (borrowed) once. -ENOMEM. */
int event_json_new(const struct catalog *c, struct event_json **ret);
void event_json_free(struct event_json *ej);
DEFINE_CLEANUP(struct event_json *, event_json_free);

enum event_json_proc {
	EVENT_JSON_BRIEF, /* an ancestor */
	EVENT_JSON_ALONE, /* everything but parent and ancestors */
	EVENT_JSON_WHOLE  /* with "parent" (alone) and "ancestors" (brief, nearest first, the parent too) */
};

/*
 * Each appends one JSON object to @out; errors stay in the buffer. _head is the value of "event", _own that of the member
 * that is named like @type, the event's type ("open") or its family ("network"), _proc that of "process". _container appends
 * the member with its name, and nothing (false) where nothing is known of one.
 */
void event_json_head(const struct event_json *ej, const struct event *ev, struct buf *out);
bool event_json_container(const struct event_json *ej, const struct event *ev, struct buf *out);
void event_json_own(const struct event_json *ej, const struct event *ev, uint16_t type, struct buf *out);
void event_json_proc(const struct event_json *ej, const struct proc *p, enum event_json_proc how, struct buf *out);
/* {"container":...,"event":...,"open":...,"process":...}, in the order of their names */
void event_json_write(const struct event_json *ej, const struct event *ev, struct buf *out);

/* ---- reading ------------------------------------------------------------------------------------------------------- */

/* Where the strings, arrays and processes of events that were read live. */
struct event_mem {
	struct event_chunk *chunks; /* owned */
	size_t used, max;
};

#define EVENT_MEM_MAX (16u << 20)

void event_mem_init(struct event_mem *m, size_t max);
/* All events that were read into it are gone. */
void event_mem_done(struct event_mem *m);

/*
 * Reads one event; it borrows from @m, not from @text. Its type comes from "event":{"type":...} or from its fields, and is
 * EV_NONE where neither tells; alive is all ones; now_ns is the time of the event ("time", or event.timestamp), 0 where
 * there is none. -EINVAL with place and remedy in @err, -ENOMEM.
 */
int event_json_read(const struct catalog *c, const char *text, size_t len, struct event_mem *m, struct event *ret,
		    struct err *err);

#endif
