/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_DENY_H
#define TAMIS_COMPILER_DENY_H

/*
 * Whether the kernel can refuse what a rule is about: only where it decides all that the rule asks for, exactly, on what it has
 * before the operation. What is left to user space, known only afterwards, or weakened to fit into the tables would have things
 * refused that the rule does not mean.
 */

#include "lib/program.h"

enum deny_why {
	DENY_NOT_ASKED, /* the rule has no such action */
	DENY_KERNEL,	/* it can */
	DENY_EVENT,	/* no operation of this type can be refused */
	DENY_FILTER,	/* the action has a condition of its own */
	DENY_NEVER,	/* the rule never fires */
	DENY_USER,	/* a predicate is left to user space, or part of it is */
	DENY_RESULT,	/* a predicate is about the result */
	DENY_LATE,	/* a predicate is about what is known after the operation only */
	DENY_LINK,	/* a predicate on a program's path is asked not to hold, of whichever path it goes by */
	DENY_CLAUSES,	/* too many clauses, or numbers in one */
	DENY_ROOM	/* the tables have no room for all of it */
};

/* By the rule alone: DENY_KERNEL where only the tables can be in the way. *ret_node: the predicate, if it is one. */
enum deny_why deny_of_rule(const struct program *p, const struct prule *r, uint32_t *ret_node);
bool deny_asked(const struct program *p, const struct prule *r);
bool deny_has_node(enum deny_why why);
/* Half a sentence, with the text of the predicate where it is one. */
void deny_say(enum deny_why why, const char *predicate, char *ret, size_t size);
/* The like as one word for machines. */
const char *deny_word(enum deny_why why);

#endif
