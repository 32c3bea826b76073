/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_CONF_H
#define TAMIS_TESTS_CONF_H

/*
 * The runner of the language's cases. A case is an object of one line of JSON; its "kind" says what is done with it. A kind
 * is one function of kinds_*.c, found in the table of main.c. It calls the compiler and the engine as the commands and the
 * daemon do, and tells what it expected and what came: it never looks at what is expected to find out what comes.
 */

#include <jansson.h>
#include <stdbool.h>

#include "engine/engine.h"
#include "lib/event_json.h"
#include "policy-compiler/compile.h"

#define CONF_TEXT_MAX 512

/* ---- what came of a case ----------------------------------------------------------------------------------------- */

enum conf_result {
	CONF_FAILED,
	CONF_PASSED,
	CONF_CHANGED /* passes by what the language says today, which the case does not know yet: said each time */
};

struct outcome {
	enum conf_result result;
	char want[CONF_TEXT_MAX], got[CONF_TEXT_MAX];
	char why[CONF_TEXT_MAX]; /* a diagnostic that explains what came, or "" */
};

/* The case passes if the two are the same. */
void outcome_bools(struct outcome *o, bool want, bool got);
void outcome_texts(struct outcome *o, const char *want, const char *got);
void outcome_json(struct outcome *o, const json_t *want, const json_t *got);
/* The case fails: what came in words. */
void outcome_fail(struct outcome *o, const char *want, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- cases ------------------------------------------------------------------------------------------------------- */

/* Text of that key, or "". */
const char *case_text(const json_t *c, const char *key);
bool case_flag(const json_t *c, const char *key);
/* What the language says today: its corrected meaning where the case has both. */
bool case_expected(const json_t *c);

/* ---- models: the fields that cases speak about (model.c) --------------------------------------------------------- */

#define MODEL_MAX 64

enum which_model {
	MODEL_TEST,  /* of the "_meta" line */
	MODEL_GLOB,  /* "field" and "array", whose patterns are path globs */
	MODEL_ICASE, /* the same, without regard to case */
	MODEL_TAMIS, /* the sensor's own catalog */
	MODELS
};

struct model {
	const struct catalog *catalog; /* &own, or the sensor's, which is known by its address */
	struct catalog own;
	struct cat_field fields[MODEL_MAX];
	struct cat_event events[2];
	struct cat_constant constants[MODEL_MAX];
	struct cat_alias aliases[MODEL_MAX];
	json_t *texts;	   /* owned: constants that are text */
	json_t *variables; /* owned: of cases that bring none of their own */
};

/* @meta (the "_meta" line, or NULL) is borrowed for as long as the models are used. -EINVAL where it has too much. */
int models_init(struct model models[MODELS], const json_t *meta);
void models_done(struct model models[MODELS]);

/* ---- a bench: the compiler and the engine for one case (bench.c) -------------------------------------------------- */

struct bench {
	const struct model *model; /* borrowed */
	struct diags diags;
	struct compile *compile; /* owned */
	struct event_mem mem;
	uint32_t root;		     /* of the case's expression */
	uint16_t event;		     /* type */
	uint32_t column;	     /* of the first error, or 0 */
	char message[CONF_TEXT_MAX]; /* the first error, or "" */
};

void bench_begin(struct bench *b, const struct model *m);
void bench_end(struct bench *b);
struct text *bench_text(struct bench *b, const char *s);
/* Finds the first error among the diagnostics. */
void bench_note_error(struct bench *b);
/* The case's "expression", with its "macros" and "variables". 0, or -EINVAL with bench.message. */
int bench_compile(struct bench *b, const json_t *c);
/* Node @root on the event: 1, 0, or -1 with bench.message. */
int bench_eval(struct bench *b, uint32_t root, const json_t *c);
/* The event as bench_eval reads it: lists of objects taken apart into fields. Owned by the caller; may be NULL. */
char *bench_event_text(const json_t *event);

/* Ends the program: a test runner without memory has nothing to say. */
void *conf_must(void *p);

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

typedef void (*conf_run)(struct bench *b, const json_t *c, struct outcome *o);

/* kinds_match.c */
void run_glob_compile(struct bench *b, const json_t *c, struct outcome *o);
void run_glob_match(struct bench *b, const json_t *c, struct outcome *o);
void run_glob_contains(struct bench *b, const json_t *c, struct outcome *o);
void run_pattern_match(struct bench *b, const json_t *c, struct outcome *o);
void run_string_match(struct bench *b, const json_t *c, struct outcome *o);

/* kinds_expr.c */
void run_parse(struct bench *b, const json_t *c, struct outcome *o);
void run_compile(struct bench *b, const json_t *c, struct outcome *o);
void run_eval(struct bench *b, const json_t *c, struct outcome *o);
void run_partial_eval(struct bench *b, const json_t *c, struct outcome *o);
void run_bare_wildcard(struct bench *b, const json_t *c, struct outcome *o);
void run_rule_event_type(struct bench *b, const json_t *c, struct outcome *o);

/* kinds_policy.c */
void run_policy_load(struct bench *b, const json_t *c, struct outcome *o);
void run_fim_expand(struct bench *b, const json_t *c, struct outcome *o);
void run_agent_version(struct bench *b, const json_t *c, struct outcome *o);

/* kinds_scenario.c */
void run_policy_scenario(struct bench *b, const json_t *c, struct outcome *o);

#endif
