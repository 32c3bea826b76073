/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_SIEVE_RUN_H
#define TAMIS_TESTS_SIEVE_RUN_H

/* What test_sieve_bpf.c hands to sieve_run.bpf.c and gets back. */

#include "tamis/sieve.h"

struct sieve_run {
	struct ev_head head;	/* in: type and the head's numbers. out: alive */
	ev_u64 num[EV_NUM_MAX]; /* in */
	ev_u8 buf[3]
		 [2 * EV_PATH_MAX]; /* in: each path, somewhere; the last one is what an exec's program also goes by */
	ev_u32 off[3], len[3], name_len[3]; /* in: where it is, and how long its last component is */
	ev_u32 linked;			    /* in: there is such a path */
	ev_u8 addr[16];			    /* in */
	ev_u32 readable[SV_AUTOMATA];	    /* in */
	ev_u32 state[SV_AUTOMATA];	    /* out: after the whole */
	ev_u32 split[2];		    /* out: after the directory, then the name */
	struct sv_mask reach[2];	    /* out: of the directory */
};

#endif
