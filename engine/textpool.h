/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_TEXTPOOL_H
#define TAMIS_ENGINE_TEXTPOOL_H

/*
 * Memory for texts, in one piece that never grows: blocks of 32 bytes times a power of two, up to VAR_TEXT_MAX; halves that
 * are free are joined again (a buddy allocator). Taking and giving back cost a few steps each. Nothing else is in there, so
 * what one text overwrites can only be the links of free blocks, which is why lengths are checked before they come here.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXTPOOL_NONE	UINT32_MAX
#define TEXTPOOL_ORDERS 8 /* 32 .. 4096 bytes */
#define TEXTPOOL_MIN	32u
#define TEXTPOOL_MAX	(TEXTPOOL_MIN << (TEXTPOOL_ORDERS - 1))

struct textpool {
	char *bytes;	/* owned; whole blocks of TEXTPOOL_MAX */
	uint8_t *heads; /* owned; of each 32 bytes: what begins there (order + 1, and whether it is free), or 0 */
	uint32_t size;
	uint32_t fresh; /* from here on nothing was ever taken, and no page was touched */
	uint32_t used;	/* bytes in blocks that are taken */
	uint32_t free[TEXTPOOL_ORDERS];
};

int textpool_init(struct textpool *t, uint32_t size);
void textpool_done(struct textpool *t);
/* Room for @len bytes (1..TEXTPOOL_MAX), or TEXTPOOL_NONE. */
uint32_t textpool_take(struct textpool *t, uint32_t len);
void textpool_give(struct textpool *t, uint32_t at);
bool textpool_sane(const struct textpool *t);

#endif
