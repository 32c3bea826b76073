/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of rules: what a test file may say, and what is said of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-compiler/test_print.h"
#include "policy-compiler/test_snapshot.h"

struct fixture {
	char dir[64];
	struct test_run run;
};

static void put_file(struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, strlen(text), out), strlen(text));
	assert_int_equal(fclose(out), 0);
}

static const char policy[] = "rules:\n"
			     "  - {id: shadow, expression: open.file.path == \"/etc/shadow\"}\n"
			     "  - {id: tmp, expression: 'exec.file.path =~ \"/tmp/*\" && exec.args_flags == \"l\"'}\n"
			     "  - {id: off, expression: exec.pid == 1, disabled: true}\n";

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/tamis-test.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	put_file(f, "p.yaml", policy);
	test_run_init(&f->run);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	test_run_done(&f->run);
	snprintf(command, sizeof(command), "rm -r %s", f->dir);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* Runs p.test.yaml with one test of that body. */
static const char *one(struct fixture *f, const char *test)
{
	char text[2048], path[256];
	size_t n = f->run.ncases;

	snprintf(text, sizeof(text), "tests:\n  - name: t\n%s", test);
	put_file(f, "p.test.yaml", text);
	snprintf(path, sizeof(path), "%s/p.test.yaml", f->dir);
	assert_int_equal(test_run_path(&f->run, path), 0);
	assert_int_equal(f->run.ncases, n + 1);
	assert_string_equal(f->run.cases[n].name, "t");
	return f->run.cases[n].failure ? f->run.cases[n].failure : "";
}

static void test_results(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		one(f, "    event: {open: {file: {path: /etc/shadow}}}\n    fire: [shadow]\n    not: [tmp]\n"), "");
	assert_string_equal(one(f, "    event: {open: {file: {path: /etc/shadow}}}\n    not: [shadow]\n"),
			    "shadow fired");
	assert_string_equal(one(f, "    event: {open: {file: {path: /etc/passwd}}}\n    fire: [shadow]\n"),
			    "shadow did not fire");
	assert_string_equal(
		one(f, "    event: {event: {type: open}, open.file.path: /etc/shadow}\n    fire: [shadow]\n"), "");
	assert_string_equal(one(f, "    event: {exec: {file: {path: /tmp/x}, args: -l -p 1}}\n    fire: [tmp]\n"), "");
	assert_string_equal(one(f, "    event: {exec: {file: {path: /tmp/x}, argv: [-a, -kl]}}\n    fire: [tmp]\n"),
			    "");
	assert_int_equal(f->run.nfailed, 2);
	assert_int_equal(f->run.ncovers, 2);
	assert_true(f->run.covers[0]->fired && f->run.covers[1]->fired);
}

static void test_mistakes(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(one(f, "    fire: [shadow]\n"), "the test has no event");
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n"),
			    "the test names no rule: add \"fire:\" or \"not:\"");
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n    not: [shadows]\n"),
			    "there is no rule shadows; did you mean shadow?");
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n    not: [off]\n"),
			    "the rule off is not in the program: it is switched off or has an error");
	assert_string_equal(one(f, "    event: {process: {pid: 1}}\n    not: [tmp]\n"), "the event has no type");
	assert_non_null(strstr(one(f, "    event: {open: {file: {pth: /x}}}\n    not: [tmp]\n"), "open.file.pth"));
	assert_non_null(strstr(one(f, "    event: {open: {file: {path: 1}}}\n    not: [tmp]\n"), "open.file.path"));
	assert_string_equal(one(f, "    event: {open: {file: {path: /x}}}\n    fires: [tmp]\n"), "the test has errors");
	assert_int_equal(f->run.diags.errors, 1);
}

static void run(struct fixture *f, const char *name)
{
	char path[256], *kept;

	snprintf(path, sizeof(path), "%s%s%s", f->dir, *name ? "/" : "", name);
	kept = arena_strdup(&f->run.arena, path, strlen(path));
	assert_non_null(kept);
	assert_int_equal(test_run_path(&f->run, kept), 0);
}

static void test_files(void **state)
{
	struct fixture *f = *state;

	run(f, "missing.test.yaml");
	assert_int_equal(f->run.diags.errors, 1);
	put_file(f, "a.test.yaml", "tests: 1\n");
	run(f, "a.test.yaml");
	put_file(f, "b.test.yaml", "- 1\n");
	run(f, "b.test.yaml");
	put_file(f, "c.test.yaml", "policies: [p.yaml]\n");
	run(f, "c.test.yaml");
	put_file(f, "d.test.yaml", "policies: [none.yaml]\ntests: []\n");
	run(f, "d.test.yaml");
	run(f, "p.yaml"); /* a policy without tests */
	assert_int_equal(f->run.diags.errors, 6);
	assert_int_equal(f->run.ncases, 0);
}

/* A directory: its test files, the tests within policies, and rules that nothing tests. */
static void test_directory(void **state)
{
	struct fixture *f = *state;

	put_file(f, "p.test.yaml",
		 "tests:\n  - {name: a, event: {open: {file: {path: /etc/shadow}}}, fire: [shadow]}\n");
	put_file(f, "q.policy",
		 "rules:\n  - {id: q, expression: exec.uid == 1}\n"
		 "tests:\n  - {name: b, event: {exec: {uid: 1}}, fire: [q]}\n");
	put_file(f, "r.policy", "rules:\n  - {id: r, expression: exec.uid == 1}\n");
	run(f, "");
	assert_int_equal(f->run.diags.errors, 0);
	assert_int_equal(f->run.ncases, 2);
	assert_int_equal(f->run.nfailed, 0);
	assert_int_equal(f->run.ncovers, 4);
}

/* ---- sequences ----------------------------------------------------------------------------------------------------- */

static const char tree_policy[] =
	"rules:\n"
	"  - {id: below_sshd, expression: 'open.file.path == \"/a\" && process.ancestors.file.name == \"sshd\"'}\n"
	"  - {id: by_parent, expression: 'open.file.path == \"/a\" && process.parent.file.name == \"bash\"'}\n"
	"  - {id: forked, expression: 'fork.file.name == \"bash\" && fork.uid == 33 && fork.is_thread'}\n"
	"  - {id: executed, expression: 'exec.file.name == \"curl\" && exec.uid == 33 && exec.args_flags == \"o\"'}\n"
	"  - {id: chain, expression: 'exec.file.name == \"cat\" && process.parent.file.name == \"curl\"'}\n"
	"  - {id: ended, expression: 'exit.code == 3 && process.file.name == \"cat\"'}\n"
	"  - {id: pids, expression: 'open.file.path == \"/p\" && process.ppid == 1000 && process.pid == 1001'}\n"
	"  - {id: ids, expression: 'open.file.path == \"/p\" && process.euid == 33 && process.user == \"www\"'}\n"
	"  - {id: late, expression: 'open.file.change_time > 10s && open.file.path == \"/t\"'}\n";

static const char tree_processes[] = "    processes:\n"
				     "      sh: {parent: sshd, file: {path: /usr/bin/bash}, uid: 33, user: www}\n"
				     "      sshd: {file: {path: /usr/sbin/sshd}}\n"
				     "      sub: {parent: sh}\n";

/* A test with the processes above and these steps. */
static const char *steps(struct fixture *f, const char *text)
{
	char test[2048];

	put_file(f, "p.yaml", tree_policy);
	snprintf(test, sizeof(test), "%s    steps:\n%s", tree_processes, text);
	return one(f, test);
}

/* The rules see the tree as the sensor's table would show it. */
static void test_tree(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(steps(f,
				  "      - event: {process: sh, fork: dl}\n"
				  "        fire_only: [forked]\n"
				  "      - event: {process: dl, open: {file: {path: /a}}}\n"
				  "        fire_only: [below_sshd, by_parent]\n"
				  "      - event: {process: dl, exec: {file: {path: /usr/bin/curl}, args: -o /tmp/x}}\n"
				  "        fire_only: [executed]\n"
				  "      - event: {process: dl, open: {file: {path: /a}}}\n"
				  "        fire_only: [below_sshd, by_parent]\n"
				  "      - event: {process: dl, exec: {file: {path: /bin/cat}}}\n"
				  "        fire_only: [chain]\n"
				  "      - event: {process: dl, exit: {code: 3}}\n"
				  "        fire_only: [ended]\n"
				  "      - event: {process: sh, fork: dl}\n"
				  "        fire_only: [forked]\n"
				  "      - event: {process: sshd, open: {file: {path: /a}}}\n"
				  "        fire_only: []\n"),
			    "");
	assert_string_equal(steps(f, "      - event: {process: sh, open: {file: {path: /p}}}\n"
				     "        fire: [ids]\n"
				     "      - event: {process: sub, open: {file: {path: /p}}}\n"
				     "        fire: [ids]\n        not: [pids]\n"),
			    "");
	assert_string_equal(
		one(f, "    processes:\n      a: {uid: 1}\n      b: {parent: a}\n"
		       "    event: {process: b, open: {file: {path: /p}}}\n    fire: [pids]\n    not: [ids]\n"),
		"");
}

static void test_clock(void **state)
{
	struct fixture *f = *state;
	const char *t = "open: {file: {path: /t, change_time: 1767225600000000000}}";
	char text[1024];

	snprintf(text, sizeof(text),
		 "      - event: {%s}\n        not: [late]\n"
		 "      - after: 10s\n        event: {%s}\n        not: [late]\n"
		 "      - after: 1ms\n        events: [{%s}]\n        fire: [late]\n"
		 "      - time: 2026-01-01T00:01:00Z\n        event: {%s}\n        fire: [late]\n",
		 t, t, t, t);
	assert_string_equal(steps(f, text), "");
	snprintf(text, sizeof(text),
		 "      - after: 1m\n        event: {%s}\n        fire: [late]\n"
		 "      - time: 2026-01-01T00:00:01Z\n        event: {%s}\n",
		 t, t);
	assert_string_equal(steps(f, text), "step 2: the time goes backwards");
	assert_string_equal(steps(f, "      - time: noon\n        event: {exit: {}}\n        not: [late]\n"),
			    "step 1: not a time");
}

static void test_step_mistakes(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(steps(f, "      - event: {process: shh, exit: {}}\n        not: [ended]\n"),
			    "step 1: no process is named \"shh\" here");
	assert_string_equal(f->run.cases[0].failures[0].detail, "did you mean \"sh\"?");
	assert_int_equal(f->run.cases[0].failures[0].line, 8);
	assert_int_equal(f->run.cases[0].failures[0].col, 26);
	assert_string_equal(steps(f, "      - {name: the end, event: {process: sh, exit: {}}}\n"
				     "      - event: {process: sh, exit: {}}\n        not: [ended]\n"),
			    "step 2: the process \"sh\" has exited");
	assert_string_equal(steps(f, "      - event: {process: sh, fork: sshd}\n        not: [ended]\n"),
			    "step 1: there is a process named \"sshd\" already");
	assert_string_equal(steps(f, "      - event: {process: sh, fork: {}}\n        not: [ended]\n"),
			    "step 1: the fork of a named process names the child");
	assert_string_equal(steps(f, "      - event: {fork: x}\n        not: [ended]\n"),
			    "step 1: nobody is said to fork \"x\"");
	assert_string_equal(steps(f, "      - event: {process: sh, process.uid: 1, exit: {}}\n        not: [ended]\n"),
			    "step 1: the event names the process \"sh\" and gives fields of a process, too");
	assert_string_equal(steps(f, "      - name: nothing\n        not: [ended]\n"),
			    "step 1 (nothing): the step has no event");
	assert_string_equal(steps(f, "      - event: {exit: {}}\n"),
			    "the test names no rule: add \"fire:\" or \"not:\"");
	assert_string_equal(steps(f, "      - event: {exit: {}}\n        not: [ended]\n    fire: [ended]\n"),
			    "a test with \"steps:\" has no \"fire:\" of its own");
	assert_string_equal(steps(f, "      - evnt: {exit: {}}\n        not: [ended]\n"),
			    "step 1: the step has errors");
	assert_string_equal(one(f, "    processes: {a: {parent: b}, b: {parent: a}}\n"
				   "    event: {process: a, exit: {}}\n    not: [ended]\n"),
			    "the process \"b\" is its own ancestor");
	assert_string_equal(one(f, "    processes: {a: 1}\n    event: {process: a, exit: {}}\n    not: [ended]\n"),
			    "the process \"a\" is a map of fields, not text");
	assert_string_equal(one(f, "    processes: {a: {uids: 1}}\n    event: {process: a, exit: {}}\n"
				   "    not: [ended]\n"),
			    "process.uids: no such field; did you mean process.uid?");
}

/* ---- why ----------------------------------------------------------------------------------------------------------- */

static const char *detail(const struct fixture *f)
{
	return f->run.cases[f->run.ncases - 1].failures[0].detail;
}

static void test_nearest(void **state)
{
	struct fixture *f = *state;

	put_file(f, "p.yaml",
		 "rules:\n"
		 "  - id: r\n"
		 "    expression: >-\n"
		 "      (open.file.path == \"/a\" && open.flags & O_CREAT > 0 && process.uid != 0) ||\n"
		 "      (open.file.path == \"/b\" && process.ancestors.file.name not in [\"x\", \"y\"])\n");
	one(f, "    event: {open: {file: {path: /a}, flags: O_WRONLY|O_TRUNC}, process: {uid: 5}}\n    fire: [r]\n");
	assert_string_equal(detail(f), "false: (open.flags & 64) > 0\n"
				       "       open.flags is 513 (O_WRONLY|O_TRUNC)\n"
				       "in the nearest of 2 clauses: open.file.path == \"/a\" && process.uid != 0 && "
				       "(open.flags & 64) > 0");
	one(f, "    event:\n      open.file.path: /b\n"
	       "      process.ancestors: [{file: {path: /z}}, {file: {path: /x}}]\n    fire: [r]\n");
	assert_string_equal(detail(f), "false: process.ancestors.file.name not in [\"x\", \"y\"]\n"
				       "       process.ancestors.file.name is [\"z\", \"x\"]\n"
				       "in the nearest of 2 clauses: open.file.path == \"/b\" && "
				       "process.ancestors.file.name not in [\"x\", \"y\"]");
	one(f, "    event: {open: {file: {path: /b}}}\n    not: [r]\n");
	assert_string_equal(detail(f), "true: open.file.path == \"/b\" && "
				       "process.ancestors.file.name not in [\"x\", \"y\"]");
	one(f, "    event: {exit: {code: 1}}\n    fire: [r]\n");
	assert_string_equal(detail(f), "it is about \"open\" events, and there was none");
}

static void test_fire_only(void **state)
{
	struct fixture *f = *state;
	const char *event = "    event: {open: {file: {path: /etc/shadow}}}\n";
	char text[256];

	snprintf(text, sizeof(text), "%s    fire_only: [shadow]\n", event);
	assert_string_equal(one(f, text), "");
	snprintf(text, sizeof(text), "%s    fire_only: []\n", event);
	assert_string_equal(one(f, text), "shadow fired, which \"fire_only\" does not name");
	snprintf(text, sizeof(text), "%s    fire_only: [tmp, shadow]\n", event);
	assert_string_equal(one(f, text), "tmp did not fire");
}

/* ---- what rules remember ------------------------------------------------------------------------------------------- */

static const char stateful_policy[] =
	"rules:\n"
	"  - id: reads\n"
	"    expression: 'open.file.path =~ \"/s/*\"'\n"
	"    actions:\n"
	"      - set: {name: files, field: open.file.path, append: true, scope: process, inherited: true, ttl: 10s}\n"
	"      - set: {name: n, value: 7}\n"
	"      - set: {name: own, value: true, scope: process}\n"
	"  - id: runs\n"
	"    expression: 'exec.file.path in ${process.files} && ${n} == 7'\n"
	"  - id: parent\n"
	"    expression: 'open.file.path == \"/p\"'\n"
	"    actions: [{set: {name: told, value: yes, scope: process, scope_field: process.ppid}}]\n"
	"  - id: limited\n"
	"    expression: 'open.file.path == \"/l\"'\n"
	"    every: 10s\n"
	"  - id: silent\n"
	"    expression: 'open.file.path == \"/q\"'\n"
	"    silent: true\n"
	"  - id: once\n"
	"    expression: 'open.file.path == \"/o\" && ${done} == 0'\n"
	"    actions: [{set: {name: done, value: 1}}]\n";

static const char *stateful(struct fixture *f, const char *text)
{
	char test[4096];

	put_file(f, "p.yaml", stateful_policy);
	snprintf(test, sizeof(test), "    processes: {a: , b: {parent: a}, c: {parent: b}}\n    steps:\n%s", text);
	return one(f, test);
}

#define OPENS(P, FILE) "      - event: {process: " P ", open: {file: {path: " FILE "}}}\n"

static void test_remembered(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		stateful(
			f,
			OPENS("a",
			      "/s/x") "        fire_only: [reads]\n"
				      "        variables: {process.files: [/s/x], n: 7, process.own: true}\n" OPENS("b", "/s/y") "        variables: {process.files: [/s/x, /s/y]}\n" OPENS(
					      "c",
					      "/z") "        variables: {process.files: [/s/x, /s/y], process.own: null}\n"
						    "      - event: {process: c, exec: {file: {path: /s/y}}}\n        fire_only: [runs]\n"
						    "      - event: {process: a, exec: {file: {path: /s/y}}}\n        fire_only: []\n"
						    "        variables: {process.own: true}\n"
						    "      - after: 11s\n        event: {process: c, exec: {file: {path: /s/y}}}\n"
						    "        fire_only: []\n        variables: {process.files: null, n: 7}\n"),
		"");
	/* each test begins with nothing */
	assert_string_equal(stateful(f, OPENS("a", "/z") "        variables: {n: null, process.files: null}\n"), "");
	/* a pid names a process of the test */
	assert_string_equal(
		stateful(
			f,
			OPENS("b", "/p") "        variables: {process.told: null}\n" OPENS(
				"a",
				"/z") "        variables: {process.told: \"yes\"}\n" OPENS("c",
											   "/z") "        variables: {process.told: null}\n"),
		"");
	/* what was forked has what is inherited, and no more */
	assert_string_equal(
		stateful(
			f,
			OPENS("a",
			      "/s/x") "        fire: [reads]\n"
				      "      - events: [{process: a, fork: d}, {process: d, open: {file: {path: /z}}}]\n"
				      "        variables: {process.files: [/s/x], process.own: null}\n"),
		"");
}

static void test_remembered_otherwise(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(stateful(f, OPENS("a", "/s/x") "        variables: {n: 8}\n"),
			    "step 1: the variable n is 7");
	assert_string_equal(stateful(f, OPENS("a", "/s/x") "        variables: {process.files: [/s/y]}\n"),
			    "step 1: the variable process.files is [\"/s/x\"]");
	assert_string_equal(stateful(f, OPENS("a", "/s/x") "        variables: {process.files: null}\n"),
			    "step 1: the variable process.files is [\"/s/x\"]");
	assert_string_equal(stateful(f, OPENS("a", "/z") "        variables: {process.files: [/s/x]}\n"),
			    "step 1: the variable process.files is not set");
	assert_string_equal(stateful(f, OPENS("a", "/z") "        variables: {process.file: null}\n"),
			    "step 1: no rule sets the variable \"process.file\"");
	assert_string_equal(detail(f), "did you mean \"process.files\"?");
	stateful(f, "      - event: {process: a, exec: {file: {path: /s/x}}}\n        fire: [runs]\n");
	assert_non_null(strstr(detail(f), "${process.files} is not set"));
}

/* Clauses are asked before the event changes what they ask. */
static void test_own_variable(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		stateful(f, OPENS("a", "/o") "        fire_only: [once]\n" OPENS("a", "/o") "        fire_only: []\n"),
		"");
	assert_string_equal(stateful(f, OPENS("a", "/o") "        not: [once]\n"), "step 1: once fired");
	assert_non_null(strstr(detail(f), "true: "));
	for (size_t i = 0; i < f->run.ncovers; i++)
		if (strcmp(f->run.covers[i]->id, "once") == 0)
			assert_true(f->run.covers[i]->clauses[0]->held);
}

static void test_suppressed(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
		stateful(f, OPENS("a", "/l") "        fire_only: [limited]\n" OPENS(
				    "a", "/l") "        suppressed: [limited]\n        fire_only: []\n"
					       "      - after: 10s\n        event: {open: {file: {path: /l}}}\n"
					       "        fire_only: [limited]\n" OPENS(
						       "a", "/q") "        fire_only: [silent]\n"),
		"");
	assert_string_equal(stateful(f, OPENS("a", "/l") "        suppressed: [limited]\n"),
			    "step 1: limited fired and was not suppressed");
	assert_string_equal(stateful(f, OPENS("a", "/z") "        suppressed: [limited]\n"),
			    "step 1: limited did not fire");
	assert_string_equal(stateful(f, OPENS("a", "/l") OPENS("a", "/l") "        fire: [limited]\n"),
			    "step 2: limited did not fire");
	assert_string_equal(detail(f), "it held, but its last alert was less than its \"every\" ago");
}

/* ---- coverage ------------------------------------------------------------------------------------------------------ */

static void test_clauses(void **state)
{
	struct fixture *f = *state;
	struct test_coverage c;

	put_file(
		f, "p.yaml",
		"rules:\n"
		"  - {id: a, expression: '(process.uid == 1 || open.flags == 2) && (open.file.uid == 3 || open.file.gid == 4)'}\n");
	one(f, "    event: {open: {flags: 2, file: {uid: 3}}}\n    fire: [a]\n");
	/* who does not say that it fires, covers nothing */
	one(f, "    event: {open: {flags: 2, file: {gid: 4}}}\n    not: [a]\n");
	c = test_coverage(&f->run);
	assert_int_equal(c.rules, 1);
	assert_int_equal(c.fired, 1);
	assert_int_equal(c.clauses, 4);
	assert_int_equal(c.held, 1);
	one(f, "    event: {open: {flags: 2, file: {uid: 3, gid: 4}}, process: {uid: 1}}\n    fire: [a]\n");
	assert_int_equal(test_coverage(&f->run).held, 4);
}

/* An AND of many ORs is one clause; beside it, the rest is taken apart. */
static void test_clauses_whole(void **state)
{
	struct fixture *f = *state;
	const struct test_cover *c;
	size_t whole = 0;
	char text[4096];
	int n = snprintf(text, sizeof(text), "rules:\n  - id: a\n    expression: >-\n      open.flags == 7 || (true");

	for (int i = 0; i < 12; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			      " &&\n      (open.file.uid == %d || open.file.gid == %d)", i, i);
	snprintf(text + n, sizeof(text) - (size_t)n, ")\n");
	put_file(f, "p.yaml", text);
	one(f, "    event: {open: {flags: 7}}\n    fire: [a]\n");
	assert_int_equal(f->run.diags.errors, 0);
	c = f->run.covers[0];
	assert_int_equal(c->nclauses, 2);
	for (size_t i = 0; i < 2; i++)
		whole += c->clauses[i]->whole;
	assert_int_equal(whole, 1);
	assert_int_equal(test_coverage(&f->run).held, 1);
}

/* What says the same is the same clause, in whichever order of files it was compiled. */
static void test_clauses_once(void **state)
{
	struct fixture *f = *state;

	put_file(f, "p.yaml", "rules:\n  - {id: a, expression: 'open.flags == 1 && process.comm in [\"x\", \"y\"]'}\n");
	put_file(f, "q.yaml", "rules:\n  - {id: b, expression: 'process.comm in [\"y\", \"x\"] && open.flags == 9'}\n");
	put_file(f, "x.test.yaml",
		 "policies: [q.yaml, p.yaml]\n"
		 "tests: [{name: x, event: {open: {flags: 1}, process: {comm: y}}, fire: [a]}]\n");
	put_file(f, "y.test.yaml",
		 "policies: [p.yaml, q.yaml]\n"
		 "tests: [{name: y, event: {open: {flags: 9}, process: {comm: x}}, fire: [b]}]\n");
	run(f, "");
	assert_int_equal(f->run.nfailed, 0);
	assert_int_equal(test_coverage(&f->run).clauses, 2);
	assert_int_equal(test_coverage(&f->run).held, 2);
}

/* A rule is one rule, whichever way a test takes to its file. */
static void test_cover_paths(void **state)
{
	struct fixture *f = *state;
	char path[256], want[256];

	snprintf(path, sizeof(path), "%s/sub", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put_file(f, "p.yaml", "rules:\n  - {id: a, expression: 'open.flags == 1'}\n");
	put_file(f, "y.test.yaml", "policies: [.]\ntests: [{name: y, event: {open: {flags: 2}}, fire_only: []}]\n");
	put_file(f, "sub/x.test.yaml",
		 "policies: [./../sub/..//p.yaml]\n"
		 "tests: [{name: x, event: {open: {flags: 1}}, fire: [a]}]\n");
	run(f, "");
	assert_int_equal(f->run.nfailed, 0);
	assert_int_equal(f->run.ncovers, 1);
	snprintf(want, sizeof(want), "%s/p.yaml", f->dir);
	assert_string_equal(f->run.covers[0]->file, want);
}

/* ---- snapshots ----------------------------------------------------------------------------------------------------- */

static void read_file(struct fixture *f, const char *name, char *to, size_t size)
{
	char path[256];
	FILE *in;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	in = fopen(path, "re");
	assert_non_null(in);
	n = fread(to, 1, size - 1, in);
	to[n] = '\0';
	fclose(in);
}

/* Runs the file with --update, and then without: nothing fails then. */
static void update(struct fixture *f, const char *before, const char *after)
{
	char got[2048];
	struct test_run again;
	char path[256];
	size_t n;

	put_file(f, "s.test.yaml", before);
	snprintf(path, sizeof(path), "%s/s.test.yaml", f->dir);
	test_run_init(&again);
	again.options.update = true;
	assert_int_equal(test_run_path(&again, path), 0);
	assert_int_equal(test_snapshot_write(&again, &n), 0);
	assert_int_equal(again.diags.errors, 0);
	assert_int_equal(again.nfailed, 0);
	test_run_done(&again);
	read_file(f, "s.test.yaml", got, sizeof(got));
	assert_string_equal(got, after);
	test_run_init(&again);
	assert_int_equal(test_run_path(&again, path), 0);
	assert_int_equal(again.nfailed, 0);
	test_run_done(&again);
}

static void test_update(void **state)
{
	struct fixture *f = *state;

	put_file(f, "s.yaml",
		 "rules:\n"
		 "  - {id: a, expression: 'open.flags & 1 > 0'}\n"
		 "  - {id: b, expression: 'open.flags & 2 > 0'}\n"
		 "  - {id: \"null\", expression: 'open.flags & 4 > 0'}\n");
#define T "tests:\n  - name: t # x\n    event: {open: {flags: 3}} # y\n"
	update(f, T "    snapshot:\n", T "    snapshot: [a, b]\n");
	update(f, T "    snapshot:   # why\n    # end\n", T "    snapshot: [a, b]   # why\n    # end\n");
	update(f, T "    snapshot: ~ # why\n", T "    snapshot: [a, b] # why\n");
	update(f, T "    snapshot: [a,\n      b, # c\n      \"null\" # d\n     ] # e\n",
	       T "    snapshot: [a, b] # e\n");
	update(f, T "    snapshot: [ ]\n", T "    snapshot: [a, b]\n");
	update(f, T "    snapshot: [b,   a]\n", T "    snapshot: [b,   a]\n");
	update(f, T "    snapshot:\n      # list\n      - \"null\" # gone\n      - b   # kept\n      # after\n",
	       T "    snapshot:\n      # list\n      - b   # kept\n      - a\n      # after\n");
	update(f, T "    snapshot:\n    - a\n    - b\n    - \"null\"", T "    snapshot:\n    - a\n    - b\n");
	update(f, T "    snapshot:\n    - b", T "    snapshot:\n    - b\n    - a");
	update(f, "tests: [{name: t, event: {open: {flags: 4}}, snapshot: }]\n",
	       "tests: [{name: t, event: {open: {flags: 4}}, snapshot: [\"null\"] }]\n");
	update(f, "tests:\n  - event: {open: {flags: 0}}\n    snapshot:\n      - a # x\n      - b\n",
	       "tests:\n  - event: {open: {flags: 0}}\n    snapshot: []\n");
	update(f,
	       "tests:\n- steps:\n  - event: {open: {flags: 1}}\n    snapshot:\n  - event: {open: {flags: 2}}\n"
	       "    snapshot: [a]\n",
	       "tests:\n- steps:\n  - event: {open: {flags: 1}}\n    snapshot: [a]\n  - event: {open: {flags: 2}}\n"
	       "    snapshot: [b]\n");
}

/* A difference is a failure without --update; what cannot be edited stays as it is. */
static void test_update_refused(void **state)
{
	struct fixture *f = *state;
	const char *text = T "    fire: &x [a]\n    snapshot: *x\n";
	struct test_run again;
	char path[256], got[2048];
	size_t n;

	put_file(f, "s.yaml",
		 "rules:\n  - {id: a, expression: 'open.flags & 1 > 0'}\n"
		 "  - {id: b, expression: 'open.flags & 2 > 0'}\n");
	put_file(f, "s.test.yaml", text);
	snprintf(path, sizeof(path), "%s/s.test.yaml", f->dir);
	run(f, "s.test.yaml");
	assert_string_equal(f->run.cases[0].failure, "b fired, which \"snapshot\" does not name");
	test_run_init(&again);
	again.options.update = true;
	assert_int_equal(test_run_path(&again, path), 0);
	assert_int_equal(test_snapshot_write(&again, &n), 0);
	assert_int_equal(again.diags.errors, 1);
	test_run_done(&again);
	read_file(f, "s.test.yaml", got, sizeof(got));
	assert_string_equal(got, text);
	put_file(f, "s.test.yaml", T "    snapshot:\n");
	run(f, "s.test.yaml");
	assert_string_equal(f->run.cases[1].failure, "the snapshot was not taken yet");
}

/* ---- forms --------------------------------------------------------------------------------------------------------- */

/* Names break out of no form: a line is a line. */
static void test_hostile_names(void **state)
{
	struct fixture *f = *state;
	struct buf out;
	size_t lines = 0;

	put_file(f, "p.test.yaml",
		 "tests:\n  - name: \"x\\nok 9 - y\\e[2J # TODO <&>]]>\\x01\"\n"
		 "    event: {open: {file: {path: \"/\\n\\e\"}}}\n    fire: [shadow]\n");
	run(f, "p.test.yaml");
	buf_init(&out, 1 << 20);
	test_print_tap(&f->run, &out);
	for (size_t i = 0; i < out.len; i++) {
		assert_true(out.data[i] >= ' ' || out.data[i] == '\n');
		lines += out.data[i] == '\n';
	}
	assert_non_null(strstr(buf_cstr(&out), ": x ok 9 - y [2J   TODO <&>]]> \n"));
	buf_reset(&out);
	test_print_text(&f->run, &out);
	for (size_t i = 0; i < out.len; i++)
		assert_true(out.data[i] >= ' ' || out.data[i] == '\n');
	buf_reset(&out);
	test_print_junit(&f->run, &out);
	assert_non_null(strstr(buf_cstr(&out), "TODO &lt;&amp;&gt;]]&gt;?"));
	buf_done(&out);
	assert_true(lines > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_results, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_step_mistakes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nearest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fire_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remembered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remembered_otherwise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_variable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suppressed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clauses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clauses_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clauses_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cover_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update, setup, teardown),
		cmocka_unit_test_setup_teardown(test_update_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_names, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
