/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sieve's look-ups alone, in the kernel, for test_sieve_bpf.c. Loads on 5.10 and later. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/lib/sieve.bpf.h"
#include "tests/unit/sieve_run.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, ev_u32);
	__type(value, struct sieve);
} sieves SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, ev_u32);
	__type(value, struct sieve_run);
} runs SEC(".maps");

SV_INLINE void run_path(const struct sieve *s, const struct sv_event *e, struct sieve_run *r, const ev_u32 k)
{
	const struct sv_automaton *a = &e->automata[k];
	ev_u32 dir = r->len[k] - r->name_len[k];
	struct sv_mask *alive = (struct sv_mask *)r->head.alive;

	if (!a->used || !r->readable[k])
		return;
	r->state[k] = sv_dfa_run_at(s, a, 0, r->buf[k], r->off[k], r->len[k]);
	sv_mask_and(alive, sv_final_mask(s, a, r->state[k]));
	r->split[k] = sv_dfa_run_at(s, a, 0, r->buf[k], r->off[k], dir);
	sv_mask_copy(&r->reach[k], sv_reach_mask(s, a, r->split[k]));
	r->split[k] = sv_dfa_run_name_at(s, a, r->split[k], r->buf[k], r->off[k] + dir, r->name_len[k]);
}

SV_INLINE void run_addr(const struct sieve *s, const struct sv_event *e, struct sieve_run *r)
{
	const struct sv_automaton *a = &e->automata[SV_AUT_ADDR];
	ev_u8 addr[16];

	if (!a->used || !r->readable[SV_AUT_ADDR])
		return;
	__builtin_memcpy(addr, r->addr, sizeof(addr));
	r->state[SV_AUT_ADDR] = sv_dfa_run_addr(s, a, addr);
	sv_mask_and((struct sv_mask *)r->head.alive, sv_final_mask(s, a, r->state[SV_AUT_ADDR]));
}

SV_INLINE void run_either(const struct sieve *s, const struct sv_event *e, struct sieve_run *r)
{
	const struct sv_automaton *a = &e->automata[SV_AUT_EITHER];
	struct sv_mask either;

	if (!a->used || !r->readable[SV_AUT_EITHER] || !r->linked)
		return;
	sv_mask_copy(&either, sv_final_mask(s, a, sv_dfa_run_at(s, a, 0, r->buf[0], r->off[0], r->len[0])));
	sv_mask_or(&either, sv_final_mask(s, a, sv_dfa_run_at(s, a, 0, r->buf[2], r->off[2], r->len[2])));
	sv_mask_and((struct sv_mask *)r->head.alive, &either);
}

SV_INLINE void run_words(const struct sieve *s, const struct sv_event *e, struct sieve_run *r, const ev_u32 w)
{
	const struct sv_automaton *a = &e->automata[SV_AUT_ARGS + w];
	ev_u64 state, len = r->words_len[w];

	if (!a->used || !r->readable[SV_AUT_ARGS + w])
		return;
	if (r->head.type != EV_EXEC) {
		if (len <= SV_TEXT_MAX)
			sv_mask_and((struct sv_mask *)r->head.alive,
				    sv_final_mask(s, a, sv_dfa_run_text(s, a, r->words[w], len)));
		return;
	}
	state = sv_words_begin(s, a, &r->found[w]);
	state = sv_words_loop(s, a, state, r->words[w], 0, r->words_len[w], SIEVE_RUN_WORDS, SIEVE_RUN_WORDS - 1,
			      &r->found[w]);
	sv_words_end(s, a, state, &r->found[w]);
	sv_mask_and((struct sv_mask *)r->head.alive, &r->found[w]);
}

/* What bpf/peek.bpf.c asks of opens that succeeded. */
SV_INLINE int run_opened(const struct sieve *s, struct sieve_run *r, ev_u64 type)
{
	struct sv_mask *alive = (struct sv_mask *)r->head.alive;

	if (type == EV_OPEN && !r->head.retval)
		sv_mask_and(alive, &s->opened[sv_open_index(r->num[EVN_OPEN_FLAGS])]);
	return !sv_mask_zero(alive);
}

SEC("raw_tp/sys_exit")
int sieve_run(void *ctx)
{
	ev_u32 zero = 0;
	struct sieve *s = bpf_map_lookup_elem(&sieves, &zero);
	struct sieve_run *r = bpf_map_lookup_elem(&runs, &zero);
	const struct sv_event *e;
	struct sv_who who;
	ev_u64 type;

	if (!s || !r)
		return 0;
	type = r->head.type;
	sv_hide(type);
	if (type >= EV_TYPES)
		return 0;
	e = &s->event[type];
	who = (struct sv_who){ r->head.uid, r->head.gid, r->head.auid };
	if (!sv_alive_start(e, (struct sv_mask *)r->head.alive) ||
	    !sv_first(e, r->head.retval, (struct sv_mask *)r->head.alive) ||
	    !sv_who(e, &who, (struct sv_mask *)r->head.alive) ||
	    !sv_two_of(e, type, r->num, (struct sv_mask *)r->head.alive) || !run_opened(s, r, type) ||
	    !sv_nums(e, &r->head, r->num, (struct sv_mask *)r->head.alive))
		return 0;
	run_path(s, e, r, 0);
	run_path(s, e, r, 1);
	run_addr(s, e, r);
	run_either(s, e, r);
	run_words(s, e, r, 0);
	run_words(s, e, r, 1);
	sv_vars_strike(s, e, (struct sv_mask *)r->head.alive);
	if (!sv_mask_zero((struct sv_mask *)r->head.alive))
		sv_vars_set(s, e, (struct sv_mask *)r->head.alive);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, ev_u32);
	__type(value, struct masks);
} masks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, ev_u32);
	__type(value, struct masks_run);
} masks_runs SEC(".maps");

SEC("raw_tp/sys_enter")
int masks_look(void *ctx)
{
	ev_u32 zero = 0;
	struct masks *m = bpf_map_lookup_elem(&masks, &zero);
	struct masks_run *r = bpf_map_lookup_elem(&masks_runs, &zero);

	if (m && r)
		masks_run(m, r);
	return 0;
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, ev_u32);
	__type(value, struct learned);
} learned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, ev_u32);
	__type(value, struct learned_run);
} learned_runs SEC(".maps");

SEC("raw_tp/sys_enter")
int learned_look(void *ctx)
{
	ev_u32 zero = 0;
	struct learned *l = bpf_map_lookup_elem(&learned, &zero);
	struct learned_run *r = bpf_map_lookup_elem(&learned_runs, &zero);

	if (l && r)
		learned_run(l, r);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
