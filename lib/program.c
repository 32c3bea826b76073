/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/program_build.h"
#include "lib/severity.h"
#include "tamis/sieve.h"

/* ---- arrays and look-up -------------------------------------------------------------------------------------------- */

int program_vec_room(struct vec *v, size_t n)
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

int program_vec_put(struct vec *v, const void *elems, size_t n)
{
	int r = program_vec_room(v, n);

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

uint64_t program_hash(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 1099511628211u;
	return h ^ h >> 32;
}

int program_index_room(struct index *ix, program_hash_fn *hash_of, const struct program_builder *pb)
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

int64_t program_index_find(const struct index *ix, const struct program_builder *pb, uint64_t hash,
			   program_same_fn *same, const void *p, size_t n, uint32_t *ret_at)
{
	uint32_t at = (uint32_t)hash & (ix->cap - 1);

	for (; ix->slot[at]; at = (at + 1) & (ix->cap - 1))
		if (same(pb, ix->slot[at] - 1, p, n))
			return ix->slot[at] - 1;
	*ret_at = at;
	return -1;
}

void program_index_put(struct index *ix, uint32_t at, uint32_t i)
{
	ix->slot[at] = i + 1;
	ix->n++;
}

/* ---- strings ------------------------------------------------------------------------------------------------------- */

const char *program_str_at(const struct program_builder *pb, uint32_t i, uint32_t *ret_len)
{
	const uint32_t *off = pb->str_off.p;

	*ret_len = off[i + 1] - off[i];
	return AT(const char, pb->str_bytes) + off[i];
}

static uint64_t str_hash(const struct program_builder *pb, uint32_t i)
{
	uint32_t len;
	const char *s = program_str_at(pb, i, &len);

	return program_hash(s, len);
}

static bool str_same(const struct program_builder *pb, uint32_t i, const void *p, size_t n)
{
	uint32_t len;
	const char *s = program_str_at(pb, i, &len);

	return len == n && memcmp(s, p, n) == 0;
}

int64_t program_str_add(struct program_builder *pb, const char *s, size_t len)
{
	uint32_t at, end;
	int64_t found;
	int r;

	if (len > PROGRAM_STRING_MAX)
		return -E2BIG;
	r = program_index_room(&pb->str_index, str_hash, pb);
	if (r < 0)
		return r;
	found = program_index_find(&pb->str_index, pb, program_hash(s, len), str_same, s, len, &at);
	if (found >= 0)
		return found;

	r = program_vec_room(&pb->str_off, 1);
	if (r == 0)
		r = program_vec_put(&pb->str_bytes, s, len);
	if (r < 0)
		return r;
	end = pb->str_bytes.n;
	program_vec_put(&pb->str_off, &end, 1);
	program_index_put(&pb->str_index, at, pb->str_off.n - 2);
	return pb->str_off.n - 2;
}

bool program_str_is_ip(const void *pb, uint32_t i)
{
	uint32_t len;
	const char *s = program_str_at(pb, i, &len);

	return program_ip_valid(s, len);
}

/* ---- sets ---------------------------------------------------------------------------------------------------------- */

/* The three kinds of sets have one shape: {first, count} into a vec of elements of a fixed size. */
struct set {
	uint32_t first, count;
};
_Static_assert(sizeof(struct set) == sizeof(struct strset) && sizeof(struct set) == sizeof(struct intset) &&
		       sizeof(struct set) == sizeof(struct ipset),
	       "sets have one shape");

static uint64_t set_hash(const struct vec *sets, const struct vec *elems, uint32_t i)
{
	const struct set *s = &AT(const struct set, *sets)[i];

	return program_hash(AT(const char, *elems) + (size_t)s->first * elems->size, (size_t)s->count * elems->size);
}

static bool set_same(const struct vec *sets, const struct vec *elems, uint32_t i, const void *p, size_t n)
{
	const struct set *s = &AT(const struct set, *sets)[i];

	return s->count == n &&
	       memcmp(AT(const char, *elems) + (size_t)s->first * elems->size, p, n * elems->size) == 0;
}

static uint64_t strset_hash(const struct program_builder *pb, uint32_t i)
{
	return set_hash(&pb->strsets, &pb->strms, i);
}
static uint64_t intset_hash(const struct program_builder *pb, uint32_t i)
{
	return set_hash(&pb->intsets, &pb->ints, i);
}
static uint64_t ipset_hash(const struct program_builder *pb, uint32_t i)
{
	return set_hash(&pb->ipsets, &pb->ips, i);
}

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
		       program_hash_fn *hash_of, program_same_fn *same, const void *elems, size_t n)
{
	struct set s = { .first = vals->n, .count = (uint32_t)n };
	int64_t found;
	uint32_t at;
	int r;

	r = program_index_room(ix, hash_of, pb);
	if (r < 0)
		return r;
	found = program_index_find(ix, pb, program_hash(elems, n * vals->size), same, elems, n, &at);
	if (found >= 0)
		return found;
	r = program_vec_room(sets, 1);
	if (r == 0)
		r = program_vec_put(vals, elems, n);
	if (r < 0)
		return r;
	program_vec_put(sets, &s, 1);
	program_index_put(ix, at, sets->n - 1);
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
		if (strs[i] >= pb->str_off.n - 1 || !program_str_is_ip(pb, strs[i]))
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
	r = program_vec_room(&pb->strset_costs, 1);
	if (r < 0)
		return r;
	r = set_add(pb, &pb->strsets, &pb->strms, &pb->strset_index, strset_hash, strset_same, s, n);
	if (r >= 0 && pb->strsets.n > before) {
		cost = strset_cost(s, n);
		program_vec_put(&pb->strset_costs, &cost, 1);
	}
	return r;
}

/* ---- rules --------------------------------------------------------------------------------------------------------- */

struct tag {
	uint32_t name, value;
};

static void sort_tags(const struct program_builder *pb, struct tag *t, size_t n)
{
	/* Few tags a rule: insertion keeps the order of equal names, and needs no context for a comparison. */
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0; j--) {
			uint32_t la, lb;
			const char *a = program_str_at(pb, t[j - 1].name, &la), *b = program_str_at(pb, t[j].name, &lb);
			int r = memcmp(a, b, la < lb ? la : lb);
			struct tag swap = t[j];

			if (r < 0 || (r == 0 && la <= lb))
				break;
			t[j] = t[j - 1];
			t[j - 1] = swap;
		}
}

int64_t program_refs_add(struct program_builder *pb, const uint32_t *v, size_t n)
{
	uint32_t first = pb->refs.n;
	int r = program_vec_put(&pb->refs, v, n);

	return r < 0 ? (int64_t)r : (int64_t)first;
}

int64_t program_var_add(struct program_builder *pb, const struct pvar *v)
{
	const struct pvar *vars = pb->vars.p;
	struct node_env env = program_env(pb);
	uint32_t len;
	int r;

	if (v->name < env.nstrs) {
		program_str_at(pb, v->name, &len);
		if (len > VAR_NAME_MAX)
			return -E2BIG;
	}
	if (!pvar_check(&env, v) || !pvar_default_check(&env, v, pb->refs.p, pb->refs.n))
		return -EINVAL;
	for (uint32_t i = 0; i < pb->vars.n; i++)
		if (vars[i].name == v->name && vars[i].scope == v->scope)
			return -EEXIST;
	r = program_vec_put(&pb->vars, v, 1);
	return r < 0 ? (int64_t)r : (int64_t)pb->vars.n - 1;
}

static bool root_fits(const struct program_builder *pb, uint32_t root, uint16_t event)
{
	return root < pb->nodes.n && node_is_root(pb->catalog, &AT(const struct node, pb->nodes)[root],
						  &AT(const struct node_info, pb->infos)[root], event);
}

int64_t program_rule_add(struct program_builder *pb, const struct prule *rule, const uint32_t *tags, size_t ntags)
{
	uint32_t nstrs = pb->str_off.n - 1;
	struct node_env env = program_env(pb);
	struct prule r = *rule;
	struct clause whole = { .root = r.root };
	int err;

	if (r.event == EV_NONE || r.event >= pb->catalog->nevents || !root_fits(pb, r.root, r.event) ||
	    r.severity > SEVERITY_CRITICAL || r.id >= nstrs || r.description >= nstrs || r.policy >= nstrs ||
	    r.version >= nstrs || r.group >= nstrs || (r.flags & ~(PRULE_SILENT | PRULE_WATCH | PRULE_MADE)) ||
	    !plimit_check(&env, &r, pb->refs.p, pb->refs.n))
		return -EINVAL;
	for (size_t i = 0; i < 2 * ntags; i++)
		if (tags[i] >= nstrs)
			return -EINVAL;
	err = program_vec_room(&pb->rules, 1);
	if (err == 0)
		err = program_vec_room(&pb->clauses, 1);
	if (err == 0)
		err = program_vec_put(&pb->tags, tags, 2 * ntags);
	if (err < 0)
		return err;
	r.tags_first = pb->tags.n - 2 * (uint32_t)ntags;
	r.tags_count = (uint32_t)ntags;
	if (ntags) /* else there may be no array at all */
		sort_tags(pb, (struct tag *)(void *)(AT(uint32_t, pb->tags) + r.tags_first), ntags);
	r.clause_first = pb->clauses.n;
	r.clause_count = 1;
	r.actions_first = r.actions_count = 0;
	program_vec_put(&pb->clauses, &whole, 1);
	program_vec_put(&pb->rules, &r, 1);
	return pb->rules.n - 1;
}

void program_var_idle(struct program_builder *pb, uint32_t var)
{
	if (var < pb->vars.n)
		(AT(struct pvar, pb->vars) + var)->flags |= VAR_IDLE;
}

void program_var_flag(struct program_builder *pb, uint32_t var, uint8_t flag)
{
	if (var < pb->vars.n)
		(AT(struct pvar, pb->vars) + var)->flag = flag;
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
		err = program_vec_room(&pb->clauses, n);
		if (err < 0)
			return err;
		pb->clauses.n = r->clause_first;
	}
	err = program_vec_put(&pb->clauses, c, n);
	if (err < 0)
		return err;
	r->clause_first = pb->clauses.n - (uint32_t)n;
	r->clause_count = (uint32_t)n;
	return 0;
}

int program_actions_set(struct program_builder *pb, uint32_t rule, const struct paction *a, size_t n)
{
	struct prule *r = AT(struct prule, pb->rules) + rule;
	struct node_env env = program_env(pb);
	int err;

	if (rule >= pb->rules.n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (!paction_check(&env, &a[i], r->event, pb->refs.p, pb->refs.n))
			return -EINVAL;
	err = program_vec_put(&pb->actions, a, n);
	if (err < 0)
		return err;
	r->actions_first = n ? pb->actions.n - (uint32_t)n : 0;
	r->actions_count = (uint32_t)n;
	return 0;
}

void program_deny_decided(struct program_builder *pb, uint32_t rule)
{
	const struct prule *r = AT(struct prule, pb->rules) + rule;

	for (uint32_t i = r->actions_first; i < r->actions_first + r->actions_count; i++) {
		struct paction *a = AT(struct paction, pb->actions) + i;

		if (a->kind == ACT_DENY)
			a->flags |= ACT_DECIDED;
	}
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
		.vars = { .max = PROGRAM_VARS_MAX, .size = sizeof(struct pvar) },
		.actions = { .max = PROGRAM_ACTIONS_MAX, .size = sizeof(struct paction) },
		.refs = { .max = PROGRAM_REFS_MAX, .size = sizeof(uint32_t) },
		.str_off = { .max = PROGRAM_STRINGS_MAX + 1, .size = sizeof(uint32_t) },
		.str_bytes = { .max = PROGRAM_STR_BYTES_MAX, .size = 1 },
	};
	r = program_vec_put(&pb->str_off, &zero, 1);
	if (r == 0)
		r = program_vec_room(&pb->str_bytes, 1);
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
		.vars = pb->vars.p,
		.nvars = pb->vars.n,
		.actions = pb->actions.p,
		.nactions = pb->actions.n,
		.refs = pb->refs.p,
		.nrefs = pb->refs.n,
		.str_off = pb->str_off.p,
		.nstrs = pb->str_off.n - 1,
		.str_bytes = pb->str_bytes.p,
		.str_size = pb->str_bytes.n,
	};
}
