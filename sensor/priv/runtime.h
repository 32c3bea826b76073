/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container runtimes: which the operator lets be asked, where, and what their answers say. Answers are untrusted: bounded, whoever
 * starts a container chooses what is in them.
 *
 * Never opens anything: sockets_proc.c asks, runtime_proc.c takes the answers apart.
 */
#ifndef TAMIS_PRIV_RUNTIME_H
#define TAMIS_PRIV_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "sensor/enrich/container.h"

#define RUNTIME_SOURCES	   8
#define RUNTIME_ID	   64		/* hexadecimal digits of a container's id */
#define RUNTIME_ANSWER_MAX (256u << 10) /* bytes of an answer */
#define RUNTIME_ANSWER_MS  1000		/* for an answer */
#define RUNTIME_PAUSE_MS   10000	/* one that took longer is not asked for so long */
#define RUNTIME_ASKED_MAX  32		/* questions that wait */

enum runtime_kind { RUNTIME_DOCKER, RUNTIME_PODMAN, RUNTIME_CRIO, RUNTIME_CONTAINERD, RUNTIME_KINDS };

struct runtime_source {
	enum runtime_kind kind;
	char path[108]; /* a socket; of containerd the directory of its tasks */
};

struct runtime_sources {
	size_t n;
	struct runtime_source v[RUNTIME_SOURCES];
};

/* As container.runtime has it. */
const char *runtime_kind_name(enum runtime_kind kind);

/* "docker, podman=/run/user/1000/podman/podman.sock": kinds, with the place of each where it is not the usual one. NULL: none. */
int runtime_parse(const char *text, struct runtime_sources *ret, struct err *e);

bool runtime_is_id(const char *id, size_t len);

/*
 * What an answer says of that container: of docker, podman and CRI-O what came over the socket, of containerd the text of the bundle's
 * config.json. -ENOENT: there is no such container; -EBADMSG: nothing that can be understood; -ESTALE: of another one.
 */
int runtime_answer(enum runtime_kind kind, const char *id, const char *bytes, size_t len, struct container_names *ret);

#endif
