/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conf.h"

void *conf_must(void *p)
{
	if (p)
		return p;
	fputs("conformance: out of memory\n", stderr);
	exit(2);
}

static void must(int r)
{
	conf_must(r < 0 ? NULL : (void *)"");
}

void bench_begin(struct bench *b, const struct model *m)
{
	*b = (struct bench){ .model = m, .diags = diags_new() };
	event_mem_init(&b->mem, EVENT_MEM_MAX);
	must(compile_new(m->catalog, &b->diags, &b->compile));
}

void bench_end(struct bench *b)
{
	event_mem_done(&b->mem);
	compile_free(b->compile);
	diags_done(&b->diags);
}

struct text *bench_text(struct bench *b, const char *s)
{
	struct text *t = conf_must(arena_alloc(&b->compile->arena, sizeof(*t)));
	const struct source *src = source_text(&b->compile->arena, "case", s, strlen(s));

	conf_must((void *)src);
	*t = (struct text){ .s = s, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	return t;
}

void bench_note_error(struct bench *b)
{
	for (size_t i = 0; i < b->diags.n; i++) {
		uint32_t line, off, len;

		if (b->diags.v[i].level != DIAG_ERROR)
			continue;
		if (b->diags.v[i].at.src)
			span_place(b->diags.v[i].at, &line, &b->column, &off, &len);
		snprintf(b->message, sizeof(b->message), "%s", b->diags.v[i].msg);
		return;
	}
}

/* Constants that are text: the compiler has none of its own, macros of one string are the same. */
static void define_texts(struct bench *b)
{
	const char *name;
	json_t *v;

	json_object_foreach(b->model->texts, name, v)
	{
		_cleanup_free_ char *quoted = NULL;

		must(asprintf(&quoted, "\"%s\"", json_string_value(v)));
		must(compile_macro(b->compile, name,
				   bench_text(b, conf_must(arena_strdup(&b->compile->arena, quoted, strlen(quoted))))));
	}
}

int bench_compile(struct bench *b, const json_t *c)
{
	const char *name;
	json_t *v;
	int r;

	define_texts(b);
	json_object_foreach(json_object_get(c, "macros"), name, v)
		must(compile_macro(b->compile, name, bench_text(b, json_is_string(v) ? json_string_value(v) : "")));
	v = json_object_get(c, "variables");
	b->compile->variables = v ? v : b->model->variables;
	r = compile_expression(b->compile, bench_text(b, case_text(c, "expression")), &b->event, &b->root);
	bench_note_error(b);
	return r;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

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

char *bench_event_text(const json_t *event)
{
	json_t *out = conf_must(json_object()), *v;
	const char *name;
	char *text;

	json_object_foreach((json_t *)event, name, v)
	{
		if (json_is_array(v) && json_is_object(json_array_get(v, 0)))
			put_objects(out, name, v);
		else
			json_object_set(out, name, v);
	}
	text = conf_must(json_dumps(out, JSON_COMPACT));
	json_decref(out);
	return text;
}

int bench_eval(struct bench *b, uint32_t root, const json_t *c)
{
	_cleanup_(engine_free) struct engine *engine = NULL;
	_cleanup_free_ char *text = bench_event_text(json_object_get(c, "event"));
	struct program program = program_view(b->compile->builder);
	struct err err = { "" };
	struct event ev;
	bool result = false;
	int r = event_json_read(b->model->catalog, text, strlen(text), &b->mem, &ev, &err);

	if (r == 0)
		r = engine_new(&program, &engine, &err);
	if (r == 0) {
		ev.now_ns = json_integer_value(json_object_get(c, "now_ns"));
		r = engine_eval_node(engine, root, &ev, &result);
	}
	if (r == 0)
		return result;
	snprintf(b->message, sizeof(b->message), "%s", err.msg[0] ? err.msg : strerror(-r));
	return -1;
}
