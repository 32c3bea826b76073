/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PROGRAM_CHECK_H
#define TAMIS_PROGRAM_CHECK_H

/*
 * What makes a node well-formed. The builder and the loader ask the same question here, so that a program that was built
 * can be loaded and one that can be loaded could have been built. Only lib/program*.c include this.
 */

#include "lib/program.h"

/* What is known of a node beyond its own bytes: worked out, never stored. */
struct node_info {
	uint16_t event;	 /* the event type whose fields it looks at, or EV_NONE */
	uint8_t elem;	 /* 1 + enum node_type of the N_ELEMs that no N_ANY binds; 0: none */
	uint8_t current; /* 1 + enum cat_home of the N_CURRENTs that no N_EXISTS binds; 0: none */
	uint8_t var; /* what it gives can change while an event is looked at: it depends on a variable, or on chance */
	uint32_t
		work; /* steps to evaluate it once, where closed BOOL nodes (their answer is remembered) are one step */
	uint32_t cost; /* a guess of what evaluating it costs; an equality of numbers is about 3 */
};

/* The counts that operands are checked against, and the nodes before. */
struct node_env {
	const struct catalog *catalog;
	const struct node *nodes;
	const struct node_info *infos;
	uint32_t nnodes;
	uint32_t nstrs, nstrsets, nintsets, nipsets;
	const struct pvar *vars;
	uint32_t nvars;
	const uint32_t *strset_costs;		      /* or NULL: a loader does not care */
	bool (*is_ip)(const void *ctx, uint32_t str); /* whether the string is 17 bytes of an address */
	const void *ctx;
};

/* Works out @n's type and depth and everything in *ret_info. -EINVAL where the operands do not fit; -E2BIG too deep. */
int node_check(const struct node_env *env, struct node *n, struct node_info *ret_info);

/* Whether a rule of that event type can have the node as its root, or a clause. */
bool node_is_root(const struct catalog *c, const struct node *n, const struct node_info *info, uint16_t event);

/*
 * Parts of a program that stand beside its nodes, with everything they refer to: a variable's own members (before there are
 * nodes), its default, a rule's limit, an action of a rule of that event type.
 */
bool pvar_check(const struct node_env *env, const struct pvar *v);
bool pvar_default_check(const struct node_env *env, const struct pvar *v, const uint32_t *refs, uint32_t nrefs);
bool plimit_check(const struct node_env *env, const struct prule *r, const uint32_t *refs, uint32_t nrefs);
bool paction_check(const struct node_env *env, const struct paction *a, uint16_t event, const uint32_t *refs,
		   uint32_t nrefs);

/* 17 bytes with a prefix length of at most 128. */
bool program_ip_valid(const char *s, uint32_t len);

#endif
