/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which clause gets which bit. Terms that ask the same share a bit for nothing. Where there are still too many, those share
 * that differ in one string only: what the kernel drops stays the same then, because the bit falls exactly when each of them
 * does; only the engine looks at more rules than it would have to. Where even that does not do, neighbours in a fixed
 * order share: most alike first.
 */
#include "policy-compiler/sieve_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* ---- number predicates --------------------------------------------------------------------------------------------- */

struct counted {
	uint32_t pred, count;
	enum { WHEN_FIRST, WHEN_WHO, WHEN_LAST } when;
	bool pathless; /* a clause asks for it and for no path */
};

/* The most used first; of equals the first that came. */
static int counted_cmp(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return (x->pred > y->pred) - (x->pred < y->pred);
}

/* Where it is no number. */
static uint32_t special_place(const struct clause_pred *pred)
{
	switch (pred->slot) {
	case SV_SLOT_SELF:
		return PRED_SELF;
	case SV_SLOT_CONTAINED:
		return PRED_CONTAINED;
	case SV_SLOT_TTY:
		return PRED_TTY;
	case SV_SLOT_VAR:
		return PRED_VAR((uint32_t)pred->rhs);
	default:
		return PRED_NONE;
	}
}

static int when_cmp(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;

	return x->when != y->when ? (x->when > y->when) - (x->when < y->when) : counted_cmp(a, b);
}

/* Which of @k, the most used first, are asked before any string: see sv_first() and sv_who(). Those come to stand before the others. */
static void choose_first(struct event_build *eb, struct counted *k, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t slot = pred_at(&eb->c, k[i].pred)->slot;

		if (slot == SV_SLOT_RETVAL && eb->nfirst < SV_FIRST) {
			k[i].when = WHEN_FIRST;
			eb->nfirst++;
		} else if (sv_slot_who(slot) && k[i].pathless && eb->nwho < SV_FIRST) {
			k[i].when = WHEN_WHO;
			eb->nwho++;
		}
	}
	qsort(k, n, sizeof(*k), when_cmp);
}

static int choose_preds(struct event_build *eb)
{
	uint32_t n = eb->c.preds.n, used = 0;
	_cleanup_free_ struct counted *k = calloc((size_t)n + 1, sizeof(*k));

	eb->pred_place = calloc((size_t)n + 1, sizeof(*eb->pred_place));
	if (!k || !eb->pred_place)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		k[i] = (struct counted){ .pred = i, .when = WHEN_LAST };
		eb->pred_place[i] = PRED_NONE;
	}
	for (uint32_t i = 0; i < eb->nall; i++)
		for (uint32_t j = 0; j < eb->all[i].n; j++) {
			struct counted *of = &k[eb->all[i].lits[j] / 2];

			of->count++;
			of->pathless |= eb->all[i].formula[SV_AUT_PATH0] == FORMULA_TRUE;
		}
	qsort(k, n, sizeof(*k), counted_cmp);
	while (used < n && k[used].count)
		used++;
	choose_first(eb, k, used);
	for (uint32_t i = 0; i < used; i++) {
		uint32_t special = special_place(pred_at(&eb->c, k[i].pred));

		if (special != PRED_NONE) {
			eb->pred_place[k[i].pred] = special;
			continue;
		}
		if (eb->npreds == SV_PREDS) {
			eb->preds_left++;
			continue;
		}
		eb->pred_place[k[i].pred] = eb->npreds;
		eb->preds[eb->npreds++] = k[i].pred;
	}
	return 0;
}

/* The term without the predicates that got no place. */
static void strip(const struct event_build *eb, const struct clause_term *from, struct clause_term *to)
{
	*to = *from;
	to->n = 0;
	for (uint32_t i = 0; i < from->n; i++)
		if (eb->pred_place[from->lits[i] / 2] != PRED_NONE)
			to->lits[to->n++] = from->lits[i];
}

static int distinct_terms(struct event_build *eb)
{
	eb->rule_terms = calloc((size_t)eb->nall + 1, sizeof(*eb->rule_terms));
	if (!eb->rule_terms)
		return -ENOMEM;
	for (uint32_t i = 0; i < eb->nall; i++) {
		struct clause_term t;
		int64_t r;

		strip(eb, &eb->all[i], &t);
		r = intern_put(&eb->terms, &t, term_size(&t), NULL);
		if (r < 0)
			return (int)r;
		eb->rule_terms[i] = (uint32_t)r;
	}
	return 0;
}

static bool has_lit(const struct clause_term *t, uint32_t lit)
{
	for (uint32_t i = 0; i < t->n; i++)
		if (t->lits[i] == lit)
			return true;
	return false;
}

void sieve_bits_of(const struct event_build *eb, uint32_t place, struct sv_mask *ret)
{
	struct sv_mask others = { { 0 } };

	*ret = (struct sv_mask){ { 0 } };

	for (uint32_t i = 0; i < eb->terms.n; i++) {
		const struct clause_term *t = term_at(eb, i);
		bool asks = false;

		for (uint32_t j = 0; j < t->n; j++)
			asks |= eb->pred_place[t->lits[j] / 2] == place;
		mask_set(asks ? ret : &others, eb->bits[i]);
	}
	for (int w = 0; w < SV_WORDS; w++)
		ret->w[w] &= ~others.w[w];
}

void sieve_fill_preds(const struct event_build *eb, struct sv_event *ev)
{
	sieve_bits_of(eb, PRED_SELF, &ev->self);
	ev->nfirst = eb->nfirst;
	ev->nwho = eb->nwho;
	for (uint32_t k = 0; k < eb->npreds; k++) {
		const struct clause_pred *pred = pred_at(&eb->c, eb->preds[k]);
		struct sv_pred *out = &ev->preds[k];
		uint32_t lit = 2 * eb->preds[k];

		*out = (struct sv_pred){ .slot = pred->slot, .op = pred->op, .and = pred->and, .rhs = pred->rhs };
		for (uint32_t i = 0; i < eb->terms.n; i++) {
			const struct clause_term *t = term_at(eb, i);

			if (!has_lit(t, lit | 1))
				mask_set(&out->keep_true, eb->bits[i]);
			if (!has_lit(t, lit))
				mask_set(&out->keep_false, eb->bits[i]);
		}
	}
	ev->npreds = eb->npreds;
}

/* ---- sharing ------------------------------------------------------------------------------------------------------- */

/* A term with what it is sorted by: its shape (everything but its first string), then that string. */
struct place {
	struct clause_term shape;
	uint32_t string; /* SV_AUTOMATA: none */
	const char *text;
	uint32_t text_len, term;
};

/* The first pattern of a formula: patterns of one directory come together when they are sorted by it. */
static const struct clause_pattern *first_pattern(const struct clauses *c, uint32_t formula)
{
	const struct formula *f = formula_at(c, formula);

	while (f->op == F_AND || f->op == F_OR)
		f = formula_at(c, f->a);
	if (f->op != F_ATOM || !c->atoms[f->a].count)
		return NULL;
	return pattern_at(c, c->atom_patterns[c->atoms[f->a].first]);
}

static void place_of(const struct event_build *eb, uint32_t i, struct place *ret)
{
	const struct clause_term *t = term_at(eb, i);
	const struct clause_pattern *pat;

	memset(ret, 0, sizeof(*ret));
	memcpy(&ret->shape, t, term_size(t));
	ret->term = i;
	ret->text = "";
	ret->string = 0;
	while (ret->string < SV_AUTOMATA && t->formula[ret->string] == FORMULA_TRUE)
		ret->string++;
	if (ret->string == SV_AUTOMATA)
		return;
	ret->shape.formula[ret->string] = FORMULA_TRUE;
	if (ret->string == SV_AUT_PATH0)
		ret->shape.formula[SV_AUT_EITHER] = FORMULA_TRUE; /* says less of the same */
	pat = first_pattern(&eb->c, t->formula[ret->string]);
	if (pat)
		ret->text = clauses_pattern_text(&eb->c, pat, &ret->text_len);
}

static int shape_cmp(const struct place *a, const struct place *b)
{
	if (a->string != b->string)
		return a->string < b->string ? -1 : 1;
	/* Literals first: of terms that do not have the same shape, those are neighbours that ask for the same numbers. */
	for (uint32_t i = 0; i < CLAUSE_LITS; i++)
		if (a->shape.lits[i] != b->shape.lits[i])
			return a->shape.lits[i] < b->shape.lits[i] ? -1 : 1;
	return memcmp(&a->shape, &b->shape, sizeof(a->shape));
}

static int place_cmp(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;
	uint32_t len = a->text_len < b->text_len ? a->text_len : b->text_len;
	int r = shape_cmp(a, b);

	if (r == 0)
		r = memcmp(a->text, b->text, len);
	if (r == 0)
		r = (a->text_len > b->text_len) - (a->text_len < b->text_len);
	return r ? r : (a->term > b->term) - (a->term < b->term);
}

/* Gives @count places in a row @bits bits, beginning at @first. */
static void spread(struct event_build *eb, const struct place *p, uint32_t count, uint32_t first, uint32_t bits)
{
	for (uint32_t i = 0; i < count; i++)
		eb->bits[p[i].term] = (uint16_t)(first + (uint64_t)i * bits / count);
}

/* A bit for each shape, and what is left in proportion to the terms that a shape has beyond its first. */
static void spread_by_shape(struct event_build *eb, const struct place *p, uint32_t n, uint32_t nshapes)
{
	uint32_t bit = 0, left = SV_CLAUSES - nshapes, more = n - nshapes, j;

	for (uint32_t i = 0; i < n; i = j) {
		uint32_t extra;

		for (j = i + 1; j < n && shape_cmp(&p[i], &p[j]) == 0; j++)
			;
		extra = more ? (uint32_t)((uint64_t)left * (j - i - 1) / more) : 0;
		spread(eb, p + i, j - i, bit, 1 + extra);
		bit += 1 + extra;
		left -= extra;
		more -= j - i - 1;
	}
	eb->nbits = bit;
}

static int share_bits(struct event_build *eb)
{
	uint32_t n = eb->terms.n, nshapes = 1;
	_cleanup_free_ struct place *p = calloc(n, sizeof(*p));

	if (!p)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		place_of(eb, i, &p[i]);
	qsort(p, n, sizeof(*p), place_cmp);
	for (uint32_t i = 1; i < n; i++)
		nshapes += shape_cmp(&p[i - 1], &p[i]) != 0;
	if (nshapes <= SV_CLAUSES) {
		spread_by_shape(eb, p, n, nshapes);
		return 0;
	}
	spread(eb, p, n, 0, SV_CLAUSES);
	eb->nbits = SV_CLAUSES;
	return 0;
}

int sieve_bits(struct event_build *eb)
{
	int r = choose_preds(eb);

	if (r == 0)
		r = distinct_terms(eb);
	if (r < 0)
		return r;
	eb->bits = calloc((size_t)eb->terms.n + 1, sizeof(*eb->bits));
	if (!eb->bits)
		return -ENOMEM;
	if (eb->terms.n > SV_CLAUSES) {
		r = share_bits(eb);
	} else {
		for (uint32_t i = 0; i < eb->terms.n; i++)
			eb->bits[i] = (uint16_t)i;
		eb->nbits = eb->terms.n;
	}
	return r < 0 ? r : sieve_kin(eb);
}
