/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "policy-compiler/node_text.h"
#include "policy-compiler/sieve_parts.h"
#include "policy-compiler/why.h"

#define TEXT_MAX 600 /* bytes of one text; more is cut off */

/* ---- texts --------------------------------------------------------------------------------------------------------- */

/* The text in @b as a string of its own, with dots where it was cut. NULL without memory. Frees what is in @b. */
static char *take_text(struct buf *b)
{
	bool cut = buf_error(b) == -EFBIG;
	char *s = malloc(b->len + sizeof(" ..."));

	if (s) {
		if (b->len)
			memcpy(s, b->data, b->len);
		strcpy(s + b->len, cut ? " ..." : "");
	}
	buf_done(b);
	return s;
}

static const char *slot_name(const struct clauses *c, uint8_t slot)
{
	const struct catalog *cat = c->p->catalog;
	const char *name = "?";

	for (size_t i = 0; i < cat->nfields; i++) {
		const struct cat_field *f = &cat->fields[i];
		uint16_t index;
		int sieve = catalog_sieve(cat, f, c->event, &index);

		if (sieve == CAT_SIEVE_NONE || cat_sieve_is_text(sieve) || index != slot)
			continue;
		name = f->name;
		if (f->event == c->event)
			break;
	}
	return name;
}

static void put_set(const struct program *p, uint32_t flag, struct buf *out)
{
	char name[VAR_NAME_MAX + 16] = "?";

	for (uint32_t i = 0; i < p->nvars; i++)
		if (p->vars[i].flag == flag + 1)
			why_variable_name(p, i, name, sizeof(name));
	buf_printf(out, "${%s} may be set", name);
}

static void put_lit(const struct clauses *c, uint32_t lit, struct buf *out)
{
	const struct clause_pred *pred = pred_at(c, lit / 2);
	bool neg = lit & 1, eq = pred->op == SV_OP_EQ;

	if (pred->slot == SV_SLOT_SELF) {
		buf_puts(out, "the path may be that of the process's program");
		return;
	}
	if (pred->slot == SV_SLOT_CONTAINED || pred->slot == SV_SLOT_TTY) {
		buf_puts(out,
			 pred->slot == SV_SLOT_TTY ? "the process has a terminal" : "the process is in a container");
		return;
	}
	if (pred->slot == SV_SLOT_VAR) {
		put_set(c->p, (uint32_t)pred->rhs, out);
		return;
	}
	buf_puts(out, slot_name(c, pred->slot));
	if (pred->and != UINT64_MAX)
		buf_printf(out, " & %" PRId64, (int64_t)pred->and);
	buf_printf(out, " %s %" PRId64, eq ? (neg ? "!=" : "==") : neg ? ">" : "<=", pred->rhs);
}

static void put_atom(const struct clauses *c, const struct formula *f, struct buf *out)
{
	const struct clause_atom *a = &c->atoms[f->a];
	const struct node *n = &c->p->nodes[a->node];

	/* One network of several that all have to match. */
	if (n->op == N_IPIN && n->c && a->count == 1) {
		node_text(c->p, n->a, false, out);
		buf_puts(out, f->neg ? " not in " : " in ");
		node_text_str(c->p, pattern_at(c, c->atom_patterns[a->first])->str, true, out);
		return;
	}
	/* "public" is asked as none of the networks that are not */
	node_text(c->p, a->node, f->neg != (c->p->nodes[a->node].op == N_FIELD), out);
}

static void put_formula(const struct clauses *c, uint32_t i, struct buf *out)
{
	const struct formula *f = formula_at(c, i);

	if (buf_error(out))
		return;
	if (f->op == F_ATOM) {
		put_atom(c, f, out);
		return;
	}
	if (f->op != F_AND && f->op != F_OR)
		return;
	buf_putc(out, '(');
	put_formula(c, f->a, out);
	buf_puts(out, f->op == F_AND ? " && " : " || ");
	put_formula(c, f->b, out);
	buf_putc(out, ')');
}

static char *term_text(const struct clauses *c, const struct clause_term *t)
{
	const char *between = "";
	struct buf b;

	buf_init(&b, TEXT_MAX);
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		if (t->formula[k] == FORMULA_TRUE || k == SV_AUT_EITHER) /* the first path's, with less of it */
			continue;
		buf_puts(&b, between);
		put_formula(c, t->formula[k], &b);
		between = " && ";
	}
	for (uint32_t i = 0; i < t->n; i++) {
		buf_puts(&b, between);
		put_lit(c, t->lits[i], &b);
		between = " && ";
	}
	return take_text(&b);
}

static char *pred_text(const struct program *p, uint32_t node, bool negated)
{
	struct buf b;

	buf_init(&b, TEXT_MAX);
	node_text(p, node, negated, &b);
	return take_text(&b);
}

/* ---- rules --------------------------------------------------------------------------------------------------------- */

/* Rows of one event while they are made. */
struct rows {
	const struct program *p;
	const struct event_build *eb;
	uint8_t *weakened;   /* of each node: the kernel has less than its patterns */
	uint32_t *met, rule; /* of each node: number of the rule that it was met in last, + 1 */
	uint32_t bit_terms[SV_CLAUSES];
};

static int fill_clauses(const struct rows *x, const struct rule_build *rb, struct report_rule *ret)
{
	ret->clauses = calloc((size_t)rb->count + 1, sizeof(*ret->clauses));
	if (!ret->clauses)
		return -ENOMEM;
	for (uint32_t i = 0; i < rb->count; i++) {
		uint32_t term = x->eb->rule_terms[rb->first + i], bit = x->eb->bits[term];
		struct report_clause *rc = &ret->clauses[ret->nclauses++];

		*rc = (struct report_clause){ .bit = (uint16_t)bit, .shared = x->bit_terms[bit] - 1 };
		rc->text = term_text(&x->eb->c, term_at(x->eb, term));
		if (!rc->text)
			return -ENOMEM;
	}
	return 0;
}

static int add_pred(const struct rows *x, uint32_t node, bool negated, struct report_rule *ret, uint32_t *cap)
{
	const struct cat_field *f;
	struct report_pred *rp;
	int r = array_room(&ret->preds, cap, ret->npreds + 1, sizeof(*ret->preds));

	if (r < 0)
		return r;
	rp = &ret->preds[ret->npreds++];
	*rp = (struct report_pred){ .why = (uint8_t)clauses_why(x->p, x->eb->c.event, node),
				    .weakened = x->weakened[node] };
	if (rp->why > WHY_UNSET && x->eb->c.lacks && x->eb->c.lacks[2 * (size_t)node + negated])
		rp->why = WHY_UNSET;
	if (unseen_truth(x->eb->c.unseen, node) != TRUTH_OPEN)
		rp->why = WHY_UNSEEN;
	f = clauses_field(x->p, node);
	rp->field = f ? f->name : NULL;
	rp->text = pred_text(x->p, node, negated);
	return rp->text ? 0 : -ENOMEM;
}

/* The predicates below a node, each once, as they are meant where they are met first. */
static int fill_preds(struct rows *x, uint32_t node, bool negated, struct report_rule *ret, uint32_t *cap)
{
	const struct node *n = &x->p->nodes[node];
	int r;

	if (x->met[node] == x->rule + 1)
		return 0;
	x->met[node] = x->rule + 1;
	if (n->op == N_NOT)
		return fill_preds(x, n->a, !negated, ret, cap);
	if (n->op != N_AND && n->op != N_OR)
		return add_pred(x, node, negated, ret, cap);
	r = fill_preds(x, n->a, negated, ret, cap);
	return r < 0 ? r : fill_preds(x, n->b, negated, ret, cap);
}

static char *copy_str(const struct program *p, uint32_t str)
{
	uint32_t len;
	const char *s = program_str(p, str, &len);

	return strndup(s, len);
}

static int fill_deny(const struct program *p, const struct rule_build *rb, struct report_rule *ret)
{
	ret->deny = rb->deny;
	ret->ndenied = rb->ndenied;
	if (!deny_has_node(rb->deny))
		return 0;
	ret->deny_text = pred_text(p, rb->deny_node, false);
	return ret->deny_text ? 0 : -ENOMEM;
}

static int fill_rule(struct rows *x, const struct rule_build *rb, struct report_rule *ret)
{
	const struct prule *rule = &x->p->rules[rb->rule];
	uint32_t cap = 0;
	int r;

	ret->event = rule->event;
	ret->weak = rb->weak;
	ret->id = copy_str(x->p, rule->id);
	if (!ret->id)
		return -ENOMEM;
	r = fill_deny(x->p, rb, ret);
	if (r < 0)
		return r;
	x->rule = rb->rule;
	r = fill_clauses(x, rb, ret);
	return r < 0 ? r : fill_preds(x, rule->root, false, ret, &cap);
}

static int mark_weakened(struct rows *x)
{
	const struct clauses *c = &x->eb->c;
	_cleanup_free_ uint8_t *weak = calloc((size_t)c->patterns.n + 1, 1);

	if (!weak)
		return -ENOMEM;
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		const struct string_build *sb = &x->eb->strings[k];

		for (uint32_t i = 0; i < sb->npatterns; i++)
			if (pattern_is_weak(&sb->patterns[i]) && sb->sources[i] != UINT32_MAX)
				weak[sb->sources[i]] = 1;
	}
	for (uint32_t a = 0; a < c->natoms; a++)
		for (uint32_t i = c->atoms[a].first; i < c->atoms[a].first + c->atoms[a].count; i++)
			x->weakened[c->atoms[a].node] |= weak[c->atom_patterns[i]];
	return 0;
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

static void fill_automaton(const struct string_build *sb, struct report_automaton *ret)
{
	*ret = (struct report_automaton){ .stars = -1 };
	if (!sb->used)
		return;
	*ret = (struct report_automaton){ .patterns = sb->npatterns,
					  .states = sb->a.nstates,
					  .classes = sb->a.nclasses,
					  .weakened = sb->fit.weakened,
					  .stars = sb->fit.stars,
					  .cut = sb->fit.cut };
	if (sb->npatterns && sb->sources[sb->npatterns - 1] == UINT32_MAX)
		ret->patterns--;
}

static bool term_is_open(const struct clause_term *t)
{
	for (int k = 0; k < SV_AUTOMATA; k++)
		if (t->formula[k] != FORMULA_TRUE)
			return false;
	return t->n == 0;
}

static void fill_event(const struct event_build *eb, struct report_event *ret)
{
	*ret = (struct report_event){ .event = eb->c.event,
				      .rules = eb->nrules,
				      .clauses = eb->terms.n,
				      .bits = eb->nbits,
				      .preds = eb->npreds,
				      .preds_left = eb->preds_left };
	for (uint32_t i = 0; i < eb->nrules; i++) {
		bool open = false;

		for (uint32_t k = 0; k < eb->rules[i].count; k++)
			open = open || term_is_open(term_at(eb, eb->rule_terms[eb->rules[i].first + k]));
		ret->open += open;
	}
	for (unsigned k = 0; k < SV_AUTOMATA; k++)
		fill_automaton(&eb->strings[k], &ret->automata[k]);
}

static int fill_rules(const struct program *p, const struct event_build *eb, struct sieve_report *ret)
{
	_cleanup_free_ uint8_t *weakened = calloc((size_t)p->nnodes + 1, 1);
	_cleanup_free_ uint32_t *met = calloc((size_t)p->nnodes + 1, sizeof(*met));
	struct rows x = { .p = p, .eb = eb, .weakened = weakened, .met = met };
	int r = 0;

	if (!weakened || !met)
		return -ENOMEM;
	for (uint32_t i = 0; i < eb->terms.n; i++)
		x.bit_terms[eb->bits[i]]++;
	r = mark_weakened(&x);
	for (uint32_t i = 0; i < eb->nrules && r == 0; i++)
		r = fill_rule(&x, &eb->rules[i], &ret->rules[eb->rules[i].rule]);
	return r;
}

/* A rule on events that the sensor does not observe: the sieve knows nothing of it. */
static int fill_unseen_rule(const struct program *p, const struct prule *rule, struct report_rule *ret)
{
	ret->event = rule->event;
	ret->deny = deny_asked(p, rule) ? DENY_EVENT : DENY_NOT_ASKED;
	ret->id = copy_str(p, rule->id);
	return ret->id ? 0 : -ENOMEM;
}

int sieve_report_fill(const struct program *p, struct event_build *const events[EV_TYPES], struct sieve_report *ret)
{
	int r = 0;

	ret->rules = calloc((size_t)p->nrules + 1, sizeof(*ret->rules));
	if (!ret->rules)
		return -ENOMEM;
	ret->nrules = p->nrules;
	for (unsigned i = 0; i < EV_TYPES && r == 0; i++)
		if (events[i]) {
			fill_event(events[i], &ret->events[i]);
			r = fill_rules(p, events[i], ret);
		}
	for (uint32_t i = 0; i < p->nrules && r == 0; i++)
		if (p->rules[i].event >= EV_TYPES)
			r = fill_unseen_rule(p, &p->rules[i], &ret->rules[i]);
	return r;
}

void sieve_report_done(struct sieve_report *r)
{
	for (uint32_t i = 0; i < r->nrules && r->rules; i++) {
		for (uint32_t k = 0; k < r->rules[i].nclauses; k++)
			free(r->rules[i].clauses[k].text);
		for (uint32_t k = 0; k < r->rules[i].npreds; k++)
			free(r->rules[i].preds[k].text);
		free(r->rules[i].clauses);
		free(r->rules[i].preds);
		free(r->rules[i].id);
		free(r->rules[i].deny_text);
	}
	free(r->rules);
	*r = (struct sieve_report){ 0 };
}
