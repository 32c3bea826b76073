/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/sieve_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/sieve_io.h"
#include "policy-compiler/sieve_parts.h"

struct build {
	struct program p;      /* a view */
	struct unseen *unseen; /* owned */
	struct sieve_vars vars;
	struct sieve_limits limits;
	struct event_build *events[EV_TYPES]; /* owned; NULL where no rule is of that type */
	struct intern masks;		      /* values of the automata's states */
	struct intern placed;		      /* the sieve's masks */
	uint32_t masks_left;
	struct sieve *out;
};

/* ---- rules to terms ------------------------------------------------------------------------------------------------ */

/* For programs that go by two paths: what may hold where each condition holds of one or the other. */
static int fill_either(struct event_build *eb, uint32_t first, uint32_t n)
{
	static const uint8_t to[][2] = { { SV_AUT_PATH0, SV_AUT_EITHER },
					 { SV_AUT_PARENT, SV_AUT_PARENT },
					 { SV_AUT_ABOVE, SV_AUT_ABOVE } };

	for (uint32_t i = first; i < first + n; i++)
		for (size_t k = 0; k < sizeof(to) / sizeof(to[0]); k++) {
			int64_t f = clauses_either(&eb->c, eb->all[i].formula[to[k][0]]);

			if (f < 0)
				return (int)f;
			eb->all[i].formula[to[k][1]] = (uint32_t)f;
		}
	return 0;
}

static int add_rule(struct event_build *eb, uint32_t rule, uint32_t root)
{
	struct rule_build rb = { .rule = rule, .first = eb->nall };
	const struct clause_term *terms;
	int r = clauses_of(&eb->c, root, &terms, &rb.count, &rb.weak);

	if (r == 0)
		r = array_room(&eb->rules, &eb->rules_cap, eb->nrules + 1, sizeof(*eb->rules));
	if (r == 0)
		r = array_room(&eb->all, &eb->all_cap, (size_t)eb->nall + rb.count, sizeof(*eb->all));
	if (r < 0)
		return r;
	if (rb.count)
		memcpy(eb->all + eb->nall, terms, rb.count * sizeof(*terms));
	eb->nall += rb.count;
	eb->rules[eb->nrules++] = rb;
	if (catalog_sieve_also(eb->c.p->catalog, eb->c.event, SV_AUT_PATH0))
		return fill_either(eb, rb.first, rb.count);
	return 0;
}

static void event_build_free(struct event_build *eb)
{
	if (!eb)
		return;
	clauses_done(&eb->c);
	intern_done(&eb->terms);
	free(eb->rules);
	free(eb->all);
	free(eb->rule_terms);
	free(eb->bits);
	free(eb->pred_place);
	free(eb->kin_of);
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		free(eb->strings[k].patterns);
		free(eb->strings[k].sources);
		automaton_done(&eb->strings[k].a);
	}
	free(eb);
}

static int collect_event(struct build *b, uint16_t event)
{
	struct event_build *eb = calloc(1, sizeof(*eb));
	int r;

	if (!eb)
		return -ENOMEM;
	b->events[event] = eb;
	r = clauses_init(&eb->c, &b->p, b->unseen, event);
	eb->c.lacks = b->vars.lacks;
	for (uint32_t i = 0; i < b->p.nrules && r == 0; i++)
		if (b->p.rules[i].event == event)
			r = add_rule(eb, i, b->p.rules[i].root);
	if (r == 0)
		r = sieve_bits(eb);
	clauses_seal(&eb->c);
	for (unsigned k = 0; k < SV_AUTOMATA && r == 0; k++)
		r = sieve_patterns(eb, k);
	return r;
}

static int collect(struct build *b)
{
	bool wanted[EV_TYPES] = { false };
	int r = 0;

	for (uint32_t i = 0; i < b->p.nrules; i++)
		if (b->p.rules[i].event < EV_TYPES)
			wanted[b->p.rules[i].event] = true;
	for (uint16_t event = 0; event < EV_TYPES && r == 0; event++)
		if (wanted[event])
			r = collect_event(b, event);
	return r;
}

/* ---- automata ------------------------------------------------------------------------------------------------------ */

static struct string_build *string_at(const struct build *b, unsigned i)
{
	struct event_build *eb = b->events[i / SV_AUTOMATA];

	return eb && eb->strings[i % SV_AUTOMATA].used ? &eb->strings[i % SV_AUTOMATA] : NULL;
}

#define STRINGS (EV_TYPES * SV_AUTOMATA)

static uint32_t trans_of(const struct automaton *a)
{
	return a->nstates * a->nclasses;
}

/* Sum over all automata of their need, of which each gets at most @level. */
static uint64_t granted(const struct build *b, uint32_t level, bool trans)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < STRINGS; i++) {
		const struct string_build *sb = string_at(b, i);
		uint32_t need = !sb ? 0 : trans ? trans_of(&sb->a) : sb->a.nstates;

		sum += need < level ? need : level;
	}
	return sum;
}

/* The most that each may have so that all fit: who needs less leaves the rest to the others. */
static uint32_t fair_level(const struct build *b, uint32_t total, bool trans)
{
	uint32_t lo = 0, hi = total;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo + 1) / 2;

		if (granted(b, mid, trans) <= total)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static int build_automaton(struct build *b, unsigned i, const struct aut_limits *l)
{
	uint16_t event = (uint16_t)(i / SV_AUTOMATA);
	struct nfa_samples samples = workload_samples(b->limits.workload, event, i % SV_AUTOMATA);

	return sieve_automaton(b->events[event], i % SV_AUTOMATA, l, &samples, &b->masks);
}

static int build_automata(struct build *b)
{
	struct aut_limits l = { .states = b->limits.states, .trans = b->limits.trans };
	int r = 0;

	for (unsigned i = 0; i < STRINGS && r == 0; i++)
		if (string_at(b, i))
			r = build_automaton(b, i, &l);
	if (r < 0)
		return r;
	l.states = fair_level(b, b->limits.states, false);
	l.trans = fair_level(b, b->limits.trans, true);
	for (unsigned i = 0; i < STRINGS && r == 0; i++) {
		const struct string_build *sb = string_at(b, i);

		if (sb && (sb->a.nstates > l.states || trans_of(&sb->a) > l.trans))
			r = build_automaton(b, i, &l);
	}
	return r;
}

/* ---- masks --------------------------------------------------------------------------------------------------------- */

static bool mask_within(const struct sv_mask *a, const struct sv_mask *b)
{
	for (int i = 0; i < SV_WORDS; i++)
		if (a->w[i] & ~b->w[i])
			return false;
	return true;
}

static int mask_count(const struct sv_mask *m)
{
	int n = 0;

	for (int i = 0; i < SV_WORDS; i++)
		n += __builtin_popcountll(m->w[i]);
	return n;
}

/* The smallest mask in the table that @m is within: the one that is all ones, if nothing else. */
static uint16_t nearest_mask(const struct build *b, const struct sv_mask *m)
{
	uint32_t best = 1;
	int best_count = SV_CLAUSES;

	for (uint32_t i = 2; i < b->placed.n; i++) {
		const struct sv_mask *have = intern_get(&b->placed, i);
		int count = mask_count(have);

		if (count < best_count && mask_within(m, have)) {
			best = i;
			best_count = count;
		}
	}
	return (uint16_t)best;
}

/* Where @m is in the sieve's table. A mask of all clauses that the event has is as good as all ones. */
static int64_t place_mask(struct build *b, const struct sv_mask *m, const struct sv_mask *clauses)
{
	int64_t i;

	if (mask_within(clauses, m))
		return 1;
	i = intern_put(&b->placed, m, sizeof(*m), NULL);
	if (i != -E2BIG)
		return i;
	b->masks_left++;
	return nearest_mask(b, m);
}

static int init_masks(struct build *b)
{
	struct sv_mask zero = { { 0 } }, ones;
	int64_t r;

	memset(&ones, 0xff, sizeof(ones));
	b->placed.max = b->limits.masks;
	r = intern_put(&b->placed, &zero, sizeof(zero), NULL);
	if (r == 0)
		r = intern_put(&b->placed, &ones, sizeof(ones), NULL);
	return r < 0 ? (int)r : 0;
}

/* ---- tables -------------------------------------------------------------------------------------------------------- */

static void bits_of_event(const struct event_build *eb, struct sv_mask *ret)
{
	*ret = (struct sv_mask){ { 0 } };
	for (uint32_t i = 0; i < eb->terms.n; i++)
		mask_set(ret, eb->bits[i]);
}

/*
 * The masks of what can still come, for each state. States are numbered breadth first: most of the way is done by one pass
 * from the end.
 */
static struct sv_mask *reach_masks(const struct build *b, const struct automaton *a)
{
	struct sv_mask *reach = calloc(a->nstates, sizeof(*reach));
	bool more = reach != NULL;

	for (uint32_t s = 0; s < a->nstates && reach; s++)
		memcpy(&reach[s], intern_get(&b->masks, a->value[s]), sizeof(*reach));
	while (more) {
		more = false;
		for (uint32_t s = a->nstates; s-- > 0;) {
			struct sv_mask was = reach[s];

			for (uint32_t c = 0; c < a->nclasses; c++) {
				const struct sv_mask *to = &reach[a->trans[(size_t)s * a->nclasses + c]];

				for (int w = 0; w < SV_WORDS; w++)
					reach[s].w[w] |= to->w[w];
			}
			more = more || memcmp(&was, &reach[s], sizeof(was)) != 0;
		}
	}
	return reach;
}

static int place_finals(struct build *b, const struct automaton *a, const struct sv_automaton *out,
			const struct sv_mask *clauses)
{
	for (uint32_t s = 0; s < a->nstates; s++) {
		struct sv_mask m;
		int64_t r;

		memcpy(&m, intern_get(&b->masks, a->value[s]), sizeof(m));
		r = place_mask(b, &m, clauses);
		if (r < 0)
			return (int)r;
		b->out->state_final[out->first + s] = (uint16_t)r;
	}
	return 0;
}

static void mark_after_slash(const struct automaton *a, bool *marks)
{
	marks[0] = true;
	for (uint32_t s = 0; s < a->nstates; s++)
		marks[a->trans[(size_t)s * a->nclasses + a->cls['/']]] = true;
}

/* Directories are cached behind their '/': masks of the states there matter, and go first where there is no room for all. */
static int place_reach(struct build *b, const struct automaton *a, const struct sv_automaton *out,
		       const struct sv_mask *clauses)
{
	_cleanup_free_ struct sv_mask *reach = reach_masks(b, a);
	_cleanup_free_ bool *slash = calloc(a->nstates, sizeof(*slash));

	if (!reach || !slash)
		return -ENOMEM;
	mark_after_slash(a, slash);
	for (int first = 1; first >= 0; first--)
		for (uint32_t s = 0; s < a->nstates; s++) {
			int64_t r;

			if (slash[s] != first)
				continue;
			r = place_mask(b, &reach[s], clauses);
			if (r < 0)
				return (int)r;
			b->out->state_reach[out->first + s] = (uint16_t)r;
		}
	return 0;
}

static void copy_automaton(struct sieve *out, struct sv_automaton *to, const struct automaton *a)
{
	*to = (struct sv_automaton){
		.used = 1,
		.base = out->ntrans,
		.first = out->nstates,
		.states = a->nstates,
		.classes = a->nclasses,
		.live = a->live,
	};
	memcpy(to->cls, a->cls, sizeof(to->cls));
	for (uint32_t i = 0; i < trans_of(a); i++)
		out->trans[out->ntrans++] = (uint16_t)a->trans[i];
	out->nstates += a->nstates;
}

/*
 * What is alive in no state of an automaton can never be: such clauses go, unless a second string may make up for what the
 * first one lacks. An automaton that says the same of every string is left out.
 */
static int place_event(struct build *b, uint16_t event)
{
	const struct event_build *eb = b->events[event];
	struct sv_event *out = &b->out->event[event];

	bits_of_event(eb, &out->clauses);
	sieve_fill_preds(eb, out);
	sieve_fill_vars(eb, &b->vars, b->out);
	if (event == EV_EXEC)
		sieve_fill_kin(eb, &b->out->kin);
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		const struct automaton *a = &eb->strings[k].a;
		struct sv_mask *reach;

		if (!eb->strings[k].used)
			continue;
		if (k >= SV_AUT_KIN) {
			if (a->live > 0)
				copy_automaton(b->out, &out->automata[k], a);
			continue;
		}
		reach = reach_masks(b, a);
		if (!reach)
			return -ENOMEM;
		for (int w = 0; w < SV_WORDS && !catalog_sieve_also(b->p.catalog, event, (uint16_t)k); w++)
			out->clauses.w[w] &= reach[0].w[w];
		free(reach);
		if (a->live > 0)
			copy_automaton(b->out, &out->automata[k], a);
	}
	return 0;
}

/* @place over all automata in the tables. */
static int each_automaton(struct build *b, int (*place)(struct build *b, const struct automaton *a,
							const struct sv_automaton *out, const struct sv_mask *clauses))
{
	int r = 0;

	for (unsigned i = 0; i < STRINGS && r == 0; i++) {
		const struct sv_event *ev = &b->out->event[i / SV_AUTOMATA];
		const struct sv_automaton *a = &ev->automata[i % SV_AUTOMATA];
		const struct sv_mask kin = { { (1ull << b->out->kin.n) - 1 } };

		if (a->used)
			r = place(b, &string_at(b, i)->a, a, i % SV_AUTOMATA >= SV_AUT_KIN ? &kin : &ev->clauses);
	}
	return r;
}

static int fill(struct build *b)
{
	int r = init_masks(b);

	memset(b->out, 0, sizeof(*b->out));
	b->out->abi = SV_ABI;
	for (uint16_t event = 0; event < EV_TYPES && r == 0; event++)
		if (b->events[event])
			r = place_event(b, event);
	if (r == 0)
		r = each_automaton(b, place_finals);
	for (uint16_t event = 0; event < EV_TYPES && r == 0; event++)
		if (b->events[event])
			sieve_deny(b->events[event], b->masks_left > 0, &b->out->event[event]);
	if (r == 0)
		r = each_automaton(b, place_reach);
	if (r < 0)
		return r;
	b->out->nmasks = b->placed.n;
	for (uint32_t i = 0; i < b->placed.n; i++)
		memcpy(&b->out->masks[i], intern_get(&b->placed, i), sizeof(b->out->masks[i]));
	return 0;
}

/* ---- clauses of rules ---------------------------------------------------------------------------------------------- */

/* @urgent: the event's tables, if the rule's events keep a place when the ring gets full; else NULL. */
static int set_clauses(struct program_builder *pb, const struct event_build *eb, const struct rule_build *rb,
		       uint32_t root, struct sv_event *urgent)
{
	struct clause c[CLAUSES_A_RULE];
	struct sv_mask bits = { { 0 } };
	size_t n = 0;

	for (uint32_t i = rb->first; i < rb->first + rb->count; i++)
		mask_set(&bits, eb->bits[eb->rule_terms[i]]);
	for (int w = 0; urgent && w < SV_WORDS; w++)
		urgent->urgent.w[w] |= bits.w[w] & urgent->clauses.w[w];
	for (uint16_t bit = 0; bit < SV_CLAUSES && n < CLAUSES_A_RULE; bit++)
		if (mask_has(&bits, bit))
			c[n++] = (struct clause){ .root = root, .bit = bit };
	/* Without a clause the rule can never fire; it must have one, which is the last: that is another's in large policies only. */
	if (!n)
		c[n++] = (struct clause){ .root = root, .bit = SV_CLAUSES - 1 };
	return program_clauses_set(pb, rb->rule, c, n);
}

static int set_all_clauses(struct build *b, struct program_builder *pb)
{
	int r = 0;

	for (uint16_t event = 0; event < EV_TYPES; event++) {
		const struct event_build *eb = b->events[event];

		for (uint32_t i = 0; eb && i < eb->nrules && r == 0; i++) {
			const struct prule *rule = &b->p.rules[eb->rules[i].rule];

			if (eb->rules[i].deny == DENY_KERNEL)
				program_deny_decided(pb, eb->rules[i].rule);
			r = set_clauses(pb, eb, &eb->rules[i], rule->root,
					program_rule_urgent(&b->p, rule) ? &b->out->event[event] : NULL);
		}
	}
	return r;
}

/* ---- all ----------------------------------------------------------------------------------------------------------- */

static void build_done(struct build *b)
{
	for (unsigned i = 0; i < EV_TYPES; i++)
		event_build_free(b->events[i]);
	intern_done(&b->masks);
	intern_done(&b->placed);
	sieve_vars_done(&b->vars);
	unseen_free(b->unseen);
}

/*
 * That a variable is never set is in the program, too: it then takes no value over from another policy. And where its flag is: the
 * kernel is told if it takes one over.
 */
static void mark_vars(const struct build *b, struct program_builder *pb)
{
	for (uint32_t i = 0; i < b->p.nvars; i++) {
		if (unseen_idle(b->unseen, i))
			program_var_idle(pb, i);
		program_var_flag(pb, i, 0);
	}
	for (uint32_t i = 0; i < b->vars.n; i++)
		program_var_flag(pb, b->vars.var[i], (uint8_t)(i + 1));
}

static int build_all(struct build *b, struct program_builder *pb, struct sieve_report *ret_report)
{
	int r = unseen_new_idle(&b->p, &b->unseen);

	if (r == 0)
		r = sieve_vars_find(&b->p, b->unseen, &b->vars);
	if (r == 0)
		r = collect(b);
	if (r == 0)
		r = build_automata(b);
	if (r == 0)
		r = fill(b);
	if (r == 0)
		mark_vars(b, pb);
	if (r == 0 && ret_report)
		r = sieve_report_fill(&b->p, b->events, ret_report);
	if (r == 0 && ret_report) {
		ret_report->states = b->out->nstates;
		ret_report->trans = b->out->ntrans;
		ret_report->masks = b->out->nmasks;
		ret_report->masks_left = b->masks_left;
	}
	return r == 0 ? set_all_clauses(b, pb) : r;
}

int sieve_build(struct program_builder *pb, const struct workload *workload, struct sieve_report *ret_report,
		struct sieve *out, struct err *e)
{
	const struct sieve_limits all = {
		.states = SV_STATES, .trans = SV_TRANS, .masks = SV_MASKS, .workload = workload
	};

	return sieve_build_within(pb, &all, ret_report, out, e);
}

int sieve_build_within(struct program_builder *pb, const struct sieve_limits *l, struct sieve_report *ret_report,
		       struct sieve *out, struct err *e)
{
	struct build b = { .p = program_view(pb), .limits = *l, .out = out };
	int r;

	if (ret_report)
		*ret_report = (struct sieve_report){ 0 };
	r = build_all(&b, pb, ret_report);
	build_done(&b);
	if (r < 0) {
		if (ret_report)
			sieve_report_done(ret_report);
		return err_set(e, r, "cannot build the sieve: %s", strerror(-r));
	}
	sieve_opened(out);
	return 0;
}
