/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine process knows of processes, for the kernel side: for each image, once, which clauses can still be true of what
 * it does (engine/possible.h), into the masks that both have in their memory (tamis/masks.h). Says nothing of images that the
 * process table may yet know otherwise. docs/decisions/0023-process-masks.md says why nothing is lost by it.
 */
#ifndef TAMIS_PRIV_PROCMASKS_H
#define TAMIS_PRIV_PROCMASKS_H

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "sensor/enrich/proctable.h"
#include "sensor/priv/kin.h"
#include "tamis/masks.h"

struct procmasks;

/* @m: mapped for reading and writing; borrowed, as @t. What is in there from an engine process before is void from now on. */
int procmasks_new(struct masks *m, const struct proctable *t, struct procmasks **ret);
void procmasks_free(struct procmasks *p);
DEFINE_CLEANUP(struct procmasks *, procmasks_free);

/*
 * From now on masks are of this policy. To be called before the kernel has its sieve; @e stays until the next one. @kin is taken over
 * in any case; NULL: nothing is known of it. Without memory there are no masks.
 */
int procmasks_policy(struct procmasks *p, uint32_t generation, struct engine *e, struct kin *kin);

/* A record of the process @proc, which enrichment is through with, and so is evaluation. */
void procmasks_look(struct procmasks *p, const struct ev_head *h, const struct proc *proc);

#endif
