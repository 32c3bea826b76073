/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_FILES_H
#define TAMIS_COMPILER_FILES_H

/* The files that a command-line argument names: itself, or what lies below it. */

#include "policy-compiler/arena.h"

#include "lib/err.h"

#define FILES_DEPTH_MAX 16 /* directories within directories */

enum files_kind { FILES_POLICY, FILES_TEST };

struct files {
	const char **path;
	size_t n, max;
};

/*
 * Appends the files to @files, those of a directory in order of their paths: of kind POLICY *.yaml, *.yml and
 * *.policy but not *.test.yaml, of kind TEST *.test.yaml and *.test.yml. A file that is named itself is taken
 * whatever its name. Negative errno with the reason in @err; -E2BIG over files->max.
 */
int files_find(struct arena *a, const char *path, enum files_kind kind, struct files *files, struct err *err);

/* Whether the name is that of a test file. */
bool files_is_test(const char *path);

#endif
