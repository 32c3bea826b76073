/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/test_variables.h"

#include <errno.h>

#include "lib/buf.h"
#include "lib/ipnet.h"
#include "lib/near.h"
#include "policy-compiler/why.h"

#define SHOWN_MAX (64u << 10)

static int no_variable(const struct program *p, const struct ynode *name, struct test_error *err)
{
	struct near near = near_to(name->text.s, name->text.len);
	char text[VAR_NAME_MAX + 16], best[VAR_NAME_MAX + 16];
	int r = test_error_set(err, name->at, "no rule sets the variable \"%.128s\"", name->text.s);

	for (uint32_t i = 0; i < p->nvars; i++) {
		const char *before = near.best;

		why_variable_name(p, i, text, sizeof(text));
		near_try(&near, text);
		if (near.best != before)
			memcpy(best, text, sizeof(best));
		near.best = near.best ? best : NULL;
	}
	if (near.best)
		test_error_help(err, "did you mean \"%.128s\"?", best);
	else
		test_error_help(err, "a rule sets it by \"actions: [{set: {name: ...}}]\"");
	return r;
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

static bool is_number(const struct ynode *n, int64_t want)
{
	const struct cat_constant *c;
	int64_t num;

	if (ynode_int(n, &num) == 0)
		return num == want;
	c = catalog_constant(catalog_tamis(), n->text.s, n->text.len);
	return c && c->value == want;
}

static bool is_address(const struct ynode *n, const struct val *v)
{
	uint8_t ip[IPNET_BYTES];

	return v->len == VAL_IP_BYTES && ipnet_parse(n->text.s, n->text.len, ip) == 0 &&
	       memcmp(ip, v->s, VAL_IP_BYTES) == 0;
}

static bool scalar_is(uint8_t type, const struct val *v, const struct ynode *n)
{
	bool flag;

	if (n->kind != YNODE_SCALAR)
		return false;
	switch (program_scalar(type)) {
	case NT_INT:
		return is_number(n, v->num);
	case NT_BOOL:
		return ynode_bool(n, &flag) == 0 && flag == (v->num != 0);
	case NT_IP:
		return is_address(n, v);
	default:
		return n->text.len == v->len && (v->len == 0 || memcmp(n->text.s, v->s, v->len) == 0);
	}
}

/* A variable holds each value once, so equal counts and every one found make the lists equal. */
static bool list_is(uint8_t type, const struct val *v, const struct ynode *n)
{
	if (n->kind != YNODE_LIST || n->n != v->len)
		return false;
	for (uint32_t i = 0; i < v->len; i++) {
		bool found = false;

		for (size_t k = 0; k < n->n && !found; k++)
			found = scalar_is(type, &v->arr[i], n->items[k]);
		if (!found)
			return false;
	}
	return true;
}

static int differs(const struct engine_var *var, const struct ynode *name, const struct ynode *value,
		   struct test_error *err)
{
	struct buf text;
	int r;

	buf_init(&text, SHOWN_MAX);
	why_put_variable(var, &text);
	if (var->set)
		r = test_error_set(err, value->at, "the variable %.128s is %.300s", name->text.s,
				   buf_error(&text) ? "too long to show" : buf_cstr(&text));
	else
		r = test_error_set(err, value->at, "the variable %.128s is not set%s%.300s", name->text.s,
				   var->has_default ? "; its default is " : "",
				   var->has_default && !buf_error(&text) ? buf_cstr(&text) : "");
	buf_done(&text);
	return r;
}

int test_variable_check(struct engine *e, const struct program *p, const struct event *ev, const struct ynode *name,
			const struct ynode *value, struct test_error *err)
{
	struct engine_var var;
	bool same;

	if (engine_var_get(e, name->text.s, name->text.len, ev, &var) < 0)
		return no_variable(p, name, err);
	if (ynode_is_null(value))
		same = !var.set;
	else if (program_is_array(var.type))
		same = list_is(var.type, &var.v, value);
	else
		same = scalar_is(var.type, &var.v, value);
	return same ? 0 : differs(&var, name, value, err);
}
