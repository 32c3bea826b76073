/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_TREE_H
#define TAMIS_COMPILER_TEST_TREE_H

/*
 * The events of a test, and the processes that a test names. Named processes are images as the sensor's process table has
 * them: a fork makes a copy below its parent, an exec replaces what was executed and keeps the credentials, what an exec
 * of an exec replaces stays as an ancestor, an exit ends the name but not the image that others descend from.
 *
 * An event that names no process is what it says and changes nothing.
 */

#include "lib/event_json.h"
#include "policy-compiler/yaml.h"

#define TEST_PROCESSES_MAX 1024 /* of one test */

/* What is wrong with a part of a test, where, and what to do. */
struct test_error {
	struct span at;
	struct err what;
	char help[160]; /* or empty */
};

/* Always returns -EINVAL. */
int test_error_set(struct test_error *e, struct span at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void test_error_help(struct test_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct test_process;

struct test_tree {
	struct arena *arena;  /* borrowed; of one test */
	struct event_mem mem; /* owned */
	struct test_process **names;
	size_t n;
	int64_t now_ns;	   /* the test's clock; what was forked or executed began then */
	uint32_t last_pid; /* that was given */
	uint64_t starts;   /* processes so far: two of one pid are two all the same */
};

void test_tree_init(struct test_tree *t, struct arena *arena, int64_t now_ns);
void test_tree_done(struct test_tree *t);

/* Makes the processes of "processes:", a map of names to fields and "parent: NAME". -EINVAL with @err, -ENOMEM. */
int test_tree_add(struct test_tree *t, const struct ynode *processes, struct test_error *err);
/*
 * Reads an event and does to the tree what it says. *ret borrows from the tree. Its now_ns is that of a time in the event,
 * else 0. -EINVAL with @err, -ENOMEM.
 */
int test_tree_event(struct test_tree *t, const struct ynode *event, struct event *ret, struct test_error *err);

/* The process of that pid that lives, or NULL. */
const struct proc *test_tree_find(const struct test_tree *t, uint32_t pid);

/* RFC 3339 in UTC, as alerts have it. */
int test_time(const struct ynode *n, int64_t *ret_ns, struct test_error *err);

#endif
