/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_NAME_RULES_H
#define TAMIS_COMPILER_NAME_RULES_H

/*
 * What a policy that asks for the names of addresses (connect.addr.hostname, accept.addr.hostname) needs of the kernel
 * besides: the answers of name servers. A silent rule of the program lets them through.
 */

#include "policy-compiler/compile.h"

/* After compile_finish(). 0 where no rule asks for names; -E2BIG where the program has no room, -ENOMEM. */
int name_rules_add(struct compile *c);

#endif
