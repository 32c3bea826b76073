/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/test_run.h"

#include <errno.h>
#include <sys/stat.h>
#include <time.h>

#include "policy-compiler/files.h"
#include "policy-compiler/policy_keys.h"
#include "policy-compiler/test_parts.h"

#define MEMORY_MAX   (256u << 20)
#define SUITE_MAX    (256u << 20)
#define POLICIES_MAX 256 /* of one test file */

/* What a step, or a test without steps, expects. */
#define EXPECTED_KEYS                                                                                                  \
	{ .name = "fire", .shape = KEY_TEXT_LIST, .doc = "Rules that must fire" },                                     \
		{ .name = "not", .shape = KEY_TEXT_LIST, .doc = "Rules that must not fire" },                          \
		{ .name = "fire_only", .shape = KEY_TEXT_LIST, .doc = "Rules that must fire, and no other may" },      \
		{ .name = "suppressed",                                                                                \
		  .shape = KEY_TEXT_LIST,                                                                              \
		  .doc = "Rules that hold, and whose every keeps them from firing" },                                  \
		{ .name = "variables",                                                                                 \
		  .shape = KEY_MAP,                                                                                    \
		  .doc = "Values of variables afterwards: x, process.x, container.x, cgroup.x; null: not set" },       \
	{                                                                                                              \
		.name = "snapshot", .shape = KEY_TEXT_LIST,                                                            \
		.doc = "As fire_only; tamisc test --update writes the list"                                            \
	}

const struct key test_step_keys[] = {
	{ .name = "name", .shape = KEY_TEXT, .doc = "What the step is" },
	{ .name = "time", .shape = KEY_TEXT, .doc = "The time of its events: 2026-01-31T12:00:00Z" },
	{ .name = "after", .shape = KEY_DURATION, .doc = "Time that goes by before its events" },
	{ .name = "event", .shape = KEY_MAP, .doc = "The event; its process may be the name of one" },
	{ .name = "events", .shape = KEY_MAP_LIST, .doc = "Several events, one after the other" },
	EXPECTED_KEYS,
	{ 0 },
};

const struct key test_keys[] = {
	{ .name = "name", .shape = KEY_TEXT, .doc = "What the test shows" },
	{ .name = "time", .shape = KEY_TEXT, .doc = "When the test begins: 2026-01-31T12:00:00Z" },
	{ .name = "processes", .shape = KEY_MAP, .doc = "Processes by name: their fields, and parent: NAME" },
	{ .name = "event",
	  .shape = KEY_MAP,
	  .doc = "The event, nested as an alert shows it: {open: {file: {path: /etc/shadow}}}" },
	{ .name = "steps",
	  .shape = KEY_MAP_LIST,
	  .items = test_step_keys,
	  .doc = "Instead of event: a sequence, each step with its event and what fires" },
	EXPECTED_KEYS,
	{ 0 },
};

const struct key test_file_keys[] = {
	{ .name = "policies",
	  .shape = KEY_TEXT_LIST,
	  .doc = "Policies, named from this file's directory; without, x.yaml for x.test.yaml" },
	{ .name = "tests", .shape = KEY_MAP_LIST, .items = test_keys, .doc = "The tests", .required = true },
	{ 0 },
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

/* ---- one file ---------------------------------------------------------------------------------------------------- */

static int prepare(struct test_suite *s)
{
	const struct compile *c = s->compile;
	struct err err;
	int r = 0;

	s->program = program_view(c->builder);
	s->rules = arena_array(&s->arena, s->program.nrules + 1u, sizeof(s->rules[0]));
	s->digests = arena_array(&s->arena, s->program.nnodes + 1u, sizeof(s->digests[0]));
	s->digested = arena_array(&s->arena, s->program.nnodes + 1u, sizeof(s->digested[0]));
	if (!s->rules || !s->digests || !s->digested)
		return -ENOMEM;
	for (size_t i = 0; i < c->nrules && r == 0; i++) {
		struct test_rule *rule = &s->rules[c->rules[i]->number];

		if (!c->rules[i]->ok)
			continue;
		rule->def = c->rules[i];
		rule->cover = test_cover(s->run, rule->def->def->policy->src->path, rule->def->def);
		r = rule->cover ? test_cover_clauses(s, rule) : -ENOMEM;
		s->remembers |= s->program.rules[rule->def->number].every_ns != 0;
	}
	s->remembers |= s->program.nvars != 0;
	if (r == 0)
		r = engine_new(&s->program, &s->engine, &err);
	if (r == -EINVAL)
		return diag_error(&s->run->diags, (struct span){ 0 }, "%s: %s", s->file, err.msg);
	return r;
}

static int run_tests(struct test_suite *s, const struct ynode *tests)
{
	int r = 0;

	s->arena = arena_of(SUITE_MAX);
	if (!s->run->options.list)
		r = prepare(s);
	for (size_t i = 0; i < tests->n && r == 0; i++)
		r = test_case_run(s, tests->items[i]);
	engine_free(s->engine);
	arena_done(&s->arena);
	return r;
}

static int new_compile(struct test_suite *s)
{
	struct compile **slot;
	int r = compile_new(catalog_tamis(), &s->run->diags, &s->compile);

	if (r < 0)
		return r;
	if (s->run->options.version)
		s->compile->version = s->run->options.version;
	slot = ARENA_PUSH(&s->run->arena, s->run->compiles, s->run->ncompiles);
	if (slot) {
		*slot = s->compile;
		return 0;
	}
	compile_free(s->compile);
	return -ENOMEM;
}

/* A path in a test file counts from the file's directory. */
static int add_policy(struct test_suite *s, const char *name, size_t len)
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
static int add_policy_beside(struct test_suite *s)
{
	const char *slash = strrchr(s->file, '/'), *name = slash ? slash + 1 : s->file;
	const char *suffix = strstr(name, ".test.");
	char *path = arena_strdup(&s->run->arena, name, strlen(name));

	if (!path)
		return -ENOMEM;
	if (!suffix)
		return 0;
	strcpy(path + (suffix - name), suffix + strlen(".test"));
	return add_policy(s, path, strlen(path));
}

static int add_policies(struct test_suite *s, const struct ynode *list)
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
	struct test_suite s = { .run = t, .file = path };
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
static int run_policy(struct test_suite *s, bool must)
{
	struct test_run *t = s->run;
	const struct policy *p = s->compile->npolicies ? s->compile->policies[0] : NULL;
	int r = 0;

	if (!p)
		return 0;
	if (p->tests) {
		r = compile_finish(s->compile);
		return r < 0 ? r : run_tests(s, p->tests);
	}
	for (size_t i = 0; i < p->nrules; i++)
		if (!p->rules[i].disabled && !test_cover(t, p->src->path, &p->rules[i]))
			return -ENOMEM;
	if (must)
		return diag_error(&t->diags, (struct span){ p->src, 0, 0 }, "no \"tests:\" in this policy");
	return 0;
}

static int run_policy_file(struct test_run *t, const char *path, bool must)
{
	struct test_suite s = { .run = t, .file = path };
	int r = new_compile(&s);

	if (r == 0)
		r = compile_add(s.compile, path);
	return r < 0 ? r : run_policy(&s, must);
}

int test_run_text(struct test_run *t, const char *path, const char *bytes, size_t size)
{
	struct test_suite s = { .run = t, .file = path };
	int r = new_compile(&s);

	if (r == 0)
		r = compile_add_text(s.compile, path, bytes, size);
	if (r == 0)
		r = run_policy(&s, true);
	return r == -ENOMEM ? r : 0;
}

static int64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int note_file(struct test_run *t, size_t first, size_t failed_before, int64_t begin)
{
	struct test_file *f;

	if (t->ncases == first)
		return 0;
	f = ARENA_PUSH(&t->arena, t->files, t->nfiles);
	if (!f)
		return -ENOMEM;
	*f = (struct test_file){ .path = t->cases[first].file,
				 .first = first,
				 .n = t->ncases - first,
				 .nfailed = t->nfailed - failed_before,
				 .ns = clock_ns() - begin };
	return 0;
}

static int run_file(struct test_run *t, const char *path, bool must)
{
	size_t first = t->ncases, failed = t->nfailed;
	int64_t begin = clock_ns();
	int r = files_is_test(path) ? run_test_file(t, path) : run_policy_file(t, path, must);

	/* whatever is wrong with one file was reported; the others go on */
	if (r == -ENOMEM)
		return r;
	return note_file(t, first, failed, begin);
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
