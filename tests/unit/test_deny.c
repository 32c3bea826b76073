/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused is what the rule means. Random policies and events near them: where the kernel side would refuse, a plain
 * evaluator says that the rule holds. And for each reason why a rule refuses nothing, a rule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "policy-compiler/deny.h"
#include "policy-compiler/explain.h"
#include "policy-compiler/sieve_parts.h"
#include "sensor/priv/kills.h"
#include "tests/unit/sieve_gen.h"

static struct sieve sieve; /* 1.4 MB */

static void add_deny(struct build *b, uint32_t rule, uint32_t filter)
{
	const struct paction a = { .kind = ACT_DENY, .filter = filter, .field = PROGRAM_NONE, .message = PROGRAM_NONE };

	build_ok(program_actions_set(b->pb, rule, &a, 1));
}

static bool decided(const struct program *p, uint32_t rule)
{
	const struct prule *r = &p->rules[rule];

	return r->actions_count && p->actions[r->actions_first].flags & ACT_DECIDED;
}

/* ---- the promise ----------------------------------------------------------------------------------------------------- */

static const uint16_t events[] = { EV_OPEN,  EV_OPEN,	EV_OPEN,    EV_UNLINK, EV_RMDIR, EV_MKDIR, EV_LINK,
				   EV_CHMOD, EV_RENAME, EV_CONNECT, EV_BIND,   EV_EXEC,	 EV_EXEC };

struct tally {
	unsigned events, rules, decided, partly, holds, refused, doubtful;
	unsigned refused_execs;
};

/* What the kernel mostly decides whole. */
static uint32_t kernel_atom(struct policy_gen *p)
{
	uint32_t num = p->known[gen_below(p->g, p->nknown)];

	if (p->naddrs && gen_chance(p->g, 50))
		return gen_addr_atom(p);
	if (p->npaths && gen_chance(p->g, 60))
		return gen_chance(p->g, 60) ? gen_string_atom(p, p->paths[gen_below(p->g, p->npaths)], true)
					    : gen_string_atom(p, p->names[gen_below(p->g, p->nnames)], false);
	if (gen_chance(p->g, 30))
		num = build2(&p->b, N_BAND, num, build_int(&p->b, gen_int(p->g)));
	return build2(&p->b, gen_chance(p->g, 50) ? N_LE : N_EQ, num, build_int(&p->b, gen_int(p->g)));
}

static uint32_t kernel_condition(struct policy_gen *p, uint32_t depth)
{
	uint32_t kind = gen_below(p->g, 100);

	if (depth == 0 || kind < 20)
		return kernel_atom(p);
	if (kind < 35)
		return build1(&p->b, N_NOT, kernel_condition(p, depth - 1));
	return build2(&p->b, kind < 70 ? N_AND : N_OR, kernel_condition(p, depth - 1), kernel_condition(p, depth - 1));
}

static void add_rules(struct policy_gen *p)
{
	uint32_t n = 1 + gen_below(p->g, gen_chance(p->g, 50) ? 3 : 10);

	if (gen_chance(p->g, 3))
		n = 300; /* clauses share bits */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t depth = gen_below(p->g, 4), kind = gen_below(p->g, 100);
		uint32_t root = kind < 8    ? gen_wide(p)
				: kind < 15 ? gen_numbers(p)
				: kind < 25 ? gen_narrow(p, depth)
				: kind < 35 ? gen_condition(p, depth)
					    : kernel_condition(p, depth);
		uint32_t rule = build_rule(&p->b, p->event, root);

		if (gen_chance(p->g, 80))
			add_deny(&p->b, rule, PROGRAM_NONE);
	}
}

/* The event as it is told when it was refused, and as the hook has it before: some numbers are not known then. */
static void check_event(struct policy_gen *p, const struct program *view, const struct sieve_report *report,
			struct event_gen *e, uint64_t seed, struct tally *t)
{
	struct event_gen before = *e;
	struct ref ref = { .p = view, .ev = &e->ev };
	struct sv_mask alive = { { 0 } };
	bool whole = p->event != EV_EXEC || !e->linked; /* by its other path no program is refused */

	before.head.retval = gen_int(p->g);
	if (p->event == EV_OPEN)
		before.num[EVN_OPEN_MODE] = (ev_u64)gen_int(p->g);
	if (p->event == EV_CHMOD)
		before.num[EVN_CHMOD_FILE_MODE] = (ev_u64)gen_int(p->g);
	if (p->event == EV_EXEC && e->linked)
		before.readable[SV_AUT_PATH0] = true; /* the file's own decides, whatever it was called by */
	gen_deny(&sieve, &before, &alive);
	for (unsigned k = 0; k < SV_AUT_ADDR; k++)
		whole = whole && *e->path[k] && e->path[k][strlen(e->path[k]) - 1] != '/';
	for (unsigned k = 0; k < SV_DENY_STRINGS; k++)
		whole = whole && e->readable[k];
	for (uint32_t i = 0; i < view->nrules; i++) {
		const struct report_rule *r = &report->rules[i];
		bool holds, refused;

		if (!decided(view, i))
			continue;
		holds = ref_holds(&ref, view->rules[i].root);
		refused = gen_rule_alive(view, i, &alive);
		if (refused && !holds)
			fail_msg("seed %llu: rule %u (%s) refuses what it does not mean (paths %s and %s)",
				 (unsigned long long)seed, i, r->nclauses ? r->clauses[0].text : "", e->path[0],
				 e->path[1]);
		if (holds && !refused && whole && r->ndenied == r->nclauses && !r->weak)
			fail_msg("seed %llu: rule %u (%s) refuses not what it means (paths %s and %s)",
				 (unsigned long long)seed, i, r->clauses[0].text, e->path[0], e->path[1]);
		t->holds += holds;
		t->refused += refused;
		t->refused_execs += refused && p->event == EV_EXEC;
		t->doubtful += holds && !refused;
	}
	t->events++;
}

static void random_policy(uint64_t seed, struct tally *t)
{
	struct gen g = gen_of(seed);
	struct policy_gen *p = calloc(1, sizeof(*p));
	struct event_gen *e = calloc(1, sizeof(*e));
	struct sieve_report report;
	struct program view;

	assert_true(p && e);
	p->g = &g;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	gen_fields(p, GEN_PICK(&g, events));
	add_rules(p);
	gen_build(p, seed, &report, &sieve);
	view = program_view(p->b.pb);
	for (uint32_t i = 0; i < view.nrules; i++) {
		t->rules += view.rules[i].actions_count;
		t->decided += decided(&view, i);
		t->partly += decided(&view, i) && report.rules[i].ndenied < report.rules[i].nclauses;
		assert_int_equal(decided(&view, i), report.rules[i].deny == DENY_KERNEL);
	}
	for (int i = 0; i < 100; i++) {
		gen_event(p, e);
		e->head.retval = -EPERM;
		e->ev.base[SLOT_BASE_RETVAL].num = -EPERM;
		check_event(p, &view, &report, e, seed, t);
	}
	sieve_report_done(&report);
	program_builder_free(p->b.pb);
	free(p);
	free(e);
}

static void test_never_wrong(void **state)
{
	uint64_t seed = gen_seed("never_wrong", 20261122);
	unsigned n = gen_rounds(500);
	struct tally t = { 0 };

	for (unsigned i = 0; i < n; i++)
		random_policy(seed + i, &t);
	printf("%u policies, %u events: %u rules want to refuse, %u do, %u of them in part; %u firings of those, %u refused, "
	       "%u of these execs\n",
	       n, t.events, t.rules, t.decided, t.partly, t.holds, t.refused, t.refused_execs);
	/* The test means something only if things are refused, and some are not. */
	assert_true(t.decided > t.rules / 40 && t.decided < t.rules && t.partly && t.refused > t.events / 100 &&
		    t.refused_execs > t.events / 1000 && t.doubtful);
}

/* ---- the reasons ------------------------------------------------------------------------------------------------------ */

static uint32_t both(struct build *b, uint32_t x, uint32_t y)
{
	return build2(b, N_AND, x, y);
}

static uint32_t number_is(struct build *b, const char *field, int64_t v)
{
	return build2(b, N_EQ, build_field(b, field), build_int(b, v));
}

static enum deny_why why_of(const struct sieve_report *r, uint32_t rule)
{
	return (enum deny_why)r->rules[rule].deny;
}

#define REASONS 22

static void test_reasons(void **state)
{
	struct build *b = *state;
	uint32_t a = build_path_is(b, "/a"), rule[REASONS], n = 0, wide = a;
	enum deny_why want[REASONS];
	struct sieve_report report;
	int64_t set[9];
	struct err e;

#define RULE(WHY, EVENT, ROOT)                                                                                         \
	do {                                                                                                           \
		want[n] = WHY;                                                                                         \
		rule[n] = build_rule(b, EVENT, ROOT);                                                                  \
		add_deny(b, rule[n++], PROGRAM_NONE);                                                                  \
	} while (0)
	RULE(DENY_KERNEL, EV_OPEN, both(b, a, number_is(b, "process.uid", 0)));
	RULE(DENY_EVENT, EV_SIGNAL, number_is(b, "process.uid", 0));
	RULE(DENY_KERNEL, EV_EXEC,
	     both(b, build_strin(b, build_field(b, "process.file.path"), STRM_GLOB, "/usr/*/nc", NULL),
		  both(b, number_is(b, "process.uid", 0), number_is(b, "process.file.mode", 0100755))));
	RULE(DENY_LINK, EV_EXEC,
	     build1(b, N_NOT, build_strin(b, build_field(b, "process.file.path"), STRM_GLOB, "/usr/**", NULL)));
	RULE(DENY_LATE, EV_EXEC, number_is(b, "process.euid", 0));
	RULE(DENY_LATE, EV_EXEC, number_is(b, "process.interpreter.file.uid", 0));
	RULE(DENY_USER, EV_EXEC, build3(b, N_STREQ, build_field(b, "process.comm"), build_str(b, "nc"), 0));
	RULE(DENY_USER, EV_OPEN,
	     both(b, a, build3(b, N_STREQ, build_field(b, "process.comm"), build_str(b, "cat"), 0)));
	RULE(DENY_USER, EV_OPEN, build1(b, N_NOT, build_field(b, "event.async")));
	RULE(DENY_USER, EV_OPEN, build_strin(b, build_field(b, "open.file.path"), STRM_REGEX, "a.*b", "/a"));
	RULE(DENY_USER, EV_OPEN,
	     build3(b, N_STREQ, build_field(b, "open.file.path"), build_field(b, "process.file.path"), 0));
	for (int i = 0; i < 9; i++)
		set[i] = 3 * i;
	RULE(DENY_USER, EV_OPEN,
	     build2(b, N_INTIN, build_field(b, "open.flags"), build_ok(program_intset_add(b->pb, set, 9))));
	RULE(DENY_RESULT, EV_OPEN, both(b, a, number_is(b, "open.retval", 0)));
	RULE(DENY_LATE, EV_OPEN, both(b, a, number_is(b, "open.file.destination.mode", 0)));
	RULE(DENY_LATE, EV_CHMOD, number_is(b, "chmod.file.mode", 0));
	RULE(DENY_LATE, EV_OPEN, both(b, a, build_field(b, "open.file.in_upper_layer")));
	RULE(DENY_LATE, EV_CHMOD, build_field(b, "chmod.file.in_upper_layer"));
	RULE(DENY_KERNEL, EV_UNLINK, build_field(b, "unlink.file.in_upper_layer"));
	RULE(DENY_NEVER, EV_OPEN, build_bool(b, false));
	RULE(DENY_NEVER, EV_OPEN, both(b, a, build1(b, N_NOT, a)));
	for (int i = 0; i < 17; i++)
		wide = both(b, wide, build1(b, N_NOT, number_is(b, "process.gid", 100 + i)));
	RULE(DENY_CLAUSES, EV_OPEN, wide);
	want[n] = DENY_FILTER;
	rule[n] = build_rule(b, EV_OPEN, a);
	add_deny(b, rule[n++], number_is(b, "process.uid", 0));
	assert_int_equal(n, REASONS);
#undef RULE
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct program p = program_view(b->pb);

		if (why_of(&report, rule[i]) != want[i])
			fail_msg("rule %u: %s instead of %s", i, deny_word(why_of(&report, rule[i])),
				 deny_word(want[i]));
		assert_int_equal(decided(&p, rule[i]), want[i] == DENY_KERNEL);
	}
	sieve_report_done(&report);
}

/* More numbers than there is room for, and states: what is weakened refuses nothing. */
static void test_no_room(void **state)
{
	struct sieve_limits l = { .states = 20, .trans = 400, .masks = SV_MASKS };
	struct build *b = *state;
	struct sieve_report report;
	uint32_t left = 0, rule;
	char path[40];
	struct err e;

	for (int i = 0; i < SV_PREDS + 5; i++)
		add_deny(b, build_rule(b, EV_MKDIR, number_is(b, "process.uid", 1000 + i)), PROGRAM_NONE);
	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "/srv/%d/data/%d", i * 7, i);
		rule = build_rule(b, EV_OPEN, build_path_is(b, path));
		add_deny(b, rule, PROGRAM_NONE);
	}
	assert_int_equal(sieve_build_within(b->pb, &l, &report, &sieve, &e), 0);
	for (uint32_t i = 0; i < report.nrules; i++)
		left += why_of(&report, i) == DENY_ROOM;
	assert_int_equal(left, 5 + 30);
	assert_true(sv_mask_zero(&sieve.event[EV_OPEN].deny.clauses));
	sieve_report_done(&report);
}

/* A condition that no single path meets: only a program that goes by two does, and by one of them nothing is refused. */
static void test_two_paths(void **state)
{
	struct build *b = *state;
	struct event_gen ev = { .head = { .type = EV_EXEC }, .readable = { true, true, true }, .path = { "/a", "/b" } };
	uint32_t path = build_field(b, "process.file.path");
	struct sv_mask alive = { { 0 } };
	struct sieve_report report;
	struct err e;

	add_deny(b,
		 build_rule(b, EV_EXEC,
			    both(b, build3(b, N_STREQ, path, build_str(b, "/a"), 0),
				 build3(b, N_STREQ, path, build_str(b, "/b"), 0))),
		 PROGRAM_NONE);
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);
	assert_int_not_equal(why_of(&report, 0), DENY_KERNEL);
	gen_deny(&sieve, &ev, &alive);
	assert_true(sv_mask_zero(&alive));
	sieve_report_done(&report);
}

/* Many clauses share bits: those that stand for several refuse nothing. */
static void test_shared_bits(void **state)
{
	struct build *b = *state;
	struct event_gen ev = { .head = { .type = EV_OPEN }, .readable = { true, true, true } };
	struct sv_mask alive = { { 0 } };
	struct sieve_report report;
	char path[40];
	struct err e;

	for (int i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/srv/%d", i);
		add_deny(b, build_rule(b, EV_OPEN, build_path_is(b, path)), PROGRAM_NONE);
	}
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);
	for (uint32_t i = 0; i < report.nrules; i++)
		assert_true(why_of(&report, i) == (report.rules[i].clauses[0].shared ? DENY_ROOM : DENY_KERNEL));
	for (int i = 0; i < 300; i++) {
		struct sv_mask one = { { 0 } };

		snprintf(ev.path[0], sizeof(ev.path[0]), "/srv/%d", i);
		gen_deny(&sieve, &ev, &one);
		assert_int_equal(!sv_mask_zero(&one), why_of(&report, (uint32_t)i) == DENY_KERNEL);
		sv_mask_or(&alive, &one);
	}
	assert_false(sv_mask_zero(&alive));
	sieve_report_done(&report);
}

/* What could not be read strikes the clauses that ask for it, and no other. */
static void test_unread(void **state)
{
	struct build *b = *state;
	struct event_gen ev = { .head = { .type = EV_OPEN, .uid = 7 }, .readable = { false, true, true } };
	struct sv_mask alive = { { 0 } };
	struct sieve_report report;
	struct err e;

	add_deny(b, build_rule(b, EV_OPEN, build_path_is(b, "/a")), PROGRAM_NONE);
	add_deny(b, build_rule(b, EV_OPEN, number_is(b, "process.uid", 7)), PROGRAM_NONE);
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);
	strcpy(ev.path[0], "/a");
	gen_deny(&sieve, &ev, &alive);
	assert_int_equal(alive.w[0], 1u << report.rules[1].clauses[0].bit);
	ev.readable[0] = true;
	gen_deny(&sieve, &ev, &alive);
	assert_int_equal(alive.w[0], 3);
	sieve_report_done(&report);
}

/* ---- who lets it ------------------------------------------------------------------------------------------------------ */

/*
 * Two policies ask for the same. What the one may refuse, the other may not; and that the clause of the other is decided says
 * nothing of a rule that leaves half of its condition to user space.
 */
static void test_allowed(void **state)
{
	struct build *b = *state;
	uint32_t half = build3(b, N_STREQ, build_field(b, "process.comm"), build_str(b, "cat"), 0);
	struct prule one = { .event = EV_OPEN, .root = build_path_is(b, "/a") },
		     two = { .event = EV_OPEN, .root = build_path_is(b, "/b") },
		     three = { .event = EV_OPEN, .root = both(b, build_path_is(b, "/a"), half) };
	struct event_gen ev = { .head = { .type = EV_OPEN }, .path = { "/a" }, .readable = { true, true, true } };
	static const struct {
		const char *permit;
		uint32_t n, undecided;
		bool refused;
	} cases[] = {
		{ "", 0, 0, false },
		{ "first=deny", 1, 0, true },
		{ "second=deny", 1, 1, false },
		{ "second=kill", 0, 0, false },
		{ "*=deny", 2, 1, true },
		{ "first=kill,deny", 1, 0, true },
	};
	struct permit permit;
	struct program p;
	struct kills k;
	struct err e;

	one.policy = build_string(b, "first");
	two.policy = three.policy = build_string(b, "second");
	add_deny(b, build_ok(program_rule_add(b->pb, &one, NULL, 0)), PROGRAM_NONE);
	add_deny(b, build_ok(program_rule_add(b->pb, &two, NULL, 0)), PROGRAM_NONE);
	add_deny(b, build_ok(program_rule_add(b->pb, &three, NULL, 0)), PROGRAM_NONE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sv_mask alive = { { 0 } };
		uint32_t undecided;

		assert_int_equal(sieve_build(b->pb, NULL, NULL, &sieve, &e), 0);
		p = program_view(b->pb);
		assert_int_equal(permit_parse(cases[i].permit, &permit, &e), 0);
		assert_int_equal(kills_of_program(&p, &k), 0);
		kills_permit(&k, &permit, ACT_DENY);
		assert_int_equal(kills_deny(&k, &sieve, &undecided), cases[i].n);
		assert_int_equal(undecided, cases[i].undecided);
		gen_deny(&sieve, &ev, &alive);
		assert_int_equal(!sv_mask_zero(&alive), cases[i].refused);
		kills_done(&k);
	}
}

static void test_explain(void **state)
{
	struct build *b = *state;
	struct prule yes = { .event = EV_OPEN, .root = build_path_is(b, "/a") }, no = yes;
	struct sieve_report report;
	char *text = NULL;
	size_t size;
	struct err e;
	FILE *f;

	yes.id = build_string(b, "yes");
	no.id = build_string(b, "no");
	no.root = both(b, yes.root, number_is(b, "open.retval", 0));
	add_deny(b, build_ok(program_rule_add(b->pb, &yes, NULL, 0)), PROGRAM_NONE);
	add_deny(b, build_ok(program_rule_add(b->pb, &no, NULL, 0)), PROGRAM_NONE);
	assert_int_equal(sieve_build(b->pb, NULL, &report, &sieve, &e), 0);
	f = open_memstream(&text, &size);
	assert_int_equal(explain_print(f, &report, NULL, false), 0);
	fclose(f);
	assert_non_null(strstr(text, "  deny: yes, the kernel decides all that the rule asks for\n"));
	assert_non_null(strstr(text, "  deny: no, open.retval == 0 is about the result"));
	free(text);
	f = open_memstream(&text, &size);
	assert_int_equal(explain_print(f, &report, NULL, true), 0);
	fclose(f);
	assert_non_null(strstr(text, "\"deny\":{\"clauses\":1,\"why\":\"kernel\"}"));
	assert_non_null(strstr(text, "\"deny\":{\"clauses\":0,\"predicate\":\"open.retval == 0\",\"why\":\"result\"}"));
	free(text);
	sieve_report_done(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_wrong),
		cmocka_unit_test_setup_teardown(test_reasons, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_no_room, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_two_paths, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_shared_bits, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_unread, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_allowed, build_setup, build_teardown),
		cmocka_unit_test_setup_teardown(test_explain, build_setup, build_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
