/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_RESPOND_PERMIT_H
#define TAMIS_RESPOND_PERMIT_H

/*
 * What the operator lets the rules of which policy do beside raising alerts: "web=kill,hash db=hash *=hash". A policy that is
 * not named, and an action that is not named, is not allowed. Names of policies are those that alerts show.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/program.h"

#define PERMIT_ROWS 32
#define PERMIT_NAME 128

struct permit {
	struct {
		char policy[PERMIT_NAME]; /* "*": every one */
		uint32_t kinds;		  /* bits of enum act_kind */
	} rows[PERMIT_ROWS];
	uint32_t n;
};

/* NULL and "" allow nothing. -EINVAL with the reason. */
int permit_parse(const char *text, struct permit *ret, struct err *e);
bool permit_allows(const struct permit *p, const char *policy, size_t len, enum act_kind kind);
/* Whether it is allowed to any policy. */
bool permit_any(const struct permit *p, enum act_kind kind);
/* Whether it is an action that somebody has to allow. */
bool permit_needed(enum act_kind kind);

#endif
