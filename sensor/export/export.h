/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_EXPORT_EXPORT_H
#define TAMIS_SENSOR_EXPORT_EXPORT_H

/*
 * Records of the log in the formats of others. Every format gets every record, alerts and the log's own kinds; what a
 * format has no place for is left out there, never the record. docs/export.md has what becomes what.
 *
 * A record is one that the log holds (docs/log-format.md). Its texts are UTF-8 already: bytes that are none stand in them as
 * \xHH, and they stay so.
 */

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"

struct export_format {
	const char *name;
	const char *content_type; /* for HTTP */
	const char *what;	  /* a line for people */
	const struct export_render *render;
};

/* All of them; ends with a NULL name. */
extern const struct export_format export_formats[];

/* NULL: there is none of that name. */
const struct export_format *export_format_find(const char *name);

/*
 * Appends one record, as one or more lines, each with its newline. @line is the record without one. -EBADMSG: it is no
 * record. -ENOMEM or the buffer's error otherwise; nothing is appended then.
 */
int export_record(const struct export_format *f, const char *line, size_t n, struct buf *ret, struct err *e);

/*
 * How a record got to where it is now, for sinks: in every format beside what the record says. Where alerts were folded into
 * one (count > 0), this is the last of them.
 */
struct export_delivery {
	uint64_t segment, index; /* of the log, and the place in its tree */
	bool duplicate;		 /* it may have been delivered before */
	uint64_t count;
	uint64_t first_ns, last_ns, first_seq; /* of those that were folded */
};

/* What sinks choose by, and what templates may name. Borrowed from the document; "" where the record has no such thing. */
struct export_facts {
	const char *kind, *rule, *policy, *severity_word, *type, *host, *time;
	const char *process, *args, *user, *container, *path, *address, *uid, *message, *description;
	int severity; /* 1 info ... 5 critical; 0: none */
	int64_t pid;
	uint64_t seq, time_ns;
	bool alert, failed; /* failed: what it is about was refused */
};

struct export_doc; /* a record, taken apart once */

/* -EBADMSG: it is no record. @line must outlive the document. */
int export_doc_open(const char *line, size_t n, struct export_doc **ret, struct err *e);
void export_doc_free(struct export_doc *d);
const struct export_facts *export_doc_facts(const struct export_doc *d);
/* As export_record; @by may be NULL. */
int export_doc_render(const struct export_doc *d, const struct export_format *f, const struct export_delivery *by,
		      struct buf *ret, struct err *e);

#endif
