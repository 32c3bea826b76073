/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conformance FILE...: runs the cases of the language that the files hold, one object of JSON a line. Prints what failed, a
 * line a kind, and as the last line the sums. Exit status: 0 all passed, 1 some failed, 2 wrong usage or a file that cannot
 * be read. Kinds that are not in the table are counted as skipped and named.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conf.h"

#define CASE_BYTES_MAX	(4u << 20) /* of one line */
#define OTHER_KINDS_MAX 64

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

void outcome_texts(struct outcome *o, const char *want, const char *got)
{
	o->result = strcmp(want, got) == 0 ? CONF_PASSED : CONF_FAILED;
	snprintf(o->want, sizeof(o->want), "%s", want);
	snprintf(o->got, sizeof(o->got), "%s", got);
}

void outcome_bools(struct outcome *o, bool want, bool got)
{
	outcome_texts(o, want ? "true" : "false", got ? "true" : "false");
}

void outcome_json(struct outcome *o, const json_t *want, const json_t *got)
{
	_cleanup_free_ char *w = conf_must(json_dumps(want, JSON_ENCODE_ANY | JSON_SORT_KEYS));
	_cleanup_free_ char *g = conf_must(json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS));

	outcome_texts(o, w, g);
	o->result = json_equal(want, got) ? CONF_PASSED : CONF_FAILED;
}

void outcome_fail(struct outcome *o, const char *want, const char *fmt, ...)
{
	va_list args;

	o->result = CONF_FAILED;
	snprintf(o->want, sizeof(o->want), "%s", want);
	va_start(args, fmt);
	vsnprintf(o->got, sizeof(o->got), fmt, args);
	va_end(args);
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

const char *case_text(const json_t *c, const char *key)
{
	const char *s = json_string_value(json_object_get(c, key));

	return s ? s : "";
}

bool case_flag(const json_t *c, const char *key)
{
	return json_is_true(json_object_get(c, key));
}

bool case_expected(const json_t *c)
{
	static const char *const keys[] = { "expected_correct", "expected_by_iterator_semantics", "expected" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (json_object_get(c, keys[i]))
			return case_flag(c, keys[i]);
	return false;
}

/* ---- kinds ------------------------------------------------------------------------------------------------------- */

static const struct kind {
	const char *name;
	conf_run run;
	enum which_model model;
} kinds[] = {
	{ "parse", run_parse, MODEL_TEST },
	{ "compile", run_compile, MODEL_TEST },
	{ "eval", run_eval, MODEL_TEST },
	{ "eval_glob_field", run_eval, MODEL_GLOB },
	{ "eval_case_insensitive", run_eval, MODEL_ICASE },
	{ "partial_eval", run_partial_eval, MODEL_TEST },
	{ "glob_compile", run_glob_compile, MODEL_TEST },
	{ "glob_match", run_glob_match, MODEL_TEST },
	{ "glob_contains", run_glob_contains, MODEL_TEST },
	{ "pattern_match", run_pattern_match, MODEL_TEST },
	{ "string_match", run_string_match, MODEL_TEST },
	{ "rule_event_type", run_rule_event_type, MODEL_TAMIS },
	{ "bare_wildcard_check", run_bare_wildcard, MODEL_TAMIS },
	{ "policy_load", run_policy_load, MODEL_TAMIS },
	{ "fim_expand", run_fim_expand, MODEL_TAMIS },
	{ "policy_scenario", run_policy_scenario, MODEL_TAMIS },
	{ "agent_version_filter", run_agent_version, MODEL_TAMIS },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct runner {
	struct model models[MODELS];
	json_t *meta; /* owned: what the models borrow their names from */
	unsigned int passed[KINDS], failed[KINDS];
	json_t *skipped; /* owned: kind -> how many */
	bool bad_file;
};

static void report(struct runner *r, size_t kind, const json_t *c, const struct outcome *o)
{
	const char *id = case_text(c, "id");

	if (o->result == CONF_PASSED) {
		r->passed[kind]++;
		return;
	}
	if (o->result == CONF_CHANGED) {
		r->passed[kind]++;
		printf("note %s: %s by the language of today, %s by that of the case (%s)\n", id, o->got, o->want,
		       o->why);
		return;
	}
	r->failed[kind]++;
	printf("FAIL %s: expected %s, got %s%s%s%s\n", id, o->want, o->got, o->why[0] ? " (" : "", o->why,
	       o->why[0] ? ")" : "");
}

static void run_case(struct runner *r, const json_t *c)
{
	const char *name = case_text(c, "kind");
	json_int_t n;

	for (size_t k = 0; k < KINDS; k++) {
		struct outcome o = { .result = CONF_FAILED };
		struct bench b;

		if (strcmp(kinds[k].name, name) != 0)
			continue;
		bench_begin(&b, &r->models[kinds[k].model]);
		kinds[k].run(&b, c, &o);
		if (!o.why[0])
			snprintf(o.why, sizeof(o.why), "%s", b.message);
		report(r, k, c, &o);
		bench_end(&b);
		return;
	}
	n = json_integer_value(json_object_get(r->skipped, name));
	if (n || json_object_size(r->skipped) < OTHER_KINDS_MAX)
		json_object_set_new(r->skipped, name, json_integer(n + 1));
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void bad_file(struct runner *r, const char *path, unsigned int line, const char *why)
{
	fprintf(stderr, "conformance: %s:%u: %s\n", path, line, why);
	r->bad_file = true;
}

/* The line that describes the test model: it replaces that of a file before. */
static void set_meta(struct runner *r, const json_t *meta, const char *path, unsigned int line)
{
	json_t *copy = conf_must(json_deep_copy(meta));

	models_done(r->models);
	json_decref(r->meta);
	r->meta = copy;
	if (models_init(r->models, r->meta) < 0)
		bad_file(r, path, line, "the test model cannot be used: a field of an unknown type, or too many");
}

static void run_line(struct runner *r, const char *text, size_t len, const char *path, unsigned int line)
{
	json_error_t error;
	json_t *c;

	if (len > CASE_BYTES_MAX) {
		bad_file(r, path, line, "the line is too long");
		return;
	}
	c = json_loadb(text, len, JSON_ALLOW_NUL, &error);
	if (!c || !json_is_object(c))
		bad_file(r, path, line, c ? "not an object" : error.text);
	else if (strcmp(case_text(c, "kind"), "_meta") == 0)
		set_meta(r, c, path, line);
	else
		run_case(r, c);
	json_decref(c);
}

static void run_file(struct runner *r, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	unsigned int line = 0;
	size_t cap = 0;
	ssize_t len;

	if (!f) {
		bad_file(r, path, 0, strerror(errno));
		return;
	}
	while ((len = getline(&text, &cap, f)) >= 0) {
		line++;
		if (strspn(text, " \t\r\n") < (size_t)len)
			run_line(r, text, (size_t)len, path, line);
	}
	if (ferror(f))
		bad_file(r, path, line, "cannot be read to its end");
}

/* ---- the sums ---------------------------------------------------------------------------------------------------- */

static unsigned int print_sums(const struct runner *r)
{
	unsigned int passed = 0, failed = 0;
	const char *name;
	json_t *v;

	for (size_t k = 0; k < KINDS; k++) {
		if (r->passed[k] + r->failed[k] == 0)
			continue;
		printf("%s: %u passed, %u failed", kinds[k].name, r->passed[k], r->failed[k]);
		putchar('\n');
		passed += r->passed[k];
		failed += r->failed[k];
	}
	json_object_foreach(r->skipped, name, v)
		printf("%s: %lld skipped: this kind is not run\n", name, (long long)json_integer_value(v));
	printf("%u passed, %u failed\n", passed, failed);
	return failed;
}

int main(int argc, char **argv)
{
	struct runner *r = conf_must(calloc(1, sizeof(*r)));
	unsigned int failed;
	int status;

	if (argc < 2 || argv[1][0] == '-') {
		fputs("usage: conformance FILE...\nruns cases of the policy language: files with one object of JSON a line\n",
		      stderr);
		free(r);
		return 2;
	}
	r->skipped = conf_must(json_object());
	models_init(r->models, NULL);
	for (int i = 1; i < argc; i++)
		run_file(r, argv[i]);
	failed = print_sums(r);
	status = r->bad_file ? 2 : failed > 0;
	models_done(r->models);
	json_decref(r->meta);
	json_decref(r->skipped);
	free(r);
	return status;
}
