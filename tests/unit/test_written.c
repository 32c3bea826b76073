/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of open files that have been written (bpf/lib/written.bpf.h) against what really was: a write that is the first of its
 * process is never taken for one that is not.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/lib/written.bpf.h"
#include "tests/unit/sieve_gen.h"

static const uint64_t seed[4] = { 0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f, 0x165667b19e3779f9, 0xd6e8feb86659fd93 };

/* Where the kernel has a map. One that forgets is as good. */
#define OTHERS 4096
static struct written_by others[OTHERS];

static struct written_by *other(const struct written_by *by)
{
	return &others[(by->writer ^ by->id) % OTHERS];
}
SV_INLINE int written_others_has(const struct written_by *by)
{
	return memcmp(other(by), by, sizeof(*by)) == 0;
}
SV_INLINE void written_others_put(const struct written_by *by)
{
	*other(by) = *by;
}

#define FILES	64
#define WRITERS 12

struct file {
	uint64_t address, inode;
	bool wrote[WRITERS]; /* through this open, under this policy */
};
struct world {
	struct file file[FILES];
	uint64_t generation, id;
};
static struct written table;

/* Addresses of struct file, as they lie; @same: all in one set of the table. */
static void addresses(struct world *w, bool same)
{
	uint64_t at = 0xffff888100000000;

	for (unsigned i = 0; i < FILES; at += 256)
		if (!same || written_set(&table, at, seed[0]) == &table.set[7])
			w->file[i++].address = at;
}

/* What the hook does with a write; whether it is told. */
static bool writes(struct world *w, const struct file *f, unsigned who)
{
	struct written_now now = { f->address, f->inode, f->inode & 0xff, 1000 + who, w->generation };
	struct written_entry *e;
	struct written_by by;

	if (written_seen(&table, &now, seed, &by, &e))
		return false;
	if (e)
		written_another(e, &by);
	else
		written_first(&table, &now, seed, ++w->id);
	return true;
}

/* Few inodes: what is opened anew at an address is often the same file. */
static void opens(struct gen *r, struct file *f)
{
	written_forget(&table, f->address, seed[0]);
	f->inode = 0xffff888200000000 + gen_below(r, 3);
	memset(f->wrote, 0, sizeof(f->wrote));
}

/* @files of them in use. How many writes were told that had been told before. */
static unsigned many_writes(uint64_t from, bool same, unsigned files, bool policies)
{
	struct world w = { .generation = 1 };
	struct gen r = gen_of(from);
	unsigned again = 0;

	memset(&table, 0, sizeof(table));
	memset(others, 0, sizeof(others));
	addresses(&w, same);
	for (unsigned i = 0; i < 200000; i++) {
		struct file *f = &w.file[gen_below(&r, files)];
		unsigned who = gen_below(&r, WRITERS);
		bool told;

		if (gen_below(&r, 20) == 0)
			opens(&r, f);
		if (policies && gen_below(&r, 5000) == 0) {
			w.generation++;
			for (unsigned k = 0; k < FILES; k++)
				memset(w.file[k].wrote, 0, sizeof(w.file[k].wrote));
		}
		told = writes(&w, f, who);
		assert_true(told || f->wrote[who]);
		again += told && f->wrote[who];
		f->wrote[who] = true;
	}
	return again;
}

static void test_first_write_is_told(void **state)
{
	(void)state;
	for (uint64_t from = 1; from <= 5; from++) {
		many_writes(from, false, FILES, true);
		many_writes(from, true, FILES, true);
	}
}

static void test_no_write_is_told_again(void **state)
{
	(void)state;
	/* As many files as a set holds; the map of others has room for all of their writers, if not by its index. */
	assert_in_range(many_writes(1, true, WRITTEN_WAYS, false), 0, 200000 / 50);
	assert_in_range(many_writes(2, true, FILES, false), 200000 / 50, 200000);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

#define THREADS 4

struct thread {
	pthread_t id;
	uint64_t number;
	unsigned lost;
};

/*
 * Each has files of its own, so that it knows what was written to them, and all lie in one set of the table, which has room for
 * half of them.
 */
static void *thread(void *arg)
{
	struct thread *t = arg;
	struct world *w = calloc(1, sizeof(*w));
	struct gen r = gen_of(t->number + 1);

	addresses(w, true);
	w->generation = 1;
	for (unsigned i = 0; i < 2000000; i++) {
		struct file *f = &w->file[t->number * 4 + gen_below(&r, 4)];
		unsigned who = gen_below(&r, 2);

		if (gen_below(&r, 4) == 0)
			opens(&r, f);
		t->lost += !writes(w, f, who) && !f->wrote[who];
		f->wrote[who] = true;
	}
	free(w);
	return NULL;
}

static void test_threads_lose_nothing(void **state)
{
	struct thread t[THREADS] = { 0 };

	(void)state;
	memset(&table, 0, sizeof(table));
	for (unsigned i = 0; i < THREADS; i++) {
		t[i].number = i;
		assert_int_equal(pthread_create(&t[i].id, NULL, thread, &t[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(t[i].id, NULL);
		assert_int_equal(t[i].lost, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_write_is_told),
		cmocka_unit_test(test_no_write_is_told_again),
		cmocka_unit_test(test_threads_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
