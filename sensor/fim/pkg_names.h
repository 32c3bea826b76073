/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_PKG_NAMES_H
#define TAMIS_SENSOR_FIM_PKG_NAMES_H

/*
 * To which package a path belongs, and of which version that is: the databases of dpkg and rpm, kept in memory (16 bytes a
 * file) and read anew when they have changed. Nothing of it is proof: whoever may change a program may change the database.
 */

#include "sensor/fim/pkg.h"

#define PKG_NAMES_FILES	   (4u << 20)
#define PKG_NAMES_PACKAGES 65536
#define PKG_NAMES_TEXT	   (32u << 20)
#define PKG_NAMES_LOOK_S   2 /* how often it is looked whether a database has changed */

struct pkg_names;

/* Reads nothing yet. @root_fd is borrowed. */
int pkg_names_new(int root_fd, struct pkg_names **ret);
void pkg_names_free(struct pkg_names *p);
/*
 * True with *ret, which is borrowed until the next call. The first call reads the database: some 100 ms. @now_s: seconds of
 * any clock that goes forward.
 */
bool pkg_names_of(struct pkg_names *p, const char *path, size_t len, uint64_t now_s, struct pkg_info *ret);

#endif
