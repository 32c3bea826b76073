/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules and which clauses tests make true. A rule may be compiled by several test files, each with its own order of
 * nodes, so a clause is known by what it says: by the hash of its predicates' texts in ascending order.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "policy-compiler/node_text.h"
#include "policy-compiler/test_parts.h"
#include "policy-compiler/why.h"

#define TEXT_MAX (16u << 20)

struct test_cover *test_cover(struct test_run *t, const char *file, const struct policy_rule *def)
{
	size_t nfile = strlen(file), nid = strlen(def->id);
	char *key = arena_alloc(&t->arena, nfile + nid + 2);
	struct test_cover *c, **slot;
	uint32_t off, len;

	if (!key)
		return NULL;
	memcpy(key, file, nfile);
	key[nfile] = ':';
	memcpy(key + nfile + 1, def->id, nid);
	c = strmap_get(&t->cover_by_name, key, nfile + nid + 1);
	if (c)
		return c;
	c = arena_alloc(&t->arena, sizeof(*c));
	slot = c ? ARENA_PUSH(&t->arena, t->covers, t->ncovers) : NULL;
	if (!slot || strmap_put(&t->cover_by_name, &t->arena, key, nfile + nid + 1, c) < 0)
		return NULL;
	*slot = c;
	c->file = arena_strdup(&t->arena, file, nfile);
	c->id = arena_strdup(&t->arena, def->id, nid);
	span_place(def->at, &c->line, &c->col, &off, &len);
	return c->file && c->id ? c : NULL;
}

static int digest_cmp(const void *a, const void *b)
{
	return memcmp(a, b, HASH_SIZE);
}

static int clause_key(const struct program *p, const struct dnf_clause *c, uint8_t key[HASH_SIZE])
{
	_cleanup_free_ uint8_t(*digests)[HASH_SIZE] = calloc(c->n + 1, HASH_SIZE);
	struct buf text;
	int r = digests ? 0 : -ENOMEM;

	buf_init(&text, TEXT_MAX);
	for (size_t i = 0; i < c->n && r == 0; i++) {
		buf_reset(&text);
		node_text(p, c->lits[i].node, c->lits[i].negated, &text);
		/* a text that was cut is a fine key: it is cut everywhere in the same way */
		r = buf_error(&text) == -ENOMEM ? -ENOMEM : 0;
		hash_sha256(text.data, text.len, digests[i]);
	}
	buf_done(&text);
	if (r < 0)
		return r;
	qsort(digests, c->n, HASH_SIZE, digest_cmp);
	hash_sha256(digests, c->n * HASH_SIZE, key);
	return 0;
}

static int new_clause(struct test_suite *s, struct test_cover *cover, const struct dnf_clause *c, const uint8_t *key,
		      struct test_clause **ret)
{
	struct arena *a = &s->run->arena;
	struct test_clause *clause = arena_alloc(a, sizeof(*clause)), **slot;
	const char *kept = arena_strdup(a, (const char *)key, HASH_SIZE);
	struct buf text;

	slot = clause && kept ? ARENA_PUSH(a, cover->clauses, cover->nclauses) : NULL;
	if (!slot)
		return -ENOMEM;
	buf_init(&text, TEXT_MAX);
	why_put_clause(&s->program, c, &text);
	clause->text = arena_strdup(a, buf_error(&text) ? "" : (const char *)text.data, text.len);
	clause->whole = c->whole;
	buf_done(&text);
	if (!clause->text)
		return -ENOMEM;
	*slot = *ret = clause;
	return strmap_put(&cover->by_key, a, kept, HASH_SIZE, clause);
}

int test_cover_clauses(struct test_suite *s, struct test_rule *rule)
{
	uint8_t key[HASH_SIZE];
	int r = dnf_of(&s->arena, &s->program, s->program.rules[rule->def->number].root, &rule->dnf);

	if (r < 0)
		return r;
	rule->clauses = arena_array(&s->arena, rule->dnf.n + 1, sizeof(*rule->clauses));
	rule->held = arena_array(&s->arena, rule->dnf.n + 1, sizeof(*rule->held));
	if (!rule->clauses || !rule->held)
		return -ENOMEM;
	for (size_t i = 0; i < rule->dnf.n && r == 0; i++) {
		r = clause_key(&s->program, &rule->dnf.v[i], key);
		if (r < 0)
			return r;
		rule->clauses[i] = strmap_get(&rule->cover->by_key, (const char *)key, HASH_SIZE);
		if (!rule->clauses[i])
			r = new_clause(s, rule->cover, &rule->dnf.v[i], key, &rule->clauses[i]);
	}
	return r;
}

struct test_coverage test_coverage(const struct test_run *t)
{
	struct test_coverage sum = { .rules = t->ncovers };

	for (size_t i = 0; i < t->ncovers; i++) {
		const struct test_cover *c = t->covers[i];

		sum.fired += c->fired;
		sum.clauses += c->nclauses;
		for (size_t k = 0; k < c->nclauses; k++)
			sum.held += c->clauses[k]->held;
	}
	return sum;
}
