/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_ALERT_H
#define TAMIS_ENRICH_ALERT_H

/*
 * The JSON of an alert: canonical (RFC 8785, see lib/jsonw.h), in the vocabulary of the rules. It is rendered without its
 * sequence number, which only the keeper of the log knows: the text has a gap right after "seq": where the number goes.
 *
 *	{"event":{...},"host":"...","open":{...},"process":{...},"rule":{...},"seq":|GAP|,"time":"...","v":1}
 *
 * Values that are empty are left out; a reader takes the absent for empty. process and process.parent are shown in full (the
 * parent's arguments up to ALERT_ARGS_CUT), process.ancestors, the parent first, in brief. Of the environment, names are shown,
 * values only of the few variables that change what a program loads or records (docs/enrichment.md).
 */

#include <stddef.h>

#include "lib/buf.h"
#include "lib/program.h"
#include "lib/value.h"
#include "sensor/enrich/proctable.h"

#define ALERT_ARGS_CUT	 4096 /* bytes of arguments shown of the parent, and a second time under "exec" */
#define ALERT_ARGS_BRIEF 256  /* of an ancestor */
#define ALERT_MAX (1u << 20) /* bytes of one alert; where it would be more, arguments are cut and args_truncated says so */

struct alert;

struct alert_options {
	const char *hostname;	 /* copied */
	struct proctable *table; /* borrowed: keeps the text of processes; NULL renders them anew each time */
};

/* For one program (borrowed); make a new one after a policy change. */
int alert_new(const struct alert_options *o, const struct program *p, struct alert **ret);
void alert_free(struct alert *a);

/*
 * Appends the alert of rule number @rule (an index into the program's rules) on @ev to @out. The sequence number goes
 * between the bytes [start, *ret_gap) and [*ret_gap, end), where start was out->len and *ret_gap is an offset into out->data.
 * Negative errno of the buffer (then out is as it was), -EINVAL for no such rule.
 */
int alert_render(struct alert *a, const struct event *ev, uint32_t rule, struct buf *out, size_t *ret_gap);

#endif
