/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_CONTAINER_H
#define TAMIS_ENRICH_CONTAINER_H

/*
 * The containers of the processes that are known: each is there as long as an image refers to it, so their number is bounded by
 * that of images. What is known of one comes from the paths of its cgroup and from its processes. Asks nobody: whoever can ask the runtime looks through
 * those that wait for their names (containers_due) and says what came of it (container_named, container_unnamed).
 */

#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>
#include <sys/queue.h>

#include "lib/value.h"

#define CONTAINERS_BUCKETS 1024
#define CONTAINER_ID_MAX   64

/* What a runtime says of a container; the tags' names, in the order in which they are shown. */
enum container_name {
	CONTAINER_NAME,
	CONTAINER_IMAGE_ID,
	CONTAINER_IMAGE_NAME,
	CONTAINER_IMAGE_TAG,
	CONTAINER_KUBE_NAME,
	CONTAINER_KUBE_NAMESPACE,
	CONTAINER_POD_NAME,
	CONTAINER_NAMES
};
#define CONTAINER_TAGS	   (3 + CONTAINER_NAMES)
#define CONTAINER_TEXT_MAX 256

/* Terminated; "": not known. */
struct container_names {
	char text[CONTAINER_NAMES][CONTAINER_TEXT_MAX];
};

struct container {
	struct container *next;	     /* in its bucket */
	TAILQ_ENTRY(container) wait; /* for its names */
	bool waits, asked;	     /* in that list; a question is under way */
	uint8_t tries;		     /* that came to nothing */
	uint64_t due_ms;	     /* not to be asked before */
	char *names;		     /* owned: tags that the runtime told, each terminated; NULL: none */
	uint32_t names_len;
	uint32_t refs, hash;
	int64_t created_ns;  /* start of the first process that is known, ns since 1970; 0: not known */
	const char *runtime; /* constant; "" as long as nothing tells */
	struct val tags[CONTAINER_TAGS];
	uint32_t ntags;
	char id[CONTAINER_ID_MAX + 1], pod[37];
	char id_tag[sizeof("container_id:") + CONTAINER_ID_MAX], runtime_tag[32], pod_tag[sizeof("pod_uid:") + 37];
};

TAILQ_HEAD(container_list, container);

struct containers {
	struct container *buckets[CONTAINERS_BUCKETS];
	size_t count, bytes; /* bytes: of names */
	bool asks;	     /* somebody asks runtimes: new ones wait for their names */
	bool fresh;	     /* there are some since this was set to false */
	struct container_list waiting;
};

void containers_init(struct containers *s);
/* That container with one reference more; NULL without memory, or for an id that is too long. @runtime, @pod: "" for not known. */
struct container *container_get(struct containers *s, const char *id, size_t len, const char *runtime, const char *pod);
struct container *container_ref(struct container *c); /* NULL is fine */
void container_unref(struct containers *s, struct container *c);

/* One of its processes started at that time. */
void container_started(struct container *c, int64_t at_ns);
/* Of a container whose cgroup did not tell. */
void container_runtime(struct container *c, const char *runtime);

size_t containers_bytes(const struct containers *s);

/* ---- names --------------------------------------------------------------------------------------------------------- */

struct container *container_find(const struct containers *s, const char *id, size_t len);
/* From now on containers wait for names. */
void containers_ask(struct containers *s);
/* Calls @ask for those that are due: 1 when it was asked, 0 when nobody could, negative when no more can be asked now. */
void containers_due(struct containers *s, uint64_t now_ms, int (*ask)(void *ctx, const struct container *c), void *ctx);
/* Whoever was asked is gone: what is under way is asked again. */
void containers_unasked(struct containers *s);
/* 0, -ENOMEM. */
int container_named(struct containers *s, struct container *c, const struct container_names *names);
/* No answer, or none of use: it is asked again later and later. */
void container_unnamed(struct container *c, uint64_t now_ms);

/* Those that have names, as they were told. */
void containers_each_named(const struct containers *s,
			   void (*fn)(void *ctx, const struct container *c, const struct container_names *names),
			   void *ctx);

/* Whether a text may be a name: short enough, and of letters, digits and signs that are not blank. */
bool container_text_ok(const char *s);

#endif
