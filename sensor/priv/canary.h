/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canary: a process of the sensor that does one harmless known act for each kind of event, every so often. The hooks
 * know it by its process id, pass its acts by the sieve, and send a mark for each. The engine counts the marks; the
 * monitor looks whether each act has brought one. A hook that was detached, or that the kernel no longer calls, is
 * noticed that way within a period.
 *
 * The process has no capability, a user of its own and one directory. It reads one byte at a time, which says "now".
 * Its acts are not judged by the policy. A keeper like it starts it again when it dies, or is stopped: the monitor itself
 * cannot, because what is forked from it inherits its list of system calls. A canary without a keeper becomes one.
 *
 * canary.c is what the two processes do, canary_watch.c the monitor's side.
 */
#ifndef TAMIS_PRIV_CANARY_H
#define TAMIS_PRIV_CANARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"
#include "tamis/event.h"

#define CANARY_NAME	   "tamisd-canary"
#define CANARY_KEEPER_NAME "tamisd-keeper"

/* What the processes say, each by its size. The canary: here I am. */
#define CANARY_HELLO	  "!"
#define CANARY_HELLO_SIZE 1

/* The keeper: the canary's wait status; it is started again. */
struct canary_died {
	int32_t status;
};

/* The canary: how many acts of each kind it has done. */
struct canary_done {
	uint8_t round; /* the byte that asked for it */
	uint8_t acts[EV_TYPES];
};

_Static_assert(sizeof(struct canary_done) > sizeof(struct canary_died), "told from each other by their sizes");

/* The monitor's side. All zero but fd: off. */
struct canary {
	pid_t keeper;	  /* our child */
	pid_t pid;	  /* of the canary, as the kernel says; 0: it has not said hello */
	int fd;		  /* owned; their socket, or -1 */
	uint32_t seconds; /* period; 0: off */
	bool asked, answered, again;
	bool dead;     /* it died or does not answer: nothing is watched */
	bool gone;     /* for good: nobody has the socket's other end */
	uint8_t round; /* what the present one is asked for by */
	unsigned int restarts;
	bool looked;			    /* at least one round is over */
	uint64_t due_ns, asked_ns, seen_ns; /* next round, when this one began, when the last one ended */
	uint32_t generation;		    /* of the policy when the round began */
	uint64_t ran_ns, moved_ns;	    /* processor time that it has had, and when that was last seen to change */
	uint64_t answered_ns;
	struct canary_done done;
	uint64_t before[EV_TYPES]; /* marks, when the round began */
	bool blind[EV_TYPES];	   /* whose act did not arrive in the last round */
};

/* What the keeper does, from its fork on. */
void canary_process(int dir, int fd) __attribute__((noreturn));

/*
 * Starts the processes, with @dir (borrowed) as its directory. To be called as root and before BPF objects are opened: they
 * inherit nothing but their socket.
 */
int canary_begin(struct canary *c, int dir, uint32_t seconds, struct err *e);
void canary_end(struct canary *c);

/* What the process execs, as the last act of its child: does nothing. True if that is what we are. */
bool canary_is_exec(int argc, char **argv);

struct monitor;

/* The keeper has died. */
void canary_keeper_ended(struct monitor *m);

/* Goes on with the present round, or begins one that is due. Called about every second. */
void canary_tick(struct monitor *m);

#endif
