/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_POLICY_KEYS_H
#define TAMIS_COMPILER_POLICY_KEYS_H

/*
 * The keys of a policy file, as tables. The reader checks a file against them, `tamisc fmt` takes the order of keys from
 * them, and `tamisc schema` is generated from them: a key that is added here is known to all three.
 */

#include "policy-compiler/keys.h"

extern const struct key policy_keys[]; /* of the file as a whole */
extern const struct key policy_macro_keys[];
extern const struct key policy_rule_keys[];
extern const struct key policy_watch_keys[];
/* test_run.c */
extern const struct key test_file_keys[];
extern const struct key test_keys[];
extern const struct key test_step_keys[];

#endif
