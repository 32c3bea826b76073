/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_RESPOND_KILL_H
#define TAMIS_RESPOND_KILL_H

/*
 * Sending a signal to a process, or to all of its container or cgroup, without ever hitting another one. A process is known by
 * its pid and the boot time of its start. It is held by a pidfd first and looked at then: what /proc says while the pidfd's
 * process lives is about that process, and the signal goes to the pidfd. Never hit are process 1, kernel threads, and those
 * that the caller names: the sensor itself.
 *
 *	kill_look(&req, &t); if it may be: kill_fire(&req, &t, &n); kill_done(&t);
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define KILL_FILE_MAX	1024
#define KILL_CGROUP_MAX 4096
#define KILL_MS		200 /* what a whole container may take; then what is left stays */

enum kill_outcome {
	KILL_DONE,
	KILL_GONE,    /* the process has ended, or its id is another one's now */
	KILL_NEVER,   /* one that is never hit */
	KILL_NOWHERE, /* to be hit with its container, or cgroup, and in none, or in that of the whole machine */
	KILL_FAILED   /* the kernel refused */
};

struct kill_request {
	const char *proc; /* "/proc" */
	uint32_t pid;
	uint64_t start_ns; /* boot time */
	int signal;
	uint8_t scope;	    /* enum var_scope: VAR_PROCESS, VAR_CONTAINER, VAR_CGROUP */
	const pid_t *never; /* borrowed */
	size_t nnever;
};

/* All zero but fd -1: nothing. */
struct kill_target {
	int fd;			  /* owned; pidfd */
	int error;		  /* KILL_FAILED: a negative errno */
	char file[KILL_FILE_MAX]; /* what it executes; "" where it cannot be told */
	uint64_t executable;	  /* names that file, by its inode; 0: none */
	char container[65];	  /* "" outside of containers */
	char cgroup[KILL_CGROUP_MAX];
};

enum kill_outcome kill_look(const struct kill_request *r, struct kill_target *ret);
/* *ret_n: how many processes got the signal. */
enum kill_outcome kill_fire(const struct kill_request *r, struct kill_target *t, uint32_t *ret_n);
void kill_done(struct kill_target *t);

const char *kill_outcome_name(enum kill_outcome o);

#endif
