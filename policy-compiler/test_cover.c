/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules and which clauses tests make true. A rule may be compiled by several test files, each with its own order of
 * nodes, so a clause is known by what it says: by a hash of what its predicates say, in whatever order.
 */
#include <errno.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "policy-compiler/test_parts.h"
#include "policy-compiler/why.h"

#define TEXT_MAX (16u << 20)

/*
 * The path without "." and "name/..": a test may name a policy on another way than the command line does. Where "name" is a
 * symbolic link that is another file, which at worst makes two policies of one name and one id count as one.
 */
static size_t plain_path(const char *path, char *ret)
{
	size_t n = 0;

	while (*path) {
		size_t len = strcspn(path, "/") + (path[strcspn(path, "/")] == '/');
		bool up = len == 3 && memcmp(path, "../", 3) == 0;
		size_t last = n;

		while (last > 0 && (last == n || ret[last - 1] != '/'))
			last--;
		if (up && n && !(n - last == 3 && memcmp(ret + last, "../", 3) == 0) && !(n == 1 && ret[0] == '/')) {
			n = last;
		} else if (!(len == 2 && memcmp(path, "./", 2) == 0) && !(len == 1 && n)) {
			memcpy(ret + n, path, len);
			n += len;
		}
		path += len;
	}
	return n;
}

struct test_cover *test_cover(struct test_run *t, const char *file, const struct policy_rule *def)
{
	size_t nid = strlen(def->id), nfile;
	char *key = arena_alloc(&t->arena, strlen(file) + nid + 2);
	struct test_cover *c, **slot;
	uint32_t off, len;

	if (!key)
		return NULL;
	nfile = plain_path(file, key);
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
	c->file = arena_strdup(&t->arena, key, nfile);
	c->id = arena_strdup(&t->arena, def->id, nid);
	span_place(def->at, &c->line, &c->col, &off, &len);
	return c->file && c->id ? c : NULL;
}

/* ---- what a clause says ------------------------------------------------------------------------------------------ */

#define DIGEST 16

struct digests {
	const struct program *p;
	uint8_t (*of)[DIGEST]; /* of each node; in the suite's arena */
	bool *known;
};

static int digest_cmp(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST);
}

static void digest_end(struct hash *h, uint8_t ret[DIGEST])
{
	uint8_t whole[HASH_SIZE];

	hash_end(h, whole);
	memcpy(ret, whole, DIGEST);
}

static void digest_str(const struct program *p, uint32_t str, uint8_t kind, uint8_t ret[DIGEST])
{
	struct hash h;
	uint32_t len;
	const char *s = program_str(p, str, &len);

	hash_begin(&h);
	hash_add(&h, &kind, 1);
	hash_add(&h, s, len);
	digest_end(&h, ret);
}

/* The elements of a set stand in the order of their strings' numbers, which is another in every program. */
static int add_set(struct hash *h, const struct program *p, const struct node *n)
{
	uint32_t first = n->op == N_STRIN ? p->strsets[n->b].first : p->ipsets[n->b].first;
	uint32_t count = n->op == N_STRIN ? p->strsets[n->b].count : p->ipsets[n->b].count;
	_cleanup_free_ uint8_t(*digests)[DIGEST] = calloc((size_t)count + 1, DIGEST);

	if (!digests)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		const struct strm *m = n->op == N_STRIN ? &p->strms[first + i] : NULL;

		digest_str(p, m ? m->str : p->ips[first + i], m ? (uint8_t)(m->kind << 1 | !!m->icase) : 0, digests[i]);
	}
	qsort(digests, count, DIGEST, digest_cmp);
	hash_add(h, digests, (size_t)count * DIGEST);
	return 0;
}

/* What the node has of its own, numbers that only this program knows by what they stand for. */
static int add_own(struct hash *h, const struct program *p, const struct node *n)
{
	uint8_t str[DIGEST];

	hash_add(h, &n->op, sizeof(n->op));
	hash_add(h, &n->imm, sizeof(n->imm));
	hash_add(h, &n->c, sizeof(n->c));
	switch (n->op) {
	case N_STR:
	case N_IP:
		digest_str(p, n->a, n->op, str);
		hash_add(h, str, DIGEST);
		break;
	case N_VAR:
		digest_str(p, p->vars[n->a].name, p->vars[n->a].scope, str);
		hash_add(h, str, DIGEST);
		break;
	case N_FIELD:
	case N_CURRENT:
	case N_ELEM:
		hash_add(h, &n->a, sizeof(n->a));
		break;
	case N_EXISTS:
		hash_add(h, &n->b, sizeof(n->b));
		break;
	case N_INTIN:
		hash_add(h, p->ints + p->intsets[n->b].first, p->intsets[n->b].count * sizeof(p->ints[0]));
		break;
	case N_STRIN:
	case N_IPIN:
		return add_set(h, p, n);
	}
	return 0;
}

/* Which operand comes first depends on the numbers of the nodes. */
static bool is_symmetric(uint8_t op)
{
	return op == N_EQ || op == N_STREQ || op == N_IPEQ || op == N_AND || op == N_OR || op == N_ADD ||
	       op == N_BAND || op == N_BOR || op == N_BXOR || op == N_MEET;
}

static int digest_node(struct digests *d, uint32_t i)
{
	const struct node *n = &d->p->nodes[i];
	unsigned operands = program_operands(n->op);
	uint8_t both[2][DIGEST] = { { 0 } };
	struct hash h;
	int r = 0;

	if (d->known[i])
		return 0;
	if (operands & 1)
		r = digest_node(d, n->a);
	if (r == 0 && (operands & 2))
		r = digest_node(d, n->b);
	if (r < 0)
		return r;
	hash_begin(&h);
	r = add_own(&h, d->p, n);
	if (operands & 1)
		memcpy(both[0], d->of[n->a], DIGEST);
	if (operands & 2)
		memcpy(both[1], d->of[n->b], DIGEST);
	if (is_symmetric(n->op))
		qsort(both, 2, DIGEST, digest_cmp);
	hash_add(&h, both, sizeof(both));
	digest_end(&h, d->of[i]);
	d->known[i] = true;
	return r;
}

static int clause_key(struct digests *d, const struct dnf_clause *c, uint8_t key[DIGEST])
{
	_cleanup_free_ uint8_t(*digests)[DIGEST] = calloc(c->n + 1, DIGEST);
	struct hash h;
	int r = digests ? 0 : -ENOMEM;

	for (size_t i = 0; i < c->n && r == 0; i++) {
		uint32_t node = c->lits[i].node;

		r = digest_node(d, node);
		hash_begin(&h);
		hash_add(&h, d->of[node], DIGEST);
		hash_add(&h, &c->lits[i].negated, sizeof(c->lits[i].negated));
		digest_end(&h, digests[i]);
	}
	if (r < 0)
		return r;
	qsort(digests, c->n, DIGEST, digest_cmp);
	hash_begin(&h);
	hash_add(&h, digests, c->n * DIGEST);
	digest_end(&h, key);
	return 0;
}

/* ---- the clauses of a rule --------------------------------------------------------------------------------------- */

static int new_clause(struct test_suite *s, struct test_cover *cover, const struct dnf_clause *c, const uint8_t *key,
		      struct test_clause **ret)
{
	struct arena *a = &s->run->arena;
	struct test_clause *clause = arena_alloc(a, sizeof(*clause)), **slot;
	const char *kept = arena_strdup(a, (const char *)key, DIGEST);
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
	return strmap_put(&cover->by_key, a, kept, DIGEST, clause);
}

int test_cover_clauses(struct test_suite *s, struct test_rule *rule)
{
	struct digests d = { .p = &s->program, .of = s->digests, .known = s->digested };
	uint8_t key[DIGEST];
	int r = dnf_of(&s->arena, &s->program, s->program.rules[rule->def->number].root, &rule->dnf);

	if (r < 0)
		return r;
	rule->clauses = arena_array(&s->arena, rule->dnf.n + 1, sizeof(*rule->clauses));
	rule->held = arena_array(&s->arena, rule->dnf.n + 1, sizeof(*rule->held));
	if (!rule->clauses || !rule->held)
		return -ENOMEM;
	for (size_t i = 0; i < rule->dnf.n && r == 0; i++) {
		r = clause_key(&d, &rule->dnf.v[i], key);
		if (r < 0)
			return r;
		rule->clauses[i] = strmap_get(&rule->cover->by_key, (const char *)key, DIGEST);
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
