/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_DERIVE_H
#define TAMIS_LIB_DERIVE_H

/*
 * Values that follow from others: U rows of catalog.def that need no look-up anywhere. Nothing here allocates; what comes
 * out borrows from what went in. A value that is there already is left alone.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"

/* name and extension of each path, rights of each mode, is_public of an address. */
void event_derive(struct event *ev);
/* The same of a process's file. */
void proc_derive(struct proc *p);

/* The last component: "x" of "/a/x", "" of "/". */
struct val derive_name(struct val path);
/* From the last dot of the name on, the dot included: ".gz" of "a.tar.gz", "" of "a". */
struct val derive_extension(struct val name);

#define DERIVE_ARGS_MAX 256 /* flags, and options, of one process */

/* The words of @text, between spaces, of which the first @max go to @out; how many there are in it. */
uint32_t derive_words(struct val text, struct val *out, uint32_t max);

/*
 * Flags among the arguments (argv without its first), no dashes: "--name" gives name, "-xyz" gives xyz, x, y and z. Only
 * letters, digits, '-' and '_' make a flag. Returns how many are in @ret, at most @max; borrowed from @argv.
 */
uint32_t derive_args_flags(const struct val *argv, uint32_t n, struct val *ret, uint32_t max);
/*
 * Options with values, as "key=value": "--key=value", "-k=value", and "-k value", "--key value" where the value begins with
 * no dash. The latter are put together in @text, which derive_args_text_size() says the size of. Returns as above.
 */
uint32_t derive_args_options(const struct val *argv, uint32_t n, struct val *ret, uint32_t max, char *text);
size_t derive_args_text_size(const struct val *argv, uint32_t n);

#endif
