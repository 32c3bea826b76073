/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_RECYCLE_H
#define TAMIS_PRIV_RECYCLE_H

#include "lib/buf.h"

#define RECYCLE_SLACK (256u << 10)

/*
 * Empties a buffer for its next use. While much goes through it its memory stays, because giving back and taking pages costs
 * more than what is done with them; after a use that needed far less than there is, it goes.
 */
static inline void recycle(struct buf *b)
{
	if (b->cap > 4 * b->len + RECYCLE_SLACK)
		buf_done(b);
	else
		buf_reset(b);
}

#endif
