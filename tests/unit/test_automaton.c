/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy-compiler/automaton.h"
#include "policy-compiler/intern.h"
#include "tests/unit/sieve_gen.h"

#define N_MAX 24

/*
 * The value of a set of matched patterns is a number of that set. Bit 31 of a pattern says "maybe": it was cut, or it is
 * joined and one of the joined ones matches.
 */
struct sets {
	struct intern t;
	const struct pattern *p;
	uint32_t n;
};

static int64_t set_value(void *ctx, const uint32_t *matched, uint32_t n)
{
	struct sets *s = ctx;
	uint32_t v[2 * N_MAX], count = 0;
	bool joined = false;

	for (uint32_t i = 0; i < n; i++) {
		joined = joined || s->p[matched[i]].joined;
		if (!s->p[matched[i]].joined)
			v[count++] = matched[i] | (pattern_is_weak(&s->p[matched[i]]) ? 1u << 31 : 0);
	}
	for (uint32_t i = 0; i < s->n && joined; i++)
		if (s->p[i].joined)
			v[count++] = i | 1u << 31;
	return intern_put(&s->t, v, count * (uint32_t)sizeof(*v), NULL);
}

static uint32_t run(const struct automaton *a, uint32_t state, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		state = a->trans[state * a->nclasses + a->cls[(uint8_t)s[i]]];
	return state;
}

/* 0: not matched, 1: matched for sure, 2: maybe. */
static int said(const struct sets *s, const struct automaton *a, uint32_t state, uint32_t pattern)
{
	uint32_t n = intern_size(&s->t, a->value[state]) / sizeof(uint32_t);
	const uint32_t *v = intern_get(&s->t, a->value[state]);

	for (uint32_t i = 0; i < n; i++)
		if ((v[i] & ~(1u << 31)) == pattern)
			return v[i] >> 31 ? 2 : 1;
	return 0;
}

static bool matches(const struct pattern *p, const char *s, size_t len)
{
	const char *name = s;

	if (p->kind == PAT_TRAIL)
		return len && s[len - 1] == '/';
	for (size_t i = 0; p->name && i < len; i++)
		if (s[i] == '/')
			name = s + i + 1;
	len -= (size_t)(name - s);
	switch (p->kind) {
	case PAT_GLOB:
		if (!p->name)
			return glob_ref_match(p->s, p->len, name, len, p->icase);
		/* fall through */
	case PAT_STARS:
		return glob_ref_pattern(p->s, p->len, name, len, p->icase);
	default:
		return ref_same((struct val){ .s = p->s, .len = p->len },
				(struct val){ .s = name, .len = (uint32_t)len }, p->icase);
	}
}

struct some {
	struct pattern p[N_MAX];
	char text[N_MAX][GEN_TEXT + 1];
	uint32_t n;
};

static void random_patterns(struct gen *g, struct some *s)
{
	s->n = 1 + gen_below(g, N_MAX - 1);
	for (uint32_t i = 0; i < s->n; i++) {
		struct pattern *p = &s->p[i];

		*p = (struct pattern){ .s = s->text[i],
				       .keep = PAT_KEEP_ALL,
				       .kind = (uint8_t)gen_below(g, 3),
				       .icase = gen_chance(g, 20),
				       .name = gen_chance(g, 40) };
		for (;;) {
			if (p->name)
				gen_name(g, p->kind != PAT_EXACT, s->text[i]);
			else
				gen_path(g, p->kind != PAT_EXACT, s->text[i]);
			if (p->kind == PAT_GLOB && !p->name ? glob_ref_valid(p->s, strlen(p->s)) : !strstr(p->s, "**"))
				break;
		}
		p->len = (uint32_t)strlen(p->s);
	}
	s->p[0].kind = gen_chance(g, 10) ? PAT_TRAIL : s->p[0].kind;
}

static void random_string(struct gen *g, const struct some *s, char out[GEN_TEXT + 1])
{
	if (gen_chance(g, 70))
		gen_near(g, s->text[gen_below(g, s->n)], out);
	else
		gen_path(g, false, out);
}

/* Every pattern is said to match exactly where it does; a cut one at least there. */
static void check_strings(struct gen *g, const struct some *s, const struct sets *sets, const struct automaton *a,
			  uint64_t seed)
{
	char text[GEN_TEXT + 1];

	for (int k = 0; k < 60; k++) {
		uint32_t state;

		random_string(g, s, text);
		state = run(a, 0, text, strlen(text));
		for (uint32_t i = 0; i < s->n; i++) {
			int what = said(sets, a, state, i);
			bool does = matches(&s->p[i], text, strlen(text));

			if (what == 2 ? !pattern_is_weak(&s->p[i]) : what != does)
				fail_msg(
					"seed %llu: \"%s\" kind %d name %d icase %d keep %u and \"%s\": said %d, does %d",
					(unsigned long long)seed, s->p[i].s, s->p[i].kind, s->p[i].name, s->p[i].icase,
					s->p[i].keep, text, what, does);
		}
	}
}

static void check_live(const struct automaton *a)
{
	for (uint32_t s = 0; s < a->nstates; s++) {
		bool left = false;

		for (uint32_t c = 0; c < a->nclasses; c++) {
			assert_true(a->trans[s * a->nclasses + c] < a->nstates);
			left = left || a->trans[s * a->nclasses + c] != s;
		}
		assert_int_equal(left, s < a->live);
	}
}

static const struct aut_limits roomy = { .states = 1 << 15, .trans = 1 << 19 };

static void test_matches(void **state)
{
	uint64_t seed = gen_seed("automaton", 7);

	for (unsigned i = 0; i < gen_rounds(2000); i++) {
		struct gen g = gen_of(seed + i);
		struct some some;
		struct sets sets = { .p = some.p };
		struct automaton a = { 0 };
		int r;

		random_patterns(&g, &some);
		sets.n = some.n;
		r = automaton_build(some.p, some.n, set_value, &sets, &roomy, &a, NULL);
		if (r == 0) {
			check_strings(&g, &some, &sets, &a, seed + i);
			check_live(&a);
		} else {
			assert_int_equal(r, -E2BIG);
		}
		automaton_done(&a);
		intern_done(&sets.t);
	}
}

static void test_fits(void **state)
{
	uint64_t seed = gen_seed("fit", 11);

	for (unsigned i = 0; i < gen_rounds(2000) / 2; i++) {
		struct gen g = gen_of(seed + i);
		struct aut_limits l = { .states = 1 + gen_below(&g, 60) };
		char text[4][GEN_TEXT + 1];
		struct nfa_sample v[4];
		struct nfa_samples samples = { v, gen_below(&g, 5) };
		struct some some;
		struct sets sets = { .p = some.p };
		struct automaton a = { 0 };
		struct aut_fit fit;

		random_patterns(&g, &some);
		sets.n = some.n;
		l.trans = l.states * (1 + gen_below(&g, 12));
		for (uint32_t k = 0; k < samples.n; k++) {
			random_string(&g, &some, text[k]);
			v[k] = (struct nfa_sample){ .s = text[k],
						    .len = (uint32_t)strlen(text[k]),
						    .count = 1 + gen_below(&g, 100) };
		}
		assert_int_equal(automaton_fit(some.p, some.n, set_value, &sets, &l, &samples, &a, &fit), 0);
		assert_true(a.nstates <= l.states || a.nstates == 1);
		check_strings(&g, &some, &sets, &a, seed + i);
		check_live(&a);
		automaton_done(&a);
		intern_done(&sets.t);
	}
}

/* Two states of the smallest automaton are told apart by some string: Moore's way of asking, against the builder's. */
static void test_smallest(void **state)
{
	for (uint64_t seed = 1; seed < 60; seed++) {
		struct gen g = gen_of(seed);
		struct some some;
		struct sets sets = { .p = some.p };
		struct automaton a = { 0 };
		uint8_t *apart;
		bool more = true;

		random_patterns(&g, &some);
		sets.n = some.n;
		if (automaton_build(some.p, some.n > 4 ? 4 : some.n, set_value, &sets, &roomy, &a, NULL) < 0 ||
		    a.nstates > 400) {
			automaton_done(&a);
			intern_done(&sets.t);
			continue;
		}
		apart = calloc(a.nstates, a.nstates);
		assert_non_null(apart);
		while (more) {
			more = false;
			for (uint32_t x = 0; x < a.nstates; x++)
				for (uint32_t y = 0; y < a.nstates; y++) {
					bool differ = a.value[x] != a.value[y];

					for (uint32_t c = 0; c < a.nclasses; c++)
						differ = differ || apart[a.trans[x * a.nclasses + c] * a.nstates +
									 a.trans[y * a.nclasses + c]];
					more = more || (differ && !apart[x * a.nstates + y]);
					apart[x * a.nstates + y] |= differ;
				}
		}
		for (uint32_t x = 0; x < a.nstates; x++)
			for (uint32_t y = 0; y < x; y++)
				assert_true(apart[x * a.nstates + y]);
		free(apart);
		automaton_done(&a);
		intern_done(&sets.t);
	}
}

static struct pattern glob(const char *s);

/* Where nothing fits, everything is "maybe", the pattern without text included. */
static void test_always_fits(void **state)
{
	struct pattern p[] = { glob(""), glob("*"), glob("/a/**"), glob("/a") };
	struct aut_limits l = { .states = 1, .trans = 1 };
	struct sets sets = { .p = p, .n = 4 };
	struct automaton a;
	struct aut_fit fit;

	assert_int_equal(automaton_fit(p, 4, set_value, &sets, &l, NULL, &a, &fit), 0);
	assert_int_equal(a.nstates, 1);
	assert_int_equal(a.live, 0);
	assert_int_equal(fit.weakened, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(said(&sets, &a, 0, i), 2);
	automaton_done(&a);
	intern_done(&sets.t);
}

static struct pattern glob(const char *s)
{
	return (struct pattern){ .s = s, .len = (uint32_t)strlen(s), .kind = PAT_GLOB, .keep = PAT_KEEP_ALL };
}

static void test_refused(void **state)
{
	static const char *const bad[] = { "/a**", "**/x", "/**b/c", "/a/***" };
	struct automaton a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pattern p = glob(bad[i]);
		struct sets sets = { .p = &p };

		assert_int_equal(automaton_build(&p, 1, set_value, &sets, &roomy, &a, NULL), -EINVAL);
		intern_done(&sets.t);
	}
}

/* What SECL says of globs, by example. */
static void test_examples(void **state)
{
	static const struct {
		const char *glob, *path;
		bool matches;
	} cases[] = {
		{ "/tmp/**", "/tmp", false },	 { "/tmp/**", "/tmp/a/b", true },
		{ "*/abc/*", "/1/abc/2", true }, { "*", "/x", true },
		{ "*", "/x/y", false },		 { "/dir/*", "/dir/", true },
		{ "/a/**/b", "/a/b", true },	 { "/a/**/b", "/a/x/y/b", true },
		{ "/a/**/b", "/a/xb", false },	 { "/etc/*.conf", "/etc/a.conf.conf", true },
		{ "/etc/*", "/etc/a/b", false }, { "*/x", "/x", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pattern p = glob(cases[i].glob);
		struct sets sets = { .p = &p };
		struct automaton a;

		assert_int_equal(automaton_build(&p, 1, set_value, &sets, &roomy, &a, NULL), 0);
		if (said(&sets, &a, run(&a, 0, cases[i].path, strlen(cases[i].path)), 0) != cases[i].matches)
			fail_msg("%s and %s", cases[i].glob, cases[i].path);
		automaton_done(&a);
		intern_done(&sets.t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_matches), cmocka_unit_test(test_fits),	 cmocka_unit_test(test_smallest),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_examples), cmocka_unit_test(test_always_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
