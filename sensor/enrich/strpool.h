/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_STRPOOL_H
#define TAMIS_ENRICH_STRPOOL_H

/*
 * Strings that many processes share (paths of programs, cgroups, terminals), each kept once and counted. The owner bounds the
 * whole by what strpool_bytes() says.
 */

#include <stddef.h>
#include <stdint.h>

struct str {
	struct str *next; /* in its bucket */
	uint32_t hash, refs;
	uint32_t len;
	char s[]; /* with a NUL behind */
};

struct strpool;

int strpool_new(struct strpool **ret);
/* Frees also what is still referred to. */
void strpool_free(struct strpool *p);

/* The string with one reference more, or NULL without memory. An empty string is NULL too: it needs no room. */
struct str *strpool_get(struct strpool *p, const char *s, size_t len);
/* One more, or one less, reference; NULL is fine. */
struct str *strpool_ref(struct str *s);
void strpool_unref(struct strpool *p, struct str *s);

size_t strpool_bytes(const struct strpool *p);

#endif
