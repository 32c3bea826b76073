/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sieve's look-ups as the kernel runs them (BPF_PROG_RUN) against the same lines as host code, on random policies and
 * events. Skipped with the reason where there is no clang to compile them, or bpf() is not permitted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "policy-compiler/sieve_build.h"
#include "tests/unit/sieve_gen.h"
#include "tests/unit/sieve_run.h"

static struct bpf_object *object;
static int prog_fd, sieves_fd, runs_fd, look_fd, masks_fd, looks_fd, learned_prog_fd, learned_fd, asks_fd;
static char why_not[512];

static struct sieve sieve;
static struct sieve_run in, out;

/* TAMIS_SIEVE_RUN_O names an object that is compiled already. */
static const char *object_path(char path[64])
{
	const char *have = getenv("TAMIS_SIEVE_RUN_O"), *clang = getenv("CLANG");
	char command[512];
	int fd;

	if (have)
		return have;
	if (access("tests/unit/sieve_run.bpf.c", R_OK) < 0) {
		strcpy(why_not, "not run from the top of the source tree");
		return NULL;
	}
	strcpy(path, "/tmp/tamis-sieve-run-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0) {
		snprintf(why_not, sizeof(why_not), "no temporary file: %s", strerror(errno));
		*path = 0;
		return NULL;
	}
	close(fd);
	/*
	 * In a program as small as masks_look the compiler would ask for the generation of a set twice instead of whether there is a
	 * set, which the verifier cannot follow: pointers into maps are not to be known as such.
	 */
	snprintf(
		command, sizeof(command),
		"%s -O2 -g -target bpf -mcpu=v2 -fno-delete-null-pointer-checks -Iinclude -I. -Ibpf -I/usr/include/$(uname -m)-linux-gnu -c tests/unit/sieve_run.bpf.c -o %s",
		clang ? clang : "clang-14", path);
	if (system(command) != 0) {
		unlink(path);
		strcpy(why_not, "clang-14 does not compile it");
		return NULL;
	}
	return path;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return 0;
}

static int load(void **state)
{
	char temporary[64] = "", log[65536] = "";
	const char *path = object_path(temporary);
	struct bpf_program *prog;
	int r;

	if (!path)
		return 0;
	libbpf_set_print(quiet);
	object = bpf_object__open(path);
	if (*temporary)
		unlink(temporary);
	assert_non_null(object);
	prog = bpf_object__find_program_by_name(object, "sieve_run");
	bpf_program__set_log_buf(prog, log, sizeof(log));
	bpf_program__set_log_level(prog, 4);
	r = bpf_object__load(object);
	if (r == -EPERM || r == -EACCES) {
		/* A verifier that refuses says more than a kernel that does not permit. */
		assert_null(strstr(log, "processed"));
		snprintf(why_not, sizeof(why_not), "bpf() is not permitted: %s", strerror(-r));
		bpf_object__close(object);
		object = NULL;
		return 0;
	}
	if (r < 0)
		fail_msg("the verifier refuses it: %s\n%s", strerror(-r), log);
	printf("%s", log);
	prog_fd = bpf_program__fd(prog);
	sieves_fd = bpf_object__find_map_fd_by_name(object, "sieves");
	runs_fd = bpf_object__find_map_fd_by_name(object, "runs");
	look_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "masks_look"));
	masks_fd = bpf_object__find_map_fd_by_name(object, "masks");
	looks_fd = bpf_object__find_map_fd_by_name(object, "masks_runs");
	learned_prog_fd = bpf_program__fd(bpf_object__find_program_by_name(object, "learned_look"));
	learned_fd = bpf_object__find_map_fd_by_name(object, "learned");
	asks_fd = bpf_object__find_map_fd_by_name(object, "learned_runs");
	return 0;
}

static int unload(void **state)
{
	bpf_object__close(object);
	return 0;
}

static void need_bpf(void)
{
	if (object)
		return;
	printf("skipped: %s\n", why_not);
	skip();
}

static void put_path(struct gen *g, const char *path, int k)
{
	const char *slash = strrchr(path, '/');

	in.len[k] = (ev_u32)strlen(path);
	in.name_len[k] = slash ? (ev_u32)strlen(slash + 1) : in.len[k];
	in.off[k] = gen_below(g, SV_BUF_SIZE);
	for (ev_u32 i = 0; i < in.len[k]; i++)
		in.buf[k][(in.off[k] + i) & (SV_BUF_SIZE - 1)] = (ev_u8)path[i];
}

static void run_in_kernel(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	ev_u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(runs_fd, &zero, &in, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(prog_fd, &opts), 0);
	assert_int_equal(bpf_map_lookup_elem(runs_fd, &zero, &out), 0);
}

static void load_sieve(void)
{
	ev_u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(sieves_fd, &zero, &sieve, BPF_ANY), 0);
}

static void check_event(struct gen *g, const struct event_gen *e, uint64_t seed)
{
	const struct sv_event *ev = &sieve.event[e->head.type];
	struct sv_mask alive = { { 0 } };

	memset(&in, 0, sizeof(in));
	in.head = e->head;
	memcpy(in.num, e->num, sizeof(in.num));
	memcpy(in.addr, e->addr, sizeof(in.addr));
	for (int k = 0; k < SV_AUTOMATA; k++)
		in.readable[k] = e->readable[k];
	put_path(g, e->path[0], 0);
	put_path(g, e->path[1], 1);
	put_path(g, e->link, 2);
	_Static_assert(sizeof(in.words) == sizeof(e->words), "the same words");
	memcpy(in.words, e->words, sizeof(in.words));
	memcpy(in.words_len, e->words_len, sizeof(in.words_len));
	in.linked = e->linked && e->head.type == EV_EXEC;
	run_in_kernel();
	gen_sieve(&sieve, e, &alive);
	sv_vars_strike(&sieve, ev, &alive);
	if (!sv_mask_zero(&alive))
		sv_vars_set(&sieve, ev, &alive);
	if (memcmp(out.head.alive, &alive, sizeof(alive)) != 0)
		fail_msg("seed %llu: the kernel's verdict on %s is another", (unsigned long long)seed, e->path[0]);
	for (int k = 0; k < 2 && !sv_mask_zero(&alive); k++) {
		if (!ev->automata[k].used || !e->readable[k])
			continue;
		assert_int_equal(out.state[k], gen_run_at(&sieve, &ev->automata[k], e->path[k], 5));
		assert_int_equal(out.split[k], out.state[k]);
	}
}

/* Of variables any rows do: what they stand for nobody asks here. */
static void random_vars(struct gen *g, struct sv_event *ev)
{
	sieve.nvars = SV_VAR_ROWS;
	ev->nvars = gen_below(g, gen_chance(g, 20) ? SV_EVENT_VARS + 1 : 4);
	ev->vars = gen_below(g, SV_VAR_ROWS);
	for (ev_u32 i = 0; i < SV_VAR_ROWS; i++) {
		sieve.vars[i].var = gen_below(g, SV_VARS);
		for (int n = 0; n < 4; n++) {
			sieve.vars[i].needs.w[0] |= 1ull << gen_below(g, 20);
			sieve.vars[i].sets.w[0] |= gen_chance(g, 10) ? 1ull << gen_below(g, 20) : 0;
		}
	}
}

/* The variables that count as set in the kernel are those that do here. */
static void check_set(uint64_t seed)
{
	static struct sieve kernel;
	ev_u32 zero = 0;

	assert_int_equal(bpf_map_lookup_elem(sieves_fd, &zero, &kernel), 0);
	if (memcmp(kernel.set, sieve.set, sizeof(sieve.set)) != 0)
		fail_msg("seed %llu: in the kernel other variables are set", (unsigned long long)seed);
}

static void test_same_as_host(void **state)
{
	static const uint16_t events[] = { EV_OPEN, EV_RENAME,	    EV_EXEC,	     EV_CHMOD, EV_CONNECT,
					   EV_BPF,  EV_LOAD_MODULE, EV_CAPABILITIES, EV_DNS };
	uint64_t seed = gen_seed("sieve_bpf", 5);

	need_bpf();
	for (unsigned i = 0; i < gen_rounds(100); i++) {
		struct gen g = gen_of(seed + i);
		struct policy_gen *p = calloc(1, sizeof(*p));
		struct event_gen *e = calloc(1, sizeof(*e));
		struct err err;

		assert_true(p && e);
		p->g = &g;
		assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
		gen_fields(p, GEN_PICK(&g, events));
		for (uint32_t n = 1 + gen_below(&g, 20); n > 0; n--)
			build_rule(&p->b, p->event, gen_narrow(p, gen_below(&g, 4)));
		assert_int_equal(sieve_build(p->b.pb, NULL, NULL, &sieve, &err), 0);
		random_vars(&g, &sieve.event[p->event]);
		load_sieve();
		for (int k = 0; k < 40; k++) {
			gen_event(p, e);
			check_event(&g, e, seed + i);
		}
		check_set(seed + i);
		program_builder_free(p->b.pb);
		free(p);
		free(e);
	}
}

/* Paths as long as there are; the sieve says of every one what the host says. */
static void test_long_paths(void **state)
{
	static const ev_u32 lengths[] = { 0, 1, 7, 8, 9, 255, 256, 4088, 4095, 4096 };
	struct build b;
	struct err err;

	need_bpf();
	assert_int_equal(program_builder_new(catalog_tamis(), &b.pb), 0);
	build_rule(&b, EV_OPEN, build_strin(&b, build_field(&b, "open.file.name"), STRM_PATTERN, "*a", "b*"));
	build_rule(&b, EV_OPEN, build_strin(&b, build_field(&b, "open.file.path"), STRM_GLOB, "/**", "/*/a"));
	assert_int_equal(sieve_build(b.pb, NULL, NULL, &sieve, &err), 0);
	load_sieve();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (ev_u32 off = 0; off < SV_BUF_SIZE; off += 1021) {
			const struct sv_automaton *a = &sieve.event[EV_OPEN].automata[0];

			memset(&in, 0, sizeof(in));
			in.head.type = EV_OPEN;
			in.readable[0] = 1;
			in.off[0] = off;
			in.len[0] = lengths[i];
			for (ev_u32 k = 0; k < lengths[i]; k++)
				in.buf[0][(off + k) & (SV_BUF_SIZE - 1)] = "/ab/b"[k % 5];
			run_in_kernel();
			assert_int_equal(out.state[0], sv_dfa_run_at(&sieve, a, 0, in.buf[0], off, lengths[i]));
		}
	program_builder_free(b.pb);
}

/* ---- masks of processes -------------------------------------------------------------------------------------------- */

static struct masks host_masks;

static uint64_t any_u64(struct gen *g)
{
	return (uint64_t)gen_below(g, 1u << 30) << 34 ^ (uint64_t)gen_below(g, 1u << 30) << 17 ^ gen_below(g, 1u << 30);
}

/* Sets of few generations, some of them of none; all of it the same in both memories. */
static void random_masks(struct gen *g, struct masks *kernel)
{
	struct masks *m = &host_masks;

	memset(m, 0, sizeof(*m));
	m->epoch = gen_below(g, 3);
	for (int i = 0; i < 3; i++)
		m->seed[i] = any_u64(g) | 1;
	for (int i = 0; i < 2 * MASKS_SETS; i++) {
		struct masks_set *s = &m->set[i / MASKS_SETS][i % MASKS_SETS];

		s->generation = gen_below(g, 4);
		s->fork = (ev_u16)gen_below(g, MASKS_SETS);
		for (int t = 0; t < EV_TYPES; t++)
			for (int w = 0; w < SV_WORDS; w++)
				s->mask[t].w[w] = any_u64(g);
	}
	memcpy(kernel, m, sizeof(*m));
}

/* Processes of two buckets, so that entries give way to each other. */
static struct masks_run random_look(struct gen *g)
{
	struct masks_run r = {
		.who = { .start_ns = gen_below(g, 3), .pid = gen_below(g, 3), .image = gen_below(g, 3) },
		.op = gen_below(g, MASKS_RUNS),
		.generation = gen_below(g, 4),
		.cgroups = gen_below(g, 3),
		.type = gen_below(g, EV_TYPES + 2),
		.first = (uint64_t)(1 + gen_below(g, 6)) << 40 | gen_below(g, 2) << 1 | 1,
		.second = (uint64_t)(1 + gen_below(g, 6)) << 32,
		.low = gen_below(g, MASKS_SETS + 2) | (gen_chance(g, 30) ? MASKS_LATE : 0) | gen_below(g, 9) << 16,
		.kin = gen_chance(g, 30) ? MASKS_KIN : (uint32_t)any_u64(g),
		.of = { .n = gen_below(g, SV_KIN + 1), .above = (uint32_t)any_u64(g) },
	};

	for (uint32_t i = 0; i < r.of.n; i++)
		for (int w = 0; w < SV_WORDS; w++)
			r.of.keep[i].w[w] = any_u64(g);

	for (int w = 0; w < SV_WORDS; w++)
		r.alive.w[w] = any_u64(g);
	return r;
}

static void look_in_kernel(struct masks_run *r)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	ev_u32 zero = 0;

	assert_int_equal(bpf_map_update_elem(looks_fd, &zero, r, BPF_ANY), 0);
	assert_int_equal(bpf_prog_test_run_opts(look_fd, &opts), 0);
	assert_int_equal(bpf_map_lookup_elem(looks_fd, &zero, r), 0);
}

static void test_masks_as_on_host(void **state)
{
	uint64_t seed = gen_seed("masks_bpf", 7);
	struct masks *kernel;
	unsigned found = 0;

	need_bpf();
	kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE, MAP_SHARED, masks_fd, 0);
	assert_ptr_not_equal(kernel, MAP_FAILED);
	for (unsigned i = 0; i < gen_rounds(100); i++) {
		struct gen g = gen_of(seed + i);

		random_masks(&g, kernel);
		for (int k = 0; k < 200; k++) {
			struct masks_run host = random_look(&g), there = host;

			masks_run(&host_masks, &host);
			look_in_kernel(&there);
			if (memcmp(&host, &there, sizeof(host)) != 0)
				fail_msg("seed %llu: look-up %d of kind %u ends otherwise in the kernel",
					 (unsigned long long)(seed + i), k, host.op);
			found += host.found;
		}
		if (memcmp(&host_masks, kernel, sizeof(host_masks)) != 0)
			fail_msg("seed %llu: the kernel's entries are others", (unsigned long long)(seed + i));
	}
	assert_true(found);
	munmap(kernel, sizeof(*kernel));
}

/* What the words are of: another of anything is another process, image, policy, epoch or place. */
static void test_masks_tell_apart(void **state)
{
	struct masks_run a = {
		.op = MASKS_RUN_WORDS, .who = { .start_ns = 5, .pid = 6, .image = 7 }, .generation = 8, .cgroups = 9
	};
	struct masks *kernel;

	need_bpf();
	kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE, MAP_SHARED, masks_fd, 0);
	assert_ptr_not_equal(kernel, MAP_FAILED);
	memset(kernel, 0, sizeof(*kernel));
	for (int i = 0; i < 3; i++)
		kernel->seed[i] = 0x9e3779b97f4a7c15ull + 2u * (unsigned)i;
	look_in_kernel(&a);
	for (int i = 0; i < 6; i++) {
		struct masks_run b = a;

		b.who.start_ns += i == 0;
		b.who.pid += i == 1;
		b.who.image += i == 2;
		b.generation += i == 3;
		b.cgroups += i == 4;
		kernel->epoch = i == 5;
		look_in_kernel(&b);
		assert_true(a.first != b.first || a.second != b.second);
	}
	munmap(kernel, sizeof(*kernel));
}

/* ---- what was learned of files ------------------------------------------------------------------------------------- */

static struct learned host_learned;

/* Few files, in few sets, at times that are near each other and far apart. */
static struct learned_run random_ask(struct gen *g, uint64_t *now)
{
	struct learned_run r = { .file = { .inode = gen_below(g, 6),
					   .ctime = gen_below(g, 2),
					   .mount = gen_below(g, 2),
					   .device = gen_below(g, 2),
					   .inode_generation = gen_below(g, 2) } };

	*now += gen_chance(g, 80) ? gen_below(g, 1000000) : 1000000000ull * gen_below(g, 70);
	r.head.boot_ns = *now;
	r.head.tid = gen_below(g, 4);
	r.head.policy = gen_below(g, 2);
	memset(r.head.alive, 0xff, sizeof(r.head.alive));
	return r;
}

/* Some entries have an answer, of which some are torn. */
static void random_answer(struct gen *g, struct learned *kernel, uint64_t now)
{
	uint32_t i = gen_below(g, LEARNED_SETS), k = gen_below(g, LEARNED_WAYS);
	struct learned_entry *e = NULL;

	for (uint32_t n = 0; n < LEARNED_SETS && !e; n++, i = (i + 1) % LEARNED_SETS)
		e = host_learned.entry[i][k].key ? &host_learned.entry[i][k] : NULL;
	if (!e)
		return;
	e->until = now + 1000000000ull * gen_below(g, 60);
	for (int w = 0; w < SV_WORDS; w++)
		e->out.w[w] = any_u64(g);
	e->check = learned_check(&host_learned, e->key, e->until, &e->out) ^ gen_chance(g, 20);
	memcpy(kernel, &host_learned, sizeof(*kernel));
}

static void test_learned_as_on_host(void **state)
{
	uint64_t seed = gen_seed("learned_bpf", 11);
	unsigned struck = 0;
	struct learned *kernel;

	need_bpf();
	kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE, MAP_SHARED, learned_fd, 0);
	assert_ptr_not_equal(kernel, MAP_FAILED);
	for (unsigned i = 0; i < gen_rounds(50); i++) {
		struct gen g = gen_of(seed + i);
		uint64_t now = 1000000000000;

		memset(&host_learned, 0, sizeof(host_learned));
		host_learned.seed[0] = any_u64(&g) | 1;
		host_learned.seed[1] = any_u64(&g) | 1;
		memcpy(kernel, &host_learned, sizeof(*kernel));
		for (int k = 0; k < 200; k++) {
			struct learned_run host = random_ask(&g, &now), there = host;
			LIBBPF_OPTS(bpf_test_run_opts, opts);
			ev_u32 zero = 0;

			learned_run(&host_learned, &host);
			assert_int_equal(bpf_map_update_elem(asks_fd, &zero, &there, BPF_ANY), 0);
			assert_int_equal(bpf_prog_test_run_opts(learned_prog_fd, &opts), 0);
			assert_int_equal(bpf_map_lookup_elem(asks_fd, &zero, &there), 0);
			if (memcmp(&host, &there, sizeof(host)) != 0)
				fail_msg("seed %llu: look-up %d ends otherwise in the kernel",
					 (unsigned long long)(seed + i), k);
			struck += host.head.alive[0] != UINT64_MAX;
			if (gen_chance(&g, 30))
				random_answer(&g, kernel, now);
		}
		if (memcmp(&host_learned, kernel, sizeof(*kernel)) != 0)
			fail_msg("seed %llu: the kernel's entries are others", (unsigned long long)(seed + i));
	}
	assert_true(struck);
	munmap(kernel, sizeof(*kernel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_as_host),	   cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_masks_as_on_host),   cmocka_unit_test(test_masks_tell_apart),
		cmocka_unit_test(test_learned_as_on_host),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
