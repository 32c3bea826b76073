/* SPDX-License-Identifier: Apache-2.0 */
/* The sieve's builder with every allocation failing in turn: an error, no crash, nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#include "policy-compiler/sieve_parts.h"
#include "tests/unit/nomem.h"
#include "tests/unit/sieve_gen.h"

static struct sieve sieve;

static void make_rules(struct gen *g, struct policy_gen *p)
{
	p->g = g;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	gen_fields(p, EV_OPEN);
	for (int i = 0; i < 6; i++)
		build_rule(&p->b, EV_OPEN, gen_narrow(p, 2));
	build_rule(&p->b, EV_OPEN, gen_wide(p));
	gen_fields(p, EV_RENAME);
	build_rule(&p->b, EV_RENAME, gen_narrow(p, 3));
}

/* False when it was over before the @n-th allocation. */
static bool fail_at(struct program_builder *pb, long n)
{
	/* So small that patterns have to be weakened on the way. */
	const struct sieve_limits l = { .states = 60, .trans = 600, .masks = 16 };
	struct sieve_report report;
	struct err e;
	bool failed;
	int r;

	nomem_begin(n);
	r = sieve_build_within(pb, &l, &report, &sieve, &e);
	failed = nomem_end();
	/* qsort() asks for memory too, and does without where there is none. */
	if (r != 0 && (!failed || r != -ENOMEM))
		fail_msg("allocation %ld: failed %d and the answer is %d", n, failed, r);
	if (r == 0)
		sieve_report_done(&report);
	return failed;
}

/*
 * The smallest of what the same failure leaves behind each time: the allocator's own figures go up and down by its way of
 * cutting chunks, what was forgotten only up.
 */
static size_t left_by(struct program_builder *pb, long n)
{
	size_t least = SIZE_MAX;

	for (int i = 0; i < 8 && least; i++) {
		size_t before = mallinfo2().uordblks, after;

		fail_at(pb, n);
		after = mallinfo2().uordblks;
		if (after <= before)
			least = 0;
		else if (after - before < least)
			least = after - before;
	}
	return least;
}

static void test_every_allocation(void **state)
{
	struct gen g = gen_of(4);
	struct policy_gen p = { 0 };
	long n;

	make_rules(&g, &p);
	for (n = 1; fail_at(p.b.pb, n); n++) {
		size_t left = left_by(p.b.pb, n);

		if (left)
			fail_msg("allocation %ld failed and %zu bytes are left", n, left);
	}
	printf("%ld allocations\n", n - 1);
	program_builder_free(p.b.pb);
}

/* The allocator's cache of chunks that a thread has freed would count as in use: without it from the start. */
static void without_cache(char **argv)
{
	const char *tunable = "glibc.malloc.tcache_count=0", *have = getenv("GLIBC_TUNABLES");

	if (have && strstr(have, tunable))
		return;
	setenv("GLIBC_TUNABLES", tunable, 1);
	execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
	};

	without_cache(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
