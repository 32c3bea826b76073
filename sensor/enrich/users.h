/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_USERS_H
#define TAMIS_ENRICH_USERS_H

/*
 * Names of users and groups, from /etc/passwd and /etc/group alone: no name service is asked, because that could mean a
 * network and code of others in the process that sees every event. An id without an entry has no name.
 * Names that were handed out stay valid as long as the table does, also when the files change.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

#define USERS_MAX 65536 /* ids of each kind; more are not kept, and counted */

struct users;

struct users_stats {
	uint64_t users, groups; /* known now */
	uint64_t dropped;	/* lines that found no room, or were malformed */
	uint64_t reloads;	/* times the files were read again because they changed */
	uint64_t failures;	/* times they could not be read */
};

/* Opens @etc (normally "/etc") and reads the two files; a file that is missing just has no names. NULL: only users_load. */
int users_new(const char *etc, struct users **ret);
void users_free(struct users *u);

/* Reads the files again if they changed. Cheap otherwise: two fstatat. Returns 1 when a name may have changed, else 0. */
int users_refresh(struct users *u);

/* The name, NUL-terminated, and its length; "" where there is none. Borrowed from @u for good. */
const char *users_user(const struct users *u, int64_t uid, uint32_t *ret_len);
const char *users_group(const struct users *u, int64_t gid, uint32_t *ret_len);

/* What is known of users, or of groups, as text that users_load takes: lines of passwd(5) with nothing but name and id. */
void users_save(const struct users *u, bool groups, struct buf *out);
/* Takes the place of all users, or groups. */
void users_load(struct users *u, bool groups, const char *text, size_t len);

void users_stats(const struct users *u, struct users_stats *ret);

#endif
