/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_NAME_RULES_H
#define TAMIS_COMPILER_NAME_RULES_H

/*
 * What a policy that asks for the names of addresses (connect.addr.hostname, accept.addr.hostname) needs of the kernel
 * besides: the answers of name servers. A silent rule of the program lets them through.
 *
 * A second one holds on those answers that are about a name which some condition asks for, and sets a variable
 * (VAR_NAMES): while it is not set, no address has such a name, and the kernel drops what is about nothing else
 * (docs/decisions/0026).
 */

#include "policy-compiler/compile.h"

/* After compile_finish(). 0 where no rule asks for names; -E2BIG where the program has no room, -ENOMEM. */
int name_rules_add(struct compile *c);

#endif
