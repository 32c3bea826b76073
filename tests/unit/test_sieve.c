/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sieve's promise: where a rule fires, the sieve let the event through with one of the rule's bits. Tried with random
 * policies and random events near them, judged by the engine and by an evaluator that shares nothing with it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <time.h>

#include "engine/engine.h"
#include "lib/sieve_io.h"
#include "policy-compiler/explain.h"
#include "policy-compiler/sieve_parts.h"
#include "tests/unit/sieve_gen.h"

static struct sieve sieve, other; /* 1.4 MB each */

static void build_sieve(struct build *b, struct sieve *out)
{
	struct err e;

	if (sieve_build(b->pb, NULL, NULL, out, &e) < 0)
		fail_msg("%s", e.msg);
}

/* ---- the promise ----------------------------------------------------------------------------------------------------- */

static const uint16_t events[] = {
	EV_OPEN,     EV_OPEN,	      EV_OPEN,	EV_EXEC,	EV_RENAME,   EV_EXEC,	      EV_EXEC,	       EV_EXEC,
	EV_EXEC,     EV_EXEC,	      EV_LINK,	EV_CHMOD,	EV_CHOWN,    EV_CONNECT,      EV_CONNECT,      EV_BIND,
	EV_EXIT,     EV_FORK,	      EV_MKDIR, EV_UTIMES,	EV_SETXATTR, EV_WRITE,	      EV_SPLICE,       EV_MMAP,
	EV_MPROTECT, EV_MEMFD_CREATE, EV_BPF,	EV_LOAD_MODULE, EV_SYSCTL,   EV_CGROUP_WRITE, EV_CAPABILITIES, EV_DNS
};

struct tally {
	unsigned events, fired, passed, weak, joined, matches;
};

/* Strikes from @alive what the states of the directories above @path say can not be below them. */
static void strike_directories(const struct sieve *s, const struct sv_automaton *a, const char *path,
			       struct sv_mask *alive)
{
	char dir[GEN_TEXT + 2], *slash;

	strcpy(dir, path);
	for (slash = strrchr(dir, '/'); slash; slash = strrchr(dir, '/')) {
		slash[1] = 0;
		sv_mask_and(alive, sv_reach_mask(s, a, gen_run_at(s, a, dir, 0)));
		slash[0] = 0;
	}
}

/* The directories' shortcut leads to the same state; and what it rules out goes from @alive. */
static void check_runs(const struct sieve *s, const struct event_gen *e, uint64_t seed, struct sv_mask *alive)
{
	for (unsigned k = 0; k < SV_AUT_ADDR; k++) {
		const struct sv_automaton *a = &s->event[e->head.type].automata[k];

		if (!a->used)
			continue;
		if (gen_run_at(s, a, e->path[k], 0) != gen_run_split(s, a, e->path[k]))
			fail_msg("seed %llu: %s: the directory's state leads elsewhere", (unsigned long long)seed,
				 e->path[k]);
		if (!(e->head.type == EV_EXEC && e->proc.v[SLOT_PROC_FILE_LINK_PATH].len)) /* else no path decides */
			strike_directories(s, a, e->path[k], alive);
	}
}

/* What numbers strike before the result is known, they strike with any that is reported. */
static void check_early(const struct sieve *s, const struct event_gen *e, uint64_t seed)
{
	static const int64_t results[] = { 0, -EPERM, -EACCES };
	const struct sv_event *ev = &s->event[e->ev.type];
	struct sv_mask early, known;
	struct ev_head head = e->head;

	sv_alive_start(ev, &early);
	sv_nums_early(ev, &head, e->num, &early);
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		head.retval = results[i];
		sv_alive_start(ev, &known);
		sv_nums(ev, &head, e->num, &known);
		for (size_t w = 0; w < 4; w++)
			if (known.w[w] & ~early.w[w])
				fail_msg("seed %llu: with the result %lld more is left than without",
					 (unsigned long long)seed, (long long)head.retval);
	}
}

/* Where the head has other ids than the process had, and says so, nothing is lost by them. */
static void check_other_ids(const struct program *p, const struct sieve *s, struct event_gen *e, uint64_t seed)
{
	struct ref ref = { .p = p, .ev = &e->ev };
	struct sv_mask alive = { { 0 } };
	const struct ev_head head = e->head;

	e->head.flags |= EV_F_CREDS_AFTER;
	e->head.uid ^= 0xffff0000u;
	e->head.gid = e->head.euid = e->head.egid = e->head.fsuid = e->head.fsgid = 4242;
	e->head.cap_effective = e->head.cap_permitted = 4242;
	gen_sieve(s, e, &alive);
	for (uint32_t i = 0; i < p->nrules; i++)
		if (!gen_rule_alive(p, i, &alive) && ref_holds(&ref, p->rules[i].root))
			fail_msg("seed %llu: rule %u holds, the sieve dropped it by ids of afterwards",
				 (unsigned long long)seed, i);
	e->head = head;
}

static void check_event(struct engine *engine, const struct program *p, const struct sieve *s, struct event_gen *e,
			uint64_t seed, struct tally *t)
{
	struct ref ref = { .p = p, .ev = &e->ev };
	struct sv_mask alive = { { 0 } };
	const uint32_t *rules;
	size_t n, all;

	gen_sieve(s, e, &alive);
	check_early(s, e, seed);
	check_runs(s, e, seed, &alive);
	check_other_ids(p, s, e, seed);
	for (uint32_t i = 0; i < p->nrules; i++) {
		bool holds = ref_holds(&ref, p->rules[i].root);

		if (holds && !gen_rule_alive(p, i, &alive))
			fail_msg("seed %llu: rule %u holds, the sieve dropped it (paths %s and %s)",
				 (unsigned long long)seed, i, e->path[0], e->path[1]);
		t->fired += holds;
	}
	all = engine_eval(engine, &e->ev, &rules);
	for (size_t i = 0; i < all; i++)
		if (!ref_holds(&ref, p->rules[rules[i]].root) || !gen_rule_alive(p, rules[i], &alive))
			fail_msg("seed %llu: rule %u fires, the sieve dropped it", (unsigned long long)seed, rules[i]);
	/* With the sieve's bits alone the engine finds the same. */
	memcpy(e->ev.alive, alive.w, sizeof(e->ev.alive));
	n = engine_eval(engine, &e->ev, &rules);
	if (n != all)
		fail_msg("seed %llu: %zu rules fire, %zu with the sieve's bits", (unsigned long long)seed, all, n);
	t->events++;
	t->passed += !sv_mask_zero(&alive);
}

enum style { FREE, NARROW, WIDE, NUMBERS };

static uint32_t random_root(struct policy_gen *p, enum style style)
{
	uint32_t depth = gen_below(p->g, 6);

	switch (style) {
	case NARROW:
		return gen_narrow(p, depth);
	case WIDE:
		return gen_wide(p);
	case NUMBERS:
		return gen_numbers(p);
	default:
		return gen_condition(p, depth);
	}
}

static void random_rules(struct policy_gen *p)
{
	enum style style = gen_chance(p->g, 60)	  ? NARROW
			   : gen_chance(p->g, 15) ? WIDE
			   : gen_chance(p->g, 15) ? NUMBERS
						  : FREE;
	uint32_t n = 1 + gen_below(p->g, gen_chance(p->g, 50) ? 3 : 12);

	if (gen_chance(p->g, 2))
		n = 300;
	if (style == NUMBERS)
		n = 500;
	gen_fields(p, GEN_PICK(p->g, events));
	p->npatterns = 0;
	for (uint32_t i = 0; i < n; i++)
		build_rule(&p->b, p->event, random_root(p, style));
}

static void random_sieve(struct policy_gen *p, struct sieve *out, uint64_t seed, struct tally *t)
{
	struct sieve_report report;

	gen_build(p, seed, &report, out);
	for (uint32_t i = 0; i < report.nrules; i++)
		t->joined += report.rules[i].weak;
	for (unsigned k = 0; k < SV_AUTOMATA; k++)
		t->weak += report.events[p->event].automata[k].weakened;
	sieve_report_done(&report);
}

static void random_policy(uint64_t seed, struct tally *t)
{
	struct gen g = gen_of(seed);
	struct policy_gen *p = calloc(1, sizeof(*p));
	struct event_gen *e = calloc(1, sizeof(*e));
	struct engine *engine;
	struct program view;
	struct err err;

	assert_true(p && e);
	p->g = &g;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	random_rules(p);
	random_sieve(p, &sieve, seed, t);
	view = program_view(p->b.pb);
	for (uint32_t i = 0; i < view.nnodes; i++)
		t->matches += view.nodes[i].op == N_MATCH;
	if (engine_new(&view, &engine, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
	for (int i = 0; i < 80; i++) {
		gen_event(p, e);
		check_event(engine, &view, &sieve, e, seed, t);
	}
	engine_free(engine);
	program_builder_free(p->b.pb);
	free(p);
	free(e);
}

static void test_soundness(void **state)
{
	uint64_t seed = gen_seed("soundness", 20261120);
	unsigned n = gen_rounds(400);
	struct tally t = { 0 };

	for (unsigned i = 0; i < n; i++)
		random_policy(seed + i, &t);
	printf("%u policies, %u events: %u passed the sieve, %u firings; %u patterns weakened, %u rules of too many clauses\n",
	       n, t.events, t.passed, t.fired, t.weak, t.joined);
	/* The test means something only if rules fire and the sieve drops. */
	assert_true(t.fired > t.events / 50 && t.passed < t.events * 9 / 10 && t.weak && t.joined && t.matches);
}

/* ---- precision ------------------------------------------------------------------------------------------------------- */

static uint32_t flag_set(struct build *b, int64_t flag)
{
	return build1(
		b, N_NOT,
		build2(b, N_LE, build2(b, N_BAND, build_field(b, "open.flags"), build_int(b, flag)), build_int(b, 0)));
}

/* Whether an open of @path with @flags passes. */
static bool passes(const struct sieve *s, const char *path, ev_u64 flags, struct sv_mask *alive)
{
	struct event_gen e = { .head = { .type = EV_OPEN }, .readable = { true } };

	strcpy(e.path[0], path);
	e.num[EVN_OPEN_FLAGS] = flags;
	*alive = (struct sv_mask){ { 0 } };
	gen_sieve(s, &e, alive);
	return !sv_mask_zero(alive);
}

static void test_one_path(void **state)
{
	struct build *b = *state;
	struct sv_mask alive;

	build_rule(b, EV_OPEN, build2(b, N_AND, build_path_is(b, "/etc/shadow"), flag_set(b, 3)));
	build_sieve(b, &sieve);
	assert_true(passes(&sieve, "/etc/shadow", 1, &alive));
	assert_false(passes(&sieve, "/etc/shadow", 4, &alive));
	assert_false(passes(&sieve, "/etc/shadow2", 1, &alive));
	assert_false(passes(&sieve, "/etc/shado", 1, &alive));
	assert_false(passes(&sieve, "/usr/etc/shadow", 1, &alive));
	assert_false(passes(&sieve, "/", 1, &alive));
}

static void test_other_types_have_no_clause(void **state)
{
	struct build *b = *state;

	build_rule(b, EV_OPEN, build_path_is(b, "/etc/shadow"));
	build_sieve(b, &sieve);
	for (unsigned i = 0; i < EV_TYPES; i++)
		assert_int_equal(!sv_mask_zero(&sieve.event[i].clauses), i == EV_OPEN);
}

static void test_dead_directory(void **state)
{
	struct build *b = *state;
	const struct sv_automaton *a = &sieve.event[EV_OPEN].automata[0];

	build_rule(b, EV_OPEN, build_path_is(b, "/etc/shadow"));
	build_sieve(b, &sieve);
	assert_false(sv_mask_zero(sv_reach_mask(&sieve, a, gen_run_at(&sieve, a, "/", 0))));
	assert_false(sv_mask_zero(sv_reach_mask(&sieve, a, gen_run_at(&sieve, a, "/etc/", 0))));
	assert_true(sv_mask_zero(sv_reach_mask(&sieve, a, gen_run_at(&sieve, a, "/etc/ssh/", 0))));
	assert_true(sv_mask_zero(sv_reach_mask(&sieve, a, gen_run_at(&sieve, a, "/usr/", 0))));
}

static void test_never_holds(void **state)
{
	struct build *b = *state;
	uint32_t both = build2(b, N_AND, build_path_is(b, "/a"), build_path_is(b, "/b"));

	build_rule(b, EV_OPEN, both);
	build_rule(b, EV_OPEN,
		   build2(b, N_AND, build2(b, N_EQ, build_field(b, "open.flags"), build_int(b, 4)),
			  build1(b, N_NOT, build2(b, N_EQ, build_field(b, "open.flags"), build_int(b, 4)))));
	build_sieve(b, &sieve);
	assert_true(sv_mask_zero(&sieve.event[EV_OPEN].clauses));
}

/* What asks for no path, but for a result, is ruled out by that before any path is looked at. */
static void test_result_first(void **state)
{
	struct build *b = *state;
	const struct sv_event *ev = &sieve.event[EV_OPEN];
	const struct sv_automaton *paths = &ev->automata[0];
	struct sv_mask alive;

	build_rule(b, EV_OPEN, build_path_is(b, "/a"));
	build_rule(b, EV_OPEN, build2(b, N_EQ, build_field(b, "open.retval"), build_int(b, -EACCES)));
	build_rule(b, EV_OPEN, build2(b, N_AND, flag_set(b, 3), build_path_is(b, "/c")));
	build_sieve(b, &sieve);
	assert_int_equal(ev->nfirst, 1);
	sv_alive_start(ev, &alive);
	assert_true(sv_first(ev, -EACCES, &alive));
	assert_true(sv_mask_meets(&alive, sv_reach_mask(&sieve, paths, gen_run_at(&sieve, paths, "/b/", 0))));
	assert_true(sv_first(ev, 0, &alive));
	assert_true(sv_mask_meets(&alive, sv_reach_mask(&sieve, paths, gen_run_at(&sieve, paths, "/", 0))));
	assert_false(sv_mask_meets(&alive, sv_reach_mask(&sieve, paths, gen_run_at(&sieve, paths, "/b/", 0))));
}

/* The same of what asks for a result and for who it is; not of what asks for a path, too: there the directory decides. */
static void test_who_first(void **state)
{
	struct build *b = *state;
	const struct sv_event *ev = &sieve.event[EV_CHMOD];
	struct sv_who root = { 0, 0, EV_AUID_UNSET }, ann = { 0, 0, 1000 };
	struct sv_mask alive;
	uint32_t ok = build2(b, N_LE, build_field(b, "chmod.retval"), build_int(b, 0));
	uint32_t auid = build_field(b, "process.auid");
	uint32_t person = build2(b, N_AND, build2(b, N_LE, build_int(b, 1000), auid),
				 build1(b, N_NOT, build2(b, N_EQ, auid, build_int(b, EV_AUID_UNSET))));
	uint32_t path = build3(b, N_STREQ, build_field(b, "chmod.file.path"), build_str(b, "/a"), 0);

	build_rule(b, EV_CHMOD, build2(b, N_AND, ok, person));
	build_rule(b, EV_CHMOD,
		   build2(b, N_AND, path, build2(b, N_EQ, build_field(b, "process.gid"), build_int(b, 7))));
	build_sieve(b, &sieve);
	assert_int_equal(ev->nfirst, 1);
	assert_int_equal(ev->nwho, 2);
	sv_alive_start(ev, &alive);
	assert_true(sv_who(ev, &ann, &alive));
	assert_true(sv_mask_meets(
		&alive, sv_reach_mask(&sieve, &ev->automata[0], gen_run_at(&sieve, &ev->automata[0], "/b/", 0))));
	assert_true(sv_who(ev, &root, &alive));
	assert_false(sv_mask_meets(
		&alive, sv_reach_mask(&sieve, &ev->automata[0], gen_run_at(&sieve, &ev->automata[0], "/b/", 0))));
}

/* Of an open that succeeded its flags alone may be the end; flags that have no place in the table rule out nothing. */
static void test_opened(void **state)
{
	enum { WRONLY = 1, RDWR = 2, CREAT = 0100, EXCL = 0200, TRUNC = 01000, APPEND = 02000 };
	struct build *b = *state;
	const struct sv_mask *of = sieve.opened;

	build_rule(b, EV_OPEN, build2(b, N_EQ, build_field(b, "open.retval"), build_int(b, -EACCES)));
	build_rule(b, EV_OPEN, build2(b, N_AND, flag_set(b, WRONLY | RDWR | TRUNC), build_path_is(b, "/a")));
	build_sieve(b, &sieve);
	assert_true(sv_mask_zero(&of[sv_open_index(0)]));
	assert_true(sv_mask_zero(&of[sv_open_index(CREAT | APPEND | EXCL)]));
	assert_false(sv_mask_zero(&of[sv_open_index(WRONLY)]));
	assert_false(sv_mask_zero(&of[sv_open_index(RDWR | CREAT)]));
	assert_false(sv_mask_zero(&of[sv_open_index(TRUNC)]));
	assert_int_equal(sv_open_index(WRONLY | RDWR | CREAT | TRUNC | APPEND), SV_OPENED - 1);

	build_rule(b, EV_OPEN, build2(b, N_AND, flag_set(b, EXCL), build_path_is(b, "/a")));
	build_sieve(b, &sieve);
	assert_false(sv_mask_zero(&of[sv_open_index(0)]));
}

/* What only user space can decide asks nothing of the kernel, whichever way it is meant. */
static void test_undecided(void **state)
{
	struct build *b = *state;
	uint32_t comm = build3(b, N_STREQ, build_field(b, "process.comm"), build_str(b, "cat"), 0);
	struct sv_mask alive;

	build_rule(b, EV_OPEN, build2(b, N_AND, build_path_is(b, "/a"), build1(b, N_NOT, comm)));
	build_sieve(b, &sieve);
	assert_true(passes(&sieve, "/a", 0, &alive));
	assert_false(passes(&sieve, "/b", 0, &alive));
	build_rule(b, EV_OPEN, build2(b, N_OR, build_path_is(b, "/a"), comm));
	build_sieve(b, &sieve);
	assert_true(passes(&sieve, "/b", 0, &alive));
}

/* Many paths share bits, and still only they pass. */
static void test_sharing_keeps_paths(void **state)
{
	struct build *b = *state;
	struct sv_mask alive;
	char path[GEN_TEXT];

	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/srv/data/%d.conf", i * 7);
		build_rule(b, EV_OPEN, build2(b, N_AND, build_path_is(b, path), flag_set(b, i % 2 ? 1 : 64)));
	}
	build_sieve(b, &sieve);
	for (int i = 0; i < 7000; i++) {
		snprintf(path, sizeof(path), "/srv/data/%d.conf", i);
		assert_int_equal(passes(&sieve, path, 65, &alive), i % 7 == 0);
		assert_int_equal(passes(&sieve, path, 1, &alive), i % 14 == 7);
	}
}

/* ---- what is built --------------------------------------------------------------------------------------------------- */

static void same_sieve(uint64_t seed, struct sieve *out)
{
	struct gen g = gen_of(seed);
	struct policy_gen *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->g = &g;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	random_rules(p);
	build_sieve(&p->b, out);
	program_builder_free(p->b.pb);
	free(p);
}

static void test_same_bytes(void **state)
{
	for (uint64_t seed = 1; seed < (SANITIZED ? 10 : 40); seed++) {
		memset(&sieve, 0xaa, sizeof(sieve));
		same_sieve(seed, &sieve);
		same_sieve(seed, &other);
		assert_memory_equal(&sieve, &other, sizeof(sieve));
	}
}

static void or_finals_from(const struct sieve *s, const struct sv_automaton *a, uint32_t from, struct sv_mask *ret)
{
	uint8_t *seen = calloc(a->states, 1);
	uint32_t *todo = calloc(a->states, sizeof(*todo)), n = 0;

	assert_true(seen && todo);
	todo[n++] = from;
	seen[from] = 1;
	while (n) {
		uint32_t state = todo[--n];
		const struct sv_mask *m = sv_final_mask(s, a, state);

		for (int w = 0; w < SV_WORDS; w++)
			ret->w[w] |= m->w[w];
		for (uint32_t c = 0; c < a->classes; c++) {
			uint32_t to = s->trans[a->base + state * a->classes + c];

			if (!seen[to])
				todo[n++] = to;
			seen[to] = 1;
		}
	}
	free(seen);
	free(todo);
}

/* A state's reach is what the states that can follow it say, no less and no more. */
static void test_reach(void **state)
{
	for (uint64_t seed = 100; seed < 130; seed++) {
		same_sieve(seed, &sieve);
		if (sieve.nmasks == SV_MASKS)
			continue;
		for (unsigned i = 0; i < EV_TYPES * SV_AUTOMATA; i++) {
			const struct sv_event *ev = &sieve.event[i / SV_AUTOMATA];
			const struct sv_automaton *a = &ev->automata[i % SV_AUTOMATA];

			for (uint32_t s = 0; a->used && s < a->states && s < 300; s++) {
				struct sv_mask want = { { 0 } };
				const struct sv_mask *have = sv_reach_mask(&sieve, a, s);

				or_finals_from(&sieve, a, s, &want);
				for (int w = 0; w < SV_WORDS; w++)
					assert_int_equal(have->w[w] & ev->clauses.w[w], want.w[w] & ev->clauses.w[w]);
			}
		}
	}
}

static void test_pack(void **state)
{
	for (uint64_t seed = 1; seed < (SANITIZED ? 15 : 60); seed++) {
		struct buf b;
		struct err e;

		same_sieve(seed, &sieve);
		buf_init(&b, 4 << 20);
		assert_int_equal(sieve_pack(&sieve, &b), 0);
		memset(&other, 0xaa, sizeof(other));
		if (sieve_unpack(b.data, b.len, &other, &e) < 0)
			fail_msg("%s", e.msg);
		sieve_opened(&other);
		assert_memory_equal(&sieve, &other, sizeof(sieve));
		for (size_t cut = 0; cut < b.len; cut += 1 + cut / 3)
			assert_int_equal(sieve_unpack(b.data, cut, &other, &e), -EBADMSG);
		buf_done(&b);
	}
}

/* Whatever is flipped is either refused or leads nowhere outside: run under ASan it would tell. */
static void test_pack_flips(void **state)
{
	struct gen g = gen_of(7);
	struct buf b;
	struct err e;

	same_sieve(3, &sieve);
	buf_init(&b, 4 << 20);
	assert_int_equal(sieve_pack(&sieve, &b), 0);
	for (int i = 0; i < 3000; i++) {
		size_t at = gen_below(&g, (uint32_t)b.len);
		uint8_t was = b.data[at];
		struct sv_mask alive = { { 0 } };
		struct event_gen ev = { .path = { "/etc/passwd", "/usr/bin/x.sh" }, .readable = { true, true, true } };

		b.data[at] ^= (uint8_t)(1 << gen_below(&g, 8));
		if (sieve_unpack(b.data, b.len, &other, &e) == 0)
			for (ev.head.type = 0; ev.head.type < EV_TYPES; ev.head.type++)
				gen_sieve(&other, &ev, &alive);
		b.data[at] = was;
	}
	buf_done(&b);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void many_paths(struct build *b, struct gen *g, int n)
{
	static const char *const dirs[] = { "/etc/", "/usr/bin/", "/usr/lib/x86_64-linux-gnu/", "/var/lib/app/data/",
					    "/home/" };
	char path[GEN_TEXT + 40];

	for (int i = 0; i < n; i++) {
		size_t len;

		strcpy(path, GEN_PICK(g, dirs));
		len = strlen(path);
		for (uint32_t k = 5 + gen_below(g, 15); k > 0; k--)
			path[len++] = (char)('a' + gen_below(g, 26));
		strcpy(path + len, gen_chance(g, 50) ? ".conf" : "");
		if (gen_chance(g, 20)) {
			strcat(path, "/**");
			build_rule(b, EV_OPEN, build_strin(b, build_field(b, "open.file.path"), STRM_GLOB, path, NULL));
		} else {
			build_rule(b, EV_OPEN, build_path_is(b, path));
		}
	}
}

static void test_ten_thousand(void **state)
{
	struct build *b = *state;
	struct gen g = gen_of(1);
	struct sieve_report report;
	struct sv_mask alive;
	unsigned passed = 0;
	double start, took;
	struct err e;

	many_paths(b, &g, 10000);
	start = seconds();
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);
	took = seconds() - start;
	for (int i = 0; i < 10000; i++) {
		char path[64];
		size_t len = strlen(strcpy(path, gen_chance(&g, 50) ? "/usr/bin/" : "/etc/"));

		for (uint32_t k = 5 + gen_below(&g, 15); k > 0; k--)
			path[len++] = (char)('a' + gen_below(&g, 26));
		path[len] = 0;
		passed += passes(&sieve, path, 0, &alive);
	}
	printf("10000 path rules: %.2f s, %u states, %u transitions, %u masks, %u patterns cut; %.2f%% of random names pass\n",
	       took, report.states, report.trans, report.masks, report.events[EV_OPEN].automata[0].weakened,
	       passed / 100.0);
	assert_true(passed < 2000);
	sieve_report_done(&report);
}

static void names_with(struct build *b, int n)
{
	char pattern[GEN_TEXT];

	for (int i = 0; i < n; i++) {
		snprintf(pattern, sizeof(pattern), "*%c%d*%c*", 'a' + i % 26, i, 'a' + i * 7 % 26);
		build_rule(b, EV_OPEN, build_strin(b, build_field(b, "open.file.name"), STRM_PATTERN, pattern, NULL));
	}
}

static void report_stars(struct build *b, const char *what, struct sieve_report *ret)
{
	double start = seconds();
	struct err e;

	assert_int_equal(sieve_build(b->pb, NULL, ret, &sieve, &e), 0);
	printf("%s: %.2f s, %u states, %u weakened, %d stars\n", what, seconds() - start, ret->states,
	       ret->events[EV_OPEN].automata[0].weakened, ret->events[EV_OPEN].automata[0].stars);
}

/* Names that are to have some text in them multiply with each other. Then they are known by their first texts, all as one. */
static void test_stars_blow_up(void **state)
{
	struct build *b = *state;
	struct sieve_report report;
	struct sv_mask alive;

	names_with(b, 60);
	build_rule(b, EV_OPEN, build_strin(b, build_field(b, "open.file.path"), STRM_GLOB, "/home/*/.ssh/*", NULL));
	report_stars(b, "60 rules of 3 stars", &report);
	assert_true(passes(&sieve, "/x/_a0bra", 0, &alive));
	assert_true(passes(&sieve, "/x/_b1_h_", 0, &alive));
	assert_true(passes(&sieve, "/home/me/.ssh/id", 0, &alive));
	assert_false(passes(&sieve, "/home/me/.config/id", 0, &alive));
	assert_false(passes(&sieve, "/x/a0/zzz", 0, &alive));
	sieve_report_done(&report);
}

/* In one rule it does not matter which of them it is: nothing has to give way. */
static void test_set_of_names(void **state)
{
	struct build *b = *state;
	struct sieve_report report;
	struct sv_mask alive;
	struct strm m[40];
	char pattern[GEN_TEXT];

	for (int i = 0; i < 40; i++) {
		snprintf(pattern, sizeof(pattern), "*%c%d*", 'a' + i % 26, i);
		m[i] = (struct strm){ .str = build_string(b, pattern), .kind = STRM_PATTERN };
	}
	build_rule(b, EV_OPEN,
		   build1(b, N_NOT,
			  build2(b, N_STRIN, build_field(b, "open.file.name"),
				 build_ok(program_strset_add(b->pb, m, 40)))));
	report_stars(b, "a set of 40 \"*x*\"", &report);
	assert_int_equal(report.events[EV_OPEN].automata[0].weakened, 0);
	assert_false(passes(&sieve, "/x/_a0bra", 0, &alive));
	assert_false(passes(&sieve, "/_b1_", 0, &alive));
	assert_true(passes(&sieve, "/_b1_/x", 0, &alive));
	sieve_report_done(&report);
}

static void test_explain(void **state)
{
	struct build *b = *state;
	struct prule rule = { .event = EV_OPEN };
	struct sieve_report report;
	char *text = NULL;
	size_t size;
	struct err e;
	FILE *f;

	rule.id = build_string(b, "shadow");
	rule.root = build2(b, N_AND, build2(b, N_AND, build_path_is(b, "/etc/shadow"), flag_set(b, 64)),
			   build3(b, N_STREQ, build_field(b, "process.comm"), build_str(b, "cat"), 0));
	build_ok(program_rule_add(b->pb, &rule, NULL, 0));
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);

	f = open_memstream(&text, &size);
	assert_int_equal(explain_print(f, &report, NULL, false), 0);
	fclose(f);
	assert_non_null(strstr(
		text,
		"rule shadow (open): the kernel decides 2 of 3 predicates\n  clause 0    open.file.path == \"/etc/shadow\" && open.flags & 64 != 0\n"));
	assert_non_null(strstr(
		text,
		"user space  process.comm == \"cat\"   -- process.comm stays until the next exec: by the process's mask, once it is known\n"));
	free(text);

	f = open_memstream(&text, &size);
	assert_int_equal(explain_print(f, &report, "shadow", true), 0);
	fclose(f);
	assert_non_null(strstr(
		text,
		"\"clauses\":[{\"bit\":0,\"open\":false,\"shared\":0,\"text\":\"open.file.path == \\\"/etc/shadow\\\""));
	free(text);
	assert_int_equal(explain_print(stdout, &report, "nothing", false), -ENOENT);
	sieve_report_done(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_soundness),
		cmocka_unit_test_setup_teardown(test_one_path, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_other_types_have_no_clause, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_dead_directory, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_never_holds, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_who_first, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_result_first, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_opened, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_undecided, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_sharing_keeps_paths, build_setup, build_teardown),
		cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_pack_flips),
		cmocka_unit_test_setup_teardown(test_ten_thousand, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_stars_blow_up, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_set_of_names, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_explain, build_setup, build_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
