/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_LINE_H
#define TAMIS_SENSOR_RECORD_LINE_H

/*
 * One record of the log as text: a canonical JSON object (lib/jsonw.h) without its newline. docs/log-format.md lists
 * the members. Lines that are read are untrusted: every function here is bounded by the length it is given.
 */

#include "lib/buf.h"

#include <stdbool.h>

#define LINE_MAX_BYTES (1u << 20) /* longer records are refused */
#define LINE_TIME_SIZE 31	  /* "2026-11-20T12:00:00.123456789Z" and a NUL */

struct line_str {
	const char *p; /* borrowed from the line; not terminated */
	size_t n;
};

struct line {
	uint64_t seq;
	struct line_str kind, host, time; /* without quotes; names of hosts and kinds need no escapes */
	struct line_str body;		  /* the value of the member named as the kind; empty where there is none */
};

/* UTC, RFC 3339, nine digits of a second. ns since 1970, before the year 10000. */
void line_time(uint64_t ns, char ret[LINE_TIME_SIZE]);

/* And back: the ns of such a text. -EBADMSG for any other. */
int line_time_ns(struct line_str text, uint64_t *ret);

/*
 * Takes a line apart. -EBADMSG unless it is one well-formed JSON object without white space between its parts, with its
 * own members in ascending order, and with host, kind, seq (at least 1), time and v=1 among them.
 */
int line_parse(const char *p, size_t n, struct line *ret);

/* The raw value of a member of a JSON object's text. -ENOENT where it has none, -EBADMSG for a malformed object. */
int line_member(struct line_str object, const char *key, struct line_str *ret);
/* A raw value as an integer, as a string of characters that need no escapes. -EBADMSG where it is none. */
int line_value_u64(struct line_str value, uint64_t *ret);
int line_value_str(struct line_str value, struct line_str *ret);

bool line_str_is(struct line_str s, const char *text);

/*
 * A record that is not an alert: the members host, kind, seq, time, v, and the details under the kind's own name.
 * details is canonical JSON text, usually an object. Appends no newline.
 */
void line_render(struct buf *b, const char *kind, const char *host, uint64_t seq, const char *time,
		 struct line_str details);

#endif
