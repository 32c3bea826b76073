/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_COMPILE_H
#define TAMIS_COMPILER_COMPILE_H

/*
 * All policies of one build: files are added one by one, then their macros, rules and watches are put together as the language's
 * load order says, and every rule becomes a node of one program. A bad rule is reported and left out; the others go on.
 *
 *	struct compile *c;
 *	compile_new(catalog, diags, &c);
 *	compile_add(c, path) for each file or directory
 *	compile_finish(c)
 *	compile_program(c), compile_rules(c)
 */

#include <jansson.h>

#include "lib/cleanup.h"
#include "lib/program.h"
#include "policy-compiler/macro.h"
#include "policy-compiler/policy.h"
#include "policy-compiler/variable.h"

#define COMPILE_MEMORY_MAX (1u << 30) /* bytes of all trees of one build */
#define COMPILE_FILES_MAX  4096

/* Whether a rule of the program can fire with this sensor; see judge.h. */
enum sight {
	SIGHT_FIRES,
	SIGHT_UNSEEN, /* not as long as the sensor cannot observe what it asks for */
	SIGHT_NEVER   /* not with any */
};

struct compile_rule {
	const char *id;
	const char *origin;	     /* of one that a rule with fim.write.file.* stands for: the id of that; or NULL */
	struct compile_rule **parts; /* the other way round: those rules, which are in the program instead of this */
	size_t nparts;
	const struct policy_rule *def; /* where it came from first */
	const struct text *expression;
	const struct policy_tag *tags;
	size_t ntags;
	const char *product_tags;
	const struct ynode *actions, *every; /* or NULL */
	bool bad;			     /* its actions have an error */
	bool disabled;
	size_t place;			 /* among the rules, as they were defined */
	bool failed;			 /* it has an error */
	bool ok;			 /* it is in the program */
	uint32_t number;		 /* in the program */
	const struct unseen_use *unseen; /* the fields of it that the sensor cannot observe */
	size_t nunseen;
	enum sight sight;
	const char *why_never; /* SIGHT_UNSEEN: as half a sentence */
};

struct compile {
	struct arena arena;
	struct diags *diags;	       /* borrowed */
	const struct catalog *catalog; /* borrowed */
	const char *version; /* borrowed: what agent_version is compared with; may be set before files are added */
	struct policy **policies;
	size_t npolicies;
	struct macros macros;
	struct variables vars;	 /* what actions set */
	const json_t *variables; /* borrowed: values of ${name} for compile_expression, or NULL */
	struct strmap by_id;
	struct compile_rule *
		*rules; /* in order of definition; the program has them in the order in which they are asked */
	size_t nrules;
	size_t ndisabled, nskipped; /* switched off; not for this sensor (filters, agent_version) */
	struct program_builder *builder;
	struct program_builder *filters; /* of rules, those that the host decides: over the catalog of lib/host.h */
	struct watches watches;
};

int compile_new(const struct catalog *catalog, struct diags *diags, struct compile **ret);
void compile_free(struct compile *c);
DEFINE_CLEANUP(struct compile *, compile_free);

/*
 * A file, or a directory: all *.yaml, *.yml and *.policy files below it (not *.test.yaml), in order of their names.
 * What is wrong with a file is a diagnostic; -ENOMEM and the like end the build.
 */
int compile_add(struct compile *c, const char *path);
/* A policy in memory; path is what diagnostics call it. Borrowed until compile_free. */
int compile_add_text(struct compile *c, const char *path, const char *bytes, size_t size);
int compile_finish(struct compile *c);

/* One condition outside of any policy, with the macros so far: its root in the program. -EINVAL with diagnostics. */
int compile_expression(struct compile *c, const struct text *text, uint16_t *ret_event, uint32_t *ret_root);
/* Defines a macro outside of any policy. */
int compile_macro(struct compile *c, const char *id, const struct text *text);

#endif
