/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_TEXT_H
#define TAMIS_SENSOR_FIM_TEXT_H

/* Content that is kept for diffs: what may be kept, and how (zlib). What is unpacked has a maximum. */

#include "lib/buf.h"

#include <stdbool.h>

/* Text: no byte 0, and no private key in it. */
bool text_is_plain(const void *p, size_t n);

/* Appends it compressed: u32 size, little endian, and zlib's bytes. -ENOMEM, -EFBIG. */
int text_pack(const void *p, size_t n, struct buf *out);
/* Appends it as it was, at most @max bytes. -EBADMSG for what is not exactly so, -ENOMEM. */
int text_unpack(const void *p, size_t n, size_t max, struct buf *out);

#endif
