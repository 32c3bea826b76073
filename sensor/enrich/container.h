/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_CONTAINER_H
#define TAMIS_ENRICH_CONTAINER_H

/*
 * The containers of the processes that are known: each is there as long as an image refers to it, so their number is bounded by
 * that of images. What is known of one comes from the paths of its cgroup and from its processes. Asks nobody.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"

#define CONTAINERS_BUCKETS 1024
#define CONTAINER_ID_MAX   64
#define CONTAINER_TAGS	   3

struct container {
	struct container *next; /* in its bucket */
	uint32_t refs, hash;
	int64_t created_ns;  /* start of the first process that is known, ns since 1970; 0: not known */
	const char *runtime; /* constant; "" as long as nothing tells */
	struct val tags[CONTAINER_TAGS];
	uint32_t ntags;
	char id[CONTAINER_ID_MAX + 1], pod[37];
	char id_tag[sizeof("container_id:") + CONTAINER_ID_MAX], runtime_tag[32], pod_tag[sizeof("pod_uid:") + 37];
};

struct containers {
	struct container *buckets[CONTAINERS_BUCKETS];
	size_t count;
};

/* That container with one reference more; NULL without memory, or for an id that is too long. @runtime, @pod: "" for not known. */
struct container *container_get(struct containers *s, const char *id, size_t len, const char *runtime, const char *pod);
struct container *container_ref(struct container *c); /* NULL is fine */
void container_unref(struct containers *s, struct container *c);

/* One of its processes started at that time. */
void container_started(struct container *c, int64_t at_ns);
/* Of a container whose cgroup did not tell. */
void container_runtime(struct container *c, const char *runtime);

size_t containers_bytes(const struct containers *s);

#endif
