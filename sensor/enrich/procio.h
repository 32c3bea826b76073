/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENRICH_PROCIO_H
#define TAMIS_ENRICH_PROCIO_H

/*
 * A process as bytes and back: what its numbers, strings and arguments are. Everything that follows from those (names of
 * users, the container, the parts of the arguments) is left out and worked out anew. A part of the process table; the
 * bytes that are read come from a capture and are not believed.
 */

#include "lib/buf.h"
#include "lib/catalog.h"
#include "sensor/enrich/argblock.h"
#include "sensor/ingest/decode.h"

enum procio_flags {
	PROCIO_DEAD = 1 << 0,
	PROCIO_PRESENT = 1 << 1,
	PROCIO_COARSE = 1 << 2,
	PROCIO_KTHREAD = 1 << 3, /* of what /proc said */
	PROCIO_UNLAYERED = 1 << 4,
	PROCIO_FLAGS = (1 << 5) - 1
};

/* What the table knows of an image beside its values. */
struct procio {
	uint32_t pid;
	uint32_t parent; /* number of an image that came before, from 1; 0: none */
	uint8_t flags, chain;
	uint64_t start_ns, known_ns, dead_ns;
};

/* The strings of a process: those that come in records, in their order (EVS_PROC_*), and those that the table has found out. */
enum { PROCIO_SSH_IP = EVS_PROC_COUNT, PROCIO_SSH_USER, PROCIO_POD, PROCIO_STRS };
extern const uint8_t procio_str_slots[PROCIO_STRS];

/* @args: NULL for none. Errors stay in the buffer. */
void procio_put(struct buf *b, const struct procio *io, const struct val *v, const struct decode_args *args);
/* The arguments and environment of a block, NUL-terminated again; they live in @text, which is appended to. */
void procio_args(const struct argblock *a, struct buf *text, struct decode_args *ret);
/* ret_d->pv and ret_d->args, borrowed from @rd's bytes; the head's pid, start and ids; -EBADMSG. */
int procio_get(struct rd *rd, struct procio *ret, struct decoded *ret_d);

/* Arguments alone. */
void procio_put_args(struct buf *b, const struct decode_args *a);
int procio_get_args(struct rd *rd, struct decode_args *ret);
/* A string with its length before it. */
void procio_put_str(struct buf *b, const char *s, size_t len);
int procio_get_str(struct rd *rd, const char **ret, uint32_t *ret_len);

#endif
