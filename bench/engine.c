/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine under policies of 10 to 10,000 rules: the published ones where they are beside the repository, else our own, again
 * and again with other constants. A capture of events near those rules is played back; only events that pass the sieve of a
 * policy are in its capture. One core, no privilege.
 *
 * More rules also let other events through, and more of them hold. So from 100 rules on there is a second capture: of the events
 * that pass the sieve of 100 rules (that of 10 passes too few to tell). They are the same for all policies, and what they take
 * more is what the rules cost.
 *
 *	build/bench/engine [ROUNDS [RULES]]	with RULES that many alone, to look at with perf
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <time.h>

#include "bench/many_rules.h"
#include "bench/near_events.h"
#include "bpf/lib/sieve.bpf.h"
#include "engine/engine.h"
#include "lib/capture.h"
#include "lib/cleanup.h"
#include "policy-compiler/compile.h"
#include "policy-compiler/sieve_build.h"
#include "sensor/enrich/enrich.h"
#include "sensor/enrich/playback.h"

#define POLICIES   "../shared/secl/policies"
#define EVENTS	   60000 /* that are offered to each sieve */
#define SAME_RULES 100

static void must(int r, const char *what)
{
	if (r < 0) {
		fprintf(stderr, "engine: %s: %s\n", what, strerror(-r));
		exit(1);
	}
}

static double clock_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- the rules ----------------------------------------------------------------------------------------------------- */

static struct diags diags;

static struct compile *compile_policies(void)
{
	const char *dir = access(POLICIES, R_OK) == 0 ? POLICIES : "rules";
	DIR *d = opendir(dir);
	struct compile *c;
	struct dirent *e;

	if (dir[0] != '.')
		printf("(" POLICIES " is not here: these are the rules of rules/, again and again)\n");
	if (!d) {
		printf("skipped: neither " POLICIES " nor rules/ is here\n");
		exit(0);
	}
	diags = diags_new();
	must(compile_new(catalog_tamis(), &diags, &c), "compile");
	if (dir[0] != '.')
		must(compile_add(c, dir), "rules");
	while (dir[0] == '.' && (e = readdir(d))) {
		char path[300];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		/* what is tried out uses names of variables for other things than the rest does */
		if (e->d_name[0] != '.' && strncmp(e->d_name, "experimental-", strlen("experimental-")) != 0)
			must(compile_add(c, strdup(path)), path);
	}
	closedir(d);
	must(compile_finish(c), "compile");
	return c;
}

/* The numbers of the rules that can fire on what the sensor observes. */
static uint32_t *usable_rules(const struct compile *c, uint32_t *ret_n)
{
	uint32_t *v = calloc(c->nrules + 1, sizeof(*v)), n = 0;

	for (size_t i = 0; i < c->nrules && v; i++)
		if (c->rules[i]->ok && c->rules[i]->sight == SIGHT_FIRES)
			v[n++] = c->rules[i]->number;
	*ret_n = n;
	return v;
}

static struct program_builder *make_policy(const struct program *from, const uint32_t *rules, uint32_t nrules,
					   uint32_t n)
{
	struct program_builder *pb;
	struct many m;

	must(program_builder_new(from->catalog, &pb), "program");
	many_begin(&m, from, pb);
	/* Few rules are taken from all over the policies. */
	for (uint32_t i = 0, made = 0; made < n; i++)
		made += many_rule(&m, rules[n < nrules ? (uint64_t)i * nrules / n : i % nrules], i / nrules);
	many_end(&m);
	return pb;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

struct record {
	size_t at;
	uint32_t size;
	bool setup; /* is there for the table of processes, whether it survives or not */
	bool same;  /* survives the sieve of SAME_RULES */
};

struct records {
	char *bytes;
	size_t len, cap;
	struct record *v;
	uint32_t n, max;
};

static void record_add(struct records *r, const void *p, size_t size, bool setup)
{
	if (r->n == r->max || r->len + size > r->cap) {
		fprintf(stderr, "engine: no room for records\n");
		exit(1);
	}
	memcpy(r->bytes + r->len, p, size);
	r->v[r->n++] = (struct record){ .at = r->len, .size = (uint32_t)size, .setup = setup };
	r->len += size;
}

static char programs[NEAR_PIDS + 1][NEAR_TEXT]; /* that processes which stay have executed */

/* An exec with its arguments, taking up rule @root; PROGRAM_NONE: none. */
static void add_exec(struct near *g, struct records *r, uint32_t pid, uint32_t ppid, uint32_t root, bool setup)
{
	static struct rec args;
	static char block[2048];
	const void *p;
	size_t size, len;

	near_begin(g, EV_EXEC, pid);
	near_proc_rows(g, pid, ppid);
	if (root != PROGRAM_NONE)
		near_take(g, root, NULL, true);
	len = (size_t)snprintf(block, sizeof(block), "prog") + 1;
	memcpy(block + len, g->args, g->nargs);
	len += g->nargs;
	len += (size_t)snprintf(block + len, sizeof(block) - len, "--verbose") + 1;
	g->rec.head.boot_ns = g->now += 1000;
	p = rec_args(&args, &g->rec.head, block, 0, (uint32_t)len, (uint32_t)len, 0, &size);
	record_add(r, p, size, setup);
	if (pid <= NEAR_PIDS)
		snprintf(programs[pid], sizeof(programs[pid]), "%s",
			 g->rec.str[g->rec.proc_str + EVS_PROC_FILE_PATH].s);
	p = near_end(g, &size);
	record_add(r, p, size, setup);
}

/* A child is the same program as who made it. */
static void add_fork(struct near *g, struct records *r, uint32_t pid, uint32_t ppid)
{
	size_t size;
	const void *p;

	near_begin(g, EV_FORK, ppid);
	near_proc_rows(g, pid, ppid);
	rec_proc_str(&g->rec, EVS_PROC_FILE_PATH, programs[ppid]);
	p = near_end(g, &size);
	record_add(r, p, size, true);
}

static void add_process(struct near *g, struct records *r, uint32_t pid, uint32_t root)
{
	uint32_t ppid = pid > 8 ? 1 + near_below(g, pid / 4) : pid - 1;

	if (pid > 1)
		add_fork(g, r, pid, ppid);
	add_exec(g, r, pid, ppid, root, true);
}

/* A process that is made, executes something and ends. */
static void add_run(struct near *g, struct records *r, uint32_t ppid, uint32_t root)
{
	static uint32_t pid = NEAR_PIDS;
	size_t size;
	const void *p;

	add_fork(g, r, ++pid, ppid);
	add_exec(g, r, pid, ppid, root, false);
	near_begin(g, EV_EXIT, pid);
	p = near_end(g, &size);
	record_add(r, p, size, true);
}

static void add_event(struct near *g, struct records *r, uint16_t event, uint32_t root)
{
	uint32_t pid = 1 + near_below(g, NEAR_PIDS);
	size_t size;
	const void *p;

	if (event == EV_EXEC) {
		add_run(g, r, pid, root);
		return;
	}
	near_begin(g, (enum ev_type)event, pid);
	near_take(g, root, NULL, false);
	p = near_end(g, &size);
	record_add(r, p, size, false);
}

/* Half of the events take up something of a rule as it is written, the others of one with other constants. */
static void make_records(const struct program *base, const uint32_t *rules, uint32_t nrules, const struct program *all,
			 struct records *r)
{
	struct near g = { .p = base, .x = 20261121 };

	*r = (struct records){ .cap = 128 << 20, .max = 4 * EVENTS + 4 * NEAR_PIDS };
	r->bytes = malloc(r->cap);
	r->v = calloc(r->max, sizeof(*r->v));
	if (!r->bytes || !r->v)
		exit(1);
	for (uint32_t pid = 1; pid <= NEAR_PIDS; pid++)
		add_process(&g, r, pid, base->rules[rules[near_below(&g, nrules)]].root);
	for (uint32_t i = 0; i < EVENTS;) {
		uint32_t rule = near_below(&g, 2) ? rules[near_below(&g, nrules)] : PROGRAM_NONE;
		const struct prule *pr;

		g.p = rule != PROGRAM_NONE ? base : all;
		pr = &g.p->rules[rule != PROGRAM_NONE ? rule : near_below(&g, all->nrules)];
		if (pr->event == EV_FORK || pr->event == EV_EXIT || (pr->event == EV_EXEC && near_below(&g, 12)))
			continue;
		add_event(&g, r, pr->event, pr->root);
		i++;
	}
}

/* ---- the sieve ----------------------------------------------------------------------------------------------------- */

/* The text of row @row of str[]. */
static const ev_u8 *row_text(const void *rec, const struct ev_head *h, uint32_t row, uint32_t *ret_len)
{
	struct ev_str s;

	memcpy(&s, (const char *)rec + sizeof(*h) + h->nnum * sizeof(ev_u64) + row * sizeof(s), sizeof(s));
	*ret_len = s.len;
	return (const ev_u8 *)rec + s.off;
}

/* Rows of each event type that an automaton looks at. */
static uint8_t sieve_rows[EV_TYPES][SV_AUTOMATA];

static void find_sieve_rows(const struct catalog *c)
{
	for (uint16_t event = 1; event < EV_TYPES; event++)
		for (size_t i = 0; i < c->nfields && c->events[event].name; i++) {
			const struct cat_field *f = &c->fields[i];
			uint16_t k;
			int sieve = f->kind == 'S' ? catalog_sieve(c, f, event, &k) : CAT_SIEVE_NONE;

			if (sieve == CAT_SIEVE_PATH || sieve == CAT_SIEVE_ADDR || sieve == CAT_SIEVE_COMM)
				sieve_rows[event][k] =
					(uint8_t)(f->index + (f->home == CAT_HOME_PROC ? c->events[event].nstr : 0));
		}
}

/* What a hook does; false: nothing is alive. */
static bool sift(const struct sieve *s, const void *rec, struct ev_head *h)
{
	static ev_u8 buf[SV_BUF_SIZE];
	const struct sv_event *ev;
	struct sv_mask alive;

	memcpy(h, rec, sizeof(*h));
	if (h->type >= EV_TYPES)
		return false;
	ev = &s->event[h->type];
	if (!sv_alive_start(ev, &alive) ||
	    !sv_nums(ev, h, (const ev_u64 *)(const void *)((const char *)rec + sizeof(*h)), &alive))
		return false;
	for (unsigned k = 0; k < SV_AUTOMATA; k++) {
		const struct sv_automaton *a = &ev->automata[k];
		const ev_u8 *text;
		uint32_t len;

		if (!a->used || k == SV_AUT_EITHER) /* no program here goes by two paths */
			continue;
		text = row_text(rec, h, sieve_rows[h->type][k], &len);
		memcpy(buf, text, len);
		sv_mask_and(&alive, sv_final_mask(s, a,
						  k == SV_AUT_ADDR ? sv_dfa_run_addr(s, a, buf)
								   : sv_dfa_run_at(s, a, 0, buf, 0, len)));
	}
	memcpy(h->alive, &alive, sizeof(h->alive));
	return !sv_mask_zero(&alive);
}

/* ---- captures ------------------------------------------------------------------------------------------------------ */

struct bench_capture {
	struct capture_writer w;
	uint32_t survivors;
};

/* @same: of events only those that survive the sieve of SAME_RULES, too. */
static void make_capture(const struct records *r, const struct sieve *s, bool same, struct bench_capture *cap)
{
	struct capture_meta meta = { .host = "bench-host", .all = false };
	const struct record *args = NULL;

	*cap = (struct bench_capture){ .survivors = 0 };
	must(capture_writer_init(&cap->w, 128 << 20, catalog_fingerprint(catalog_tamis())), "capture");
	must(capture_put_meta(&cap->w, &meta), "capture");
	for (uint32_t i = 0; i < r->n; i++) {
		const struct record *rec = &r->v[i];
		struct ev_head h;
		bool alive = sift(s, r->bytes + rec->at, &h);

		if (h.type == EV_ARGS)
			args = rec;
		if (h.type == EV_ARGS || (!rec->setup && (!alive || (same && !rec->same))))
			continue;
		if (h.type == EV_EXEC)
			must(capture_put(&cap->w, CAPTURE_RECORD, r->bytes + args->at, args->size, NULL, 0), "capture");
		must(capture_put(&cap->w, CAPTURE_RECORD, &h, sizeof(h), r->bytes + rec->at + sizeof(h),
				 rec->size - sizeof(h)),
		     "capture");
		cap->survivors += alive && !rec->setup;
	}
	capture_close(&cap->w);
}

static void mark_same(struct records *r, const struct sieve *s)
{
	for (uint32_t i = 0; i < r->n; i++) {
		struct ev_head h;

		r->v[i].same = sift(s, r->bytes + r->v[i].at, &h);
	}
}

/* Seconds that a playback takes; @e: through the engine, NULL: without. The clock starts where the processes are there. */
static double play(const struct bench_capture *cap, struct engine *e, uint64_t *ret_matches)
{
	struct playback *p;
	struct decoded d;
	const void *bytes;
	size_t len = capture_ready(&cap->w, &bytes);
	struct err err;
	double since = 0;
	uint64_t n = 0;
	int r = playback_open_mem(bytes, len, &p, &err);

	must(r, "playback");
	while ((r = playback_next(p, &d, &err)) == 1) {
		if (++n == 2 * NEAR_PIDS) {
			*ret_matches = 0;
			since = clock_s();
		}
		if (e)
			*ret_matches += engine_eval(e, &d.ev, NULL);
	}
	since = clock_s() - since;
	must(r, "playback");
	playback_free(p);
	return since;
}

/* ---- measuring ----------------------------------------------------------------------------------------------------- */

struct figures {
	double engine_ns, all_ns, same_ns, same_all_ns, same_matches, new_ms, matches, mib, program_mib;
	uint32_t survivors;
};

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Nanoseconds an event, the least of @rounds: *ret_all with reading, decoding and enriching, what is returned without. */
static double time_events(const struct bench_capture *cap, struct engine *e, int rounds, double *ret_all,
			  double *ret_matches)
{
	double without = 1e9, with = 1e9;
	uint64_t matches = 0;

	for (int i = 0; i < rounds; i++) {
		double t = play(cap, NULL, &matches);

		without = t < without ? t : without;
		t = play(cap, e, &matches);
		with = t < with ? t : with;
	}
	*ret_matches = (double)matches / cap->survivors;
	*ret_all = with * 1e9 / cap->survivors;
	return (with - without) * 1e9 / cap->survivors;
}

/* @marks: the events that pass are those that are the same from now on. */
static void measure(struct program_builder *pb, struct records *r, int rounds, bool marks, struct figures *f)
{
	static struct sieve sieve;
	struct bench_capture cap, same;
	struct buf bytes;
	struct engine *e;
	struct program p;
	struct err err = { .msg = "" };
	double since;
	size_t before;

	must(sieve_build(pb, NULL, NULL, &sieve, &err), err.msg);
	p = program_view(pb);
	buf_init(&bytes, 256 << 20);
	must(program_save(&p, &bytes), "save");
	f->program_mib = (double)bytes.len / (1 << 20);
	buf_done(&bytes);
	if (marks)
		mark_same(r, &sieve);
	make_capture(r, &sieve, false, &cap);
	make_capture(r, &sieve, true, &same);
	f->survivors = cap.survivors;
	before = in_use();
	since = clock_s();
	must(engine_new(&p, &e, &err), err.msg);
	f->new_ms = (clock_s() - since) * 1e3;
	f->engine_ns = time_events(&cap, e, rounds, &f->all_ns, &f->matches);
	f->mib = (double)(in_use() - before) / (1 << 20);
	if (same.survivors)
		f->same_ns = time_events(&same, e, rounds, &f->same_all_ns, &f->same_matches);
	engine_free(e);
	capture_writer_done(&cap.w);
	capture_writer_done(&same.w);
}

static const uint32_t sizes[4] = { 10, 100, 1000, 10000 };

static void print_growth(const struct figures f[4])
{
	printf("1,000 rules: %.2f million events a second by the engine (at least 2), %.2f million with reading, decoding "
	       "and enriching\n",
	       1e3 / f[2].engine_ns, 1e3 / f[2].all_ns);
	for (int i = 1; i < 4; i++) {
		printf("%u -> %u rules: %.2f times the time an event by the engine, %.2f times with reading, decoding and "
		       "enriching",
		       sizes[i - 1], sizes[i], f[i].engine_ns / f[i - 1].engine_ns, f[i].all_ns / f[i - 1].all_ns);
		if (f[i - 1].same_ns > 0)
			printf("; for the same events %.2f and %.2f times", f[i].same_ns / f[i - 1].same_ns,
			       f[i].same_all_ns / f[i - 1].same_all_ns);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 5;
	uint32_t only = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	struct compile *c = compile_policies();
	struct program base = program_view(c->builder), all;
	struct figures f[4] = { 0 };
	struct program_builder *large;
	struct records r;
	uint32_t nrules, *rules = usable_rules(c, &nrules);

	find_sieve_rows(base.catalog);
	large = make_policy(&base, rules, nrules, sizes[3]);
	all = program_view(large);
	make_records(&base, rules, nrules, &all, &r);
	printf("%u rules that can fire; %u events offered\n", nrules, EVENTS);
	printf("%7s %10s %13s %9s %9s %11s %9s %9s %9s %9s %9s\n", "rules", "surviving", "matches/event", "engine ns",
	       "all ns", "events/s", "same ns", "matches", "new ms", "MiB", "program");
	for (int i = 0; i < 4; i++) {
		struct program_builder *pb;

		if (only && only != sizes[i])
			continue;
		pb = i < 3 ? make_policy(&base, rules, nrules, sizes[i]) : large;
		measure(pb, &r, rounds, only || sizes[i] == SAME_RULES, &f[i]);
		printf("%7u %10u %13.2f %9.0f %9.0f %11.0f %9.0f %9.2f %9.1f %9.1f %9.1f\n", sizes[i], f[i].survivors,
		       f[i].matches, f[i].engine_ns, f[i].all_ns, 1e9 / f[i].all_ns, f[i].same_ns, f[i].same_matches,
		       f[i].new_ms, f[i].mib, f[i].program_mib);
		if (i < 3)
			program_builder_free(pb);
	}
	if (!only)
		print_growth(f);
	program_builder_free(large);
	free(rules);
	free(r.bytes);
	free(r.v);
	compile_free(c);
	diags_done(&diags);
	return 0;
}
