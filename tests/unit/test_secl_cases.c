/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The published cases of the policy language for parsing, checking and evaluating, replayed with the test model that
 * the file's first line describes. The cases are kept beside the repository, not in it; without them this test is
 * skipped. Besides: every published policy parses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "lib/event_json.h"
#include "policy-compiler/compile.h"
#include "policy-compiler/filter.h"
#include "policy-compiler/parse.h"

#define CASES	 "../shared/secl/cases.jsonl"
#define POLICIES "../shared/secl/policies"

/* ---- the test model ---------------------------------------------------------------------------------------------- */

#define MODEL_MAX 64

struct model {
	struct catalog catalog;
	struct cat_field fields[MODEL_MAX];
	struct cat_event events[2];
	struct cat_constant constants[MODEL_MAX];
	struct cat_alias aliases[MODEL_MAX];
	json_t *texts; /* constants that are text */
};

static bool has_item(const json_t *list, const char *s)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (strcmp(json_string_value(json_array_get(list, i)), s) == 0)
			return true;
	return false;
}

static struct cat_field model_field(const char *name, const char *type, unsigned int flags)
{
	struct cat_field f = { .name = name, .home = CAT_HOME_EVENT, .kind = 'U', .doc = "" };
	size_t n = strlen(type);

	f.type = strncmp(type, "cidr", 4) == 0	 ? VAL_IP
		 : strncmp(type, "str", 3) == 0	 ? VAL_STR
		 : strncmp(type, "bool", 4) == 0 ? VAL_BOOL
						 : VAL_INT;
	f.flags = (uint8_t)(flags | (type[n - 1] == 's' ? CF_ARRAY : 0));
	if (strstr(name, "created_at") || strstr(name, "opened_at"))
		f.flags |= CF_TIME;
	return f;
}

static int field_cmp(const void *a, const void *b)
{
	return strcmp(((const struct cat_field *)a)->name, ((const struct cat_field *)b)->name);
}

static void model_finish(struct model *m)
{
	qsort(m->fields, m->catalog.nfields, sizeof(m->fields[0]), field_cmp);
	for (size_t i = 0; i < m->catalog.nfields; i++)
		m->fields[i].slot = (uint16_t)i;
	m->events[1] = (struct cat_event){ .name = "any", .type = 1, .doc = "" };
	m->catalog.fields = m->fields;
	m->catalog.events = m->events;
	m->catalog.nevents = 2;
	m->catalog.constants = m->constants;
	m->catalog.aliases = m->aliases;
}

static struct model model_of(const json_t *meta)
{
	struct model m = { 0 };
	const json_t *env = json_object_get(meta, "environment"), *globs = json_object_get(env, "glob_fields");
	const char *name;
	json_t *v;

	m.texts = json_object();
	json_object_foreach(json_object_get(env, "test_model_field_types"), name, v)
	{
		assert_true(m.catalog.nfields < MODEL_MAX);
		m.fields[m.catalog.nfields++] =
			model_field(name, json_string_value(v), has_item(globs, name) ? CF_GLOB : 0);
	}
	json_object_foreach(json_object_get(env, "constants"), name, v)
	{
		if (json_is_integer(v))
			m.constants[m.catalog.nconstants++] =
				(struct cat_constant){ .name = name, .value = json_integer_value(v) };
		else if (json_is_string(v))
			json_object_set(m.texts, name, v);
	}
	json_object_foreach(json_object_get(env, "legacy_fields"), name, v) m.aliases[m.catalog.naliases++] =
		(struct cat_alias){ name, json_string_value(v) };
	return m;
}

/* One field `field` with the given flags, and `array` of the like. */
static struct model model_of_one(unsigned int flags)
{
	struct model m = { .texts = json_object() };

	m.fields[m.catalog.nfields++] = model_field("array", "strs", flags);
	m.fields[m.catalog.nfields++] = model_field("field", "str", flags);
	return m;
}

/* ---- compiling and evaluating ------------------------------------------------------------------------------------ */

struct bench {
	struct model *model;
	struct diags diags;
	struct compile *compile;
	struct event_mem mem;
	uint32_t root;
	uint32_t column; /* of the first error */
	char message[512];
};

static void bench_begin(struct bench *b, struct model *m)
{
	*b = (struct bench){ .model = m, .diags = diags_new() };
	event_mem_init(&b->mem, EVENT_MEM_MAX);
	assert_int_equal(compile_new(&m->catalog, &b->diags, &b->compile), 0);
}

static void bench_end(struct bench *b)
{
	event_mem_done(&b->mem);
	compile_free(b->compile);
	diags_done(&b->diags);
}

static struct text *text_new(struct bench *b, const char *s)
{
	struct text *t = arena_alloc(&b->compile->arena, sizeof(*t));
	const struct source *src = source_text(&b->compile->arena, "case", s, strlen(s));

	assert_true(t && src);
	*t = (struct text){ .s = s, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	return t;
}

static void note_error(struct bench *b)
{
	for (size_t i = 0; i < b->diags.n; i++) {
		uint32_t line, off, len;

		if (b->diags.v[i].level != DIAG_ERROR)
			continue;
		span_place(b->diags.v[i].at, &line, &b->column, &off, &len);
		snprintf(b->message, sizeof(b->message), "%s", b->diags.v[i].msg);
		return;
	}
}

static int compile_case(struct bench *b, const json_t *c)
{
	const char *name;
	json_t *v;
	uint16_t event;
	int r;

	json_object_foreach(b->model->texts, name, v)
	{
		char *quoted = NULL;

		assert_true(asprintf(&quoted, "\"%s\"", json_string_value(v)) > 0);
		assert_int_equal(compile_macro(b->compile, name,
					       text_new(b, arena_strdup(&b->compile->arena, quoted, strlen(quoted)))),
				 0);
		free(quoted);
	}
	json_object_foreach(json_object_get(c, "macros"), name, v)
		assert_int_equal(compile_macro(b->compile, name, text_new(b, json_string_value(v))), 0);
	b->compile->variables = json_object_get(c, "variables");
	r = compile_expression(b->compile, text_new(b, json_string_value(json_object_get(c, "expression"))), &event,
			       &b->root);
	note_error(b);
	return r;
}

/* {"process.list": [{"key": 1}, ...]} -> {"process.list.key": [1, ...], "process.list.length": n} */
static void put_objects(json_t *out, const char *name, const json_t *list)
{
	char key[128];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *member;
		json_t *v;

		json_object_foreach(json_array_get(list, i), member, v)
		{
			snprintf(key, sizeof(key), "%s.%s", name, member);
			if (!json_object_get(out, key))
				json_object_set_new(out, key, json_array());
			json_array_append(json_object_get(out, key), v);
		}
	}
	snprintf(key, sizeof(key), "%s.length", name);
	json_object_set_new(out, key, json_integer((json_int_t)json_array_size(list)));
}

static char *event_text(const json_t *event)
{
	json_t *out = json_object(), *v;
	const char *name;
	char *text;

	json_object_foreach((json_t *)event, name, v)
	{
		if (json_is_array(v) && json_is_object(json_array_get(v, 0)))
			put_objects(out, name, v);
		else
			json_object_set(out, name, v);
	}
	text = json_dumps(out, JSON_COMPACT);
	json_decref(out);
	return text;
}

/* 1, 0, or -1 with the reason in b->message. */
static int eval_case(struct bench *b, const json_t *c)
{
	_cleanup_(engine_free) struct engine *engine = NULL;
	_cleanup_free_ char *text = event_text(json_object_get(c, "event"));
	struct program program = program_view(b->compile->builder);
	struct event ev;
	struct err err;
	bool result;

	err.msg[0] = '\0';
	if (event_json_read(&b->model->catalog, text, strlen(text), &b->mem, &ev, &err) < 0 ||
	    engine_new(&program, &engine, &err) < 0) {
		snprintf(b->message, sizeof(b->message), "%s", err.msg);
		return -1;
	}
	ev.now_ns = json_integer_value(json_object_get(c, "now_ns"));
	return engine_eval_node(engine, b->root, &ev, &result) < 0 ? -1 : result;
}

static bool expected(const json_t *c)
{
	static const char *const keys[] = { "expected_by_iterator_semantics", "expected_correct", "expected" };
	const json_t *e = NULL;

	for (int i = 0; i < 3 && !e; i++)
		e = json_object_get(c, keys[i]);
	return json_is_true(e);
}

/* ---- the kinds --------------------------------------------------------------------------------------------------- */

typedef bool (*run_fn)(struct bench *b, const json_t *c);

static bool run_eval(struct bench *b, const json_t *c)
{
	int r = compile_case(b, c);

	return r == 0 && eval_case(b, c) == expected(c);
}

static bool run_compile(struct bench *b, const json_t *c)
{
	const json_t *column = json_object_get(c, "error_column");
	bool ok = compile_case(b, c) == 0;

	if (ok != json_is_true(json_object_get(c, "ok")))
		return false;
	return !column || b->column == (uint32_t)json_integer_value(column);
}

static bool run_parse(struct bench *b, const json_t *c)
{
	const char *s = json_string_value(json_object_get(c, "expression"));
	bool is_macro = strcmp(json_string_value(json_object_get(c, "what")), "macro") == 0;
	struct ast *ast;
	int r = is_macro ? parse_macro(&b->compile->arena, text_new(b, s), &b->diags, &ast)
			 : parse_rule(&b->compile->arena, text_new(b, s), &b->diags, &ast);

	note_error(b);
	return (r == 0) == json_is_true(json_object_get(c, "ok"));
}

static bool run_policy_load(struct bench *b, const json_t *c)
{
	const char *yaml = json_string_value(json_object_get(c, "yaml"));

	assert_int_equal(compile_add_text(b->compile, "case", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(b->compile), 0);
	note_error(b);
	return (b->diags.errors == 0) == json_is_true(json_object_get(c, "ok"));
}

static bool run_event_type(struct bench *b, const json_t *c)
{
	const char *want = json_string_value(json_object_get(c, "expected"));
	uint16_t event = EV_NONE;
	int r;

	r = compile_expression(b->compile, text_new(b, json_string_value(json_object_get(c, "expression"))), &event,
			       &b->root);
	note_error(b);
	if (!want)
		return r < 0;
	return r == 0 && event != EV_NONE && strcmp(catalog_tamis()->events[event].name, want) == 0;
}

static bool run_agent_version(struct bench *b, const json_t *c)
{
	const json_t *rules = json_object_get(c, "rules");

	for (size_t i = 0; i < json_array_size(rules); i++) {
		const json_t *rule = json_array_get(rules, i);
		int r = filter_version(json_string_value(json_object_get(rule, "constraint")),
				       json_string_value(json_object_get(c, "agent_version")));

		if (r != json_is_true(json_object_get(rule, "loaded"))) {
			snprintf(b->message, sizeof(b->message), "%s", json_string_value(json_object_get(rule, "id")));
			return false;
		}
	}
	return true;
}

enum which_model { MODEL_TEST, MODEL_GLOB, MODEL_ICASE, MODEL_TAMIS, MODELS };

static const struct {
	const char *name;
	run_fn run;
	enum which_model model;
} kinds[] = {
	{ "parse", run_parse, MODEL_TEST },
	{ "compile", run_compile, MODEL_TEST },
	{ "eval", run_eval, MODEL_TEST },
	{ "eval_glob_field", run_eval, MODEL_GLOB },
	{ "eval_case_insensitive", run_eval, MODEL_ICASE },
	{ "policy_load", run_policy_load, MODEL_TAMIS },
	{ "rule_event_type", run_event_type, MODEL_TAMIS },
	{ "agent_version_filter", run_agent_version, MODEL_TAMIS },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct state {
	struct model models[MODELS];
	unsigned int passed[KINDS], failed[KINDS], other;
};

static void run_case(struct state *s, const json_t *c)
{
	const char *kind = json_string_value(json_object_get(c, "kind"));

	for (size_t k = 0; k < KINDS; k++) {
		struct bench b;

		if (strcmp(kinds[k].name, kind) != 0)
			continue;
		bench_begin(&b, &s->models[kinds[k].model]);
		if (kinds[k].run(&b, c)) {
			s->passed[k]++;
		} else {
			const char *expr = json_string_value(json_object_get(c, "expression"));

			s->failed[k]++;
			print_message("%s fails: %s: %s (column %u)\n", json_string_value(json_object_get(c, "id")),
				      expr ? expr : "", b.message, b.column);
		}
		bench_end(&b);
		return;
	}
	s->other++;
}

static void begin_models(struct state *s, const json_t *meta)
{
	s->models[MODEL_TEST] = model_of(meta);
	s->models[MODEL_GLOB] = model_of_one(CF_GLOB);
	s->models[MODEL_ICASE] = model_of_one(CF_ICASE);
	for (int i = 0; i < MODEL_TAMIS; i++)
		model_finish(&s->models[i]);
	s->models[MODEL_TAMIS].catalog = *catalog_tamis();
	s->models[MODEL_TAMIS].texts = json_object();
}

static void test_cases(void **state)
{
	_cleanup_fclose_ FILE *f = fopen(CASES, "re");
	_cleanup_free_ char *line = NULL;
	struct state *s = calloc(1, sizeof(*s));
	json_t *meta = NULL;
	unsigned int failed = 0;
	size_t cap = 0;

	if (!f) {
		free(s);
		print_message("skipped: %s is not here\n", CASES);
		skip();
	}
	while (getline(&line, &cap, f) > 0) {
		json_t *c = json_loads(line, 0, NULL);

		assert_non_null(c);
		if (!meta) {
			meta = c;
			begin_models(s, meta);
			continue;
		}
		run_case(s, c);
		json_decref(c);
	}
	for (size_t k = 0; k < KINDS; k++) {
		print_message("%-22s %3u of %u\n", kinds[k].name, s->passed[k], s->passed[k] + s->failed[k]);
		failed += s->failed[k];
	}
	print_message("%u cases of other kinds\n", s->other);
	for (int i = 0; i < MODELS; i++)
		json_decref(s->models[i].texts);
	json_decref(meta);
	free(s);
	assert_int_equal(failed, 0);
}

/* ---- policies in use --------------------------------------------------------------------------------------------- */

/* What is wrong in them is a field, constant or variable that is not there yet: never their grammar or their YAML. */
static bool is_about_a_name(const char *msg)
{
	return strstr(msg, "unknown name") || strstr(msg, "variables are not supported yet");
}

static void check_policy(const char *name, unsigned int *rules)
{
	struct diags d = diags_new();
	_cleanup_(compile_free) struct compile *c = NULL;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", POLICIES, name);
	assert_int_equal(compile_new(catalog_tamis(), &d, &c), 0);
	assert_int_equal(compile_add(c, path), 0);
	assert_int_equal(c->npolicies, 1);
	assert_int_equal(compile_finish(c), 0);
	for (size_t i = 0; i < d.n; i++)
		if (d.v[i].level == DIAG_ERROR && !is_about_a_name(d.v[i].msg))
			fail_msg("%s: %s", path, d.v[i].msg);
	for (size_t i = 0; i < c->nrules; i++)
		*rules += c->rules[i]->ok;
	diags_done(&d);
}

static void test_policies(void **state)
{
	_cleanup_closedir_ DIR *dir = opendir(POLICIES);
	unsigned int files = 0, rules = 0;
	struct dirent *e;

	if (!dir) {
		print_message("skipped: %s is not here\n", POLICIES);
		skip();
	}
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		check_policy(e->d_name, &rules);
		files++;
	}
	print_message("%u policies, %u rules compile\n", files, rules);
	assert_true(files > 0 && rules > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
