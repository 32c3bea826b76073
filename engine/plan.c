/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX    256  /* of one condition; the rest of a longer one is one part */
#define WALK_MAX     1024 /* nodes that are looked at for one guard */
#define TERMS_MAX    2048 /* of one guard */
#define POSTINGS_MAX (16u << 20)
#define USES_MAX     (1u << 20)
#define NO_GUARD     (UINT64_C(1) << 62)

/* One rule behind one term. */
struct posting {
	uint32_t term, column, candidate, atom;
	uint16_t event;
	bool pattern;
};

struct make {
	struct plan *pl;
	const struct program *p;
	uint32_t *cost;	       /* owned; of each node: about nanoseconds */
	uint8_t *odds;	       /* owned; of each BOOL node: how likely it holds, of 255 */
	uint32_t *seen, stamp; /* owned; nodes that the present walk has been at */
	uint32_t *
		root_parts; /* owned; of each node: 1 + where its parts begin, if it is a root that has been taken apart */
	uint16_t *root_nparts;	  /* owned */
	uint32_t *popular;	  /* owned; of each term: conditions that ask for it */
	uint64_t *weight;	  /* owned; of each node: see weight_of */
	struct posting *postings; /* owned */
	uint32_t npostings, postings_cap;
};

static const struct node *node_at(const struct make *m, uint32_t i)
{
	return &m->p->nodes[i];
}

/* ---- atoms --------------------------------------------------------------------------------------------------------- */

static int add_atom(struct make *m, uint32_t node, const struct cat_field *f, enum atom_kind kind, uint32_t what)
{
	struct plan *pl = m->pl;
	int64_t column = columns_add(pl->columns, f);
	int r = column < 0 ? (int)column : terms_room(&pl->atoms, &pl->atoms_cap, pl->natoms + 1, sizeof(*pl->atoms));

	if (r == 0 && kind == ATOM_SET)
		r = columns_want_set(pl->columns, (uint32_t)column, what);
	else if (r == 0 && kind == ATOM_TERM)
		r = columns_want_term(pl->columns, (uint32_t)column, what);
	if (r < 0)
		return r;
	pl->atoms[pl->natoms++] = (struct atom){ .column = (uint32_t)column, .what = what, .kind = (uint8_t)kind };
	pl->atom_of[node] = pl->natoms;
	return 0;
}

/* What the node compares with, a constant: a text or number as a term, or a set. */
static int add_compare(struct make *m, uint32_t node, const struct node *n, const struct cat_field *f)
{
	const struct node *b = node_at(m, n->b);
	const struct intset *ints;
	int64_t term = 0;

	switch (n->op) {
	case N_STRIN:
		return add_atom(m, node, f, ATOM_SET, n->b);
	case N_STREQ:
		if (b->op != N_STR)
			return 0;
		term = terms_add_str(m->pl->terms, b->a, n->c);
		break;
	case N_EQ:
		if (b->op != N_INT || f->type != VAL_INT)
			return 0;
		term = terms_add_int(m->pl->terms, b->imm);
		break;
	case N_INTIN:
		ints = &m->p->intsets[n->b];
		for (uint32_t i = ints->first; i < ints->first + ints->count && term >= 0; i++)
			term = terms_add_int(m->pl->terms, m->p->ints[i]);
		return term < 0 ? (int)term : add_atom(m, node, f, ATOM_INTS, n->b);
	default:
		return 0;
	}
	return term < 0 ? (int)term : add_atom(m, node, f, ATOM_TERM, (uint32_t)term);
}

/* A field, or one of the ancestors that an N_EXISTS stands at: for some of them it has to hold then. */
static const struct cat_field *compared_field(const struct make *m, const struct node *n)
{
	const struct node *a = node_at(m, n->a);
	const struct cat_field *f;

	if (!(program_operands(n->op) & 1) || (a->op != N_FIELD && a->op != N_CURRENT))
		return NULL;
	f = &m->p->catalog->fields[a->a];
	if (a->op == N_CURRENT)
		return cat_is_ancestors(f->home) && !program_field_several(m->p->catalog, f) ? f : NULL;
	return f->flags & CF_ARRAY ? NULL : f;
}

/* Whether the node is a comparison of the element of the N_ANY around it. */
static bool compares_elem(const struct make *m, const struct node *n)
{
	return (n->op == N_STRIN || n->op == N_STREQ) && node_at(m, n->a)->op == N_ELEM;
}

static int find_atom(struct make *m, uint32_t i)
{
	const struct node *n = node_at(m, i);
	const struct cat_field *f;

	if (n->op == N_ANY) {
		const struct node *array = node_at(m, n->a);

		if (array->op != N_FIELD || !compares_elem(m, node_at(m, n->b)))
			return 0;
		return add_compare(m, i, node_at(m, n->b), &m->p->catalog->fields[array->a]);
	}
	f = compared_field(m, n);
	return f ? add_compare(m, i, n, f) : 0;
}

/* ---- what parts cost ----------------------------------------------------------------------------------------------- */

static uint32_t cost_of_column(const struct make *m, const struct atom *a)
{
	const struct column *c = &m->pl->columns->v[a->column];
	const struct set_shape *set = a->kind == ATOM_SET ? &m->pl->columns->sets[a->what] : NULL;
	uint32_t cost = set && set->patterns ? 25 + 150u * set->bare : 8;

	return c->ancestors ? 8 * cost : c->several ? 4 * cost : cost;
}

static uint32_t capped(uint64_t cost)
{
	return cost < UINT32_MAX / 256 ? (uint32_t)cost : UINT32_MAX / 256;
}

static uint32_t cost_of(const struct make *m, uint32_t i)
{
	static const uint16_t own[N_OPS] = {
		[N_FIELD] = 1, [N_CURRENT] = 1, [N_LEN] = 1,	[N_EQ] = 1,	[N_LT] = 1,   [N_LE] = 1,
		[N_STREQ] = 4, [N_STRIN] = 40,	[N_INTIN] = 5,	[N_IPEQ] = 8,	[N_VAR] = 40, [N_UUID] = 50,
		[N_TEXT] = 50, [N_CONCAT] = 20, [N_MATCH] = 80, [N_MEET] = 200,
	};
	const struct node *n = node_at(m, i);
	unsigned operands = program_operands(n->op);
	uint64_t a = operands & 1 ? m->cost[n->a] : 0, b = operands & 2 ? m->cost[n->b] : 0;

	if (n->op == N_FIELD)
		return catalog_cost(&m->p->catalog->fields[n->a]);
	if (m->pl->atom_of[i] && plan_atom(m->pl, i)->kind == ATOM_SET)
		return capped(a + cost_of_column(m, plan_atom(m->pl, i)));
	if (n->op == N_IPIN)
		return capped(a + 8ull * m->p->ipsets[n->b].count);
	if (n->op == N_ANY)
		return capped(a + 10 * b);
	if (n->op == N_EXISTS)
		return capped(10 + 10 * a);
	return capped(own[n->op] + a + b);
}

/* Guesses: what asks for one of few is rare, what compares the order of numbers is a matter of chance. */
static uint8_t odds_of(const struct make *m, uint32_t i)
{
	const struct node *n = node_at(m, i);
	unsigned a = n->op == N_AND || n->op == N_OR || n->op == N_NOT ? m->odds[n->a] : 0;
	unsigned b = n->op == N_AND || n->op == N_OR ? m->odds[n->b] : 0;

	switch (n->op) {
	case N_NOT:
		return (uint8_t)(255 - a);
	case N_AND:
		return (uint8_t)(a * b / 255);
	case N_OR:
		return (uint8_t)(255 - (255 - a) * (255 - b) / 255);
	case N_EQ:
	case N_STREQ:
		return 12;
	case N_STRIN:
	case N_INTIN:
	case N_IPIN:
		return 25;
	case N_ANY:
	case N_EXISTS:
		return 40;
	default:
		return 128;
	}
}

/* ---- conditions to parts ------------------------------------------------------------------------------------------- */

/* Seen for the first time in the present walk. */
static bool is_new(struct make *m, uint32_t node)
{
	if (m->seen[node] == m->stamp)
		return false;
	m->seen[node] = m->stamp;
	return true;
}

static bool before(const struct make *m, uint32_t x, uint32_t y)
{
	/* cost / (1 - odds): what it takes to find out that it does not hold */
	uint64_t a = (uint64_t)m->cost[x] * (256 - m->odds[y]), b = (uint64_t)m->cost[y] * (256 - m->odds[x]);

	return a != b ? a < b : x < y;
}

static void sort_parts(const struct make *m, uint32_t *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = i; k > 0 && before(m, v[k], v[k - 1]); k--) {
			uint32_t t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
}

/* The operands of all ANDs below @root that no other operator stands above, each once; at most @max. */
static uint32_t take_apart(struct make *m, uint32_t root, uint32_t *v, uint32_t max)
{
	uint32_t n = 1, i = 0;

	m->stamp++;
	v[0] = root;
	is_new(m, root);
	while (i < n) {
		const struct node *x = node_at(m, v[i]);

		if (x->op != N_AND || n == max) {
			i++;
			continue;
		}
		/* the first takes the place of the AND, unless it is there already */
		v[i] = x->a;
		if (!is_new(m, x->a))
			v[i] = v[--n];
		if (is_new(m, x->b))
			v[n++] = x->b;
	}
	return n;
}

static uint32_t terms_of_atom(const struct make *m, const struct atom *a)
{
	return a->kind == ATOM_SET    ? m->p->strsets[a->what].count
	       : a->kind == ATOM_INTS ? m->p->intsets[a->what].count
				      : 1;
}

static uint32_t term_of_atom(const struct make *m, const struct atom *a, uint32_t i)
{
	return a->kind == ATOM_SET    ? m->pl->terms->of_strm[m->p->strsets[a->what].first + i]
	       : a->kind == ATOM_INTS ? terms_find_int(m->pl->terms, m->p->ints[m->p->intsets[a->what].first + i])
				      : a->what;
}

static uint32_t sketch_of_atom(const struct make *m, const struct atom *a)
{
	uint32_t sketch = 0;

	for (uint32_t i = 0; i < terms_of_atom(m, a); i++)
		sketch |= column_sketch(term_of_atom(m, a, i));
	return sketch;
}

/* What is fetched is there only once its node has been asked, and of expressions without literals columns know nothing. */
static struct part part_of(const struct make *m, uint32_t node)
{
	const struct columns *columns = m->pl->columns;
	struct part part = { .node = node };
	struct question *q = &part.question;
	const struct set_shape *set;
	const struct atom *a;

	while (node_at(m, part.node)->op == N_NOT) {
		q->negated = !q->negated;
		part.node = node_at(m, part.node)->a;
	}
	node = part.node;
	if (!m->pl->atom_of[node])
		return part;
	a = plan_atom(m->pl, node);
	set = a->kind == ATOM_SET ? &columns->sets[a->what] : NULL;
	if (a->kind == ATOM_INTS || columns->v[a->column].fetched || (set && set->bare))
		return part;
	q->kind = set ? QUESTION_SET : QUESTION_TERM;
	q->patterns = set && set->patterns;
	q->few = q->patterns && set->patterns <= COLUMN_FEW;
	q->column = (uint16_t)a->column;
	q->what = a->what;
	q->sketch = sketch_of_atom(m, a);
	return part;
}

static int add_parts(struct make *m, uint32_t root)
{
	uint32_t v[PARTS_MAX], n;
	struct plan *pl = m->pl;
	int r;

	if (m->root_parts[root])
		return 0;
	n = take_apart(m, root, v, PARTS_MAX);
	sort_parts(m, v, n);
	r = terms_room(&pl->parts, &pl->parts_cap, (size_t)pl->nparts + n, sizeof(*pl->parts));
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n; i++)
		pl->parts[pl->nparts + i] = part_of(m, v[i]);
	m->root_parts[root] = 1 + pl->nparts;
	m->root_nparts[root] = (uint16_t)n;
	pl->nparts += n;
	return 0;
}

/* ---- candidates ---------------------------------------------------------------------------------------------------- */

static int add_bit(struct plan *pl, struct candidate *c, uint16_t bit)
{
	int r = c->nbits ? terms_room(&pl->bits, &pl->bits_cap, (size_t)pl->nbits + 1, 1) : 0;

	if (r < 0)
		return r;
	if (c->nbits)
		pl->bits[pl->nbits++] = (uint8_t)bit;
	else
		c->bit = (uint8_t)bit;
	c->nbits++;
	return 0;
}

/* Clauses of a rule that follow each other and have the same root are one candidate. */
static int add_rule(struct make *m, uint32_t rule)
{
	const struct prule *pr = &m->p->rules[rule];
	struct plan *pl = m->pl;
	struct candidate *c = NULL;
	uint32_t was = pl->n;
	int r = 0;

	if (pr->flags & PRULE_OFF) /* not for this host: never asked */
		return 0;
	for (uint32_t i = pr->clause_first; i < pr->clause_first + pr->clause_count && r == 0; i++) {
		const struct clause *cl = &m->p->clauses[i];

		if (!c || c->root != cl->root || c->nbits == UINT16_MAX) {
			r = add_parts(m, cl->root);
			if (r == 0)
				r = terms_room(&pl->v, &pl->cap, pl->n + 1, sizeof(*pl->v));
			if (r < 0)
				return r;
			c = &pl->v[pl->n++];
			*c = (struct candidate){ .rule = rule,
						 .root = cl->root,
						 .parts_first = m->root_parts[cl->root] - 1,
						 .nparts = m->root_nparts[cl->root],
						 .bits_first = pl->nbits };
		}
		r = add_bit(pl, c, cl->bit);
	}
	if (pl->n == was + 1)
		c->alone = true;
	return r;
}

/* ---- guards -------------------------------------------------------------------------------------------------------- */

static uint32_t sum_uses(uint32_t a, uint32_t b)
{
	return a + b < USES_MAX ? a + b : USES_MAX;
}

/* How many conditions ask for each node, and by it for each term. Far more than there are rules is as good as that. */
static void count_uses(struct make *m, uint32_t *uses)
{
	for (uint32_t i = 0; i < m->pl->n; i++)
		uses[m->pl->v[m->pl->at[i]].root]++;
	for (uint32_t i = m->p->nnodes; i-- > 0;) {
		const struct node *n = node_at(m, i);
		unsigned operands = program_operands(n->op);

		if (operands & 1)
			uses[n->a] = sum_uses(uses[n->a], uses[i]);
		if (operands & 2)
			uses[n->b] = sum_uses(uses[n->b], uses[i]);
		if (!m->pl->atom_of[i] || !uses[i])
			continue;
		for (uint32_t k = 0; k < terms_of_atom(m, plan_atom(m->pl, i)); k++) {
			uint32_t term = term_of_atom(m, plan_atom(m->pl, i), k);

			m->popular[term] = sum_uses(m->popular[term], uses[i]);
		}
	}
}

/* How many rules an atom is going to bring up, in proportion: what many conditions ask for is what many events hold. */
static uint64_t weight_of_atom(const struct make *m, const struct atom *a)
{
	const struct column *c = &m->pl->columns->v[a->column];
	uint64_t place = c->home == CAT_HOME_EVENT ? 2 : c->ancestors ? 12 : c->several ? 6 : 4, sum = 0;

	if (terms_of_atom(m, a) > TERMS_MAX)
		return NO_GUARD;
	for (uint32_t k = 0; k < terms_of_atom(m, a); k++) {
		uint32_t term = term_of_atom(m, a, k);
		const struct term *t = &m->pl->terms->v[term];

		if (t->bare)
			return NO_GUARD;
		sum += m->popular[term] * place *
		       (t->kind == STRM_EXACT ? 2
			: t->kind == TERM_INT ? 8
			: t->len < 4	      ? 64
					      : 3);
	}
	return sum;
}

/*
 * The weight of the best guard of each node: of atoms of which at least one holds wherever the node does. What has to be fetched
 * is none.
 */
static uint64_t weight_of(const struct make *m, uint32_t i)
{
	const struct node *n = node_at(m, i);
	unsigned operands = program_operands(n->op);
	uint64_t a = operands & 1 ? m->weight[n->a] : NO_GUARD, b = operands & 2 ? m->weight[n->b] : NO_GUARD;

	switch (n->op) {
	case N_BOOL:
		return n->imm ? NO_GUARD : 0; /* never holds: no atom at all */
	case N_AND:
		return a < b ? a : b;
	case N_OR:
		return a >= NO_GUARD || b >= NO_GUARD ? NO_GUARD : a + b;
	case N_EXISTS: /* for some ancestor it holds, then a part of it holds for some */
		return a;
	default:
		if (!m->pl->atom_of[i] || m->cost[i] >= CAT_COST_FETCH)
			return NO_GUARD;
		return weight_of_atom(m, plan_atom(m->pl, i));
	}
}

/* As in struct entry. */
static uint32_t atom_in(const struct candidate *c, uint32_t node)
{
	const struct part *parts = candidate_parts(c);

	for (uint32_t i = 0; i < c->nparts; i++)
		if (parts[i].node == node && !parts[i].question.negated)
			return i;
	return node | ATOM_WITHIN;
}

static int post_atom(struct make *m, uint32_t node, uint32_t candidate)
{
	const struct atom *a = plan_atom(m->pl, node);
	uint32_t in = atom_in(&m->pl->v[candidate], node);
	int r = terms_room(&m->postings, &m->postings_cap, (size_t)m->npostings + terms_of_atom(m, a),
			   sizeof(*m->postings));

	for (uint32_t k = 0; k < terms_of_atom(m, a) && r == 0; k++) {
		uint32_t term = term_of_atom(m, a, k);
		uint8_t kind = m->pl->terms->v[term].kind;

		m->postings[m->npostings++] = (struct posting){
			.term = term,
			.column = a->column,
			.candidate = candidate,
			.atom = in,
			.event = m->p->rules[m->pl->v[candidate].rule].event,
			.pattern = kind != STRM_EXACT && kind != TERM_INT,
		};
	}
	return r;
}

/* Posts the atoms of the best guard of the condition; 1 where it is complete, 0 where it is too large. */
static int post_guard(struct make *m, uint32_t candidate)
{
	uint32_t todo[WALK_MAX], n = 1, walked = 0, was = m->npostings;
	int r = 0;

	todo[0] = m->pl->v[candidate].root;
	while (n && r == 0) {
		uint32_t i = todo[--n];
		const struct node *x = node_at(m, i);

		if (++walked > WALK_MAX || n + 2 > WALK_MAX || m->npostings - was > TERMS_MAX) {
			m->npostings = was;
			return 0;
		}
		if (x->op == N_AND)
			todo[n++] = m->weight[x->a] <= m->weight[x->b] ? x->a : x->b;
		if (x->op == N_OR || x->op == N_EXISTS)
			todo[n++] = x->a;
		if (x->op == N_OR)
			todo[n++] = x->b;
		if (m->pl->atom_of[i])
			r = post_atom(m, i, candidate);
	}
	return r < 0 ? r : 1;
}

static int post_all(struct make *m, bool *guarded)
{
	_cleanup_free_ uint32_t *uses = calloc((size_t)m->p->nnodes + 1, sizeof(*uses));
	struct plan *pl = m->pl;
	int r = 0;

	m->weight = calloc((size_t)m->p->nnodes + 1, sizeof(*m->weight));
	if (!uses || !m->weight)
		return -ENOMEM;
	count_uses(m, uses);
	for (uint32_t i = 0; i < m->p->nnodes; i++)
		m->weight[i] = weight_of(m, i);
	for (uint32_t i = 0; i < pl->n && r >= 0; i++) {
		if (m->weight[pl->v[pl->at[i]].root] >= NO_GUARD || m->npostings > POSTINGS_MAX)
			continue;
		r = post_guard(m, pl->at[i]);
		guarded[i] = r == 1;
		pl->nguarded += guarded[i];
	}
	return r < 0 ? r : 0;
}

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static int posting_cmp(const void *a, const void *b)
{
	const struct posting *x = a, *y = b;

	if (x->term != y->term)
		return x->term < y->term ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	if (x->event != y->event)
		return x->event < y->event ? -1 : 1;
	return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static bool same_slice(const struct posting *x, const struct posting *y)
{
	return x->term == y->term && x->column == y->column && x->event == y->event;
}

static int make_slices(struct make *m)
{
	struct plan *pl = m->pl;
	uint32_t n = m->npostings, k = 0;

	if (n)
		qsort(m->postings, n, sizeof(*m->postings), posting_cmp);
	for (uint32_t i = 0; i < n; i++)
		pl->nslices += i == 0 || !same_slice(&m->postings[i - 1], &m->postings[i]);
	pl->entries = malloc(((size_t)n + 1) * sizeof(*pl->entries));
	pl->slices = terms_table((size_t)pl->nslices + 1, sizeof(*pl->slices));
	pl->of_term = terms_table((size_t)pl->terms->n + 1, sizeof(*pl->of_term));
	if (!pl->entries || !pl->slices || !pl->of_term)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct posting *x = &m->postings[i];

		pl->entries[i] = (struct entry){ .candidate = x->candidate, .atom = x->atom };
		if (i == 0 || !same_slice(x - 1, x)) {
			pl->of_term[x->term].first = pl->of_term[x->term].count++ ? pl->of_term[x->term].first : k;
			pl->slices[k++] =
				(struct slice){ .column = (uint16_t)x->column, .event = x->event, .first = i };
		}
		pl->slices[k - 1].count++;
	}
	for (uint32_t i = 0; i < k; i++)
		if (pl->slices[i].count == 1)
			pl->slices[i].one = pl->entries[pl->slices[i].first];
	for (uint32_t i = 0; i < pl->terms->n; i++) {
		struct slice *s = &pl->of_term[i];

		if (s->count == 1)
			*s = pl->slices[s->first];
		else if (s->count)
			s->column = MANY_SLICES;
		for (uint32_t j = 0; s->column == MANY_SLICES && j < s->count; j++)
			s->events |= UINT32_C(1) << pl->slices[s->first + j].event % 32;
	}
	return 0;
}

static int by_event_column(const void *a, const void *b)
{
	const struct posting *x = a, *y = b;

	if (x->event != y->event)
		return x->event < y->event ? -1 : 1;
	return (x->column > y->column) - (x->column < y->column);
}

static uint8_t bit_at(const struct plan *pl, const struct candidate *c, uint32_t i)
{
	return i ? pl->bits[c->bits_first + i - 1] : c->bit;
}

static void add_bits(const struct plan *pl, const struct candidate *c, uint64_t mask[SV_WORDS])
{
	for (uint32_t i = 0; i < c->nbits; i++)
		mask[bit_at(pl, c, i) / 64] |= UINT64_C(1) << bit_at(pl, c, i) % 64;
}

/* Sorts the postings anew. */
static int make_guards(struct make *m)
{
	struct plan *pl = m->pl;
	uint32_t n = 0;

	if (m->npostings)
		qsort(m->postings, m->npostings, sizeof(*m->postings), by_event_column);
	for (uint32_t i = 0; i < m->npostings; i++)
		n += i == 0 || by_event_column(&m->postings[i - 1], &m->postings[i]) != 0;
	pl->guards = calloc((size_t)n + 1, sizeof(*pl->guards));
	pl->guards_of = calloc(m->p->catalog->nevents + 1, sizeof(*pl->guards_of));
	if (!pl->guards || !pl->guards_of)
		return -ENOMEM;
	n = 0;
	for (uint32_t i = 0; i < m->npostings; i++) {
		const struct posting *x = &m->postings[i];
		struct guard_range *of = &pl->guards_of[x->event];

		if (i == 0 || by_event_column(x - 1, x) != 0) {
			if (!of->count)
				of->first = n;
			of->count++;
			pl->guards[n++].column = x->column;
		}
		pl->guards[n - 1].patterns |= x->pattern;
		add_bits(pl, &pl->v[x->candidate], pl->guards[n - 1].mask);
	}
	return 0;
}

/* A candidate without a guard at one of its bits. */
struct loose {
	uint32_t key; /* the same where the first part is the same */
	uint32_t candidate;
	uint16_t event;
	uint8_t bit;
};

static int loose_cmp(const void *a, const void *b)
{
	const struct loose *x = a, *y = b;

	if (x->event != y->event)
		return x->event < y->event ? -1 : 1;
	if (x->bit != y->bit)
		return x->bit < y->bit ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->candidate > y->candidate) - (x->candidate < y->candidate);
}

static uint32_t first_part_key(const struct candidate *c)
{
	const struct part *p = candidate_parts(c);

	return 2 * p->node + p->question.negated;
}

static struct loose *collect_loose(const struct make *m, const bool *guarded, uint32_t *ret_n)
{
	const struct plan *pl = m->pl;
	struct loose *v = malloc(((size_t)pl->n + pl->nbits + 1) * sizeof(*v));
	uint32_t n = 0;

	for (uint32_t i = 0; v && i < pl->n; i++) {
		const struct candidate *c = &pl->v[pl->at[i]];

		for (uint32_t k = 0; k < c->nbits && !guarded[i]; k++)
			v[n++] = (struct loose){ .key = first_part_key(c),
						 .candidate = pl->at[i],
						 .event = m->p->rules[c->rule].event,
						 .bit = bit_at(pl, c, k) };
	}
	if (n)
		qsort(v, n, sizeof(*v), loose_cmp);
	*ret_n = n;
	return v;
}

/* Candidates without a guard, by event type and bit, and then by their first part. */
static int make_by_bit(struct make *m, const bool *guarded)
{
	struct plan *pl = m->pl;
	size_t nevents = m->p->catalog->nevents;
	uint32_t n, ngroups = 0;
	_cleanup_free_ struct loose *v = collect_loose(m, guarded, &n);

	pl->by_bit = calloc(nevents + 1, sizeof(*pl->by_bit));
	pl->unguarded_bits = calloc(nevents + 1, sizeof(*pl->unguarded_bits));
	pl->unguarded = malloc(((size_t)n + 1) * sizeof(*pl->unguarded));
	pl->groups = malloc(((size_t)n + 1) * sizeof(*pl->groups));
	if (!v || !pl->by_bit || !pl->unguarded_bits || !pl->unguarded || !pl->groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct loose *x = &v[i], *was = i ? x - 1 : NULL;
		struct guard_range *bit = &pl->by_bit[x->event][x->bit];
		bool same_bit = was && was->event == x->event && was->bit == x->bit;

		pl->unguarded[i] = x->candidate;
		pl->unguarded_bits[x->event][x->bit / 64] |= UINT64_C(1) << x->bit % 64;
		if (!same_bit)
			bit->first = ngroups;
		if (!same_bit || was->key != x->key) {
			bit->count++;
			pl->groups[ngroups++] = (struct group){ .candidate = x->candidate, .first = i };
		}
		pl->groups[ngroups - 1].count++;
	}
	return 0;
}

static int make_nodes(struct make *m)
{
	for (uint32_t i = 0; i < m->p->nnodes; i++) {
		int r = find_atom(m, i);

		if (r < 0)
			return r;
		m->cost[i] = cost_of(m, i);
		m->odds[i] = odds_of(m, i);
	}
	return 0;
}

static int make_tables(struct make *m)
{
	_cleanup_free_ bool *guarded = calloc((size_t)m->pl->n + 1, sizeof(*guarded));
	int r;

	m->popular = calloc((size_t)m->pl->terms->n + 1, sizeof(*m->popular));
	if (!guarded || !m->popular)
		return -ENOMEM;
	r = post_all(m, guarded);
	if (r == 0)
		r = make_slices(m);
	if (r == 0)
		r = make_guards(m);
	if (r == 0)
		r = make_by_bit(m, guarded);
	return r;
}

/* Pairs of struct candidate that one takes with its parts: a cache line each. */
static uint32_t lines_of(const struct candidate *c)
{
	return (c->nparts + 2u + 3) / 4;
}

/* Each moves to where a cache line begins, and its parts to it. */
static int lay_out(struct plan *pl)
{
	struct candidate *v;
	uint32_t lines = 0;

	for (uint32_t i = 0; i < pl->n; i++)
		lines += lines_of(&pl->v[i]);
	v = terms_table((size_t)lines + 1, 2 * sizeof(*v));
	pl->at = malloc(((size_t)pl->n + 1) * sizeof(*pl->at));
	if (!v || !pl->at) {
		free(v);
		return -ENOMEM;
	}
	lines = 0;
	for (uint32_t i = 0; i < pl->n; i++) {
		struct candidate *c = &v[2 * (size_t)lines];

		*c = pl->v[i];
		memcpy(c + 1, &pl->parts[c->parts_first], c->nparts * sizeof(*pl->parts));
		pl->at[i] = 2 * lines;
		lines += lines_of(c);
	}
	free(pl->v);
	free(pl->parts);
	pl->v = v;
	pl->parts = NULL;
	return 0;
}

static int make_all(struct make *m)
{
	size_t n = (size_t)m->p->nnodes + 1;
	int r;

	m->pl->atom_of = calloc(n, sizeof(*m->pl->atom_of));
	m->cost = calloc(n, sizeof(*m->cost));
	m->odds = calloc(n, sizeof(*m->odds));
	m->seen = calloc(n, sizeof(*m->seen));
	m->root_parts = calloc(n, sizeof(*m->root_parts));
	m->root_nparts = calloc(n, sizeof(*m->root_nparts));
	if (!m->pl->atom_of || !m->cost || !m->odds || !m->seen || !m->root_parts || !m->root_nparts)
		return -ENOMEM;
	r = make_nodes(m);
	if (r == 0 && m->pl->columns->n > UINT16_MAX)
		r = -E2BIG;
	for (uint32_t i = 0; i < m->p->nrules && r == 0; i++)
		r = add_rule(m, i);
	if (r == 0)
		r = lay_out(m->pl);
	if (r == 0)
		r = make_tables(m);
	return r == 0 ? columns_seal(m->pl->columns) : r;
}

int plan_init(struct plan *pl, const struct program *p, struct terms *terms, struct columns *columns)
{
	struct make m = { .pl = pl, .p = p };
	int r;

	*pl = (struct plan){ .p = p, .terms = terms, .columns = columns };
	r = make_all(&m);
	free(m.cost);
	free(m.odds);
	free(m.seen);
	free(m.root_parts);
	free(m.root_nparts);
	free(m.popular);
	free(m.weight);
	free(m.postings);
	return r;
}

void plan_done(struct plan *pl)
{
	free(pl->v);
	free(pl->at);
	free(pl->parts);
	free(pl->bits);
	free(pl->atom_of);
	free(pl->atoms);
	free(pl->slices);
	free(pl->of_term);
	free(pl->entries);
	free(pl->guards);
	free(pl->guards_of);
	free(pl->by_bit);
	free(pl->groups);
	free(pl->unguarded_bits);
	free(pl->unguarded);
	*pl = (struct plan){ 0 };
}

/* ---- asking it ----------------------------------------------------------------------------------------------------- */

struct bring_up {
	const struct plan *pl;
	const struct event *ev;
	uint32_t column, stamp;
	const struct plan_asker *to;
};

static bool is_alive(const struct plan *pl, const struct candidate *c, const struct event *ev)
{
	for (uint32_t i = 0; i < c->nbits; i++)
		if (ev->alive[bit_at(pl, c, i) / 64] >> bit_at(pl, c, i) % 64 & 1)
			return true;
	return false;
}

static void bring_up_slice(const struct bring_up *b, const struct slice *s)
{
	const struct plan *pl = b->pl;

	if (s->column != b->column || s->event != b->ev->type)
		return;
	for (uint32_t k = 0; k < s->count; k++) {
		const struct entry *x = s->count == 1 ? &s->one : &pl->entries[s->first + k];
		struct candidate *c = &pl->v[x->candidate];

		if (c->asked_at == b->stamp || !is_alive(pl, c, b->ev))
			continue;
		c->asked_at = b->stamp;
		b->to->f(b->to->ctx, x->candidate, x->atom);
	}
}

static void bring_up(void *ctx, uint32_t term)
{
	const struct bring_up *b = ctx;
	const struct slice *s = &b->pl->of_term[term];

	if (s->column != MANY_SLICES) {
		bring_up_slice(b, s);
		return;
	}
	if (!(s->events >> b->ev->type % 32 & 1))
		return;
	for (uint32_t i = 0; i < s->count; i++)
		bring_up_slice(b, &b->pl->slices[s->first + i]);
}

static bool meets(const uint64_t a[SV_WORDS], const uint64_t b[SV_WORDS])
{
	return ((a[0] & b[0]) | (a[1] & b[1]) | (a[2] & b[2]) | (a[3] & b[3])) != 0;
}

/* Their first part holds then, unless variables may change it. */
static void bring_up_bit(const struct plan *pl, const struct guard_range *bit, uint32_t stamp,
			 const struct plan_asker *to)
{
	for (uint32_t g = bit->first; g < bit->first + bit->count; g++) {
		const struct group *group = &pl->groups[g];

		if (!to->may(to->ctx, candidate_parts(&pl->v[group->candidate])))
			continue;
		for (uint32_t k = group->first; k < group->first + group->count; k++) {
			struct candidate *c = &pl->v[pl->unguarded[k]];

			if (c->asked_at == stamp)
				continue;
			c->asked_at = stamp;
			to->f(to->ctx, pl->unguarded[k], c->late ? ATOM_NONE : 0);
		}
	}
}

void plan_each(struct plan *pl, const struct event *ev, uint32_t stamp, const struct plan_asker *to)
{
	const struct guard_range *of = &pl->guards_of[ev->type];
	struct bring_up b = { .pl = pl, .ev = ev, .stamp = stamp, .to = to };

	for (uint32_t i = of->first; i < of->first + of->count; i++) {
		const struct guard_column *g = &pl->guards[i];

		b.column = g->column;
		if (meets(g->mask, ev->alive))
			columns_each(pl->columns, g->column, g->patterns, ev, stamp, bring_up, &b);
	}
	for (unsigned w = 0; w < SV_WORDS; w++)
		for (uint64_t m = ev->alive[w] & pl->unguarded_bits[ev->type][w]; m; m &= m - 1)
			bring_up_bit(pl, &pl->by_bit[ev->type][64 * w + (unsigned)__builtin_ctzll(m)], stamp, to);
}

void plan_restart(struct plan *pl)
{
	for (uint32_t i = 0; i < pl->n; i++)
		pl->v[pl->at[i]].asked_at = 0;
}
