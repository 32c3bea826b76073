/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_SHOW_H
#define TAMIS_SENSOR_FIM_SHOW_H

/* Facts and names for people and for JSON. Every byte of a file name may be hostile. */

#include "lib/jsonw.h"
#include "sensor/fim/change.h"

/*
 * A name on one line, harmless on a terminal: control characters, what is not UTF-8, and characters that turn the direction
 * of writing become \xHH, as lib/jsonw.h writes them; so does a backslash before such a sequence.
 */
void show_quote(struct buf *b, const void *p, size_t n);

/* The value of one attribute (a single enum watch_attr) as one line: "0644 rw-r--r--". Empty where there is none. */
void show_attr(struct buf *b, const struct fact *f, uint32_t attr);
/* "-rwsr-xr-x" without the type's letter: 10 bytes with the NUL. */
void show_mode(uint32_t mode, char ret[10]);
void show_time(struct buf *b, const struct fact_time *t);

/* The attributes of @mask (all that it has: WATCH_ALL) as a JSON object. */
void show_fact_json(struct jsonw *w, const struct fact *f, uint32_t mask);
/* A change as a JSON object; old may be NULL. @diff: a unified diff, or NULL. */
void show_change_json(struct jsonw *w, const void *path, size_t len, const struct change *c, const struct fact *old,
		      const struct buf *diff);
/* The same, with what an alert knows besides. */
struct show_more {
	const char *accepted; /* why it is the baseline from now on, or NULL */
	bool unwatched;	      /* nobody was watching when it happened */
};
void show_change_json_more(struct jsonw *w, const void *path, size_t len, const struct change *c,
			   const struct fact *old, const struct buf *diff, const struct show_more *more);

#endif
