/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/near.h"

#include <string.h>

static size_t near_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t near_distance(const char *a, size_t la, const char *b, size_t lb)
{
	size_t row[3][NEAR_MAX + 1];

	if (la > NEAR_MAX || lb > NEAR_MAX)
		return NEAR_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t *cur = row[i % 3], *prev = row[(i + 2) % 3], *prev2 = row[(i + 1) % 3];

		cur[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t d = prev[j - 1] + (a[i - 1] != b[j - 1]);

			d = near_min(d, near_min(prev[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = near_min(d, prev2[j - 2] + 1);
			cur[j] = d;
		}
	}
	return row[la % 3][lb];
}

void near_try(struct near *n, const char *candidate)
{
	size_t len = strlen(candidate), d;

	/* the lengths alone differ by more: spares the table for most of a catalog's thousand names */
	if ((len > n->len ? len - n->len : n->len - len) >= n->best_distance)
		return;
	d = near_distance(n->name, n->len, candidate, len);
	if (d < n->best_distance) {
		n->best_distance = d;
		n->best = candidate;
	}
}
