/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_ENGINE_STATE_H
#define TAMIS_ENGINE_STATE_H

/*
 * What rules remember: the values of variables, each for what it belongs to (nothing, a process, a container, a cgroup), in a
 * memory whose size is fixed when it is made. Where it is full, the variable that was set longest ago gives way; global ones
 * never do. Time is what the caller says it is. Knows values and the program's variables, but no events and no nodes. Only
 * engine.c and tests include it.
 */

#include "lib/program.h"

struct state;

struct state_options {
	uint32_t entries, values, text_bytes;
};

/* What a value belongs to. @id is borrowed for the call. */
struct state_key {
	uint8_t scope; /* enum var_scope */
	uint32_t pid;
	uint64_t start;
	const char *id; /* CONTAINER, CGROUP */
	uint32_t id_len;
};

/* One value while it is looked at; good until something is set or forgotten. */
struct state_pos {
	uint32_t entry, elem; /* of the state's memory; PROGRAM_NONE: at the end */
};

struct state_stats {
	uint64_t entries, values, text_bytes;
	uint64_t evicted, dropped, cut;
};

/* -ENOMEM. The program's arrays are borrowed. Without variables it is small and does nothing. */
int state_new(const struct program *p, const struct state_options *o, struct state **ret);
void state_free(struct state *s);
DEFINE_CLEANUP(struct state *, state_free);

/* The first value that is set and has not expired; false where there is none. Values of an array come oldest first. */
bool state_first(const struct state *s, uint32_t var, const struct state_key *key, int64_t now, struct state_pos *ret);
bool state_next(const struct state *s, struct state_pos *pos, int64_t now);
struct val state_value(const struct state *s, struct state_pos pos);

/*
 * Sets a variable: a text or number replaces what is there or, with @append, is joined or added to it; to an array one value
 * is added. False where there was no room. @v may point into the state.
 */
bool state_set(struct state *s, uint32_t var, const struct state_key *key, int64_t now, const struct val *v,
	       bool append);
/* Adds every value of another variable, or of the same one of another process. */
bool state_add_all(struct state *s, uint32_t var, const struct state_key *key, int64_t now, struct state_pos from);

void state_forget(struct state *s, const struct state_key *key);
bool state_knows(const struct state *s, const struct state_key *key);
/* Bits 1 << (flag - 1) of the variables with a flag (struct pvar) of which there is something here. */
uint64_t state_flags(const struct state *s);
/* Takes over the values of variables that @from has by the same name, scope and type. */
void state_carry(struct state *s, const struct state *from);
void state_stats(const struct state *s, struct state_stats *ret);
/* For tests: whether every part of the memory is where it should be, once. */
bool state_sane(const struct state *s);

#endif
