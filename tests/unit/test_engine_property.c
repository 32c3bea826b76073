/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine against an evaluator that asks every rule by itself and shares no code with it: random policies, random events
 * near them, processes with ancestors and arguments that are seen again and change, and random masks. Sets of patterns
 * that are asked all at once against the same patterns one by one. And more texts than are remembered, by turns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>

#include "engine/engine.h"
#include "engine/patset.h"
#include "tests/unit/sieve_gen.h"

/* ---- what rules ask of processes ------------------------------------------------------------------------------------- */

static uint32_t field_node(struct policy_gen *p, const char *name)
{
	return build_field(&p->b, name);
}

/* A text or one of a set, asked of the node. */
static uint32_t text_atom(struct policy_gen *p, uint32_t node, bool path)
{
	return gen_string_atom(p, node, path);
}

static uint32_t elem(struct policy_gen *p)
{
	return build1(&p->b, N_ELEM, NT_STR);
}

static uint32_t current(struct policy_gen *p, const char *name)
{
	return build1(&p->b, N_CURRENT, build_field_index(name));
}

/* Two conditions on one ancestor, one of which may be a number. */
static uint32_t exists_atom(struct policy_gen *p)
{
	uint32_t x = text_atom(p, current(p, "process.ancestors.file.path"), true), y;

	y = gen_chance(p->g, 50)
		    ? text_atom(p, current(p, "process.ancestors.comm"), false)
		    : build2(&p->b, N_LE, current(p, "process.ancestors.uid"), build_int(&p->b, gen_int(p->g)));
	if (gen_chance(p->g, 30))
		y = build1(&p->b, N_NOT, y);
	x = build2(&p->b, gen_chance(p->g, 70) ? N_AND : N_OR, x, y);
	return build2(&p->b, N_EXISTS, x, build_field_index("process.ancestors.pid"));
}

static uint32_t process_atom(struct policy_gen *p)
{
	static const char *const arrays[] = { "process.ancestors.comm", "process.argv",		  "process.args_flags",
					      "process.parent.argv",	"process.ancestors.argv", "process.envs" };
	uint32_t kind = gen_below(p->g, 100), pids;

	if (kind < 20)
		return exists_atom(p);
	if (kind < 50)
		return build2(&p->b, N_ANY, field_node(p, GEN_PICK(p->g, arrays)), text_atom(p, elem(p), false));
	if (kind < 60)
		return build2(&p->b, N_ANY, field_node(p, "process.ancestors.file.path"), text_atom(p, elem(p), true));
	if (kind < 70) {
		pids = build2(&p->b, N_EQ, build1(&p->b, N_ELEM, NT_INT), build_int(&p->b, gen_int(p->g)));
		return build2(&p->b, N_ANY, field_node(p, "process.ancestors.uid"), pids);
	}
	if (kind < 85)
		return text_atom(p, field_node(p, "process.parent.file.path"), true);
	return text_atom(p, field_node(p, "process.comm"), false);
}

/* What rules mostly are: several things at once, each one of a few. */
static uint32_t condition(struct policy_gen *p)
{
	uint32_t all = gen_chance(p->g, 60) ? gen_narrow(p, gen_below(p->g, 3)) : gen_condition(p, gen_below(p->g, 4));

	for (uint32_t i = gen_below(p->g, 3); i > 0; i--) {
		uint32_t x = process_atom(p);

		if (gen_chance(p->g, 25))
			x = build1(&p->b, N_NOT, x);
		if (gen_chance(p->g, 30))
			x = build2(&p->b, N_OR, x, gen_chance(p->g, 50) ? process_atom(p) : gen_atom(p));
		all = build2(&p->b, gen_chance(p->g, 75) ? N_AND : N_OR, all, x);
	}
	return all;
}

/* ---- processes ------------------------------------------------------------------------------------------------------- */

#define PROCS 12

struct image {
	struct proc p;
	char path[GEN_TEXT + 1], link[GEN_TEXT + 1], comm[GEN_TEXT + 1], words[8][GEN_TEXT + 1];
	struct val args[8];
};

static void image_change(struct policy_gen *g, struct image *i, uint64_t version)
{
	uint32_t n = g->npatterns < GEN_PATTERNS ? g->npatterns : GEN_PATTERNS;
	uint32_t nargs = gen_below(g->g, 9), split;

	gen_near(g->g, n ? g->patterns[gen_below(g->g, n)] : "/a", i->path);
	gen_near(g->g, n ? g->patterns[gen_below(g->g, n)] : "b", i->comm);
	for (uint32_t k = 0; k < 8; k++) {
		gen_near(g->g, n ? g->patterns[gen_below(g->g, n)] : "c", i->words[k]);
		i->args[k] = gen_str_val(i->words[k]);
	}
	i->p.v[SLOT_PROC_FILE_PATH] = gen_str_val(i->path);
	gen_near(g->g, n ? g->patterns[gen_below(g->g, n)] : "/d", i->link);
	i->p.v[SLOT_PROC_FILE_LINK_PATH] = gen_chance(g->g, 30) ? gen_str_val(i->link) : (struct val){ .len = 0 };
	i->p.v[SLOT_PROC_COMM] = gen_str_val(i->comm);
	i->p.v[SLOT_PROC_UID].num = gen_int(g->g);
	split = gen_below(g->g, nargs + 1);
	i->p.v[SLOT_PROC_ARGV] = (struct val){ .arr = i->args, .len = nargs };
	i->p.v[SLOT_PROC_ARGS_FLAGS] = (struct val){ .arr = i->args, .len = split };
	i->p.v[SLOT_PROC_ENVS] = (struct val){ .arr = i->args + split, .len = nargs - split };
	i->p.version = version;
}

/* A tree of processes: each is below one with a lower number. Some have no version, as those of JSON. */
static void images_make(struct policy_gen *g, struct image images[PROCS], uint64_t *version)
{
	for (uint32_t i = 0; i < PROCS; i++) {
		image_change(g, &images[i], gen_chance(g->g, 70) ? ++*version : 0);
		images[i].p.parent = i ? &images[gen_below(g->g, i)].p : NULL;
	}
}

/* The process of the event: values that the head and the process share stay as the event has them. */
static void take_process(struct policy_gen *g, struct event_gen *e, struct image images[PROCS], uint64_t *version)
{
	struct image *i = &images[gen_below(g->g, PROCS)];

	if (gen_chance(g->g, 20))
		image_change(g, &images[gen_below(g->g, PROCS)], gen_chance(g->g, 70) ? ++*version : 0);
	if (gen_chance(g->g, 4)) {
		e->ev.proc = NULL;
		return;
	}
	if (gen_chance(g->g, 50)) { /* one of its own: what the head says */
		e->proc.parent = &i->p;
		return;
	}
	e->ev.proc = &i->p;
}

/* ---- the engine -------------------------------------------------------------------------------------------------------- */

struct tally {
	unsigned events, fired, masked;
};

/* One or a few bits for each rule. */
static void random_clauses(struct policy_gen *p, uint32_t rule, uint32_t root)
{
	struct clause c[3];
	uint32_t n = 1 + gen_below(p->g, 3);

	for (uint32_t i = 0; i < n; i++)
		c[i] = (struct clause){ .root = root, .bit = (uint16_t)gen_below(p->g, SV_CLAUSES) };
	assert_int_equal(program_clauses_set(p->b.pb, rule, c, n), 0);
}

static void check_event(struct engine *engine, const struct program *p, const struct event *ev, uint64_t seed,
			struct tally *t)
{
	struct ref ref = { .p = p, .ev = ev };
	struct sv_mask alive;
	const uint32_t *rules;
	size_t n = engine_eval(engine, ev, &rules), k = 0;

	memcpy(&alive, ev->alive, sizeof(alive));
	for (uint32_t i = 0; i < p->nrules; i++) {
		bool holds = ref_holds(&ref, p->rules[i].root), wanted = holds && gen_rule_alive(p, i, &alive);

		if (wanted != (k < n && rules[k] == i))
			fail_msg("seed %llu: rule %u %s", (unsigned long long)seed, i,
				 wanted ? "holds and does not fire" : "fires and does not hold");
		k += wanted;
		t->fired += wanted;
		t->masked += holds && !wanted;
	}
	t->events++;
}

static void check_policy(struct policy_gen *p, uint64_t seed, struct tally *t)
{
	static struct image images[PROCS];
	struct event_gen *e = calloc(1, sizeof(*e));
	struct program view = program_view(p->b.pb);
	struct engine *engine;
	uint64_t version = 0;
	struct err err;

	assert_non_null(e);
	if (engine_new(&view, &engine, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
	memset(images, 0, sizeof(images));
	images_make(p, images, &version);
	for (int i = 0; i < 60; i++) {
		gen_event(p, e);
		take_process(p, e, images, &version);
		for (int w = 0; w < SV_WORDS && gen_chance(p->g, 40); w++)
			e->ev.alive[w] = (uint64_t)gen_below(p->g, UINT32_MAX) << 32 | gen_below(p->g, UINT32_MAX);
		check_event(engine, &view, &e->ev, seed, t);
	}
	engine_free(engine);
	free(e);
}

static void random_policy(uint64_t seed, struct tally *t)
{
	static const uint16_t events[] = { EV_OPEN, EV_EXEC, EV_RENAME, EV_CONNECT, EV_CHMOD };
	struct gen g = gen_of(seed);
	struct policy_gen *p = calloc(1, sizeof(*p));
	uint32_t n = gen_chance(&g, 10) ? 200 : 1 + gen_below(&g, 25);

	assert_non_null(p);
	p->g = &g;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	gen_fields(p, GEN_PICK(&g, events));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t root = condition(p);

		random_clauses(p, build_rule(&p->b, p->event, root), root);
	}
	check_policy(p, seed, t);
	program_builder_free(p->b.pb);
	free(p);
}

static void test_engine(void **state)
{
	uint64_t seed = gen_seed("engine", 20261121);
	unsigned n = gen_rounds(400);
	struct tally t = { 0 };

	(void)state;
	for (unsigned i = 0; i < n; i++)
		random_policy(seed + i, &t);
	printf("%u policies, %u events: %u firings, %u held back by masks\n", n, t.events, t.fired, t.masked);
	/* The test means something only if rules fire, and masks matter. */
	assert_true(t.fired > t.events / 10 && t.masked > t.events / 20);
}

/* ---- patterns ---------------------------------------------------------------------------------------------------------- */

static void put_hit(void *ctx, uint32_t term)
{
	bool *hits = ctx;

	assert_false(hits[term]); /* each once */
	hits[term] = true;
}

static uint32_t random_regex(struct policy_gen *p)
{
	static const char *const pieces[] = { "a",	"ab",	 "etc",	   "x\\.sh", ".*",   "[a-c]+", "(tmp|usr)",
					      "(b|a*)", "(?i)A", "passwd", "\\b",    "\\d?", "/",      "." };
	char text[GEN_TEXT + 1] = "";

	for (uint32_t i = 1 + gen_below(p->g, 4); i > 0; i--)
		gen_append(text, GEN_PICK(p->g, pieces));
	return build_string(&p->b, text);
}

static void random_patset(uint64_t seed, unsigned *matches)
{
	struct gen g = gen_of(seed);
	struct policy_gen *p = calloc(1, sizeof(*p));
	struct strm m[200];
	uint32_t ids[200], n = 1 + gen_below(&g, gen_chance(&g, 30) ? 200 : 12), nids = 0;
	struct program view;
	struct terms terms;
	struct patset *set;
	char text[GEN_TEXT + 1];

	assert_non_null(p);
	p->g = &g;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	for (uint32_t i = 0; i < n; i++) {
		m[i] = gen_strm(p, gen_chance(&g, 50));
		if (gen_chance(&g, 15))
			m[i] = (struct strm){ .str = random_regex(p), .kind = STRM_REGEX, .icase = gen_chance(&g, 15) };
	}
	program_strset_add(p->b.pb, m, n);
	view = program_view(p->b.pb);
	assert_int_equal(terms_init(&terms, &view, NULL), 0);
	for (uint32_t i = 0; i < terms.n; i++)
		if (terms.v[i].kind != STRM_EXACT)
			ids[nids++] = i;
	assert_int_equal(patset_new(&terms, ids, nids, &set), 0);
	for (int k = 0; k < 100; k++) {
		bool hits[200] = { false };

		if (gen_chance(&g, 80) && p->npatterns)
			gen_near(&g,
				 p->patterns[gen_below(&g, p->npatterns < GEN_PATTERNS ? p->npatterns : GEN_PATTERNS)],
				 text);
		else
			gen_path(&g, false, text);
		patset_scan(set, text, strlen(text), put_hit, hits);
		for (uint32_t i = 0; i < nids; i++) {
			if (hits[ids[i]] != term_match(&terms, ids[i], text, strlen(text)))
				fail_msg("seed %llu: \"%s\" on \"%.*s\": %s", (unsigned long long)seed, text,
					 (int)terms.v[ids[i]].len, terms.v[ids[i]].s,
					 hits[ids[i]] ? "found, and does not match" : "matches, and was not found");
			*matches += hits[ids[i]];
		}
	}
	patset_free(set);
	terms_done(&terms);
	program_builder_free(p->b.pb);
	free(p);
}

static void test_patset(void **state)
{
	uint64_t seed = gen_seed("patset", 20261121);
	unsigned n = gen_rounds(400), matches = 0;

	(void)state;
	for (unsigned i = 0; i < n; i++)
		random_patset(seed + i, &matches);
	printf("%u sets, %u matches\n", n, matches);
	assert_true(matches > n * 20);
}

/* ---- texts that are remembered ----------------------------------------------------------------------------------------- */

#define MARKS 8
#define TEXTS 60000 /* about twice as many as are remembered */

/* Text @i, of up to a hundred bytes or so, and which of the marks are in it. */
static size_t marked_text(uint32_t i, char text[160], uint32_t *ret_marks)
{
	uint32_t hash = i * 0x9e3779b1u;
	size_t n = (size_t)sprintf(text, "/%u/%.*s", i, (int)(hash >> 8 & 63),
				   "----------------------------------------------------------------");

	*ret_marks = hash >> 16 & hash >> 24 & 0xff; /* two on average */
	for (uint32_t k = 0; k < MARKS; k++)
		if (*ret_marks >> k & 1)
			n += (size_t)sprintf(text + n, "%c!", 'a' + (int)k);
	return n;
}

/* A rule for each mark. */
static void mark_rules(struct build *b)
{
	assert_int_equal(program_builder_new(catalog_tamis(), &b->pb), 0);
	for (char c = 'a'; c < 'a' + MARKS; c++) {
		char pattern[] = { '*', c, '!', '*', 0 };

		build_rule(b, EV_OPEN, build_strin(b, build_field(b, "open.file.path"), STRM_PATTERN, pattern, NULL));
	}
}

static void assert_marks(struct engine *engine, uint32_t i)
{
	struct event ev = { .type = EV_OPEN };
	uint32_t wanted, found = 0;
	const uint32_t *rules;
	char text[160];

	memset(ev.alive, 0xff, sizeof(ev.alive));
	ev.v[SLOT_OPEN_FILE_PATH].len = (uint32_t)marked_text(i, text, &wanted);
	ev.v[SLOT_OPEN_FILE_PATH].s = text;
	for (size_t n = engine_eval(engine, &ev, &rules); n > 0; n--)
		found |= 1u << rules[n - 1];
	if (found != wanted)
		fail_msg("%s: rules %#x fire, not %#x", text, found, wanted);
}

static void test_remembered(void **state)
{
	struct gen g = gen_of(gen_seed("remembered", 20261121));
	unsigned rounds = 1000 * gen_rounds(400);
	struct engine *engine;
	struct program view;
	struct build b;

	(void)state;
	mark_rules(&b);
	view = program_view(b.pb);
	assert_int_equal(engine_new(&view, &engine, NULL), 0);
	for (unsigned i = 0; i < rounds; i++)
		assert_marks(engine, gen_below(&g, TEXTS));
	engine_free(engine);
	program_builder_free(b.pb);
}

/*
 * The table of texts begins where a cache line does, wherever the memory for it begins, and ends within it. Large blocks come from
 * between the others here, as they do in a process that has replaced its engine once, so that malloc() notices what lies beyond.
 */
static void test_remembered_within(void **state)
{
	struct program view;
	struct build b;

	(void)state;
	mark_rules(&b);
	view = program_view(b.pb);
	assert_true(mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1 || SANITIZED);
	for (size_t shift = 0; shift < 8; shift++) {
		void *before = malloc(16 * shift + 8);
		struct engine *engine;

		assert_non_null(before);
		assert_int_equal(engine_new(&view, &engine, NULL), 0);
		for (uint32_t i = 0; i < 4 * TEXTS; i++)
			assert_marks(engine, i);
		engine_free(engine);
		free(before);
	}
	program_builder_free(b.pb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_engine),
		cmocka_unit_test(test_patset),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_remembered_within),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
