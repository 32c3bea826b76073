/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_WATCH_H
#define TAMIS_COMPILER_WATCH_H

/*
 * The list "watches:" of a policy: from YAML to struct watch (lib/watch.h), and the watches of all policies of a build
 * put together. Knows nothing of rules; watch_rules.h does.
 */

#include "lib/watch.h"
#include "policy-compiler/yaml.h"

struct policy;

struct policy_watch {
	struct watch watch; /* its texts live in the arena */
	struct span at;	    /* of the id */
	bool disabled, override;
	const struct ynode *agent_version, *filters; /* or NULL */
};

/* One watch. -EINVAL with diagnostics, -ENOMEM. */
int watch_read(struct arena *a, struct diags *d, const struct policy *policy, const struct ynode *map,
	       struct policy_watch *ret);

/*
 * The watches of a build, in order. One of an id that is there already replaces it in its place ("combine: override"),
 * or switches it off or on, or is ignored with a warning.
 */
struct watches {
	struct policy_watch **v;
	size_t n;
};

/* -ENOMEM, or 0: what is wrong is a diagnostic. @w is borrowed. */
int watches_add(struct watches *all, struct arena *a, struct diags *d, struct policy_watch *w);
/* Those that are not switched off, for watch_pack(). */
int watches_list(const struct watches *all, struct arena *a, struct watch_list *ret);

#endif
