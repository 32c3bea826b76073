/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_YAML_H
#define TAMIS_COMPILER_YAML_H

/*
 * A YAML file as a tree that knows where each of its nodes stands. libyaml does the parsing; this module keeps the
 * marks, bounds the work (depth, nodes, aliases that multiply) and knows nothing of policies.
 *
 * One document a file, UTF-8 only. An alias is the same node as its anchor. Keys of a mapping are scalars, each once.
 */

#include "policy-compiler/diag.h"

#define YAML_FILE_MAX	 (4u << 20) /* bytes of a file */
#define YAML_DEPTH_MAX	 64
#define YAML_NODES_MAX	 (1u << 20) /* nodes of a file, an alias counted as all that it stands for */
#define YAML_KEYS_MAX	 1024	    /* keys of one map */
#define YAML_ANCHORS_MAX 1024

enum ynode_kind { YNODE_SCALAR, YNODE_LIST, YNODE_MAP };

struct ynode {
	enum ynode_kind kind;
	struct span at;	      /* SCALAR: all of it; others: where they begin */
	struct text text;     /* SCALAR: its value */
	uint32_t end;	      /* LIST, MAP in brackets: the offset behind the closing one */
	uint32_t count;	      /* nodes of the subtree */
	size_t n;	      /* LIST: items; MAP: members */
	struct ynode **items; /* LIST: values; MAP: values */
	struct ynode **keys;  /* MAP */
};

/*
 * Reads a file into a source (bytes and path live in the arena). -EFBIG over YAML_FILE_MAX, or errno; the reason is a
 * diagnostic. "-" is standard input.
 */
int source_read(struct arena *a, const char *path, struct diags *d, const struct source **ret);
/* A source made of a text in memory; borrowed. */
const struct source *source_text(struct arena *a, const char *path, const char *bytes, size_t size);

/* The document of a source; nodes live in the arena. -EINVAL with diagnostics, -ENOMEM. An empty file is an error. */
int yaml_parse(struct arena *a, const struct source *src, struct diags *d, struct ynode **ret);

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* The value of a key, or NULL where the map has none (or it is null: "key:" with nothing behind it). */
struct ynode *ynode_get(const struct ynode *map, const char *key);
bool ynode_is(const struct ynode *scalar, const char *text);
/* A plain scalar that YAML reads as no value: empty, "~" or "null". */
bool ynode_is_null(const struct ynode *n);
/* 0, or -EINVAL where the scalar is quoted or of another form. */
int ynode_bool(const struct ynode *n, bool *ret);
int ynode_int(const struct ynode *n, int64_t *ret);
/* "a map", "a list", "text", for messages. */
const char *ynode_kind_name(const struct ynode *n);

#endif
