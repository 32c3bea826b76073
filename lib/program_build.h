/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PROGRAM_BUILD_H
#define TAMIS_PROGRAM_BUILD_H

/*
 * The inside of a program_builder: arrays that grow, and hash tables that find what is in them already. program.c keeps
 * strings, sets and rules, program_node.c the nodes. Only these two include it.
 */

#include <stddef.h>
#include <stdint.h>

#include "lib/program_check.h"

#define SETS_MAX PROGRAM_STRINGS_MAX /* elements of all sets of a kind, and sets of a kind */

/* An array that grows, with a maximum. */
struct vec {
	void *p; /* owned */
	uint32_t n, cap, max;
	uint32_t size; /* of an element */
};

/* A hash table of indexes into some vec, for finding what is there already. */
struct index {
	uint32_t *slot; /* owned; index + 1, 0 is free */
	uint32_t cap, n;
};

struct program_builder {
	const struct catalog *catalog; /* borrowed */
	struct vec nodes, infos;
	struct vec rules, clauses, tags;
	struct vec strms, strsets, strset_costs;
	struct vec ints, intsets;
	struct vec ips, ipsets;
	struct vec vars, actions, refs;
	struct vec str_off, str_bytes;
	struct index node_index, str_index, strset_index, intset_index, ipset_index;
};

#define AT(T, v) ((T *)(v).p)

/* 0, -E2BIG or -ENOMEM. After vec_room() a put of as many elements cannot fail. */
int program_vec_room(struct vec *v, size_t n);
int program_vec_put(struct vec *v, const void *elems, size_t n);

uint64_t program_hash(const void *p, size_t n);
typedef uint64_t program_hash_fn(const struct program_builder *pb, uint32_t i);
typedef bool program_same_fn(const struct program_builder *pb, uint32_t i, const void *p, size_t n);
/* Room for one more entry; @hash_of gives the hash of what entry i stands for. */
int program_index_room(struct index *ix, program_hash_fn *hash_of, const struct program_builder *pb);
/* The entry that is the same as p, n; or -1 with *ret_at the place where it would go. Needs room in the table. */
int64_t program_index_find(const struct index *ix, const struct program_builder *pb, uint64_t hash,
			   program_same_fn *same, const void *p, size_t n, uint32_t *ret_at);
void program_index_put(struct index *ix, uint32_t at, uint32_t i);

const char *program_str_at(const struct program_builder *pb, uint32_t i, uint32_t *ret_len);
bool program_str_is_ip(const void *pb, uint32_t i);
/* What nodes of the builder are checked against; valid until something is added. */
struct node_env program_env(const struct program_builder *pb);

#endif
