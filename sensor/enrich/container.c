/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/container.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_MS     2000u /* after the first answer that was none; each time four times as long */
#define AGAIN_MAX_MS 300000u
#define ID_LEN	     64 /* what runtimes call a container */

void containers_init(struct containers *s)
{
	*s = (struct containers){ .count = 0 };
	TAILQ_INIT(&s->waiting);
}

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
	for (uint32_t at = 0; at < c->names_len; at += c->tags[c->ntags++].len + 1)
		c->tags[c->ntags] = (struct val){ .s = c->names + at, .len = (uint32_t)strlen(c->names + at) };
}

/* Those of ECS and garden are known to nobody who could be asked. */
static void wait_for_names(struct containers *s, struct container *c)
{
	if (strlen(c->id) != ID_LEN || strspn(c->id, "0123456789abcdef") != ID_LEN)
		return;
	TAILQ_INSERT_TAIL(&s->waiting, c, wait);
	c->waits = s->fresh = true;
}

static void wait_no_more(struct containers *s, struct container *c)
{
	if (c->waits)
		TAILQ_REMOVE(&s->waiting, c, wait);
	c->waits = false;
}

struct container *container_find(const struct containers *s, const char *id, size_t len)
{
	uint32_t hash = hash_of(id, len);
	struct container *c = s->buckets[hash % CONTAINERS_BUCKETS];

	while (c && (c->hash != hash || strlen(c->id) != len || memcmp(c->id, id, len) != 0))
		c = c->next;
	return c;
}

struct container *container_get(struct containers *s, const char *id, size_t len, const char *runtime, const char *pod)
{
	uint32_t hash = hash_of(id, len);
	struct container **at = &s->buckets[hash % CONTAINERS_BUCKETS], *c;

	if (len > CONTAINER_ID_MAX)
		return NULL;
	c = container_find(s, id, len);
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
	if (s->asks)
		wait_for_names(s, c);
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
	s->bytes -= c->names_len;
	wait_no_more(s, c);
	free(c->names);
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
	return s->count * sizeof(struct container) + s->bytes;
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

void containers_ask(struct containers *s)
{
	if (s->asks)
		return;
	s->asks = true;
	for (size_t i = 0; i < CONTAINERS_BUCKETS; i++)
		for (struct container *c = s->buckets[i]; c; c = c->next)
			wait_for_names(s, c);
}

void containers_due(struct containers *s, uint64_t now_ms, int (*ask)(void *ctx, const struct container *c), void *ctx)
{
	struct container *c;
	int r;

	s->fresh = false;
	TAILQ_FOREACH(c, &s->waiting, wait)
	{
		if (c->asked || c->due_ms > now_ms)
			continue;
		r = ask(ctx, c);
		if (r < 0)
			return;
		c->asked = r > 0;
		if (!r) /* its runtime may be found out yet */
			container_unnamed(c, now_ms);
	}
}

void containers_unasked(struct containers *s)
{
	struct container *c;

	TAILQ_FOREACH(c, &s->waiting, wait)
	c->asked = false;
}

bool container_text_ok(const char *s)
{
	size_t n = strnlen(s, CONTAINER_TEXT_MAX);

	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	return n < CONTAINER_TEXT_MAX;
}

static const char *const tags[CONTAINER_NAMES] = {
	[CONTAINER_NAME] = "container_name",
	[CONTAINER_IMAGE_ID] = "image_id",
	[CONTAINER_IMAGE_NAME] = "image_name",
	[CONTAINER_IMAGE_TAG] = "image_tag",
	[CONTAINER_KUBE_NAME] = "kube_container_name",
	[CONTAINER_KUBE_NAMESPACE] = "kube_namespace",
	[CONTAINER_POD_NAME] = "pod_name",
};

/* The tags taken apart again. */
static void names_of(const struct container *c, struct container_names *ret)
{
	*ret = (struct container_names){ 0 };
	for (uint32_t at = 0; at < c->names_len; at += (uint32_t)strlen(c->names + at) + 1)
		for (size_t i = 0; i < CONTAINER_NAMES; i++) {
			size_t n = strlen(tags[i]);

			if (strncmp(c->names + at, tags[i], n) == 0 && c->names[at + n] == ':')
				snprintf(ret->text[i], sizeof(ret->text[i]), "%s", c->names + at + n + 1);
		}
}

void containers_each_named(const struct containers *s,
			   void (*fn)(void *ctx, const struct container *c, const struct container_names *names),
			   void *ctx)
{
	struct container_names names;

	for (size_t i = 0; i < CONTAINERS_BUCKETS; i++)
		for (const struct container *c = s->buckets[i]; c; c = c->next) {
			if (!c->names)
				continue;
			names_of(c, &names);
			fn(ctx, c, &names);
		}
}

int container_named(struct containers *s, struct container *c, const struct container_names *names)
{
	char text[CONTAINER_NAMES * (CONTAINER_TEXT_MAX + 32)], *copy;
	size_t len = 0;

	for (size_t i = 0; i < CONTAINER_NAMES; i++)
		if (names->text[i][0] && container_text_ok(names->text[i]))
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s:%s", tags[i], names->text[i]) + 1;
	copy = malloc(len ? len : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, len);
	free(c->names);
	s->bytes += len - c->names_len;
	c->names = copy;
	c->names_len = (uint32_t)len;
	wait_no_more(s, c);
	make_tags(c);
	return 0;
}

void container_unnamed(struct container *c, uint64_t now_ms)
{
	uint64_t wait = (uint64_t)AGAIN_MS << (c->tries < 4 ? 2 * c->tries : 8);

	c->asked = false;
	c->due_ms = now_ms + (wait < AGAIN_MAX_MS ? wait : AGAIN_MAX_MS);
	c->tries += c->tries < UINT8_MAX;
}
