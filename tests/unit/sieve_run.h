/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_SIEVE_RUN_H
#define TAMIS_TESTS_SIEVE_RUN_H

/* What test_sieve_bpf.c hands to sieve_run.bpf.c and gets back. */

#include "bpf/lib/learned.bpf.h"
#include "bpf/lib/masks.bpf.h"

#define SIEVE_RUN_WORDS 256

struct sieve_run {
	struct ev_head head;	/* in: type and the head's numbers. out: alive */
	ev_u64 num[EV_NUM_MAX]; /* in */
	ev_u8 buf[3]
		 [2 * EV_PATH_MAX]; /* in: each path, somewhere; the last one is what an exec's program also goes by */
	ev_u32 off[3], len[3], name_len[3]; /* in: where it is, and how long its last component is */
	ev_u32 linked;			    /* in: there is such a path */
	ev_u8 addr[16];			    /* in */
	ev_u8 words[2][SIEVE_RUN_WORDS];    /* in: an exec's arguments and variables, or strings of a record */
	ev_u32 words_len[2];		    /* in */
	ev_u32 readable[SV_AUTOMATA];	    /* in */
	ev_u32 state[SV_AUTOMATA];	    /* out: after the whole */
	ev_u32 split[2];		    /* out: after the directory, then the name */
	struct sv_mask reach[2];	    /* out: of the directory */
	struct sv_mask found[2];	    /* out: clauses that are possible by the words */
};

/* One look-up in the masks of processes. */
enum {
	MASKS_RUN_WORDS,
	MASKS_RUN_PUT,
	MASKS_RUN_FIND,
	MASKS_RUN_STRIKE,
	MASKS_RUN_FORKED,
	MASKS_RUN_FRESH,
	MASKS_RUN_KIN,
	MASKS_RUNS
};

struct masks_run {
	struct masks_who who; /* in */
	ev_u32 op, generation;
	ev_u64 cgroups, type;
	ev_u64 first, second; /* in; out of MASKS_RUN_WORDS */
	ev_u32 low;	      /* in; out of MASKS_RUN_FIND, MASKS_RUN_FORKED, MASKS_RUN_FRESH */
	ev_u32 kin;	      /* in; out of MASKS_RUN_KIN */
	ev_u32 found;	      /* out */
	ev_u32 pad;
	struct sv_kin of;     /* in */
	struct sv_mask alive; /* in, out */
};

/* The same lines in the kernel and on the host. */
SV_INLINE void masks_run(struct masks *m, struct masks_run *r)
{
	ev_u32 low = r->low;

	switch (r->op) {
	case MASKS_RUN_WORDS:
		r->first = masks_first(m, &r->who, r->generation);
		r->second = masks_second(m, r->first, r->cgroups);
		break;
	case MASKS_RUN_PUT:
		masks_put(m, r->first, r->second, low, r->kin);
		break;
	case MASKS_RUN_FIND:
		r->found = masks_find(m, r->first, r->second, &low);
		r->low = low;
		break;
	case MASKS_RUN_STRIKE:
		masks_strike(m, low, r->generation, r->type, &r->alive);
		break;
	case MASKS_RUN_FRESH:
		r->low = masks_fresh(m, low, r->generation);
		break;
	case MASKS_RUN_KIN:
		sv_kin_strike(&r->of, r->kin, &r->alive);
		r->kin = sv_kin_below(&r->of, masks_kin(m, r->first), r->kin);
		break;
	default:
		r->low = masks_forked(m, low, r->generation);
	}
}

/* One look-up in what was learned of files; who does not find anything asks. */
struct learned_run {
	struct learned_file file; /* in */
	ev_u64 key, asks;	  /* out */
	struct ev_head head;	  /* in, out */
};

SV_INLINE void learned_run(struct learned *l, struct learned_run *r)
{
	r->key = learned_key(l, &r->file, r->head.policy);
	r->asks = (ev_u64)learned_strike(l, &r->file, r->key, r->head.boot_ns, (struct sv_mask *)r->head.alive);
	if (r->asks)
		learned_ask(l, r->file.inode, r->file.ctime, r->key, &r->head);
}

#endif
