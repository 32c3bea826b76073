/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_PATSET_H
#define TAMIS_ENGINE_PATSET_H

/*
 * Many patterns, globs and regular expressions over one value, asked all at once. Of each the rarest few bytes are known that
 * a value has to hold for it to match (and where, if that is known). One look at the value finds which of those it holds;
 * where the bytes around them are the pattern's, too, it is asked by itself. So time grows with what nearly matches, not with
 * how many patterns there are, and memory with their number alone: there is no automaton that could blow up.
 */

#include "engine/terms.h"

struct patset;

/* @ids: terms that are patterns. -ENOMEM. */
int patset_new(const struct terms *t, const uint32_t *ids, uint32_t n, struct patset **ret);
void patset_free(struct patset *p);
DEFINE_CLEANUP(struct patset *, patset_free);

/* Calls @hit once for each of the terms that the value matches. */
void patset_scan(struct patset *p, const char *s, size_t len, void (*hit)(void *ctx, uint32_t term), void *ctx);

#endif
