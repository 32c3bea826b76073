/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the spool and its sinks may do. They run code of others (TLS, HTTP, Kafka) and talk to the network, so they have a
 * user and lists of system calls of their own, beside those of confine.h:
 *
 *	spool	forks sinks; its list is what a sink needs before it has its own
 *	sink	sockets, threads, files of its own user; no other program, no new process, no memory that is both written and run
 *
 * Libraries ask for calls to find out whether there are such and have another way where not: so a sink's call outside of
 * the list is refused, as if the kernel did not know it, and only what no library does by itself ends the process.
 */
#ifndef TAMIS_PRIV_CONFINE_SPOOL_H
#define TAMIS_PRIV_CONFINE_SPOOL_H

#include <stdbool.h>

#include "lib/err.h"
#include "sensor/priv/confine.h"

#define CONFINE_SPOOL_USER "tamis-spool"
#define CONFINE_SPOOL_ID   1879050005u

/* The spool's user; its group is its own, and it is in record's, which may read the log. */
void confine_spool_user(struct confine_user *ret, gid_t *ret_log_group);

/* Gives up root for good. */
int confine_spool_drop(struct err *e);

int confine_spool_syscalls(bool sink, enum confine_mode mode, struct err *e);

/* Of root's rights only what it takes to give them up. */
int confine_spool_reserve(struct err *e);

#endif
