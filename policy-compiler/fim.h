/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_FIM_H
#define TAMIS_COMPILER_FIM_H

/*
 * fim.write.file.*: a rule about a file being changed in any way. It stands for one rule for each event that changes a file;
 * in each, the names say that event instead. This module knows texts, not rules: who expands them, keeps their other parts.
 */

#include "policy-compiler/diag.h"
#include "policy-compiler/yaml.h"

struct fim_rule {
	const char *id;		       /* __fim_expanded_EVENT_GROUP_ID */
	const char *event;	       /* the name of its type */
	const char *prefix;	       /* what its names begin with: "open.file." */
	const struct text *expression; /* diagnostics about it point into the text that was expanded */
};

/* Whether the name, which need not end with a NUL, is one of those. */
bool fim_is_name(const char *s, size_t len);

/*
 * The rules that @text stands for. *ret_n is 0 where it names no such field, and where it cannot be read: the parser tells
 * what is wrong. @group may be "". -ENOMEM.
 */
int fim_expand(struct arena *a, const char *id, const char *group, const struct text *text, struct fim_rule **ret,
	       size_t *ret_n);

/* The actions of one of these rules: names in them say its event, too. What names no such field is the same node. -ENOMEM. */
int fim_actions(struct arena *a, const struct ynode *actions, const char *prefix, const struct ynode **ret);

#endif
