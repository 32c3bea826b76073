/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/deny.h"

#include <stdio.h>
#include <string.h>

#include "policy-compiler/clauses.h"

static const struct {
	const char *word, *text;
} whys[] = {
	[DENY_NOT_ASKED] = { "not_asked", "it does not ask for it" },
	[DENY_KERNEL] = { "kernel", "the kernel decides all that the rule asks for" },
	[DENY_EVENT] = { "event", "no operation of this type can be refused" },
	[DENY_FILTER] = { "filter", "the action has a filter, which is asked in user space" },
	[DENY_NEVER] = { "never", "the rule can never fire" },
	[DENY_USER] = { "user", "the kernel does not decide the whole of %s" },
	[DENY_RESULT] = { "result", "%s is about the result, which there is only after the operation" },
	[DENY_LATE] = { "late", "%s is not known, or not yet so, before the operation" },
	[DENY_LINK] = { "link", "%s is asked not to hold, and a program may go by a second path" },
	[DENY_CLAUSES] = { "clauses", "the rule has more clauses, or numbers in one, than the kernel keeps apart" },
	[DENY_ROOM] = { "room",
			"the policy is too large for the kernel's tables, so that they match more than the rule" },
};

/* The numbers of a file. */
#define FILE_NUMS (EVN_PROC_INTERPRETER_IN_UPPER + 1 - EVN_PROC_INTERPRETER_INODE)

/* What can be refused, and its numbers that are others, or not there, before the operation. */
static const struct {
	uint16_t event;
	uint64_t late; /* bits 1 << number */
} events[] = {
#define BIT(EV, SLOT) (1ull << EVN_##EV##_##SLOT)
	{ EV_OPEN,
	  BIT(OPEN, MODE) | BIT(OPEN, FILE_IN_UPPER) }, /* a file is copied up when it is opened for writing, */
	{ EV_UNLINK, 0 },
	{ EV_RMDIR, 0 },
	{ EV_MKDIR, 0 },
	{ EV_RENAME, 0 },
	{ EV_LINK, 0 },
	{ EV_CHMOD, BIT(CHMOD, FILE_MODE) | BIT(CHMOD, FILE_IN_UPPER) }, /* or changed */
	{ EV_CONNECT, 0 },
	{ EV_BIND, 0 },
	/* which interpreter a script has stands in it, and that is read later */
	{ EV_EXEC, ((1ull << FILE_NUMS) - 1) << (EVN_EXEC_COUNT + EVN_PROC_INTERPRETER_INODE) },
#undef BIT
};

static bool find_event(uint16_t event, uint64_t *ret_late)
{
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		if (events[i].event == event) {
			*ret_late = events[i].late;
			return true;
		}
	return false;
}

bool deny_asked(const struct program *p, const struct prule *r)
{
	for (uint32_t i = 0; i < r->actions_count; i++)
		if (p->actions[r->actions_first + i].kind == ACT_DENY)
			return true;
	return false;
}

/* Of several such actions one without a filter is enough. */
static bool filtered(const struct program *p, const struct prule *r)
{
	for (uint32_t i = 0; i < r->actions_count; i++) {
		const struct paction *a = &p->actions[r->actions_first + i];

		if (a->kind == ACT_DENY && a->filter == PROGRAM_NONE)
			return false;
	}
	return true;
}

/*
 * A program that was executed by a symbolic link has two paths, and a predicate holds if it does of either: so by that of the file
 * alone it can be said to hold, not that it does not.
 */
static enum deny_why of_path(uint16_t event, bool negated)
{
	return event == EV_EXEC && negated ? DENY_LINK : DENY_KERNEL;
}

/* Of what the head has of the process, whether it is the same before and after an exec. */
static bool stays_at_exec(int sieve)
{
	return sieve == CAT_SIEVE_UID || sieve == CAT_SIEVE_GID || sieve == CAT_SIEVE_AUID;
}

/* @negated: asked not to hold. */
static enum deny_why of_predicate(const struct program *p, uint16_t event, uint64_t late, uint32_t node, bool negated)
{
	const struct cat_field *f;
	uint16_t index;
	int sieve;

	if (clauses_why(p, event, node) != WHY_KERNEL)
		return DENY_USER;
	f = clauses_field(p, node);
	if (!f)
		return p->nodes[node].op == N_BOOL ? DENY_KERNEL : DENY_USER;
	sieve = catalog_sieve(p->catalog, f, event, &index);
	if (cat_sieve_is_id(sieve)) /* the program's file may set some of them */
		return event == EV_EXEC && !stays_at_exec(sieve) ? DENY_LATE : DENY_KERNEL;
	switch (sieve) {
	case CAT_SIEVE_RETVAL:
		return DENY_RESULT;
	case CAT_SIEVE_NUM:
	case CAT_SIEVE_RIGHTS:
		return late >> index & 1 ? DENY_LATE : DENY_KERNEL;
	case CAT_SIEVE_ADDR:
	case CAT_SIEVE_PUBLIC:
		return DENY_KERNEL;
	case CAT_SIEVE_PATH:
	case CAT_SIEVE_NAME:
		return of_path(event, negated);
	default:
		return DENY_USER;
	}
}

/* Recursion is as deep as the program's nodes are, at most PROGRAM_DEPTH_MAX. */
static enum deny_why of_node(const struct program *p, uint16_t event, uint64_t late, uint32_t node, bool negated,
			     uint32_t *ret_node)
{
	const struct node *n = &p->nodes[node];
	enum deny_why why;

	if (n->op == N_NOT)
		return of_node(p, event, late, n->a, !negated, ret_node);
	if (n->op == N_AND || n->op == N_OR) {
		why = of_node(p, event, late, n->a, negated, ret_node);
		return why == DENY_KERNEL ? of_node(p, event, late, n->b, negated, ret_node) : why;
	}
	*ret_node = node;
	return of_predicate(p, event, late, node, negated);
}

enum deny_why deny_of_rule(const struct program *p, const struct prule *r, uint32_t *ret_node)
{
	const struct node *root = &p->nodes[r->root];
	uint64_t late = 0;

	if (!deny_asked(p, r))
		return DENY_NOT_ASKED;
	if (!find_event(r->event, &late))
		return DENY_EVENT;
	if (filtered(p, r))
		return DENY_FILTER;
	if (root->op == N_BOOL && !root->imm)
		return DENY_NEVER;
	return of_node(p, r->event, late, r->root, false, ret_node);
}

bool deny_has_node(enum deny_why why)
{
	return why == DENY_USER || why == DENY_RESULT || why == DENY_LATE || why == DENY_LINK;
}

void deny_say(enum deny_why why, const char *predicate, char *ret, size_t size)
{
	const char *text = whys[why].text, *at = strstr(text, "%s");

	if (at)
		snprintf(ret, size, "%.*s%s%s", (int)(at - text), text, predicate ? predicate : "a condition", at + 2);
	else
		snprintf(ret, size, "%s", text);
}

const char *deny_word(enum deny_why why)
{
	return whys[why].word;
}
