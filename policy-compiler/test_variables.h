/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_VARIABLES_H
#define TAMIS_COMPILER_TEST_VARIABLES_H

/* What a test expects of variables: values as YAML against values of the engine. */

#include "engine/engine.h"
#include "policy-compiler/test_tree.h"

/*
 * Whether @value is what the variable holds; "null": it is not set. Lists are equal in any order. -EINVAL with @err where it
 * is not, or where there is no such variable.
 */
int test_variable_check(struct engine *e, const struct program *p, const struct event *ev, const struct ynode *name,
			const struct ynode *value, struct test_error *err);

#endif
