/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules of a program say, each by itself and beside others. All of it errs on the quiet side: a contradiction or an
 * implication that is not seen is not told; what is told holds.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/glob.h"
#include "lib/ipnet.h"
#include "policy-compiler/clauses.h"
#include "policy-compiler/dnf.h"
#include "policy-compiler/lint.h"
#include "policy-compiler/node_text.h"

#define LINT_MEMORY_MAX (512u << 20)
#define PART_TEXT_MAX	160
#define COMPARISONS_MAX (1u << 20) /* of two clauses: beyond, rules are not told to be shadowed */
#define SET_VALUES_MAX	256	   /* of a set that is looked at value by value */

/* One rule of the program with what it asks for. */
struct asked {
	struct compile_rule *rule;
	const struct prule *p;
	struct dnf dnf;
	uint64_t *fields; /* of each clause: its operands as bits */
	uint64_t common;  /* the bits that all clauses have */
	uint64_t any;	  /* the bits that some clause has */
	bool told;	  /* it was said to be never true, or the same as another */
};

struct lint_run {
	struct compile *c;
	struct arena arena;
	struct program p;
	struct asked *v;
	size_t n;
	uint32_t budget;
};

/* ---- what one value is to one literal ---------------------------------------------------------------------------- */

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };

static enum answer answer_of(bool yes, bool negated)
{
	return yes != negated ? ANSWER_YES : ANSWER_NO;
}

/* An integer x, for a literal over x. */
static enum answer ask_int(const struct program *p, struct dnf_lit l, int64_t x)
{
	const struct node *n = &p->nodes[l.node];

	switch (n->op) {
	case N_EQ:
		return answer_of(x == p->nodes[n->b].imm, l.negated);
	case N_LT:
		return answer_of(x < p->nodes[n->b].imm, l.negated);
	case N_LE:
		return answer_of(x <= p->nodes[n->b].imm, l.negated);
	case N_INTIN:
		return answer_of(program_intset_has(p, n->b, x), l.negated);
	default:
		return ANSWER_UNKNOWN;
	}
}

static bool same_text(const char *a, uint32_t la, const char *b, uint32_t lb, bool icase)
{
	return la == lb && (icase ? strncasecmp(a, b, la) == 0 : memcmp(a, b, la) == 0);
}

static enum answer ask_strm(const struct program *p, const struct strm *m, const char *s, uint32_t len)
{
	_cleanup_(glob_free) struct glob *g = NULL;
	uint32_t plen;
	const char *pattern = program_str(p, m->str, &plen);
	struct err err;

	switch (m->kind) {
	case STRM_EXACT:
		return same_text(pattern, plen, s, len, m->icase) ? ANSWER_YES : ANSWER_NO;
	case STRM_PATTERN:
		return pattern_match(pattern, plen, s, len, m->icase) ? ANSWER_YES : ANSWER_NO;
	case STRM_GLOB:
		if (glob_new(pattern, plen, m->icase, &g, &err) < 0)
			return ANSWER_UNKNOWN;
		return glob_match(g, s, len) ? ANSWER_YES : ANSWER_NO;
	default:
		return ANSWER_UNKNOWN;
	}
}

static enum answer ask_set(const struct program *p, const struct strset *set, const char *s, uint32_t len)
{
	enum answer all = ANSWER_NO;

	if (set->count > SET_VALUES_MAX)
		return ANSWER_UNKNOWN;
	for (uint32_t i = set->first; i < set->first + set->count && all != ANSWER_YES; i++) {
		enum answer one = ask_strm(p, &p->strms[i], s, len);

		if (one != ANSWER_NO)
			all = one;
	}
	return all;
}

static enum answer ask_str(const struct program *p, struct dnf_lit l, const char *s, uint32_t len)
{
	const struct node *n = &p->nodes[l.node];
	enum answer a = ANSWER_UNKNOWN;
	uint32_t other_len;
	const char *other;

	if (n->op == N_STREQ && p->nodes[n->b].op == N_STR) {
		other = program_str(p, p->nodes[n->b].a, &other_len);
		a = same_text(other, other_len, s, len, n->c != 0) ? ANSWER_YES : ANSWER_NO;
	} else if (n->op == N_STRIN) {
		a = ask_set(p, &p->strsets[n->b], s, len);
	}
	return a == ANSWER_UNKNOWN ? a : answer_of(a == ANSWER_YES, l.negated);
}

/* ---- literals ---------------------------------------------------------------------------------------------------- */

enum operand { OPERAND_NONE, OPERAND_INT, OPERAND_STR };

/* What the literal compares with constants; *ret is that operand's node. */
static enum operand operand_of(const struct program *p, struct dnf_lit l, uint32_t *ret)
{
	const struct node *n = &p->nodes[l.node];

	*ret = n->a;
	switch (n->op) {
	case N_EQ:
	case N_LT:
	case N_LE:
		return p->nodes[n->b].op == N_INT && p->nodes[n->a].type == NT_INT ? OPERAND_INT : OPERAND_NONE;
	case N_INTIN:
		return OPERAND_INT;
	case N_STREQ:
		return p->nodes[n->b].op == N_STR ? OPERAND_STR : OPERAND_NONE;
	case N_STRIN:
		return OPERAND_STR;
	default:
		return OPERAND_NONE;
	}
}

/*
 * The program of a process may go by several names (links to it count, too), so that two different ones are no
 * contradiction.
 */
static bool is_one_value(const struct program *p, uint32_t node)
{
	const struct node *n = &p->nodes[node];

	if (n->op != N_FIELD)
		return n->op != N_ELEM && n->op != N_CURRENT;
	return !p->catalog->fields[n->a].also;
}

/* A literal that holds for few values: their number, and value @i of them. 0 for another one. */
static uint32_t value_count(const struct program *p, struct dnf_lit l)
{
	const struct node *n = &p->nodes[l.node];
	uint32_t count = 0;

	if (l.negated)
		return 0;
	if (n->op == N_EQ || n->op == N_STREQ)
		return 1;
	if (n->op == N_INTIN)
		count = p->intsets[n->b].count;
	if (n->op == N_STRIN) {
		count = p->strsets[n->b].count;
		for (uint32_t i = 0; i < count && count <= SET_VALUES_MAX; i++)
			if (p->strms[p->strsets[n->b].first + i].kind != STRM_EXACT ||
			    p->strms[p->strsets[n->b].first + i].icase)
				return 0;
	}
	return count <= SET_VALUES_MAX ? count : 0;
}

static enum answer ask_value(const struct program *p, struct dnf_lit of, uint32_t i, struct dnf_lit l)
{
	const struct node *n = &p->nodes[of.node];
	uint32_t len;
	const char *s;

	if (n->op == N_EQ)
		return ask_int(p, l, p->nodes[n->b].imm);
	if (n->op == N_INTIN)
		return ask_int(p, l, p->ints[p->intsets[n->b].first + i]);
	if (n->op == N_STREQ && n->c)
		return ANSWER_UNKNOWN;
	s = program_str(p, n->op == N_STREQ ? p->nodes[n->b].a : p->strms[p->strsets[n->b].first + i].str, &len);
	return ask_str(p, l, s, len);
}

/* ---- contradictions ---------------------------------------------------------------------------------------------- */

/* What a literal that is no set leaves of the integers: [*lo, *hi]. */
static void narrow(const struct program *p, struct dnf_lit l, int64_t *lo, int64_t *hi)
{
	const struct node *n = &p->nodes[l.node];
	int64_t v = p->nodes[n->b].imm;
	bool at_most = n->op == N_LT || n->op == N_LE;

	if (!at_most)
		return;
	if (!l.negated) {
		int64_t max = n->op == N_LE ? v : v == INT64_MIN ? v : v - 1;

		*hi = max < *hi ? max : *hi;
	} else {
		int64_t min = n->op == N_LT ? v : v == INT64_MAX ? v : v + 1;

		*lo = min > *lo ? min : *lo;
	}
}

/* Two patterns whose texts before the first star differ match no common text. */
static bool strms_part(const struct program *p, const struct strm *a, const struct strm *b)
{
	uint32_t la, lb;
	const char *s = program_str(p, a->str, &la), *t = program_str(p, b->str, &lb);

	if (a->kind == STRM_REGEX || b->kind == STRM_REGEX || a->icase || b->icase)
		return false;
	for (uint32_t i = 0; i < la && i < lb; i++) {
		if ((s[i] == '*' && a->kind != STRM_EXACT) || (t[i] == '*' && b->kind != STRM_EXACT))
			return false;
		if (s[i] != t[i])
			return true;
	}
	return false;
}

static bool sets_part(const struct program *p, struct dnf_lit a, struct dnf_lit b)
{
	const struct strset *x, *y;

	if (a.negated || b.negated || p->nodes[a.node].op != N_STRIN || p->nodes[b.node].op != N_STRIN)
		return false;
	x = &p->strsets[p->nodes[a.node].b];
	y = &p->strsets[p->nodes[b.node].b];
	if (x->count > SET_VALUES_MAX || y->count > SET_VALUES_MAX)
		return false;
	for (uint32_t i = x->first; i < x->first + x->count; i++)
		for (uint32_t k = y->first; k < y->first + y->count; k++)
			if (!strms_part(p, &p->strms[i], &p->strms[k]))
				return false;
	return true;
}

/* No value that @a holds for is one of @b's. */
static bool values_part(const struct program *p, struct dnf_lit a, struct dnf_lit b)
{
	uint32_t n = value_count(p, a);

	for (uint32_t i = 0; i < n; i++)
		if (ask_value(p, a, i, b) != ANSWER_NO)
			return false;
	return n > 0;
}

static bool ranges_part(const struct program *p, struct dnf_lit a, struct dnf_lit b)
{
	int64_t lo = INT64_MIN, hi = INT64_MAX;

	narrow(p, a, &lo, &hi);
	narrow(p, b, &lo, &hi);
	return lo > hi;
}

static bool nets_part(const struct program *p, struct dnf_lit a, struct dnf_lit b)
{
	const struct node *x = &p->nodes[a.node], *y = &p->nodes[b.node];

	if (a.negated || b.negated || x->op != N_IPIN || y->op != N_IPIN || x->c || y->c || x->a != y->a)
		return false;
	if (p->nodes[x->a].op != N_FIELD || p->ipsets[x->b].count > SET_VALUES_MAX ||
	    p->ipsets[y->b].count > SET_VALUES_MAX)
		return false;
	for (uint32_t i = 0; i < p->ipsets[x->b].count; i++)
		for (uint32_t k = 0; k < p->ipsets[y->b].count; k++) {
			uint32_t len;
			const char *s = program_str(p, p->ips[p->ipsets[x->b].first + i], &len);
			const char *t = program_str(p, p->ips[p->ipsets[y->b].first + k], &len);

			if (ipnet_match((const uint8_t *)s, (const uint8_t *)t))
				return false;
		}
	return true;
}

static bool lits_part(const struct program *p, struct dnf_lit a, struct dnf_lit b)
{
	uint32_t x, y;
	enum operand kind = operand_of(p, a, &x);

	if (nets_part(p, a, b))
		return true;
	if (kind == OPERAND_NONE || operand_of(p, b, &y) != kind || x != y || !is_one_value(p, x))
		return false;
	if (values_part(p, a, b) || values_part(p, b, a))
		return true;
	return kind == OPERAND_INT ? ranges_part(p, a, b) : sets_part(p, a, b);
}

/* x & 4 == 3 */
static bool lit_is_false(const struct program *p, struct dnf_lit l)
{
	const struct node *n = &p->nodes[l.node], *a = &p->nodes[n->a];
	int64_t mask;

	if (l.negated || n->op != N_EQ || p->nodes[n->b].op != N_INT || a->op != N_BAND)
		return false;
	if (p->nodes[a->a].op != N_INT && p->nodes[a->b].op != N_INT)
		return false;
	mask = p->nodes[a->b].op == N_INT ? p->nodes[a->b].imm : p->nodes[a->a].imm;
	return (p->nodes[n->b].imm & ~mask) != 0;
}

/* Two literals of the clause that cannot hold together, or the same one twice. */
static bool clause_is_false(const struct program *p, const struct dnf_clause *c, struct dnf_lit *ret_a,
			    struct dnf_lit *ret_b)
{
	for (size_t i = 0; i < c->n; i++)
		for (size_t k = i; k < c->n && k < i + SET_VALUES_MAX; k++)
			if (k == i ? lit_is_false(p, c->lits[i]) : lits_part(p, c->lits[i], c->lits[k])) {
				*ret_a = c->lits[i];
				*ret_b = c->lits[k];
				return true;
			}
	return false;
}

static void put_lit(const struct program *p, struct dnf_lit l, char *ret, size_t size)
{
	struct buf b;

	buf_init(&b, 64u << 10);
	node_text(p, l.node, l.negated, &b);
	snprintf(ret, size, "%.*s%s", (int)(b.len < size - 4 ? b.len : size - 4), b.len ? (const char *)b.data : "",
		 b.len > size - 4 ? "..." : "");
	buf_done(&b);
}

static struct span rule_span(const struct asked *a)
{
	return a->rule->expression ? text_span(a->rule->expression, 0, a->rule->expression->len) : a->rule->def->at;
}

static void warn_false(struct lint_run *x, struct asked *a, struct dnf_lit l, struct dnf_lit m, size_t nfalse)
{
	char first[PART_TEXT_MAX], second[PART_TEXT_MAX];
	bool all = nfalse == a->dnf.n;

	put_lit(&x->p, l, first, sizeof(first));
	put_lit(&x->p, m, second, sizeof(second));
	if (l.node == m.node)
		diag_warn(x->c->diags, rule_span(a), "%s %s can never be true: %s never holds",
			  all ? "the rule" : "a part of the rule", a->rule->id, first);
	else
		diag_warn(x->c->diags, rule_span(a), "%s %s can never be true: %s and %s exclude each other",
			  all ? "the rule" : "a part of the rule", a->rule->id, first, second);
	diag_lint(x->c->diags, "never-true");
	diag_help(x->c->diags,
		  l.node == m.node ? "the mask has not all bits of the number" : "join them by || if either is meant");
	a->told = all;
}

static void look_for_false(struct lint_run *x, struct asked *a)
{
	struct dnf_lit l, m, first = { 0 }, second = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < a->dnf.n; i++)
		if (clause_is_false(&x->p, &a->dnf.v[i], &l, &m) && !n++) {
			first = l;
			second = m;
		}
	if (n)
		warn_false(x, a, first, second, n);
}

/* ---- rules that others make idle --------------------------------------------------------------------------------- */

/* Where @a holds, @b does. */
static bool lit_implies(const struct program *p, struct dnf_lit a, struct dnf_lit b)
{
	uint32_t x, y, n;
	enum operand kind;

	if (a.node == b.node)
		return a.negated == b.negated;
	kind = operand_of(p, a, &x);
	if (kind == OPERAND_NONE || operand_of(p, b, &y) != kind || x != y)
		return false;
	n = value_count(p, a);
	for (uint32_t i = 0; i < n; i++)
		if (ask_value(p, a, i, b) != ANSWER_YES)
			return false;
	if (n || kind != OPERAND_INT)
		return n > 0;
	return lits_part(p, a, (struct dnf_lit){ b.node, !b.negated });
}

static bool clause_implies(const struct program *p, const struct dnf_clause *a, const struct dnf_clause *b)
{
	for (size_t i = 0; i < b->n; i++) {
		bool found = false;

		for (size_t k = 0; k < a->n && !found; k++)
			found = lit_implies(p, a->lits[k], b->lits[i]);
		if (!found)
			return false;
	}
	return true;
}

/* The operands of a clause as bits: it can imply one only that asks of no others. */
static uint64_t fields_of(const struct program *p, const struct dnf_clause *c)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < c->n; i++) {
		uint32_t x;

		if (operand_of(p, c->lits[i], &x) == OPERAND_NONE)
			x = c->lits[i].node;
		bits |= 1ull << (x * 2654435761u >> 26);
	}
	return bits;
}

static bool rule_implies(struct lint_run *x, const struct asked *a, const struct asked *b)
{
	for (size_t i = 0; i < a->dnf.n; i++) {
		bool found = false;

		for (size_t k = 0; k < b->dnf.n && !found; k++) {
			if (b->fields[k] & ~a->fields[i])
				continue;
			if (!x->budget)
				return false;
			x->budget--;
			found = clause_implies(&x->p, &a->dnf.v[i], &b->dnf.v[k]);
		}
		if (!found)
			return false;
	}
	return a->dnf.n > 0;
}

static void warn_idle(struct lint_run *x, struct asked *a, const struct asked *by, bool same)
{
	uint32_t line, col, off, len;

	span_place(by->rule->def->at, &line, &col, &off, &len);
	if (same)
		diag_warn(x->c->diags, a->rule->def->at, "the rule %s asks for the same as %s", a->rule->id,
			  by->rule->id);
	else
		diag_warn(x->c->diags, a->rule->def->at, "whenever the rule %s fires, %s fires, too", a->rule->id,
			  by->rule->id);
	diag_lint(x->c->diags, same ? "duplicate-rule" : "shadowed-rule");
	diag_help(x->c->diags, "%s is at %s:%u; remove one of them, or make one narrower", by->rule->id,
		  by->rule->def->policy->src->path, line);
	a->told = true;
}

static void compare(struct lint_run *x, struct asked *a, struct asked *b)
{
	/* what a rule does beside its alert, and other hosts, are reason enough for it */
	if (a->p->event != b->p->event || a->p->filter != b->p->filter || a->told || b->told || a->rule->actions ||
	    b->rule->actions)
		return;
	if (a->p->root == b->p->root)
		warn_idle(x, b, a, true);
	else if (b->p->severity <= a->p->severity && rule_implies(x, b, a))
		warn_idle(x, b, a, false);
	else if (a->p->severity <= b->p->severity && rule_implies(x, a, b))
		warn_idle(x, a, b, false);
}

/* One of them asks of nothing that the other one does not ask of. */
static bool may_imply(const struct asked *a, const struct asked *b)
{
	return !(a->common & ~b->any) || !(b->common & ~a->any);
}

static int by_event(const void *x, const void *y)
{
	const struct asked *a = x, *b = y;

	if (a->p->event != b->p->event)
		return a->p->event < b->p->event ? -1 : 1;
	return a->rule->number < b->rule->number ? -1 : a->rule->number > b->rule->number;
}

/* Each two rules of an event type; most are told apart by the fields that they ask of. */
static void compare_all(struct lint_run *x)
{
	if (x->n)
		qsort(x->v, x->n, sizeof(*x->v), by_event);
	for (size_t i = 0; i < x->n; i++)
		for (size_t k = i + 1; k < x->n && x->v[k].p->event == x->v[i].p->event; k++)
			if (may_imply(&x->v[i], &x->v[k]))
				compare(x, &x->v[i], &x->v[k]);
}

/* ---- rules that the kernel cannot narrow ------------------------------------------------------------------------- */

static bool term_is_open(const struct clause_term *t)
{
	for (int k = 0; k < SV_AUTOMATA; k++)
		if (t->formula[k] != FORMULA_TRUE)
			return false;
	return t->n == 0;
}

static void warn_open(struct lint_run *x, const struct asked *a)
{
	const char *event = x->c->catalog->events[a->p->event].name;

	diag_warn(x->c->diags, rule_span(a), "the kernel cannot narrow the rule %s: every %s event goes to user space",
		  a->rule->id, event);
	diag_lint(x->c->diags, "passes-all");
	diag_help(x->c->diags,
		  "each costs 1 to 3 us there and room in the ring; ask for a path, name, flag, port or address of the "
		  "event, too (tamisc explain --rule %s shows who decides what)",
		  a->rule->id);
}

/* Events that the sensor needs for itself reach user space whatever the rules say; of those of SELinux a day has a handful. */
static bool passes_anyway(const struct lint_run *x, uint16_t event)
{
	static const char *const names[] = { "exec", "fork", "exit", "selinux" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(x->c->catalog->events[event].name, names[i]) == 0)
			return true;
	return false;
}

static int look_for_open(struct lint_run *x, uint16_t event)
{
	struct clauses c;
	int r = clauses_init(&c, &x->p, NULL, event);

	for (size_t i = 0; i < x->n && r == 0; i++) {
		const struct clause_term *terms;
		uint32_t n;
		bool weak, open = false;

		if (x->v[i].p->event != event || x->v[i].rule->sight != SIGHT_FIRES)
			continue;
		r = clauses_of(&c, x->v[i].p->root, &terms, &n, &weak);
		for (uint32_t k = 0; r == 0 && k < n; k++)
			open = open || term_is_open(&terms[k]);
		if (open)
			warn_open(x, &x->v[i]);
	}
	clauses_done(&c);
	return r == -E2BIG ? 0 : r;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static int collect(struct lint_run *x)
{
	x->v = arena_array(&x->arena, x->c->nrules + 1, sizeof(*x->v));
	if (!x->v)
		return -ENOMEM;
	for (size_t i = 0; i < x->c->nrules; i++) {
		struct asked *a = &x->v[x->n];
		int r;

		if (!x->c->rules[i]->ok)
			continue;
		*a = (struct asked){ .rule = x->c->rules[i], .p = &x->p.rules[x->c->rules[i]->number] };
		if (x->p.nodes[a->p->root].op == N_BOOL)
			continue; /* which was said already */
		r = dnf_of(&x->arena, &x->p, a->p->root, &a->dnf);
		if (r < 0)
			return r;
		a->fields = arena_array(&x->arena, a->dnf.n + 1, sizeof(*a->fields));
		if (!a->fields)
			return -ENOMEM;
		for (size_t k = 0; k < a->dnf.n; k++)
			a->fields[k] = fields_of(&x->p, &a->dnf.v[k]);
		a->common = UINT64_MAX;
		for (size_t k = 0; k < a->dnf.n; k++) {
			a->common &= a->fields[k];
			a->any |= a->fields[k];
		}
		x->n++;
	}
	return 0;
}

int lint_rules(struct compile *c)
{
	struct lint_run x = {
		.c = c, .arena = arena_of(LINT_MEMORY_MAX), .p = program_view(c->builder), .budget = COMPARISONS_MAX
	};
	bool seen[EV_TYPES] = { false };
	int r = collect(&x);

	for (size_t i = 0; i < x.n && r == 0; i++)
		look_for_false(&x, &x.v[i]);
	if (r == 0)
		compare_all(&x);
	for (size_t i = 0; i < x.n && r == 0; i++) {
		uint16_t event = x.v[i].p->event;

		if (event < EV_TYPES && !seen[event] && !passes_anyway(&x, event))
			r = look_for_open(&x, event);
		if (event < EV_TYPES)
			seen[event] = true;
	}
	arena_done(&x.arena);
	return r;
}
