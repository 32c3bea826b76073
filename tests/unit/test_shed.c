/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/catalog.h"
#include "sensor/ingest/shed.h"

enum { NONE, INFO, LOW, MEDIUM, HIGH, CRITICAL };

static struct program_builder *pb;
static struct shed shed;

/* A rule whose only clause has that bit. */
static uint32_t rule(uint16_t event, uint16_t severity, uint16_t bit)
{
	const uint32_t yes = (uint32_t)program_node(pb, N_BOOL, 0, 0, 0, 1);
	const struct prule r = { .event = event, .severity = severity, .root = yes };
	const struct clause c = { .root = yes, .bit = bit };
	int64_t i = program_rule_add(pb, &r, NULL, 0);

	assert_true(i >= 0);
	assert_int_equal(program_clauses_set(pb, (uint32_t)i, &c, 1), 0);
	return (uint32_t)i;
}

static void sets_a_variable(uint32_t rule)
{
	const struct pvar v = { .name = (uint32_t)program_str_add(pb, "v", 1), .type = NT_BOOL };
	const uint32_t yes = (uint32_t)program_node(pb, N_BOOL, 0, 0, 0, 1);
	struct paction a = { .kind = ACT_SET, .filter = PROGRAM_NONE, .field = PROGRAM_NONE, .message = PROGRAM_NONE };
	int64_t var = program_var_add(pb, &v), refs = program_refs_add(pb, &yes, 1);

	assert_true(var >= 0 && refs >= 0);
	a.var = (uint32_t)var;
	a.values_first = (uint32_t)refs;
	a.values_count = 1;
	assert_int_equal(program_actions_set(pb, rule, &a, 1), 0);
}

static void ready(void)
{
	struct program p = program_view(pb);

	shed_init(&shed, &p);
}

/* What an event is worth, with these bits alive. */
static unsigned int worth(uint16_t type, const uint16_t *bits, size_t n)
{
	struct ev_head h = { .type = type };

	for (size_t i = 0; i < n; i++)
		h.alive[bits[i] / 64] |= UINT64_C(1) << (bits[i] % 64);
	return shed_level(&shed, &h);
}
#define WORTH(type, ...) worth(type, (const uint16_t[]){ __VA_ARGS__ }, sizeof((uint16_t[]){ __VA_ARGS__ }) / 2)

static int begin(void **state)
{
	pb = NULL;
	return program_builder_new(catalog_tamis(), &pb);
}

static int end(void **state)
{
	program_builder_free(pb);
	return 0;
}

static void a_record_is_worth_its_most_important_rule(void **state)
{
	rule(EV_OPEN, INFO, 0);
	rule(EV_OPEN, LOW, 63);
	rule(EV_OPEN, MEDIUM, 64);
	rule(EV_OPEN, NONE, 127);
	rule(EV_OPEN, HIGH, 128);
	rule(EV_OPEN, CRITICAL, 255);
	ready();
	assert_int_equal(WORTH(EV_OPEN, 0), SHED_INFO);
	assert_int_equal(WORTH(EV_OPEN, 63), SHED_LOW);
	assert_int_equal(WORTH(EV_OPEN, 64), SHED_MEDIUM);
	assert_int_equal(WORTH(EV_OPEN, 127), SHED_MEDIUM);
	assert_int_equal(WORTH(EV_OPEN, 128), SHED_NEVER);
	assert_int_equal(WORTH(EV_OPEN, 255), SHED_NEVER);
	assert_int_equal(WORTH(EV_OPEN, 0, 63), SHED_LOW);
	assert_int_equal(WORTH(EV_OPEN, 0, 64, 63), SHED_MEDIUM);
	assert_int_equal(WORTH(EV_OPEN, 0, 63, 64, 255), SHED_NEVER);
	/* the bits of another event are other clauses */
	assert_int_equal(WORTH(EV_UNLINK, 255), SHED_INFO);
}

static void a_bit_that_rules_share_is_worth_the_best_of_them(void **state)
{
	rule(EV_OPEN, LOW, 5);
	rule(EV_OPEN, HIGH, 5);
	ready();
	assert_int_equal(WORTH(EV_OPEN, 5), SHED_NEVER);
}

static void rules_that_are_off_are_worth_nothing(void **state)
{
	const uint32_t off = rule(EV_OPEN, CRITICAL, 1);

	rule(EV_OPEN, LOW, 1);
	/* as what loads a program on a host does */
	((struct prule *)program_view(pb).rules)[off].flags |= PRULE_OFF;
	ready();
	assert_int_equal(WORTH(EV_OPEN, 1), SHED_LOW);
}

/* shed.h: "for rules that set variables (others rely on those), and exec, fork and exit are never left out" */
static void what_others_rely_on_is_never_left_out(void **state)
{
	struct ev_head context = { .type = EV_OPEN, .flags = EV_F_CONTEXT };

	sets_a_variable(rule(EV_OPEN, INFO, 2));
	rule(EV_EXEC, INFO, 0);
	ready();
	assert_int_equal(WORTH(EV_OPEN, 2), SHED_NEVER);
	assert_int_equal(WORTH(EV_EXEC, 0), SHED_NEVER);
	assert_int_equal(WORTH(EV_FORK, 0), SHED_NEVER);
	assert_int_equal(WORTH(EV_EXIT, 0), SHED_NEVER);
	assert_int_equal(WORTH(EV_ARGS, 0), SHED_NEVER);
	assert_int_equal(shed_level(&shed, &context), SHED_NEVER);
}

static void types_that_are_none_are_left_to_the_decoder(void **state)
{
	ready();
	assert_int_equal(WORTH(EV_TYPES, 0), SHED_NEVER);
	assert_int_equal(WORTH(65535, 0), SHED_NEVER);
}

static void less_important_ones_go_first(void **state)
{
	unsigned int last = 0;

	for (unsigned int fill = 0; fill <= 256; fill++) {
		unsigned int gone = 0;

		for (unsigned int level = 0; level < SHED_LEVELS; level++) {
			if (shed_at(level, fill)) {
				assert_int_equal(gone, level); /* all below it are, too */
				gone++;
			}
		}
		assert_true(gone >= last);
		assert_false(shed_at(SHED_NEVER, fill));
		last = gone;
	}
	assert_false(shed_at(SHED_INFO, SHED_INFO_AT - 1));
	assert_int_equal(last, SHED_LEVELS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_record_is_worth_its_most_important_rule, begin, end),
		cmocka_unit_test_setup_teardown(a_bit_that_rules_share_is_worth_the_best_of_them, begin, end),
		cmocka_unit_test_setup_teardown(rules_that_are_off_are_worth_nothing, begin, end),
		cmocka_unit_test_setup_teardown(what_others_rely_on_is_never_left_out, begin, end),
		cmocka_unit_test_setup_teardown(types_that_are_none_are_left_to_the_decoder, begin, end),
		cmocka_unit_test(less_important_ones_go_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
