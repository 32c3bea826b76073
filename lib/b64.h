/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_B64_H
#define TAMIS_LIB_B64_H

/*
 * Base64 of RFC 4648 section 4 (the standard alphabet, padded).
 * The decoder is strict: no white space, no missing padding, no stray bits in the last character. So one byte string
 * has exactly one text, and a changed character never decodes to the same bytes.
 */

#include "lib/buf.h"

/* Characters for n bytes, without a NUL. */
#define B64_LEN(n) (((n) + 2) / 3 * 4)

/* Appends the text; the buffer's error on failure. */
int b64_encode(struct buf *b, const void *p, size_t n);

/* At most max bytes go to ret; *ret_len says how many. -EBADMSG for bad text, -ENOSPC where max is too small. */
int b64_decode(const char *text, size_t len, uint8_t *ret, size_t max, size_t *ret_len);

#endif
