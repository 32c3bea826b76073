/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/test_run.h"

#include <errno.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "lib/event_json.h"
#include "lib/jsonw.h"
#include "lib/near.h"
#include "policy-compiler/files.h"
#include "policy-compiler/policy_keys.h"

#define EVENT_TEXT_MAX (4u << 20)
#define MEMORY_MAX     (256u << 20)
#define POLICIES_MAX   256 /* of one test file */

const struct key test_keys[] = {
	{ .name = "name", .shape = KEY_TEXT, .doc = "What the test shows" },
	{ .name = "event",
	  .shape = KEY_MAP,
	  .doc = "The event, nested as an alert shows it: {open: {file: {path: /etc/shadow}}}",
	  .required = true },
	{ .name = "fire", .shape = KEY_TEXT_LIST, .doc = "Rules that must fire" },
	{ .name = "not", .shape = KEY_TEXT_LIST, .doc = "Rules that must not fire" },
	{ 0 },
};

const struct key test_file_keys[] = {
	{ .name = "policies",
	  .shape = KEY_TEXT_LIST,
	  .doc = "Policies, named from this file's directory; without, x.yaml for x.test.yaml" },
	{ .name = "tests", .shape = KEY_MAP_LIST, .items = test_keys, .doc = "The tests", .required = true },
	{ 0 },
};

/* One file's tests while they run. */
struct suite {
	struct test_run *run;
	const char *file;
	struct compile *compile;
	struct engine *engine;
	struct program program;
	struct test_cover **covers; /* of each rule of the program */
};

void test_run_init(struct test_run *t)
{
	*t = (struct test_run){ .arena = arena_of(MEMORY_MAX), .diags = diags_new() };
}

void test_run_done(struct test_run *t)
{
	for (size_t i = 0; i < t->ncompiles; i++)
		compile_free(t->compiles[i]);
	arena_done(&t->arena);
	diags_done(&t->diags);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static char *format(struct test_run *t, const char *fmt, const char *a, const char *b)
{
	char text[512];
	int n = snprintf(text, sizeof(text), fmt, a, b);

	return arena_strdup(&t->arena, text, (size_t)(n < (int)sizeof(text) ? n : (int)sizeof(text) - 1));
}

static int add_case(struct suite *s, const struct ynode *at, const char *name, const char *failure)
{
	struct test_case *c = ARENA_PUSH(&s->run->arena, s->run->cases, s->run->ncases);
	uint32_t line, col, off, len;

	if (!c)
		return -ENOMEM;
	span_place(at->at, &line, &col, &off, &len);
	*c = (struct test_case){ .file = s->file, .name = name, .line = line, .failure = failure };
	s->run->nfailed += failure != NULL;
	return 0;
}

/* The rule's entry, made with the first use. */
static struct test_cover *cover(struct test_run *t, const char *file, const char *id)
{
	char *key = format(t, "%s:%s", file, id);
	struct test_cover *c = key ? strmap_get(&t->cover_by_name, key, strlen(key)) : NULL, **slot;

	if (c || !key)
		return c;
	c = arena_alloc(&t->arena, sizeof(*c));
	slot = c ? ARENA_PUSH(&t->arena, t->covers, t->ncovers) : NULL;
	if (!slot || strmap_put(&t->cover_by_name, &t->arena, key, strlen(key), c) < 0)
		return NULL;
	c->file = arena_strdup(&t->arena, file, strlen(file));
	c->id = arena_strdup(&t->arena, id, strlen(id));
	*slot = c;
	return c->file && c->id ? c : NULL;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static void node_json(struct jsonw *w, const struct ynode *n)
{
	int64_t num;

	if (n->kind == YNODE_MAP) {
		jsonw_obj_begin(w);
		for (size_t i = 0; i < n->n; i++) {
			jsonw_key_str(w, n->keys[i]->text.s, n->keys[i]->text.len);
			node_json(w, n->items[i]);
		}
		jsonw_obj_end(w);
	} else if (n->kind == YNODE_LIST) {
		jsonw_arr_begin(w);
		for (size_t i = 0; i < n->n; i++)
			node_json(w, n->items[i]);
		jsonw_arr_end(w);
	} else if (ynode_is_null(n)) {
		jsonw_null(w);
	} else if (ynode_int(n, &num) == 0) {
		jsonw_int(w, num);
	} else if (n->text.style == TEXT_PLAIN && (ynode_is(n, "true") || ynode_is(n, "false"))) {
		jsonw_bool(w, ynode_is(n, "true"));
	} else {
		jsonw_str(w, n->text.s, n->text.len);
	}
}

/* -EINVAL with the reason in @err. */
static int read_event(struct suite *s, const struct ynode *n, struct event_mem *mem, struct event *ret, struct err *err)
{
	struct buf text;
	struct jsonw w = jsonw_to(&text);
	int r;

	buf_init(&text, EVENT_TEXT_MAX);
	node_json(&w, n);
	r = buf_error(&text);
	if (r < 0)
		err_set(err, r, "the event is too large");
	else
		r = event_json_read(s->compile->catalog, (const char *)text.data, text.len, mem, ret, err);
	buf_done(&text);
	return r;
}

/* ---- one test ---------------------------------------------------------------------------------------------------- */

static struct compile_rule *find_rule(const struct suite *s, const struct ynode *id)
{
	return strmap_get(&s->compile->by_id, id->text.s, id->text.len);
}

static char *no_such_rule(struct suite *s, const struct ynode *id)
{
	struct near near = near_to(id->text.s, id->text.len);

	for (size_t i = 0; i < s->compile->nrules; i++)
		near_try(&near, s->compile->rules[i]->id);
	if (near.best)
		return format(s->run, "there is no rule %s; did you mean %s?", id->text.s, near.best);
	return format(s->run, "there is no rule %s in the policies of this test%s", id->text.s, "");
}

static bool has_fired(const uint32_t *fired, size_t n, uint32_t rule)
{
	for (size_t i = 0; i < n; i++)
		if (fired[i] == rule)
			return true;
	return false;
}

/* What is wrong about the ids under one key, or NULL. */
static char *compare(struct suite *s, const struct ynode *ids, bool wanted, const uint32_t *fired, size_t n)
{
	for (size_t i = 0; ids && i < ids->n; i++) {
		const struct compile_rule *rule = find_rule(s, ids->items[i]);
		bool did;

		if (!rule)
			return no_such_rule(s, ids->items[i]);
		if (!rule->ok)
			return format(s->run, "the rule %s is not in the program: it is switched off or has an error%s",
				      rule->id, "");
		did = has_fired(fired, n, rule->number);
		if (did != wanted)
			return format(s->run, wanted ? "%s did not fire%s" : "%s fired%s", rule->id, "");
		if (wanted)
			s->covers[rule->number]->fired = true;
	}
	return NULL;
}

static char *evaluate(struct suite *s, const struct ynode *test, struct event_mem *mem)
{
	const struct ynode *event = ynode_get(test, "event"), *fire = ynode_get(test, "fire"),
			   *not = ynode_get(test, "not");
	const uint32_t *fired;
	struct event ev;
	struct err err;
	char *failure;
	size_t n;

	if (!event)
		return format(s->run, "the test has no event%s%s", "", "");
	if (!fire && !not )
		return format(s->run, "the test names no rule: add \"fire:\" or \"not:\"%s%s", "", "");
	if (read_event(s, event, mem, &ev, &err) < 0)
		return format(s->run, "the event: %s%s", err.msg, "");
	if (ev.type == EV_NONE)
		return format(s->run,
			      "the event has no type: add \"event: {type: open}\" or a field of an event type%s%s", "",
			      "");
	n = engine_eval(s->engine, &ev, &fired);
	failure = compare(s, fire, true, fired, n);
	return failure ? failure : compare(s, not, false, fired, n);
}

static int run_test(struct suite *s, const struct ynode *test)
{
	const struct ynode *name = test->kind == YNODE_MAP ? ynode_get(test, "name") : NULL;
	struct event_mem mem;
	char *failure;

	if (s->run->ncases >= TEST_CASES_MAX)
		return diag_error(&s->run->diags, test->at, "more than %d tests", TEST_CASES_MAX);
	if (test->kind != YNODE_MAP) {
		diag_error(&s->run->diags, test->at, "a test is a map, not %s", ynode_kind_name(test));
		return add_case(s, test, "?", "not a map");
	}
	if (keys_check(test, test_keys, "a test", &s->run->diags) < 0)
		return add_case(s, test, name && name->kind == YNODE_SCALAR ? name->text.s : "?",
				"the test has errors");
	event_mem_init(&mem, EVENT_MEM_MAX);
	failure = evaluate(s, test, &mem);
	event_mem_done(&mem);
	return add_case(s, test, name ? name->text.s : "without a name", failure);
}

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static int prepare(struct suite *s)
{
	const struct compile *c = s->compile;
	struct err err;
	int r;

	s->program = program_view(c->builder);
	s->covers = arena_array(&s->run->arena, s->program.nrules + 1u, sizeof(s->covers[0]));
	if (!s->covers)
		return -ENOMEM;
	for (size_t i = 0; i < c->nrules; i++) {
		const struct compile_rule *rule = c->rules[i];
		struct test_cover *cv;

		if (!rule->ok)
			continue;
		cv = cover(s->run, rule->def->policy->src->path, rule->id);
		if (!cv)
			return -ENOMEM;
		s->covers[rule->number] = cv;
	}
	r = engine_new(&s->program, &s->engine, &err);
	if (r == -EINVAL)
		return diag_error(&s->run->diags, (struct span){ 0 }, "%s: %s", s->file, err.msg);
	return r;
}

static int run_tests(struct suite *s, const struct ynode *tests)
{
	int r = prepare(s);

	for (size_t i = 0; i < tests->n && r == 0; i++)
		r = run_test(s, tests->items[i]);
	engine_free(s->engine);
	return r;
}

static int new_compile(struct suite *s)
{
	struct compile **slot;
	int r = compile_new(catalog_tamis(), &s->run->diags, &s->compile);

	if (r < 0)
		return r;
	slot = ARENA_PUSH(&s->run->arena, s->run->compiles, s->run->ncompiles);
	if (slot) {
		*slot = s->compile;
		return 0;
	}
	compile_free(s->compile);
	return -ENOMEM;
}

/* A path in a test file counts from the file's directory. */
static int add_policy(struct suite *s, const char *name, size_t len)
{
	const char *slash = strrchr(s->file, '/');
	size_t dir = slash && name[0] != '/' ? (size_t)(slash + 1 - s->file) : 0;
	char *path = arena_alloc(&s->run->arena, dir + len + 1);

	if (!path)
		return -ENOMEM;
	memcpy(path, s->file, dir);
	memcpy(path + dir, name, len);
	return compile_add(s->compile, path);
}

/* "dir/x.test.yaml" is about "dir/x.yaml". */
static int add_policy_beside(struct suite *s)
{
	const char *slash = strrchr(s->file, '/'), *name = slash ? slash + 1 : s->file;
	const char *suffix = strstr(name, ".test.");
	char *path = format(s->run, "%.400s%s", name, "");

	if (!path || !suffix)
		return -ENOMEM;
	strcpy(path + (suffix - name), suffix + strlen(".test"));
	return add_policy(s, path, strlen(path));
}

static int add_policies(struct suite *s, const struct ynode *list)
{
	int r = 0;

	if (!list || list->kind != YNODE_LIST)
		return add_policy_beside(s);
	for (size_t i = 0; i < list->n && i < POLICIES_MAX && r == 0; i++)
		if (list->items[i]->kind == YNODE_SCALAR)
			r = add_policy(s, list->items[i]->text.s, list->items[i]->text.len);
	return r;
}

static int run_test_file(struct test_run *t, const char *path)
{
	struct suite s = { .run = t, .file = path };
	const struct source *src;
	const struct ynode *tests;
	struct ynode *root;
	int r = new_compile(&s);

	if (r == 0)
		r = source_read(&s.compile->arena, path, &t->diags, &src);
	if (r == 0)
		r = yaml_parse(&s.compile->arena, src, &t->diags, &root);
	if (r == 0 && root->kind != YNODE_MAP)
		r = diag_error(&t->diags, root->at, "a test file is a map with \"tests:\"");
	if (r < 0)
		return r;
	if (keys_check(root, test_file_keys, "a test file", &t->diags) < 0)
		return -EINVAL;
	tests = ynode_get(root, "tests");
	if (!tests)
		return diag_error(&t->diags, root->at, "no \"tests:\" in this file");
	r = add_policies(&s, ynode_get(root, "policies"));
	if (r == 0)
		r = compile_finish(s.compile);
	return r < 0 ? r : run_tests(&s, tests);
}

/* A policy: its own tests, if any; its rules count as such that tests could fire. */
static int run_policy_file(struct test_run *t, const char *path, bool must)
{
	struct suite s = { .run = t, .file = path };
	const struct policy *p;
	int r = new_compile(&s);

	if (r == 0)
		r = compile_add(s.compile, path);
	if (r < 0 || !s.compile->npolicies)
		return r;
	p = s.compile->policies[0];
	if (p->tests) {
		r = compile_finish(s.compile);
		return r < 0 ? r : run_tests(&s, p->tests);
	}
	for (size_t i = 0; i < p->nrules; i++)
		if (!p->rules[i].disabled && !cover(t, path, p->rules[i].id))
			return -ENOMEM;
	if (must)
		return diag_error(&t->diags, (struct span){ p->src, 0, 0 }, "no \"tests:\" in this policy");
	return 0;
}

static int run_file(struct test_run *t, const char *path, bool must)
{
	int r = files_is_test(path) ? run_test_file(t, path) : run_policy_file(t, path, must);

	/* whatever is wrong with one file was reported; the others go on */
	return r == -ENOMEM ? r : 0;
}

int test_run_path(struct test_run *t, const char *path)
{
	struct files files = { .max = COMPILE_FILES_MAX };
	struct stat st;
	struct err err;
	int r;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return run_file(t, path, true);
	r = files_find(&t->arena, path, FILES_TEST, &files, &err);
	if (r == 0)
		r = files_find(&t->arena, path, FILES_POLICY, &files, &err);
	if (r < 0) {
		diag_error(&t->diags, (struct span){ 0 }, "%s", err.msg);
		diag_help(&t->diags, "name a *.test.yaml file, a policy with \"tests:\", or a directory of them");
		return r == -ENOMEM ? r : 0;
	}
	for (size_t i = 0; i < files.n && r == 0; i++)
		r = run_file(t, files.path[i], false);
	return r;
}
