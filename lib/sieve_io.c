/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sieve_io.h"

#include <stdbool.h>

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static void put_mask(struct buf *b, const struct sv_mask *m)
{
	for (int i = 0; i < SV_WORDS; i++)
		buf_put_u64(b, m->w[i]);
}

static void put_pred(struct buf *b, const struct sv_pred *p)
{
	buf_putc(b, p->slot);
	buf_putc(b, p->op);
	buf_put_u64(b, p->and);
	buf_put_u64(b, (uint64_t)p->rhs);
	put_mask(b, &p->keep_true);
	put_mask(b, &p->keep_false);
}

static void put_automaton(struct buf *b, const struct sv_automaton *a)
{
	buf_put_u32(b, a->used);
	if (!a->used)
		return;
	buf_put_u32(b, a->base);
	buf_put_u32(b, a->first);
	buf_put_u32(b, a->states);
	buf_put_u32(b, a->classes);
	buf_put_u32(b, a->live);
	buf_put(b, a->cls, sizeof(a->cls));
}

static bool event_is_empty(const struct sv_event *e)
{
	static const struct sv_event none;

	return memcmp(e, &none, sizeof(none)) == 0;
}

static void put_event(struct buf *b, uint32_t type, const struct sv_event *e)
{
	buf_put_u32(b, type);
	put_mask(b, &e->clauses);
	put_mask(b, &e->urgent);
	put_mask(b, &e->self);
	put_mask(b, &e->deny.clauses);
	for (int k = 0; k < SV_DENY_STRINGS; k++)
		put_mask(b, &e->deny.asks[k]);
	buf_put_u32(b, e->nvars);
	buf_put_u32(b, e->vars);
	buf_put_u32(b, e->nfirst);
	buf_put_u32(b, e->nwho);
	buf_put_u32(b, e->npreds);
	for (uint32_t i = 0; i < e->npreds; i++)
		put_pred(b, &e->preds[i]);
	for (int k = 0; k < SV_AUTOMATA; k++)
		put_automaton(b, &e->automata[k]);
}

static void put_kin(struct buf *b, const struct sv_kin *kin)
{
	buf_put_u32(b, kin->n);
	buf_put_u32(b, kin->above);
	for (int k = 0; k < SV_KIN_AUTS; k++)
		buf_put_u32(b, kin->of[k]);
	put_mask(b, &kin->contained);
	put_mask(b, &kin->tty);
	for (uint32_t i = 0; i < kin->n; i++)
		put_mask(b, &kin->keep[i]);
}

static void put_var(struct buf *b, const struct sv_var *v)
{
	buf_put_u32(b, v->var);
	put_mask(b, &v->needs);
	put_mask(b, &v->sets);
}

int sieve_pack(const struct sieve *s, struct buf *out)
{
	uint32_t nevents = 0;

	for (uint32_t i = 0; i < EV_TYPES; i++)
		nevents += !event_is_empty(&s->event[i]);
	buf_put_u32(out, s->abi);
	buf_put_u32(out, nevents);
	buf_put_u32(out, s->nmasks);
	buf_put_u32(out, s->nstates);
	buf_put_u32(out, s->ntrans);
	buf_put_u32(out, s->nvars);
	for (uint32_t i = 0; i < s->nvars; i++)
		put_var(out, &s->vars[i]);
	put_kin(out, &s->kin);
	for (uint32_t i = 0; i < EV_TYPES; i++)
		if (!event_is_empty(&s->event[i]))
			put_event(out, i, &s->event[i]);
	for (uint32_t i = 0; i < s->nmasks; i++)
		put_mask(out, &s->masks[i]);
	for (uint32_t i = 0; i < s->nstates; i++)
		buf_put_u16(out, s->state_final[i]);
	for (uint32_t i = 0; i < s->nstates; i++)
		buf_put_u16(out, s->state_reach[i]);
	for (uint32_t i = 0; i < s->ntrans; i++)
		buf_put_u16(out, s->trans[i]);
	return buf_error(out);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

struct reader {
	struct rd rd;
	struct err *e;
};

static int bad(struct reader *r, const char *what)
{
	return err_set(r->e, -EBADMSG, "the sieve of this bundle is damaged: %s", what);
}

static int cut_short(struct reader *r)
{
	return bad(r, "it ends too early");
}

static int get_mask(struct reader *r, struct sv_mask *ret)
{
	for (int i = 0; i < SV_WORDS; i++)
		if (rd_u64(&r->rd, &ret->w[i]) < 0)
			return cut_short(r);
	return 0;
}

static bool slot_ok(uint8_t slot)
{
	return slot < EV_NUM_MAX || (slot >= SV_SLOT_UID && slot <= SV_SLOT_RETVAL);
}

static int get_pred(struct reader *r, struct sv_pred *ret)
{
	uint64_t rhs;

	if (rd_u8(&r->rd, &ret->slot) < 0 || rd_u8(&r->rd, &ret->op) < 0 || rd_u64(&r->rd, &ret->and) < 0 ||
	    rd_u64(&r->rd, &rhs) < 0)
		return cut_short(r);
	if (!slot_ok(ret->slot) || ret->op > SV_OP_LE)
		return bad(r, "a predicate of no known kind");
	ret->rhs = (int64_t)rhs;
	if (get_mask(r, &ret->keep_true) < 0 || get_mask(r, &ret->keep_false) < 0)
		return -EBADMSG;
	return 0;
}

/* Its place in the tables; what is in them is checked when they have been read. */
static int check_place(struct reader *r, const struct sieve *s, const struct sv_automaton *a)
{
	if (!a->states || a->states > s->nstates || a->first > s->nstates - a->states)
		return bad(r, "states outside of the table");
	if (!a->classes || a->classes > 256)
		return bad(r, "an automaton without classes of bytes, or with too many");
	if (a->base > s->ntrans || (uint64_t)a->states * a->classes > s->ntrans - a->base)
		return bad(r, "transitions outside of the table");
	if (a->live > a->states)
		return bad(r, "more states that can be left than states");
	for (int i = 0; i < 256; i++)
		if (a->cls[i] >= a->classes)
			return bad(r, "a class of bytes that there is not");
	return 0;
}

static int get_automaton(struct reader *r, const struct sieve *s, struct sv_automaton *ret)
{
	const uint8_t *cls;

	if (rd_u32(&r->rd, &ret->used) < 0)
		return cut_short(r);
	if (ret->used > 1)
		return bad(r, "an automaton that is neither there nor not");
	if (!ret->used)
		return 0;
	if (rd_u32(&r->rd, &ret->base) < 0 || rd_u32(&r->rd, &ret->first) < 0 || rd_u32(&r->rd, &ret->states) < 0 ||
	    rd_u32(&r->rd, &ret->classes) < 0 || rd_u32(&r->rd, &ret->live) < 0 ||
	    rd_bytes(&r->rd, sizeof(ret->cls), &cls) < 0)
		return cut_short(r);
	memcpy(ret->cls, cls, sizeof(ret->cls));
	return check_place(r, s, ret);
}

static int get_vars(struct reader *r, struct sieve *s)
{
	for (uint32_t i = 0; i < s->nvars; i++) {
		if (rd_u32(&r->rd, &s->vars[i].var) < 0)
			return cut_short(r);
		if (s->vars[i].var >= SV_VARS)
			return bad(r, "a variable that there is not");
		if (get_mask(r, &s->vars[i].needs) < 0 || get_mask(r, &s->vars[i].sets) < 0)
			return -EBADMSG;
	}
	return 0;
}

static int get_event(struct reader *r, struct sieve *s, uint32_t *last)
{
	struct sv_event *e;
	uint32_t type;

	if (rd_u32(&r->rd, &type) < 0)
		return cut_short(r);
	if (type <= *last || type >= EV_TYPES)
		return bad(r, "an event type that there is not, or out of order");
	*last = type;
	e = &s->event[type];
	if (get_mask(r, &e->clauses) < 0 || get_mask(r, &e->urgent) < 0 || get_mask(r, &e->self) < 0 ||
	    get_mask(r, &e->deny.clauses) < 0)
		return -EBADMSG;
	for (int k = 0; k < SV_DENY_STRINGS; k++)
		if (get_mask(r, &e->deny.asks[k]) < 0)
			return -EBADMSG;
	if (rd_u32(&r->rd, &e->nvars) < 0 || rd_u32(&r->rd, &e->vars) < 0 || rd_u32(&r->rd, &e->nfirst) < 0 ||
	    rd_u32(&r->rd, &e->nwho) < 0 || rd_u32(&r->rd, &e->npreds) < 0)
		return cut_short(r);
	if (e->nvars > SV_EVENT_VARS || e->vars > s->nvars || e->nvars > s->nvars - e->vars)
		return bad(r, "variables outside of the table");
	if (e->npreds > SV_PREDS)
		return bad(r, "too many predicates");
	if (e->nfirst > SV_FIRST || e->nwho > SV_FIRST || e->nfirst + e->nwho > e->npreds)
		return bad(r, "more first predicates than there are");
	for (uint32_t i = 0; i < e->npreds; i++) {
		if (get_pred(r, &e->preds[i]) < 0)
			return -EBADMSG;
		if (i < e->nfirst && e->preds[i].slot != SV_SLOT_RETVAL)
			return bad(r, "a first predicate that does not ask for the result");
		if (i >= e->nfirst && i < e->nfirst + e->nwho && !sv_slot_who(e->preds[i].slot))
			return bad(r, "a first predicate that does not ask who it is");
	}
	for (int k = 0; k < SV_AUTOMATA; k++)
		if (get_automaton(r, s, &e->automata[k]) < 0)
			return -EBADMSG;
	return 0;
}

static int get_kin(struct reader *r, struct sv_kin *ret)
{
	uint32_t all;

	if (rd_u32(&r->rd, &ret->n) < 0 || rd_u32(&r->rd, &ret->above) < 0)
		return cut_short(r);
	if (ret->n > SV_KIN)
		return bad(r, "too many conditions on the processes above");
	all = (uint32_t)((1ull << ret->n) - 1);
	if (ret->above & ~all)
		return bad(r, "a condition on the processes above that there is not");
	for (int k = 0; k < SV_KIN_AUTS; k++) {
		if (rd_u32(&r->rd, &ret->of[k]) < 0)
			return cut_short(r);
		if (ret->of[k] & ~all)
			return bad(r, "a condition on the processes above that there is not");
		all &= ~ret->of[k];
	}
	if (all)
		return bad(r, "a condition on the processes above that nothing decides");
	if (get_mask(r, &ret->contained) < 0 || get_mask(r, &ret->tty) < 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->n; i++)
		if (get_mask(r, &ret->keep[i]) < 0)
			return -EBADMSG;
	return 0;
}

static int get_masks(struct reader *r, struct sieve *s)
{
	struct sv_mask ones;

	memset(&ones, 0xff, sizeof(ones));
	for (uint32_t i = 0; i < s->nmasks; i++)
		if (get_mask(r, &s->masks[i]) < 0)
			return -EBADMSG;
	if (s->masks[0].w[0] | s->masks[0].w[1] | s->masks[0].w[2] | s->masks[0].w[3] ||
	    memcmp(&s->masks[1], &ones, sizeof(ones)) != 0)
		return bad(r, "the first two masks are not none and all");
	return 0;
}

/* @n numbers, each less than @below (0: any). */
static int get_u16s(struct reader *r, uint16_t *ret, uint32_t n, uint32_t below)
{
	for (uint32_t i = 0; i < n; i++) {
		if (rd_u16(&r->rd, &ret[i]) < 0)
			return cut_short(r);
		if (below && ret[i] >= below)
			return bad(r, "a mask that there is not");
	}
	return 0;
}

static int check_trans(struct reader *r, const struct sieve *s, const struct sv_automaton *a)
{
	for (uint32_t i = 0; i < a->states * a->classes; i++) {
		uint32_t to = s->trans[a->base + i];

		if (to >= a->states)
			return bad(r, "a transition to a state that there is not");
		if (i / a->classes >= a->live && to != i / a->classes)
			return bad(r, "a final state that is left");
	}
	return 0;
}

static int get_tables(struct reader *r, struct sieve *s)
{
	if (get_masks(r, s) < 0 || get_u16s(r, s->state_final, s->nstates, s->nmasks) < 0 ||
	    get_u16s(r, s->state_reach, s->nstates, s->nmasks) < 0 || get_u16s(r, s->trans, s->ntrans, 0) < 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < EV_TYPES * SV_AUTOMATA; i++) {
		const struct sv_automaton *a = &s->event[i / SV_AUTOMATA].automata[i % SV_AUTOMATA];

		if (a->used && check_trans(r, s, a) < 0)
			return -EBADMSG;
	}
	return rd_end(&r->rd) < 0 ? bad(r, "bytes behind its end") : 0;
}

static void strike(const struct sv_pred *p, ev_u64 value, struct sv_mask *alive)
{
	const struct sv_mask *keep = sv_pred_holds(p, value) ? &p->keep_true : &p->keep_false;

	for (int i = 0; i < SV_WORDS; i++)
		alive->w[i] &= keep->w[i];
}

void sieve_opened(struct sieve *s)
{
	const struct sv_event *e = &s->event[EV_OPEN];
	const ev_u64 unknown = ~(ev_u64)SV_OPEN_KNOWN;

	for (ev_u64 f = 0; f <= SV_OPEN_KNOWN; f++) {
		struct sv_mask *alive = &s->opened[sv_open_index(f)];

		if (f & unknown)
			continue;
		*alive = e->clauses;
		for (uint32_t i = 0; i < e->npreds; i++) {
			const struct sv_pred *p = &e->preds[i];
			const ev_u64 asked = p->and;

			if (p->slot == SV_SLOT_RETVAL)
				strike(p, 0, alive);
			else if (p->slot == EVN_OPEN_FLAGS && !(asked & unknown))
				strike(p, f, alive);
		}
	}
}

int sieve_unpack(const void *bytes, size_t size, struct sieve *ret, struct err *e)
{
	struct reader r = { .rd = rd_of(bytes, size), .e = e };
	uint32_t nevents, last = 0;

	memset(ret, 0, sizeof(*ret));
	if (rd_u32(&r.rd, &ret->abi) < 0)
		return cut_short(&r);
	if (ret->abi != SV_ABI)
		return err_set(
			e, -EBADMSG,
			"this bundle's sieve has version %u, this tamisd knows %d: build the policy with its tamisc",
			ret->abi, SV_ABI);
	if (rd_u32(&r.rd, &nevents) < 0 || rd_u32(&r.rd, &ret->nmasks) < 0 || rd_u32(&r.rd, &ret->nstates) < 0 ||
	    rd_u32(&r.rd, &ret->ntrans) < 0 || rd_u32(&r.rd, &ret->nvars) < 0)
		return cut_short(&r);
	if (nevents >= EV_TYPES || ret->nmasks < 2 || ret->nmasks > SV_MASKS || ret->nstates > SV_STATES ||
	    ret->ntrans > SV_TRANS || ret->nvars > SV_VAR_ROWS)
		return bad(&r, "larger than its tables");
	if (get_vars(&r, ret) < 0 || get_kin(&r, &ret->kin) < 0)
		return -EBADMSG;
	for (uint32_t i = 0; i < nevents; i++)
		if (get_event(&r, ret, &last) < 0)
			return -EBADMSG;
	return get_tables(&r, ret);
}
