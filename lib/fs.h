/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_FS_H
#define TAMIS_LIB_FS_H

/*
 * What everybody does with files and what is easily done slightly wrong: reading in spite of signals and of reads that
 * give less than was asked for, and making the directories of a path.
 */

#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

/* Reads until @size bytes are there or the file ends: how many, or a negative errno. */
ssize_t fs_read(int fd, void *to, size_t size);

/* mkdir -p, mode 0711. The error's text says what to do where it is the directory of the sensor's state. */
int fs_make_dirs(const char *path, struct err *e);

#endif
