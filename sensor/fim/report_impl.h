/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_REPORT_IMPL_H
#define TAMIS_SENSOR_FIM_REPORT_IMPL_H

/* What report*.c share. */

#include <jansson.h>

#include "lib/severity.h"
#include "sensor/fim/report.h"

struct tally {
	char name[256];
	uint64_t n, by_severity[SEVERITY_CRITICAL + 1];
};

/* How often each name came; the last one stands for all that found no room. */
#define TALLY_MAX 256
struct tallies {
	struct tally v[TALLY_MAX];
	size_t n;
};

struct report {
	struct baseline *b;
	const struct report_log *log; /* borrowed, may be NULL */
	int fd;
	struct buf out, old, diff, text, name;
	uint64_t kinds[CHANGE_KINDS], by_severity[SEVERITY_CRITICAL + 1], packages[PACKAGES], total, shown;
	struct tallies dirs, doers;
	unsigned int severity; /* the one that is written now */
	bool root_bad;
	char why_bad[512];
};

/* The one way for what comes from the host. */
void report_text(struct report *r, const void *p, size_t n);
void report_cstr(struct report *r, const char *s);

/*
 * report_who.c: who did it, as the log's newest alert on the file has it. @now: how the file is, or NULL where it is gone.
 */
void report_who_brief(struct report *r, const struct report_alert *a);
void report_who(struct report *r, const json_t *alert, const struct change *c, const struct fact *now);

#endif
