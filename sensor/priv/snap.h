/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_SNAP_H
#define TAMIS_PRIV_SNAP_H

/*
 * The action "capture", in the engine process: a rule holds, and what was read a while before and is read a while after goes to a
 * file that the record process writes (sensor/record/capdir.h). One capture is made at a time: a match meanwhile puts its end off
 * and is in the same file. Nothing here waits.
 */

#include "lib/program.h"
#include "sensor/enrich/alert.h"
#include "sensor/priv/counts.h"
#include "sensor/priv/past.h"
#include "sensor/priv/tap.h"
#include "sensor/respond/caplimit.h"

/* What a capture is made of; all borrowed. */
struct snap_world {
	struct decode *decode;
	struct enrich *enrich;
	struct fetch *fetch;
	const char *hostname;
	const struct chan *record;
	struct engine_counts *counts;
};

enum snap_state {
	SNAP_OFF,
	SNAP_BEGUN, /* the record process is still to be told of it */
	SNAP_ON,    /* or its last bytes are on their way */
	SNAP_OVER   /* it is still to be told of its end */
};

struct snap {
	struct snap_world w;
	uint64_t max_bytes; /* of one capture; 0: none is made */
	enum snap_state state;
	struct past past;
	struct tap tap;
	struct caprate all;
	char file[CAPLIMIT_NAME_MAX];
	struct msg_snap begin;
	char names[2 * MSG_SNAP_NAME_MAX]; /* of rule and policy, back to back */
	struct msg_snap_end end;
	uint64_t queue_refused;	    /* as it was told last */
	uint64_t until_ns, most_ns; /* boot time of its end; and of the latest that this may come to be */
};

/* Who holds: a rule's action, and what is known of it. */
struct snap_match {
	const struct paction *action;
	const char *rule, *policy, *bundle; /* of the bundle its SHA-256, or "" */
	uint32_t rule_len, policy_len;
	int64_t time_ns;      /* of the event, since 1970 */
	struct caprate *rate; /* of the action */
};

void snap_init(struct snap *s, const struct snap_world *w, uint64_t max_bytes);
/* Rules of the policies in force want @before_ms at most, or nothing (@any false). -ENOMEM: captures begin with their match. */
int snap_arm(struct snap *s, bool any, uint32_t before_ms);
/* The rule holds. What the alert says; @to->request and @to->file are of the capture that it is in. */
void snap_match(struct snap *s, const struct snap_match *m, struct alert_action *to);
/* As tap_record(), tap_tick(), tap_lost(). */
void snap_record(struct snap *s, const void *rec, size_t size, bool event);
void snap_tick(struct snap *s, int64_t clock, uint64_t boot_ns, uint64_t queue_refused);
void snap_lost(struct snap *s, uint32_t where, uint64_t count);
/* What there is goes to the record process, as much as it takes. */
void snap_send(struct snap *s);
/* No more records: the capture that is under way gets its end. */
void snap_end(struct snap *s);
/* The record process is gone, and what it had with it. */
void snap_abort(struct snap *s);
/* Is there something that the record process has no room for? */
bool snap_waits(const struct snap *s);

#endif
