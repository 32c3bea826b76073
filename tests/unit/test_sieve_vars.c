/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags of variables in the sieve: what they rule out, the engine finds no rule for. Random policies whose rules set variables and ask
 * for them, and random events in a row: an engine that sees all of them finds the same rules as one that sees what the sieve leaves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "policy-compiler/explain.h"
#include "policy-compiler/name_rules.h"
#include "policy-compiler/sieve_build.h"
#include "tests/unit/policy_bench.h"
#include "tests/unit/sieve_gen.h"

static struct sieve sieve;

/* What is left of the event by the flags; what it may set is set. */
static void pass_vars(uint16_t type, struct sv_mask *alive)
{
	const struct sv_event *e = &sieve.event[type];

	sv_vars_strike(&sieve, e, alive);
	if (!sv_mask_zero(alive))
		sv_vars_set(&sieve, e, alive);
}

/* ---- random policies ------------------------------------------------------------------------------------------------- */

#define VARS 12 /* of four types in turns */

struct tally {
	unsigned events, fired, struck, dropped, late, carried;
};

struct world {
	struct gen g;
	struct policy_gen p;
	struct event_gen e;
	uint32_t var[VARS]; /* nodes */
	uint16_t types[4];
	struct program view;
	struct engine *all, *some; /* of all events, and of what the sieve leaves */
	int64_t now;
	uint64_t seed;
};

static uint32_t value_of(struct world *w, uint8_t type)
{
	struct build *b = &w->p.b;

	switch (type) {
	case NT_INT:
		return build_int(b, (int64_t)gen_below(&w->g, 4));
	case NT_BOOL:
		return build_bool(b, gen_chance(&w->g, 70));
	default:
		return build_str(b, GEN_PICK(&w->g, gen_words));
	}
}

static void add_variables(struct world *w)
{
	static const uint8_t types[] = { NT_INT, NT_BOOL, NT_STR, NT_STRS };
	char name[16];

	for (uint32_t i = 0; i < VARS; i++) {
		struct pvar v = { .type = types[i % 4], .scope = (uint8_t)gen_below(&w->g, VAR_SCOPES) };
		uint32_t value;

		snprintf(name, sizeof(name), "v%u", i);
		v.name = build_string(&w->p.b, name);
		v.size = program_is_array(v.type) ? 3 : 0;
		v.ttl_ns = gen_chance(&w->g, 20) ? 20 : 0;
		v.flags = v.scope == VAR_PROCESS && gen_chance(&w->g, 50) ? VAR_INHERITED : 0;
		if (gen_chance(&w->g, 30)) {
			value = value_of(w, program_scalar(v.type));
			v.default_count = 1;
			v.default_first = build_ok(program_refs_add(w->p.b.pb, &value, 1));
		}
		w->var[i] = build1(&w->p.b, N_VAR, build_ok(program_var_add(w->p.b.pb, &v)));
	}
}

/* Rules of few variables each, so that they have to do with each other. */
static void pick_variables(struct world *w)
{
	for (uint32_t i = 0; i < 4; i++)
		w->p.vars[i] = w->var[4 * gen_below(&w->g, VARS / 4) + i];
}

static uint32_t about_variables(struct world *w)
{
	struct policy_gen *p = &w->p;
	uint32_t atom = gen_chance(&w->g, 50) ? gen_var_atom(p)
			: gen_chance(&w->g, 50)
				? build2(&p->b, N_ANY, p->vars[3],
					 build2(&p->b, N_STRIN, build1(&p->b, N_ELEM, NT_STR),
						build_ok(program_strset_add(p->b.pb,
									    (struct strm[]){ gen_strm(p, false) }, 1))))
				: build3(&p->b, N_STREQ, p->vars[2], build_str(&p->b, GEN_PICK(&w->g, gen_words)), 0);

	return gen_chance(&w->g, 30) ? build1(&p->b, N_NOT, atom) : atom;
}

static void add_actions(struct world *w, uint32_t rule)
{
	struct paction a[3];
	uint32_t n = gen_below(&w->g, 4), value;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t var = gen_below(&w->g, VARS);
		struct program view = program_view(w->p.b.pb);

		value = value_of(w, program_scalar(view.vars[var].type));
		a[i] = (struct paction){ .kind = ACT_SET,
					 .filter = PROGRAM_NONE,
					 .field = PROGRAM_NONE,
					 .message = PROGRAM_NONE,
					 .var = var,
					 .values_count = 1 };
		if (gen_chance(&w->g, 20))
			a[i].filter = w->var[1];
		a[i].values_first = build_ok(program_refs_add(w->p.b.pb, &value, 1));
	}
	build_ok(program_actions_set(w->p.b.pb, rule, a, n));
}

static void add_rules(struct world *w)
{
	static const uint16_t types[] = { EV_OPEN, EV_EXEC, EV_RENAME, EV_LINK, EV_CHMOD, EV_MKDIR, EV_UNLINK };
	struct policy_gen *p = &w->p;

	pick_variables(w);
	for (int t = 0; t < 4; t++) {
		w->types[t] = GEN_PICK(&w->g, types);
		gen_fields(p, w->types[t]);
		for (uint32_t n = 1 + gen_below(&w->g, 5); n > 0; n--) {
			uint32_t root;

			pick_variables(w);
			root = gen_chance(&w->g, 60) ? gen_narrow(p, gen_below(&w->g, 3)) : gen_number_atom(p);
			if (gen_chance(&w->g, 60))
				root = build2(&p->b, gen_chance(&w->g, 75) ? N_AND : N_OR, root, about_variables(w));
			add_actions(w, build_rule(&p->b, p->event, root));
		}
	}
}

/* Few processes, containers and cgroups, so that what one sets another one finds. */
static void make_event(struct world *w)
{
	static const char *const containers[] = { "", "c1", "c2" }, *const cgroups[] = { "", "g1", "g2" };
	struct event_gen *e = &w->e;

	w->p.event = w->types[gen_below(&w->g, 4)];
	gen_event(&w->p, e);
	e->proc.v[SLOT_PROC_PID].num = gen_below(&w->g, 3);
	e->proc.start = 7;
	e->proc.v[SLOT_PROC_CONTAINER_ID] = gen_str_val(GEN_PICK(&w->g, containers));
	e->proc.v[SLOT_PROC_CGROUP_ID] = gen_str_val(GEN_PICK(&w->g, cgroups));
	e->ev.now_ns = w->now++;
}

static struct engine *engine_of(struct world *w)
{
	struct engine *e;
	struct err err;

	if (engine_new(&w->view, &e, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)w->seed, err.msg);
	return e;
}

/* As at a reload: what the policy before has set is taken over. */
static void carry(struct world *w, struct tally *t)
{
	struct engine *all = engine_of(w), *some = engine_of(w);
	uint64_t flags;

	engine_carry(all, w->all);
	engine_carry(some, w->some);
	flags = engine_flags(some);
	assert_true(flags == engine_flags(all));
	for (unsigned i = 0; i < SV_VARS; i++)
		sieve.set[i] = flags >> i & 1;
	engine_free(w->all);
	engine_free(w->some);
	w->all = all;
	w->some = some;
	t->carried += flags != 0;
}

static void check_event(struct world *w, struct tally *t)
{
	struct event_gen *e = &w->e;
	struct sv_mask alive = { { 0 } }, before;
	const uint32_t *rules;
	uint32_t truth[64];
	size_t n, found = 0;

	make_event(w);
	gen_sieve(&sieve, e, &alive);
	before = alive;
	pass_vars(e->ev.type, &alive);
	n = engine_eval(w->all, &e->ev, &rules);
	assert_true(n <= 64);
	memcpy(truth, rules, n * sizeof(*rules));
	memcpy(e->ev.alive, alive.w, sizeof(e->ev.alive));
	if (!sv_mask_zero(&alive))
		found = engine_eval(w->some, &e->ev, &rules);
	if (found != n || (n && memcmp(truth, rules, n * sizeof(*rules)) != 0))
		fail_msg("seed %llu: at %lld %zu rules hold, of what the sieve left %zu", (unsigned long long)w->seed,
			 (long long)w->now, n, found);
	t->events++;
	t->fired += n > 0;
	t->struck += memcmp(&before, &alive, sizeof(alive)) != 0;
	t->dropped += !sv_mask_zero(&before) && sv_mask_zero(&alive);
}

static void random_policy(uint64_t seed, struct tally *t)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	assert_non_null(w);
	w->seed = seed;
	w->g = gen_of(seed);
	w->p.g = &w->g;
	assert_int_equal(program_builder_new(catalog_tamis(), &w->p.b.pb), 0);
	add_variables(w);
	add_rules(w);
	if (sieve_build(w->p.b.pb, NULL, NULL, &sieve, &err) < 0)
		fail_msg("seed %llu: %s", (unsigned long long)seed, err.msg);
	w->view = program_view(w->p.b.pb);
	w->all = engine_of(w);
	w->some = engine_of(w);
	for (int i = 0; i < 150; i++) {
		check_event(w, t);
		if (gen_chance(&w->g, 2))
			carry(w, t);
	}
	engine_free(w->all);
	engine_free(w->some);
	program_builder_free(w->p.b.pb);
	free(w);
}

static void test_nothing_is_lost(void **state)
{
	uint64_t seed = gen_seed("sieve_vars", 26);
	unsigned n = gen_rounds(400);
	struct tally t = { 0 };

	for (unsigned i = 0; i < n; i++)
		random_policy(seed + i, &t);
	printf("%u policies, %u events: rules held on %u, flags struck of %u, dropped %u; %u took values over\n", n,
	       t.events, t.fired, t.struck, t.dropped, t.carried);
	assert_true(t.fired > t.events / 50 && t.struck > t.events / 50 && t.dropped && t.carried);
}

/* ---- policies by hand ------------------------------------------------------------------------------------------------ */

struct use {
	struct policy_bench b;
	struct program p;
};

static void begin(struct use *u, const char *yaml)
{
	struct err err;

	bench_policy(&u->b, yaml);
	for (size_t i = 0; i < u->b.diags.n; i++)
		if (u->b.diags.v[i].level == DIAG_ERROR)
			fail_msg("%s", u->b.diags.v[i].msg);
	assert_int_equal(name_rules_add(u->b.compile), 0);
	if (sieve_build(u->b.compile->builder, NULL, NULL, &sieve, &err) < 0)
		fail_msg("%s", err.msg);
	u->p = program_view(u->b.compile->builder);
}

static void end(struct use *u)
{
	bench_end(&u->b);
}

/* Whether an event of that type on @path passes. */
static bool passes(uint16_t type, const char *path)
{
	struct event_gen e = { .head = { .type = type }, .readable = { true } };
	struct sv_mask alive = { { 0 } };

	strcpy(e.path[0], path);
	gen_sieve(&sieve, &e, &alive);
	if (sv_mask_zero(&alive))
		return false;
	pass_vars(type, &alive);
	return !sv_mask_zero(&alive);
}

#define SET(ID, WHEN, HOW) "- {id: " ID ", expression: '" WHEN "', actions: [{set: {" HOW "}}]}\n"
#define ASK(ID, WHEN)	   "- {id: " ID ", expression: '" WHEN "'}\n"

static void test_until_it_is_set(void **state)
{
	struct use u;

	begin(&u, "rules:\n" SET("a", "open.file.path == \"/set\"",
				 "name: v, field: process.pid, append: true, scope: cgroup")
			  ASK("b", "unlink.file.path == \"/x\" && process.ancestors.pid in ${cgroup.v}"));
	assert_int_equal(sieve.nvars, 2);
	assert_int_equal(u.p.vars[0].flag, 1);
	assert_false(passes(EV_UNLINK, "/x"));
	assert_false(passes(EV_OPEN, "/x"));
	assert_false(passes(EV_UNLINK, "/x"));
	assert_true(passes(EV_OPEN, "/set"));
	assert_true(passes(EV_UNLINK, "/x"));
	assert_false(passes(EV_UNLINK, "/y"));
	end(&u);
}

/* Rules are asked in their order: what the first one sets with an event, the next one finds with the same. */
static void test_same_event(void **state)
{
	struct use u;

	begin(&u, "rules:\n" SET("a", "open.file.path in [\"/a\", \"/b\"]", "name: v, value: true")
			  ASK("b", "open.file.path in [\"/b\", \"/c\"] && ${v}"));
	assert_false(passes(EV_OPEN, "/c"));
	assert_true(passes(EV_OPEN, "/b"));
	assert_true(passes(EV_OPEN, "/c"));
	end(&u);
	begin(&u, "rules:\n" SET("a", "open.file.path in [\"/a\", \"/b\"]", "name: v, value: true")
			  ASK("b", "open.file.path in [\"/b\", \"/c\"] && ${v}"));
	struct event_gen e = { .head = { .type = EV_OPEN }, .path = { "/b" }, .readable = { true } };
	struct sv_mask alive = { { 0 } };

	gen_sieve(&sieve, &e, &alive);
	pass_vars(EV_OPEN, &alive);
	assert_true(gen_rule_alive(&u.p, 0, &alive) && gen_rule_alive(&u.p, 1, &alive));
	end(&u);
}

static void test_exec_sets(void **state)
{
	struct use u;

	begin(&u, "rules:\n" SET("a", "exec.file.path == \"/set\"", "name: v, value: true")
			  SET("c", "open.file.path == \"/set\"", "name: v, value: true")
				  ASK("b", "unlink.file.path == \"/x\" && ${v}"));
	assert_int_equal(sieve.nvars, 3);
	assert_false(passes(EV_UNLINK, "/x"));
	assert_false(passes(EV_EXEC, "/x"));
	assert_false(passes(EV_UNLINK, "/x"));
	assert_true(passes(EV_EXEC, "/set"));
	assert_true(passes(EV_UNLINK, "/x"));
	end(&u);
}

/* Each with what variable v is, a condition, and whether that is false as long as it is not set. */
static void test_what_is_lacking(void **state)
{
	static const struct {
		const char *how, *when;
		bool lacks;
	} cases[] = {
		{ "value: true", "${v}", true },
		{ "value: true", "!${v}", false },
		{ "value: true, default_value: true", "${v}", false },
		{ "value: true, default_value: true", "!${v}", true },
		{ "value: 5", "${v} == 5", true },
		{ "value: 5", "${v} != 0", true },
		{ "value: 5", "${v} == 0", false },
		{ "value: 5", "${v} < 5", false },
		{ "value: 5, default_value: 7", "${v} > 6", false },
		{ "value: 5, default_value: 7", "${v} == 5", true },
		{ "value: x", "${v} == \"x\"", true },
		{ "value: x", "${v} != \"\"", true },
		{ "value: x", "${v} == \"\"", false },
		{ "value: x", "${v} != \"x\"", false },
		{ "value: x", "${v} in [\"\", ~\"a*\"]", false },
		{ "value: x", "${v} in [\"y\", ~\"a*\"]", true },
		{ "value: x", "${v} not in [\"y\", ~\"a*\"]", false },
		{ "value: x", "${v} =~ \"*\"", false },
		{ "value: x, default_value: abc", "${v} =~ \"a*\"", false },
		{ "value: x, default_value: abc", "${v} =~ \"b*\"", true },
		{ "value: [x]", "open.file.name in ${v}", true },
		{ "value: [x]", "open.file.name not in ${v}", false },
		{ "value: [5]", "process.pid in ${v}", true },
		{ "value: [5]", "process.pid not in ${v}", false },
		{ "value: [5]", "process.ancestors.pid in ${v} || process.comm == \"q\"", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char yaml[512];
		struct use u;

		snprintf(
			yaml, sizeof(yaml),
			"rules:\n- {id: a, expression: 'unlink.file.path == \"/set\"', actions: [{set: {name: v, %s}}]}\n"
			"- {id: b, expression: 'open.file.path == \"/x\" && (%s)'}\n",
			cases[i].how, cases[i].when);
		begin(&u, yaml);
		if (passes(EV_OPEN, "/x") == cases[i].lacks)
			fail_msg("%s: %s", cases[i].how, cases[i].when);
		assert_true(passes(EV_UNLINK, "/set"));
		assert_true(passes(EV_OPEN, "/x"));
		end(&u);
	}
}

/* Who finds no room is taken for set, by whatever it is short of. */
static void test_too_many(void **state)
{
	static char yaml[64 << 10];
	size_t n = (size_t)sprintf(yaml, "rules:\n");
	unsigned struck = 0;
	char path[16];
	struct use u;

	for (int i = 0; i < SV_EVENT_VARS + 9; i++)
		n += (size_t)sprintf(yaml + n,
				     SET("a%d", "unlink.file.path == \"/set\"", "name: v%d, value: true")
					     ASK("b%d", "open.file.path == \"/%d\" && ${v%d}"),
				     i, i, i, i, i);
	begin(&u, yaml);
	for (int i = 0; i < SV_EVENT_VARS + 9; i++) {
		sprintf(path, "/%d", i);
		struck += !passes(EV_OPEN, path);
	}
	assert_int_equal(struck, SV_EVENT_VARS);
	assert_true(passes(EV_UNLINK, "/set"));
	for (int i = 0; i < SV_EVENT_VARS + 9; i++) {
		sprintf(path, "/%d", i);
		assert_true(passes(EV_OPEN, path));
	}
	end(&u);
}

static void test_too_many_rows(void **state)
{
	static const char *const types[] = { "open",   "unlink",   "mkdir",    "rmdir",	      "chmod",	     "chown",
					     "utimes", "setxattr", "truncate", "removexattr", "chdir",	     "chroot",
					     "mmap",   "link",	   "rename",   "splice",      "load_module", "write" };
	const size_t ntypes = sizeof(types) / sizeof(types[0]);
	static char yaml[256 << 10];
	size_t n = (size_t)sprintf(yaml, "rules:\n");
	struct use u;

	/* With those of the rule that asks for it six a variable, none of them full before all rows are. */
	for (int i = 0; i < SV_VARS; i++)
		for (int k = 0; k < 3; k++) {
			const char *type = types[(size_t)(5 * i + k) % ntypes];

			n += (size_t)sprintf(
				yaml + n, SET("r%d%s", "%s.file.path == \"/%d\" || ${v%d} == 1", "name: v%d, value: 1"),
				i, type, type, i, (i + 1) % SV_VARS, i);
		}
	begin(&u, yaml);
	assert_true(sieve.nvars <= SV_VAR_ROWS && sieve.nvars > SV_VAR_ROWS / 2);
	end(&u);
}

static void test_explained(void **state)
{
	struct sieve_report report;
	char *text = NULL;
	size_t size;
	struct use u;
	struct err e;
	FILE *f;

	begin(&u, "rules:\n" SET("a", "open.file.path == \"/set\"", "name: v, value: true, scope: process")
			  ASK("b", "unlink.file.path == \"/x\" && ${process.v}"));
	assert_int_equal(sieve_build(u.b.compile->builder, NULL, &report, &sieve, &e), 0);
	f = open_memstream(&text, &size);
	assert_int_equal(explain_print(f, &report, "b", false), 0);
	fclose(f);
	assert_non_null(strstr(text, "unlink.file.path == \"/x\" && ${process.v} may be set\n"));
	assert_non_null(
		strstr(text, "kernel      ${process.v}   -- false as long as no event may have set the variable"));
	free(text);
	sieve_report_done(&report);
	end(&u);
}

#define NAMES 3
static const char *const told_names[NAMES] = { "a.test", "b.test", "c.other" };

/* A connect to an address that has names @of, as bits: whether the sieve lets it through, and whether a rule holds. */
static bool connect_passes(struct engine *engine, unsigned of, bool *ret_holds)
{
	struct event_gen e = { .head = { .type = EV_CONNECT }, .ev = { .type = EV_CONNECT } };
	struct val names[NAMES];
	struct sv_mask alive = { { 0 } };
	const uint32_t *rules;
	uint32_t n = 0;

	for (unsigned i = 0; i < NAMES; i++)
		if (of >> i & 1)
			names[n++] = gen_str_val(told_names[i]);
	e.ev.v[SLOT_CONNECT_HOSTNAME] = (struct val){ .arr = names, .len = n };
	e.ev.proc = &e.proc;
	memset(e.ev.alive, 0xff, sizeof(e.ev.alive));
	*ret_holds = engine_eval(engine, &e.ev, &rules) > 0;
	gen_sieve(&sieve, &e, &alive);
	pass_vars(EV_CONNECT, &alive);
	return !sv_mask_zero(&alive);
}

/* An answer to a question for the name. */
static void tell(const char *name)
{
	struct event_gen e = { .head = { .type = EV_DNS }, .readable = { [SV_AUT_QUESTION] = true } };
	struct sv_mask alive = { { 0 } };

	e.num[EVN_DNS_DIRECTION] = 2;
	strcpy(e.path[SV_AUT_QUESTION], name);
	gen_turn(e.path[SV_AUT_QUESTION]);
	gen_sieve(&sieve, &e, &alive);
	assert_false(sv_mask_zero(&alive)); /* all answers are learned from */
	pass_vars(EV_DNS, &alive);
}

/*
 * Each with what is asked of an address's names, and the names with which it may hold, as bits; NO_NAME: it may without
 * any. Whatever was told and whatever of that an address has: where the rule holds, the connect passes.
 */
static void test_names(void **state)
{
	enum { NO_NAME = 1 << NAMES, ANY = NO_NAME - 1 };
	static const struct {
		const char *when;
		unsigned with;
	} cases[] = {
		{ "connect.addr.hostname == \"a.test\"", 1 },
		{ "connect.addr.hostname in [~\"*.test\"]", 3 },
		{ "connect.addr.hostname in [\"a.test\", r\"^c\"]", ANY }, /* of expressions the kernel knows nothing */
		{ "connect.addr.hostname == \"none\" || connect.addr.hostname =~ \"c.*\"", 4 },
		{ "connect.addr.hostname == \"a.test\" && connect.addr.hostname == \"b.test\"", 3 },
		{ "connect.addr.hostname not in [\"a.test\"]", NO_NAME | ANY },
		{ "connect.addr.hostname != \"a.test\"", NO_NAME | ANY },
		{ "connect.addr.hostname.length == 2", ANY },
		{ "connect.addr.hostname.length == 2 || connect.addr.hostname == \"a.test\"", ANY },
		{ "connect.addr.hostname == process.file.name", ANY },
		{ "connect.addr.hostname == \"a.test\" || connect.addr.family == AF_UNIX", 1 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char yaml[300];
		struct engine *engine;
		struct use u;
		struct err e;
		bool holds;

		snprintf(yaml, sizeof(yaml), "rules:\n" ASK("a", "%s"), cases[i].when);
		begin(&u, yaml);
		assert_int_equal(engine_new(&u.p, &engine, &e), 0);
		for (unsigned told = 0; told < 1 << NAMES; told++) {
			bool due = cases[i].with & (told ? told : NO_NAME);

			memset(sieve.set, 0, sizeof(sieve.set));
			for (unsigned k = 0; k < NAMES; k++)
				if (told >> k & 1)
					tell(told_names[k]);
			for (unsigned of = 0; of < 1 << NAMES; of++) {
				bool passes = connect_passes(engine, of & told, &holds);

				if ((holds && !passes) || (passes && !due && !(cases[i].with & NO_NAME)))
					fail_msg("%s: told %u, of an address %u: holds %d, passes %d", cases[i].when,
						 told, of & told, holds, passes);
			}
		}
		engine_free(engine);
		end(&u);
	}
}

/* Under the policy before, answers were heard that this one's kernel side knows nothing of. */
static void test_names_of_before(void **state)
{
	struct engine *before, *engine;
	struct use u;
	struct err e;
	uint32_t names;

	begin(&u, "rules:\n" ASK("a", "connect.addr.hostname == \"a.test\""));
	names = program_names_var(&u.p);
	assert_true(names < u.p.nvars && u.p.vars[names].flag);
	assert_int_equal(engine_new(&u.p, &before, &e), 0);
	assert_int_equal(engine_new(&u.p, &engine, &e), 0);
	assert_true(engine_flags(engine) == 0);
	engine_carry(engine, before);
	assert_true(engine_flags(engine) == 1ull << (u.p.vars[names].flag - 1));
	engine_free(before);
	engine_free(engine);
	end(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost), cmocka_unit_test(test_until_it_is_set),
		cmocka_unit_test(test_same_event),	cmocka_unit_test(test_exec_sets),
		cmocka_unit_test(test_what_is_lacking), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_many_rows),	cmocka_unit_test(test_explained),
		cmocka_unit_test(test_names),		cmocka_unit_test(test_names_of_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
