/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/program_check.h"
#include "lib/severity.h"
#include "tamis/sieve.h"

/*
 * A program's section of a bundle:
 *	u32 magic, version, fingerprint of the catalog, 0 | u32 count of each part, in the order of parts[], 0 padding to 8
 *	| the parts' elements as they are in memory (little endian), each part padded with zeros to 8
 * The offsets of the strings are one more than the strings.
 */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bundles are little endian and used in place");
_Static_assert(sizeof(struct node) == 24 && sizeof(struct prule) == 80 && sizeof(struct clause) == 8 &&
		       sizeof(struct strm) == 8 && sizeof(struct pvar) == 32 && sizeof(struct paction) == 48,
	       "bundles carry these");

#define MAGIC	0x47525054u /* "TPRG" */
#define VERSION 2
#define HEAD	16

static const struct part {
	const char *name;
	size_t ptr, count; /* where they are in struct program */
	uint32_t size, max, more;
} parts[] = {
#define PART(FIELD, COUNT, MAX, MORE)                                                                                  \
	{                                                                                                              \
#FIELD, offsetof(struct program, FIELD), offsetof(struct program, COUNT),                              \
			sizeof(*((struct program *)0)->FIELD), MAX, MORE                                               \
	}
	PART(nodes, nnodes, PROGRAM_NODES_MAX, 0),
	PART(rules, nrules, PROGRAM_RULES_MAX, 0),
	PART(clauses, nclauses, PROGRAM_NODES_MAX, 0),
	PART(tags, ntags, PROGRAM_STRINGS_MAX, 0),
	PART(strms, nstrms, PROGRAM_STRINGS_MAX, 0),
	PART(strsets, nstrsets, PROGRAM_STRINGS_MAX, 0),
	PART(intsets, nintsets, PROGRAM_STRINGS_MAX, 0),
	PART(ipsets, nipsets, PROGRAM_STRINGS_MAX, 0),
	PART(ints, nints, PROGRAM_STRINGS_MAX, 0),
	PART(ips, nips, PROGRAM_STRINGS_MAX, 0),
	PART(vars, nvars, PROGRAM_VARS_MAX, 0),
	PART(actions, nactions, PROGRAM_ACTIONS_MAX, 0),
	PART(refs, nrefs, PROGRAM_REFS_MAX, 0),
	PART(str_off, nstrs, PROGRAM_STRINGS_MAX, 1),
	PART(str_bytes, str_size, PROGRAM_STR_BYTES_MAX, 0),
#undef PART
};

#define NPARTS (sizeof(parts) / sizeof(parts[0]))

static uint32_t part_count(const struct program *p, const struct part *part)
{
	return *(const uint32_t *)((const char *)p + part->count);
}

static void put_padding(struct buf *out, size_t start)
{
	while (!buf_error(out) && (out->len - start) % 8)
		buf_putc(out, 0);
}

int program_save(const struct program *p, struct buf *out)
{
	size_t start = out->len;

	buf_put_u32(out, MAGIC);
	buf_put_u32(out, VERSION);
	buf_put_u32(out, catalog_fingerprint(p->catalog));
	buf_put_u32(out, 0);
	for (size_t i = 0; i < NPARTS; i++)
		buf_put_u32(out, part_count(p, &parts[i]));
	put_padding(out, start);
	for (size_t i = 0; i < NPARTS; i++) {
		const void *elems = *(const void *const *)((const char *)p + parts[i].ptr);
		size_t n = (size_t)part_count(p, &parts[i]) + parts[i].more;

		buf_put(out, elems, n * parts[i].size);
		put_padding(out, start);
	}
	return buf_error(out);
}

/* ---- loading ------------------------------------------------------------------------------------------------------- */

#define BAD(err, ...) err_set(err, -EBADMSG, "malformed rule program: " __VA_ARGS__)

static int read_padding(struct rd *r, const void *start)
{
	while ((size_t)(r->p - (const uint8_t *)start) % 8) {
		uint8_t zero;

		if (rd_u8(r, &zero) < 0 || zero)
			return -EBADMSG;
	}
	return 0;
}

static int read_head(struct rd *r, const struct catalog *c, struct err *err)
{
	uint32_t magic, version, fingerprint, zero;

	if (rd_u32(r, &magic) < 0 || rd_u32(r, &version) < 0 || rd_u32(r, &fingerprint) < 0 || rd_u32(r, &zero) < 0 ||
	    magic != MAGIC || zero)
		return BAD(err, "no such header");
	if (version != VERSION)
		return BAD(err, "version %u, known is %d; build the policy with this version's tamisc", version,
			   VERSION);
	if (fingerprint != catalog_fingerprint(c))
		return BAD(err, "made for another catalog of fields; build the policy with this version's tamisc");
	return 0;
}

static int read_parts(struct rd *r, const void *start, struct program *p, struct err *err)
{
	for (size_t i = 0; i < NPARTS; i++) {
		uint32_t n;

		if (rd_u32(r, &n) < 0 || n > parts[i].max)
			return BAD(err, "number of %s", parts[i].name);
		*(uint32_t *)((char *)p + parts[i].count) = n;
	}
	if (read_padding(r, start) < 0)
		return BAD(err, "padding");
	for (size_t i = 0; i < NPARTS; i++) {
		size_t n = (size_t)part_count(p, &parts[i]) + parts[i].more;
		const uint8_t *elems;

		if (rd_bytes(r, n * parts[i].size, &elems) < 0 || read_padding(r, start) < 0)
			return BAD(err, "%s: it ends too early", parts[i].name);
		*(const void **)((char *)p + parts[i].ptr) = elems;
	}
	return rd_end(r) < 0 ? BAD(err, "bytes left over") : 0;
}

static int check_strings(const struct program *p, struct err *err)
{
	if (p->nstrs == 0 || p->str_off[0] != 0 || p->str_off[1] != 0 || p->str_off[p->nstrs] != p->str_size)
		return BAD(err, "strings");
	for (uint32_t i = 0; i < p->nstrs; i++)
		if (p->str_off[i] > p->str_off[i + 1] || p->str_off[i + 1] - p->str_off[i] > PROGRAM_STRING_MAX)
			return BAD(err, "string %u", i);
	return 0;
}

static bool str_is_ip(const void *ctx, uint32_t i)
{
	uint32_t len;
	const char *s = program_str(ctx, i, &len);

	return program_ip_valid(s, len);
}

static bool within(uint32_t first, uint32_t count, uint32_t n)
{
	return first <= n && count <= n - first;
}

/*
 * Sets share no elements, so that going through all of them is no more work than reading the program. The three kinds have
 * one shape.
 */
static bool sets_fit(const void *sets, uint32_t nsets, uint32_t nelems)
{
	const uint32_t *first_count = sets;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < nsets; i++) {
		sum += first_count[2 * i + 1];
		if (sum > nelems || !within(first_count[2 * i], first_count[2 * i + 1], nelems))
			return false;
	}
	return true;
}

static int check_sets(const struct program *p, struct err *err)
{
	for (uint32_t i = 0; i < p->nstrms; i++)
		if (p->strms[i].str >= p->nstrs || p->strms[i].kind > STRM_REGEX || p->strms[i].icase > 1 ||
		    p->strms[i].pad)
			return BAD(err, "matcher %u", i);
	for (uint32_t i = 0; i < p->nips; i++)
		if (p->ips[i] >= p->nstrs || !str_is_ip(p, p->ips[i]))
			return BAD(err, "network %u", i);
	if (!sets_fit(p->strsets, p->nstrsets, p->nstrms) || !sets_fit(p->ipsets, p->nipsets, p->nips) ||
	    !sets_fit(p->intsets, p->nintsets, p->nints))
		return BAD(err, "sets");
	for (uint32_t i = 0; i < p->nintsets; i++)
		for (uint32_t k = 1; k < p->intsets[i].count; k++)
			if (p->ints[p->intsets[i].first + k - 1] >= p->ints[p->intsets[i].first + k])
				return BAD(err, "integer set %u", i);
	return 0;
}

static struct node_env env_of(const struct program *p, const struct node_info *infos)
{
	return (struct node_env){
		.catalog = p->catalog,
		.nodes = p->nodes,
		.infos = infos,
		.nnodes = p->nnodes,
		.nstrs = p->nstrs,
		.nstrsets = p->nstrsets,
		.nintsets = p->nintsets,
		.nipsets = p->nipsets,
		.vars = p->vars,
		.nvars = p->nvars,
		.is_ip = str_is_ip,
		.ctx = p,
	};
}

/* A variable is known by scope and name; strings are not told apart by their indexes here. Few of them: all pairs. */
static bool var_name_fits(const struct program *p, uint32_t i)
{
	uint32_t len, other_len;
	const char *name = program_str(p, p->vars[i].name, &len);

	if (len > VAR_NAME_MAX)
		return false;
	for (uint32_t k = 0; k < i; k++) {
		const char *other = program_str(p, p->vars[k].name, &other_len);

		if (p->vars[k].scope == p->vars[i].scope && len == other_len && memcmp(name, other, len) == 0)
			return false;
	}
	return true;
}

static int check_vars(const struct program *p, const struct node_env *env, struct err *err)
{
	for (uint32_t i = 0; i < p->nvars; i++)
		if (!pvar_check(env, &p->vars[i]) || !var_name_fits(p, i))
			return BAD(err, "variable %u", i);
	return 0;
}

/* @infos: room for every node. */
static int check_nodes(const struct program *p, struct node_info *infos, struct err *err)
{
	struct node_env env = env_of(p, infos);

	for (env.nnodes = 0; env.nnodes < p->nnodes; env.nnodes++) {
		const struct node *stored = &p->nodes[env.nnodes];
		struct node n = *stored;

		if (node_check(&env, &n, &infos[env.nnodes]) < 0 || n.type != stored->type || n.depth != stored->depth)
			return BAD(err, "node %u", env.nnodes);
	}
	return 0;
}

static bool root_fits(const struct program *p, const struct node_info *infos, uint32_t root, uint16_t event)
{
	return root < p->nnodes && node_is_root(p->catalog, &p->nodes[root], &infos[root], event);
}

static bool rule_fits(const struct program *p, const struct node_info *infos, const struct prule *r)
{
	if (r->id >= p->nstrs || r->description >= p->nstrs || r->policy >= p->nstrs || r->version >= p->nstrs)
		return false;
	if (r->tags_count > p->ntags / 2 || !within(r->tags_first, 2 * r->tags_count, p->ntags))
		return false;
	if (r->event == EV_NONE || r->event >= p->catalog->nevents || r->severity > SEVERITY_CRITICAL ||
	    r->filter > PROGRAM_RULES_MAX || r->group >= p->nstrs ||
	    (r->flags & ~(PRULE_SILENT | PRULE_OFF | PRULE_WATCH | PRULE_MADE)))
		return false;
	if (r->clause_count == 0 || !within(r->clause_first, r->clause_count, p->nclauses))
		return false;
	for (uint32_t i = r->clause_first; i < r->clause_first + r->clause_count; i++)
		if (p->clauses[i].bit >= SV_CLAUSES || p->clauses[i].pad ||
		    !root_fits(p, infos, p->clauses[i].root, r->event))
			return false;
	return root_fits(p, infos, r->root, r->event);
}

static bool rule_parts_fit(const struct program *p, const struct node_env *env, const struct prule *r)
{
	if (!plimit_check(env, r, p->refs, p->nrefs) || !within(r->actions_first, r->actions_count, p->nactions))
		return false;
	for (uint32_t i = r->actions_first; i < r->actions_first + r->actions_count; i++)
		if (!paction_check(env, &p->actions[i], r->event, p->refs, p->nrefs))
			return false;
	return true;
}

static int check_rules(const struct program *p, const struct node_info *infos, struct err *err)
{
	struct node_env env = env_of(p, infos);
	uint32_t clauses = 0, actions = 0, values = 0;

	for (uint32_t i = 0; i < p->ntags; i++)
		if (p->tags[i] >= p->nstrs)
			return BAD(err, "tag %u", i);
	for (uint32_t i = 0; i < p->nvars; i++)
		if (!pvar_default_check(&env, &p->vars[i], p->refs, p->nrefs))
			return BAD(err, "default of variable %u", i);
	/* Every list of values is walked when its action is: they share none either. */
	for (uint32_t i = 0; i < p->nactions; i++) {
		values += p->actions[i].values_count <= p->nrefs ? p->actions[i].values_count : p->nrefs + 1;
		if (values > p->nrefs)
			return BAD(err, "values of action %u", i);
	}
	for (uint32_t i = 0; i < p->nrules; i++) {
		if (!rule_fits(p, infos, &p->rules[i]))
			return BAD(err, "rule %u", i);
		/* Rules share no clause, so that looking at all of them is no more work than reading the program. */
		clauses += p->rules[i].clause_count;
		if (clauses > p->nclauses)
			return BAD(err, "clauses of rule %u", i);
		/* Nor do they share actions. */
		actions += p->rules[i].actions_count;
		if (actions > p->nactions || !rule_parts_fit(p, &env, &p->rules[i]))
			return BAD(err, "actions or limits of rule %u", i);
	}
	return 0;
}

int program_load(const struct catalog *c, const void *bytes, size_t size, struct program *ret, struct err *err)
{
	_cleanup_free_ struct node_info *infos = NULL;
	struct program p = { .catalog = c };
	struct rd r = rd_of(bytes, size);
	struct node_env env;
	int err_nr;

	if ((uintptr_t)bytes % 8)
		return err_set(err, -EINVAL, "a rule program has to be aligned to 8 bytes");
	err_nr = read_head(&r, c, err);
	if (err_nr == 0)
		err_nr = read_parts(&r, bytes, &p, err);
	if (err_nr == 0)
		err_nr = check_strings(&p, err);
	if (err_nr == 0)
		err_nr = check_sets(&p, err);
	if (err_nr < 0)
		return err_nr;
	infos = calloc(p.nnodes + 1, sizeof(*infos));
	if (!infos)
		return err_set(err, -ENOMEM, "out of memory");
	env = env_of(&p, infos);
	err_nr = check_vars(&p, &env, err);
	if (err_nr == 0)
		err_nr = check_nodes(&p, infos, err);
	if (err_nr == 0)
		err_nr = check_rules(&p, infos, err);
	if (err_nr < 0)
		return err_nr;
	*ret = p;
	return 0;
}
