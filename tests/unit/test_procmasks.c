/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masks of processes: whatever processes do, and however late the engine process hears of it, a rule that holds on an event was
 * alive when the kernel side looked at the masks. Random policies, random forks, execs, exits, changes of ids and cgroups,
 * lost records and policy changes; the engine process's side is the real one, the kernel's is its look-ups on this host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "bpf/lib/masks.bpf.h"
#include "lib/buf.h"
#include "policy-compiler/node_text.h"
#include "policy-compiler/sieve_build.h"
#include "sensor/enrich/enrich.h"
#include "sensor/priv/procmasks.h"
#include "tests/unit/rec.h"
#include "tests/unit/sieve_gen.h"

#define PIDS   10
#define QUEUE  64
#define POLICY 4 /* generations whose engines are kept */

/* One of the three cgroups is a container's. */
#define CONTAINER_ID "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static struct masks masks;
static struct sieve sieve;

/* ---- the machine ----------------------------------------------------------------------------------------------------- */

static const char *const paths[] = { "/bin/sh", "/bin/cat", "/usr/bin/git", "/usr/sbin/nginx", "/tmp/x", "/opt/a." };

struct task {
	bool runs;
	uint32_t pid, ppid, image, uid, cgroup;
	uint64_t start;
	const char *path;
	bool upper; /* that lies on an upper layer */
};

struct queued {
	size_t size;
	bool event; /* to be evaluated */
	struct sv_mask alive;
	uint32_t generation;
	_Alignas(8) unsigned char bytes[2048];
};

struct generation {
	uint32_t number;
	struct build b;
	struct program p;
	struct engine *engine;
	struct sv_event events[EV_TYPES];
};

struct world {
	struct gen g;
	uint64_t seed, now;
	struct task tasks[PIDS + 1]; /* by pid; 1 is the first process */
	struct generation policies[POLICY];
	uint32_t generation; /* that the kernel has */
	struct queued queue[QUEUE];
	unsigned nqueue;
	struct decode *decoder;
	struct enrich *enrich;
	struct procmasks *pm;
	unsigned events, struck, by_kin, by_vars, fired, swaps;
};

static struct generation *policy_of(struct world *w, uint32_t number)
{
	struct generation *p = &w->policies[number % POLICY];

	return p->number == number ? p : NULL;
}

static uint64_t cgroups_of(const struct task *t)
{
	return t->cgroup * 1000003ull;
}

static struct masks_who who_of(const struct task *t, uint32_t image)
{
	return (struct masks_who){ .start_ns = t->start, .pid = t->pid, .image = image };
}

struct words {
	uint64_t first, second;
};

static struct words words_of(struct world *w, const struct task *t, uint32_t image)
{
	struct masks_who who = who_of(t, image);
	struct words r = { masks_first(&masks, &who, w->generation), 0 };

	r.second = masks_second(&masks, r.first, cgroups_of(t));
	return r;
}

static uint32_t tail_of(const char *path)
{
	size_t n = strlen(path);

	return n < 2 ? 0 : masks_tail((ev_u8)path[n - 2], (ev_u8)path[n - 1]);
}

/* ---- the engine process -------------------------------------------------------------------------------------------- */

/* The rule, and who is above whom. */
static void describe(const struct program *p, uint32_t rule, const struct event *ev)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	node_text(p, p->rules[rule].root, false, &b);
	printf("%.*s\n", (int)b.len, (const char *)b.data);
	buf_done(&b);
	for (const struct proc *x = ev->proc; x; x = x->parent)
		printf("  %d of %d: %.*s in %.*s\n", (int)x->v[SLOT_PROC_PID].num, (int)x->v[SLOT_PROC_PPID].num,
		       (int)x->v[SLOT_PROC_FILE_PATH].len, x->v[SLOT_PROC_FILE_PATH].s,
		       (int)x->v[SLOT_PROC_CGROUP_ID].len, x->v[SLOT_PROC_CGROUP_ID].s);
}

static void check_match(struct world *w, struct generation *p, const struct queued *q, const struct event *ev)
{
	const uint32_t *rules;
	size_t n = engine_eval(p->engine, ev, &rules);

	for (size_t i = 0; i < n; i++) {
		if (gen_rule_alive(&p->p, rules[i], &q->alive))
			continue;
		describe(&p->p, rules[i], ev);
		fail_msg("seed %llu: this holds on an event of type %u, and the mask of the process ruled it out",
			 (unsigned long long)w->seed, ev->type);
	}
	w->fired += n > 0;
}

static void user_takes(struct world *w)
{
	struct queued *q = &w->queue[0];
	struct generation *p = policy_of(w, q->generation);
	static struct decoded d;

	assert_int_equal(decode_record(w->decoder, q->bytes, q->size, &d), 1);
	enrich_event(w->enrich, &d);
	if (q->event && p)
		check_match(w, p, q, &d.ev);
	procmasks_look(w->pm, &d.head, d.ev.proc);
	memmove(q, q + 1, --w->nqueue * sizeof(*q));
}

static void user_works(struct world *w, unsigned n)
{
	while (n-- && w->nqueue)
		user_takes(w);
}

/* ---- the kernel ------------------------------------------------------------------------------------------------------ */

static void record_begin(struct world *w, struct rec *r, enum ev_type type, const struct task *t)
{
	rec_begin(r, type);
	r->head.pid = r->head.tid = t->pid;
	r->head.start_ns = t->start;
	r->head.image = t->image;
	r->head.uid = r->head.euid = t->uid;
	r->head.boot_ns = w->now++;
	r->head.policy = w->generation;
}

static void record_proc(struct rec *r, const struct task *t, bool strings)
{
	static char cgroup[128]; /* until the record is made */

	r->num[r->proc + EVN_PROC_PID] = r->num[r->proc + EVN_PROC_TID] = t->pid;
	r->num[r->proc + EVN_PROC_PPID] = t->ppid;
	r->num[r->proc + EVN_PROC_UID] = r->num[r->proc + EVN_PROC_EUID] = t->uid;
	r->num[r->proc + EVN_PROC_CREATED_AT] = t->start;
	if (!strings)
		return;
	snprintf(cgroup, sizeof(cgroup), "/c%u%s", t->cgroup, t->cgroup == 2 ? "/docker/" CONTAINER_ID : "");
	r->num[r->proc + EVN_PROC_FILE_IN_UPPER] = t->upper;
	rec_proc_str(r, EVS_PROC_FILE_PATH, t->path);
	rec_proc_str(r, EVS_PROC_COMM, strrchr(t->path, '/') + 1);
	rec_proc_str(r, EVS_PROC_CGROUP_ID, cgroup);
}

static void record_end(struct world *w, struct rec *r, const struct sv_mask *alive, bool event)
{
	struct queued *q = &w->queue[w->nqueue];
	const void *bytes = rec_end(r, &q->size);

	assert_true(q->size <= sizeof(q->bytes));
	memcpy(q->bytes, bytes, q->size);
	q->alive = *alive;
	q->event = event;
	q->generation = w->generation;
	if (++w->nqueue == QUEUE)
		user_works(w, QUEUE);
}

static struct sv_mask all_of(struct world *w, enum ev_type type)
{
	return policy_of(w, w->generation)->events[type].clauses;
}

/* As rec_vars() there; not while the kernel still has the policy before. */
static void kernel_vars(struct world *w, enum ev_type type, struct sv_mask *alive)
{
	struct sv_mask was = *alive;

	if (sieve.generation != w->generation)
		return;
	sv_vars_strike(&sieve, &sieve.event[type], alive);
	if (!sv_mask_zero(alive))
		sv_vars_set(&sieve, &sieve.event[type], alive);
	w->by_vars += memcmp(&was, alive, sizeof(was)) != 0;
}

/* As rec_masks() in bpf/lib/emit.bpf.h. */
static void kernel_masks(struct world *w, const struct task *t, enum ev_type type, const char *path,
			 struct sv_mask *alive)
{
	const struct sv_event *e = &policy_of(w, w->generation)->events[type];
	struct words k = words_of(w, t, t->image);
	uint32_t low, is;

	if (!masks_find(&masks, k.first, k.second, &low)) {
		masks_put(&masks, k.first, k.second, MASKS_LATE, MASKS_KIN);
		return;
	}
	masks_strike(&masks, low, w->generation, type, alive);
	is = path ? tail_of(path) : 0;
	if (is && (low & MASKS_TAIL) && is != (low & MASKS_TAIL))
		for (int i = 0; i < SV_WORDS; i++)
			alive->w[i] &= ~e->self.w[i];
}

static void do_event(struct world *w, struct task *t)
{
	static const enum ev_type types[] = { EV_OPEN, EV_UNLINK };
	enum ev_type type = gen_chance(&w->g, 1) ? EV_CHMOD : GEN_PICK(&w->g, types);
	const char *path = GEN_PICK(&w->g, paths);
	struct sv_mask alive = all_of(w, type), all = alive;
	struct rec r;

	kernel_masks(w, t, type, path, &alive);
	record_begin(w, &r, type, t);
	rec_str(&r,
		type == EV_OPEN	    ? EVS_OPEN_FILE_PATH
		: type == EV_UNLINK ? EVS_UNLINK_FILE_PATH
				    : EVS_CHMOD_FILE_PATH,
		path);
	w->events++;
	w->struck += memcmp(&alive, &all, sizeof(all)) != 0;
	kernel_vars(w, type, &alive);
	record_end(w, &r, &alive, true);
}

/* As exec_kin(): now and then a string cannot be read. */
static uint32_t self_of(struct world *w, const char *path)
{
	const char *const strings[SV_KIN_AUTS] = { path, strrchr(path, '/') + 1, path, strrchr(path, '/') + 1 };
	uint32_t met = 0;

	for (int k = 0; k < SV_KIN_AUTS; k++) {
		const struct sv_automaton *a = &sieve.event[EV_EXEC].automata[SV_AUT_KIN + k];
		uint32_t state = sv_dfa_run(&sieve, a, 0, (const ev_u8 *)strings[k], (ev_u32)strlen(strings[k]));

		met |= sieve.kin.of[k] &
		       (!a->used || gen_chance(&w->g, 5) ? MASKS_KIN : (uint32_t)sv_final_mask(&sieve, a, state)->w[0]);
	}
	return met;
}

/* As exec_masks() and exec_known() in bpf/process.bpf.c. */
static void do_exec(struct world *w, struct task *t, bool lost)
{
	struct words k = words_of(w, t, t->image);
	struct sv_mask alive = all_of(w, EV_EXEC), all = alive, before;
	struct rec r;
	uint32_t low, kin = masks_kin(&masks, k.first), fresh = MASKS_FRESH;

	if (masks_find(&masks, k.first, k.second, &low)) {
		masks_strike(&masks, low, w->generation, EV_EXEC, &alive);
		fresh = masks_fresh(&masks, low, w->generation);
	}
	before = alive;
	sv_kin_strike(&sieve.kin, kin, &alive);
	if (fresh == MASKS_BARE)
		sv_mask_and_not(&alive, &sieve.kin.contained);
	sv_mask_and_not(&alive, &sieve.kin.tty); /* nobody has one here */
	w->by_kin += memcmp(&alive, &before, sizeof(alive)) != 0;
	t->image++;
	t->path = GEN_PICK(&w->g, paths);
	kin = sv_kin_below(&sieve.kin, kin, self_of(w, t->path));
	t->upper = gen_chance(&w->g, 50);
	if (lost) {
		masks.epoch++;
		return;
	}
	record_begin(w, &r, EV_EXEC, t);
	record_proc(&r, t, true);
	w->events++;
	w->struck += memcmp(&alive, &all, sizeof(all)) != 0;
	kernel_vars(w, EV_EXEC, &alive);
	record_end(w, &r, &alive, true);
	k = words_of(w, t, t->image);
	masks_put(&masks, k.first, k.second, fresh | tail_of(t->path), kin);
}

/* As bprm_creds_d() in bpf/deny.bpf.c: told as what it would have become, and stays what it is. */
static void do_refused_exec(struct world *w, const struct task *t)
{
	struct sv_mask alive = all_of(w, EV_EXEC);
	struct task other = *t;
	struct rec r;

	other.path = GEN_PICK(&w->g, paths);
	other.upper = gen_chance(&w->g, 50);
	record_begin(w, &r, EV_EXEC, t);
	r.head.flags |= EV_F_DENIED | EV_F_ARGS_TRUNCATED;
	record_proc(&r, &other, true);
	w->events++;
	record_end(w, &r, &alive, true);
}

/* As fork_known(). */
static void do_fork(struct world *w, struct task *t, bool lost)
{
	struct sv_mask none = { { 0 } };
	struct task *c = NULL;
	struct words k;
	struct rec r;
	uint32_t low, kin;

	for (uint32_t pid = 2; pid <= PIDS; pid++)
		if (!w->tasks[pid].runs)
			c = &w->tasks[pid];
	if (!c)
		return;
	*c = *t;
	c->pid = (uint32_t)(c - w->tasks);
	c->ppid = t->pid;
	c->start = w->now++;
	if (lost) {
		masks.epoch++;
		return;
	}
	record_begin(w, &r, EV_FORK, t);
	record_proc(&r, c, false);
	record_end(w, &r, &none, false);
	k = words_of(w, t, t->image);
	kin = masks_kin(&masks, k.first);
	if (!masks_find(&masks, k.first, k.second, &low)) {
		masks_put(&masks, k.first, k.second, MASKS_LATE, MASKS_KIN);
		low = MASKS_LATE;
	}
	low = masks_forked(&masks, low, w->generation);
	k = words_of(w, c, c->image);
	masks_put(&masks, k.first, k.second, low, kin);
}

static void do_exit(struct world *w, struct task *t)
{
	struct sv_mask none = { { 0 } };
	struct rec r;

	if (t->pid == 1)
		return;
	record_begin(w, &r, EV_EXIT, t);
	record_end(w, &r, &none, false);
	t->runs = false;
	for (uint32_t pid = 2; pid <= PIDS; pid++)
		if (w->tasks[pid].runs && w->tasks[pid].ppid == t->pid)
			w->tasks[pid].ppid = 1;
}

/* ---- policies -------------------------------------------------------------------------------------------------------- */

static uint32_t string_is(struct build *b, uint32_t field, const char *s)
{
	return build3(b, N_STREQ, field, build_str(b, s), 0);
}

static uint32_t current_is(struct build *b, const char *field, const char *s)
{
	return string_is(b, build1(b, N_CURRENT, build_field_index(field)), s);
}

/* What one of those above is, by its path, by its name, by both, or denied of one. */
static uint32_t random_above(struct world *w, struct build *b, const char *path)
{
	const char *other = GEN_PICK(&w->g, paths);
	uint32_t one = current_is(b, "process.ancestors.file.path", path),
		 two = current_is(b, "process.ancestors.comm", strrchr(other, '/') + 1), elem;

	switch (gen_below(&w->g, 5)) {
	case 0:
		elem = build1(b, N_ELEM, NT_STR);
		return build2(b, N_ANY, build_field(b, "process.ancestors.file.path"), string_is(b, elem, path));
	case 1:
		elem = build1(b, N_ELEM, NT_STR);
		return build2(b, N_ANY, build_field(b, "process.ancestors.comm"),
			      string_is(b, elem, strrchr(path, '/') + 1));
	case 2:
		two = build1(b, N_NOT, two);
		break;
	case 3:
		one = build2(b, N_OR, one, current_is(b, "process.ancestors.file.name", "git"));
		break;
	}
	return build2(b, N_EXISTS, build2(b, gen_chance(&w->g, 70) ? N_AND : N_OR, one, two),
		      build_field_index("process.ancestors.comm"));
}

static uint32_t random_parent(struct world *w, struct build *b, const char *path)
{
	switch (gen_below(&w->g, 3)) {
	case 0:
		return string_is(b, build_field(b, "process.parent.comm"), strrchr(path, '/') + 1);
	case 1:
		return string_is(b, build_field(b, "process.parent.file.name"), strrchr(path, '/') + 1);
	default:
		return string_is(b, build_field(b, "process.parent.file.path"), path);
	}
}

static uint32_t random_atom(struct world *w, struct build *b, const char *event)
{
	const char *path = GEN_PICK(&w->g, paths);
	char name[64];
	uint32_t elem = build1(b, N_ELEM, NT_STR);

	switch (gen_below(&w->g, 13)) {
	case 11:
		return build2(b, N_EQ, build1(b, N_VAR, gen_below(&w->g, 3)), build_int(b, 1));
	case 12:
		return build_field(b, gen_chance(&w->g, 50) ? "process.file.in_upper_layer"
							    : "process.parent.file.in_upper_layer");
	case 9:
		return string_is(b, build_field(b, "process.container.id"), "");
	case 10:
		return gen_chance(&w->g, 50) ? build2(b, N_ANY, build_field(b, "container.tags"),
						      string_is(b, elem, "runtime:docker"))
					     : string_is(b, build_field(b, "container.runtime"),
							 gen_chance(&w->g, 50) ? "" : "docker");
	case 0:
		return string_is(b, build_field(b, "process.file.path"), path);
	case 1:
		return string_is(b, build_field(b, "process.comm"), strrchr(path, '/') + 1);
	case 2:
		return random_parent(w, b, path);
	case 3:
		return random_above(w, b, path);
	case 4:
		return build2(b, N_EQ, build_field(b, "process.uid"), build_int(b, gen_below(&w->g, 3)));
	case 5:
		return build3(b, N_STREQ, build_field(b, "process.parent.cgroup.id"),
			      build_field(b, "process.cgroup.id"), 0);
	case 6:
		return string_is(b, build_field(b, "process.cgroup.id"), gen_chance(&w->g, 50) ? "/c0" : "/c1");
	case 7:
		return build2(b, N_EQ, build_field(b, "process.ppid"), build_int(b, 1 + gen_below(&w->g, 4)));
	default:
		snprintf(name, sizeof(name), "%s.file.path", event);
		return strcmp(event, "exec") == 0
			       ? string_is(b, build_field(b, "process.user"), "root")
			       : build3(b, N_STREQ, build_field(b, name), build_field(b, "process.file.path"), 0);
	}
}

static uint32_t random_condition(struct world *w, struct build *b, const char *event, uint32_t depth)
{
	if (!depth || gen_chance(&w->g, 20))
		return random_atom(w, b, event);
	if (gen_chance(&w->g, 30))
		return build1(b, N_NOT, random_condition(w, b, event, depth - 1));
	return build2(b, gen_chance(&w->g, 60) ? N_AND : N_OR, random_condition(w, b, event, depth - 1),
		      random_condition(w, b, event, depth - 1));
}

/* Two that events set, of everybody and of a process and those below it, and one that execs set, too. */
static void add_variables(struct build *b)
{
	static const char *const names[] = { "all", "own", "exec" };

	for (uint32_t i = 0; i < 3; i++) {
		struct pvar v = { .name = build_string(b, names[i]), .type = NT_INT };

		v.scope = i == 1 ? VAR_PROCESS : VAR_GLOBAL;
		v.flags = i == 1 ? VAR_INHERITED : 0;
		assert_int_equal(build_ok(program_var_add(b->pb, &v)), i);
	}
}

static void set_variable(struct build *b, uint32_t rule, uint32_t var)
{
	uint32_t one = build_int(b, 1);
	const struct paction a = { .kind = ACT_SET,
				   .filter = PROGRAM_NONE,
				   .field = PROGRAM_NONE,
				   .message = PROGRAM_NONE,
				   .var = var,
				   .values_first = build_ok(program_refs_add(b->pb, &one, 1)),
				   .values_count = 1 };

	build_ok(program_actions_set(b->pb, rule, &a, 1));
}

static void random_rules(struct world *w, struct build *b)
{
	static const struct {
		uint16_t type;
		const char *name;
	} of[] = { { EV_OPEN, "open" }, { EV_UNLINK, "unlink" }, { EV_EXEC, "exec" } };

	add_variables(b);
	for (uint32_t n = 2 + gen_below(&w->g, 8); n; n--) {
		size_t i = gen_below(&w->g, 3);

		uint32_t rule = build_rule(b, of[i].type, random_condition(w, b, of[i].name, 1 + gen_below(&w->g, 3)));

		if (of[i].type == EV_EXEC && gen_chance(&w->g, 30))
			set_variable(b, rule, 2);
	}
	/* by what happens seldom, else they would always be set */
	for (uint32_t var = 0; var < 3; var++)
		set_variable(b, build_rule(b, EV_CHMOD, random_condition(w, b, "chmod", 1)), var);
}

/* As the monitor hands it over. */
static struct kin *kin_of_sieve(void)
{
	struct kin *kin;
	struct buf b;

	buf_init(&b, 1 << 20);
	assert_int_equal(kin_pack(&sieve, &b), 0);
	assert_int_equal(kin_new(b.data, b.len, &kin), 0);
	buf_done(&b);
	return kin;
}

static void policy_end(struct generation *p)
{
	engine_free(p->engine);
	program_builder_free(p->b.pb);
	*p = (struct generation){ 0 };
}

static void do_swap(struct world *w)
{
	uint32_t number = w->generation + 1;
	struct generation *p = &w->policies[number % POLICY];
	struct err e;

	policy_end(p);
	p->number = number;
	assert_int_equal(program_builder_new(catalog_tamis(), &p->b.pb), 0);
	random_rules(w, &p->b);
	assert_int_equal(sieve_build(p->b.pb, NULL, NULL, &sieve, &e), 0);
	sieve.generation = number;
	memcpy(p->events, sieve.event, sizeof(p->events));
	p->p = program_view(p->b.pb);
	assert_int_equal(engine_new(&p->p, &p->engine, &e), 0);
	assert_int_equal(procmasks_policy(w->pm, number, p->engine, kin_of_sieve()), 0);
	if (w->generation) /* the engine process has it, the kernel not yet */
		do_event(w, &w->tasks[1]);
	w->generation = number;
	w->swaps++;
}

/* ---- the test -------------------------------------------------------------------------------------------------------- */

static void world_begin(struct world *w, uint64_t seed)
{
	const struct enrich_options o = { .hostname = "here", .origin = "ebpf", .etc_path = "/etc" };

	*w = (struct world){ .g = gen_of(seed), .seed = seed, .now = 1000 };
	memset(&masks, 0, sizeof(masks));
	for (int i = 0; i < 3; i++)
		masks.seed[i] = (seed * 0x9e3779b97f4a7c15ull + (uint64_t)i * 77) | 1;
	assert_int_equal(decode_new(catalog_tamis(), &w->decoder), 0);
	assert_int_equal(enrich_new(&o, &w->enrich), 0);
	assert_int_equal(procmasks_new(&masks, enrich_proctable(w->enrich), &w->pm), 0);
	do_swap(w);
	w->tasks[1] = (struct task){ .runs = true, .pid = 1, .image = 3, .start = w->now++, .path = paths[0] };
	do_exec(w, &w->tasks[1], false);
}

static void world_end(struct world *w)
{
	user_works(w, QUEUE);
	procmasks_free(w->pm);
	for (int i = 0; i < POLICY; i++)
		policy_end(&w->policies[i]);
	enrich_free(w->enrich);
	decode_free(w->decoder);
}

static void step(struct world *w)
{
	struct task *t = &w->tasks[1 + gen_below(&w->g, PIDS)];
	uint32_t what = gen_below(&w->g, 100);

	if (!t->runs)
		t = &w->tasks[1];
	if (what < 50)
		do_event(w, t);
	else if (what < 53)
		do_refused_exec(w, t);
	else if (what < 66)
		do_exec(w, t, gen_chance(&w->g, 3));
	else if (what < 80)
		do_fork(w, t, gen_chance(&w->g, 3));
	else if (what < 88)
		do_exit(w, t);
	else if (what < 92)
		t->uid = gen_below(&w->g, 3);
	else if (what < 95)
		t->cgroup = gen_below(&w->g, 3);
	else if (what < 96)
		do_swap(w);
	else
		user_works(w, 1 + gen_below(&w->g, 30));
	if (gen_chance(&w->g, 60))
		user_works(w, 1);
}

static void test_nothing_is_lost(void **state)
{
	uint64_t seed = gen_seed("masks", 20261121);
	unsigned n = gen_rounds(60), events = 0, struck = 0, by_kin = 0, by_vars = 0, fired = 0;
	struct world *w = malloc(sizeof(*w));

	assert_non_null(w);
	for (unsigned i = 0; i < n; i++) {
		world_begin(w, seed + i);
		for (int k = 0; k < 1500; k++)
			step(w);
		world_end(w);
		events += w->events;
		struck += w->struck;
		by_kin += w->by_kin;
		by_vars += w->by_vars;
		fired += w->fired;
	}
	printf("%u machines, %u events: masks ruled something out for %u, what is above %u more, variables %u more, rules held on %u\n",
	       n, events, struck, by_kin, by_vars, fired);
	/* It means something only if both happen often. */
	assert_true(struck > events / 10 && by_kin > events / 200 && by_vars > events / 200 && fired > events / 10);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
