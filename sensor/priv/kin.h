/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clauses on execs ask of the images above (struct sv_kin), for the engine process: which of the conditions an image meets by its
 * strings, as the kernel side finds out at an exec. It has no sieve; the monitor hands it this part of one.
 */
#ifndef TAMIS_PRIV_KIN_H
#define TAMIS_PRIV_KIN_H

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/value.h"
#include "tamis/sieve.h"

struct kin;

/* Appends the part of @s, for kin_new(). @s has been checked (sieve_unpack). The buffer's error. */
int kin_pack(const struct sieve *s, struct buf *out);
/* -EBADMSG where these are no such bytes, -ENOMEM. */
int kin_new(const void *bytes, size_t size, struct kin **ret);
/* The same of a memfd that holds them; which stays the caller's. */
int kin_open(int fd, struct kin **ret);
void kin_free(struct kin *k);
DEFINE_CLEANUP(struct kin *, kin_free);

/* The conditions that it meets, by its path, the path that it was executed by (empty: none other), and its name of the task. */
uint32_t kin_self(const struct kin *k, struct val path, struct val link, struct val comm);
/* Those that are about all above. */
uint32_t kin_above(const struct kin *k);

#endif
