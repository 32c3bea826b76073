/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/clauses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/ipnet.h"

#define SET_AS_EQUALS  8  /* a larger set of integers is tested by its range */
#define SET_AS_UNEQUAL 16 /* elements of a set that "not in" tests one by one */

/* ---- formulas ------------------------------------------------------------------------------------------------------ */

int64_t formula_add(struct clauses *c, uint8_t op, bool neg, uint32_t uses, uint32_t a, uint32_t b)
{
	struct formula f = { .op = op, .neg = neg, .uses = (uint16_t)uses, .a = a, .b = b };

	return intern_put(&c->formulas, &f, sizeof(f), NULL);
}

/* Whether both are of one automaton that looks for what is somewhere: then no place tells that both hold. */
static bool both_loose(const struct clauses *c, uint32_t a, uint32_t b)
{
	uint16_t uses = formula_at(c, a)->uses;

	if (uses != formula_at(c, b)->uses)
		return false;
	for (unsigned k = 0; k < SV_AUTOMATA; k++)
		if (uses == 1u << k)
			return clauses_loose(c->event, k);
	return false;
}

int64_t formula_logic(struct clauses *c, uint8_t op, uint32_t a, uint32_t b)
{
	uint32_t absorbing = op == F_AND ? FORMULA_FALSE : FORMULA_TRUE,
		 neutral = op == F_AND ? FORMULA_TRUE : FORMULA_FALSE;

	if (a == b || b == neutral || a == absorbing)
		return a;
	if (a == neutral || b == absorbing)
		return b;
	if (op == F_AND && both_loose(c, a, b))
		return clauses_rarer(c, a, b);
	if (a > b) {
		uint32_t t = a;

		a = b;
		b = t;
	}
	return formula_add(c, op, false, formula_at(c, a)->uses | formula_at(c, b)->uses, a, b);
}

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

/* A number that the kernel has: (slot & and). */
struct number {
	uint8_t slot;
	uint64_t and;
};

static bool number_of_field(const struct program *p, uint16_t event, const struct node *n, struct number *ret)
{
	uint16_t index;
	int sieve;

	if (n->op != N_FIELD)
		return false;
	sieve = catalog_sieve(p->catalog, &p->catalog->fields[n->a], event, &index);
	if (sieve == CAT_SIEVE_NUM || sieve == CAT_SIEVE_RIGHTS ? index >= EV_NUM_MAX
								: !cat_sieve_is_id(sieve) && sieve != CAT_SIEVE_RETVAL)
		return false;
	*ret = (struct number){ .slot = (uint8_t)index, .and = sieve == CAT_SIEVE_RIGHTS ? CAT_RIGHTS : UINT64_MAX };
	return true;
}

static bool number_of_node(const struct program *p, uint16_t event, uint32_t i, struct number *ret)
{
	const struct node *n = &p->nodes[i], *a = &p->nodes[n->a], *b = &p->nodes[n->b];

	if (n->op != N_BAND)
		return number_of_field(p, event, n, ret);
	if (a->op == N_INT && number_of_field(p, event, b, ret)) {
		ret->and &= (uint64_t)a->imm;
		return true;
	}
	if (b->op == N_INT && number_of_field(p, event, a, ret)) {
		ret->and &= (uint64_t)b->imm;
		return true;
	}
	return false;
}

static int64_t add_pred(struct clauses *c, bool neg, const struct number *v, uint8_t op, int64_t rhs)
{
	struct clause_pred pred = { .slot = v->slot, .op = op, .and = v->and, .rhs = rhs };
	int64_t i = intern_put(&c->preds, &pred, sizeof(pred), NULL);

	return i < 0 ? i : formula_add(c, F_PRED, neg, USES_PREDS, (uint32_t)i, 0);
}

static int64_t add_const(bool v)
{
	return v ? FORMULA_TRUE : FORMULA_FALSE;
}

/* v == rhs. One spelling for "this flag is set" and "it is not", however they are written. */
static int64_t add_equal(struct clauses *c, bool neg, const struct number *v, int64_t rhs)
{
	bool one_bit = v->and &&!(v->and &(v->and -1));

	if ((uint64_t)rhs & ~v->and)
		return add_const(neg);
	if (one_bit && rhs)
		return add_pred(c, !neg, v, SV_OP_EQ, 0);
	return add_pred(c, neg, v, SV_OP_EQ, rhs);
}

/* v <= rhs */
static int64_t add_at_most(struct clauses *c, bool neg, const struct number *v, int64_t rhs)
{
	bool not_negative = !(v->and >> 63);

	if (rhs == INT64_MAX)
		return add_const(!neg);
	if (not_negative && rhs < 0)
		return add_const(neg);
	if (not_negative && rhs == 0)
		return add_equal(c, neg, v, 0);
	return add_pred(c, neg, v, SV_OP_LE, rhs);
}

static int64_t add_less(struct clauses *c, bool neg, const struct number *v, int64_t rhs)
{
	return rhs == INT64_MIN ? add_const(neg) : add_at_most(c, neg, v, rhs - 1);
}

/* FORMULA_TRUE where the kernel cannot tell. */
static int64_t add_compare(struct clauses *c, bool neg, const struct node *n)
{
	const struct node *a = &c->p->nodes[n->a], *b = &c->p->nodes[n->b];
	struct number v;

	if (b->op == N_INT && number_of_node(c->p, c->event, n->a, &v))
		return n->op == N_EQ   ? add_equal(c, neg, &v, b->imm)
		       : n->op == N_LT ? add_less(c, neg, &v, b->imm)
				       : add_at_most(c, neg, &v, b->imm);
	if (a->op == N_INT && number_of_node(c->p, c->event, n->b, &v))
		return n->op == N_EQ   ? add_equal(c, neg, &v, a->imm)
		       : n->op == N_LT ? add_at_most(c, !neg, &v, a->imm)
				       : add_less(c, !neg, &v, a->imm);
	return FORMULA_TRUE;
}

/* min <= v <= max */
static int64_t add_range(struct clauses *c, bool neg, const struct number *v, int64_t min, int64_t max)
{
	int64_t low = add_less(c, !neg, v, min), high = add_at_most(c, neg, v, max);

	if (low < 0 || high < 0)
		return low < 0 ? low : high;
	return formula_logic(c, neg ? F_OR : F_AND, (uint32_t)low, (uint32_t)high);
}

static bool set_is_range(const int64_t *v, uint32_t n)
{
	return n > 2 && (uint64_t)v[n - 1] - (uint64_t)v[0] == n - 1;
}

/* Without gaps the range says it all. With gaps, "in" is weakened to the range, "not in" to the first elements. */
static int64_t add_intin(struct clauses *c, bool neg, const struct node *n)
{
	const struct intset *set = &c->p->intsets[n->b];
	const int64_t *v = c->p->ints + set->first;
	int64_t all = neg ? FORMULA_TRUE : FORMULA_FALSE;
	struct number num;

	if (!number_of_node(c->p, c->event, n->a, &num))
		return FORMULA_TRUE;
	if (set->count == 0)
		return add_const(neg);
	if (set_is_range(v, set->count) || (!neg && set->count > SET_AS_EQUALS))
		return add_range(c, neg, &num, v[0], v[set->count - 1]);
	for (uint32_t i = 0; i < set->count && i < SET_AS_UNEQUAL && all >= 0; i++) {
		int64_t one = add_equal(c, neg, &num, v[i]);

		all = one < 0 ? one : formula_logic(c, neg ? F_AND : F_OR, (uint32_t)all, (uint32_t)one);
	}
	return all;
}

/* ---- strings and addresses ----------------------------------------------------------------------------------------- */

bool clauses_kin_string(const struct program *p, uint16_t event, uint32_t i, uint8_t op, uint8_t home,
			struct clause_string *ret)
{
	const struct node *n = &p->nodes[i];
	uint16_t index;
	int sieve;

	if (event != EV_EXEC || n->op != op || p->catalog->fields[n->a].home != home)
		return false;
	sieve = catalog_kin(p->catalog, &p->catalog->fields[n->a], &index);
	if (sieve == CAT_SIEVE_NONE)
		return false;
	*ret = (struct clause_string){ .automaton = (uint8_t)index, .name = sieve == CAT_SIEVE_NAME };
	return true;
}

static bool string_of_node(const struct program *p, uint16_t event, uint32_t i, bool addr, struct clause_string *ret)
{
	const struct node *n = &p->nodes[i];
	uint16_t index;
	int sieve;

	if (n->op != N_FIELD)
		return false;
	if (!addr && clauses_kin_string(p, event, i, N_FIELD, CAT_HOME_PARENT, ret))
		return true;
	sieve = catalog_sieve(p->catalog, &p->catalog->fields[n->a], event, &index);
	if (addr ? sieve != CAT_SIEVE_ADDR : !cat_sieve_is_string(sieve))
		return false;
	if (index >= SV_AUTOMATA || (index == SV_AUT_ADDR) != addr)
		return false;
	*ret = (struct clause_string){ .automaton = (uint8_t)index, .name = sieve == CAT_SIEVE_NAME };
	return true;
}

/* Whether an address is a public one, which its bytes say. */
static bool public_of_node(const struct program *p, uint16_t event, const struct node *n, struct clause_string *ret)
{
	uint16_t index;

	if (n->op != N_FIELD || catalog_sieve(p->catalog, &p->catalog->fields[n->a], event, &index) != CAT_SIEVE_PUBLIC)
		return false;
	*ret = (struct clause_string){ .automaton = (uint8_t)index };
	return true;
}

int clauses_put_pattern(struct clauses *c, const struct clause_pattern *pat)
{
	int64_t i = intern_put(&c->patterns, pat, sizeof(*pat), NULL);
	int r;

	if (i < 0)
		return (int)i;
	r = array_room(&c->atom_patterns, &c->atom_patterns_cap, c->natom_patterns + 1, sizeof(*c->atom_patterns));
	if (r < 0)
		return r;
	c->atom_patterns[c->natom_patterns++] = (uint32_t)i;
	return 0;
}

int clauses_put_made(struct clauses *c, const struct clause_pattern *pat, const void *text, uint32_t len)
{
	struct clause_pattern made = *pat;
	int64_t at = intern_put(&c->texts, text, len, NULL);

	if (at < 0)
		return (int)at;
	made.str = (uint32_t)at;
	made.made = 1;
	return clauses_put_pattern(c, &made);
}

/* Whether the kernel reads the string from its end on: patterns stand the other way round, too, and globs cannot. */
static bool is_turned(const struct clauses *c, const struct clause_string *s)
{
	return c->event == EV_DNS && s->automaton == SV_AUT_QUESTION;
}

/* '*' is the only thing in such a pattern that means something, and the same there. */
static int put_turned(struct clauses *c, const struct clause_pattern *pat)
{
	uint32_t len;
	const char *text = program_str(c->p, pat->str, &len);
	_cleanup_free_ char *back = malloc((size_t)len + 1);

	if (!back)
		return -ENOMEM;
	for (uint32_t i = 0; i < len; i++)
		back[i] = text[len - 1 - i];
	return clauses_put_made(c, pat, back, len);
}

static int put_pattern(struct clauses *c, const struct clause_string *s, uint32_t str, uint8_t kind, uint8_t icase)
{
	struct clause_pattern pat = {
		.str = str, .kind = kind, .icase = icase, .name = s->name, .automaton = s->automaton
	};

	return is_turned(c, s) ? put_turned(c, &pat) : clauses_put_pattern(c, &pat);
}

const char *clauses_pattern_text(const struct clauses *c, const struct clause_pattern *pat, uint32_t *ret_len)
{
	if (!pat->made)
		return program_str(c->p, pat->str, ret_len);
	*ret_len = intern_size(&c->texts, pat->str);
	return intern_get(&c->texts, pat->str);
}

static int put_strset(struct clauses *c, const struct clause_string *s, const struct strset *set,
		      struct clause_atom *atom)
{
	static const uint8_t kinds[] = { [STRM_EXACT] = PAT_EXACT, [STRM_PATTERN] = PAT_STARS, [STRM_GLOB] = PAT_GLOB };

	for (uint32_t i = set->first; i < set->first + set->count; i++) {
		const struct strm *m = &c->p->strms[i];
		int r = 0;

		if (m->kind == STRM_REGEX) {
			uint32_t len;
			const char *text = program_str(c->p, m->str, &len);

			r = c->event == EV_EXEC && s->automaton == SV_AUT_COMM
				    ? clauses_put_need(c, text, len, m->icase)
				    : 1;
			atom->open = atom->open || r == 1;
		} else if (m->kind == STRM_GLOB && is_turned(c, s)) {
			atom->open = true;
		} else {
			r = put_pattern(c, s, m->str, kinds[m->kind], m->icase);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* The networks of which no address is public. */
static int put_not_public(struct clauses *c, const struct clause_string *s)
{
	const struct clause_pattern pat = { .kind = PAT_NET, .automaton = s->automaton };
	size_t n;
	const uint8_t(*nets)[IPNET_BYTES] = ipnet_not_public(&n);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = clauses_put_made(c, &pat, nets[i], IPNET_BYTES);
	return r;
}

/* The patterns of the atom that is node @i, or with @sub one network of the set of node @i. */
static int put_patterns(struct clauses *c, const struct clause_string *s, uint32_t i, int64_t sub,
			struct clause_atom *atom)
{
	const struct node *n = &c->p->nodes[i], *b = &c->p->nodes[n->b];
	const struct ipset *nets;
	int r = 0;

	switch (n->op) {
	case N_STREQ:
		return put_pattern(c, s, b->op == N_STR ? b->a : c->p->nodes[n->a].a, PAT_EXACT, (uint8_t)n->c);
	case N_STRIN:
		return put_strset(c, s, &c->p->strsets[n->b], atom);
	case N_IPEQ:
		return put_pattern(c, s, b->op == N_IP ? b->a : c->p->nodes[n->a].a, PAT_NET, 0);
	case N_FIELD:
		return put_not_public(c, s);
	default: /* N_IPIN */
		nets = &c->p->ipsets[n->b];
		for (uint32_t k = 0; k < nets->count && r == 0; k++)
			if (sub < 0 || sub == k)
				r = put_pattern(c, s, c->p->ips[nets->first + k], PAT_NET, 0);
		return r;
	}
}

int64_t clauses_atom(struct clauses *c, uint32_t node, int64_t sub, bool *ret_new)
{
	struct {
		uint32_t node;
		int32_t sub;
	} key = { node, (int32_t)sub };
	int64_t at = intern_put(&c->atom_keys, &key, sizeof(key), ret_new);
	int r = at < 0 ? (int)at : array_room(&c->atoms, &c->atoms_cap, c->natoms + 1, sizeof(*c->atoms));

	return r < 0 ? r : at;
}

int64_t clauses_add_atom(struct clauses *c, bool neg, const struct clause_string *s, uint32_t key, uint32_t i,
			 int64_t sub)
{
	struct clause_atom atom = { .node = key, .automaton = s->automaton, .name = s->name };
	bool is_new;
	int64_t at = clauses_atom(c, key, sub, &is_new);
	int r;

	if (at < 0)
		return at;
	if (is_new) {
		atom.first = c->natom_patterns;
		r = put_patterns(c, s, i, sub, &atom);
		if (r < 0)
			return r;
		atom.count = c->natom_patterns - atom.first;
		c->atoms[c->natoms++] = atom;
	}
	return formula_add(c, F_ATOM, neg, 1u << s->automaton, (uint32_t)at, 0);
}

static int64_t add_atom(struct clauses *c, bool neg, const struct clause_string *s, uint32_t i, int64_t sub)
{
	return clauses_add_atom(c, neg, s, i, i, sub);
}

/* Every network of the set has to match: an atom each. */
static int64_t add_allin(struct clauses *c, bool neg, const struct clause_string *s, uint32_t i)
{
	uint32_t n = c->p->ipsets[c->p->nodes[i].b].count;
	int64_t all = neg ? FORMULA_FALSE : FORMULA_TRUE;

	for (uint32_t k = 0; k < n && all >= 0; k++) {
		int64_t one = add_atom(c, neg, s, i, k);

		all = one < 0 ? one : formula_logic(c, neg ? F_OR : F_AND, (uint32_t)all, (uint32_t)one);
	}
	return all;
}

/* The operand of node @i that is a field the kernel has, where the other one is a constant. */
static bool string_operand(const struct program *p, uint16_t event, const struct node *n, struct clause_string *ret)
{
	bool addr = n->op == N_IPEQ;
	uint8_t constant = addr ? N_IP : N_STR;

	if (p->nodes[n->b].op == constant)
		return string_of_node(p, event, n->a, addr, ret);
	return p->nodes[n->a].op == constant && string_of_node(p, event, n->b, addr, ret);
}

static bool is_field(const struct program *p, uint32_t i, uint8_t home, uint16_t event)
{
	const struct node *n = &p->nodes[i];

	return n->op == N_FIELD && p->catalog->fields[n->a].home == home &&
	       (home == CAT_HOME_PROC || p->catalog->fields[n->a].event == event);
}

/* The path in the record's first string against that of the acting process's program. */
static bool is_self(const struct program *p, uint16_t event, const struct node *n)
{
	uint32_t path = is_field(p, n->a, CAT_HOME_PROC, event) ? n->b : n->a, own = path == n->a ? n->b : n->a;
	uint16_t index;

	if (n->c || event == EV_EXEC || event == EV_FORK || !is_field(p, path, CAT_HOME_EVENT, event) ||
	    !is_field(p, own, CAT_HOME_PROC, event) || p->catalog->fields[p->nodes[own].a].slot != SLOT_PROC_FILE_PATH)
		return false;
	return catalog_sieve(p->catalog, &p->catalog->fields[p->nodes[path].a], event, &index) == CAT_SIEVE_PATH &&
	       index == SV_AUT_PATH0 && p->catalog->fields[p->nodes[path].a].index == 0;
}

static int64_t add_special(struct clauses *c, uint8_t slot, int64_t rhs)
{
	const struct number special = { .slot = slot, .and = UINT64_MAX };

	return add_pred(c, false, &special, SV_OP_EQ, rhs);
}

/* What is asked by @f, of a condition that does not hold as long as a variable is set nowhere. */
static int64_t add_lacking(struct clauses *c, bool neg, uint32_t i, int64_t f)
{
	uint8_t var = c->lacks ? c->lacks[2 * (size_t)i + neg] : 0;
	int64_t set;

	if (!var || f < 0)
		return f;
	set = add_special(c, SV_SLOT_VAR, var - 1);
	return set < 0 ? set : formula_logic(c, F_AND, (uint32_t)set, (uint32_t)f);
}

/* Whether the kernel can know of an exec that the field is empty: SV_SLOT_CONTAINED, SV_SLOT_TTY, or 0. */
static uint8_t slot_of_empty(const struct program *p, uint16_t event, uint32_t i)
{
	const struct node *n = &p->nodes[i];
	const struct cat_field *f;

	if (event != EV_EXEC || n->op != N_FIELD)
		return 0;
	f = &p->catalog->fields[n->a];
	if (f->home == CAT_HOME_PROC && f->slot == SLOT_PROC_TTY_NAME)
		return SV_SLOT_TTY;
	if ((f->home == CAT_HOME_PROC && f->slot == SLOT_PROC_CONTAINER_ID) ||
	    (f->home == CAT_HOME_BASE &&
	     (f->slot == SLOT_BASE_CONTAINER_RUNTIME || f->slot == SLOT_BASE_CONTAINER_TAGS)))
		return SV_SLOT_CONTAINED;
	return 0;
}

/* The like where the predicate, or what denies it, is false for an empty field. */
static uint8_t slot_of_not_empty(const struct program *p, uint16_t event, bool neg, uint32_t i)
{
	const struct node *n = &p->nodes[i];
	uint32_t len;
	bool left;

	if (n->op == N_ANY)
		return neg ? 0 : slot_of_empty(p, event, n->a);
	if (n->op != N_STREQ)
		return 0;
	left = p->nodes[n->b].op == N_STR;
	if (!left && p->nodes[n->a].op != N_STR)
		return 0;
	program_str(p, p->nodes[left ? n->b : n->a].a, &len);
	return (len > 0) != neg ? slot_of_empty(p, event, left ? n->a : n->b) : 0;
}

static int64_t add_string(struct clauses *c, bool neg, uint32_t i)
{
	const struct node *n = &c->p->nodes[i];
	struct clause_string s;

	if (n->op == N_STREQ && is_self(c->p, c->event, n))
		return neg ? FORMULA_TRUE : add_special(c, SV_SLOT_SELF, 1);
	if (n->op == N_STREQ || n->op == N_IPEQ)
		return string_operand(c->p, c->event, n, &s) ? add_atom(c, neg, &s, i, -1) : FORMULA_TRUE;
	if (!string_of_node(c->p, c->event, n->a, n->op == N_IPIN, &s))
		return FORMULA_TRUE;
	return n->op == N_IPIN && n->c ? add_allin(c, neg, &s, i) : add_atom(c, neg, &s, i, -1);
}

/* ---- the rule's graph ---------------------------------------------------------------------------------------------- */

static int64_t add_predicate(struct clauses *c, bool neg, uint32_t i)
{
	const struct node *n = &c->p->nodes[i];
	uint8_t special = slot_of_not_empty(c->p, c->event, neg, i);
	struct clause_string s;
	struct number v;
	int64_t f;

	if (special)
		return add_special(c, special, 1);
	switch (n->op) {
	case N_BOOL:
		return add_const((n->imm != 0) != neg);
	case N_EQ:
	case N_LT:
	case N_LE:
		return add_compare(c, neg, n);
	case N_INTIN:
		return add_intin(c, neg, n);
	case N_FIELD:
		if (public_of_node(c->p, c->event, n, &s))
			return add_atom(c, !neg, &s, i, -1);
		return number_of_field(c->p, c->event, n, &v) ? add_equal(c, !neg, &v, 0) : FORMULA_TRUE;
	case N_STREQ:
	case N_STRIN:
		f = add_string(c, neg, i);
		return f == FORMULA_TRUE ? clauses_looked_for(c, neg, i) : f;
	case N_ANY:
		f = clauses_above(c, neg, i);
		return f == FORMULA_TRUE ? clauses_looked_for(c, neg, i) : f;
	case N_EXISTS:
		return clauses_above(c, neg, i);
	case N_IPIN:
	case N_IPEQ:
		return add_string(c, neg, i);
	default:
		return FORMULA_TRUE;
	}
}

/* Recursion is as deep as the program's nodes are, at most PROGRAM_DEPTH_MAX. */
static int64_t add_node(struct clauses *c, bool neg, uint32_t i)
{
	const struct node *n = &c->p->nodes[i];
	uint32_t *memo = &c->memo[2 * (size_t)i + neg];
	enum truth truth = c->unseen ? unseen_truth(c->unseen, i) : TRUTH_OPEN;
	int64_t a, b, f;

	if (*memo)
		return *memo - 1;
	if (truth != TRUTH_OPEN) {
		f = add_const((truth == TRUTH_TRUE) != neg);
	} else if (n->op == N_NOT) {
		f = add_node(c, !neg, n->a);
	} else if (n->op == N_AND || n->op == N_OR) {
		a = add_node(c, neg, n->a);
		b = a < 0 ? a : add_node(c, neg, n->b);
		f = b < 0 ? b : formula_logic(c, (n->op == N_AND) != neg ? F_AND : F_OR, (uint32_t)a, (uint32_t)b);
	} else {
		f = add_lacking(c, neg, i, add_predicate(c, neg, i));
	}
	if (f >= 0)
		*memo = (uint32_t)f + 1;
	return f;
}

int clauses_init(struct clauses *c, const struct program *p, const struct unseen *u, uint16_t event)
{
	struct formula t = { .op = F_TRUE }, f = { .op = F_FALSE };
	int64_t r;

	*c = (struct clauses){ .p = p, .unseen = u, .event = event };
	c->memo = calloc(2 * (size_t)p->nnodes + 2, sizeof(*c->memo));
	if (!c->memo)
		return -ENOMEM;
	r = intern_put(&c->formulas, &t, sizeof(t), NULL);
	if (r == FORMULA_TRUE)
		r = intern_put(&c->formulas, &f, sizeof(f), NULL);
	return r < 0 ? (int)r : 0;
}

void clauses_seal(struct clauses *c)
{
	free(c->memo);
	free(c->terms);
	free(c->terms_of);
	c->memo = NULL;
	c->terms = NULL;
	c->terms_of = NULL;
}

void clauses_done(struct clauses *c)
{
	clauses_seal(c);
	intern_done(&c->preds);
	intern_done(&c->patterns);
	intern_done(&c->texts);
	intern_done(&c->atom_keys);
	intern_done(&c->formulas);
	free(c->atoms);
	free(c->atom_patterns);
	*c = (struct clauses){ 0 };
}

int clauses_of(struct clauses *c, uint32_t root, const struct clause_term **ret_terms, uint32_t *ret_n, bool *ret_weak)
{
	int64_t f = add_node(c, false, root);
	int r;

	if (f < 0)
		return (int)f;
	r = clauses_terms(c, (uint32_t)f);
	if (r < 0)
		return r;
	*ret_terms = c->terms ? c->terms + c->terms_of[f].first : NULL;
	*ret_n = c->terms_of[f].count;
	*ret_weak = c->terms_of[f].weak;
	return 0;
}

/* ---- who decides --------------------------------------------------------------------------------------------------- */

static enum clause_why why_field(const struct program *p, uint16_t event, uint32_t i)
{
	const struct node *n = &p->nodes[i];
	const struct cat_field *f;
	struct number v;
	struct clause_string s;

	if (n->op == N_VAR)
		return WHY_VARIABLE;
	if (n->op != N_FIELD)
		return n->op == N_CURRENT || n->op == N_ELEM ? WHY_OTHERS : WHY_SHAPE;
	f = &p->catalog->fields[n->a];
	if (clauses_kin_string(p, event, i, N_FIELD, CAT_HOME_PARENT, &s))
		return WHY_KERNEL;
	/* an exec is decided by those above alone, a fork by nobody */
	if (catalog_stays(f) && event != EV_FORK && (event != EV_EXEC || f->home != CAT_HOME_PROC))
		return WHY_PROCESS;
	if (f->home != CAT_HOME_BASE && f->home != CAT_HOME_EVENT && f->home != CAT_HOME_PROC)
		return WHY_OTHERS;
	if (number_of_field(p, event, n, &v) || string_of_node(p, event, i, f->type == VAL_IP, &s) ||
	    public_of_node(p, event, n, &s))
		return WHY_KERNEL;
	return WHY_FIELD;
}

static enum clause_why why_number(const struct program *p, uint16_t event, uint32_t i)
{
	const struct node *n = &p->nodes[i];
	struct number v;

	if (number_of_node(p, event, i, &v))
		return WHY_KERNEL;
	if (n->op == N_BAND && p->nodes[n->b].op == N_INT)
		return why_field(p, event, n->a);
	return why_field(p, event, i);
}

static enum clause_why why_strin(const struct program *p, const struct strset *set)
{
	uint32_t regexes = 0;

	for (uint32_t i = set->first; i < set->first + set->count; i++)
		regexes += p->strms[i].kind == STRM_REGEX;
	return !regexes ? WHY_KERNEL : regexes == set->count ? WHY_REGEX : WHY_PARTLY;
}

static enum clause_why why_pair(const struct program *p, uint16_t event, const struct node *n, bool number)
{
	const struct node *a = &p->nodes[n->a], *b = &p->nodes[n->b];
	bool const_a = a->op == N_INT || a->op == N_STR || a->op == N_IP;
	bool const_b = b->op == N_INT || b->op == N_STR || b->op == N_IP;

	if (a->op == N_VAR || b->op == N_VAR)
		return WHY_VARIABLE;
	if (const_a == const_b)
		return WHY_SHAPE;
	return number ? why_number(p, event, const_b ? n->a : n->b) : why_field(p, event, const_b ? n->a : n->b);
}

enum clause_why clauses_why(const struct program *p, uint16_t event, uint32_t node)
{
	const struct node *n = &p->nodes[node];
	const struct intset *ints;
	enum clause_why why;

	if (clauses_is_words(p, event, node))
		return WHY_WORD;
	if (clauses_is_above(p, event, node))
		return WHY_ABOVE;
	if (slot_of_not_empty(p, event, false, node) || slot_of_not_empty(p, event, true, node))
		return WHY_EMPTY;
	switch (n->op) {
	case N_BOOL:
		return WHY_KERNEL;
	case N_FIELD:
		return why_field(p, event, node);
	case N_EQ:
	case N_LT:
	case N_LE:
		return why_pair(p, event, n, true);
	case N_STREQ:
		return is_self(p, event, n) ? WHY_SELF : why_pair(p, event, n, false);
	case N_IPEQ:
		return why_pair(p, event, n, false);
	case N_INTIN:
		ints = &p->intsets[n->b];
		why = why_number(p, event, n->a);
		if (why != WHY_KERNEL || ints->count <= SET_AS_EQUALS ||
		    set_is_range(p->ints + ints->first, ints->count))
			return why;
		return WHY_PARTLY;
	case N_STRIN:
		why = why_field(p, event, n->a);
		return why == WHY_KERNEL ? why_strin(p, &p->strsets[n->b]) : why;
	case N_IPIN:
		return why_field(p, event, n->a);
	case N_ANY:
	case N_EXISTS:
		return WHY_OTHERS;
	default:
		return WHY_SHAPE;
	}
}

/* Recursion is as deep as a predicate is, at most PROGRAM_DEPTH_MAX. */
const struct cat_field *clauses_field(const struct program *p, uint32_t node)
{
	const struct node *n = &p->nodes[node];
	unsigned operands = program_operands(n->op);
	const struct cat_field *f = NULL;

	if (n->op == N_FIELD || n->op == N_CURRENT)
		return &p->catalog->fields[n->a];
	if (operands & 1)
		f = clauses_field(p, n->a);
	return !f && (operands & 2) ? clauses_field(p, n->b) : f;
}
