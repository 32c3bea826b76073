/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_JSONW_H
#define TAMIS_LIB_JSONW_H

/*
 * Canonical JSON (RFC 8785) into a struct buf: no white space, one spelling for every value, so that equal values are
 * equal bytes and can be signed.
 *
 * What the caller owes: the members of an object in ascending order of their keys (keys are ASCII here, so strcmp's
 * order), each key once, and begin and end in pairs. The writer puts the commas. Errors are the buffer's: put
 * everything, then ask buf_error() once.
 *
 * What differs from plain JSON, and how a reader undoes it:
 *
 * - Bytes that are not UTF-8. File names are bytes, JSON strings are not. jsonw_str writes a byte that is no part of
 *   well-formed UTF-8 as the four characters \xHH (lower-case hexadecimal; in the JSON text \\xHH). Where the value
 *   itself already holds \x and two lower-case hexadecimal digits, its backslash becomes \x5c. So replacing each \xHH
 *   in the string, from left to right, by the byte HH gives back exactly the bytes that were written, and a name
 *   without such a sequence reads as it is.
 *
 * - Integers beyond 2^53-1 in size. RFC 8785 numbers are IEEE doubles, which would round an inode number or a device
 *   id. jsonw_u64 and jsonw_int write such a value as a string of its decimal digits ("18446744073709551615"); smaller
 *   ones are numbers. A reader takes either form where the catalog says integer.
 *
 * - There is no floating point, because nothing here needs it.
 */

#include "lib/buf.h"

#include <stdbool.h>

struct jsonw {
	struct buf *b; /* borrowed */
	bool comma;    /* a value was written at this level: the next one needs a comma before it */
};

#define JSONW_INT_MAX ((1LL << 53) - 1)

static inline struct jsonw jsonw_to(struct buf *b)
{
	return (struct jsonw){ .b = b };
}

void jsonw_obj_begin(struct jsonw *w);
void jsonw_obj_end(struct jsonw *w);
void jsonw_arr_begin(struct jsonw *w);
void jsonw_arr_end(struct jsonw *w);

/* key needs no escaping: letters, digits, '_', '.', '-', '@'. jsonw_key_str takes any text. */
void jsonw_key(struct jsonw *w, const char *key);
void jsonw_key_str(struct jsonw *w, const void *p, size_t n);

/* Any bytes, as described above. */
void jsonw_str(struct jsonw *w, const void *p, size_t n);
/* And back: appends the bytes that were written as a string whose text, with JSON's own escapes undone, is @s. */
void jsonw_bytes(struct buf *b, const char *s);
void jsonw_cstr(struct jsonw *w, const char *s);
/*
 * Text that is not to be changed, such as JSON quoted within JSON: no \xHH is made or protected. The caller vouches
 * that it is UTF-8; a byte that is not sets the buffer's error to -EILSEQ.
 */
void jsonw_text(struct jsonw *w, const void *p, size_t n);

void jsonw_int(struct jsonw *w, int64_t v);
void jsonw_u64(struct jsonw *w, uint64_t v);
void jsonw_bool(struct jsonw *w, bool v);
void jsonw_null(struct jsonw *w);
/* A value that is canonical JSON already. */
void jsonw_raw(struct jsonw *w, const void *p, size_t n);

/* A key and its value. */
void jsonw_member_str(struct jsonw *w, const char *key, const char *s);
void jsonw_member_int(struct jsonw *w, const char *key, int64_t v);
void jsonw_member_u64(struct jsonw *w, const char *key, uint64_t v);
void jsonw_member_bool(struct jsonw *w, const char *key, bool v);

/*
 * Length of the well-formed UTF-8 sequence at p (1 to 4), or 0 where the byte begins none: no overlong forms, no
 * surrogates, nothing above U+10FFFF. n is at least 1.
 */
size_t jsonw_utf8_len(const uint8_t *p, size_t n);

#endif
