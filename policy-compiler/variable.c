/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/variable.h"

#include "lib/near.h"

struct variable *variable_add(struct variables *t, struct arena *a, const char *name)
{
	struct variable *v = arena_alloc(a, sizeof(*v)), **slot;

	if (!v || strmap_put(&t->by_name, a, name, strlen(name), v) < 0)
		return NULL;
	slot = ARENA_PUSH(a, t->v, t->n);
	if (!slot)
		return NULL;
	v->name = name;
	*slot = v;
	return v;
}

const char *variable_nearest(const struct variables *t, const char *name, size_t len)
{
	struct near near = near_to(name, len);

	for (size_t i = 0; i < t->n; i++)
		near_try(&near, t->v[i]->name);
	return near.best;
}
