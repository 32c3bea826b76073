/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_ALERT_H
#define TAMIS_ENRICH_ALERT_H

/*
 * The JSON of an alert: canonical (RFC 8785, see lib/jsonw.h), in the vocabulary of the rules. It is rendered without its
 * sequence number, which only the keeper of the log knows: the text has a gap right after "seq": where the number goes.
 *
 *	{"container":{...},"event":{...},"host":"...","kind":"alert","open":{...},"process":{...},"rule":{...},"seq":|GAP|,"time":"...","v":1}
 *
 * Where the rule's actions leave something to show there are also "actions":[{"kind":"kill","request":1,"scope":"process",
 * "signal":"SIGKILL","state":"asked"}] (or "not allowed" and so on), "log":[{"level":"info","message":"..."}], "suppressed":3
 * (matches since the last alert that its limit kept back) and "variables":{"process.name":...}, what it has set.
 *
 * lib/event_json.h says what is left out and what is shown in brief. Beyond that, arguments of the parent and of ancestors are
 * cut to ALERT_ARGS_CUT and ALERT_ARGS_BRIEF bytes; args_truncated then says so.
 */

#include <stddef.h>

#include "engine/engine.h"
#include "lib/buf.h"
#include "lib/program.h"
#include "lib/value.h"
#include "sensor/enrich/proctable.h"

#define ALERT_ARGS_CUT	 4096 /* bytes of arguments that are shown of the parent */
#define ALERT_ARGS_BRIEF 256  /* of an ancestor */
#define ALERT_MAX	 (1u << 20) /* bytes of one alert; where it would be more, arguments are cut further, then ancestors */

struct alert;

/* An action of the rule that somebody else was asked to do. */
enum alert_action_state {
	ALERT_ACTION_ASKED, /* what came of it is a record of its own, with the same number */
	ALERT_ACTION_NOT_ALLOWED,
	ALERT_ACTION_DISARMED,
	ALERT_ACTION_NO_PROCESS, /* it is not known well enough which one */
	ALERT_ACTION_BUSY,	 /* there were too many requests at once */
	ALERT_ACTION_DONE,
	ALERT_ACTION_FAILED,
	ALERT_ACTION_NOT_DONE, /* it was let through */
	ALERT_ACTION_LIMITED   /* more than it may in the time */
};

struct alert_action {
	uint32_t action; /* index into the program's actions */
	uint8_t state;	 /* enum alert_action_state */
	uint64_t request;
	const char *file; /* the capture's, borrowed; NULL: none */
};

/* What followed from the match, in the engine that has just evaluated the event. */
struct alert_effects {
	struct engine *engine;		    /* borrowed */
	const struct engine_match *match;   /* borrowed */
	const struct alert_action *actions; /* borrowed */
	uint32_t nactions;
};

struct alert_options {
	const char *hostname;	 /* copied */
	struct proctable *table; /* borrowed: keeps the text of processes; NULL renders them anew each time */
};

/* For one program (borrowed); make a new one after a policy change. */
int alert_new(const struct alert_options *o, const struct program *p, struct alert **ret);
void alert_free(struct alert *a);

/*
 * Appends what an alert on @ev shows as "process", at most @max bytes: cut further where it would be more, -EFBIG where nothing
 * is left to cut.
 */
int alert_render_process(struct alert *a, const struct event *ev, size_t max, struct buf *out);

/*
 * Appends the alert of rule number @rule (an index into the program's rules) on @ev to @out; @effects may be NULL. The sequence number goes
 * between the bytes [start, *ret_gap) and [*ret_gap, end), where start was out->len and *ret_gap is an offset into out->data.
 * Negative errno of the buffer (then out is as it was), -EINVAL for no such rule.
 */
int alert_render(struct alert *a, const struct event *ev, uint32_t rule, const struct alert_effects *effects,
		 struct buf *out, size_t *ret_gap);

#endif
