/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine/engine_impl.h"
#include "lib/ascii.h"
#include "lib/ipnet.h"

static const struct val no_value;

/* ---- values -------------------------------------------------------------------------------------------------------- */

static const struct enode *node_at(const struct run *x, uint32_t i)
{
	return &x->e->nodes[i];
}

static const struct cat_field *field_at(const struct run *x, uint32_t i)
{
	return &x->e->p.catalog->fields[i];
}

/* Before a field is read: what is only there when somebody asks is looked up. */
static void want(const struct run *x, uint32_t field)
{
	const struct engine_options *o = &x->e->options;

	if ((field_at(x, field)->flags & CF_FETCH) && o->fetch && x->ev)
		o->fetch(o->ctx, x->ev, field);
}

static struct val current_value(const struct run *x, uint32_t field)
{
	const struct cat_field *f = field_at(x, field);
	struct val v;

	want(x, field);
	if (cat_is_ancestors(f->home))
		return x->current ? proc_get(x->current, f->slot) : no_value;
	v = catalog_get(f, x->ev);
	return x->position < v.len ? v.arr[x->position] : no_value;
}

/* What a value of a field also goes by; empty where it does not. */
static struct val also_value(const struct run *x, uint32_t i)
{
	const struct enode *n = node_at(x, i);
	const struct cat_field *f;

	if (n->op != N_FIELD && n->op != N_CURRENT)
		return no_value;
	f = field_at(x, n->a);
	if (!f->also)
		return no_value;
	if (n->op == N_CURRENT)
		return cat_is_ancestors(f->home) && x->current ? proc_get(x->current, f->also) : no_value;
	return catalog_get_also(f, x->ev);
}

/* ---- variables ----------------------------------------------------------------------------------------------------- */

static struct val default_at(const struct run *x, const struct pvar *v, uint32_t i)
{
	const struct program *p = &x->e->p;
	const struct node *n = &p->nodes[p->refs[v->default_first + i]];
	struct val r = no_value;

	if (n->op == N_STR || n->op == N_IP)
		r.s = program_str(p, n->a, &r.len);
	else
		r.num = n->imm;
	return r;
}

/* One that is no array. */
struct val eval_var(const struct run *x, uint32_t var)
{
	const struct pvar *v = &x->e->p.vars[var];
	struct state_pos pos;

	if (var_first(x, var, &pos))
		return state_value(x->e->state, pos);
	return v->default_count ? default_at(x, v, 0) : no_value;
}

void eval_var_each(struct run *x, uint32_t var, bool (*f)(void *ctx, const struct val *v), void *ctx)
{
	const struct pvar *v = &x->e->p.vars[var];
	struct state_pos pos;
	bool go_on = true;

	if (!var_first(x, var, &pos)) {
		for (uint32_t i = 0; i < v->default_count && go_on; i++) {
			struct val value = default_at(x, v, i);

			go_on = f(ctx, &value);
		}
		return;
	}
	do {
		struct val value = state_value(x->e->state, pos);

		go_on = f(ctx, &value);
	} while (go_on && state_next(x->e->state, &pos, x->ev ? x->ev->now_ns : INT64_MIN));
}

/* ---- texts that are made ------------------------------------------------------------------------------------------- */

static void put_text(struct run *x, uint32_t i);

static void put(struct run *x, const char *s, size_t len)
{
	text_put(x->e, &x->e->text, s, (uint32_t)len);
}

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void put_uuid(struct run *x)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t v[2] = { next_random(&x->e->random[0]), next_random(&x->e->random[1]) };
	unsigned char b[16];
	char text[36];
	unsigned n = 0;

	memcpy(b, v, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	for (unsigned i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		text[n++] = digits[b[i] >> 4];
		text[n++] = digits[b[i] & 15];
	}
	put(x, text, n);
}

static void put_value(struct run *x, uint8_t type, const struct val *v)
{
	char text[IPNET_TEXT_MAX];

	switch (type) {
	case NT_INT:
		put(x, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, v->num));
		break;
	case NT_BOOL:
		put(x, v->num ? "true" : "false", v->num ? 4 : 5);
		break;
	case NT_STR:
		put(x, v->s, v->len);
		break;
	default:
		if (v->len == VAL_IP_BYTES)
			put(x, text, ipnet_text((const uint8_t *)v->s, text));
	}
}

struct joined {
	struct run *x;
	uint8_t type;
	bool any;
};

static bool put_joined(void *ctx, const struct val *v)
{
	struct joined *j = ctx;

	if (j->any)
		put(j->x, ",", 1);
	j->any = true;
	put_value(j->x, j->type, v);
	return true;
}

static void put_any(struct run *x, uint32_t i)
{
	uint8_t type = node_at(x, i)->type;
	struct joined j = { .x = x, .type = program_scalar(type) };
	struct val v;

	if (program_is_array(type)) {
		eval_each(x, i, put_joined, &j);
	} else if (type == NT_STR) {
		put_text(x, i);
	} else {
		v = eval_scalar(x, i);
		put_value(x, type, &v);
	}
}

/* A STR node, behind what is there. */
static void put_text(struct run *x, uint32_t i)
{
	const struct enode *n = node_at(x, i);
	struct val v;

	switch (n->op) {
	case N_CONCAT:
		put_text(x, n->a);
		put_text(x, n->b);
		break;
	case N_TEXT:
		put_any(x, n->a);
		break;
	case N_UUID:
		put_uuid(x);
		break;
	default:
		v = eval_value(x, i);
		put(x, v.s, v.len);
	}
}

/* Whoever asks gives the room back by setting e->text.len to what it was. */
static struct val made_text(struct run *x, uint32_t i)
{
	struct text_room *t = &x->e->text;
	uint32_t start = t->len;

	put_text(x, i);
	return (struct val){ .s = t->s + start, .len = t->len - start };
}

/* ---- values of nodes ----------------------------------------------------------------------------------------------- */

struct val eval_value(struct run *x, uint32_t i)
{
	const struct enode *n = node_at(x, i);
	struct val v = no_value;

	switch (n->op) {
	case N_STR:
	case N_IP:
		v.s = program_str(&x->e->p, n->a, &v.len);
		return v;
	case N_FIELD:
		want(x, n->a);
		return catalog_get(field_at(x, n->a), x->ev);
	case N_ELEM:
		return x->elem;
	case N_CURRENT:
		return current_value(x, n->a);
	case N_VAR:
		return eval_var(x, n->a);
	case N_TEXT:
	case N_CONCAT:
	case N_UUID:
		return made_text(x, i);
	default:
		return v;
	}
}

/* Of the event's process or, with a field of its ancestors, of its target. */
static const struct proc *first_ancestor(const struct run *x, const struct cat_field *f)
{
	const struct proc *p = f->home == CAT_HOME_TARGET_ANCESTORS ? x->ev->target : x->ev->proc;

	return p ? p->parent : NULL;
}

static bool is_of_ancestors(const struct run *x, const struct enode *n)
{
	return n->op == N_FIELD && cat_is_ancestors(field_at(x, n->a)->home);
}

static bool count_one(void *ctx, const struct val *v)
{
	++*(int64_t *)ctx;
	return true;
}

static int64_t text_len(struct run *x, uint32_t i)
{
	uint32_t room = x->e->text.len;
	struct val v = eval_value(x, i);

	x->e->text.len = room;
	return v.len;
}

/* Elements of an array node, or bytes of a string. */
static int64_t eval_len(struct run *x, uint32_t i)
{
	const struct enode *n = node_at(x, i);
	bool nested = x->e->nodes[i].flags & NF_NESTED;
	const struct cat_field *f;
	const struct proc *p;
	int64_t len = 0;

	if (n->op == N_VAR && program_is_array(n->type)) {
		eval_var_each(x, n->a, count_one, &len);
		return len;
	}
	if (!is_of_ancestors(x, n))
		return text_len(x, i);
	want(x, n->a);
	f = field_at(x, n->a);
	p = first_ancestor(x, f);
	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent)
		len += nested ? proc_get(p, f->slot).len : 1;
	return len;
}

/* Arithmetic wraps. */
int64_t eval_int(struct run *x, uint32_t i)
{
	const struct enode *n = node_at(x, i);

	switch (n->op) {
	case N_INT:
	case N_BOOL:
		return n->imm;
	case N_FIELD:
		want(x, n->a);
		return catalog_get(field_at(x, n->a), x->ev).num;
	case N_ELEM:
		return x->elem.num;
	case N_CURRENT:
		return current_value(x, n->a).num;
	case N_VAR:
		return eval_var(x, n->a).num;
	case N_NOW:
		return x->ev->now_ns;
	case N_LEN:
		return eval_len(x, n->a);
	case N_ADD:
		return (int64_t)((uint64_t)eval_int(x, n->a) + (uint64_t)eval_int(x, n->b));
	case N_SUB:
		return (int64_t)((uint64_t)eval_int(x, n->a) - (uint64_t)eval_int(x, n->b));
	case N_BAND:
		return eval_int(x, n->a) & eval_int(x, n->b);
	case N_BOR:
		return eval_int(x, n->a) | eval_int(x, n->b);
	case N_BXOR:
		return eval_int(x, n->a) ^ eval_int(x, n->b);
	case N_BNOT:
		return ~eval_int(x, n->a);
	case N_NEG:
		return (int64_t)(0 - (uint64_t)eval_int(x, n->a));
	default: /* a BOOL that is compared */
		return eval_bool(x, i);
	}
}

struct val eval_scalar(struct run *x, uint32_t i)
{
	uint8_t type = node_at(x, i)->type;

	if (type == NT_INT || type == NT_BOOL)
		return (struct val){ .num = eval_int(x, i) };
	return eval_value(x, i);
}

/* ---- predicates ---------------------------------------------------------------------------------------------------- */

static bool same_str(struct val a, struct val b, bool icase)
{
	if (a.len != b.len)
		return false;
	return a.len == 0 || (icase ? ascii_same(a.s, b.s, a.len) : memcmp(a.s, b.s, a.len) == 0);
}

static bool eval_streq(struct run *x, const struct enode *n)
{
	uint32_t room = x->e->text.len;
	struct val a = eval_value(x, n->a), b = eval_value(x, n->b), a2, b2;

	x->e->text.len = room; /* what is there stays until something else is made */
	if (same_str(a, b, n->c))
		return true;
	a2 = also_value(x, n->a);
	b2 = also_value(x, n->b);
	return (a2.len && same_str(a2, b, n->c)) || (b2.len && same_str(a, b2, n->c)) ||
	       (a2.len && b2.len && same_str(a2, b2, n->c));
}

static bool match_one(struct engine *e, const struct enode *n, struct val pattern, struct val s)
{
	bool icase = n->c & MATCH_ICASE;

	if (!(n->c & MATCH_GLOB))
		return pattern_match(pattern.s, pattern.len, s.s, s.len, icase);
	return glob_init(e->glob, GLOB_COMPS, pattern.s, pattern.len, icase, NULL) == 0 &&
	       glob_match(e->glob, s.s, s.len);
}

/* A pattern that is none, because of what a variable holds, matches nothing. */
static bool eval_match(struct run *x, const struct enode *n)
{
	struct engine *e = x->e;
	uint32_t room = e->text.len;
	struct val s = eval_value(x, n->a), pattern = eval_value(x, n->b), also = also_value(x, n->a);

	e->text.len = room;
	if (!pattern.s)
		pattern.s = "";
	return match_one(e, n, pattern, s) || (also.len && match_one(e, n, pattern, also));
}

static bool eval_strin(struct run *x, const struct enode *n)
{
	uint32_t room = x->e->text.len;
	struct val v = eval_value(x, n->a), also = also_value(x, n->a);

	x->e->text.len = room;
	return terms_set_match(&x->e->terms, n->b, v.s, v.len) ||
	       (also.len && terms_set_match(&x->e->terms, n->b, also.s, also.len));
}

/* A place of the event is asked for all rules at once. */
static bool eval_atom(struct run *x, uint32_t i)
{
	struct engine *e = x->e;
	const struct enode *n = &e->nodes[i];
	const struct column *col = &e->columns.v[n->atom.column];

	if (col->fetched)
		want(x, col->field);

	return n->atom_kind == ATOM_SET ? columns_in_set(&e->columns, n->atom.column, n->atom.what, x->ev, e->stamp)
					: columns_has(&e->columns, n->atom.column, n->atom.what, x->ev, e->stamp);
}

static bool ip_match(struct val a, struct val b)
{
	return a.len == VAL_IP_BYTES && b.len == VAL_IP_BYTES &&
	       ipnet_match((const uint8_t *)a.s, (const uint8_t *)b.s);
}

/* c: every network has to match, not only one. */
static bool eval_ipin(struct run *x, const struct enode *n)
{
	const struct ipset *set = &x->e->p.ipsets[n->b];
	struct val v = eval_value(x, n->a);
	bool all = n->c;

	for (uint32_t i = set->first; i < set->first + set->count; i++) {
		struct val net = no_value;

		net.s = program_str(&x->e->p, x->e->p.ips[i], &net.len);
		if (ip_match(v, net) != all)
			return !all;
	}
	return all;
}

static bool each_of(const struct val *arr, uint32_t len, bool (*f)(void *ctx, const struct val *v), void *ctx)
{
	for (uint32_t i = 0; i < len; i++)
		if (!f(ctx, &arr[i]))
			return false;
	return true;
}

/* @also: what a value also goes by is one more. */
static void each_of_ancestors(struct run *x, const struct cat_field *field, bool nested, bool also,
			      bool (*f)(void *ctx, const struct val *v), void *ctx)
{
	const struct proc *p = first_ancestor(x, field);

	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent) {
		struct val v = proc_get(p, field->slot);

		if (!(nested ? each_of(v.arr, v.len, f, ctx) : f(ctx, &v)))
			return;
		if (!also || !field->also)
			continue;
		v = proc_get(p, field->also);
		if (v.len && !f(ctx, &v))
			return;
	}
}

void eval_each(struct run *x, uint32_t i, bool (*f)(void *ctx, const struct val *v), void *ctx)
{
	const struct enode *n = node_at(x, i);
	struct val v;

	if (n->op == N_VAR) {
		eval_var_each(x, n->a, f, ctx);
	} else if (is_of_ancestors(x, n)) {
		want(x, n->a);
		each_of_ancestors(x, field_at(x, n->a), x->e->nodes[i].flags & NF_NESTED, true, f, ctx);
	} else {
		v = eval_value(x, i);
		each_of(v.arr, v.len, f, ctx);
	}
}

void eval_field_each(struct run *x, uint32_t field, bool (*f)(void *ctx, const struct val *v), void *ctx)
{
	const struct catalog *c = x->e->p.catalog;
	const struct cat_field *fld = &c->fields[field];
	struct val v;

	want(x, field);
	if (cat_is_ancestors(fld->home)) {
		each_of_ancestors(x, fld, program_field_several(c, fld), false, f, ctx);
		return;
	}
	v = catalog_get(fld, x->ev);
	if (fld->flags & CF_ARRAY)
		each_of(v.arr, v.len, f, ctx);
	else
		f(ctx, &v);
}

struct any {
	struct run *x;
	uint32_t body;
	bool found;
};

static bool any_one(void *ctx, const struct val *v)
{
	struct any *a = ctx;

	a->x->elem = *v;
	a->found = eval_bool(a->x, a->body);
	return !a->found;
}

static bool eval_any(struct run *x, const struct enode *n)
{
	struct any a = { .x = x, .body = n->b };
	struct val outer = x->elem;

	eval_each(x, n->a, any_one, &a);
	x->elem = outer;
	return a.found;
}

/* One element against all of another array. */
struct meet {
	struct run *x;
	const struct enode *n;
	struct val v;
	bool found;
};

static bool meet_inner(void *ctx, const struct val *v)
{
	struct meet *m = ctx;
	const struct enode *a = node_at(m->x, m->n->a);

	switch (a->type) {
	case NT_INTS:
	case NT_BOOLS:
		m->found = m->v.num == v->num;
		break;
	case NT_IPS:
		m->found = ip_match(m->v, *v);
		break;
	default:
		m->found = m->v.len == v->len && (v->len == 0 || (m->n->c ? ascii_same(m->v.s, v->s, v->len)
									  : memcmp(m->v.s, v->s, v->len) == 0));
	}
	return !m->found;
}

static bool meet_outer(void *ctx, const struct val *v)
{
	struct meet *m = ctx;

	m->v = *v;
	eval_each(m->x, m->n->b, meet_inner, m);
	return !m->found;
}

static bool eval_meet(struct run *x, const struct enode *n)
{
	struct meet m = { .x = x, .n = n };

	eval_each(x, n->a, meet_outer, &m);
	return m.found;
}

static bool exists_ancestor(struct run *x, const struct enode *n)
{
	const struct proc *p = first_ancestor(x, field_at(x, n->b));

	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent) {
		x->current = p;
		if (eval_bool(x, n->a))
			return true;
	}
	return false;
}

static bool exists_position(struct run *x, const struct enode *n, uint32_t len)
{
	for (uint32_t k = 0; k < len && k < VAL_ANCESTORS_MAX; k++) {
		x->position = k;
		if (eval_bool(x, n->a))
			return true;
	}
	return false;
}

static bool eval_exists(struct run *x, const struct enode *n)
{
	const struct cat_field *f = field_at(x, n->b);
	const struct proc *outer = x->current;
	uint32_t outer_position = x->position;
	bool found;

	found = cat_is_ancestors(f->home) ? exists_ancestor(x, n) : exists_position(x, n, catalog_get(f, x->ev).len);
	x->current = outer;
	x->position = outer_position;
	return found;
}

static bool eval_op(struct run *x, uint32_t i)
{
	const struct engine *e = x->e;
	const struct enode *n = node_at(x, i);

	switch (n->op) {
	case N_AND:
		return eval_bool(x, n->a) && eval_bool(x, n->b);
	case N_OR:
		return eval_bool(x, n->a) || eval_bool(x, n->b);
	case N_NOT:
		return !eval_bool(x, n->a);
	case N_EQ:
		return eval_int(x, n->a) == eval_int(x, n->b);
	case N_LT:
		return eval_int(x, n->a) < eval_int(x, n->b);
	case N_LE:
		return eval_int(x, n->a) <= eval_int(x, n->b);
	case N_STREQ:
		return eval_streq(x, n);
	case N_STRIN:
		return e->nodes[i].flags & NF_ATOM ? eval_atom(x, i) : eval_strin(x, n);
	case N_INTIN:
		return program_intset_has(&x->e->p, n->b, eval_int(x, n->a));
	case N_IPIN:
		return eval_ipin(x, n);
	case N_IPEQ:
		return ip_match(eval_value(x, n->a), eval_value(x, n->b));
	case N_ANY:
		return e->nodes[i].flags & NF_ATOM ? eval_atom(x, i) : eval_any(x, n);
	case N_EXISTS:
		return eval_exists(x, n);
	case N_MATCH:
		return eval_match(x, n);
	case N_MEET:
		return eval_meet(x, n);
	default: /* N_BOOL, N_FIELD, N_ELEM, N_CURRENT, N_VAR */
		return eval_int(x, i) != 0;
	}
}

/* Recursion is as deep as the nodes are, at most PROGRAM_DEPTH_MAX. */
bool eval_bool(struct run *x, uint32_t i)
{
	struct engine *e = x->e;
	struct enode *n = &e->nodes[i];
	uint32_t stamp = n->flags & NF_MEMO ? e->stamp : e->var_stamp;
	bool v;

	if (!(n->flags & (NF_MEMO | NF_UNTIL_SET)))
		return eval_op(x, i);
	if (n->memo >> 1 == stamp)
		return n->memo & 1;
	v = eval_op(x, i);
	n->memo = stamp << 1 | v;
	return v;
}
