/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_ARGBLOCK_H
#define TAMIS_ENRICH_ARGBLOCK_H

/*
 * The arguments and environment of one exec, taken apart once and shared by the images that a fork makes of it. Holds one copy
 * of the bytes, in which the NULs between arguments have become spaces: the whole is process.args, its parts are process.argv.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"
#include "sensor/ingest/decode.h"

#define ARGBLOCK_ARGS_MAX 16384	      /* arguments, and variables, that get a value of their own */
#define ARGBLOCK_ENV_MAX  (32u << 10) /* bytes of environment that are kept */

struct argblock {
	uint32_t refs;
	size_t bytes; /* memory that it takes */
	struct val argv0, args;
	const struct val *argv, *envp, *envs; /* owned; without argv0; "name=value"; names */
	const struct val *flags, *options;    /* owned */
	uint32_t nargv, nenv, nflags, noptions;
	bool argv_cut, envp_cut;
};

/* Takes the arguments apart, with one reference; copies. -ENOMEM. Where nothing is known at all, *ret is NULL. */
int argblock_new(const struct decode_args *a, struct argblock **ret);
struct argblock *argblock_ref(struct argblock *a);
/* Returns the bytes that were freed: 0 while others refer to it. */
size_t argblock_unref(struct argblock *a);

/* Sets the values of a process that come from here; @a may be NULL. */
void argblock_values(const struct argblock *a, struct val *v);

#endif
