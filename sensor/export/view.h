/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_EXPORT_VIEW_H
#define TAMIS_SENSOR_EXPORT_VIEW_H

/* A record as the formats look at it, and how they write JSON: nobody outside of sensor/export includes this. */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "sensor/export/export.h"

struct export_view {
	json_t *o;	 /* the record; borrowed by all below, which are "" where it has no such member */
	const char *raw; /* its line */
	size_t raw_len;
	uint64_t seq, time_ns;
	const char *time, *host, *kind;
	const char *rule, *policy, *severity_word, *type; /* type: of the event */
	int severity;					  /* 1 info ... 5 critical; 0: none */
	const char *path;				  /* of the file that it is about */
	int64_t retval;
	bool alert;
	const json_t *event; /* the event's own object, NULL where there is none */
	const json_t *process;
	char uid[128];			  /* HOST/SEQ: names the record for good */
	char message[768];		  /* one sentence */
	const struct export_delivery *by; /* NULL: it is not being delivered */
};

/* One format. */
struct export_render {
	int (*render)(const struct export_view *v, struct buf *ret);
};
extern const struct export_render export_ocsf, export_ecs, export_cef, export_syslog, export_otlp;

/* A member by its path, such as "file.path"; NULL where there is none. */
const json_t *export_at(const json_t *o, const char *path);
/* As text; "" where it is none. */
const char *export_text(const json_t *o, const char *path);
/* As an integer, which canonical JSON may have written as a string of digits. False where it is none. */
bool export_int(const json_t *o, const char *path, int64_t *ret);

/* {"duplicate":false,"index":3,"segment":1}, or NULL where it is not being delivered. The caller's. */
json_t *export_delivery_json(const struct export_view *v);

/* Members that are there only where they say something. */
void export_put_text(json_t *to, const char *key, const char *text);
void export_put_int(json_t *to, const char *key, const json_t *from, const char *path);
/* Takes @value over; an empty object or array, or NULL, is no member. */
void export_put(json_t *to, const char *key, json_t *value);

/* One line of JSON with sorted keys. Takes @o over. */
int export_line(json_t *o, struct buf *ret);

#endif
