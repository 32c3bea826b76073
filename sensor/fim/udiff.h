/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_UDIFF_H
#define TAMIS_SENSOR_FIM_UDIFF_H

/*
 * A unified diff of two texts, as diff -u makes it, without the two lines of its head. Fewest lines (Myers' algorithm) up to
 * UDIFF_EDITS of them; beyond that what is between the common beginning and the common end is shown as replaced.
 * No newline at a text's end is said as diff says it. Equal texts give nothing.
 */

#include "lib/buf.h"

#define UDIFF_EDITS   1000
#define UDIFF_CONTEXT 3

/* Appends it: 0, -ENOMEM, or the buffer's error. */
int udiff(const void *old, size_t old_len, const void *new, size_t new_len, struct buf *out);

#endif
