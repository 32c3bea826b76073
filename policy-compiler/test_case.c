/* SPDX-License-Identifier: Apache-2.0 */
/* One test: its steps in order, each with its events and what is expected of them. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#include "lib/near.h"
#include "policy-compiler/policy_keys.h"
#include "policy-compiler/test_parts.h"
#include "policy-compiler/test_tree.h"
#include "policy-compiler/test_variables.h"
#include "policy-compiler/why.h"

#define SCRATCH_MAX  (64u << 20)
#define DETAIL_MAX   (64u << 10)
#define FAILURES_MAX 100		   /* of one test */
#define CLOCK_BEGIN  1767225600000000000LL /* 2026-01-01T00:00:00Z, where a test with steps says no time */
#define NO_CLAUSE    SIZE_MAX

/* A test while it runs. */
struct test {
	struct test_suite *s;
	struct arena arena; /* of this test */
	struct test_tree tree;
	struct test_case *c;
	const struct ynode *node; /* the test */
	bool clock;		  /* the test's clock is the time of its events */
	size_t nevents;
	/* the present step: */
	const struct ynode *step;
	struct event last; /* its last event */
	char prefix[96];   /* "step 2 (NAME): ", for failures */
};

/* ---- failures ------------------------------------------------------------------------------------------------------ */

static int fail(struct test *t, struct span at, const char *detail, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* -ENOMEM, or 0: a failed test is no error of the run. */
static int fail(struct test *t, struct span at, const char *detail, const char *fmt, ...)
{
	struct test_run *run = t->s->run;
	struct test_failure *f;
	uint32_t off, len;
	struct err text;
	char *line;
	va_list ap;
	int n;

	t->c->failed = true;
	if (t->c->nfailures >= FAILURES_MAX)
		return 0;
	n = snprintf(text.msg, sizeof(text.msg), "%s", t->prefix);
	va_start(ap, fmt);
	vsnprintf(text.msg + n, sizeof(text.msg) - (size_t)n, fmt, ap);
	va_end(ap);
	line = arena_strdup(&run->arena, text.msg, strlen(text.msg));
	f = line ? ARENA_PUSH(&run->arena, t->c->failures, t->c->nfailures) : NULL;
	if (!f)
		return -ENOMEM;
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	f->text = line;
	f->detail = detail ? arena_strdup(&run->arena, detail, strlen(detail)) : NULL;
	span_place(at, &f->line, &f->col, &off, &len);
	if (!t->c->failure)
		t->c->failure = line;
	return 0;
}

static int fail_error(struct test *t, const struct test_error *e)
{
	return fail(t, e->at, *e->help ? e->help : NULL, "%s", e->what.msg);
}

/* ---- which rules --------------------------------------------------------------------------------------------------- */

/* Of the rules that one about fim.write.file.* stands for: one that fired, else one that was asked, else the first. */
static struct test_rule *find_part(struct test *t, const struct compile_rule *rule)
{
	struct test_rule *best = NULL;

	for (size_t i = 0; i < rule->nparts; i++) {
		struct test_rule *r = &t->s->rules[rule->parts[i]->number];

		if (!rule->parts[i]->ok)
			continue;
		if (r->fired)
			return r;
		if (!best || (r->seen && !best->seen))
			best = r;
	}
	return best;
}

/* The rule of the program, or NULL after saying what is wrong with the name. */
static struct test_rule *find_rule(struct test *t, const struct ynode *id, int *ret_r)
{
	const struct compile *c = t->s->compile;
	const struct compile_rule *rule = strmap_get(&c->by_id, id->text.s, id->text.len);
	struct near near = near_to(id->text.s, id->text.len);
	struct test_rule *part = rule ? find_part(t, rule) : NULL;

	if (part)
		return part;
	if (rule && rule->ok)
		return &t->s->rules[rule->number];
	for (size_t i = 0; i < c->nrules && !rule; i++)
		near_try(&near, c->rules[i]->id);
	if (rule)
		*ret_r = fail(t, id->at, NULL, "the rule %s is not in the program: it is switched off or has an error",
			      rule->id);
	else if (near.best)
		*ret_r = fail(t, id->at, NULL, "there is no rule %.128s; did you mean %s?", id->text.s, near.best);
	else
		*ret_r = fail(t, id->at, "name the rule's file under \"policies:\"",
			      "there is no rule %.128s in the policies of this test", id->text.s);
	return NULL;
}

/* What the step says of rules: NULL where it does not have the key. */
struct expected {
	const struct ynode *fire, *not, *only, *suppressed, *variables, *snapshot_key, *snapshot;
};

static struct expected expected_of(const struct ynode *step)
{
	struct expected x = {
		.fire = ynode_get(step, "fire"),
		.not = ynode_get(step, "not"),
		.only = ynode_get(step, "fire_only"),
		.suppressed = ynode_get(step, "suppressed"),
		.variables = ynode_get(step, "variables"),
	};

	for (size_t i = 0; i < step->n; i++)
		if (ynode_is(step->keys[i], "snapshot")) {
			x.snapshot_key = step->keys[i];
			x.snapshot = step->items[i];
		}
	return x;
}

static bool is_list(const struct ynode *n)
{
	return n && n->kind == YNODE_LIST;
}

static void want(struct test *t, const struct ynode *ids)
{
	for (size_t i = 0; is_list(ids) && i < ids->n; i++) {
		const struct compile_rule *rule =
			strmap_get(&t->s->compile->by_id, ids->items[i]->text.s, ids->items[i]->text.len);

		if (rule && rule->ok)
			t->s->rules[rule->number].wanted = true;
		for (size_t k = 0; rule && k < rule->nparts; k++)
			if (rule->parts[k]->ok)
				t->s->rules[rule->parts[k]->number].wanted = true;
	}
}

static bool names(const struct ynode *ids, const char *id)
{
	for (size_t i = 0; is_list(ids) && i < ids->n; i++)
		if (ynode_is(ids->items[i], id))
			return true;
	return false;
}

static bool names_rule(const struct ynode *ids, const struct compile_rule *rule)
{
	return names(ids, rule->id) || (rule->origin && names(ids, rule->origin));
}

static void forget_step(struct test *t)
{
	for (uint32_t i = 0; i < t->s->program.nrules; i++) {
		struct test_rule *r = &t->s->rules[i];

		r->wanted = r->fired = r->suppressed = r->seen = false;
		r->missing = NO_CLAUSE;
		r->nearest = NULL;
		if (r->dnf.n)
			memset(r->held, 0, r->dnf.n * sizeof(*r->held));
	}
}

/* ---- one event ----------------------------------------------------------------------------------------------------- */

/* Why the rule does not fire, told by the clause that is nearest to it. */
static int tell_nearest(struct test *t, struct test_rule *r, const struct why *why, const struct dnf_clause *c)
{
	struct buf out;

	buf_init(&out, DETAIL_MAX);
	why_put_false(why, c, &out);
	if (r->dnf.n > 1) {
		buf_printf(&out, "\nin the nearest of %zu clauses: ", r->dnf.n);
		why_put_clause(why->p, c, &out);
	}
	r->nearest = arena_strdup(&t->arena, buf_error(&out) ? "" : (const char *)out.data, out.len);
	buf_done(&out);
	return r->nearest ? 0 : -ENOMEM;
}

static int look_at_rule(struct test *t, struct test_rule *r, const struct why *why)
{
	size_t nearest = NO_CLAUSE;

	r->seen = true;
	for (size_t i = 0; i < r->dnf.n; i++) {
		size_t missing = why_count_false(why, &r->dnf.v[i]);

		r->held[i] |= missing == 0;
		if (missing < r->missing) {
			r->missing = missing;
			nearest = i;
		}
	}
	if (nearest == NO_CLAUSE || r->missing == 0 || !r->wanted)
		return 0;
	return tell_nearest(t, r, why, &r->dnf.v[nearest]);
}

/* The clauses first: what rules do when they fire may change what they ask. */
static int put_event(struct test *t, const struct event *ev)
{
	struct test_suite *s = t->s;
	struct why why = { .engine = s->engine, .p = &s->program, .ev = ev };
	const struct engine_match *matches;
	size_t n;
	int r = 0;

	t->last = *ev;
	for (uint32_t i = 0; i < s->program.nrules && r == 0; i++)
		if (s->program.rules[i].event == ev->type)
			r = look_at_rule(t, &s->rules[i], &why);
	if (r < 0)
		return r;
	n = engine_eval(s->engine, ev, NULL);
	matches = engine_matches(s->engine);
	for (size_t i = 0; i < n; i++) {
		struct test_rule *rule = &s->rules[matches[i].rule];

		*(matches[i].suppressed ? &rule->suppressed : &rule->fired) = true;
	}
	return 0;
}

/* *ret_bad: it could not be read, which is a failure of the test; what follows makes no sense then. */
static int run_event(struct test *t, const struct ynode *node, bool *ret_bad)
{
	struct test_error e;
	struct event ev;
	int r;

	if (++t->nevents > TEST_EVENTS_MAX) {
		*ret_bad = true;
		return fail(t, node->at, NULL, "more than %d events in one test", TEST_EVENTS_MAX);
	}
	r = test_tree_event(&t->tree, node, &ev, &e);
	if (r == -EINVAL) {
		*ret_bad = true;
		return fail_error(t, &e);
	}
	if (r < 0)
		return r;
	if (t->clock && ev.now_ns && ev.now_ns < t->tree.now_ns) {
		*ret_bad = true;
		return fail(t, node->at, "an event is never earlier than the one before", "the time goes backwards");
	}
	if (t->clock) {
		t->tree.now_ns = ev.now_ns ? ev.now_ns : t->tree.now_ns;
		ev.now_ns = ev.base[SLOT_BASE_TIMESTAMP].num = t->tree.now_ns;
	}
	return put_event(t, &ev);
}

/* ---- what is expected ---------------------------------------------------------------------------------------------- */

static const char *event_names(const struct test *t, const struct test_rule *r)
{
	return t->s->program.catalog->events[t->s->program.rules[r->def->number].event].name;
}

static int did_not_fire(struct test *t, const struct ynode *at, const struct test_rule *r)
{
	char other[128];

	if (r->suppressed)
		return fail(t, at->at, "it held, but its last alert was less than its \"every\" ago", "%s did not fire",
			    r->def->id);
	if (r->seen)
		return fail(t, at->at, r->nearest, "%s did not fire", r->def->id);
	snprintf(other, sizeof(other), "it is about \"%s\" events, and there was none", event_names(t, r));
	return fail(t, at->at, other, "%s did not fire", r->def->id);
}

static int did_fire(struct test *t, const struct ynode *at, const struct test_rule *r, const char *rest)
{
	struct buf out;
	int err;

	buf_init(&out, DETAIL_MAX);
	for (size_t i = 0; i < r->dnf.n; i++) {
		if (!r->held[i])
			continue;
		buf_puts(&out, out.len ? "\ntrue: " : "true: ");
		why_put_clause(&t->s->program, &r->dnf.v[i], &out);
	}
	err = fail(t, at->at, out.len ? buf_cstr(&out) : NULL, "%s fired%s", r->def->id, rest);
	buf_done(&out);
	return err;
}

static void count(struct test_rule *r)
{
	r->cover->fired = true;
	for (size_t i = 0; i < r->dnf.n; i++)
		r->clauses[i]->held |= r->held[i];
}

static int compare_suppressed(struct test *t, const struct ynode *ids)
{
	int err = 0;

	for (size_t i = 0; is_list(ids) && i < ids->n && err == 0; i++) {
		struct test_rule *r = find_rule(t, ids->items[i], &err);

		if (!r)
			continue;
		if (r->suppressed)
			count(r);
		else if (r->fired)
			err = did_fire(t, ids->items[i], r, " and was not suppressed");
		else
			err = did_not_fire(t, ids->items[i], r);
	}
	return err;
}

static int compare_variables(struct test *t, const struct ynode *variables)
{
	int err = 0;

	for (size_t i = 0; variables && i < variables->n && err == 0; i++) {
		struct test_error e;

		if (test_variable_check(t->s->engine, &t->s->program, &t->last, variables->keys[i], variables->items[i],
					&e) < 0)
			err = fail_error(t, &e);
	}
	return err;
}

static int compare(struct test *t, const struct ynode *ids, bool wanted)
{
	int err = 0;

	for (size_t i = 0; is_list(ids) && i < ids->n && err == 0; i++) {
		struct test_rule *r = find_rule(t, ids->items[i], &err);

		if (!r)
			continue;
		if (r->fired != wanted)
			err = wanted ? did_not_fire(t, ids->items[i], r) : did_fire(t, ids->items[i], r, "");
		else if (wanted)
			count(r);
	}
	return err;
}

/* Every rule that fires has to be among them, too. */
static int compare_only(struct test *t, const struct ynode *ids, const struct expected *x, const char *key)
{
	char rest[64];
	int err = compare(t, ids, true);

	snprintf(rest, sizeof(rest), ", which \"%s\" does not name", key);
	for (uint32_t i = 0; i < t->s->program.nrules && err == 0; i++) {
		const struct test_rule *r = &t->s->rules[i];

		if (r->fired && !names_rule(ids, r->def) && !names_rule(x->fire, r->def) && !names_rule(x->not, r->def))
			err = did_fire(t, ids, r, rest);
	}
	return err;
}

/* ---- snapshots ----------------------------------------------------------------------------------------------------- */

/* Names of the rules that fired; the snapshot holds exactly them, or else it is to be written. */
static int take_snapshot(struct test *t, const struct expected *x)
{
	struct test_run *run = t->s->run;
	struct test_edit edit = { .key = x->snapshot_key, .value = x->snapshot }, *slot;
	bool same = is_list(x->snapshot);

	for (uint32_t i = 0; i < t->s->program.nrules; i++) {
		struct test_rule *r = &t->s->rules[i];
		const char **id;

		if (!r->fired)
			continue;
		id = ARENA_PUSH(&run->arena, edit.ids, edit.n);
		if (!id)
			return -ENOMEM;
		*id = r->def->id;
		same = same && names(x->snapshot, r->def->id);
		count(r);
	}
	if (same && x->snapshot->n == edit.n)
		return 0;
	slot = ARENA_PUSH(&run->arena, run->edits, run->nedits);
	if (!slot)
		return -ENOMEM;
	*slot = edit;
	return 0;
}

static int check_snapshot(struct test *t, const struct expected *x)
{
	if (!x->snapshot_key)
		return 0;
	if (t->s->run->options.update)
		return take_snapshot(t, x);
	if (is_list(x->snapshot))
		return compare_only(t, x->snapshot, x, "snapshot");
	return fail(t, x->snapshot_key->at, "tamisc test --update writes what fires here",
		    "the snapshot was not taken yet");
}

/* ---- steps --------------------------------------------------------------------------------------------------------- */

static int compare_step(struct test *t, const struct expected *x)
{
	int r = compare(t, x->fire, true);

	if (r == 0)
		r = compare(t, x->not, false);
	if (r == 0 && x->only)
		r = compare_only(t, x->only, x, "fire_only");
	if (r == 0)
		r = compare_suppressed(t, x->suppressed);
	if (r == 0)
		r = compare_variables(t, x->variables);
	return r == 0 ? check_snapshot(t, x) : r;
}

static int set_clock(struct test *t, bool *ret_bad)
{
	const struct ynode *time = ynode_get(t->step, "time"), *after = ynode_get(t->step, "after");
	struct test_error e;
	int64_t ns = 0;
	int r = 0;

	if (time)
		r = test_time(time, &ns, &e);
	if (r == 0 && time && ns < t->tree.now_ns && t->step != t->node) {
		r = test_error_set(&e, time->at, "the time goes backwards");
		test_error_help(&e, "a step is never earlier than the one before");
	}
	if (r == -EINVAL) {
		*ret_bad = true;
		return fail_error(t, &e);
	}
	if (r < 0)
		return r;
	if (time)
		t->tree.now_ns = ns;
	if (!after || keys_duration(after, &ns) < 0)
		return 0;
	if (!__builtin_add_overflow(t->tree.now_ns, ns, &t->tree.now_ns))
		return 0;
	*ret_bad = true;
	return fail(t, after->at, NULL, "so late a time cannot be counted");
}

static int run_events(struct test *t, bool *ret_bad)
{
	const struct ynode *event = ynode_get(t->step, "event"), *events = ynode_get(t->step, "events");
	int r = 0;

	if (!event && !events) {
		*ret_bad = true;
		return fail(t, t->step->at, "add \"event:\", as an alert shows it", "the %s has no event",
			    t->step == t->node ? "test" : "step");
	}
	if (event)
		r = run_event(t, event, ret_bad);
	for (size_t i = 0; events && i < events->n && r == 0 && !*ret_bad; i++)
		r = run_event(t, events->items[i], ret_bad);
	return r;
}

static int run_step(struct test *t, bool *ret_bad)
{
	struct expected x = expected_of(t->step);
	int r;

	forget_step(t);
	want(t, x.fire);
	want(t, x.only);
	want(t, x.suppressed);
	want(t, x.snapshot);
	r = set_clock(t, ret_bad);
	if (r == 0 && !*ret_bad)
		r = run_events(t, ret_bad);
	return r == 0 && !*ret_bad ? compare_step(t, &x) : r;
}

static void name_step(struct test *t, size_t i)
{
	const struct ynode *name = ynode_get(t->step, "name");

	if (name)
		snprintf(t->prefix, sizeof(t->prefix), "step %zu (%.60s): ", i + 1, name->text.s);
	else
		snprintf(t->prefix, sizeof(t->prefix), "step %zu: ", i + 1);
}

static int run_steps(struct test *t, const struct ynode *steps)
{
	bool bad = false;
	int r = 0;

	if (steps->n > TEST_STEPS_MAX)
		return fail(t, steps->at, NULL, "more than %d steps in one test", TEST_STEPS_MAX);
	for (size_t i = 0; i < steps->n && r == 0 && !bad; i++) {
		t->step = steps->items[i];
		name_step(t, i);
		if (keys_check(t->step, test_step_keys, "a step", &t->s->run->diags) < 0)
			return fail(t, t->step->at, NULL, "the step has errors");
		r = run_step(t, &bad);
	}
	return r;
}

/* ---- the test ------------------------------------------------------------------------------------------------------ */

static bool expects_something(const struct ynode *step)
{
	struct expected x = expected_of(step);

	return x.fire || x.not || x.only || x.suppressed || x.variables || x.snapshot_key;
}

/* A test that expects nothing shows nothing. */
static bool expects_anything(const struct ynode *test, const struct ynode *steps)
{
	if (expects_something(test))
		return true;
	for (size_t i = 0; steps && i < steps->n; i++)
		if (expects_something(steps->items[i]))
			return true;
	return false;
}

/* Keys that stand in the steps of a test with steps. */
static int misplaced(struct test *t)
{
	static const char *const keys[] = {
		"event", "fire", "not", "fire_only", "suppressed", "variables", "snapshot"
	};

	for (size_t i = 0; i < t->node->n; i++)
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (ynode_is(t->node->keys[i], keys[k]))
				return fail(t, t->node->keys[i]->at, "move it into the step that it is about",
					    "a test with \"steps:\" has no \"%s:\" of its own", keys[k]);
	return 0;
}

static int begin(struct test *t, const struct ynode *steps, bool *ret_bad)
{
	struct test_error e;
	int r = 0;

	if (!expects_anything(t->node, steps)) {
		*ret_bad = true;
		return fail(t, t->node->at, NULL, "the test names no rule: add \"fire:\" or \"not:\"");
	}
	t->clock = steps || ynode_get(t->node, "time");
	t->tree.now_ns = t->clock ? CLOCK_BEGIN : 0;
	if (steps)
		r = misplaced(t);
	t->step = t->node;
	if (r == 0 && !t->c->failed)
		r = set_clock(t, ret_bad);
	*ret_bad |= t->c->failed;
	if (r < 0 || *ret_bad)
		return r;
	r = test_tree_add(&t->tree, ynode_get(t->node, "processes"), &e);
	*ret_bad = r == -EINVAL;
	return r == -EINVAL ? fail_error(t, &e) : r;
}

static const struct proc *find_proc(void *ctx, uint32_t pid)
{
	return test_tree_find(ctx, pid);
}

/* Each test begins with nothing remembered. */
static int new_engine(struct test *t)
{
	struct engine_options o = {
		.entries = 4096,
		.values = 16384,
		.text_bytes = 1u << 20,
		.limits = 1024,
		.find_proc = find_proc,
		.ctx = &t->tree,
	};
	struct engine *e;
	struct err err;
	int r;

	if (!t->s->remembers)
		return 0;
	r = engine_new_with(&t->s->program, &o, &e, &err);
	if (r < 0)
		return r;
	engine_free(t->s->engine);
	t->s->engine = e;
	return 0;
}

static int run(struct test *t)
{
	const struct ynode *steps = ynode_get(t->node, "steps");
	bool bad = false;
	int r;

	t->arena = arena_of(SCRATCH_MAX);
	test_tree_init(&t->tree, &t->arena, 0);
	r = new_engine(t);
	if (r == 0)
		r = begin(t, steps, &bad);
	if (r == 0 && !bad)
		r = steps ? run_steps(t, steps) : run_step(t, &bad);
	test_tree_done(&t->tree);
	arena_done(&t->arena);
	return r;
}

static struct test_case *new_case(struct test_suite *s, const struct ynode *at, const char *name)
{
	struct test_case *c = ARENA_PUSH(&s->run->arena, s->run->cases, s->run->ncases);
	uint32_t col, off, len;

	if (!c)
		return NULL;
	*c = (struct test_case){ .file = s->file, .name = name };
	span_place(at->at, &c->line, &col, &off, &len);
	return c;
}

static bool is_wanted(const struct test_suite *s, const char *name)
{
	return !s->run->options.filter || strstr(name, s->run->options.filter);
}

int test_case_run(struct test_suite *s, const struct ynode *test)
{
	const struct ynode *name = test->kind == YNODE_MAP ? ynode_get(test, "name") : NULL;
	const char *text = name && name->kind == YNODE_SCALAR ? name->text.s : "without a name";
	struct test t = { .s = s, .node = test, .prefix = "" };
	int r = 0;

	if (!is_wanted(s, text))
		return 0;
	if (s->run->ncases >= TEST_CASES_MAX)
		return diag_error(&s->run->diags, test->at, "more than %d tests", TEST_CASES_MAX);
	t.c = new_case(s, test, text);
	if (!t.c)
		return -ENOMEM;
	if (s->run->options.list)
		return 0;
	if (test->kind != YNODE_MAP) {
		diag_error(&s->run->diags, test->at, "a test is a map, not %s", ynode_kind_name(test));
		r = fail(&t, test->at, NULL, "not a map");
	} else if (keys_check(test, test_keys, "a test", &s->run->diags) < 0) {
		r = fail(&t, test->at, NULL, "the test has errors");
	} else {
		r = run(&t);
	}
	s->run->nfailed += t.c->failed;
	return r;
}
