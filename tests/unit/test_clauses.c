/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/ipnet.h"
#include "policy-compiler/clauses.h"
#include "tests/unit/build.h"

struct fixture {
	struct build b;
	struct clauses c;
	const struct clause_term *terms;
	uint32_t n;
	bool weak;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f || program_builder_new(catalog_tamis(), &f->b.pb) < 0)
		return -1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clauses_done(&f->c);
	program_builder_free(f->b.pb);
	free(f);
	return 0;
}

static struct program view;

static void terms_of_event(struct fixture *f, uint16_t event, uint32_t root)
{
	clauses_done(&f->c);
	view = program_view(f->b.pb);
	assert_int_equal(clauses_init(&f->c, &view, NULL, event), 0);
	assert_int_equal(clauses_of(&f->c, root, &f->terms, &f->n, &f->weak), 0);
}

static void terms(struct fixture *f, uint32_t root)
{
	terms_of_event(f, EV_OPEN, root);
}

static uint32_t path(struct fixture *f, const char *s)
{
	return build3(&f->b, N_STREQ, build_field(&f->b, "open.file.path"), build_str(&f->b, s), 0);
}

static uint32_t name(struct fixture *f, const char *s)
{
	return build3(&f->b, N_STREQ, build_field(&f->b, "open.file.name"), build_str(&f->b, s), 0);
}

static uint32_t comm(struct fixture *f, const char *s)
{
	return build3(&f->b, N_STREQ, build_field(&f->b, "process.comm"), build_str(&f->b, s), 0);
}

static uint32_t number(struct fixture *f, const char *field, enum node_op op, int64_t v)
{
	return build2(&f->b, op, build_field(&f->b, field), build_int(&f->b, v));
}

static uint32_t flags(struct fixture *f, enum node_op op, int64_t mask, int64_t v)
{
	return build2(&f->b, op, build2(&f->b, N_BAND, build_field(&f->b, "open.flags"), build_int(&f->b, mask)),
		      build_int(&f->b, v));
}

static uint32_t and (struct fixture * f, uint32_t a, uint32_t b)
{
	return build2(&f->b, N_AND, a, b);
}
static uint32_t or (struct fixture * f, uint32_t a, uint32_t b)
{
	return build2(&f->b, N_OR, a, b);
}
static uint32_t not(struct fixture * f, uint32_t a)
{
	return build1(&f->b, N_NOT, a);
}

static const struct clause_pred *only_pred(struct fixture *f, bool negated)
{
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 1);
	assert_int_equal(f->terms[0].lits[0] & 1, negated);
	return pred_at(&f->c, f->terms[0].lits[0] / 2);
}

static void assert_pred(const struct clause_pred *p, uint8_t slot, uint8_t op, uint64_t and_mask, int64_t rhs)
{
	assert_int_equal(p->slot, slot);
	assert_int_equal(p->op, op);
	assert_int_equal(p->and, and_mask);
	assert_int_equal(p->rhs, rhs);
}

static void assert_open(struct fixture *f)
{
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 0);
	for (int k = 0; k < SV_AUTOMATA; k++)
		assert_int_equal(f->terms[0].formula[k], FORMULA_TRUE);
}

/* ---- numbers --------------------------------------------------------------------------------------------------------- */

static void test_numbers(void **state)
{
	struct fixture *f = *state;

	terms(f, number(f, "open.flags", N_EQ, 5));
	assert_pred(only_pred(f, false), EVN_OPEN_FLAGS, SV_OP_EQ, UINT64_MAX, 5);
	terms(f, number(f, "open.flags", N_LT, 5));
	assert_pred(only_pred(f, false), EVN_OPEN_FLAGS, SV_OP_LE, UINT64_MAX, 4);
	terms(f, not(f, number(f, "process.uid", N_LE, 999)));
	assert_pred(only_pred(f, true), SV_SLOT_UID, SV_OP_LE, UINT64_MAX, 999);
	terms(f, number(f, "open.retval", N_LT, 0));
	assert_pred(only_pred(f, false), SV_SLOT_RETVAL, SV_OP_LE, UINT64_MAX, -1);
	terms(f, build_field(&f->b, "open.file.in_upper_layer"));
	assert_pred(only_pred(f, true), EVN_OPEN_FILE_IN_UPPER, SV_OP_EQ, UINT64_MAX, 0);
	terms(f, number(f, "process.euid", N_EQ, 0));
	assert_pred(only_pred(f, false), SV_SLOT_EUID, SV_OP_EQ, UINT64_MAX, 0);
}

/* However a flag's test is written, it is one predicate. */
static void test_flags(void **state)
{
	struct fixture *f = *state;

	terms(f, not(f, flags(f, N_LE, 64, 0))); /* & 64 > 0 */
	assert_pred(only_pred(f, true), EVN_OPEN_FLAGS, SV_OP_EQ, 64, 0);
	terms(f, flags(f, N_EQ, 64, 64));
	assert_pred(only_pred(f, true), EVN_OPEN_FLAGS, SV_OP_EQ, 64, 0);
	terms(f, not(f, flags(f, N_EQ, 64, 0)));
	assert_pred(only_pred(f, true), EVN_OPEN_FLAGS, SV_OP_EQ, 64, 0);
	terms(f, flags(f, N_LE, 64, 0));
	assert_pred(only_pred(f, false), EVN_OPEN_FLAGS, SV_OP_EQ, 64, 0);
	/* What cannot be. */
	terms(f, flags(f, N_EQ, 64, 1));
	assert_int_equal(f->n, 0);
	terms(f, flags(f, N_LT, 64, 0));
	assert_int_equal(f->n, 0);
	terms(f, number(f, "open.flags", N_LT, INT64_MIN));
	assert_int_equal(f->n, 0);
	terms(f, number(f, "open.flags", N_LE, INT64_MAX));
	assert_open(f);
}

static uint32_t intin(struct fixture *f, const int64_t *v, size_t n)
{
	return build2(&f->b, N_INTIN, build_field(&f->b, "open.flags"), build_ok(program_intset_add(f->b.pb, v, n)));
}

static void test_sets_of_numbers(void **state)
{
	static const int64_t few[] = { 1, 5 }, run[] = { 3, 4, 5, 6 }, gaps[] = { 0, 2, 4, 6, 8, 10, 12, 14, 16, 18 };
	struct fixture *f = *state;

	terms(f, intin(f, few, 2));
	assert_int_equal(f->n, 2);
	terms(f, not(f, intin(f, few, 2)));
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 2);
	/* 3..6, and not: below 3 or above 6. */
	terms(f, intin(f, run, 4));
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 2);
	terms(f, not(f, intin(f, run, 4)));
	assert_int_equal(f->n, 2);
	/* Too many for one by one: the range. */
	terms(f, intin(f, gaps, 10));
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 2);
	assert_int_equal(clauses_why(&view, EV_OPEN, intin(f, gaps, 10)), WHY_PARTLY);
}

/* ---- strings --------------------------------------------------------------------------------------------------------- */

/* What is said of one string stays one formula, however it is nested; a name is of the same string as its path. */
static void test_one_string_one_term(void **state)
{
	struct fixture *f = *state;
	uint32_t any = path(f, "/0");
	char text[16];

	for (int i = 1; i < 200; i++) {
		snprintf(text, sizeof(text), "/%d", i);
		any = or (f, any, and(f, path(f, text), not(f, name(f, "x"))));
	}
	terms(f, any);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 0);
	assert_int_equal(formula_at(&f->c, f->terms[0].formula[SV_AUT_PATH0])->op, F_OR);
	assert_false(f->weak);
}

static void test_two_strings(void **state)
{
	struct fixture *f = *state;
	uint32_t from = build3(&f->b, N_STREQ, build_field(&f->b, "rename.file.path"), build_str(&f->b, "/a"), 0);
	uint32_t to =
		build3(&f->b, N_STREQ, build_field(&f->b, "rename.file.destination.path"), build_str(&f->b, "/a"), 0);

	terms_of_event(f, EV_RENAME, or (f, from, to));
	assert_int_equal(f->n, 2);
	terms_of_event(f, EV_RENAME, and(f, from, to));
	assert_int_equal(f->n, 1);
	assert_int_not_equal(f->terms[0].formula[SV_AUT_PATH0], FORMULA_TRUE);
	assert_int_not_equal(f->terms[0].formula[SV_AUT_PATH1], FORMULA_TRUE);
}

/* (path a or path b) and the same number: one term, not two. */
static void test_merged(void **state)
{
	struct fixture *f = *state;
	uint32_t n = number(f, "open.flags", N_EQ, 1);

	terms(f, or (f, and(f, path(f, "/a"), n), and(f, path(f, "/b"), n)));
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 1);
	/* What asks for more than another is not needed beside it. */
	terms(f, or (f, and(f, path(f, "/a"), n), path(f, "/a")));
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 0);
	/* A number and its opposite. */
	terms(f, and(f, and(f, path(f, "/a"), n), and(f, name(f, "a"), not(f, n))));
	assert_int_equal(f->n, 0);
}

/* ---- what the kernel cannot decide ------------------------------------------------------------------------------------- */

static void test_undecided(void **state)
{
	struct fixture *f = *state;
	uint32_t regex = build_strin(&f->b, build_field(&f->b, "open.file.path"), STRM_REGEX, "x+", NULL);

	terms(f, comm(f, "cat"));
	assert_open(f);
	terms(f, not(f, comm(f, "cat")));
	assert_open(f);
	terms(f, or (f, path(f, "/a"), comm(f, "cat")));
	assert_open(f);
	terms(f, and(f, path(f, "/a"), not(f, comm(f, "cat"))));
	assert_int_equal(f->n, 1);
	assert_int_not_equal(f->terms[0].formula[SV_AUT_PATH0], FORMULA_TRUE);
	terms(f, regex);
	assert_true(f->c.atoms[formula_at(&f->c, f->terms[0].formula[SV_AUT_PATH0])->a].open);
}

static void test_why(void **state)
{
	struct fixture *f = *state;
	uint32_t parent = build3(&f->b, N_STREQ, build_field(&f->b, "process.parent.comm"), build_str(&f->b, "sh"), 0);
	uint32_t fields = build3(&f->b, N_STREQ, build_field(&f->b, "open.file.path"),
				 build_field(&f->b, "process.file.path"), 0);
	uint32_t length =
		build2(&f->b, N_EQ, build1(&f->b, N_LEN, build_field(&f->b, "open.file.path")), build_int(&f->b, 3));
	uint32_t regex = build_strin(&f->b, build_field(&f->b, "open.file.path"), STRM_REGEX, "x+", "y+");
	uint32_t exe = build3(&f->b, N_STREQ, build_field(&f->b, "process.file.path"), build_str(&f->b, "/x"), 0);
	uint32_t own = path(f, "/a"), uid = number(f, "process.uid", N_EQ, 0), name_of = comm(f, "sh");
	uint32_t parent_uid = number(f, "process.parent.uid", N_EQ, 0);
	uint32_t user = build3(&f->b, N_STREQ, build_field(&f->b, "process.user"), build_str(&f->b, "x"), 0);
	uint32_t fs = build3(&f->b, N_STREQ, build_field(&f->b, "process.file.filesystem"), build_str(&f->b, "x"), 0);

	view = program_view(f->b.pb);
	assert_int_equal(clauses_why(&view, EV_OPEN, own), WHY_KERNEL);
	assert_int_equal(clauses_why(&view, EV_OPEN, uid), WHY_KERNEL);
	assert_int_equal(clauses_why(&view, EV_FORK, uid), WHY_KERNEL);
	assert_int_equal(clauses_why(&view, EV_OPEN, name_of), WHY_PROCESS);
	assert_int_equal(clauses_why(&view, EV_OPEN, parent), WHY_PROCESS);
	assert_int_equal(clauses_why(&view, EV_OPEN, parent_uid), WHY_OTHERS); /* may change at any time */
	assert_int_equal(clauses_why(&view, EV_OPEN, user), WHY_FIELD);
	assert_int_equal(clauses_why(&view, EV_FORK, parent), WHY_OTHERS);
	assert_int_equal(clauses_why(&view, EV_EXEC, fs), WHY_FIELD);
	assert_int_equal(clauses_why(&view, EV_OPEN, fs), WHY_PROCESS);
	assert_int_equal(clauses_why(&view, EV_OPEN, fields), WHY_SELF);
	assert_int_equal(clauses_why(&view, EV_OPEN, length), WHY_SHAPE);
	assert_int_equal(clauses_why(&view, EV_OPEN, regex), WHY_REGEX);
	assert_int_equal(clauses_why(&view, EV_OPEN, exe), WHY_PROCESS);
	assert_int_equal(clauses_why(&view, EV_EXEC, exe), WHY_KERNEL);
}

/* What is asked of an exec's parent, of those above it, of its container and its terminal. */
static void test_kin(void **state)
{
	struct fixture *f = *state;
	struct build *b = &f->b;
	uint32_t parent = build3(b, N_STREQ, build_field(b, "process.parent.file.name"), build_str(b, "sh"), 0);
	uint32_t above = build2(b, N_ANY, build_field(b, "process.ancestors.comm"),
				build3(b, N_STREQ, build1(b, N_ELEM, NT_STR), build_str(b, "sh"), 0));
	uint32_t container = build3(b, N_STREQ, build_field(b, "process.container.id"), build_str(b, ""), 0);
	uint32_t tty = build3(b, N_STREQ, build_field(b, "process.tty_name"), build_str(b, "tty1"), 0);

	terms_of_event(f, EV_EXEC, and(f, not(f, parent), above));
	assert_int_equal(f->n, 1);
	assert_int_not_equal(f->terms[0].formula[SV_AUT_PARENT], FORMULA_TRUE);
	assert_int_equal(f->terms[0].formula[SV_AUT_PARENT_COMM], FORMULA_TRUE);
	assert_int_equal(f->terms[0].formula[SV_AUT_ABOVE], FORMULA_TRUE);
	assert_int_not_equal(f->terms[0].formula[SV_AUT_ABOVE_COMM], FORMULA_TRUE);
	/* that nobody is such: nobody can tell */
	terms_of_event(f, EV_EXEC, not(f, above));
	assert_open(f);
	/* of other events the mask of the process decides */
	terms_of_event(f, EV_OPEN, and(f, parent, above));
	assert_open(f);

	terms_of_event(f, EV_EXEC, not(f, container));
	assert_int_equal(only_pred(f, false)->slot, SV_SLOT_CONTAINED);
	terms_of_event(f, EV_EXEC, container);
	assert_open(f);
	terms_of_event(f, EV_EXEC, tty);
	assert_int_equal(only_pred(f, false)->slot, SV_SLOT_TTY);
	terms_of_event(f, EV_EXEC, not(f, tty));
	assert_open(f);
	terms_of_event(f, EV_OPEN, tty);
	assert_open(f);

	view = program_view(f->b.pb);
	assert_int_equal(clauses_why(&view, EV_EXEC, parent), WHY_KERNEL);
	assert_int_equal(clauses_why(&view, EV_EXEC, above), WHY_ABOVE);
	assert_int_equal(clauses_why(&view, EV_EXEC, container), WHY_EMPTY);
	assert_int_equal(clauses_why(&view, EV_EXEC, tty), WHY_EMPTY);
	assert_int_equal(clauses_why(&view, EV_OPEN, tty), WHY_PROCESS);
}

/* ---- too many -------------------------------------------------------------------------------------------------------- */

/* (n0 or m0) and (n1 or m1) and ... has 2^20 terms: some are joined, and it is said. */
static void test_bounded(void **state)
{
	struct fixture *f = *state;
	uint32_t all = build_bool(&f->b, true), any = build_bool(&f->b, false);

	for (int i = 0; i < 20; i++)
		all = and(f, all,
			  or (f, number(f, "open.flags", N_EQ, 2 * i), number(f, "open.file.uid", N_EQ, 2 * i + 1)));
	terms(f, all);
	assert_true(f->n >= 1 && f->n <= CLAUSES_A_RULE);
	assert_true(f->weak);
	for (int i = 0; i < 300; i++)
		any = or (f, any, and(f, number(f, "open.flags", N_EQ, i), number(f, "open.file.uid", N_EQ, i)));
	terms(f, any);
	assert_true(f->n >= 1 && f->n <= CLAUSES_A_RULE);
	assert_true(f->weak);
}

/* A public address is none of certain networks; that it is one of them is asked by the same atom. */
static void test_public(void **state)
{
	struct fixture *f = *state;
	uint32_t public = build_field(&f->b, "connect.addr.is_public"), atom;
	size_t n;

	ipnet_not_public(&n);
	terms_of_event(f, EV_CONNECT, public);
	assert_int_equal(f->n, 1);
	assert_int_equal(f->terms[0].n, 0);
	atom = f->terms[0].formula[SV_AUT_ADDR];
	assert_int_equal(formula_at(&f->c, atom)->op, F_ATOM);
	assert_int_equal(formula_at(&f->c, atom)->neg, 1);
	assert_int_equal(f->c.atoms[formula_at(&f->c, atom)->a].count, n);
	terms_of_event(f, EV_CONNECT, not(f, public));
	assert_int_equal(formula_at(&f->c, f->terms[0].formula[SV_AUT_ADDR])->neg, 0);
	assert_int_equal(clauses_why(&view, EV_CONNECT, public), WHY_KERNEL);
	/* the receiver of a packet is not looked at by the kernel */
	assert_int_equal(clauses_why(&view, EV_DNS, build_field(&f->b, "network.destination.is_public")), WHY_FIELD);
}

/* Shared nodes are looked at once: without that this would take 2^60 steps. */
static void test_shared_nodes(void **state)
{
	struct fixture *f = *state;
	uint32_t x = number(f, "open.flags", N_EQ, 0);

	for (int i = 1; i < 60; i++) {
		uint32_t p = number(f, "open.flags", N_EQ, i), q = number(f, "open.file.uid", N_EQ, i);

		x = or (f, and(f, x, p), and(f, x, q));
	}
	terms(f, x);
	assert_true(f->n <= CLAUSES_A_RULE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_numbers),     T(test_flags),   T(test_sets_of_numbers), T(test_one_string_one_term),
		T(test_two_strings), T(test_merged),  T(test_undecided),       T(test_why),
		T(test_kin),	     T(test_bounded), T(test_shared_nodes),    T(test_public),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
