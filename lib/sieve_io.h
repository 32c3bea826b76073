/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SIEVE_IO_H
#define TAMIS_SIEVE_IO_H

/*
 * The sieve as a section of a bundle. Little endian, in this order:
 *
 *	u32 SV_ABI, nevents, nmasks, nstates, ntrans
 *	each event, ascending by type:
 *		u32 type | u64 clauses[4] | u32 npreds
 *		each predicate: u8 slot, op | u64 and | s64 rhs | u64 keep_true[4], keep_false[4]
 *		each of 3 automata: u32 used, and if that is 1: u32 base, first, states, classes, live | u8 cls[256]
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
 * in @ret never reads outside of it. generation is 0. -EBADMSG with the reason in @e; *ret is then not to be used.
 */
int sieve_unpack(const void *bytes, size_t size, struct sieve *ret, struct err *e);

#endif
