/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/why.h"

#include <inttypes.h>

#include "lib/ipnet.h"
#include "lib/jsonw.h"
#include "policy-compiler/node_text.h"

#define FIELDS_MAX 16	/* fields of one predicate that are shown */
#define WALK_MAX   4096 /* nodes looked at for them; lines of a tree */
#define TEXT_MAX   (1u << 20)

bool why_lit(const struct why *y, struct dnf_lit lit)
{
	bool v;

	return engine_eval_node(y->engine, lit.node, y->ev, &v) == 0 && v != lit.negated;
}

size_t why_count_false(const struct why *y, const struct dnf_clause *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += !why_lit(y, c->lits[i]);
	return n;
}

/* ---- texts ------------------------------------------------------------------------------------------------------- */

/* One line of at most WHY_TEXT_MAX bytes: control characters, which a hostile name may hold, are shown as "?". */
static void put_cut(struct buf *out, struct buf *text)
{
	size_t len = text->len, end = len;

	if (len > WHY_TEXT_MAX) {
		end = WHY_TEXT_MAX - 3;
		while (end > 0 && (text->data[end] & 0xc0) == 0x80)
			end--;
	}
	for (size_t i = 0; i < end; i++)
		buf_putc(out, text->data[i] < ' ' || text->data[i] == 0x7f ? '?' : text->data[i]);
	buf_puts(out, end < len || text->error ? "..." : "");
}

static void put_lit(const struct program *p, struct dnf_lit lit, struct buf *out)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	node_text(p, lit.node, lit.negated, &text);
	put_cut(out, &text);
	buf_done(&text);
}

void why_put_clause(const struct program *p, const struct dnf_clause *c, struct buf *out)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	dnf_clause_text(p, c, &text);
	put_cut(out, &text);
	buf_done(&text);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* "O_WRONLY|O_CREAT" where the bits of the value all have names. */
static void put_constants(const struct catalog *c, const struct cat_field *f, int64_t num, struct buf *out)
{
	int64_t left = num;
	size_t at = out->len;

	for (size_t i = 0; i < c->nconstants; i++)
		if (c->constants[i].group == f->constants && c->constants[i].value == num) {
			buf_printf(out, " (%s)", c->constants[i].name);
			return;
		}
	for (size_t i = 0; i < c->nconstants && left > 0; i++) {
		const struct cat_constant *k = &c->constants[i];

		if (k->group != f->constants || k->value <= 0 || (left & k->value) != k->value)
			continue;
		buf_printf(out, "%s%s", out->len == at ? " (" : "|", k->name);
		left &= ~k->value;
	}
	if (left && !out->error)
		buf_truncate(out, at);
	else
		buf_puts(out, out->len > at ? ")" : "");
}

static void put_scalar(const struct catalog *c, const struct cat_field *f, const struct val *v, struct buf *out)
{
	char ip[IPNET_TEXT_MAX];

	switch (f->type) {
	case VAL_STR:
		buf_putc(out, '"');
		buf_put(out, v->len ? v->s : "", v->len);
		buf_putc(out, '"');
		break;
	case VAL_BOOL:
		buf_puts(out, v->num ? "true" : "false");
		break;
	case VAL_IP:
		if (v->len == VAL_IP_BYTES && ipnet_text((const uint8_t *)v->s, ip))
			buf_puts(out, ip);
		else
			buf_puts(out, "no address");
		break;
	default:
		buf_printf(out, "%" PRId64, v->num);
		if (f->constants != CG_NONE)
			put_constants(c, f, v->num, out);
	}
}

static void put_array(const struct catalog *c, const struct cat_field *f, const struct val *v, struct buf *out)
{
	buf_putc(out, '[');
	for (uint32_t i = 0; i < v->len && !out->error; i++) {
		buf_puts(out, i ? ", " : "");
		put_scalar(c, f, &v->arr[i], out);
	}
	buf_putc(out, ']');
}

static void put_ancestors(const struct why *y, const struct cat_field *f, struct buf *out)
{
	const struct proc *p = f->home == CAT_HOME_TARGET_ANCESTORS ? y->ev->target : y->ev->proc;
	bool several = program_field_several(y->p->catalog, f);

	buf_putc(out, '[');
	p = p ? p->parent : NULL;
	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent) {
		struct val v = proc_get(p, f->slot);

		buf_puts(out, k ? ", " : "");
		if (several)
			put_array(y->p->catalog, f, &v, out);
		else
			put_scalar(y->p->catalog, f, &v, out);
	}
	buf_putc(out, ']');
}

static void put_value(const struct why *y, const struct cat_field *f, struct buf *out)
{
	struct buf text;
	struct val v;

	buf_init(&text, TEXT_MAX);
	if (cat_is_ancestors(f->home)) {
		put_ancestors(y, f, &text);
	} else {
		v = catalog_get(f, y->ev);
		if (program_field_several(y->p->catalog, f))
			put_array(y->p->catalog, f, &v, &text);
		else
			put_scalar(y->p->catalog, f, &v, &text);
	}
	buf_printf(out, "%s is ", f->name);
	put_cut(out, &text);
	buf_done(&text);
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

void why_variable_name(const struct program *p, uint32_t var, char *ret, size_t size)
{
	static const char *const scopes[VAR_SCOPES] = {
		[VAR_GLOBAL] = "", [VAR_PROCESS] = "process.", [VAR_CONTAINER] = "container.", [VAR_CGROUP] = "cgroup."
	};
	uint32_t len;
	const char *s = program_str(p, p->vars[var].name, &len);

	snprintf(ret, size, "%s%.*s", scopes[p->vars[var].scope], (int)len, s);
}

/* A variable's type in the terms of a field. */
static struct cat_field like_field(uint8_t node_type)
{
	static const uint8_t types[] = {
		[NT_INT] = VAL_INT, [NT_BOOL] = VAL_BOOL, [NT_STR] = VAL_STR, [NT_IP] = VAL_IP
	};

	return (struct cat_field){ .type = types[program_scalar(node_type)], .constants = CG_NONE };
}

void why_put_variable(const struct engine_var *v, struct buf *out)
{
	struct cat_field f = like_field(v->type);

	if (program_is_array(v->type))
		put_array(NULL, &f, &v->v, out);
	else
		put_scalar(NULL, &f, &v->v, out);
}

static void put_var(const struct why *y, uint32_t var, struct buf *out)
{
	char name[VAR_NAME_MAX + 16];
	struct engine_var v;
	struct buf text;

	why_variable_name(y->p, var, name, sizeof(name));
	engine_var_at(y->engine, var, y->ev, &v);
	buf_init(&text, TEXT_MAX);
	why_put_variable(&v, &text);
	buf_printf(out, "${%s} is ", name);
	buf_puts(out, v.set ? "" : v.has_default ? "not set; its default is " : "not set");
	if (v.set || v.has_default)
		put_cut(out, &text);
	buf_done(&text);
}

/* The fields and variables below a node, each once, in the order in which they are written. */
struct fields {
	struct {
		bool is_var;
		uint32_t index;
	} v[FIELDS_MAX];
	size_t n, walked;
};

static void add_field(struct fields *f, bool is_var, uint32_t index)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].is_var == is_var && f->v[i].index == index)
			return;
	if (f->n == FIELDS_MAX)
		return;
	f->v[f->n].is_var = is_var;
	f->v[f->n++].index = index;
}

static void find_fields(const struct program *p, uint32_t i, struct fields *f)
{
	const struct node *n = &p->nodes[i];
	unsigned operands = program_operands(n->op);

	if (f->walked++ >= WALK_MAX)
		return;
	if (n->op == N_FIELD || n->op == N_CURRENT || n->op == N_VAR)
		add_field(f, n->op == N_VAR, n->a);
	if (operands & 1)
		find_fields(p, n->a, f);
	if (operands & 2)
		find_fields(p, n->b, f);
}

void why_put_values(const struct why *y, uint32_t node, const char *between, struct buf *out)
{
	struct fields f = { .n = 0 };

	find_fields(y->p, node, &f);
	for (size_t i = 0; i < f.n; i++) {
		buf_puts(out, i ? between : "");
		if (f.v[i].is_var)
			put_var(y, f.v[i].index, out);
		else
			put_value(y, &y->p->catalog->fields[f.v[i].index], out);
	}
}

void why_put_false(const struct why *y, const struct dnf_clause *c, struct buf *out)
{
	for (size_t i = 0; i < c->n; i++) {
		if (why_lit(y, c->lits[i]))
			continue;
		buf_puts(out, out->len ? "\nfalse: " : "false: ");
		put_lit(y->p, c->lits[i], out);
		buf_puts(out, "\n       ");
		why_put_values(y, c->lits[i].node, "\n       ", out);
	}
}

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

struct tree {
	const struct why *y;
	struct buf *out;
	unsigned lines;
};

static void put_tree(struct tree *t, struct dnf_lit lit, uint8_t around, int indent);

static void put_line(struct tree *t, struct dnf_lit lit, int indent)
{
	buf_printf(t->out, "%-5s  %*s", why_lit(t->y, lit) ? "true" : "false", indent, "");
}

/* A chain of one operation is one level. */
static void put_logic(struct tree *t, struct dnf_lit lit, const struct node *n, uint8_t around, int indent)
{
	uint8_t op = lit.negated ? (n->op == N_AND ? N_OR : N_AND) : n->op;

	if (op != around) {
		put_line(t, lit, indent);
		buf_puts(t->out, op == N_AND ? "all of\n" : "any of\n");
		indent += 2;
	}
	put_tree(t, (struct dnf_lit){ n->a, lit.negated }, op, indent);
	put_tree(t, (struct dnf_lit){ n->b, lit.negated }, op, indent);
}

static void put_tree(struct tree *t, struct dnf_lit lit, uint8_t around, int indent)
{
	const struct node *n = &t->y->p->nodes[lit.node];
	size_t at;

	while (n->op == N_NOT) {
		lit = (struct dnf_lit){ n->a, !lit.negated };
		n = &t->y->p->nodes[lit.node];
	}
	if (t->lines >= WALK_MAX || t->out->error)
		return;
	t->lines++;
	if (n->op == N_AND || n->op == N_OR) {
		put_logic(t, lit, n, around, indent);
		return;
	}
	put_line(t, lit, indent);
	put_lit(t->y->p, lit, t->out);
	buf_puts(t->out, "   # ");
	at = t->out->len;
	why_put_values(t->y, lit.node, ", ", t->out);
	if (t->out->len == at && !t->out->error)
		buf_truncate(t->out, at - strlen("   # "));
	buf_putc(t->out, '\n');
}

void why_put_tree(const struct why *y, uint32_t root, struct buf *out)
{
	struct tree t = { .y = y, .out = out };

	put_tree(&t, (struct dnf_lit){ root, false }, N_OPS, 0);
}
