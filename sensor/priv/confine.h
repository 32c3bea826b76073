/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process of tamisd may still do once it is set up: user, capabilities, system calls. One table per kind of
 * right, one column per process.
 *
 *	monitor	root with the few capabilities that BPF, seeding and restarting the others need
 *	engine	user tamis, no capability, opens files for reading only
 *	canary	a user of its own, no capability; its acts are few and fixed, and it reads nothing
 *	record	user tamis-record (owner of the log and the key), no capability
 *	hash	a user of its own that may read any file, opens for reading only; the baseline was opened before
 *	runtime	a user of its own, no capability, opens nothing
 *	sockets	a user of its own with the groups of runtimes' sockets; connects to sockets of this machine
 *
 * Where a user does not exist, its number below is taken: from the range that no distribution and no container manager
 * hands out (1879048192 to 2147483647 in systemd's UIDS-GIDS), and above all one that owns no file.
 */
#ifndef TAMIS_PRIV_CONFINE_H
#define TAMIS_PRIV_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/err.h"
#include "sensor/priv/msg.h"

#define CONFINE_ENGINE_USER "tamis"
#define CONFINE_RECORD_USER "tamis-record"
#define CONFINE_ENGINE_ID   1879050001u
#define CONFINE_RECORD_ID   1879050002u
#define CONFINE_CANARY_ID   1879050003u /* has no name, as the following */
#define CONFINE_SEAL_ID	    1879050006u
#define CONFINE_HASH_ID	    1879050004u
#define CONFINE_RUNTIME_ID  1879050007u
#define CONFINE_SOCKETS_ID  1879050008u

/* What happens to a system call outside the list. LOG is for finding out what is missing: see CONFINE_ENV. */
enum confine_mode { CONFINE_KILL, CONFINE_LOG, CONFINE_OFF };
#define CONFINE_ENV "TAMISD_SECCOMP" /* "log" or "off"; anything else, or none: kill */

struct confine_user {
	uid_t uid;
	gid_t gid;
};

enum confine_mode confine_mode_env(void);

/* The user that a process runs as; looked up in /etc/passwd, without a name service. */
void confine_user(enum role role, struct confine_user *ret);

/* Gives up root for good: supplementary groups, gid, uid, bounding set, every capability. */
int confine_drop_user(const struct confine_user *u, struct err *e);
/* The same, but any file may be read still. */
int confine_drop_to_reader(const struct confine_user *u, struct err *e);
/* The same, but for those groups; with @reader any file may be read still. */
int confine_drop_to_groups(const struct confine_user *u, size_t ngroups, const gid_t *groups, bool reader,
			   struct err *e);
/* The same, but for one supplementary group. */
int confine_drop_user_with(const struct confine_user *u, gid_t group, struct err *e);

/* -EPERM, naming it, when a capability is missing that the start or the monitor needs. */
int confine_check_caps(struct err *e);

/*
 * Keeps only what the monitor needs after the hooks are attached. A capability that the process never had is not an
 * error here: what needs it says so when it fails.
 */
int confine_monitor_caps(struct err *e);

/* no_new_privs and the role's list of system calls, for this process and all that it starts. Cannot be taken back. */
int confine_syscalls(enum role role, enum confine_mode mode, struct err *e);

/* No core dumps, no ptrace by others of the same user. */
void confine_memory(void);

#endif
