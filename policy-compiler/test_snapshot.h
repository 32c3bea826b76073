/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_TEST_SNAPSHOT_H
#define TAMIS_COMPILER_TEST_SNAPSHOT_H

/*
 * Writes snapshots into the files that tests came from. Only the list of a "snapshot:" changes: of a list with an item a
 * line, the lines of rules that fire no more go and lines of new ones come; comments, order and layout stay as they are.
 */

#include "lib/buf.h"
#include "policy-compiler/test_run.h"

/*
 * The bytes of a source with all edits that are about it. -EINVAL with a diagnostic where a snapshot is written in a way
 * that cannot be edited, an alias for example.
 */
int test_snapshot_bytes(struct test_run *t, const struct source *src, struct buf *out);

/*
 * Every file with edits, each replaced as a whole and with its mode kept. *ret_n: snapshots that were written. A file that
 * cannot be written is a diagnostic, and the others go on.
 */
int test_snapshot_write(struct test_run *t, size_t *ret_n);

#endif
