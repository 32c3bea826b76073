/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>

#include "lib/near.h"
#include "policy-compiler/check_parts.h"

/*
 * ${name}: what rules remember from one event to the next. Until rules can set variables, only those have a value
 * that the caller brings along (tamisc eval --vars) and the builtin ${process.pid}.
 */

#define VARIABLE_STRING_MAX 65535

static int no_variable(struct check *c, const struct ast *a, const char *name, size_t len)
{
	struct near near = near_to(name, len);
	const char *key;
	json_t *v;

	if (!c->variables) {
		diag_error(c->diags, ast_span(a),
			   "the variable ${%.*s}: variables are not supported yet, but for ${process.pid}",
			   (int)(len < 100 ? len : 100), name);
		diag_help(c->diags, "remove the condition, or switch the rule off by \"disabled: true\"");
		return -EINVAL;
	}
	json_object_foreach((json_t *)c->variables, key, v) near_try(&near, key);
	diag_error(c->diags, ast_span(a), "no variable ${%.*s}", (int)(len < 100 ? len : 100), name);
	if (near.best)
		diag_help(c->diags, "did you mean ${%s}?", near.best);
	else
		diag_help(c->diags, "give it a value in the file of --vars");
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

int check_variable(struct check *c, const struct ast *a, struct expr **ret)
{
	const json_t *v = find_variable(c, a->s, a->slen);

	if (v)
		return json_is_array(v) ? list_value(c, a, v, ret) : scalar_value(c, a, v, ret);
	if (a->slen == strlen("process.pid") && memcmp(a->s, "process.pid", a->slen) == 0) {
		int r = check_pid_field(c, a, ret);

		if (r != -ENOENT)
			return r;
	}
	return no_variable(c, a, a->s, a->slen);
}

/* ---- variables in strings ---------------------------------------------------------------------------------------- */

static bool is_name_char(char c, bool first)
{
	if (c == '_' || ((c | 32) >= 'a' && (c | 32) <= 'z'))
		return true;
	return !first && (c == '.' || (c >= '0' && c <= '9'));
}

/* The next well-formed ${name} from @from on: its place and length, or a length of 0. Anything else is plain text. */
static uint32_t find_reference(const struct ast *a, uint32_t from, uint32_t *ret_len)
{
	for (uint32_t i = from; i + 3 < a->slen; i++) {
		uint32_t n = i + 2;

		if (a->s[i] != '$' || a->s[i + 1] != '{')
			continue;
		while (n < a->slen && is_name_char(a->s[n], n == i + 2))
			n++;
		if (n > i + 2 && n < a->slen && a->s[n] == '}') {
			*ret_len = n + 1 - i;
			return i;
		}
	}
	*ret_len = 0;
	return a->slen;
}

struct text_out {
	char *s;
	size_t len, max;
};

static int put(struct text_out *out, const char *s, size_t len)
{
	if (len > out->max - out->len)
		return -E2BIG;
	if (len)
		memcpy(out->s + out->len, s, len);
	out->len += len;
	return 0;
}

static int put_value(struct text_out *out, const json_t *v)
{
	char num[32];
	int r = 0;

	switch (json_typeof(v)) {
	case JSON_STRING:
		return put(out, json_string_value(v), json_string_length(v));
	case JSON_INTEGER:
		snprintf(num, sizeof(num), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		return put(out, num, strlen(num));
	case JSON_TRUE:
		return put(out, "true", 4);
	case JSON_FALSE:
		return put(out, "false", 5);
	case JSON_ARRAY:
		for (size_t i = 0; i < json_array_size(v) && r == 0; i++) {
			const json_t *item = json_array_get(v, i);

			if (json_is_array(item))
				return -EINVAL;
			r = i ? put(out, ",", 1) : 0;
			r = r == 0 ? put_value(out, item) : r;
		}
		return r;
	default:
		return -EINVAL;
	}
}

/* The string with the values in place. */
static int interpolate(struct check *c, const struct ast *a, uint32_t at, uint32_t len, struct expr *e)
{
	struct text_out out = { .s = arena_alloc(c->arena, VARIABLE_STRING_MAX), .max = VARIABLE_STRING_MAX };
	uint32_t done = 0;
	int r = out.s ? 0 : -ENOMEM;

	for (; r == 0 && len; at = find_reference(a, done, &len)) {
		const json_t *v = find_variable(c, a->s + at + 2, len - 3);

		if (!v)
			return no_variable(c, a, a->s + at + 2, len - 3);
		r = put(&out, a->s + done, at - done);
		if (r == 0)
			r = put_value(&out, v);
		done = at + len;
	}
	if (r == 0)
		r = put(&out, a->s + done, a->slen - done);
	if (r == -E2BIG || r == -EINVAL)
		return diag_error(c->diags, ast_span(a),
				  "the values of the variables do not make a text of at most %d bytes",
				  VARIABLE_STRING_MAX);
	e->s = out.s;
	e->slen = (uint32_t)out.len;
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
