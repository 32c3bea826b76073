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

#endif
