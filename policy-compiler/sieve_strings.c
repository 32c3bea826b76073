/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a string says about clauses. The automaton's builder asks for the value of each set of matched patterns; the value is
 * the mask of the clauses that stay possible. Only what these patterns change is worked out anew: a policy of ten thousand
 * paths asks ten thousand times.
 */
#include "policy-compiler/sieve_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* Lists of numbers by number: those of i are all[first[i]..first[i + 1]). */
struct relation {
	uint32_t *first, *all; /* owned */
};

struct pair {
	uint32_t from, to;
};

struct pairs {
	struct pair *p; /* owned */
	uint32_t n, cap;
};

struct oracle {
	const struct event_build *eb;
	const struct string_build *sb;
	struct intern *masks;
	struct relation atoms_of_pattern; /* of sb->patterns */
	struct relation tops_of_atom;	  /* whole formulas that the atom is in */
	struct relation terms_of_top;
	uint32_t *names, nnames;	/* owned; atoms over the last component */
	unsigned k;			/* the automaton */
	uint32_t nbits;			/* of its values */
	uint32_t bit_count[SV_CLAUSES]; /* terms of each bit that are possible while no pattern matches */
	int32_t bit_change[SV_CLAUSES];
	uint8_t *atom_may, *atom_must; /* owned; the present set: a pattern matches; one matches for sure */
	bool trail;		       /* the string ends with '/' */
	bool *top_default;	       /* owned; possible while no pattern matches */
	uint32_t *seen, *memo_at;      /* owned; of each formula: stamp of the last change; of the last evaluation */
	uint8_t *memo;		       /* owned */
	uint32_t stamp;
	uint32_t *touched, touched_cap; /* owned; atoms of the present set */
	uint32_t *changed, changed_cap; /* owned; formulas whose value is not their default */
};

/* ---- relations ----------------------------------------------------------------------------------------------------- */

static int pair_put(struct pairs *ps, uint32_t from, uint32_t to)
{
	int r = array_room(&ps->p, &ps->cap, ps->n + 1, sizeof(*ps->p));

	if (r < 0)
		return r;
	ps->p[ps->n++] = (struct pair){ from, to };
	return 0;
}

/* Takes the pairs, whether it succeeds or not. */
static int relation_make(struct relation *rel, struct pairs *ps, uint32_t nfrom)
{
	_cleanup_free_ uint32_t *at = calloc((size_t)nfrom + 1, sizeof(*at));
	_cleanup_free_ struct pair *p = TAKE_PTR(ps->p);

	rel->first = calloc((size_t)nfrom + 2, sizeof(*rel->first));
	rel->all = calloc((size_t)ps->n + 1, sizeof(*rel->all));
	if (!at || !rel->first || !rel->all)
		return -ENOMEM;
	for (uint32_t i = 0; i < ps->n; i++)
		rel->first[p[i].from + 1]++;
	for (uint32_t i = 0; i < nfrom; i++) {
		rel->first[i + 1] += rel->first[i];
		at[i] = rel->first[i];
	}
	for (uint32_t i = 0; i < ps->n; i++)
		rel->all[at[p[i].from]++] = p[i].to;
	return 0;
}

static void relation_done(struct relation *rel)
{
	free(rel->first);
	free(rel->all);
}

/* ---- collecting ---------------------------------------------------------------------------------------------------- */

/* Calls @leaf for each atom of a formula that was not met since the stamp. */
static int each_atom(const struct clauses *c, uint32_t formula, uint32_t *seen, uint32_t stamp,
		     int (*leaf)(void *ctx, uint32_t atom), void *ctx)
{
	const struct formula *f = formula_at(c, formula);
	int r;

	if (seen[formula] == stamp)
		return 0;
	seen[formula] = stamp;
	if (f->op == F_ATOM)
		return leaf(ctx, f->a);
	if (f->op != F_AND && f->op != F_OR)
		return 0;
	r = each_atom(c, f->a, seen, stamp, leaf, ctx);
	return r < 0 ? r : each_atom(c, f->b, seen, stamp, leaf, ctx);
}

struct collect {
	struct event_build *eb;
	uint8_t *wanted; /* of each pattern */
	bool names;
};

static int collect_atom(void *ctx, uint32_t atom)
{
	struct collect *x = ctx;
	const struct clause_atom *a = &x->eb->c.atoms[atom];

	x->names = x->names || a->name;
	for (uint32_t i = a->first; i < a->first + a->count; i++)
		x->wanted[x->eb->c.atom_patterns[i]] = 1;
	return 0;
}

/* A network of IPv6 that covers the range of mapped IPv4 addresses does not match those: leave them to the engine. */
static bool covers_mapped(const uint8_t net[17])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t bits = net[16], whole = bits / 8, rest = bits % 8;

	if (bits >= 96 || memcmp(net, mapped, whole) != 0)
		return false;
	return rest == 0 || ((net[whole] ^ mapped[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static struct pattern pattern_of(const struct clauses *c, uint32_t i)
{
	const struct clause_pattern *cp = pattern_at(c, i);
	struct pattern p = { .kind = cp->kind, .icase = cp->icase, .name = cp->name, .keep = PAT_KEEP_ALL };

	p.s = clauses_pattern_text(c, cp, &p.len);
	p.maybe = cp->maybe || (cp->kind == PAT_NET && p.len == 17 && covers_mapped((const uint8_t *)p.s));
	return p;
}

static int put_patterns(const struct event_build *eb, struct string_build *sb, const uint8_t *wanted, bool names)
{
	const struct clauses *c = &eb->c;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->patterns.n; i++)
		n += wanted[i];
	sb->patterns = calloc((size_t)n + 1, sizeof(*sb->patterns));
	sb->sources = calloc((size_t)n + 1, sizeof(*sb->sources));
	if (!sb->patterns || !sb->sources)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->patterns.n; i++) {
		if (!wanted[i])
			continue;
		sb->patterns[sb->npatterns] = pattern_of(c, i);
		sb->sources[sb->npatterns++] = i;
	}
	if (names) {
		sb->patterns[sb->npatterns] = (struct pattern){ .s = "", .kind = PAT_TRAIL, .keep = PAT_KEEP_ALL };
		sb->sources[sb->npatterns++] = UINT32_MAX;
	}
	return 0;
}

int sieve_patterns(struct event_build *eb, unsigned k)
{
	_cleanup_free_ uint32_t *seen = calloc(eb->c.formulas.n, sizeof(*seen));
	_cleanup_free_ uint8_t *wanted = calloc((size_t)eb->c.patterns.n + 1, 1);
	struct collect x = { .eb = eb, .wanted = wanted };
	struct string_build *sb = &eb->strings[k];
	int r = seen && wanted ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < eb->terms.n && r == 0; i++) {
		uint32_t f = term_at(eb, i)->formula[k];

		sb->used = sb->used || f != FORMULA_TRUE;
		r = each_atom(&eb->c, f, seen, 1, collect_atom, &x);
	}
	if (r == 0 && sb->used)
		r = put_patterns(eb, sb, wanted, x.names);
	return r;
}

/* ---- evaluation ---------------------------------------------------------------------------------------------------- */

/* Whether the literal can be true of the present string. */
static bool atom_possible(const struct oracle *o, const struct formula *f)
{
	const struct clause_atom *a = &o->eb->c.atoms[f->a];

	if (o->trail && a->name)
		return true;
	return f->neg ? !o->atom_must[f->a] : a->open || o->atom_may[f->a];
}

static bool formula_possible(struct oracle *o, uint32_t formula)
{
	const struct formula *f = formula_at(&o->eb->c, formula);
	bool v;

	if (f->op == F_TRUE || f->op == F_FALSE)
		return f->op == F_TRUE;
	if (f->op == F_ATOM)
		return atom_possible(o, f);
	if (o->memo_at[formula] == o->stamp)
		return o->memo[formula];
	if (f->op == F_AND)
		v = formula_possible(o, f->a) && formula_possible(o, f->b);
	else
		v = formula_possible(o, f->a) || formula_possible(o, f->b);
	o->memo_at[formula] = o->stamp;
	o->memo[formula] = v;
	return v;
}

/* Notes the whole formulas of @atom whose value has changed. */
static int update_atom(struct oracle *o, uint32_t atom, uint32_t *nchanged)
{
	const struct relation *rel = &o->tops_of_atom;

	for (uint32_t i = rel->first[atom]; i < rel->first[atom + 1]; i++) {
		uint32_t top = rel->all[i];
		int r;

		if (o->seen[top] == o->stamp)
			continue;
		o->seen[top] = o->stamp;
		if (formula_possible(o, top) == o->top_default[top])
			continue;
		r = array_room(&o->changed, &o->changed_cap, *nchanged + 1, sizeof(*o->changed));
		if (r < 0)
			return r;
		o->changed[(*nchanged)++] = top;
	}
	return 0;
}

/* What the values say of a term: its bit, or the condition that it asks of an image above. KIN_NONE: nothing. */
static uint16_t bit_of(const struct oracle *o, uint32_t term)
{
	return o->k >= SV_AUT_KIN ? o->eb->kin_of[term][o->k - SV_AUT_KIN] : o->eb->bits[term];
}

static void change_bits(struct oracle *o, uint32_t top, int32_t by)
{
	const struct relation *rel = &o->terms_of_top;

	for (uint32_t i = rel->first[top]; i < rel->first[top + 1]; i++) {
		uint16_t bit = bit_of(o, rel->all[i]);

		if (bit != KIN_NONE)
			o->bit_change[bit] += by;
	}
}

static int64_t present_mask(struct oracle *o)
{
	struct sv_mask m = { { 0 } };

	for (uint32_t b = 0; b < o->nbits; b++)
		if ((int64_t)o->bit_count[b] + o->bit_change[b] > 0)
			mask_set(&m, b);
	return intern_put(o->masks, &m, sizeof(m), NULL);
}

static int touch(struct oracle *o, uint32_t atom, uint32_t *n)
{
	int r = array_room(&o->touched, &o->touched_cap, *n + 1, sizeof(*o->touched));

	if (r == 0)
		o->touched[(*n)++] = atom;
	return r;
}

/* Sets what a match of pattern @i says about its atoms; they are noted in touched[]. */
static int match_pattern(struct oracle *o, uint32_t i, uint32_t *ntouched)
{
	const struct pattern *p = &o->sb->patterns[i];
	const struct relation *rel = &o->atoms_of_pattern;
	bool sure = !p->maybe && !pattern_is_weak(p);
	int r = 0;

	for (uint32_t k = rel->first[i]; k < rel->first[i + 1] && r == 0; k++) {
		if (!o->atom_may[rel->all[k]])
			r = touch(o, rel->all[k], ntouched);
		o->atom_may[rel->all[k]] = 1;
		o->atom_must[rel->all[k]] |= sure;
	}
	return r;
}

/* One joined pattern stands for all of them. */
static int match_joined(struct oracle *o, uint32_t *ntouched)
{
	int r = 0;

	for (uint32_t i = 0; i < o->sb->npatterns && r == 0; i++)
		if (o->sb->patterns[i].joined)
			r = match_pattern(o, i, ntouched);
	return r;
}

static int match_atoms(struct oracle *o, const uint32_t *matched, uint32_t n, uint32_t *ntouched)
{
	bool joined = false;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct pattern *p = &o->sb->patterns[matched[i]];

		o->trail = o->trail || p->kind == PAT_TRAIL;
		joined = joined || p->joined;
		if (!p->joined)
			r = match_pattern(o, matched[i], ntouched);
	}
	return r == 0 && joined ? match_joined(o, ntouched) : r;
}

/* aut_value_fn */
static int64_t value_of(void *ctx, const uint32_t *matched, uint32_t n)
{
	struct oracle *o = ctx;
	uint32_t ntouched = 0, nchanged = 0;
	int64_t r;

	o->stamp++;
	o->trail = false;
	r = match_atoms(o, matched, n, &ntouched);
	for (uint32_t i = 0; i < ntouched && r == 0; i++)
		r = update_atom(o, o->touched[i], &nchanged);
	for (uint32_t i = 0; i < o->nnames && o->trail && r == 0; i++)
		r = update_atom(o, o->names[i], &nchanged);
	for (uint32_t i = 0; i < nchanged; i++)
		change_bits(o, o->changed[i], o->top_default[o->changed[i]] ? -1 : 1);
	if (r == 0)
		r = present_mask(o);
	for (uint32_t i = 0; i < nchanged; i++)
		change_bits(o, o->changed[i], o->top_default[o->changed[i]] ? 1 : -1);
	for (uint32_t i = 0; i < ntouched; i++)
		o->atom_may[o->touched[i]] = o->atom_must[o->touched[i]] = 0;
	return r;
}

/* ---- making the oracle --------------------------------------------------------------------------------------------- */

static int relate_patterns(struct oracle *o)
{
	const struct clauses *c = &o->eb->c;
	_cleanup_free_ uint32_t *place = calloc((size_t)c->patterns.n + 1, sizeof(*place));
	struct pairs ps = { 0 };
	int r = place ? 0 : -ENOMEM;

	for (uint32_t i = 0; place && i < o->sb->npatterns; i++)
		if (o->sb->sources[i] != UINT32_MAX)
			place[o->sb->sources[i]] = i + 1;
	for (uint32_t a = 0; a < c->natoms; a++)
		for (uint32_t i = c->atoms[a].first; i < c->atoms[a].first + c->atoms[a].count && r == 0; i++)
			if (place[c->atom_patterns[i]])
				r = pair_put(&ps, place[c->atom_patterns[i]] - 1, a);
	if (r < 0) {
		free(ps.p);
		return r;
	}
	return relation_make(&o->atoms_of_pattern, &ps, o->sb->npatterns);
}

/* Patterns of the same atoms mean the same: the patterns of one set, mostly. */
static int group_patterns(struct oracle *o, struct pattern *patterns)
{
	const struct relation *rel = &o->atoms_of_pattern;
	struct intern groups = { 0 };
	int64_t r = 0;

	for (uint32_t i = 0; i < o->sb->npatterns && r >= 0; i++) {
		uint32_t n = rel->first[i + 1] - rel->first[i];

		patterns[i].group = 0;
		if (!n)
			continue;
		r = intern_put(&groups, rel->all + rel->first[i], n * (uint32_t)sizeof(*rel->all), NULL);
		patterns[i].group = (uint32_t)r + 1;
	}
	intern_done(&groups);
	return r < 0 ? (int)r : 0;
}

struct relate {
	struct pairs *ps;
	uint32_t top;
};

static int relate_atom(void *ctx, uint32_t atom)
{
	struct relate *x = ctx;

	return pair_put(x->ps, atom, x->top);
}

static int relate_tops(struct oracle *o, unsigned k)
{
	const struct event_build *eb = o->eb;
	struct pairs atoms = { 0 }, terms = { 0 };
	struct relate x = { .ps = &atoms };
	_cleanup_free_ uint8_t *is_top = calloc(eb->c.formulas.n, 1);
	int r = is_top ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < eb->terms.n && r == 0; i++) {
		x.top = term_at(eb, i)->formula[k];
		r = pair_put(&terms, x.top, i);
		if (r == 0 && !is_top[x.top]) {
			is_top[x.top] = 1;
			r = each_atom(&eb->c, x.top, o->seen, ++o->stamp, relate_atom, &x);
		}
	}
	if (r == 0)
		r = relation_make(&o->tops_of_atom, &atoms, eb->c.natoms);
	if (r == 0)
		r = relation_make(&o->terms_of_top, &terms, eb->c.formulas.n);
	free(atoms.p);
	free(terms.p);
	return r;
}

static int find_names(struct oracle *o, unsigned k)
{
	const struct clauses *c = &o->eb->c;
	unsigned of = k == SV_AUT_EITHER ? SV_AUT_PATH0 : k; /* the same conditions */

	o->names = calloc((size_t)c->natoms + 1, sizeof(*o->names));
	if (!o->names)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->natoms; i++)
		if (c->atoms[i].name && c->atoms[i].automaton == of)
			o->names[o->nnames++] = i;
	return 0;
}

/* What holds while no pattern matches. */
static void find_defaults(struct oracle *o, unsigned k)
{
	o->stamp++;
	for (uint32_t i = 0; i < o->eb->terms.n; i++) {
		uint32_t top = term_at(o->eb, i)->formula[k];

		o->top_default[top] = formula_possible(o, top);
		if (bit_of(o, i) != KIN_NONE)
			o->bit_count[bit_of(o, i)] += o->top_default[top];
	}
}

static int oracle_init(struct oracle *o, const struct event_build *eb, unsigned k, struct intern *masks)
{
	uint32_t nf = eb->c.formulas.n, na = eb->c.natoms + 1;
	int r;

	o->eb = eb;
	o->sb = &eb->strings[k];
	o->k = k;
	o->nbits = k >= SV_AUT_KIN ? eb->nkin : eb->nbits;
	o->masks = masks;
	o->atom_may = calloc(na, 1);
	o->atom_must = calloc(na, 1);
	o->top_default = calloc(nf, sizeof(*o->top_default));
	o->seen = calloc(nf, sizeof(*o->seen));
	o->memo_at = calloc(nf, sizeof(*o->memo_at));
	o->memo = calloc(nf, 1);
	if (!o->atom_may || !o->atom_must || !o->top_default || !o->seen || !o->memo_at || !o->memo)
		return -ENOMEM;
	r = relate_patterns(o);
	if (r == 0)
		r = relate_tops(o, k);
	if (r == 0)
		r = find_names(o, k);
	if (r == 0)
		find_defaults(o, k);
	return r;
}

static void oracle_done(struct oracle *o)
{
	relation_done(&o->atoms_of_pattern);
	relation_done(&o->tops_of_atom);
	relation_done(&o->terms_of_top);
	free(o->names);
	free(o->atom_may);
	free(o->atom_must);
	free(o->top_default);
	free(o->seen);
	free(o->memo_at);
	free(o->memo);
	free(o->touched);
	free(o->changed);
}

int sieve_automaton(struct event_build *eb, unsigned k, const struct aut_limits *l, const struct nfa_samples *samples,
		    struct intern *masks)
{
	struct string_build *sb = &eb->strings[k];
	struct oracle *o = calloc(1, sizeof(*o));
	int r;

	if (!o)
		return -ENOMEM;
	automaton_done(&sb->a);
	r = oracle_init(o, eb, k, masks);
	if (r == 0)
		r = group_patterns(o, sb->patterns);
	if (r == 0)
		r = automaton_fit(sb->patterns, sb->npatterns, value_of, o, l, samples, &sb->a, &sb->fit);
	oracle_done(o);
	free(o);
	return r;
}
