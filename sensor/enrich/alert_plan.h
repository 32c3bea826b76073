/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_ALERT_PLAN_H
#define TAMIS_ENRICH_ALERT_PLAN_H

/*
 * The shape of an alert's objects, worked out from the catalog once: a list of steps in the canonical order of keys. A part of
 * alert.c. Dotted names sort like nested keys, since '.' comes before every letter that names are made of.
 */

#include "lib/catalog.h"

enum step_kind {
	STEP_OPEN,  /* "key":{ */
	STEP_CLOSE, /* } */
	STEP_VALUE,
	STEP_END
};

/* Values that are written in a way of their own. */
enum step_way { WAY_PLAIN, WAY_ARGS, WAY_ARGS_CUT, WAY_ARRAY, WAY_ENVS, WAY_ENVP };

struct step {
	uint8_t kind;
	uint8_t way;
	uint8_t type;	/* enum val_type */
	uint8_t slot;
	uint8_t home;	/* enum cat_home: BASE, EVENT or PROC */
	uint8_t always; /* also when it is 0 */
	uint8_t guard;	/* slot of the file's inode + 1: a 0 is written only where the file is known */
	uint8_t key_len;
	const char *key; /* owned by the plan: "key": */
};

#define PLAN_STEPS 96

struct plan {
	struct step steps[PLAN_STEPS];
	size_t n;
	char keys[2048];
	size_t keys_len;
	uint16_t env, env_end, parent; /* of a process: steps where these members begin, end, or would stand */
};

/* What a process is shown with; brief: as a further ancestor. */
int plan_process(const struct catalog *c, bool brief, struct plan *ret);
/* The object under the event's own name. */
int plan_event(const struct catalog *c, uint16_t type, struct plan *ret);

#endif
