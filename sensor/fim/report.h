/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_REPORT_H
#define TAMIS_SENSOR_FIM_REPORT_H

/*
 * What the last check found, as one HTML page that stands alone: no script, style, font or image from elsewhere. Every text
 * that comes from the host is escaped where it is written. The page is replaced as a whole.
 */

#include "sensor/fim/baseline.h"

#define REPORT_CHANGES_MAX 5000 /* shown one by one, the gravest first; the rest is counted, and said so */

/* The newest alert on a file in brief; borrowed until the report is made. Empty texts: the alert has none. */
struct report_alert {
	const char *program, *user, *container;
};

/* The log, which is none of ours to read. */
struct report_log {
	/* NULL: no alert is about the path. */
	const struct report_alert *(*brief)(void *ctx, const void *path, size_t len);
	/* The whole of it as JSON text, to be freed by who asked; NULL: it cannot be had. */
	char *(*alert)(void *ctx, const void *path, size_t len);
	void *ctx;
	const char *why; /* nothing is known of who did it; NULL: it is */
};

/* @log may be NULL: then nothing is said about who did it. */
int report_html(struct baseline *b, const char *path, const struct report_log *log, struct err *e);

#endif
