/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_EVENT_WORDS_H
#define TAMIS_LIB_EVENT_WORDS_H

/* The words that JSON has for numbers of a record's head. Only lib/event_*.c include this. */

#include "tamis/event.h"

static const char *const event_rung_words[EV_RUNGS] = {
	[EV_RUNG_NONE] = "none",     [EV_RUNG_FENTRY] = "fentry",
	[EV_RUNG_KPROBE] = "kprobe", [EV_RUNG_TRACEPOINT] = "tracepoint",
	[EV_RUNG_CGROUP] = "cgroup",
};

/* What a reader of an alert has to know about how the event was seen; by their words. */
static const struct {
	uint16_t flag; /* enum ev_flags */
	const char *word;
} event_flag_words[] = {
	{ EV_F_ARGS_TRUNCATED, "args_truncated" }, { EV_F_COMPAT, "compat" },	      { EV_F_DENIED, "denied" },
	{ EV_F_TRUNCATED, "truncated" },	   { EV_F_UNREADABLE, "unreadable" }, { EV_F_USER_PATH, "user_path" },
};

#define EVENT_FLAGS_SHOWN                                                                                              \
	(EV_F_ARGS_TRUNCATED | EV_F_COMPAT | EV_F_DENIED | EV_F_TRUNCATED | EV_F_UNREADABLE | EV_F_USER_PATH)

#endif
