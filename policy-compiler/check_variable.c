/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>

#include "lib/near.h"
#include "policy-compiler/check_parts.h"

/*
 * ${name}: what rules remember from one event to the next, and what is built in. Where the caller brings values along
 * (tamisc eval --vars) they take the place of the names, as constants.
 */

#define VARIABLE_STRING_MAX 65535

static int no_variable(struct check *c, const struct ast *a, const char *name, size_t len)
{
	struct near near = near_to(name, len);
	const char *best = c->vars ? variable_nearest(c->vars, name, len) : NULL, *key;
	json_t *v;

	json_object_foreach((json_t *)c->variables, key, v) near_try(&near, key);
	diag_error(c->diags, ast_span(a), "no variable ${%.*s}", (int)(len < 100 ? len : 100), name);
	if (near.best || best)
		diag_help(c->diags, "did you mean ${%s}?", near.best ? near.best : best);
	else if (c->variables)
		diag_help(c->diags, "give it a value in the file of --vars");
	else
		diag_help(c->diags, "some rule has to set it: \"actions: [{set: {name: ...}}]\"");
	return -EINVAL;
}

static const json_t *find_variable(const struct check *c, const char *name, size_t len)
{
	return c->variables ? json_object_getn(c->variables, name, len) : NULL;
}

/* ---- a variable as a value --------------------------------------------------------------------------------------- */

static int bad_value(struct check *c, const struct ast *a)
{
	diag_error(c->diags, ast_span(a),
		   "the value of ${%.*s} is no text, whole number or truth value, nor a list of one kind", (int)a->slen,
		   a->s);
	return -EINVAL;
}

static int scalar_value(struct check *c, const struct ast *a, const json_t *v, struct expr **ret)
{
	uint8_t type = json_is_string(v) ? VAL_STR : json_is_integer(v) ? VAL_INT : VAL_BOOL;
	struct expr *e;

	if (!json_is_string(v) && !json_is_integer(v) && !json_is_boolean(v))
		return bad_value(c, a);
	e = check_new(c, type == VAL_STR ? EX_STR : type == VAL_INT ? EX_INT : EX_BOOL, type, a);
	if (!e)
		return -ENOMEM;
	if (type == VAL_STR) {
		e->s = json_string_value(v);
		e->slen = (uint32_t)json_string_length(v);
	} else {
		e->num = type == VAL_INT ? json_integer_value(v) : json_is_true(v);
	}
	*ret = e;
	return 0;
}

static int list_value(struct check *c, const struct ast *a, const json_t *v, struct expr **ret)
{
	size_t n = json_array_size(v);
	struct expr *e = check_new(c, EX_LIST, VAL_STR, a);

	if (!e)
		return -ENOMEM;
	e->items = arena_array(c->arena, n ? n : 1, sizeof(e->items[0]));
	if (!e->items)
		return -ENOMEM;
	e->n = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		int r = scalar_value(c, a, json_array_get(v, i), &e->items[i]);

		if (r < 0)
			return r;
		if (e->items[i]->type != e->items[0]->type)
			return bad_value(c, a);
	}
	if (n)
		e->type = e->items[0]->type;
	*ret = e;
	return 0;
}

static bool name_is(const char *name, size_t len, const char *what)
{
	return len == strlen(what) && memcmp(name, what, len) == 0;
}

static int program_variable(struct check *c, const struct ast *a, const struct variable *v, struct expr **ret)
{
	struct expr *e = check_new(c, EX_VAR, v->type, a);

	if (!e)
		return -ENOMEM;
	e->array = v->array;
	e->var = v;
	*ret = e;
	return 0;
}

/* The variable of that name, which @a is, or names in a text. */
static int named_variable(struct check *c, const struct ast *a, const char *name, uint32_t len, struct expr **ret)
{
	const json_t *json = find_variable(c, name, len);
	const struct variable *v = c->vars ? variable_find(c->vars, name, len) : NULL;

	if (json)
		return json_is_array(json) ? list_value(c, a, json, ret) : scalar_value(c, a, json, ret);
	if (name_is(name, len, "process.pid")) {
		int r = check_pid_field(c, a, ret);

		if (r != -ENOENT)
			return r;
	}
	if (v)
		return program_variable(c, a, v, ret);
	if (name_is(name, len, "builtins.uuid4")) {
		*ret = check_new(c, EX_UUID, VAL_STR, a);
		return *ret ? 0 : -ENOMEM;
	}
	return no_variable(c, a, name, len);
}

int check_variable(struct check *c, const struct ast *a, struct expr **ret)
{
	return named_variable(c, a, a->s, a->slen, ret);
}

/* ---- variables in strings ---------------------------------------------------------------------------------------- */

static bool is_name_char(char c, bool first)
{
	if (c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z'))
		return true;
	return !first && (c == '.' || (c >= '0' && c <= '9'));
}

/* The next well-formed ${name} or %{name} from @from on: its place and length, or a length of 0. Anything else is plain text. */
static uint32_t find_reference(const struct ast *a, uint32_t from, uint32_t *ret_len)
{
	for (uint32_t i = from; i + 3 < a->slen; i++) {
		bool field = a->s[i] == '%';
		uint32_t n = i + 2;

		if ((a->s[i] != '$' && !field) || a->s[i + 1] != '{')
			continue;
		while (n < a->slen && (is_name_char(a->s[n], n == i + 2) ||
				       (field && n > i + 2 && (a->s[n] == '[' || a->s[n] == ']'))))
			n++;
		if (n > i + 2 && n < a->slen && a->s[n] == '}') {
			*ret_len = n + 1 - i;
			return i;
		}
	}
	*ret_len = 0;
	return a->slen;
}

/* A string while it is put together: constants become one text, what is only known later stands between them. */
struct parts {
	struct expr **items;
	size_t n;
	char *s;
	size_t len, max;
};

static int put(struct parts *p, const char *s, size_t len)
{
	if (len > p->max - p->len)
		return -E2BIG;
	if (len)
		memcpy(p->s + p->len, s, len);
	p->len += len;
	return 0;
}

static int put_const(struct parts *p, const struct expr *e)
{
	char num[32];

	switch (e->kind) {
	case EX_STR:
		return put(p, e->s, e->slen);
	case EX_INT:
		return put(p, num, (size_t)snprintf(num, sizeof(num), "%" PRId64, e->num));
	default:
		return put(p, e->num ? "true" : "false", e->num ? 4 : 5);
	}
}

/* What is there of constants becomes an item. */
static int put_end(struct check *c, const struct ast *a, struct parts *p)
{
	struct expr *e = check_new(c, EX_STR, VAL_STR, a), **slot;

	if (!p->len)
		return 0;
	slot = e ? ARENA_PUSH(c->arena, p->items, p->n) : NULL;
	if (!slot)
		return -ENOMEM;
	e->s = p->s;
	e->slen = (uint32_t)p->len;
	p->s += p->len;
	p->max -= p->len;
	p->len = 0;
	*slot = e;
	return 0;
}

static int put_part(struct check *c, const struct ast *a, struct parts *p, struct expr *e)
{
	struct expr **slot;
	int r = 0;

	if (expr_is_const(e))
		return put_const(p, e);
	for (uint32_t i = 0; e->kind == EX_LIST && i < e->n && r == 0; i++) {
		r = i ? put(p, ",", 1) : 0;
		r = r == 0 ? put_const(p, e->items[i]) : r;
	}
	if (e->kind == EX_LIST)
		return r;
	r = put_end(c, a, p);
	slot = r == 0 ? ARENA_PUSH(c->arena, p->items, p->n) : NULL;
	if (!slot)
		return -ENOMEM;
	*slot = e;
	return 0;
}

/* What stands in ${} or %{}, at @at of the string. */
static int reference(struct check *c, const struct ast *a, uint32_t at, uint32_t len, struct expr **ret)
{
	struct ast *name = arena_alloc(c->arena, sizeof(*name));
	bool field = a->s[at] == '%';
	const char *s = a->s + at + 2;

	if (!name)
		return -ENOMEM;
	*name = *a;
	name->kind = field ? AST_FIELDREF : AST_VAR;
	if (a->s >= a->text->s && a->s <= a->text->s + a->text->len) {
		name->off = (uint32_t)(a->s - a->text->s) + at;
		name->len = len;
	}
	name->s = s;
	name->slen = len - 3;
	return field ? check_field_reference(c, name, ret) : named_variable(c, name, s, len - 3, ret);
}

static int interpolate(struct check *c, const struct ast *a, uint32_t at, uint32_t len, struct expr *e)
{
	struct parts p = { .max = c->variables ? VARIABLE_STRING_MAX : a->slen };
	uint32_t done = 0;
	int r;

	p.s = arena_alloc(c->arena, p.max + 1);
	r = p.s ? 0 : -ENOMEM;
	for (; r == 0 && len; at = find_reference(a, done, &len)) {
		struct expr *part;

		r = reference(c, a, at, len, &part);
		if (r < 0)
			return r;
		r = put(&p, a->s + done, at - done);
		if (r == 0)
			r = put_part(c, a, &p, part);
		done = at + len;
	}
	if (r == 0)
		r = put(&p, a->s + done, a->slen - done);
	if (r == -E2BIG)
		return diag_error(c->diags, ast_span(a),
				  "the values of the variables do not make a text of at most %d bytes",
				  VARIABLE_STRING_MAX);
	if (r == 0 && !p.n) {
		e->s = p.s;
		e->slen = (uint32_t)p.len;
		return 0;
	}
	r = r == 0 ? put_end(c, a, &p) : r;
	e->kind = EX_FORMAT;
	e->items = p.items;
	e->n = (uint32_t)p.n;
	return r;
}

int check_string(struct check *c, const struct ast *a, struct expr **ret)
{
	struct expr *e = check_new(c, EX_STR, VAL_STR, a);
	uint32_t len = 0, at = 0;
	int r = 0;

	if (!e)
		return -ENOMEM;
	e->s = a->s;
	e->slen = a->slen;
	e->strm = a->kind == AST_STR ? STRM_EXACT : a->kind == AST_PATTERN ? STRM_PATTERN : STRM_REGEX;
	if (a->kind != AST_REGEX)
		at = find_reference(a, 0, &len);
	if (len)
		r = interpolate(c, a, at, len, e);
	if (r == 0)
		*ret = e;
	return r;
}
