/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/program.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/program_check.h"
#include "tamis/sieve.h"

#define SETS_MAX PROGRAM_STRINGS_MAX /* elements of all sets of a kind, and sets of a kind */

/* An array that grows, with a maximum. */
struct vec {
	void *p; /* owned */
	uint32_t n, cap, max;
	uint32_t size; /* of an element */
};

/* A hash table of indexes into some vec, for finding what is there already. */
struct index {
	uint32_t *slot; /* owned; index + 1, 0 is free */
	uint32_t cap, n;
};

struct program_builder {
	const struct catalog *catalog; /* borrowed */
	struct vec nodes, infos;
	struct vec rules, clauses, tags;
	struct vec strms, strsets, strset_costs;
	struct vec ints, intsets;
	struct vec ips, ipsets;
	struct vec str_off, str_bytes;
	struct index node_index, str_index, strset_index, intset_index, ipset_index;
};

#define AT(T, v) ((T *)(v).p)

/* ---- arrays and look-up -------------------------------------------------------------------------------------------- */

static int vec_room(struct vec *v, size_t n)
{
	size_t cap = v->cap ? v->cap : 64;
	void *p;

	if (n > v->max || v->n > v->max - n)
		return -E2BIG;
	if (v->cap - v->n >= n)
		return 0;
	while (cap - v->n < n)
		cap *= 2;
	p = realloc(v->p, cap * v->size);
	if (!p)
		return -ENOMEM;
	v->p = p;
	v->cap = (uint32_t)cap;
	return 0;
}

static int vec_put(struct vec *v, const void *elems, size_t n)
{
	int r = vec_room(v, n);

	if (r < 0)
		return r;
	if (n)
		memcpy((char *)v->p + (size_t)v->n * v->size, elems, n * v->size);
	v->n += (uint32_t)n;
	return 0;
}

static void vec_done(struct vec *v)
{
	free(v->p);
}

static uint64_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 1099511628211u;
	return h ^ h >> 32;
}

/* Room for one more entry. @hash_of gives the hash of what entry i stands for. */
static int index_room(struct index *ix, uint64_t (*hash_of)(const struct program_builder *, uint32_t),
		      const struct program_builder *pb)
{
	uint32_t cap = ix->cap ? ix->cap * 2 : 256;
	uint32_t *slot;

	if ((ix->n + 1) * 2 <= ix->cap)
		return 0;
	slot = calloc(cap, sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	for (uint32_t i = 0; i < ix->cap; i++) {
		uint32_t at;

		if (!ix->slot[i])
			continue;
		at = (uint32_t)hash_of(pb, ix->slot[i] - 1) & (cap - 1);
		while (slot[at])
			at = (at + 1) & (cap - 1);
		slot[at] = ix->slot[i];
	}
	free(ix->slot);
	ix->slot = slot;
	ix->cap = cap;
	return 0;
}

typedef bool same_fn(const struct program_builder *pb, uint32_t i, const void *p, size_t n);

/* The entry that is the same as p, n; or -1 with *ret_at the place where it would go. Needs room in the table. */
static int64_t index_find(const struct index *ix, const struct program_builder *pb, uint64_t hash, same_fn *same, const void *p,
			  size_t n, uint32_t *ret_at)
{
	uint32_t at = (uint32_t)hash & (ix->cap - 1);

	for (; ix->slot[at]; at = (at + 1) & (ix->cap - 1))
		if (same(pb, ix->slot[at] - 1, p, n))
			return ix->slot[at] - 1;
	*ret_at = at;
	return -1;
}

static void index_put(struct index *ix, uint32_t at, uint32_t i)
{
	ix->slot[at] = i + 1;
	ix->n++;
}

/* ---- strings ------------------------------------------------------------------------------------------------------- */

static const char *str_at(const struct program_builder *pb, uint32_t i, uint32_t *ret_len)
{
	const uint32_t *off = pb->str_off.p;

	*ret_len = off[i + 1] - off[i];
	return AT(const char, pb->str_bytes) + off[i];
}

static uint64_t str_hash(const struct program_builder *pb, uint32_t i)
{
	uint32_t len;
	const char *s = str_at(pb, i, &len);

	return hash_bytes(s, len);
}

static bool str_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	uint32_t len;
	const char *s = str_at(pb, i, &len);

	return len == n && memcmp(s, p, n) == 0;
}

int64_t program_str_add(struct program_builder *pb, const char *s, size_t len)
{
	uint32_t at, end;
	int64_t found;
	int r;

	if (len > PROGRAM_STRING_MAX)
		return -E2BIG;
	r = index_room(&pb->str_index, str_hash, pb);
	if (r < 0)
		return r;
	found = index_find(&pb->str_index, pb, hash_bytes(s, len), str_same, s, len, &at);
	if (found >= 0)
		return found;

	r = vec_room(&pb->str_off, 1);
	if (r == 0)
		r = vec_put(&pb->str_bytes, s, len);
	if (r < 0)
		return r;
	end = pb->str_bytes.n;
	vec_put(&pb->str_off, &end, 1);
	index_put(&pb->str_index, at, pb->str_off.n - 2);
	return pb->str_off.n - 2;
}

static bool str_is_ip(const void *ctx, uint32_t i)
{
	uint32_t len;
	const char *s = str_at(ctx, i, &len);

	return program_ip_valid(s, len);
}

/* ---- sets ---------------------------------------------------------------------------------------------------------- */

/* The three kinds of sets have one shape: {first, count} into a vec of elements of a fixed size. */
struct set { uint32_t first, count; };
_Static_assert(sizeof(struct set) == sizeof(struct strset) && sizeof(struct set) == sizeof(struct intset) &&
		       sizeof(struct set) == sizeof(struct ipset), "sets have one shape");

static uint64_t set_hash(const struct vec *sets, const struct vec *elems, uint32_t i)
{
	const struct set *s = &AT(const struct set, *sets)[i];

	return hash_bytes(AT(const char, *elems) + (size_t)s->first * elems->size, (size_t)s->count * elems->size);
}

static bool set_same(const struct vec *sets, const struct vec *elems, uint32_t i, const void *p, size_t n)
{
	const struct set *s = &AT(const struct set, *sets)[i];

	return s->count == n && memcmp(AT(const char, *elems) + (size_t)s->first * elems->size, p, n * elems->size) == 0;
}

static uint64_t strset_hash(const struct program_builder *pb, uint32_t i) { return set_hash(&pb->strsets, &pb->strms, i); }
static uint64_t intset_hash(const struct program_builder *pb, uint32_t i) { return set_hash(&pb->intsets, &pb->ints, i); }
static uint64_t ipset_hash(const struct program_builder *pb, uint32_t i) { return set_hash(&pb->ipsets, &pb->ips, i); }

static bool strset_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	return set_same(&pb->strsets, &pb->strms, i, p, n);
}

static bool intset_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	return set_same(&pb->intsets, &pb->ints, i, p, n);
}

static bool ipset_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	return set_same(&pb->ipsets, &pb->ips, i, p, n);
}

/* Sorted and without doubles, in memory that the caller frees; *ret_n may be smaller than n. */
static void *sorted(const void *p, size_t n, size_t size, int (*cmp)(const void *, const void *), size_t *ret_n)
{
	char *copy = malloc(n ? n * size : 1);
	size_t out = 0;

	if (!copy)
		return NULL;
	if (n) {
		memcpy(copy, p, n * size);
		qsort(copy, n, size, cmp);
	}
	for (size_t i = 0; i < n; i++)
		if (out == 0 || cmp(copy + (out - 1) * size, copy + i * size) != 0)
			memmove(copy + out++ * size, copy + i * size, size);
	*ret_n = out;
	return copy;
}

/* @elems are sorted already. */
static int64_t set_add(struct program_builder *pb, struct vec *sets, struct vec *vals, struct index *ix,
		       uint64_t (*hash_of)(const struct program_builder *, uint32_t), same_fn *same, const void *elems, size_t n)
{
	struct set s = { .first = vals->n, .count = (uint32_t)n };
	int64_t found;
	uint32_t at;
	int r;

	r = index_room(ix, hash_of, pb);
	if (r < 0)
		return r;
	found = index_find(ix, pb, hash_bytes(elems, n * vals->size), same, elems, n, &at);
	if (found >= 0)
		return found;
	r = vec_room(sets, 1);
	if (r == 0)
		r = vec_put(vals, elems, n);
	if (r < 0)
		return r;
	vec_put(sets, &s, 1);
	index_put(ix, at, sets->n - 1);
	return sets->n - 1;
}

static int int_cmp(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int strm_cmp(const void *a, const void *b)
{
	const struct strm *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->icase != y->icase)
		return x->icase < y->icase ? -1 : 1;
	return u32_cmp(&x->str, &y->str);
}

int64_t program_intset_add(struct program_builder *pb, const int64_t *v, size_t n)
{
	_cleanup_free_ int64_t *s = NULL;

	if (n > SETS_MAX)
		return -E2BIG;
	s = sorted(v, n, sizeof(*v), int_cmp, &n);
	if (!s)
		return -ENOMEM;
	return set_add(pb, &pb->intsets, &pb->ints, &pb->intset_index, intset_hash, intset_same, s, n);
}

int64_t program_ipset_add(struct program_builder *pb, const uint32_t *strs, size_t n)
{
	_cleanup_free_ uint32_t *s = NULL;

	if (n > SETS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (strs[i] >= pb->str_off.n - 1 || !str_is_ip(pb, strs[i]))
			return -EINVAL;
	s = sorted(strs, n, sizeof(*strs), u32_cmp, &n);
	if (!s)
		return -ENOMEM;
	return set_add(pb, &pb->ipsets, &pb->ips, &pb->ipset_index, ipset_hash, ipset_same, s, n);
}

/* What looking a string up in the set costs: nothing worth counting for exact strings, the language's weights for others. */
static uint32_t strset_cost(const struct strm *m, size_t n)
{
	uint32_t cost = 0;

	for (size_t i = 0; i < n; i++)
		cost += m[i].kind == STRM_EXACT ? 0 : m[i].kind == STRM_REGEX ? 100 : 80;
	return cost;
}

int64_t program_strset_add(struct program_builder *pb, const struct strm *m, size_t n)
{
	_cleanup_free_ struct strm *s = NULL;
	uint32_t before = pb->strsets.n, cost;
	int64_t r;

	if (n > SETS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++)
		if (m[i].str >= pb->str_off.n - 1 || m[i].kind > STRM_REGEX || m[i].icase > 1 || m[i].pad)
			return -EINVAL;
	s = sorted(m, n, sizeof(*m), strm_cmp, &n);
	if (!s)
		return -ENOMEM;
	r = vec_room(&pb->strset_costs, 1);
	if (r < 0)
		return r;
	r = set_add(pb, &pb->strsets, &pb->strms, &pb->strset_index, strset_hash, strset_same, s, n);
	if (r >= 0 && pb->strsets.n > before) {
		cost = strset_cost(s, n);
		vec_put(&pb->strset_costs, &cost, 1);
	}
	return r;
}

/* ---- nodes --------------------------------------------------------------------------------------------------------- */

static const struct node *node_at(const struct program_builder *pb, uint32_t i)
{
	return &AT(const struct node, pb->nodes)[i];
}

static uint64_t node_hash(const struct program_builder *pb, uint32_t i)
{
	return hash_bytes(node_at(pb, i), sizeof(struct node));
}

static bool node_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	return memcmp(node_at(pb, i), p, n) == 0;
}

static bool is_const(const struct node *n)
{
	return n->op == N_INT || n->op == N_BOOL || n->op == N_STR || n->op == N_IP;
}

static bool is_number(const struct node *n)
{
	return n->op == N_INT || n->op == N_BOOL;
}

static int64_t add_bool(struct program_builder *pb, bool v)
{
	return program_node(pb, N_BOOL, 0, 0, 0, v);
}

/* Arithmetic wraps, as it does in the engine. */
static bool fold_int(uint8_t op, int64_t x, int64_t y, int64_t *ret)
{
	uint64_t a = (uint64_t)x, b = (uint64_t)y;

	switch (op) {
	case N_ADD:
		*ret = (int64_t)(a + b);
		return true;
	case N_SUB:
		*ret = (int64_t)(a - b);
		return true;
	case N_BAND:
		*ret = (int64_t)(a & b);
		return true;
	case N_BOR:
		*ret = (int64_t)(a | b);
		return true;
	case N_BXOR:
		*ret = (int64_t)(a ^ b);
		return true;
	case N_BNOT:
		*ret = (int64_t)~a;
		return true;
	case N_NEG:
		*ret = (int64_t)(0 - a);
		return true;
	default:
		return false;
	}
}

static bool same_nocase(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char x = a[i], y = b[i];

		x += x >= 'A' && x <= 'Z' ? 32 : 0;
		y += y >= 'A' && y <= 'Z' ? 32 : 0;
		if (x != y)
			return false;
	}
	return true;
}

static bool const_streq(const struct program_builder *pb, uint32_t x, uint32_t y, bool icase)
{
	uint32_t lx, ly;
	const char *sx = str_at(pb, x, &lx), *sy = str_at(pb, y, &ly);

	return x == y || (icase && lx == ly && same_nocase(sx, sy, lx));
}

static bool const_intin(const struct program_builder *pb, int64_t v, uint32_t set)
{
	const struct set *s = &AT(const struct set, pb->intsets)[set];

	return s->count && bsearch(&v, AT(const int64_t, pb->ints) + s->first, s->count, sizeof(v), int_cmp);
}

/* AND and OR: @absorbing is the constant that decides (false for AND), the other one vanishes. */
static int64_t fold_logic(struct program_builder *pb, const struct node *n)
{
	const struct node *a = node_at(pb, n->a), *b = node_at(pb, n->b);
	int64_t absorbing = n->op == N_OR;

	if (n->a == n->b)
		return n->a;
	if (a->op == N_BOOL)
		return a->imm == absorbing ? n->a : n->b;
	if (b->op == N_BOOL)
		return b->imm == absorbing ? n->b : n->a;
	if ((a->op == N_NOT && a->a == n->b) || (b->op == N_NOT && b->a == n->a))
		return add_bool(pb, absorbing);
	return -1;
}

static int64_t fold_compare(struct program_builder *pb, const struct node *n)
{
	const struct node a = *node_at(pb, n->a), b = *node_at(pb, n->b);
	int64_t r;

	if (n->a == n->b)
		return add_bool(pb, n->op != N_LT);
	if (is_number(&a) && is_number(&b))
		return add_bool(pb, n->op == N_EQ ? a.imm == b.imm : n->op == N_LT ? a.imm < b.imm : a.imm <= b.imm);
	if (n->op == N_EQ)
		return b.op != N_BOOL ? -1 : b.imm ? n->a : program_node(pb, N_NOT, n->a, 0, 0, 0);
	if (!is_const(&a))
		return -1;
	r = program_node(pb, n->op == N_LT ? N_LE : N_LT, n->b, n->a, 0, 0);
	return r < 0 ? r : program_node(pb, N_NOT, (uint32_t)r, 0, 0, 0);
}

/* A node that means the same as @n and is simpler; -1 where there is none; other negative values are errors. */
static int64_t fold(struct program_builder *pb, const struct node *n)
{
	const struct node *a = node_at(pb, n->a), *b = node_at(pb, n->b);
	int64_t v;

	switch (n->op) {
	case N_ADD:
	case N_SUB:
	case N_BAND:
	case N_BOR:
	case N_BXOR:
		if (a->op != N_INT || b->op != N_INT || !fold_int(n->op, a->imm, b->imm, &v))
			return -1;
		return program_node(pb, N_INT, 0, 0, 0, v);
	case N_BNOT:
	case N_NEG:
		if (a->op != N_INT || !fold_int(n->op, a->imm, 0, &v))
			return -1;
		return program_node(pb, N_INT, 0, 0, 0, v);
	case N_LEN:
		if (a->op != N_STR)
			return -1;
		return program_node(pb, N_INT, 0, 0, 0, AT(uint32_t, pb->str_off)[a->a + 1] - AT(uint32_t, pb->str_off)[a->a]);
	case N_EQ:
	case N_LT:
	case N_LE:
		return fold_compare(pb, n);
	case N_STREQ:
		if (n->a == n->b || (a->op == N_STR && b->op == N_STR))
			return add_bool(pb, n->a == n->b || const_streq(pb, a->a, b->a, n->c));
		return -1;
	case N_INTIN:
		return a->op == N_INT ? add_bool(pb, const_intin(pb, a->imm, n->b)) : -1;
	case N_AND:
	case N_OR:
		return fold_logic(pb, n);
	case N_NOT:
		return a->op == N_NOT ? a->a : a->op == N_BOOL ? add_bool(pb, !a->imm) : -1;
	case N_ANY:
		return b->op == N_BOOL && !b->imm ? (int64_t)n->b : -1;
	case N_EXISTS:
		return a->op == N_BOOL && !a->imm ? (int64_t)n->a : -1;
	default:
		return -1;
	}
}

static void swap_operands(struct node *n)
{
	uint32_t a = n->a;

	n->a = n->b;
	n->b = a;
}

/* One spelling for what means the same, so that it is found again: constants last, then in a fixed order. */
static void order_operands(const struct program_builder *pb, struct node *n)
{
	const struct node_info *infos = pb->infos.p;
	uint32_t ca, cb;

	switch (n->op) {
	case N_ADD:
	case N_BAND:
	case N_BOR:
	case N_BXOR:
	case N_EQ:
	case N_STREQ:
	case N_IPEQ:
		ca = is_const(node_at(pb, n->a));
		cb = is_const(node_at(pb, n->b));
		break;
	case N_AND:
	case N_OR:
		ca = infos[n->a].cost;
		cb = infos[n->b].cost;
		break;
	default:
		return;
	}
	if (ca > cb || (ca == cb && n->a > n->b))
		swap_operands(n);
}

static struct node_env builder_env(const struct program_builder *pb)
{
	return (struct node_env){
		.catalog = pb->catalog,
		.nodes = pb->nodes.p,
		.infos = pb->infos.p,
		.nnodes = pb->nodes.n,
		.nstrs = pb->str_off.n - 1,
		.nstrsets = pb->strsets.n,
		.nintsets = pb->intsets.n,
		.nipsets = pb->ipsets.n,
		.strset_costs = pb->strset_costs.p,
		.is_ip = str_is_ip,
		.ctx = pb,
	};
}

int64_t program_node(struct program_builder *pb, enum node_op op, uint32_t a, uint32_t b, uint32_t c, int64_t imm)
{
	struct node n = { .op = (uint8_t)op, .a = a, .b = b, .c = c, .imm = imm };
	struct node_env env = builder_env(pb);
	struct node_info info;
	int64_t found;
	uint32_t at;
	int r;

	r = node_check(&env, &n, &info);
	if (r < 0)
		return r;
	if (n.depth > 0) {
		order_operands(pb, &n);
		found = fold(pb, &n);
		if (found != -1)
			return found;
	}
	r = index_room(&pb->node_index, node_hash, pb);
	if (r < 0)
		return r;
	found = index_find(&pb->node_index, pb, hash_bytes(&n, sizeof(n)), node_same, &n, sizeof(n), &at);
	if (found >= 0)
		return found;
	r = vec_room(&pb->infos, 1);
	if (r == 0)
		r = vec_put(&pb->nodes, &n, 1);
	if (r < 0)
		return r;
	vec_put(&pb->infos, &info, 1);
	index_put(&pb->node_index, at, pb->nodes.n - 1);
	return pb->nodes.n - 1;
}

uint16_t program_node_event(const struct program_builder *pb, uint32_t node)
{
	return node < pb->infos.n ? AT(const struct node_info, pb->infos)[node].event : EV_NONE;
}

/* ---- rules --------------------------------------------------------------------------------------------------------- */

struct tag { uint32_t name, value; };

static void sort_tags(const struct program_builder *pb, struct tag *t, size_t n)
{
	/* Few tags a rule: insertion keeps the order of equal names, and needs no context for a comparison. */
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0; j--) {
			uint32_t la, lb;
			const char *a = str_at(pb, t[j - 1].name, &la), *b = str_at(pb, t[j].name, &lb);
			int r = memcmp(a, b, la < lb ? la : lb);
			struct tag swap = t[j];

			if (r < 0 || (r == 0 && la <= lb))
				break;
			t[j] = t[j - 1];
			t[j - 1] = swap;
		}
}

static bool root_fits(const struct program_builder *pb, uint32_t root, uint16_t event)
{
	return root < pb->nodes.n && node_is_root(node_at(pb, root), &AT(const struct node_info, pb->infos)[root], event);
}

int64_t program_rule_add(struct program_builder *pb, const struct prule *rule, const uint32_t *tags, size_t ntags)
{
	uint32_t nstrs = pb->str_off.n - 1;
	struct prule r = *rule;
	struct clause whole = { .root = r.root };
	int err;

	if (r.event == EV_NONE || r.event >= pb->catalog->nevents || !root_fits(pb, r.root, r.event) || r.severity > 5 ||
	    r.id >= nstrs || r.description >= nstrs || r.policy >= nstrs || r.version >= nstrs)
		return -EINVAL;
	for (size_t i = 0; i < 2 * ntags; i++)
		if (tags[i] >= nstrs)
			return -EINVAL;
	err = vec_room(&pb->rules, 1);
	if (err == 0)
		err = vec_room(&pb->clauses, 1);
	if (err == 0)
		err = vec_put(&pb->tags, tags, 2 * ntags);
	if (err < 0)
		return err;
	r.tags_first = pb->tags.n - 2 * (uint32_t)ntags;
	r.tags_count = (uint32_t)ntags;
	if (ntags) /* else there may be no array at all */
		sort_tags(pb, (struct tag *)(void *)(AT(uint32_t, pb->tags) + r.tags_first), ntags);
	r.clause_first = pb->clauses.n;
	r.clause_count = 1;
	r.pad = 0;
	vec_put(&pb->clauses, &whole, 1);
	vec_put(&pb->rules, &r, 1);
	return pb->rules.n - 1;
}

int program_clauses_set(struct program_builder *pb, uint32_t rule, const struct clause *c, size_t n)
{
	struct prule *r = AT(struct prule, pb->rules) + rule;
	int err;

	if (rule >= pb->rules.n || n == 0)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (c[i].bit >= SV_CLAUSES || c[i].pad || !root_fits(pb, c[i].root, r->event))
			return -EINVAL;
	/* In place where they fit there: a rule that got its clauses right after it was added leaves no gap. */
	if (r->clause_first + r->clause_count == pb->clauses.n) {
		err = vec_room(&pb->clauses, n);
		if (err < 0)
			return err;
		pb->clauses.n = r->clause_first;
	}
	err = vec_put(&pb->clauses, c, n);
	if (err < 0)
		return err;
	r->clause_first = pb->clauses.n - (uint32_t)n;
	r->clause_count = (uint32_t)n;
	return 0;
}

/* ---- the builder itself -------------------------------------------------------------------------------------------- */

int program_builder_new(const struct catalog *c, struct program_builder **ret)
{
	_cleanup_(program_builder_free) struct program_builder *pb = calloc(1, sizeof(*pb));
	const uint32_t zero = 0;
	int r;

	if (!pb)
		return -ENOMEM;
	*pb = (struct program_builder){
		.catalog = c,
		.nodes = { .max = PROGRAM_NODES_MAX, .size = sizeof(struct node) },
		.infos = { .max = PROGRAM_NODES_MAX, .size = sizeof(struct node_info) },
		.rules = { .max = PROGRAM_RULES_MAX, .size = sizeof(struct prule) },
		.clauses = { .max = PROGRAM_NODES_MAX, .size = sizeof(struct clause) },
		.tags = { .max = PROGRAM_STRINGS_MAX, .size = sizeof(uint32_t) },
		.strms = { .max = SETS_MAX, .size = sizeof(struct strm) },
		.strsets = { .max = SETS_MAX, .size = sizeof(struct strset) },
		.strset_costs = { .max = SETS_MAX, .size = sizeof(uint32_t) },
		.ints = { .max = SETS_MAX, .size = sizeof(int64_t) },
		.intsets = { .max = SETS_MAX, .size = sizeof(struct intset) },
		.ips = { .max = SETS_MAX, .size = sizeof(uint32_t) },
		.ipsets = { .max = SETS_MAX, .size = sizeof(struct ipset) },
		.str_off = { .max = PROGRAM_STRINGS_MAX + 1, .size = sizeof(uint32_t) },
		.str_bytes = { .max = PROGRAM_STR_BYTES_MAX, .size = 1 },
	};
	r = vec_put(&pb->str_off, &zero, 1);
	if (r == 0)
		r = vec_room(&pb->str_bytes, 1);
	if (r == 0)
		r = (int)program_str_add(pb, "", 0);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(pb);
	return 0;
}

void program_builder_free(struct program_builder *pb)
{
	if (!pb)
		return;
	for (struct vec *v = &pb->nodes; v <= &pb->str_bytes; v++)
		vec_done(v);
	for (struct index *ix = &pb->node_index; ix <= &pb->ipset_index; ix++)
		free(ix->slot);
	free(pb);
}

struct program program_view(const struct program_builder *pb)
{
	return (struct program){
		.catalog = pb->catalog,
		.nodes = pb->nodes.p,
		.nnodes = pb->nodes.n,
		.rules = pb->rules.p,
		.nrules = pb->rules.n,
		.clauses = pb->clauses.p,
		.nclauses = pb->clauses.n,
		.tags = pb->tags.p,
		.ntags = pb->tags.n,
		.strms = pb->strms.p,
		.nstrms = pb->strms.n,
		.strsets = pb->strsets.p,
		.nstrsets = pb->strsets.n,
		.intsets = pb->intsets.p,
		.nintsets = pb->intsets.n,
		.ipsets = pb->ipsets.p,
		.nipsets = pb->ipsets.n,
		.ints = pb->ints.p,
		.nints = pb->ints.n,
		.ips = pb->ips.p,
		.nips = pb->ips.n,
		.str_off = pb->str_off.p,
		.nstrs = pb->str_off.n - 1,
		.str_bytes = pb->str_bytes.p,
		.str_size = pb->str_bytes.n,
	};
}
