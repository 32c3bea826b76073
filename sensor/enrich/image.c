/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REAP_MAX 64

/* ---- lists and links ----------------------------------------------------------------------------------------------- */

static void list_put(struct image_list *l, struct image *i)
{
	i->prev = l->last;
	i->next = NULL;
	*(l->last ? &l->last->next : &l->first) = i;
	l->last = i;
}

static void list_take(struct image_list *l, struct image *i)
{
	*(i->prev ? &i->prev->next : &l->first) = i->next;
	*(i->next ? &i->next->prev : &l->last) = i->prev;
}

static struct image_list *list_of(struct images *s, const struct image *i)
{
	if (!i->dead)
		return &s->live;
	return i->held ? &s->held : &s->dead;
}

/* A dead image moves between dead and held as its children come and go. */
static void image_settle(struct images *s, struct image *i)
{
	bool held = i->children;

	if (!i->dead || i->held == held)
		return;
	list_take(list_of(s, i), i);
	i->held = held;
	list_put(list_of(s, i), i);
}

void images_adopt(struct images *s, struct image *parent, struct image *child)
{
	child->parent = parent;
	child->p.parent = parent ? &parent->p : NULL;
	child->sib_prev = child->sib_next = NULL;
	if (!parent)
		return;
	child->sib_next = parent->children;
	if (parent->children)
		parent->children->sib_prev = child;
	parent->children = child;
	image_settle(s, parent);
}

static void image_orphan(struct images *s, struct image *child)
{
	struct image *parent = child->parent;

	if (!parent)
		return;
	*(child->sib_prev ? &child->sib_prev->sib_next : &parent->children) = child->sib_next;
	if (child->sib_next)
		child->sib_next->sib_prev = child->sib_prev;
	child->parent = NULL;
	child->p.parent = NULL;
	image_settle(s, parent);
}

void images_link(struct images *s, struct image *parent, struct image *child)
{
	if (!parent || child->parent)
		return;
	for (const struct image *i = parent; i; i = i->parent)
		if (i == child)
			return;
	images_adopt(s, parent, child);
}

void images_skip(struct images *s, struct image *i)
{
	struct image *above = i->parent ? i->parent->parent : NULL;

	if (!above)
		return;
	image_orphan(s, i);
	images_adopt(s, above, i);
	s->relinked++;
}

/* ---- the hash ------------------------------------------------------------------------------------------------------ */

static size_t pid_bucket(uint32_t pid)
{
	return pid * 2654435761u >> 18;
}

_Static_assert(IMAGES_BUCKETS == 1 << (32 - 18), "pid_bucket covers the buckets");

void images_put(struct images *s, struct image *i)
{
	struct image **at = &s->buckets[pid_bucket(i->pid)];

	i->present = true;
	i->hash_next = *at;
	*at = i;
}

void images_take(struct images *s, struct image *i)
{
	struct image **at = &s->buckets[pid_bucket(i->pid)];

	if (!i->present)
		return;
	while (*at != i)
		at = &(*at)->hash_next;
	*at = i->hash_next;
	i->present = false;
}

static bool starts_match(const struct images *s, const struct image *i, uint64_t start_ns)
{
	if (i->start_ns == start_ns)
		return true;
	return i->coarse && s->tick_ns && i->start_ns / s->tick_ns == start_ns / s->tick_ns;
}

struct image *images_find(const struct images *s, uint32_t pid, uint64_t start_ns)
{
	for (struct image *i = s->buckets[pid_bucket(pid)]; i; i = i->hash_next)
		if (i->pid == pid && (start_ns ? starts_match(s, i, start_ns) : !i->dead))
			return i;
	return NULL;
}

/* ---- life and death ------------------------------------------------------------------------------------------------ */

static void cache_drop(struct images *s, struct image *i)
{
	s->cache_bytes -= i->cache.text ? i->cache.len : 0;
	free((void *)i->cache.text);
	i->cache = (struct proctable_cache){ 0 };
}

void images_changed(struct images *s, struct image *i)
{
	i->p.version = ++s->version;
	cache_drop(s, i);
}

void images_use(struct images *s, struct image *i)
{
	if (i->dead || i == s->live.last)
		return;
	list_take(&s->live, i);
	list_put(&s->live, i);
}

void images_die(struct images *s, struct image *i)
{
	if (i->dead)
		return;
	list_take(&s->live, i);
	s->count_live--;
	i->dead = true;
	i->dead_ns = s->now_ns;
	i->held = i->children;
	list_put(list_of(s, i), i);
}

void images_retire(struct images *s, uint32_t pid, const struct image *but)
{
	for (struct image *i = s->buckets[pid_bucket(pid)]; i; i = i->hash_next)
		if (i->pid == pid && i != but && !i->dead)
			images_die(s, i);
}

/* Children go to the parent: what is above them stays above them. */
static void image_free(struct images *s, struct image *i)
{
	struct image *parent = i->parent;
	uint64_t start = i->p.start;
	uint32_t pid = i->pid;

	while (i->children) {
		struct image *child = i->children;

		image_orphan(s, child);
		images_adopt(s, parent, child);
		s->relinked++;
	}
	image_orphan(s, i);
	images_take(s, i);
	s->count_live -= !i->dead;
	list_take(list_of(s, i), i);
	cache_drop(s, i);
	for (int n = 0; n < PROCIO_STRS; n++)
		strpool_unref(s->strings, i->str[n]);
	s->arg_bytes -= argblock_unref(i->args);
	container_unref(&s->containers, i->container);
	s->count--;
	s->freed++;
	free(i);
	if (s->gone)
		s->gone(s->gone_ctx, pid, start);
}

bool images_any(const struct images *s, uint32_t pid, uint64_t start)
{
	const struct image_list *lists[] = { &s->live, &s->dead, &s->held };

	for (int l = 0; l < 3; l++)
		for (const struct image *i = lists[l]->first; i; i = i->next)
			if (i->pid == pid && i->p.start == start)
				return true;
	return false;
}

void images_replaced(struct images *s, struct image *i)
{
	images_take(s, i);
	images_die(s, i);
	if (!i->children)
		image_free(s, i);
}

struct image *images_new(struct images *s, uint32_t pid, uint64_t start_ns)
{
	struct image *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->pid = pid;
	i->start_ns = i->p.start = start_ns;
	i->p.version = ++s->version;
	list_put(&s->live, i);
	s->count++;
	s->count_live++;
	return i;
}

size_t images_bytes(const struct images *s)
{
	return s->count * sizeof(struct image) + s->arg_bytes + s->cache_bytes + strpool_bytes(s->strings) +
	       containers_bytes(&s->containers);
}

static bool images_full(const struct images *s)
{
	return s->count > s->max || images_bytes(s) > s->max_bytes;
}

/* The image to give up next; never one of the two. */
static struct image *images_victim(struct images *s, const struct image *keep, const struct image *keep2)
{
	struct image_list *lists[] = { &s->dead, &s->held, &s->live };

	for (int l = 0; l < 3; l++) {
		struct image *i = lists[l]->first;

		while (i && (i == keep || i == keep2))
			i = i->next;
		if (i)
			return i;
	}
	return NULL;
}

void images_bound(struct images *s, const struct image *keep, const struct image *keep2)
{
	struct image *i;

	while (images_full(s) && (i = images_victim(s, keep, keep2))) {
		*(i->dead ? &s->evicted : &s->evicted_live) += 1;
		image_free(s, i);
	}
}

void images_reap(struct images *s)
{
	for (int n = 0; n < REAP_MAX && s->dead.first; n++) {
		struct image *i = s->dead.first;

		if (i->dead_ns + PROCTABLE_LINGER_NS > s->now_ns)
			return;
		image_free(s, i);
	}
}

/* ---- all of them --------------------------------------------------------------------------------------------------- */

void images_each(struct images *s, void (*fn)(void *ctx, struct image *i), void *ctx)
{
	struct image_list *lists[] = { &s->live, &s->dead, &s->held };

	for (int l = 0; l < 3; l++)
		for (struct image *i = lists[l]->first; i; i = i->next)
			fn(ctx, i);
}

static void cache_drop_one(void *ctx, struct image *i)
{
	cache_drop(ctx, i);
}

void images_cache_set(struct images *s, struct image *i, const char *text, uint32_t len, uint64_t version)
{
	char *copy;

	cache_drop(s, i);
	if (!len || len > PROCTABLE_CACHE_MAX)
		return;
	if (s->cache_bytes + len > PROCTABLE_CACHE_BYTES)
		images_each(s, cache_drop_one, s);
	copy = malloc(len);
	if (!copy)
		return;
	memcpy(copy, text, len);
	i->cache = (struct proctable_cache){ copy, version, len };
	s->cache_bytes += len;
}

int images_init(struct images *s, size_t max, size_t max_bytes)
{
	s->max = max;
	s->max_bytes = max_bytes;
	containers_init(&s->containers);
	return strpool_new(&s->strings);
}

void images_done(struct images *s)
{
	struct image_list *lists[] = { &s->live, &s->dead, &s->held };

	for (int l = 0; l < 3; l++)
		while (lists[l]->first)
			image_free(s, lists[l]->first);
	strpool_free(s->strings);
}
