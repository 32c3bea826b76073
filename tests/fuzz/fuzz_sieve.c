/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sieve's section of any bytes: refused, or harmless to look things up in. The look-ups mask their indexes, so that a bad
 * table could not be told from them: here every step is checked instead. The first bytes are the path.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/sieve.bpf.h"
#include "lib/sieve_io.h"
#include "tests/fuzz/fuzz.h"

#define PATH 24

static struct sieve sieve, again;

static void run(const struct sv_automaton *a, const uint8_t *s, size_t len)
{
	static uint8_t buf[SV_BUF_SIZE];
	ev_u32 state = 0, live = a->states;

	for (size_t i = 0; i < len; i++) {
		must(a->cls[s[i]] < a->classes && a->base + state * a->classes + a->cls[s[i]] < sieve.ntrans);
		state = (ev_u32)sv_dfa_step(&sieve, a, state, s[i]);
		must(state < a->states);
		if (live < a->states)
			must(state == live); /* was not to be left */
		if (state >= a->live)
			live = state;
	}
	memcpy(buf, s, len);
	must(sv_dfa_run(&sieve, a, 0, buf, (ev_u32)len) == state);
	must(a->first + state < sieve.nstates);
	must(sieve.state_final[a->first + state] < sieve.nmasks && sieve.state_reach[a->first + state] < sieve.nmasks);
}

static void use(const uint8_t *path)
{
	static ev_u64 num[EV_NUM_MAX];
	struct ev_head head = { .uid = 1 };

	for (unsigned type = 0; type < EV_TYPES; type++) {
		const struct sv_event *e = &sieve.event[type];
		struct sv_mask alive;

		sv_alive_start(e, &alive);
		must(e->npreds <= SV_PREDS && e->nfirst + e->nwho <= e->npreds);
		sv_first(e, 0, &alive);
		sv_who(e, &(struct sv_who){ 1, 2, 3 }, &alive);
		sv_two(e, 0, 1, SV_PREDS - 1, 2, &alive);
		sv_two_of(e, type, num, &alive);
		sv_nums(e, &head, num, &alive);
		for (int k = 0; k < SV_AUTOMATA; k++)
			if (e->automata[k].used)
				run(&e->automata[k], path, PATH);
		must(e->nvars <= SV_EVENT_VARS && (ev_u64)e->vars + e->nvars <= SV_VAR_ROWS);
		sv_vars_strike(&sieve, e, &alive);
		sv_vars_set(&sieve, e, &alive);
	}
}

/* What was read is written again, and is the same then. */
static void pack_again(void)
{
	struct buf b;
	struct err e;

	buf_init(&b, 8 << 20);
	must(sieve_pack(&sieve, &b) == 0);
	must(sieve_unpack(b.data, b.len, &again, &e) == 0);
	for (unsigned type = 0; type < EV_TYPES; type++)
		must(memcmp(&sieve.event[type], &again.event[type], sizeof(sieve.event[type])) == 0);
	must(memcmp(sieve.vars, again.vars, sizeof(sieve.vars)) == 0);
	must(memcmp(sieve.trans, again.trans, sizeof(sieve.trans)) == 0);
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;

	if (size < PATH || sieve_unpack(data + PATH, size - PATH, &sieve, &e) < 0)
		return 0;
	sieve_opened(&sieve);
	use(data);
	pack_again();
	return 0;
}
