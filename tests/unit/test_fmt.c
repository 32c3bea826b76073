/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tamisc fmt: what it changes, and what it must not. Of all policies here and of random ones: the program built from what it
 * writes is the same, byte for byte; every comment is still there; formatting twice is formatting once.
 */
#include "tests/unit/policy_bench.h"

#include <errno.h>
#include <unistd.h>

#include "policy-compiler/files.h"
#include "policy-compiler/fmt.h"
#include "policy-compiler/policy_keys.h"
#include "tests/unit/sieve_gen.h"

/* The text formatted, to be freed; NULL where fmt refuses it, with the reason in @why. */
static char *format(const char *text, const struct key *keys, char *why, size_t size)
{
	struct source src = { .path = "x.yaml", .bytes = text, .size = strlen(text) };
	struct diags d = diags_new();
	struct buf out;
	char *ret = NULL;
	uint32_t line = 0, col = 0, off, len;
	int r;

	buf_init(&out, YAML_FILE_MAX);
	r = fmt_source(&src, keys, &d, &out);
	*why = '\0';
	if (r == 0)
		ret = strdup(buf_cstr(&out));
	else if (d.n && d.v[0].at.src)
		span_place(d.v[0].at, &line, &col, &off, &len);
	if (r < 0)
		snprintf(why, size, "%u:%u: %s", line, col, d.n ? d.v[0].msg : strerror(-r));
	buf_done(&out);
	diags_done(&d);
	return ret;
}

static char *format_twice(const char *text, const struct key *keys)
{
	char why[512], *once = format(text, keys, why, sizeof(why)), *twice;

	if (!once) {
		fprintf(stderr, "%s in\n%s\n", why, text);
		fail();
	}
	twice = format(once, keys, why, sizeof(why));
	if (!twice || strcmp(once, twice) != 0) {
		fprintf(stderr, "formatting\n%s\n", text);
		fprintf(stderr, "gives\n%s\n", once);
		fprintf(stderr, "and once more\n%s%s\n", twice ? twice : "", why);
		fail();
	}
	free(twice);
	return once;
}

/* ---- what it writes ---------------------------------------------------------------------------------------------- */

static const struct {
	const char *what, *in, *out;
} cases[] = {
	{ "order of keys, indentation", "rules:\n- expression: true\n  zzz: 1\n  id: a\nversion: 1.0\n",
	  "version: 1.0\nrules:\n  - id: a\n    expression: 'true'\n    zzz: 1\n" },
	{ "maps of any keys stay in order", "rules: [{tags: {z: 1, a: 2}, id: x}]\n",
	  "rules: [{id: x, tags: {z: 1, a: 2}}]\n" },
	{ "quotes",
	  "macros:\n  - id: \"A\"\n    description: 'it''s'\n    values: ['/x', \"1\", 'yes', 'a b', \"c:\", 5, ~]\n",
	  "macros:\n  - id: A\n    description: it's\n    values: [/x, \"1\", \"yes\", \"a b\", \"c:\", 5, ~]\n" },
	{ "quotes that expressions need", "macros:\n  - id: A\n    expression: \"[\\\"it's\\\"]\"\n",
	  "macros:\n  - id: A\n    expression: '[\"it''s\"]'\n" },
	{ "words, spaces and matches",
	  "rules:\n  - {id: a, expression: not(open.flags&O_CREAT>0)and open.file.path==~\"/x*\"}\n",
	  "rules:\n  - {id: a, expression: '!(open.flags & O_CREAT > 0) && open.file.path =~ \"/x*\"'}\n" },
	{ "not in, minus, numbers",
	  "rules:\n  - id: a\n    expression: open.flags not  in [ +1,-2 ] or - 5<open.flags - 3 && ^ O_RDWR==- open.flags\n",
	  "rules:\n  - id: a\n    expression: open.flags not in [1, -2] || - 5 < open.flags - 3 && ^O_RDWR == -open.flags\n" },
	{ "!~ is no operator here", "rules:\n  - id: a\n    expression: \"! ~\\\"a\\\" == \\\"b\\\"\"\n",
	  "rules:\n  - id: a\n    expression: '! ~\"a\" == \"b\"'\n" },
	{ "a pattern with a variable is put together later",
	  "rules:\n  - id: a\n    expression: exec.comm==~\"${x}*\"\n",
	  "rules:\n  - id: a\n    expression: exec.comm == ~\"${x}*\"\n" },
	{ "comments go with what they are about",
	  "# top\n\n\n# of rules\nrules: # r\n# of a\n- expression: true # e\n  id: a # i\n  # below a\n# end\n",
	  "# top\n\n# of rules\nrules:  # r\n  # of a\n  - id: a  # i\n    expression: 'true'  # e\n    # below a\n# end\n" },
	{ "a comment in brackets opens them", "rules:\n  - id: a\n    tags: {x: 1, # one\n     y: 2}\n",
	  "rules:\n  - id: a\n    tags:\n      x: 1  # one\n      y: 2\n" },
	{ "comments of expressions",
	  "rules:\n  - id: a\n    expression: | # h\n      # one\n      open.flags == 1 // two\n      and\n      # three\n"
	  "      open.mode == 2 # four\n",
	  "rules:\n  - id: a\n    # h\n    expression: |-\n      # one\n      open.flags == 1 &&  // two\n      # three\n"
	  "      open.mode == 2  # four\n" },
	{ "long conditions",
	  "rules:\n  - id: a\n    expression: open.file.path == \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" && "
	  "(open.file.name == \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" || open.file.name in "
	  "[\"cccccccccccccccccccccccccccccccc\", \"dddddddddddddddddddddddddddddddddddddd\", \"eeeeeeeeeeeeeeeeeeeeee\"])\n",
	  "rules:\n  - id: a\n    expression: >-\n"
	  "      open.file.path == \"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" &&\n"
	  "      (open.file.name == \"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\" ||\n"
	  "       open.file.name in [\"cccccccccccccccccccccccccccccccc\", \"dddddddddddddddddddddddddddddddddddddd\",\n"
	  "         \"eeeeeeeeeeeeeeeeeeeeee\"])\n" },
	{ "text: long, of several lines, with controls",
	  "macros:\n  - id: A\n    description: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbb\"\n  - {id: B, description: \"x\\ny\\n\"}\n  - id: C\n    description: \"a\\tb\"\n"
	  "  - id: D\n    description: \"x\\n  y\"\n",
	  "macros:\n  - id: A\n    description: >-\n      aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaa\n      bbbbbbbbbbbbbbbbbbbbbbbb\n  - {id: B, description: \"x\\ny\\n\"}\n  - id: C\n    description: \"a\\tb\"\n"
	  "  - id: D\n    description: |-\n      x\n        y\n" },
	{ "an empty value, an empty list", "rules:\n  - id: a\n    tags:\n    filters: [ ]\n",
	  "rules:\n  - id: a\n    filters: []\n    tags:\n" },
	{ "blank lines: one at most", "\n\nversion: 1\n\n\n\nrules:\n\n  - id: a\n\n\n  - id: b\n",
	  "version: 1\n\nrules:\n  - id: a\n\n  - id: b\n" },
	{ "the beginning of a document", "---\nrules: []\n", "rules: []\n" },
};

static void test_cases(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *out = format_twice(cases[i].in, policy_keys);

		if (strcmp(out, cases[i].out) != 0)
			fail_msg("%s:\n%s\nbecomes\n%s\nnot\n%s", cases[i].what, cases[i].in, out, cases[i].out);
		free(out);
	}
}

static void test_tests(void **state)
{
	char *out = format_twice("tests:\n- fire: [a]\n  event: {open: {flags: 1}}\n  name: x\npolicies: [y.yaml]\n",
				 test_file_keys);

	assert_string_equal(out,
			    "policies: [y.yaml]\ntests:\n  - name: x\n    event: {open: {flags: 1}}\n    fire: [a]\n");
	free(out);
}

/* ---- what it refuses --------------------------------------------------------------------------------------------- */

static void test_refused(void **state)
{
	static const struct {
		const char *in, *why;
	} refused[] = {
		{ "rules:\n  - id: a\n    expression: open.flags ==\n", "3:30: a value expected" },
		{ "rules:\n  - id: a\n    expression: '[1]'\n", "3:18: a value expected" },
		{ "rules:\n  - {id: a, expression: 'x == \"'}\n", "2:31: the string does not end" },
		{ "rules: &x []\n", "1:8: fmt cannot write this back: an anchor" },
		{ "a: &x b\nc: *x\n", "1:4: fmt cannot write this back: an anchor" },
		{ "rules: !!seq []\n", "1:8: fmt cannot write this back: a tag" },
		{ "? rules\n: []\n", "1:1: fmt cannot write this back: a directive, \"? key\"" },
		{ "%YAML 1.1\n---\nrules: []\n", "1:1: fmt cannot write this back: a directive" },
		{ "rules: []\n...\n", "2:1: fmt cannot write this back: a directive" },
		{ "rules: [\n", "2:1: not YAML" },
		{ "- a\n", "1:1: a policy is a map, not a list" },
		{ "", "1:1: the file is empty" },
	};
	char why[512];

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char *out = format(refused[i].in, policy_keys, why, sizeof(why));

		if (out)
			fail_msg("%s\nbecomes\n%s", refused[i].in, out);
		assert_starts(why, refused[i].why);
	}
}

/* ---- the program stays ------------------------------------------------------------------------------------------- */

static void program_of(struct compile *c, struct buf *out)
{
	struct program p;

	assert_int_equal(compile_finish(c), 0);
	p = program_view(c->builder);
	buf_init(out, 256u << 20);
	assert_int_equal(program_save(&p, out), 0);
}

static void assert_same_programs(struct compile *a, struct compile *b, const char *what)
{
	struct buf x, y;

	program_of(a, &x);
	program_of(b, &y);
	if (x.len != y.len || memcmp(x.data, y.data, x.len) != 0)
		fail_msg("%s: another program", what);
	buf_done(&x);
	buf_done(&y);
}

static char *read_text(struct arena *a, const char *path)
{
	struct diags d = diags_new();
	const struct source *src;

	assert_int_equal(source_read(a, path, &d, &src), 0);
	diags_done(&d);
	return arena_strdup(a, src->bytes, src->size);
}

/* All policies of a directory as one build, and their tests. */
static void check_directory(const char *dir)
{
	struct arena arena = arena_of(256u << 20);
	struct files files = { .max = 1000 }, tests = { .max = 1000 };
	struct policy_bench a, b;
	struct err err;
	char *texts[1000];

	bench_begin(&a);
	bench_begin(&b);
	assert_int_equal(files_find(&arena, dir, FILES_POLICY, &files, &err), 0);
	assert_int_equal(files_find(&arena, dir, FILES_TEST, &tests, &err), 0);
	assert_true(files.n > 0);
	for (size_t i = 0; i < files.n; i++) {
		char *text = read_text(&arena, files.path[i]);

		texts[i] = format_twice(text, policy_keys);
		assert_int_equal(compile_add_text(a.compile, files.path[i], text, strlen(text)), 0);
		assert_int_equal(compile_add_text(b.compile, files.path[i], texts[i], strlen(texts[i])), 0);
	}
	for (size_t i = 0; i < tests.n; i++)
		free(format_twice(read_text(&arena, tests.path[i]), test_file_keys));
	assert_same_programs(a.compile, b.compile, dir);
	assert_int_equal(a.diags.errors, b.diags.errors);
	bench_end(&a);
	bench_end(&b);
	for (size_t i = 0; i < files.n; i++)
		free(texts[i]);
	arena_done(&arena);
}

static void test_rules(void **state)
{
	check_directory("rules");
}

static void test_published(void **state)
{
	if (access("../shared/secl/policies", R_OK) < 0) {
		print_message("skip: ../shared/secl/policies is not here\n");
		skip();
	}
	check_directory("../shared/secl/policies");
}

/* ---- random policies --------------------------------------------------------------------------------------------- */

struct writer {
	struct gen g;
	char text[65536];
	size_t len;
	bool lines; /* the expression keeps its lines: comments may be in it */
};

static void add(struct writer *w, const char *s)
{
	size_t n = strlen(s);

	if (w->len + n + 1 < sizeof(w->text)) {
		memcpy(w->text + w->len, s, n + 1);
		w->len += n;
	}
}

static void add_space(struct writer *w, bool must)
{
	static const char *const spaces[] = { " ", "  ", " ", "\n        ", "\n          " };
	static const char *const notes[] = { " # note\n        ", "\n        // own line\n        ",
					     "  // \"x\n\n        " };

	if (w->lines && gen_chance(&w->g, 4))
		add(w, GEN_PICK(&w->g, notes));
	else if (must || gen_chance(&w->g, 50))
		add(w, GEN_PICK(&w->g, spaces));
}

static void add_list(struct writer *w)
{
	static const char *const items[] = { "\"a\"", "\"/usr/bin/some-long-name\"", "~\"*b\"", "\"it's\"",
					     "\"a: b #c\"" };
	uint32_t n = 1 + gen_below(&w->g, gen_chance(&w->g, 10) ? 40 : 4);

	add(w, "[");
	for (uint32_t i = 0; i < n; i++) {
		add_space(w, false);
		add(w, GEN_PICK(&w->g, items));
		add_space(w, false);
		add(w, i + 1 < n ? "," : "]");
	}
}

static void add_comparison(struct writer *w)
{
	static const char *const strings[] = { "open.file.path", "open.file.name", "process.file.name",
					       "process.comm" };
	static const char *const patterns[] = { "~\"*x*\"", "\"a b\"", "~\"y*\"", "\"it's: \\\"q\\\" #\"", "\"\"" };
	static const char *const equals[] = { "==", "!=", "=~", "!~" };
	static const char *const numbers[] = { "open.flags",   "process.uid",	     "-process.pid",
					       "- 5",	       "open.flags&O_CREAT", "open.retval",
					       "^process.uid", "process.uid - 3|4",  "+7" };
	static const char *const orders[] = { "==", "!=", "<", "<=", ">", ">=" };

	switch (gen_below(&w->g, 3)) {
	case 0:
		add(w, GEN_PICK(&w->g, strings));
		add_space(w, true);
		add(w, gen_chance(&w->g, 50) ? "in" : "not  in");
		add_space(w, false);
		add_list(w);
		break;
	case 1:
		add(w, GEN_PICK(&w->g, strings));
		add_space(w, false);
		add(w, GEN_PICK(&w->g, equals));
		add_space(w, false);
		add(w, GEN_PICK(&w->g, patterns));
		break;
	default:
		add(w, GEN_PICK(&w->g, numbers));
		add_space(w, false);
		add(w, GEN_PICK(&w->g, orders));
		add_space(w, true);
		add(w, GEN_PICK(&w->g, numbers));
	}
}

static void add_condition(struct writer *w, unsigned int depth)
{
	static const char *const joins[] = { "&&", "||", "and", "or" };
	uint32_t n = 1 + gen_below(&w->g, depth ? 4 : 1);

	for (uint32_t i = 0; i < n; i++) {
		if (i) {
			add_space(w, true);
			add(w, GEN_PICK(&w->g, joins));
			add_space(w, true);
		}
		if (depth && gen_chance(&w->g, 30)) {
			static const char *const opens[] = { "(", "!(", "not (", "((" };
			const char *open = GEN_PICK(&w->g, opens);

			add(w, open);
			add_space(w, false);
			add_condition(w, depth - 1);
			add_space(w, false);
			add(w, open[1] == '(' && open[0] == '(' ? "))" : ")");
		} else {
			add_comparison(w);
		}
	}
}

static void add_note(struct writer *w, const char *indent)
{
	static const char *const notes[] = { "# one", "#two", "# it's \"three\": x", "\n# four" };

	if (gen_chance(&w->g, 20)) {
		add(w, indent + gen_below(&w->g, (uint32_t)strlen(indent) + 1));
		add(w, GEN_PICK(&w->g, notes));
		add(w, "\n");
	}
	if (gen_chance(&w->g, 10))
		add(w, "\n\n");
}

static void add_line_end(struct writer *w)
{
	add(w, gen_chance(&w->g, 20) ? "   #end" : "");
	add(w, "\n");
}

static void add_rule(struct writer *w, int i)
{
	static const char *const texts[] = {
		"plain text", "'it''s'", "\"a\\nb\\n\"", "|\n      a\n        b\n", ">\n      folded\n      text",
		"\"1.0\"",    "{a: b}"
	};
	unsigned int order = gen_below(&w->g, 6);
	char id[32];

	snprintf(id, sizeof(id), "id: r%d", i);
	add_note(w, "  ");
	for (unsigned int part = 0; part < 3; part++) {
		static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
						      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
		unsigned int which = orders[order][part];

		if (part)
			add_note(w, "    ");
		add(w, part ? "    " : "  - ");
		if (which == 0) {
			add(w, id);
		} else if (which == 1) {
			add(w,
			    gen_chance(&w->g, 50) ? "description: " : "tags: {x: 1, y: \"2\"} # t\n    description: ");
			add(w, texts[gen_below(&w->g, 6)]);
		} else {
			w->lines = gen_chance(&w->g, 50);
			add(w, w->lines ? "expression: |\n        " : "expression: >-\n        ");
			add_condition(w, 3);
			add(w, "\n");
			continue;
		}
		add_line_end(w);
	}
}

static void test_random(void **state)
{
	unsigned rounds = gen_rounds(400), compiled = 0;
	struct writer *w = malloc(sizeof(*w));

	assert_non_null(w);
	w->g = gen_of(gen_seed("test_fmt", 1));
	for (unsigned i = 0; i < rounds; i++) {
		struct policy_bench a, b;
		char *out;

		w->len = 0;
		add_note(w, "");
		add(w, "rules:\n");
		for (int k = 0; k < 3; k++)
			add_rule(w, k);
		add_note(w, "    ");
		out = format_twice(w->text, policy_keys);
		bench_begin(&a);
		bench_begin(&b);
		assert_int_equal(compile_add_text(a.compile, "a", w->text, w->len), 0);
		assert_int_equal(compile_add_text(b.compile, "a", out, strlen(out)), 0);
		assert_same_programs(a.compile, b.compile, w->text);
		compiled += program_view(a.compile->builder).nrules;
		bench_end(&a);
		bench_end(&b);
		free(out);
	}
	assert_true(compiled > rounds); /* of three rules each */
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases), cmocka_unit_test(test_tests),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_rules), cmocka_unit_test(test_published), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
