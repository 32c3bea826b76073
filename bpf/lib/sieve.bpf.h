/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking things up in the sieve. The same lines compile as BPF (clang-14, -mcpu=v2, kernels from 5.10 on) and as host C, so
 * that the tests run what the kernel runs. No maps, no helpers, nothing that knows an event: the hook brings the pointers.
 *
 * Every index that comes out of the tables is masked before it is used, even though the loader has validated them: the
 * verifier has seen neither the loader nor the file. sv_hide() stands before each mask, because the compiler may otherwise
 * prove it redundant (or move it) and the verifier is then left with an index without a bound.
 *
 * The order of a hook's work: sv_alive_start, then numbers (cheap), then strings; stop as soon as nothing is alive. A string
 * that could not be read whole is not run at all: leaving an automaton out is always sound.
 */
#ifndef TAMIS_BPF_SIEVE_H
#define TAMIS_BPF_SIEVE_H

#include "tamis/sieve.h"

#define sv_hide(x) asm volatile("" : "+r"(x))

#define SV_BUF_SIZE (2 * EV_PATH_MAX) /* bytes that sv_dfa_run_at may look at from its base */
#define SV_NAME_MAX 256		      /* bytes of a component, and its slash */

/* ---- masks ----------------------------------------------------------------------------------------------------- */

SV_INLINE void sv_mask_copy(struct sv_mask *dst, const struct sv_mask *src)
{
	dst->w[0] = src->w[0];
	dst->w[1] = src->w[1];
	dst->w[2] = src->w[2];
	dst->w[3] = src->w[3];
}

SV_INLINE void sv_mask_and(struct sv_mask *dst, const struct sv_mask *src)
{
	dst->w[0] &= src->w[0];
	dst->w[1] &= src->w[1];
	dst->w[2] &= src->w[2];
	dst->w[3] &= src->w[3];
}

SV_INLINE int sv_mask_zero(const struct sv_mask *m)
{
	return !(m->w[0] | m->w[1] | m->w[2] | m->w[3]);
}

/* Whether two masks have a bit in common. */
SV_INLINE int sv_mask_meets(const struct sv_mask *a, const struct sv_mask *b)
{
	return ((a->w[0] & b->w[0]) | (a->w[1] & b->w[1]) | (a->w[2] & b->w[2]) | (a->w[3] & b->w[3])) != 0;
}

SV_INLINE void sv_mask_or(struct sv_mask *dst, const struct sv_mask *src)
{
	dst->w[0] |= src->w[0];
	dst->w[1] |= src->w[1];
	dst->w[2] |= src->w[2];
	dst->w[3] |= src->w[3];
}

SV_INLINE void sv_mask_and_not(struct sv_mask *dst, const struct sv_mask *src)
{
	dst->w[0] &= ~src->w[0];
	dst->w[1] &= ~src->w[1];
	dst->w[2] &= ~src->w[2];
	dst->w[3] &= ~src->w[3];
}

/* Whether all bits of @a are in @b. */
SV_INLINE int sv_mask_within(const struct sv_mask *a, const struct sv_mask *b)
{
	return !((a->w[0] & ~b->w[0]) | (a->w[1] & ~b->w[1]) | (a->w[2] & ~b->w[2]) | (a->w[3] & ~b->w[3]));
}

/* All clauses of event type @e; false when no rule wants the type. */
SV_INLINE int sv_alive_start(const struct sv_event *e, struct sv_mask *alive)
{
	sv_mask_copy(alive, &e->clauses);
	return !sv_mask_zero(alive);
}

/* ---- automata -------------------------------------------------------------------------------------------------- */

SV_INLINE ev_u64 sv_dfa_step(const struct sieve *s, const struct sv_automaton *a, ev_u64 state, ev_u8 byte)
{
	ev_u64 i = a->base + state * a->classes + a->cls[byte];

	sv_hide(i);
	i &= SV_TRANS - 1;
	return s->trans[i];
}

/*
 * Of *@len bytes at @off those that a loop by eights leaves, whose number *@len becomes: where they begin; *ret_turns is how often
 * it turns. Worked out, and hidden, before the loop: so the verifier meets the rest in one state whatever turn the loop ended at, and
 * verifies it once.
 */
SV_INLINE ev_u64 sv_eights(ev_u64 off, ev_u64 *len, ev_u64 *ret_turns)
{
	ev_u64 turns = *len / 8, rest = off + turns * 8, left = *len & 7;

	sv_hide(rest);
	sv_hide(left);
	*len = left;
	*ret_turns = turns;
	return rest;
}

/*
 * Runs @a from @state over the @len bytes at @base[(@off + i) & @mask]; the state it ends in. @max (a multiple of 8) and
 * @mask are constants, and @base has @mask + 1 bytes: so no @off and @len reads outside. With @len over @max the state
 * means nothing. It stops early in a state that nothing leaves.
 *
 * Eight bytes a turn: the verifier walks every turn, and remembers a state for each of its branches.
 */
SV_INLINE ev_u64 sv_dfa_loop(const struct sieve *s, const struct sv_automaton *a, ev_u64 state, const ev_u8 *base,
			     ev_u64 off, ev_u64 len, ev_u64 max, ev_u64 mask)
{
	ev_u64 live = a->live, turns, rest = sv_eights(off, &len, &turns), at;

	for (ev_u64 i = 0; i < max / 8; i++) {
		if (i >= turns)
			break;
#pragma GCC unroll 8
		for (ev_u64 j = 0; j < 8; j++) {
			at = off + 8 * i + j;
			sv_hide(at);
			state = sv_dfa_step(s, a, state, base[at & mask]);
		}
		if (state >= live)
			return state;
	}
	for (ev_u64 i = 0; i < 7; i++) {
		if (i >= len)
			break;
		at = rest + i;
		sv_hide(at);
		state = sv_dfa_step(s, a, state, base[at & mask]);
	}
	return state;
}

/*
 * From @state (0 is the start) over @len bytes at @base + @off. @base is map memory of SV_BUF_SIZE bytes, and positions wrap
 * around in it. @len is at most EV_PATH_MAX: more is a truncated path, which the hook must not run.
 */
SV_INLINE ev_u32 sv_dfa_run_at(const struct sieve *s, const struct sv_automaton *a, ev_u32 state, const ev_u8 *base,
			       ev_u32 off, ev_u32 len)
{
	return sv_dfa_loop(s, a, state, base, off, len, EV_PATH_MAX, SV_BUF_SIZE - 1);
}

/* The same for one component (at most SV_NAME_MAX bytes), which costs the verifier a sixteenth. */
SV_INLINE ev_u32 sv_dfa_run_name_at(const struct sieve *s, const struct sv_automaton *a, ev_u32 state,
				    const ev_u8 *base, ev_u32 off, ev_u32 len)
{
	return sv_dfa_loop(s, a, state, base, off, len, SV_NAME_MAX, SV_BUF_SIZE - 1);
}

/* The same for a buffer of EV_PATH_MAX bytes, from its first byte. */
SV_INLINE ev_u32 sv_dfa_run(const struct sieve *s, const struct sv_automaton *a, ev_u32 state, const ev_u8 *buf,
			    ev_u32 len)
{
	return sv_dfa_loop(s, a, state, buf, 0, len, EV_PATH_MAX, EV_PATH_MAX - 1);
}

/* The 16 bytes of an address (IPv4 mapped into IPv6), which may be on the stack. */
SV_INLINE ev_u32 sv_dfa_run_addr(const struct sieve *s, const struct sv_automaton *a, const ev_u8 *addr)
{
	ev_u32 state = 0;

	for (ev_u32 i = 0; i < 16; i++)
		state = sv_dfa_step(s, a, state, addr[i]);
	return state;
}

/* A string of @len bytes, at most SV_TEXT_MAX, in memory that has one more and may be on the stack. */
SV_INLINE ev_u32 sv_dfa_run_text(const struct sieve *s, const struct sv_automaton *a, const ev_u8 *text, ev_u64 len)
{
	ev_u64 state = 0;

#pragma GCC unroll 32
	for (ev_u32 i = 0; i < SV_TEXT_MAX; i++)
		if (i < len)
			state = sv_dfa_step(s, a, state, text[i]);
	return (ev_u32)state;
}

SV_INLINE const struct sv_mask *sv_state_mask(const struct sieve *s, const ev_u16 *table, const struct sv_automaton *a,
					      ev_u32 state)
{
	ev_u64 i = (ev_u64)a->first + state;
	ev_u64 m;

	sv_hide(i);
	i &= SV_STATES - 1;
	m = table[i];
	sv_hide(m);
	m &= SV_MASKS - 1;
	return &s->masks[m];
}

/* The clauses that are possible when the string ends in @state. */
SV_INLINE const struct sv_mask *sv_final_mask(const struct sieve *s, const struct sv_automaton *a, ev_u32 state)
{
	return sv_state_mask(s, s->state_final, a, state);
}

/* The clauses that are possible for some string that goes on from @state (or ends there). */
SV_INLINE const struct sv_mask *sv_reach_mask(const struct sieve *s, const struct sv_automaton *a, ev_u32 state)
{
	return sv_state_mask(s, s->state_reach, a, state);
}

/* ---- words ------------------------------------------------------------------------------------------------------ */

SV_INLINE ev_u64 sv_word_mask(const struct sieve *s, const struct sv_automaton *a, ev_u64 state)
{
	ev_u64 i = (ev_u64)a->first + state;

	sv_hide(i);
	return s->state_final[i & (SV_STATES - 1)];
}

SV_INLINE void sv_mask_or_at(const struct sieve *s, ev_u64 m, struct sv_mask *dst)
{
	sv_hide(m);
	m &= SV_MASKS - 1;
	sv_mask_or(dst, &s->masks[m]);
}

/* One byte further; what is possible by the state that it leads to is added to @found. */
SV_INLINE ev_u64 sv_words_step(const struct sieve *s, const struct sv_automaton *a, ev_u64 state, ev_u8 byte,
			       ev_u64 none, struct sv_mask *found)
{
	ev_u64 m;

	state = sv_dfa_step(s, a, state, byte);
	m = sv_word_mask(s, a, state);
	if (m != none)
		sv_mask_or_at(s, m, found);
	return state;
}

/*
 * An automaton that looks for words: what it finds on its way counts, not where it ends. From @state over @len bytes, at most @max, as in
 * sv_dfa_loop(), with the clauses that are possible by what was met added to @found, which is map memory.
 *
 * Once the begin of a word has shown that it is none that is looked for, the automaton stays where it is up to the word's end. So
 * eight bytes are first asked whether any of them leads elsewhere: look-ups that need not wait for each other.
 */
SV_INLINE ev_u64 sv_words_loop(const struct sieve *s, const struct sv_automaton *a, ev_u64 state, const ev_u8 *base,
			       ev_u64 off, ev_u64 len, ev_u64 max, ev_u64 mask, struct sv_mask *found)
{
	const ev_u64 none = sv_word_mask(s, a, 0);
	ev_u64 turns, rest, at, moves;

	if (len > max)
		len = max;
	rest = sv_eights(off, &len, &turns);
	for (ev_u64 i = 0; i < max / 8; i++) {
		if (i >= turns)
			break;
		moves = 0;
#pragma GCC unroll 8
		for (ev_u64 j = 0; j < 8; j++) {
			at = off + 8 * i + j;
			sv_hide(at);
			moves |= sv_dfa_step(s, a, state, base[at & mask]) ^ state;
		}
		if (!moves)
			continue;
		for (ev_u64 j = 0; j < 8; j++) {
			at = off + 8 * i + j;
			sv_hide(at);
			state = sv_words_step(s, a, state, base[at & mask], none, found);
		}
	}
	for (ev_u64 i = 0; i < 7; i++) {
		if (i >= len)
			break;
		at = rest + i;
		sv_hide(at);
		state = sv_words_step(s, a, state, base[at & mask], none, found);
	}
	return state;
}

/* The state before the first byte: behind what stands between two words; @found has what is possible without any. */
SV_INLINE ev_u64 sv_words_begin(const struct sieve *s, const struct sv_automaton *a, struct sv_mask *found)
{
	ev_u64 state = sv_dfa_step(s, a, 0, 0);

	sv_mask_copy(found, sv_final_mask(s, a, 0));
	sv_mask_or_at(s, sv_word_mask(s, a, state), found);
	return state;
}

/* And behind the last byte. */
SV_INLINE void sv_words_end(const struct sieve *s, const struct sv_automaton *a, ev_u64 state, struct sv_mask *found)
{
	sv_mask_or_at(s, sv_word_mask(s, a, sv_dfa_step(s, a, state, 0)), found);
}

/* ---- those above --------------------------------------------------------------------------------------------------- */

/* Strikes from @alive what asks for a condition that is not among those that are @met above. */
SV_INLINE void sv_kin_strike(const struct sv_kin *k, ev_u32 met, struct sv_mask *alive)
{
	ev_u32 n = k->n;

	for (ev_u32 i = 0; i < SV_KIN; i++) {
		if (i >= n)
			break;
		if (!(met >> i & 1))
			sv_mask_and(alive, &k->keep[i]);
	}
}

/* What an image meets that meets @self by its own strings, below one that meets @above. */
SV_INLINE ev_u32 sv_kin_below(const struct sv_kin *k, ev_u32 above, ev_u32 self)
{
	return self | (above & k->above);
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

/* The @i-th row of @e. */
SV_INLINE const struct sv_var *sv_var_at(const struct sieve *s, const struct sv_event *e, ev_u32 i)
{
	ev_u64 at = (ev_u64)e->vars + i;

	sv_hide(at);
	return &s->vars[at & (SV_VAR_ROWS - 1)];
}

SV_INLINE ev_u32 *sv_var_flag(struct sieve *s, const struct sv_var *v)
{
	ev_u64 at = v->var;

	sv_hide(at);
	return &s->set[at & (SV_VARS - 1)];
}

/* Strikes from @alive what needs a variable that is not set; one that a rule may set with this very event counts as set. */
SV_INLINE void sv_vars_strike(struct sieve *s, const struct sv_event *e, struct sv_mask *alive)
{
	ev_u32 n = e->nvars;
	struct sv_mask was;

	sv_mask_copy(&was, alive);
	for (ev_u32 i = 0; i < SV_EVENT_VARS; i++) {
		const struct sv_var *v = sv_var_at(s, e, i);

		if (i >= n)
			break;
		if (!*(const volatile ev_u32 *)sv_var_flag(s, v) && !sv_mask_meets(&was, &v->sets))
			sv_mask_and_not(alive, &v->needs);
	}
}

/* What rules may set with an event of which @alive is left is set from now on. Whether there is such a variable. */
SV_INLINE int sv_vars_set(struct sieve *s, const struct sv_event *e, const struct sv_mask *alive)
{
	ev_u32 n = e->nvars;
	int any = 0;

	for (ev_u32 i = 0; i < SV_EVENT_VARS; i++) {
		const struct sv_var *v = sv_var_at(s, e, i);
		ev_u32 *flag;

		if (i >= n)
			break;
		if (!sv_mask_meets(alive, &v->sets))
			continue;
		any = 1;
		flag = sv_var_flag(s, v);
		if (!*(volatile ev_u32 *)flag)
			__sync_fetch_and_add(flag, 1); /* with all others at work on it; and before what follows */
	}
	return any;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

SV_INLINE ev_u64 sv_slot_value(ev_u64 slot, const struct ev_head *h, const ev_u64 *num)
{
	switch (slot) {
#define SV_ID_VALUE(NAME, MEMBER)                                                                                      \
	case SV_SLOT_##NAME:                                                                                           \
		return h->MEMBER;
		SV_IDS(SV_ID_VALUE)
#undef SV_ID_VALUE
	case SV_SLOT_RETVAL:
		return (ev_u64)h->retval;
	}
	sv_hide(slot);
	return slot < EV_NUM_MAX ? num[slot] : 0;
}

/* Strikes what @p rules out for @value; false when nothing is left. */
SV_INLINE int sv_pred_strike(const struct sv_pred *p, ev_u64 value, struct sv_mask *alive)
{
	if (sv_pred_holds(p, value))
		sv_mask_and(alive, &p->keep_true);
	else
		sv_mask_and(alive, &p->keep_false);
	return !sv_mask_zero(alive);
}

/*
 * Strikes what the result rules out alone, before any string: it costs next to nothing, and a clause that asks for no path (all
 * that was refused, say) would have every one walked and written down. False when nothing is left. sv_nums() asks once more.
 */
SV_INLINE int sv_first(const struct sv_event *e, ev_s64 retval, struct sv_mask *alive)
{
	ev_u32 n = e->nfirst;

	for (ev_u32 i = 0; i < SV_FIRST; i++) {
		const struct sv_pred *p = &e->preds[i];

		if (i >= n)
			break;
		if (!sv_pred_strike(p, (ev_u64)retval, alive))
			return 0;
	}
	return !sv_mask_zero(alive);
}

/* Ids of the acting process that are at hand before its record is made. */
struct sv_who {
	ev_u64 uid, gid, auid;
};

/*
 * The same by who it is, where clauses ask for that and for no path. Not for events whose head may have other ids than the process
 * had (EV_F_CREDS_AFTER).
 */
SV_INLINE int sv_who(const struct sv_event *e, const struct sv_who *who, struct sv_mask *alive)
{
	ev_u64 first = e->nfirst, n = e->nwho;

	for (ev_u64 i = 0; i < SV_FIRST; i++) {
		const struct sv_pred *p;
		ev_u64 at = first + i;

		if (i >= n)
			break;
		sv_hide(at);
		if (at >= SV_PREDS)
			break;
		p = &e->preds[at];
		if (!sv_pred_strike(p,
				    p->slot == SV_SLOT_AUID  ? who->auid
				    : p->slot == SV_SLOT_UID ? who->uid
							     : who->gid,
				    alive))
			return 0;
	}
	return !sv_mask_zero(alive);
}

/*
 * Events of which there are very many, and of which most have the wrong numbers, with the two that are asked before all else; twice the
 * same where there is one.
 */
#define SV_TWO(X)                                                                                                      \
	X(MMAP, PROTECTION, FLAGS)                                                                                     \
	X(MPROTECT, REQ, VM)                                                                                           \
	X(CHMOD, MODE, MODE)
#define SV_TWO_SLOTS(EV, A, B) SV_TWO_##EV##_A = EVN_##EV##_##A, SV_TWO_##EV##_B = EVN_##EV##_##B,
enum { SV_TWO(SV_TWO_SLOTS) };

/* sv_first() by two of the numbers: @a is num[@slot_a], @b is num[@slot_b]. */
SV_INLINE int sv_two(const struct sv_event *e, const ev_u8 slot_a, ev_u64 a, const ev_u8 slot_b, ev_u64 b,
		     struct sv_mask *alive)
{
	ev_u32 n = e->npreds;

	for (ev_u32 i = 0; i < SV_PREDS; i++) {
		const struct sv_pred *p = &e->preds[i];

		if (i >= n)
			break;
		if (p->slot != slot_a && p->slot != slot_b)
			continue;
		if (!sv_pred_strike(p, p->slot == slot_a ? a : b, alive))
			return 0;
	}
	return !sv_mask_zero(alive);
}

/* The same of an event of @type whose numbers are at @num, as those are asked that SV_TWO names. */
SV_INLINE int sv_two_of(const struct sv_event *e, ev_u64 type, const ev_u64 *num, struct sv_mask *alive)
{
#define SV_TWO_ASK(EV, A, B)                                                                                           \
	if (type == EV_##EV)                                                                                           \
		return sv_two(e, SV_TWO_##EV##_A, num[SV_TWO_##EV##_A], SV_TWO_##EV##_B, num[SV_TWO_##EV##_B], alive);
	SV_TWO(SV_TWO_ASK)
#undef SV_TWO_ASK
	return !sv_mask_zero(alive);
}

/* Whether a number is of the acting process's credentials. */
SV_INLINE int sv_slot_id(ev_u64 slot)
{
	return slot >= SV_SLOT_UID && slot <= SV_SLOT_CAP_PERMITTED;
}

/* sv_nums(); without @retval or @ids (constants) what is said of the result, or the process's ids, decides nothing. */
SV_INLINE int sv_nums_with(const struct sv_event *e, const struct ev_head *h, const ev_u64 *num, struct sv_mask *alive,
			   const int retval, const int ids)
{
	ev_u32 n = e->npreds;

	for (ev_u32 i = 0; i < SV_PREDS; i++) {
		const struct sv_pred *p = &e->preds[i];

		if (i >= n)
			break;
		if ((!retval && p->slot == SV_SLOT_RETVAL) || (!ids && sv_slot_id(p->slot)))
			continue;
		if (!sv_pred_strike(p, sv_slot_value(p->slot, h, num), alive))
			return 0;
	}
	return !sv_mask_zero(alive);
}

/*
 * Strikes from @alive what the numbers rule out; false when nothing is left. @num has EV_NUM_MAX numbers and lies in map
 * memory: 5.10 knows no reads of the stack at a variable offset. @h gives the head's numbers, @alive may be its alive[].
 */
SV_INLINE int sv_nums(const struct sv_event *e, const struct ev_head *h, const ev_u64 *num, struct sv_mask *alive)
{
	return sv_nums_with(e, h, num, alive, 1, 1);
}

/* The same before the result is known. */
SV_INLINE int sv_nums_early(const struct sv_event *e, const struct ev_head *h, const ev_u64 *num, struct sv_mask *alive)
{
	return sv_nums_with(e, h, num, alive, 0, 1);
}

/* The same where the head does not know the ids that rules ask for (EV_F_CREDS_AFTER). */
SV_INLINE int sv_nums_but_ids(const struct sv_event *e, const struct ev_head *h, const ev_u64 *num,
			      struct sv_mask *alive)
{
	return sv_nums_with(e, h, num, alive, 1, 0);
}

/* ---- denials ----------------------------------------------------------------------------------------------------- */

/* What of @e may be refused; false when nothing may. What is left of @alive when numbers and strings were asked holds. */
SV_INLINE int sv_deny_start(const struct sv_event *e, struct sv_mask *alive)
{
	sv_mask_copy(alive, &e->deny.clauses);
	return !sv_mask_zero(alive);
}

/* String @k (a constant) is not known as rules see it: what asks for it is not refused. Whether that strikes something. */
SV_INLINE int sv_deny_unread(const struct sv_event *e, const ev_u32 k, struct sv_mask *alive)
{
	const struct sv_mask *asks = &e->deny.asks[k];
	int struck = sv_mask_meets(alive, asks);

	sv_mask_and_not(alive, asks);
	return struck;
}

#endif
