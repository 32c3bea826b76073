/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_POLICY_H
#define TAMIS_COMPILER_POLICY_H

/*
 * One policy file: YAML -> macros, rules and watches as they were written. Keys are checked against tables; what the file asks
 * for and this compiler does not act on yet is a warning each time, so nothing is silently without effect.
 * Expressions are not looked at here.
 */

#include "policy-compiler/watch.h"
#include "policy-compiler/yaml.h"

#define POLICY_RULES_MAX 65536 /* of one file, and of one build */
#define POLICY_TAGS_MAX	 64    /* of one rule */

struct policy_tag {
	const char *name, *value;
};

/* Parts that a rule with "combine: override" replaces in the rule of the same id. */
enum policy_part {
	POLICY_PART_EXPRESSION = 1 << 0,
	POLICY_PART_TAGS = 1 << 1,
	POLICY_PART_PRODUCT_TAGS = 1 << 2,
	POLICY_PART_ACTIONS = 1 << 3,
	POLICY_PART_EVERY = 1 << 4,
	POLICY_PART_ALL = 1 << 5
};

enum policy_combine { POLICY_COMBINE_NONE, POLICY_COMBINE_MERGE, POLICY_COMBINE_OVERRIDE };

struct policy_rule {
	const char *id;
	struct span at;			   /* of the id */
	uint32_t begin;			   /* offset of its first key */
	const char *version, *description; /* or NULL */
	const struct text *expression;	   /* or NULL */
	struct policy_tag *tags;
	size_t ntags;
	const char *product_tags; /* joined by ", ", or NULL */
	bool disabled;
	enum policy_combine combine;
	unsigned int override;			     /* enum policy_part */
	const struct ynode *agent_version, *filters; /* or NULL */
	const struct ynode *actions;		     /* a list of maps, or NULL */
	const struct ynode *every, *limiter_token;   /* or NULL */
	bool silent;
	const char *group_id; /* or NULL */
	int64_t priority;
	const struct policy *policy;
};

struct policy_macro {
	const char *id;
	struct span at;
	uint32_t begin;		       /* offset of its first key */
	const struct text *expression; /* or NULL: then values */
	const struct text **values;
	size_t nvalues;
	enum policy_combine combine;
	const struct ynode *agent_version, *filters;
};

struct policy {
	const struct source *src;
	const char *name;	      /* of the file, without directories and extension */
	const char *version;	      /* or NULL */
	const struct ynode *replaces; /* the name of another policy, or NULL */
	bool replaced;		      /* by another one */
	struct policy_macro *macros;
	size_t nmacros;
	struct policy_rule *rules;
	size_t nrules;
	struct policy_watch *watches;
	size_t nwatches;
	size_t nskipped;	   /* rules that are not for this sensor; set by the build */
	const struct ynode *tests; /* the list under "tests:", or NULL */
};

/* The policy that comes with the sensor: it goes first, and others may switch its rules off. */
static inline bool policy_is_default(const struct policy *p)
{
	return strcmp(p->name, "default") == 0;
}

/*
 * Reads the tree of @src. A bad macro, rule or watch is reported and left out; the others are there. -ENOMEM; -EINVAL where
 * the file as a whole is no policy.
 */
int policy_read(struct arena *a, const struct source *src, struct diags *d, struct policy **ret);

#endif
