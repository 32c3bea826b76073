/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SIEVE_IO_H
#define TAMIS_SIEVE_IO_H

/*
 * The sieve as a section of a bundle. Little endian, in this order:
 *
 *	u32 SV_ABI, nevents, nmasks, nstates, ntrans, nvars
 *	each variable: u32 var | u64 needs[4], sets[4]
 *	conditions on the processes above (struct sv_kin): u32 n, above, of[4] | u64 contained[4], tty[4] | n times: u64 keep[4]
 *	each event, ascending by type:
 *		u32 type | u64 clauses[4], urgent[4], self[4], denied[4] | u64 asks[4] of each of 3 strings | u32 nvars, vars, nfirst, nwho, npreds
 *		each predicate: u8 slot, op | u64 and | s64 rhs | u64 keep_true[4], keep_false[4]
 *		each of 10 automata: u32 used, and if that is 1: u32 base, first, states, classes, live | u8 cls[256]
 *	u64 masks[nmasks][4] | u16 state_final[nstates] | u16 state_reach[nstates] | u16 trans[ntrans]
 */

#include <stddef.h>

#include "lib/buf.h"
#include "lib/err.h"
#include "tamis/sieve.h"

/* Appends the section to @out: 0 or the buffer's error. Same sieve, same bytes. */
int sieve_pack(const struct sieve *s, struct buf *out);
/*
 * Fills @ret (1.4 MB, of the caller; whatever was in it) from the section. Every index is checked: whoever looks things up
 * in @ret never reads outside of it. generation is 0, and opened[] is empty. -EBADMSG with the reason in @e; *ret is then not to be used.
 */
int sieve_unpack(const void *bytes, size_t size, struct sieve *ret, struct err *e);
/* Makes opened[] of the open's table of numbers, as far as it asks for the result or for SV_OPEN_KNOWN alone. It is not in the section. */
void sieve_opened(struct sieve *s);

#endif
