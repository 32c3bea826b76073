/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_WATCH_RULES_H
#define TAMIS_COMPILER_WATCH_RULES_H

/*
 * What the watches of a build ask of the kernel, as rules of the program (PRULE_WATCH): one for each kind of event that can
 * change a file, with all watched paths in one condition. They let through what may concern a watched file; which watch a
 * path belongs to, if any, is worked out where the file is looked at (sensor/fim). A path that cannot be written in a
 * condition as it is stands there as a wider one.
 */

#include "policy-compiler/compile.h"

/* After compile_finish(). 0 where there are no watches; -E2BIG where the program has no room for them, -ENOMEM. */
int watch_rules_add(struct compile *c);

#endif
