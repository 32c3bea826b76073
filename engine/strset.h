/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_STRSET_H
#define TAMIS_ENGINE_STRSET_H

/*
 * The string sets of a program, made ready for matching: a set's exact strings are one hash look-up together, its patterns
 * come after them, its regular expressions last.
 */

#include "lib/program.h"

struct strsets;

/* -EINVAL with the pattern that is none in @err, -ENOMEM. The program's arrays are borrowed. */
int strsets_new(const struct program *p, struct strsets **ret, struct err *err);
void strsets_free(struct strsets *s);
DEFINE_CLEANUP(struct strsets *, strsets_free);

bool strsets_match(struct strsets *s, uint32_t set, const char *str, size_t len);

#endif
