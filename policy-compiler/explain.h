/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_EXPLAIN_H
#define TAMIS_EXPLAIN_H

/* What `tamisc explain` prints: the sieve's report, for people or as JSON. */

#include <stdio.h>

#include "policy-compiler/sieve_build.h"

/*
 * The rule of that id only, or with NULL all of them and the event types. -ENOENT where there is no such rule, -ENOMEM, or
 * the error of writing.
 */
int explain_print(FILE *f, const struct sieve_report *r, const char *rule, bool json);

#endif
