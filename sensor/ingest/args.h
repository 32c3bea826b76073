/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_INGEST_ARGS_H
#define TAMIS_INGEST_ARGS_H

/*
 * Gathers the pieces (EV_ARGS) of an exec's arguments and environment until the exec's own record takes them. A part of
 * the decoder. Pieces of one exec come in order; after a gap only what came before it is kept, and the result is marked cut.
 * At most ARGS_GATHERED execs of EV_ARGS_MAX bytes wait at once; the oldest gives way (a failed exec never takes its own).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tamis/event.h"

#define ARGS_GATHERED 64

struct args;

/* What was gathered: have bytes of argv_total + envp_total, argv first. */
struct args_block {
	const char *bytes; /* borrowed until the next args_put or args_take; NULL when nothing came */
	uint32_t have;
	uint32_t argv_total, envp_total;
};

int args_new(struct args **ret);
void args_free(struct args *a);

/* Takes a piece whose sizes were checked. 0, or -ENOMEM or -ENODATA (a gap): it was dropped, and what comes after it will be. */
int args_put(struct args *a, const struct ev_args *piece);
/* The block of the exec whose record has that head; false when nothing of it came. */
bool args_take(struct args *a, const struct ev_head *exec, struct args_block *ret);
/*
 * What waits, as pieces that would make it anew; each borrowed for the call, 8-byte aligned. 0, or -ENOMEM.
 */
int args_each(const struct args *a, void (*fn)(void *ctx, const void *rec, size_t size), void *ctx);
/* Gathered blocks that were given up because others needed the room. */
uint64_t args_evicted(const struct args *a);

#endif
