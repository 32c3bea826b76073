/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_SCHEMA_H
#define TAMIS_COMPILER_SCHEMA_H

/*
 * The tables of keys as a JSON Schema (draft 2020-12), for the YAML support of editors and for other validators. A file
 * that tamisc accepts is valid; what a schema cannot say (SECL, names of macros, one rule against another) is left to
 * `tamisc check`.
 */

#include "lib/buf.h"

enum schema_kind { SCHEMA_POLICY, SCHEMA_TEST };

/* Appends the schema and a line end. 0 or the buffer's error. */
int schema_put(enum schema_kind kind, struct buf *out);

#endif
