/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_SIEVE_GEN_H
#define TAMIS_TESTS_SIEVE_GEN_H

/*
 * Random policies and random events that are near them, an evaluator that shares no code with the engine, and the sieve as
 * a hook runs it. Needs cmocka included before it.
 */

#include <stdio.h>
#include <stdlib.h>

#include "bpf/lib/sieve.bpf.h"
#include "lib/derive.h"
#include "lib/ipnet.h"
#include "lib/value.h"
#include "policy-compiler/sieve_parts.h"
#include "tests/unit/build.h"
#include "tests/unit/glob_ref.h"
#include "tests/unit/sanitized.h"

/* ---- chance -------------------------------------------------------------------------------------------------------- */

struct gen {
	uint64_t x; /* never 0 */
};

/* A number below @n, or 0 where @n is. */
static inline uint32_t gen_below(struct gen *g, uint32_t n)
{
	g->x ^= g->x << 13;
	g->x ^= g->x >> 7;
	g->x ^= g->x << 17;
	return n ? (uint32_t)((g->x * 0x2545f4914f6cdd1du) >> 33) % n : 0;
}

static inline bool gen_chance(struct gen *g, uint32_t percent)
{
	return gen_below(g, 100) < percent;
}

#define GEN_PICK(g, a) (a)[gen_below(g, sizeof(a) / sizeof((a)[0]))]

/* TAMIS_PROPERTY_N and TAMIS_PROPERTY_SEED, or these (a quarter of so many under a sanitizer). The seed is printed: a failure can be repeated. */
static inline unsigned gen_rounds(unsigned otherwise)
{
	const char *s = getenv("TAMIS_PROPERTY_N");

	if (s)
		return (unsigned)strtoul(s, NULL, 10);
	return SANITIZED ? (otherwise + 3) / 4 : otherwise;
}

static inline uint64_t gen_seed(const char *test, uint64_t otherwise)
{
	const char *s = getenv("TAMIS_PROPERTY_SEED");
	uint64_t seed = s ? strtoull(s, NULL, 0) : otherwise;

	printf("%s: TAMIS_PROPERTY_SEED=%llu\n", test, (unsigned long long)seed);
	return seed;
}

static inline struct gen gen_of(uint64_t seed)
{
	struct gen g = { .x = (seed + 1) * 0x9e3779b97f4a7c15u | 1 };

	for (int i = 0; i < 8; i++)
		gen_below(&g, 2);
	return g;
}

/* ---- texts --------------------------------------------------------------------------------------------------------- */

#define GEN_TEXT 60 /* glob_ref.h takes no more */

static const char *const gen_words[] = { "a",	"b",   "ab",	 "etc", "x.sh", "y.sh", "tmp",
					 "usr", "bin", "passwd", "A",	"Etc",	"*",	"" };
static const char *const gen_stars[] = { "*", "*.sh", "a*", "*a", "*a*b*", "x*y", "**", "a*b", "*b*", "e*c" };

static inline void gen_append(char *out, const char *s)
{
	strncat(out, s, GEN_TEXT - strlen(out));
}

/* A path; with @stars a glob, which may be one that is refused. */
static inline void gen_path(struct gen *g, bool stars, char out[GEN_TEXT + 1])
{
	uint32_t n = 1 + gen_below(g, 4);

	out[0] = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0 || !gen_chance(g, stars ? 15 : 3))
			gen_append(out, "/");
		gen_append(out, stars && gen_chance(g, 40) ? GEN_PICK(g, gen_stars) : GEN_PICK(g, gen_words));
	}
	if (gen_chance(g, 4))
		gen_append(out, "/");
}

static inline void gen_name(struct gen *g, bool stars, char out[GEN_TEXT + 1])
{
	out[0] = 0;
	gen_append(out, stars && gen_chance(g, 60) ? GEN_PICK(g, gen_stars) : GEN_PICK(g, gen_words));
	if (gen_chance(g, 20))
		gen_append(out, GEN_PICK(g, gen_words));
}

/* An argument, or with @stars a text that one may match: flags, options, words, and what is between them. */
static inline void gen_argument(struct gen *g, bool stars, char out[GEN_TEXT + 1])
{
	static const char *const dashes[] = { "", "", "-", "--" };
	static const char *const letters[] = { "a", "b", "q" };
	static const char *const between[] = { "", "=", " ", "-", "_", "*" };

	out[0] = 0;
	if (gen_chance(g, 25)) { /* letters, as flags are: those that are asked for are single ones */
		gen_append(out, stars ? "" : "-");
		for (uint32_t n = stars ? 1 : 1 + gen_below(g, 3); n > 0; n--)
			gen_append(out, GEN_PICK(g, letters));
		return;
	}
	gen_append(out, GEN_PICK(g, dashes));
	for (uint32_t n = gen_below(g, 3) + 1; n > 0; n--) {
		gen_append(out, stars && gen_chance(g, 25) ? GEN_PICK(g, gen_stars) : GEN_PICK(g, gen_words));
		if (n > 1 || gen_chance(g, 15))
			gen_append(out, GEN_PICK(g, between));
	}
}

/* What a pattern may match, or nearly. */
static inline void gen_near(struct gen *g, const char *pattern, char out[GEN_TEXT + 1])
{
	size_t n = 0;

	for (const char *p = pattern; *p && n < GEN_TEXT - 8; p++) {
		uint32_t extra = *p == '*' && p[1] == '*' ? 3 : 1;

		if (*p != '*') {
			out[n++] = *p;
			continue;
		}
		for (uint32_t i = gen_below(g, extra + 2); i > 0; i--)
			out[n++] = GEN_PICK(g, "ab/.sxyh");
	}
	out[n] = 0;
	for (char *c = out; *c; c++)
		*c = *c ? *c : 'a';
	if (n && gen_chance(g, 25))
		out[gen_below(g, (uint32_t)n)] = "ab/xEA."[gen_below(g, 7)];
	if (n && gen_chance(g, 8))
		out[n - 1] = 0;
	if (gen_chance(g, 8))
		gen_append(out, GEN_PICK(g, gen_words));
}

/* ---- policies ------------------------------------------------------------------------------------------------------ */

static const char *const gen_nets[] = {
	"10.0.0.0/8", "10.1.2.3/32",	 "192.168.0.0/17", "fe80::/10",	    "::/0",
	"0.0.0.0/0",  "2001:db8::1/128", "::ffff:0:0/96",  "::ff00:0:0/88", "8000::/1"
};

#define GEN_PATTERNS 256
#define GEN_POOL     32

struct policy_gen {
	struct gen *g;
	struct build b;
	uint16_t event;
	uint32_t paths[16], names[16], nums[64], addrs[4], strs[16]; /* nodes: fields of the event */
	uint32_t known[64];					     /* of nums, those that the kernel has */
	uint32_t flags[8];					     /* truth values that the kernel has */
	uint32_t npaths, nnames, nnums, naddrs, nstrs, nknown, nflags;
	uint32_t pool[GEN_POOL]; /* nodes; 0: not made yet */
	uint32_t vars[4];	 /* nodes: a number, a truth value, a text, a list of texts; all defaults */
	char patterns[GEN_PATTERNS][GEN_TEXT + 1]; /* what paths are to be near to */
	uint32_t npatterns;
};

/* net/text to 17 bytes is done by hand where the engine's parser would do: lib/ipnet.h is the language's one reader. */
int ipnet_parse(const char *s, size_t len, uint8_t ret[17]);

/* Variables that no rule sets: what they hold is known, but not to the kernel. */
static inline void gen_vars(struct policy_gen *p)
{
	static const uint8_t types[] = { NT_INT, NT_BOOL, NT_STR, NT_STRS };
	static const char *const names[] = { "num", "flag", "text", "list" };

	if (program_view(p->b.pb).nvars)
		return;

	for (uint32_t i = 0; i < 4; i++) {
		struct pvar v = { .name = build_string(&p->b, names[i]),
				  .type = types[i],
				  .default_count = i == 3 ? 2 : 1 };
		uint32_t values[2];

		v.size = i == 3 ? 5 : 0;
		v.scope = (uint8_t)gen_below(p->g, VAR_SCOPES);
		values[0] = i == 0 ? build_int(&p->b, (int64_t)gen_below(p->g, 4))
				   : build_bool(&p->b, gen_chance(p->g, 50));
		for (uint32_t k = 0; i >= 2 && k < 2; k++)
			values[k] = build_str(&p->b, GEN_PICK(p->g, gen_words));
		v.default_first = build_ok(program_refs_add(p->b.pb, values, v.default_count));
		p->vars[i] = build1(&p->b, N_VAR, build_ok(program_var_add(p->b.pb, &v)));
	}
}

static inline void gen_fields(struct policy_gen *p, uint16_t event)
{
	const struct catalog *c = catalog_tamis();

	p->event = event;
	p->npaths = p->nnames = p->nnums = p->naddrs = p->nstrs = p->nknown = p->nflags = 0;
	memset(p->pool, 0, sizeof(p->pool));
	gen_vars(p);
	for (uint32_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		uint16_t index;
		uint32_t node;

		if ((f->event != EV_NONE && f->event != event) || f->flags & CF_ARRAY || f->home == CAT_HOME_PARENT ||
		    f->home >= CAT_HOME_TARGET || (f->home == CAT_HOME_PROC && f->slot >= SLOT_PROC_SEEN))
			continue;
		/* As many fields of the process as of the event, about. */
		if (f->home == CAT_HOME_PROC && strncmp(f->name, "process.", 8) != 0)
			continue;
		node = build1(&p->b, N_FIELD, i);
		if (f->type == VAL_INT && catalog_sieve(c, f, event, &index) != CAT_SIEVE_NONE && p->nknown < 64)
			p->known[p->nknown++] = node;
		if (f->type == VAL_BOOL && catalog_sieve(c, f, event, &index) != CAT_SIEVE_NONE && p->nflags < 8)
			p->flags[p->nflags++] = node;
		if (f->type == VAL_STR && f->sieve == CAT_SIEVE_PATH && p->npaths < 16)
			p->paths[p->npaths++] = node;
		else if (f->type == VAL_STR && (f->sieve == CAT_SIEVE_NAME || f->sieve == CAT_SIEVE_QUESTION) &&
			 p->nnames < 16)
			p->names[p->nnames++] = node;
		else if (f->type == VAL_STR && p->nstrs < 16)
			p->strs[p->nstrs++] = node;
		else if (f->type == VAL_INT && (f->sieve != CAT_SIEVE_NONE || gen_chance(p->g, 10)) && p->nnums < 64)
			p->nums[p->nnums++] = node;
		else if (f->type == VAL_IP && p->naddrs < 4)
			p->addrs[p->naddrs++] = node;
	}
}

static inline const char *gen_keep(struct policy_gen *p, const char *s)
{
	char *to = p->patterns[p->npatterns++ % GEN_PATTERNS];

	strcpy(to, s);
	return to;
}

static inline struct strm gen_strm(struct policy_gen *p, bool path)
{
	struct strm m = { .icase = gen_chance(p->g, 15) };
	char text[GEN_TEXT + 1];
	bool stars = gen_chance(p->g, 60);

	if (gen_chance(p->g, 5)) {
		m.kind = STRM_REGEX;
		m.str = build_string(&p->b, gen_chance(p->g, 50) ? "ab" : "sh");
		return m;
	}
	for (;;) {
		if (path)
			gen_path(p->g, stars, text);
		else
			gen_name(p->g, stars, text);
		m.kind = !stars ? STRM_EXACT : path && gen_chance(p->g, 80) ? STRM_GLOB : STRM_PATTERN;
		if (m.kind == STRM_GLOB ? glob_ref_valid(text, strlen(text))
					: m.kind == STRM_EXACT || !strstr(text, "**"))
			break;
	}
	m.str = build_string(&p->b, gen_keep(p, text));
	return m;
}

static inline uint32_t gen_string_atom(struct policy_gen *p, uint32_t field, bool path)
{
	struct strm m[6];
	char text[GEN_TEXT + 1];
	size_t n = 1 + gen_below(p->g, 6);

	if (gen_chance(p->g, 40)) {
		if (path)
			gen_path(p->g, false, text);
		else
			gen_name(p->g, false, text);
		return build3(&p->b, N_STREQ, field, build_str(&p->b, gen_keep(p, text)), gen_chance(p->g, 15));
	}
	if (gen_chance(p->g, 4))
		return build3(&p->b, N_STREQ, field, p->paths[gen_below(p->g, p->npaths)], 0);
	for (size_t i = 0; i < n; i++)
		m[i] = gen_strm(p, path);
	return build2(&p->b, N_STRIN, field, build_ok(program_strset_add(p->b.pb, m, n)));
}

static inline int64_t gen_int(struct gen *g)
{
	static const int64_t odd[] = { 0,
				       1,
				       2,
				       3,
				       4,
				       64,
				       512,
				       577,
				       33188,
				       -1,
				       -2,
				       -13,
				       1000,
				       65534,
				       65535,
				       443,
				       80,
				       0x7fffffff,
				       0xffffffff,
				       INT64_MAX,
				       INT64_MIN,
				       INT64_MIN + 1,
				       INT64_MAX - 1 };

	return gen_chance(g, 70) ? (int64_t)gen_below(g, 6) - 2 : GEN_PICK(g, odd);
}

static inline uint32_t gen_number_atom(struct policy_gen *p)
{
	static const enum node_op ops[] = { N_EQ, N_LT, N_LE };
	uint32_t v = p->nums[gen_below(p->g, p->nnums)], rhs = build_int(&p->b, gen_int(p->g));
	int64_t set[24];
	size_t n = 1 + gen_below(p->g, gen_chance(p->g, 20) ? 24 : 4);

	if (gen_chance(p->g, 5))
		rhs = p->nums[gen_below(p->g, p->nnums)];
	if (gen_chance(p->g, 40))
		v = build2(&p->b, N_BAND, v, build_int(&p->b, gen_int(p->g)));
	else if (gen_chance(p->g, 5))
		v = build2(&p->b, N_ADD, v, build_int(&p->b, 1));
	if (gen_chance(p->g, 25)) {
		for (size_t i = 0; i < n; i++)
			set[i] = gen_int(p->g);
		return build2(&p->b, N_INTIN, v, build_ok(program_intset_add(p->b.pb, set, n)));
	}
	return gen_chance(p->g, 50) ? build2(&p->b, GEN_PICK(p->g, ops), v, rhs)
				    : build2(&p->b, GEN_PICK(p->g, ops), rhs, v);
}

static inline uint32_t gen_net(struct policy_gen *p)
{
	const char *s = GEN_PICK(p->g, gen_nets);
	uint8_t ip[17];

	assert_int_equal(ipnet_parse(s, strlen(s), ip), 0);
	return build_ok(program_str_add(p->b.pb, (const char *)ip, sizeof(ip)));
}

static inline uint32_t gen_addr_atom(struct policy_gen *p)
{
	uint32_t nets[4], n = 1 + gen_below(p->g, 4);

	for (uint32_t i = 0; i < n; i++)
		nets[i] = gen_net(p);
	if (n == 1)
		return build2(&p->b, N_IPEQ, p->addrs[0], build1(&p->b, N_IP, nets[0]));
	return build3(&p->b, N_IPIN, p->addrs[0], build_ok(program_ipset_add(p->b.pb, nets, n)), gen_chance(p->g, 25));
}

/* About arguments or variables of an exec. */
static inline uint32_t gen_words_atom(struct policy_gen *p)
{
	static const char *const fields[] = { "process.argv0",	    "process.args",	    "process.argv",
					      "process.args_flags", "process.args_options", "process.envs",
					      "process.envp" };
	uint32_t i = gen_below(p->g, sizeof(fields) / sizeof(fields[0])), field = build_field(&p->b, fields[i]), of, n;
	struct strm m[4];
	char text[GEN_TEXT + 1];

	of = i < 2 ? field : build1(&p->b, N_ELEM, NT_STR);
	n = 1 + gen_below(p->g, 4);
	for (uint32_t k = 0; k < n; k++) {
		m[k] = (struct strm){ .icase = gen_chance(p->g, 15), .kind = STRM_PATTERN };
		do
			gen_argument(p->g, true, text);
		while (strstr(text, "**"));
		if (!strchr(text, '*'))
			m[k].kind = STRM_EXACT;
		if (gen_chance(p->g, 8))
			m[k].kind = STRM_REGEX;
		m[k].str = m[k].kind == STRM_REGEX ? build_string(&p->b, gen_chance(p->g, 50) ? "etc" : "ab")
						   : build_string(&p->b, gen_keep(p, text));
	}
	if (m[0].kind == STRM_EXACT && gen_chance(p->g, 40))
		of = build3(&p->b, N_STREQ, of, build1(&p->b, N_STR, m[0].str), m[0].icase);
	else
		of = build2(&p->b, N_STRIN, of, build_ok(program_strset_add(p->b.pb, m, n)));
	return i < 2 ? of : build2(&p->b, N_ANY, field, of);
}

/* About what a variable holds, also in texts that are made of it; and of fields that the kernel knows. */
static inline uint32_t gen_var_atom(struct policy_gen *p)
{
	uint32_t path = p->npaths ? p->paths[0] : p->vars[2], num = p->nums[gen_below(p->g, p->nnums)], text;

	text = build1(&p->b, N_TEXT, p->vars[gen_below(p->g, 4)]);
	text = build2(&p->b, N_CONCAT, build_str(&p->b, GEN_PICK(p->g, gen_words)), text);
	switch (gen_below(p->g, 7)) {
	case 0:
		return build2(&p->b, gen_chance(p->g, 50) ? N_EQ : N_LE, num, p->vars[0]);
	case 1:
		return build2(&p->b, N_LT, p->vars[0], build_int(&p->b, 2));
	case 2:
		return p->vars[1];
	case 3:
		return build3(&p->b, N_STREQ, path, text, 0);
	case 4:
		return build3(&p->b, N_MATCH, path, build2(&p->b, N_CONCAT, build_str(&p->b, "*"), text), 0);
	case 5:
		return build2(&p->b, N_ANY, p->vars[3],
			      build3(&p->b, N_STREQ, build1(&p->b, N_ELEM, NT_STR), p->names[0], 0));
	default:
		return build3(&p->b, N_MEET, build_field(&p->b, "process.argv"), p->vars[3], 0);
	}
}

/* What no kernel side decides. */
static inline uint32_t gen_user_atom(struct policy_gen *p)
{
	uint32_t elem, word;

	if (gen_chance(p->g, 60) && p->nnames)
		return gen_var_atom(p);
	if (gen_chance(p->g, 50))
		return build_field(&p->b, "event.async");
	elem = build1(&p->b, N_ELEM, NT_STR);
	word = build_str(&p->b, GEN_PICK(p->g, gen_words));
	return build2(&p->b, N_ANY, build_field(&p->b, "process.argv"), build3(&p->b, N_STREQ, elem, word, 0));
}

static inline uint32_t gen_atom(struct policy_gen *p)
{
	uint32_t kind = gen_below(p->g, 100);

	if (gen_chance(p->g, 8))
		return gen_user_atom(p);
	if (p->event == EV_EXEC && gen_chance(p->g, 25))
		return gen_words_atom(p);
	if (p->nflags && gen_chance(p->g, 10))
		return p->flags[gen_below(p->g, p->nflags)];
	if (p->naddrs && kind < 45)
		return gen_addr_atom(p);
	if (p->npaths && kind < 40)
		return gen_string_atom(p, p->paths[gen_below(p->g, p->npaths)], true);
	if (p->nnames && kind < 60)
		return gen_string_atom(p, p->names[gen_below(p->g, p->nnames)], false);
	if (p->nstrs && kind < 66)
		return gen_string_atom(p, p->strs[gen_below(p->g, p->nstrs)], false);
	return gen_number_atom(p);
}

static inline uint32_t gen_condition(struct policy_gen *p, uint32_t depth)
{
	uint32_t kind = gen_below(p->g, 100);

	if (depth == 0 || kind < 20)
		return gen_atom(p);
	if (kind < 35)
		return build1(&p->b, N_NOT, gen_condition(p, depth - 1));
	return build2(&p->b, kind < 70 ? N_AND : N_OR, gen_condition(p, depth - 1), gen_condition(p, depth - 1));
}

/* One of few tests of numbers, each true of about every other event. */
static inline uint32_t gen_literal(struct policy_gen *p)
{
	uint32_t i = gen_below(p->g, GEN_POOL);

	if (!p->pool[i])
		p->pool[i] =
			build2(&p->b, N_LE, p->known[i % p->nknown], build_int(&p->b, (int64_t)gen_below(p->g, 3)));
	return gen_chance(p->g, 50) ? p->pool[i] : build1(&p->b, N_NOT, p->pool[i]);
}

/* An AND of many ORs, which has more clauses than there may be. */
static inline uint32_t gen_wide(struct policy_gen *p)
{
	uint32_t all = build2(&p->b, N_OR, gen_atom(p), gen_literal(p));

	for (int i = 0; i < 11; i++)
		all = build2(&p->b, N_AND, all, build2(&p->b, N_OR, gen_literal(p), gen_literal(p)));
	return all;
}

/* One of very many, all about the same numbers. */
static inline uint32_t gen_numbers(struct policy_gen *p)
{
	uint32_t all = gen_chance(p->g, 50) ? gen_literal(p) : gen_atom(p);

	for (int i = 0; i < 3; i++)
		all = build2(&p->b, N_AND, all, gen_literal(p));
	return all;
}

/* A condition as rules mostly are: this file, and more. */
static inline uint32_t gen_narrow(struct policy_gen *p, uint32_t depth)
{
	uint32_t rest = gen_condition(p, depth);

	if (p->naddrs)
		return build2(&p->b, N_AND, gen_addr_atom(p), rest);
	if (!p->npaths)
		return build2(&p->b, N_AND, gen_number_atom(p), rest);
	return build2(&p->b, N_AND,
		      gen_chance(p->g, 70) ? gen_string_atom(p, p->paths[0], true)
					   : gen_string_atom(p, p->names[0], false),
		      rest);
}

/* Builds its sieve, now and then with tables that are far too small. */
static inline void gen_build(struct policy_gen *p, uint64_t seed, struct sieve_report *ret_report, struct sieve *ret)
{
	struct sieve_limits l = { .states = SV_STATES, .trans = SV_TRANS, .masks = SV_MASKS };
	struct err e;

	if (gen_chance(p->g, 30)) {
		/* an exec has ten automata, and of words, say, one cannot be weakened to a single state */
		l.states = (p->event == EV_EXEC ? 100 : 1) + gen_below(p->g, 200);
		l.trans = l.states * (1 + gen_below(p->g, 20));
		l.masks = 2 + gen_below(p->g, 20);
	}
	if (sieve_build_within(p->b.pb, &l, ret_report, ret, &e) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, e.msg);
	assert_true(ret->nstates <= l.states && ret->ntrans <= l.trans && ret->nmasks <= l.masks);
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

#define GEN_ARGS  6
#define GEN_LIST  128
#define GEN_WORDS 256 /* a power of 2; more than two texts */

/* An event as the kernel side and as the engine have it. */
struct event_gen {
	struct ev_head head;
	ev_u64 num[EV_NUM_MAX];
	char path[SV_AUT_ADDR][GEN_TEXT + 1];
	bool linked;
	char link[GEN_TEXT + 1]; /* the path that the program was executed by */
	char str[4][GEN_TEXT + 1];
	bool readable[SV_AUTOMATA]; /* a hook skips what it could not read */
	ev_u8 addr[17];
	struct val argv[GEN_ARGS], flags[GEN_LIST], options[GEN_LIST], envp[GEN_ARGS], envs[GEN_ARGS];
	/* What an exec is given: arguments, and variables, each with a NUL behind it. Of another event SV_AUT_FSTYPE's and SV_AUT_TEXT's string. */
	char words[2][GEN_WORDS];
	uint32_t words_len[2];
	char joined[GEN_WORDS] /* and of dns the name asked for */, made[2 * GEN_WORDS];
	struct event ev;
	struct proc proc;
};

static inline struct val gen_str_val(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

static inline struct val *gen_slot(struct event_gen *e, const struct cat_field *f)
{
	switch (f->home) {
	case CAT_HOME_BASE:
		return &e->ev.base[f->slot];
	case CAT_HOME_EVENT:
		return &e->ev.v[f->slot];
	case CAT_HOME_PROC:
		return f->slot < SLOT_PROC_SEEN ? &e->proc.v[f->slot] : NULL;
	default:
		return NULL;
	}
}

/* Nobody has promised what the name of "/a/" is: it may be anything. */
static inline struct val gen_last(struct gen *g, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash && !slash[1])
		return gen_str_val(GEN_PICK(g, gen_words));
	return gen_str_val(slash ? slash + 1 : path);
}

/* One field's value: what the kernel has of it is the same value. */
static inline void gen_value(struct gen *g, struct event_gen *e, const struct cat_field *f)
{
	struct val *v = gen_slot(e, f);
	uint16_t index = 0;
	int sieve = catalog_sieve(catalog_tamis(), f, e->head.type, &index);

	if (f->flags & CF_UNSEEN) /* which is why the sieve takes it for empty */
		return;
	switch (sieve) {
	case CAT_SIEVE_NUM:
		e->num[index] = f->type == VAL_BOOL ? gen_chance(g, 50) : (ev_u64)gen_int(g);
		v->num = (int64_t)e->num[index];
		break;
	case CAT_SIEVE_RIGHTS: /* its mode's row comes first */
		v->num = e->num[index] & CAT_RIGHTS;
		break;
	case CAT_SIEVE_PATH:
	case CAT_SIEVE_COMM:
		*v = gen_str_val(e->path[index]);
		break;
	case CAT_SIEVE_QUESTION:
		*v = gen_str_val(e->joined);
		break;
	case CAT_SIEVE_FSTYPE:
	case CAT_SIEVE_TEXT:
		*v = gen_str_val(e->words[index - SV_AUT_ARGS]);
		break;
	case CAT_SIEVE_NAME:
		*v = gen_last(g, e->path[index]);
		break;
	case CAT_SIEVE_ADDR:
		*v = (struct val){ .s = (const char *)e->addr, .len = sizeof(e->addr) };
		break;
	case CAT_SIEVE_PUBLIC:
		v->num = ipnet_is_public(e->addr);
		break;
#define GEN_ID(NAME, MEMBER)                                                                                           \
	case CAT_SIEVE_##NAME:                                                                                         \
		v->num = (int64_t)e->head.MEMBER;                                                                      \
		break;
		SV_IDS(GEN_ID)
#undef GEN_ID
	case CAT_SIEVE_RETVAL:
		v->num = e->head.retval;
		break;
	default:
		if (f->type == VAL_STR)
			*v = gen_str_val(e->str[gen_below(g, 4)]);
		else if (f->type == VAL_INT)
			v->num = gen_int(g);
		else if (f->type == VAL_BOOL)
			v->num = gen_chance(g, 50);
	}
}

static inline void gen_address(struct gen *g, ev_u8 ip[17])
{
	const char *s = GEN_PICK(g, gen_nets);

	ipnet_parse(s, strlen(s), ip);
	for (uint32_t bit = ip[16]; bit < 128; bit++)
		if (gen_chance(g, 30))
			ip[bit / 8] ^= 0x80 >> bit % 8;
	if (gen_chance(g, 20))
		ip[gen_below(g, 16)] ^= (ev_u8)(1 << gen_below(g, 8));
	ip[16] = 128;
}

/* Another path that may match: then the kernel side decides nothing by the one that it has. */
static inline void gen_link(struct policy_gen *p, struct event_gen *e)
{
	uint32_t n = p->npatterns < GEN_PATTERNS ? p->npatterns : GEN_PATTERNS;
	struct val *v = e->proc.v;

	v[SLOT_PROC_FILE_LINK_PATH] = v[SLOT_PROC_FILE_LINK_NAME] = (struct val){ .len = 0 };
	if (!gen_chance(p->g, 30))
		return;
	if (n && gen_chance(p->g, 75))
		gen_near(p->g, p->patterns[gen_below(p->g, n)], e->link);
	else
		gen_path(p->g, false, e->link);
	v[SLOT_PROC_FILE_LINK_PATH] = gen_str_val(e->link);
	v[SLOT_PROC_FILE_LINK_NAME] = gen_last(p->g, e->link);
	if (p->event == EV_EXEC)
		e->readable[SV_AUT_PATH0] = false;
	e->linked = true;
}

/* Texts one behind the other, near to what is asked for, no more than glob_ref.h takes; how many. */
static inline uint32_t gen_texts(struct policy_gen *p, char *to, uint32_t *ret_len, struct val *v)
{
	uint32_t n = gen_below(p->g, GEN_ARGS + 1), kept = p->npatterns < GEN_PATTERNS ? p->npatterns : GEN_PATTERNS;
	char text[GEN_TEXT + 1];

	for (uint32_t i = 0; i < n; i++) {
		char *at = to + *ret_len;

		text[0] = 0;
		if (kept && gen_chance(p->g, 60)) {
			if (gen_chance(p->g, 40))
				gen_append(text, gen_chance(p->g, 50) ? "-" : "--");
			gen_near(p->g, p->patterns[gen_below(p->g, kept)], at);
			gen_append(text, at);
		} else {
			gen_argument(p->g, false, text);
		}
		if (*ret_len + strlen(text) >= GEN_TEXT)
			return i;
		strcpy(at, text);
		v[i] = gen_str_val(at);
		*ret_len += v[i].len + 1;
	}
	return n;
}

/* What an exec is given, and what is made of it for rules. */
static inline void gen_given(struct policy_gen *p, struct event_gen *e)
{
	uint32_t nargs = gen_texts(p, e->words[0], &e->words_len[0], e->argv),
		 nenv = gen_texts(p, e->words[1], &e->words_len[1], e->envp), rest = nargs ? nargs - 1 : 0;
	struct val *v = e->proc.v;

	for (uint32_t i = 0; i < e->words_len[0]; i++)
		e->joined[i] = e->words[0][i] ? e->words[0][i] : ' ';
	v[SLOT_PROC_ARGV0] = nargs ? e->argv[0] : (struct val){ .len = 0 };
	v[SLOT_PROC_ARGS] = (struct val){ .len = 0 };
	if (rest)
		v[SLOT_PROC_ARGS] = (struct val){ .s = e->joined + e->argv[0].len + 1,
						  .len = e->words_len[0] - e->argv[0].len - 2 };
	v[SLOT_PROC_ARGV] = (struct val){ .arr = e->argv + 1, .len = rest };
	v[SLOT_PROC_ARGS_FLAGS] =
		(struct val){ .arr = e->flags, .len = derive_args_flags(e->argv + 1, rest, e->flags, GEN_LIST) };
	v[SLOT_PROC_ARGS_OPTIONS] =
		(struct val){ .arr = e->options,
			      .len = derive_args_options(e->argv + 1, rest, e->options, GEN_LIST, e->made) };
	for (uint32_t i = 0; i < nenv; i++) {
		const char *end = e->envp[i].len ? memchr(e->envp[i].s, '=', e->envp[i].len) : NULL;

		e->envs[i] = e->envp[i];
		if (end)
			e->envs[i].len = (uint32_t)(end - e->envp[i].s);
	}
	/* The last one has no NUL where the memory of the process ends with it. */
	for (int w = 0; w < 2; w++)
		if (e->words_len[w] && gen_chance(p->g, 20))
			e->words_len[w]--;
	v[SLOT_PROC_ENVP] = (struct val){ .arr = e->envp, .len = nenv };
	v[SLOT_PROC_ENVS] = (struct val){ .arr = e->envs, .len = nenv };
}

/* Strings of the record, some longer than the kernel looks at. */
static inline void gen_record_texts(struct policy_gen *p, struct event_gen *e)
{
	uint32_t kept = p->npatterns < GEN_PATTERNS ? p->npatterns : GEN_PATTERNS;

	for (int w = 0; w < 2; w++) {
		char text[GEN_TEXT + 1] = "";

		if (kept && gen_chance(p->g, 60))
			gen_near(p->g, p->patterns[gen_below(p->g, kept)], text);
		else if (gen_chance(p->g, 80))
			gen_name(p->g, false, text);
		e->words_len[w] = (uint32_t)strlen(text);
		strcpy(e->words[w], text);
	}
}

/* As the kernel side reads names of questions: from the end on. */
static inline void gen_turn(char *s)
{
	for (size_t i = 0, n = strlen(s); i < n / 2; i++) {
		char c = s[i];

		s[i] = s[n - 1 - i];
		s[n - 1 - i] = c;
	}
}

static inline void gen_event(struct policy_gen *p, struct event_gen *e)
{
	const struct catalog *c = catalog_tamis();
	struct gen *g = p->g;
	uint32_t n = p->npatterns < GEN_PATTERNS ? p->npatterns : GEN_PATTERNS;

	memset(e, 0, sizeof(*e));
	e->head.type = e->ev.type = p->event;
#define GEN_ID(NAME, MEMBER) e->head.MEMBER = (__typeof__(e->head.MEMBER))gen_int(g);
	SV_IDS(GEN_ID)
#undef GEN_ID
	e->head.retval = gen_int(g);
	for (int k = 0; k < 2; k++) {
		if (n && gen_chance(g, 75))
			gen_near(g, p->patterns[gen_below(g, n)], e->path[k]);
		else
			gen_path(g, false, e->path[k]);
		if (gen_chance(g, 85) && e->path[k][0] != '/') {
			memmove(e->path[k] + 1, e->path[k], GEN_TEXT - 1);
			e->path[k][0] = '/';
		}
	}
	for (int k = 0; k < 4; k++)
		gen_name(g, false, e->str[k]);
	gen_address(g, e->addr);
	for (int k = 0; k < SV_AUTOMATA; k++)
		e->readable[k] = !gen_chance(g, 5);
	if (p->event != EV_EXEC)
		gen_record_texts(p, e);
	if (p->event == EV_DNS) {
		strcpy(e->joined, e->path[SV_AUT_QUESTION] + (e->path[SV_AUT_QUESTION][0] == '/'));
		strcpy(e->path[SV_AUT_QUESTION], e->joined);
		gen_turn(e->path[SV_AUT_QUESTION]);
	}
	for (size_t i = 0; i < c->nfields; i++)
		if ((c->fields[i].event == EV_NONE || c->fields[i].event == p->event) && gen_slot(e, &c->fields[i]) &&
		    !(c->fields[i].flags & CF_ARRAY))
			gen_value(g, e, &c->fields[i]);
	gen_link(p, e);
	for (int k = 0; k < 2; k++)
		e->argv[k] = gen_str_val(GEN_PICK(g, gen_words));
	e->proc.v[SLOT_PROC_ARGV] = (struct val){ .arr = e->argv, .len = 2 };
	if (p->event == EV_EXEC)
		gen_given(p, e);
	memset(e->ev.alive, 0xff, sizeof(e->ev.alive));
	e->ev.proc = &e->proc;
}

/* ---- an evaluator ---------------------------------------------------------------------------------------------------- */

struct ref {
	const struct program *p;
	const struct event *ev;
	struct val elem;
	const struct proc *current; /* the ancestor that an N_EXISTS stands at */
};

/* The @i-th of what a variable holds: its default. */
static inline struct val ref_var(const struct ref *x, uint32_t var, uint32_t i)
{
	const struct node *n = &x->p->nodes[x->p->refs[x->p->vars[var].default_first + i]];
	struct val v = { 0 };

	if (n->op == N_STR)
		v.s = program_str(x->p, n->a, &v.len);
	else
		v.num = n->imm;
	return v;
}

/* Appends what the node is as text. */
static inline void ref_text(const struct ref *x, uint32_t i, char *out)
{
	const struct node *n = &x->p->nodes[i];
	struct val v = { 0 };

	if (n->op == N_CONCAT) {
		ref_text(x, n->a, out);
		ref_text(x, n->b, out);
	} else if (n->op == N_TEXT) {
		ref_text(x, n->a, out);
	} else if (n->op == N_STR) {
		v.s = program_str(x->p, n->a, &v.len);
		strncat(out, v.s, v.len);
	} else {
		for (uint32_t k = 0; k < x->p->vars[n->a].default_count; k++) {
			v = ref_var(x, n->a, k);
			strcat(out, k ? "," : "");
			if (n->type == NT_INT)
				sprintf(out + strlen(out), "%d", (int)v.num);
			else if (n->type == NT_BOOL)
				strcat(out, v.num ? "true" : "false");
			else
				strncat(out, v.s, v.len);
		}
	}
}

static inline struct val ref_value(const struct ref *x, uint32_t i)
{
	const struct node *n = &x->p->nodes[i];
	struct val v = { 0 };

	if (n->op == N_FIELD)
		return catalog_get(&x->p->catalog->fields[n->a], x->ev);
	if (n->op == N_CURRENT)
		return proc_get(x->current, x->p->catalog->fields[n->a].slot);
	if (n->op == N_ELEM)
		return x->elem;
	if (n->op == N_VAR)
		return ref_var(x, n->a, 0);
	if (n->op == N_CONCAT || n->op == N_TEXT) {
		static char text[2][2 * GEN_TEXT + 200];
		static int which;

		which = !which;
		text[which][0] = '\0';
		ref_text(x, i, text[which]);
		return (struct val){ .s = text[which], .len = (uint32_t)strlen(text[which]) };
	}
	v.s = program_str(x->p, n->a, &v.len);
	return v;
}

/* The name that the program of a process was called by, where conditions on @slot hold for it, too. */
static inline struct val ref_link(const struct proc *p, uint16_t slot)
{
	switch (slot) {
	case SLOT_PROC_FILE_PATH:
		return p->v[SLOT_PROC_FILE_LINK_PATH];
	case SLOT_PROC_FILE_NAME:
		return p->v[SLOT_PROC_FILE_LINK_NAME];
	case SLOT_PROC_INTERPRETER_PATH:
		return p->v[SLOT_PROC_INTERPRETER_LINK_PATH];
	case SLOT_PROC_INTERPRETER_NAME:
		return p->v[SLOT_PROC_INTERPRETER_LINK_NAME];
	default:
		return (struct val){ 0 };
	}
}

/* The @k-th of the values that conditions on a node hold for: itself, and the name that a program was called by. */
static inline bool ref_nth(const struct ref *x, uint32_t i, int k, struct val *ret)
{
	const struct node *n = &x->p->nodes[i];
	const struct cat_field *f = n->op == N_FIELD || n->op == N_CURRENT ? &x->p->catalog->fields[n->a] : NULL;
	const struct proc *p = NULL;

	if (k == 0) {
		*ret = ref_value(x, i);
		return true;
	}
	if (f && n->op == N_CURRENT)
		p = x->current;
	else if (f && f->home == CAT_HOME_PROC)
		p = x->ev->proc;
	else if (f && f->home == CAT_HOME_PARENT && x->ev->proc)
		p = x->ev->proc->parent;
	*ret = p ? ref_link(p, f->slot) : (struct val){ 0 };
	return ret->len;
}

static inline int64_t ref_int(const struct ref *x, uint32_t i)
{
	const struct node *n = &x->p->nodes[i];

	switch (n->op) {
	case N_FIELD:
	case N_VAR:
	case N_ELEM:
	case N_CURRENT:
		return ref_value(x, i).num;
	case N_BAND:
		return ref_int(x, n->a) & ref_int(x, n->b);
	case N_ADD:
		return (int64_t)((uint64_t)ref_int(x, n->a) + (uint64_t)ref_int(x, n->b));
	default:
		assert_int_equal(n->op, N_INT);
		return n->imm;
	}
}

static inline bool ref_same(struct val a, struct val b, bool icase)
{
	for (uint32_t i = 0; a.len == b.len && i < a.len; i++)
		if (glob_ref_fold(a.s[i], icase) != glob_ref_fold(b.s[i], icase))
			return false;
	return a.len == b.len;
}

static inline bool ref_strm(const struct ref *x, const struct strm *m, struct val v)
{
	struct val t = { 0 };

	t.s = program_str(x->p, m->str, &t.len);
	switch (m->kind) {
	case STRM_EXACT:
		return ref_same(t, v, m->icase);
	case STRM_PATTERN:
		return glob_ref_pattern(t.s, t.len, v.s, v.len, m->icase);
	case STRM_GLOB:
		return glob_ref_match(t.s, t.len, v.s, v.len, m->icase);
	default: /* only plain text is made, and found anywhere */
		for (uint32_t i = 0; i + t.len <= v.len; i++)
			if (ref_same(t, (struct val){ .s = v.s + i, .len = t.len }, m->icase))
				return true;
		return false;
	}
}

static inline bool ref_strin(const struct ref *x, uint32_t set, struct val v)
{
	const struct strset *s = &x->p->strsets[set];

	for (uint32_t i = s->first; i < s->first + s->count; i++)
		if (ref_strm(x, &x->p->strms[i], v))
			return true;
	return false;
}

/* Any of the one's values is any of the other's. */
static inline bool ref_streq(const struct ref *x, const struct node *n)
{
	struct val a, b;

	for (int k = 0; k < 2; k++)
		for (int m = 0; m < 2; m++)
			if (ref_nth(x, n->a, k, &a) && ref_nth(x, n->b, m, &b) && ref_same(a, b, n->c))
				return true;
	return false;
}

static inline bool ref_bit(const char *ip, int i)
{
	return (uint8_t)ip[i / 8] >> (7 - i % 8) & 1;
}

/* The address lies in the network, and both are IPv4 or both are not. */
static inline bool ref_net(struct val addr, const char *net)
{
	static const char mapped[12] = { [10] = (char)0xff, [11] = (char)0xff };
	bool v4 = memcmp(addr.s, mapped, 12) == 0;

	if (v4 && (uint8_t)net[16] < 96)
		return false;
	for (int i = 0; i < (uint8_t)net[16]; i++)
		if (ref_bit(addr.s, i) != ref_bit(net, i))
			return false;
	return true;
}

static inline bool ref_ipin(const struct ref *x, const struct node *n)
{
	const struct ipset *s = &x->p->ipsets[n->b];
	struct val addr = ref_value(x, n->a);

	for (uint32_t i = s->first; i < s->first + s->count; i++) {
		uint32_t len;

		if (ref_net(addr, program_str(x->p, x->p->ips[i], &len)) != (n->c != 0))
			return !n->c;
	}
	return n->c;
}

static inline bool ref_intin(const struct ref *x, const struct node *n)
{
	const struct intset *s = &x->p->intsets[n->b];

	for (uint32_t i = s->first; i < s->first + s->count; i++)
		if (x->p->ints[i] == ref_int(x, n->a))
			return true;
	return false;
}

static inline bool ref_holds(const struct ref *x, uint32_t i);

static inline bool ref_any_of(const struct ref *x, uint32_t body, struct val array)
{
	struct ref inner = *x;

	for (uint32_t i = 0; i < array.len; i++) {
		inner.elem = array.arr[i];
		if (ref_holds(&inner, body))
			return true;
	}
	return false;
}

/* Of the event's own process only. */
static inline bool ref_any_ancestor(const struct ref *x, const struct node *n, const struct cat_field *f)
{
	struct ref inner = *x;

	for (const struct proc *p = x->ev->proc ? x->ev->proc->parent : NULL; p; p = p->parent) {
		inner.elem = proc_get(p, f->slot);
		if (program_field_several(x->p->catalog, f) ? ref_any_of(x, n->b, inner.elem) : ref_holds(&inner, n->b))
			return true;
		inner.elem = ref_link(p, f->slot);
		if (inner.elem.len && ref_holds(&inner, n->b))
			return true;
	}
	return false;
}

static inline bool ref_exists(const struct ref *x, const struct node *n)
{
	struct ref inner = *x;

	for (const struct proc *p = x->ev->proc ? x->ev->proc->parent : NULL; p; p = p->parent) {
		inner.current = p;
		if (ref_holds(&inner, n->a))
			return true;
	}
	return false;
}

static inline bool ref_any(const struct ref *x, const struct node *n)
{
	const struct node *array = &x->p->nodes[n->a];
	struct ref inner = *x;
	struct val v;

	for (uint32_t i = 0; array->op == N_VAR && i < x->p->vars[array->a].default_count; i++) {
		inner.elem = ref_var(x, array->a, i);
		if (ref_holds(&inner, n->b))
			return true;
	}
	if (array->op == N_VAR)
		return false;
	if (array->op == N_FIELD && cat_is_ancestors(x->p->catalog->fields[array->a].home))
		return ref_any_ancestor(x, n, &x->p->catalog->fields[array->a]);
	v = ref_value(x, n->a);
	return ref_any_of(x, n->b, v);
}

static inline bool ref_holds(const struct ref *x, uint32_t i)
{
	const struct node *n = &x->p->nodes[i];
	struct val a, b;

	switch (n->op) {
	case N_FIELD:
	case N_VAR:
		return ref_value(x, i).num;
	case N_MATCH:
		b = ref_value(x, n->b);
		for (int k = 0; k < 2; k++)
			if (ref_nth(x, n->a, k, &a) && glob_ref_pattern(b.s, b.len, a.s, a.len, false))
				return true;
		return false;
	case N_MEET:
		a = ref_value(x, n->a);
		for (uint32_t k = 0; k < a.len; k++)
			for (uint32_t m = 0; m < 2; m++)
				if (ref_same(a.arr[k], ref_var(x, x->p->nodes[n->b].a, m), false))
					return true;
		return false;
	case N_ANY:
		return ref_any(x, n);
	case N_EXISTS:
		return ref_exists(x, n);
	case N_BOOL:
		return n->imm;
	case N_NOT:
		return !ref_holds(x, n->a);
	case N_AND:
		return ref_holds(x, n->a) && ref_holds(x, n->b);
	case N_OR:
		return ref_holds(x, n->a) || ref_holds(x, n->b);
	case N_EQ:
		return ref_int(x, n->a) == ref_int(x, n->b);
	case N_LT:
		return ref_int(x, n->a) < ref_int(x, n->b);
	case N_LE:
		return ref_int(x, n->a) <= ref_int(x, n->b);
	case N_STREQ:
		return ref_streq(x, n);
	case N_STRIN:
		for (int k = 0; k < 2; k++)
			if (ref_nth(x, n->a, k, &a) && ref_strin(x, n->b, a))
				return true;
		return false;
	case N_INTIN:
		return ref_intin(x, n);
	case N_IPEQ:
		return ref_net(ref_value(x, n->a), ref_value(x, n->b).s);
	case N_IPIN:
		return ref_ipin(x, n);
	default:
		fail_msg("the generator makes no node of kind %d", n->op);
		return false;
	}
}

/* ---- the sieve as a hook runs it ------------------------------------------------------------------------------------- */

/* The state after the whole of @path, by way of its directory: the directory, its '/', the last name. */
static inline ev_u32 gen_run_split(const struct sieve *s, const struct sv_automaton *a, const char *path)
{
	static ev_u8 buf[SV_BUF_SIZE];
	const char *slash = strrchr(path, '/');
	ev_u32 dir = slash ? (ev_u32)(slash - path) : 0, len = (ev_u32)strlen(path), state;

	memcpy(buf, path, len);
	state = sv_dfa_run(s, a, 0, buf, dir);
	if (slash)
		state = sv_dfa_run_name_at(s, a, state, buf, dir++, 1);
	return sv_dfa_run_name_at(s, a, state, buf, dir, len - dir);
}

/* @off: where in the buffer the path is, as the dentry walk leaves it somewhere. */
static inline ev_u32 gen_run_at(const struct sieve *s, const struct sv_automaton *a, const char *path, ev_u32 off)
{
	static ev_u8 buf[SV_BUF_SIZE];
	ev_u32 len = (ev_u32)strlen(path);

	for (ev_u32 i = 0; i < len; i++)
		buf[(off + i) & (SV_BUF_SIZE - 1)] = (ev_u8)path[i];
	return sv_dfa_run_at(s, a, 0, buf, off, len);
}

/* Where a program goes by two paths: what may hold of one or the other. */
static inline void gen_either(const struct sieve *s, const struct event_gen *e, struct sv_mask *alive)
{
	const struct sv_automaton *a = &s->event[e->head.type].automata[SV_AUT_EITHER];
	struct sv_mask either;

	if (!e->linked || e->head.type != EV_EXEC)
		return;
	sv_mask_copy(&either, sv_final_mask(s, a, gen_run_at(s, a, e->path[0], 3)));
	sv_mask_or(&either, sv_final_mask(s, a, gen_run_at(s, a, e->link, 5)));
	sv_mask_and(alive, &either);
}

/* What may hold of an exec that was given @len bytes of @text. In two pieces, as a hook has them. */
static inline void gen_find(const struct sieve *s, const struct sv_automaton *a, const char *text, ev_u32 len,
			    struct sv_mask *ret)
{
	static ev_u8 buf[GEN_WORDS];
	ev_u64 state = sv_words_begin(s, a, ret), half = len / 2;

	memcpy(buf, text, len);
	state = sv_words_loop(s, a, state, buf, 0, half, GEN_WORDS, GEN_WORDS - 1, ret);
	state = sv_words_loop(s, a, state, buf, half, len - half, GEN_WORDS, GEN_WORDS - 1, ret);
	sv_words_end(s, a, state, ret);
}

/* By the words of an exec; of another event by a string of its record. */
static inline void gen_words_strike(const struct sieve *s, const struct sv_automaton *a, const struct event_gen *e,
				    unsigned w, struct sv_mask *alive)
{
	uint32_t len = e->words_len[w];
	struct sv_mask found;

	if (e->head.type == EV_EXEC) {
		gen_find(s, a, e->words[w], len, &found);
		sv_mask_and(alive, &found);
	} else if (len <= SV_TEXT_MAX) {
		sv_mask_and(alive, sv_final_mask(s, a, sv_dfa_run_text(s, a, (const ev_u8 *)e->words[w], len)));
	}
}

static inline void gen_sieve(const struct sieve *s, const struct event_gen *e, struct sv_mask *alive)
{
	const struct sv_event *ev = &s->event[e->head.type];

	const struct sv_who who = { e->head.uid, e->head.gid, e->head.auid };
	bool after = e->head.flags & EV_F_CREDS_AFTER;

	if (!sv_alive_start(ev, alive) || !sv_first(ev, e->head.retval, alive) ||
	    (!after && !sv_who(ev, &who, alive)) || !sv_two_of(ev, e->head.type, e->num, alive))
		return;
	if (e->head.type == EV_OPEN && e->head.retval == 0)
		sv_mask_and(alive, &s->opened[sv_open_index(e->num[EVN_OPEN_FLAGS])]);
	if (!(after ? sv_nums_but_ids(ev, &e->head, e->num, alive) : sv_nums(ev, &e->head, e->num, alive)))
		return;
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		const struct sv_automaton *a = &ev->automata[k];
		ev_u32 state;

		if (!a->used || !e->readable[k])
			continue;
		if (k == SV_AUT_EITHER) {
			gen_either(s, e, alive);
			continue;
		}
		if (k == SV_AUT_ARGS || k == SV_AUT_ENVS) {
			gen_words_strike(s, a, e, k - SV_AUT_ARGS, alive);
			continue;
		}
		state = k == SV_AUT_ADDR ? sv_dfa_run_addr(s, a, e->addr) : gen_run_at(s, a, e->path[k], 37 + 11 * k);
		sv_mask_and(alive, sv_final_mask(s, a, state));
	}
}

/*
 * The clauses on which the kernel refuses the event: as bpf/deny.bpf.c asks, before the operation. In doubt none that asks for what
 * is in doubt.
 */
static inline void gen_deny(const struct sieve *s, const struct event_gen *e, struct sv_mask *alive)
{
	const struct sv_event *ev = &s->event[e->head.type];

	if (!sv_deny_start(ev, alive) || !sv_nums_early(ev, &e->head, e->num, alive))
		return;
#pragma GCC unroll 3
	for (unsigned k = 0; k < SV_DENY_STRINGS; k++) {
		const struct sv_automaton *a = &ev->automata[k];
		size_t len = k == SV_AUT_ADDR ? 1 : strlen(e->path[k]);
		ev_u32 state;

		if (!e->readable[k] || !len || (k != SV_AUT_ADDR && e->path[k][len - 1] == '/')) {
			sv_deny_unread(ev, k, alive);
			continue;
		}
		if (!a->used)
			continue;
		state = k == SV_AUT_ADDR ? sv_dfa_run_addr(s, a, e->addr) : gen_run_at(s, a, e->path[k], 37 + 11 * k);
		sv_mask_and(alive, sv_final_mask(s, a, state));
	}
}

static inline bool gen_rule_alive(const struct program *p, uint32_t rule, const struct sv_mask *alive)
{
	const struct prule *r = &p->rules[rule];

	for (uint32_t i = r->clause_first; i < r->clause_first + r->clause_count; i++)
		if (alive->w[p->clauses[i].bit / 64] >> (p->clauses[i].bit % 64) & 1)
			return true;
	return false;
}

#endif
