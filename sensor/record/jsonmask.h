/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_RECORD_JSONMASK_H
#define TAMIS_SENSOR_RECORD_JSONMASK_H

/*
 * What each of 64 bytes of JSON text is by itself, a bit a byte: bit i is byte i. What a byte means (a comma within a
 * string is text) is jsonscan.h's business. A byte that is in none of the masks is a letter, a sign, a blank or no ASCII.
 */

#include <stddef.h>
#include <stdint.h>

#define JSONMASK_BLOCK 64

struct jsonmask {
	uint64_t quote, slash; /* " and the backslash */
	uint64_t low;	       /* below 0x20 */
	uint64_t colon, comma;
	uint64_t open, shut;  /* { [ and } ] */
	uint64_t digit, zero; /* 0 to 9; 0 */
};

/* Of n blocks of JSONMASK_BLOCK bytes each, by the widest registers that this processor has. */
void jsonmask_of(const uint8_t *p, size_t n, struct jsonmask *ret);

/* The same by one of the ways, for the tests; NULL behind the last. Whether this processor can is *ret_able. */
typedef void (*jsonmask_way)(const uint8_t *p, size_t n, struct jsonmask *ret);
jsonmask_way jsonmask_nth(size_t i, _Bool *ret_able);

#endif
