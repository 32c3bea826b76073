/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/macro.h"

#include <errno.h>

#include "lib/near.h"

struct macro *macro_add(struct macros *m, struct arena *a, const char *id, struct span at)
{
	struct macro *new = arena_alloc(a, sizeof(*new)), **slot;

	if (!new || strmap_put(&m->by_name, a, id, strlen(id), new) < 0)
		return NULL;
	slot = ARENA_PUSH(a, m->v, m->n);
	if (!slot)
		return NULL;
	new->id = id;
	new->at = at;
	*slot = new;
	return new;
}

static struct ast *string_node(struct arena *a, const struct text *text)
{
	struct ast *n = arena_alloc(a, sizeof(*n));

	if (!n)
		return NULL;
	n->kind = AST_STR;
	n->text = text;
	n->len = text->len;
	n->s = text->s;
	n->slen = text->len;
	return n;
}

int macro_set_values(struct macro *m, struct arena *a, const struct text *const *texts, size_t n, bool append)
{
	uint32_t old = append && m->body ? m->body->n : 0;
	struct ast *list = arena_alloc(a, sizeof(*list));

	if (!list)
		return -ENOMEM;
	list->kind = AST_LIST;
	list->text = texts[0];
	list->n = old + (uint32_t)n;
	list->items = arena_array(a, list->n, sizeof(list->items[0]));
	if (!list->items)
		return -ENOMEM;
	if (old)
		memcpy(list->items, m->body->items, old * sizeof(list->items[0]));
	for (size_t i = 0; i < n; i++) {
		list->items[old + i] = string_node(a, texts[i]);
		if (!list->items[old + i])
			return -ENOMEM;
	}
	m->body = list;
	m->values = true;
	return 0;
}

const char *macro_nearest(const struct macros *m, const char *name, size_t len)
{
	struct near near = near_to(name, len);

	for (size_t i = 0; i < m->n; i++)
		near_try(&near, m->v[i]->id);
	return near.best;
}
