/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learned discarders: whatever is done to files, and however late the engine process hears of an open, a rule that holds of the file as it
 * was opened was alive when the kernel side had looked. Random policies, writes, mappings that are written to late, replaced
 * files, mounts, policy changes and time; the engine process's side is the real one, the kernel's is its look-ups on this host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/learned.bpf.h"
#include "policy-compiler/sieve_build.h"
#include "sensor/priv/learner.h"
#include "tests/unit/policy_bench.h"
#include "tests/unit/sieve_gen.h"

#define FILES	 5
#define CONTENTS 12
#define QUEUE	 12
#define TICK	 4000000u
#define WALL	 1700000000000000000 /* when the machine was started */

static struct learned learned;
static struct sieve sieve;
static int64_t wall_is;

static int64_t wall(void)
{
	return wall_is;
}

struct file {
	uint64_t inode, ctime;
	uint32_t generation, content;
	bool writers, dirty; /* dirty: its writer has a mapping that is written to without a word */
};

struct queued {
	struct ev_head head;
	uint32_t file, inode_generation;
	uint64_t ctime, mount;
};

struct world {
	struct gen g;
	uint64_t seed, now;
	struct file files[FILES];
	struct queued queue[QUEUE];
	unsigned nqueue;
	struct policy_bench policy;
	struct program p;
	struct engine *e;
	struct sv_event open;
	struct learner *learner;
	uint32_t generation;
	unsigned opens, dropped, held;
};

static const char *const paths[FILES] = { "/a", "/b", "/x/a", "/x/b", "/x/y/a" };
static const char *const contents[CONTENTS] = { "sha256:h0", "sha256:h1", "sha256:h2", "sha256:h3",
						"sha256:h4", "sha256:h5", "sha256:h6", "sha256:h7",
						"sha256:h8", "sha256:h9", "sha256:ha", "sha256:hb" };

/* ---- policies ------------------------------------------------------------------------------------------------------ */

static const char *condition(struct gen *g, char out[400], int depth)
{
	char a[400], b[400];

	switch (gen_below(g, depth ? 7 : 4)) {
	case 0:
		snprintf(out, 400, "open.file.hashes in [\"%s\", \"%s\"]", GEN_PICK(g, contents),
			 GEN_PICK(g, contents));
		break;
	case 1:
		snprintf(out, 400, "open.file.hashes not in [\"%s\", \"%s\", \"%s\"]", GEN_PICK(g, contents),
			 GEN_PICK(g, contents), GEN_PICK(g, contents));
		break;
	case 2:
		snprintf(out, 400, "open.file.path %s \"%s\"", gen_chance(g, 50) ? "==" : "!=", GEN_PICK(g, paths));
		break;
	case 3:
		snprintf(out, 400, "open.file.hashes == \"%s\"", GEN_PICK(g, contents));
		break;
	case 4:
		snprintf(out, 400, "!(%.390s)", condition(g, a, depth - 1));
		break;
	default:
		snprintf(out, 400, "(%.190s) %s (%.190s)", condition(g, a, depth - 1), gen_chance(g, 70) ? "&&" : "||",
			 condition(g, b, depth - 1));
	}
	return out;
}

static void drop_policy(struct world *w)
{
	if (!w->policy.compile)
		return;
	engine_free(w->e);
	bench_end(&w->policy);
	w->policy.compile = NULL;
}

static void use_policy(struct world *w, const char *yaml, uint32_t generation)
{
	struct err err;

	bench_policy(&w->policy, yaml);
	assert_int_equal(sieve_build(w->policy.compile->builder, NULL, NULL, &sieve, &err), 0);
	w->p = program_view(w->policy.compile->builder);
	assert_int_equal(engine_new(&w->p, &w->e, &err), 0);
	w->open = sieve.event[EV_OPEN];
	assert_int_equal(learner_policy(w->learner, generation, w->e), 0);
}

/* The engine process has it first. Events that wait are of the one before, and nobody answers them. */
static void new_policy(struct world *w)
{
	char text[8192] = "rules:\n", one[400];
	uint32_t n = 1 + gen_below(&w->g, 3);

	for (uint32_t i = 0; i < n; i++) {
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "- id: r%u\n  expression: '", i);
		if (gen_chance(&w->g, 70)) /* that it asks for one hash rules most files out */
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "open.file.hashes == \"%s\" && ",
				 GEN_PICK(&w->g, contents));
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "(%s)'\n", condition(&w->g, one, 2));
	}
	drop_policy(w);
	use_policy(w, text, ++w->generation);
}

/* ---- the machine --------------------------------------------------------------------------------------------------- */

static uint64_t clock_now(const struct world *w)
{
	return WALL + w->now / TICK * TICK;
}

static void write_to(struct world *w, struct file *f)
{
	f->content = gen_below(&w->g, CONTENTS);
	f->ctime = clock_now(w);
}

static void fill_event(const struct queued *q, const char *hash, struct val *list, struct event *ev)
{
	*ev = (struct event){ .type = EV_OPEN, .policy = q->head.policy };
	ev->base[SLOT_BASE_TIMESTAMP].num = (int64_t)(WALL + q->head.boot_ns);
	ev->v[SLOT_OPEN_FILE_PATH] = (struct val){ .s = paths[q->file], .len = (uint32_t)strlen(paths[q->file]) };
	ev->v[SLOT_OPEN_FILE_INODE].num = (int64_t)q->file + 1;
	ev->v[SLOT_OPEN_FILE_CTIME].num = (int64_t)q->ctime;
	*list = (struct val){ .s = hash, .len = hash ? (uint32_t)strlen(hash) : 0 };
	if (hash)
		ev->v[SLOT_OPEN_FILE_HASHES] = (struct val){ .arr = list, .len = 1 };
}

/* All rules that hold on the file as it was opened have to be alive. */
static void check(struct world *w, const struct queued *q, const char *hash)
{
	const uint32_t *rules;
	struct val list;
	struct event ev;
	size_t n;

	fill_event(q, hash, &list, &ev);
	memset(ev.alive, 0xff, sizeof(ev.alive));
	n = engine_eval(w->e, &ev, &rules);
	w->held += n > 0;
	for (size_t i = 0; i < n; i++)
		if (!gen_rule_alive(&w->p, rules[i], (const struct sv_mask *)q->head.alive))
			fail_msg("seed %llu: a rule holds of %s with %s, and what was learned ruled it out",
				 (unsigned long long)w->seed, paths[q->file], hash ? hash : "no hash");
}

/* As open_learned() in bpf/file.bpf.c, and open_asks(). */
static void look(struct world *w, struct queued *q, const struct file *f)
{
	const struct learned_file lf = { .inode = q->file + 1,
					 .ctime = f->ctime,
					 .mount = q->mount,
					 .device = 5,
					 .inode_generation = f->generation };
	uint64_t key;

	if (q->head.policy != learned.generation || f->writers ||
	    !sv_mask_meets((const struct sv_mask *)q->head.alive, &learned.wanted))
		return;
	key = learned_key(&learned, &lf, q->head.policy);
	if (learned_strike(&learned, &lf, key, q->head.boot_ns, (struct sv_mask *)q->head.alive))
		learned_ask(&learned, lf.inode, lf.ctime, key, &q->head);
}

static void open_file(struct world *w)
{
	uint32_t file = gen_below(&w->g, FILES);
	const struct file *f = &w->files[file];
	struct queued q = {
		.head = { .type = EV_OPEN, .boot_ns = w->now, .tid = 1 + gen_below(&w->g, 3), .policy = w->generation },
		.file = file,
		.inode_generation = f->generation,
		.ctime = f->ctime,
		.mount = gen_chance(&w->g, 80) ? 30 : 77
	};

	memcpy(q.head.alive, &w->open.clauses, sizeof(q.head.alive));
	look(w, &q, f);
	/* through the other mount there is no hash to be had */
	check(w, &q, q.mount == 30 ? contents[f->content] : NULL);
	w->opens++;
	if (sv_mask_zero((const struct sv_mask *)q.head.alive))
		w->dropped++;
	else if (w->nqueue < QUEUE)
		w->queue[w->nqueue++] = q;
}

/* The engine process gets to the oldest, and hashes what the file is by now. */
static void evaluate(struct world *w)
{
	struct queued q = w->queue[0];
	const struct file *f = &w->files[q.file];
	const char *hash = q.mount == 30 && gen_chance(&w->g, 90) ? contents[f->content] : NULL;
	struct val list;
	struct event ev;

	if (!w->nqueue)
		return;
	memmove(w->queue, w->queue + 1, --w->nqueue * sizeof(w->queue[0]));
	fill_event(&q, hash, &list, &ev);
	learner_answer(w->learner, &q.head, &ev);
}

static void change(struct world *w)
{
	struct file *f = &w->files[gen_below(&w->g, FILES)];

	switch (gen_below(&w->g, 6)) {
	case 0:
		write_to(w, f);
		break;
	case 1: /* another file in its place, with the number of the old one */
		f->generation++;
		f->writers = f->dirty = false;
		write_to(w, f);
		break;
	case 2: /* chmod */
		f->ctime = clock_now(w);
		break;
	case 3: /* a mapping is written to for the first time */
		f->writers = f->dirty = true;
		write_to(w, f);
		break;
	case 4: /* and again */
		if (f->dirty)
			f->content = gen_below(&w->g, CONTENTS);
		break;
	default:
		f->writers = f->dirty = false;
	}
}

static void step(struct world *w)
{
	uint32_t what = gen_below(&w->g, 100);

	w->now += gen_chance(&w->g, 90) ? gen_below(&w->g, 3000000) : gen_below(&w->g, 30) * 1000000000ull;
	if (what < 60)
		open_file(w);
	else if (what < 92)
		evaluate(w);
	else if (what < 99)
		change(w);
	else
		new_policy(w);
}

static void test_nothing_is_lost(void **state)
{
	uint64_t first = gen_seed("learner", 20261122);
	unsigned dropped = 0, held = 0, opens = 0, rounds = gen_rounds(150);

	for (unsigned i = 0; i < rounds; i++) {
		struct world w = { .seed = first + i, .g = gen_of(first + i), .now = 1000000000 };

		wall_is = WALL;
		memset(&learned, 0, sizeof(learned));
		learned.seed[0] = w.g.x | 1;
		learned.seed[1] = w.g.x * 31 | 1;
		assert_int_equal(learner_new(&learned, wall, &w.learner), 0);
		for (uint32_t f = 0; f < FILES; f++)
			w.files[f] = (struct file){ .ctime = WALL - 1000 + f, .content = gen_below(&w.g, CONTENTS) };
		new_policy(&w);
		for (int k = 0; k < 400; k++)
			step(&w);
		drop_policy(&w);
		learner_free(w.learner);
		opens += w.opens;
		dropped += w.dropped;
		held += w.held;
	}
	printf("%u opens, %u dropped by what was learned, on %u some rule held\n", opens, dropped, held);
	assert_true(dropped > opens / 50 && held > opens / 50);
}

/* ---- one by one ---------------------------------------------------------------------------------------------------- */

static const char one_rule[] = "rules:\n- id: r\n  expression: open.file.hashes == \"sha256:h0\"\n";

static void begin(struct world *w)
{
	wall_is = WALL;
	memset(&learned, 0, sizeof(learned));
	learned.seed[0] = 12345;
	learned.seed[1] = 6789;
	*w = (struct world){ .now = 100000000000, .g = gen_of(1), .generation = 7 };
	w->files[0] = (struct file){ .ctime = WALL, .content = 1 };
	assert_int_equal(learner_new(&learned, wall, &w->learner), 0);
	use_policy(w, one_rule, w->generation);
}

static void end(struct world *w)
{
	drop_policy(w);
	learner_free(w->learner);
}

/* An open of the first file @ns later: whether it is sent. @hash: then the engine process hears of it at once. */
static bool sent(struct world *w, uint64_t ns, const char *hash)
{
	struct queued q = { .mount = 30, .ctime = w->files[0].ctime };
	struct val list;
	struct event ev;

	q.head = (struct ev_head){ .type = EV_OPEN, .boot_ns = w->now += ns, .tid = 1, .policy = w->generation };
	memcpy(q.head.alive, &w->open.clauses, sizeof(q.head.alive));
	look(w, &q, &w->files[0]);
	if (sv_mask_zero((const struct sv_mask *)q.head.alive))
		return false;
	fill_event(&q, hash, &list, &ev);
	learner_answer(w->learner, &q.head, &ev);
	return true;
}

static void test_is_learned(void **state)
{
	struct learner_stats s;
	struct world w;

	begin(&w);
	assert_true(sent(&w, 0, "sha256:h1"));
	assert_false(sent(&w, 1000, "sha256:h1"));
	learner_stats(w.learner, &s);
	assert_int_equal(s.learned, 1);
	end(&w);
}

/* What is said of the first open has to be seen again. */
static void test_is_not_learned(void **state)
{
	struct world w;

	begin(&w);
	assert_true(sent(&w, 0, "sha256:h0")); /* the rule holds */
	assert_true(sent(&w, 1000, "sha256:h0"));
	end(&w);
	begin(&w);
	assert_true(sent(&w, 0, NULL)); /* no hash */
	assert_true(sent(&w, 1000, NULL));
	end(&w);
	begin(&w);
	w.files[0].ctime = WALL + w.now - LEARNED_OLD_NS + 1; /* has changed a moment ago */
	assert_true(sent(&w, 0, "sha256:h1"));
	assert_true(sent(&w, 1000, "sha256:h1"));
	end(&w);
	begin(&w);
	wall_is = WALL - 200000000000; /* or so it may be: wall time has been set since the event */
	assert_true(sent(&w, 0, "sha256:h1"));
	assert_true(sent(&w, 1000, "sha256:h1"));
	end(&w);
	begin(&w);
	w.files[0].writers = true;
	assert_true(sent(&w, 0, "sha256:h1"));
	w.files[0].writers = false;
	assert_true(sent(&w, 1000, "sha256:h1"));
	end(&w);
}

static void test_is_forgotten(void **state)
{
	struct world w;

	begin(&w);
	assert_true(sent(&w, 0, "sha256:h1"));
	assert_false(sent(&w, LEARNED_NS - 1, "sha256:h1"));
	assert_true(sent(&w, 1, "sha256:h1")); /* expired, and asked anew */
	assert_false(sent(&w, 1, "sha256:h1"));
	w.files[0].ctime++;
	assert_true(sent(&w, 1, "sha256:h1"));
	w.files[0].generation++;
	assert_true(sent(&w, 1, "sha256:h1"));
	assert_false(sent(&w, 1, "sha256:h1"));
	w.files[0].writers = true;
	assert_true(sent(&w, 1, "sha256:h1"));
	w.files[0].writers = false;
	assert_false(sent(&w, 1, "sha256:h1"));
	assert_int_equal(learner_policy(w.learner, ++w.generation, w.e), 0);
	assert_true(sent(&w, 1, "sha256:h1"));
	assert_false(sent(&w, 1, "sha256:h1"));
	learner_free(w.learner); /* the process begins anew, with the same policy */
	assert_int_equal(learner_new(&learned, wall, &w.learner), 0);
	assert_int_equal(learner_policy(w.learner, w.generation, w.e), 0);
	assert_true(sent(&w, 1, "sha256:h1"));
	assert_true(sent(&w, LEARNED_ASK_NS, "sha256:h1"));
	assert_false(sent(&w, 1, "sha256:h1"));
	wall_is -= 1000000;
	learner_tick(w.learner);
	assert_false(sent(&w, 1, "sha256:h1"));
	wall_is -= 20000000; /* it was set, not slewed */
	learner_tick(w.learner);
	assert_true(sent(&w, 1, "sha256:h1"));
	end(&w);
}

/* An answer of which a part is another one's is none. */
static void test_torn(void **state)
{
	struct learned_entry *e = NULL;
	struct world w;

	begin(&w);
	assert_true(sent(&w, 0, "sha256:h1"));
	for (int i = 0; i < LEARNED_SETS * LEARNED_WAYS; i++)
		if (learned.entry[i / LEARNED_WAYS][i % LEARNED_WAYS].key)
			e = &learned.entry[i / LEARNED_WAYS][i % LEARNED_WAYS];
	assert_non_null(e);
	for (size_t i = offsetof(struct learned_entry, until); i < sizeof(*e); i += 8) {
		struct learned_entry was = *e;
		uint64_t *word = (uint64_t *)((char *)e + i);

		*word ^= 1ull << 40;
		assert_true(sent(&w, 1, NULL));
		*e = was;
		assert_false(sent(&w, 1, NULL));
	}
	end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
		cmocka_unit_test(test_is_learned),
		cmocka_unit_test(test_is_not_learned),
		cmocka_unit_test(test_is_forgotten),
		cmocka_unit_test(test_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
