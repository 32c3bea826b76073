/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_STRMAP_H
#define TAMIS_COMPILER_STRMAP_H

/* Names -> pointers, in an arena. Nothing is ever removed. Keys are borrowed and need not end with a NUL. */

#include <stdint.h>

#include "policy-compiler/arena.h"

struct strmap_slot {
	const char *key; /* NULL: free */
	uint32_t len;
	uint32_t hash;
	void *value;
};

struct strmap {
	struct strmap_slot *slots;
	size_t n, cap; /* cap is a power of two, or 0 */
};

void *strmap_get(const struct strmap *m, const char *key, size_t len);
/* The key must not be there yet. 0 or -ENOMEM. */
int strmap_put(struct strmap *m, struct arena *a, const char *key, size_t len, void *value);

#endif
