/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and images of containers, from runtimes that the operator lets be asked. Two processes, because whoever may talk to a
 * runtime's socket has root's power (docs/decisions/0025-runtime-sockets.md):
 *
 *	sockets	 may connect. Is told which runtime and which id, asks the one fixed question, and hands the bytes of the answer on
 *		 as they are.
 *	runtime	 takes the answers apart, and tells the engine. May do nothing else.
 *
 * Each answer has RUNTIME_ANSWER_MS and RUNTIME_ANSWER_MAX; a runtime that took longer is left alone for RUNTIME_PAUSE_MS.
 */
#ifndef TAMIS_PRIV_RUNTIME_PROC_H
#define TAMIS_PRIV_RUNTIME_PROC_H

#include "sensor/priv/confine.h"
#include "sensor/priv/msg.h"
#include "sensor/priv/runtime.h"

#define RUNTIME_AGAIN 75 /* exit status: start me anew, nothing is wrong */

struct runtime_args {
	struct chan monitor; /* taken over */
	struct runtime_sources sources;
	enum confine_mode mode;
};

/* The whole life of the process; returns its exit status. */
int runtime_main(const struct runtime_args *a);

/* ---- between the two ------------------------------------------------------------------------------------------------- */

struct sockets_question {
	uint32_t source; /* its place in the list */
	char id[RUNTIME_ID];
};

/* Then @len bytes. */
struct sockets_answer {
	int32_t error; /* 0 or a negative errno; -ETIMEDOUT: it took too long */
	uint32_t len;
};

int sockets_main(const struct runtime_args *a, int fd);

#endif
