/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/keys.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/near.h"

static const struct key *find_key(const struct key *keys, const struct ynode *name)
{
	for (; keys->name; keys++)
		if (ynode_is(name, keys->name))
			return keys;
	return NULL;
}

static int unknown_key(const struct key *keys, const struct ynode *name, const char *what, struct diags *d)
{
	struct near near = near_to(name->text.s, name->text.len);

	diag_error(d, name->at, "unknown key \"%s\" in %s", name->text.s, what);
	for (const struct key *k = keys; k->name; k++)
		near_try(&near, k->name);
	if (near.best)
		diag_help(d, "did you mean \"%s\"?", near.best);
	else
		diag_help(d, "docs/policies.md lists the keys");
	return -EINVAL;
}

/* Nanoseconds of the unit at *p, which moves behind it; 0 for none. */
static int64_t unit_of(const char **p)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = { { "ns", 1 },	   { "us", 1000 },	   { "ms", 1000000 },
		      { "s", 1000000000 }, { "m", 60000000000LL }, { "h", 3600000000000LL } };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(*p, units[i].name, len) == 0) {
			*p += len;
			return units[i].ns;
		}
	}
	return 0;
}

int keys_duration(const struct ynode *n, int64_t *ret)
{
	const char *p = n->text.s;
	int64_t total = 0;

	if (n->kind != YNODE_SCALAR)
		return -EINVAL;
	if (ynode_int(n, ret) == 0)
		return *ret >= 0 ? 0 : -EINVAL;
	if (!*p || strlen(p) != n->text.len)
		return -EINVAL;
	while (*p) {
		char *end;
		long long v;
		int64_t unit;

		if (*p < '0' || *p > '9')
			return -EINVAL;
		errno = 0;
		v = strtoll(p, &end, 10);
		p = end;
		unit = errno ? 0 : unit_of(&p);
		if (!unit || __builtin_mul_overflow((int64_t)v, unit, &unit) ||
		    __builtin_add_overflow(total, unit, &total))
			return -EINVAL;
	}
	*ret = total;
	return 0;
}

static bool all_of_kind(const struct ynode *list, enum ynode_kind kind)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i]->kind != kind)
			return false;
	return true;
}

static bool shape_fits(const struct ynode *v, enum key_shape shape)
{
	int64_t num;
	bool flag;

	switch (shape) {
	case KEY_TEXT:
	case KEY_SECL:
		return v->kind == YNODE_SCALAR;
	case KEY_BOOL:
		return ynode_bool(v, &flag) == 0;
	case KEY_INT:
		return ynode_int(v, &num) == 0;
	case KEY_DURATION:
		return keys_duration(v, &num) == 0;
	case KEY_LIST:
		return v->kind == YNODE_LIST;
	case KEY_TEXT_LIST:
		return v->kind == YNODE_LIST && all_of_kind(v, YNODE_SCALAR);
	case KEY_MAP:
	case KEY_TEXT_MAP:
		return v->kind == YNODE_MAP;
	case KEY_MAP_LIST:
		return v->kind == YNODE_LIST && all_of_kind(v, YNODE_MAP);
	default:
		return true;
	}
}

static int bad_shape(const struct key *k, const struct ynode *v, struct diags *d)
{
	static const char *const names[] = {
		[KEY_TEXT] = "text",
		[KEY_SECL] = "an expression",
		[KEY_BOOL] = "true or false",
		[KEY_INT] = "a whole number",
		[KEY_DURATION] = "a duration",
		[KEY_LIST] = "a list",
		[KEY_TEXT_LIST] = "a list of texts",
		[KEY_MAP] = "a map",
		[KEY_TEXT_MAP] = "a map",
		[KEY_MAP_LIST] = "a list of maps",
		[KEY_ANY] = "anything",
	};

	diag_error(d, v->at, "\"%s\" is %s, not %s", k->name, names[k->shape], ynode_kind_name(v));
	if (k->shape == KEY_DURATION)
		diag_help(d, "write 500ms, 10s, 5m or 1h, or a number of nanoseconds");
	else if (k->shape == KEY_MAP_LIST || k->shape == KEY_TEXT_LIST || k->shape == KEY_LIST)
		diag_help(d, "each item begins with \"- \" on a line of its own");
	else if (k->shape == KEY_BOOL)
		diag_help(d, "write true or false, without quotes");
	else
		diag_help(d, "check the indentation of what is below \"%s:\"", k->name);
	return -EINVAL;
}

static int check_words(const struct key *k, const struct ynode *v, struct diags *d)
{
	struct near near = near_to(v->text.s, v->text.len);

	for (const char *const *w = k->words; *w; w++) {
		if (ynode_is(v, *w))
			return 0;
		near_try(&near, *w);
	}
	diag_error(d, v->at, "\"%s\" is no value of \"%s\"", v->text.s, k->name);
	diag_help(d, near.best ? "did you mean \"%s\"?" : "\"%s\" is one", near.best ? near.best : k->words[0]);
	return -EINVAL;
}

static int check_value(const struct key *k, const struct ynode *v, struct diags *d)
{
	int result = 0;

	if (k->words && v->kind == YNODE_SCALAR)
		return check_words(k, v, d);
	if (!k->keys)
		return 0;
	if (v->kind == YNODE_MAP)
		return keys_check(v, k->keys, k->name, d);
	for (size_t i = 0; i < v->n; i++)
		if (keys_check(v->items[i], k->keys, k->name, d) < 0)
			result = -EINVAL;
	return result;
}

int keys_check(const struct ynode *map, const struct key *keys, const char *what, struct diags *d)
{
	int result = 0;

	for (size_t i = 0; i < map->n; i++) {
		const struct ynode *name = map->keys[i], *value = map->items[i];
		const struct key *k = find_key(keys, name);
		int r = 0;

		if (!k)
			r = unknown_key(keys, name, what, d);
		else if (ynode_is_null(value))
			continue; /* "key:" with nothing behind it is as if it were not there */
		else if (!shape_fits(value, k->shape))
			r = bad_shape(k, value, d);
		else
			r = check_value(k, value, d);
		if (r < 0) {
			result = r;
		} else if (k->not_yet) {
			diag_warn(d, name->at, "\"%s\" is not acted on yet", k->name);
			diag_help(d, "%s", k->not_yet);
		}
	}
	return result;
}
