/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tamisctl's side of the control socket: one question, one answer. See sensor/priv/msg.h for what may be asked.
 */
#ifndef TAMIS_CTL_CLIENT_H
#define TAMIS_CTL_CLIENT_H

#include <stdint.h>

#include "lib/err.h"
#include "sensor/priv/msg.h"

struct client_question {
	uint16_t type; /* enum msg_type */
	const void *body;
	size_t len;
	int fd; /* -1: none goes along */
};

/*
 * Asks the sensor that runs on @state_dir. *ret is its answer, JSON, the caller's to free. -ENOENT and -ECONNREFUSED: no
 * sensor runs there; -EACCES: not root; -ETIMEDOUT; or the sensor's own error, with its text in @e.
 */
int client_ask(const char *state_dir, const struct client_question *q, char **ret, struct err *e);

/*
 * Asks for a capture: *ret is a socket to the sensor's engine process, the caller's to close, over which it comes.
 * Errors as above.
 */
int client_capture(const char *state_dir, const struct msg_capture *what, struct chan *ret, struct err *e);

#endif
