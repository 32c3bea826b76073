/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *id, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)id[i]) * 16777619u;
	return h;
}

static void add_tag(struct container *c, char *text, size_t size, const char *name, const char *value)
{
	if (!*value)
		return;
	snprintf(text, size, "%s:%s", name, value);
	c->tags[c->ntags++] = (struct val){ .s = text, .len = (uint32_t)strlen(text) };
}

static void make_tags(struct container *c)
{
	c->ntags = 0;
	add_tag(c, c->id_tag, sizeof(c->id_tag), "container_id", c->id);
	add_tag(c, c->pod_tag, sizeof(c->pod_tag), "pod_uid", c->pod);
	add_tag(c, c->runtime_tag, sizeof(c->runtime_tag), "runtime", c->runtime);
}

struct container *container_get(struct containers *s, const char *id, size_t len, const char *runtime, const char *pod)
{
	uint32_t hash = hash_of(id, len);
	struct container **at = &s->buckets[hash % CONTAINERS_BUCKETS], *c = *at;

	if (len > CONTAINER_ID_MAX)
		return NULL;
	while (c && (c->hash != hash || strlen(c->id) != len || memcmp(c->id, id, len) != 0))
		c = c->next;
	if (c)
		return container_ref(c);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->refs = 1;
	c->hash = hash;
	c->runtime = runtime;
	memcpy(c->id, id, len);
	snprintf(c->pod, sizeof(c->pod), "%s", pod);
	make_tags(c);
	c->next = *at;
	*at = c;
	s->count++;
	return c;
}

struct container *container_ref(struct container *c)
{
	if (c)
		c->refs++;
	return c;
}

void container_unref(struct containers *s, struct container *c)
{
	struct container **at;

	if (!c || --c->refs)
		return;
	at = &s->buckets[c->hash % CONTAINERS_BUCKETS];
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	s->count--;
	free(c);
}

void container_started(struct container *c, int64_t at_ns)
{
	if (at_ns > 0 && (!c->created_ns || at_ns < c->created_ns))
		c->created_ns = at_ns;
}

void container_runtime(struct container *c, const char *runtime)
{
	c->runtime = runtime;
	make_tags(c);
}

size_t containers_bytes(const struct containers *s)
{
	return s->count * sizeof(struct container);
}
