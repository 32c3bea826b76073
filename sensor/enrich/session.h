/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_SESSION_H
#define TAMIS_ENRICH_SESSION_H

/*
 * From where somebody logged in: what a server of SSH left in the environment of the session's first process. Anybody can set
 * such variables; so who asks makes sure that it was a server that executed the process (proctable.c).
 */

#include <stdbool.h>

#include "lib/value.h"
#include "sensor/enrich/argblock.h"

struct session {
	struct val ip, user; /* borrowed from the environment; ip is an address as text */
	int64_t port;
};

/* Whether that is the program of a server of SSH. */
bool session_is_server(struct val name);
/* False where the environment tells of no session. */
bool session_of_env(const struct argblock *a, struct session *ret);

#endif
