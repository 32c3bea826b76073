/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_DIFF_H
#define TAMIS_SENSOR_FIM_DIFF_H

/* The text of a file before and now, for those whose content the baseline keeps. */

#include "sensor/fim/baseline.h"

/*
 * Appends a unified diff to @out where both texts are there and are those of the facts: 0; 1 with the reason in *ret_why
 * (static) where they are not; negative for what ends the command. What is kept is believed only if its hash is that of
 * the signed row.
 */
int diff_change(struct baseline *b, const void *path, size_t len, const struct change *c, const struct fact *old,
		struct buf *out, const char **ret_why, struct err *e);

/* The baseline's row of a path, into @bytes: 1 with its fact (borrowed from there), 0 where there is none or it was edited. */
int diff_old_fact(struct baseline *b, const void *path, size_t len, struct buf *bytes, struct fact *ret, struct err *e);

#endif
