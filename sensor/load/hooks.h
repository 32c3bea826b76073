/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook ladder as data: which programs serve which event on which rung. An event takes a rung when, of each group of
 * its rows, one target exists and can be hooked.
 */
#ifndef TAMIS_LOAD_HOOKS_H
#define TAMIS_LOAD_HOOKS_H

#include <stddef.h>
#include <stdint.h>

#include "tamis/event.h"

struct hook_row {
	uint16_t event;	     /* enum ev_type */
	uint8_t rung;	     /* enum ev_rung */
	uint8_t group;	     /* rows of one group are alternatives: the first that exists is taken */
	const char *program; /* in the BPF object */
	const char *target;  /* kernel function; for the tracepoint rung, the tracepoint */
	uint8_t optional;    /* the group may be missing */
};

extern const struct hook_row hook_rows[];
extern const size_t hook_nrows;

/* What the event cannot see on that rung, for the operator; "" for nothing. Static. */
const char *hook_misses(uint16_t event, uint8_t rung);

#endif
