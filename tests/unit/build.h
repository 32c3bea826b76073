/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_BUILD_H
#define TAMIS_TESTS_BUILD_H

/* Short hands for building rule programs in tests. Everything asserts; needs cmocka included before it. */

#include <stdlib.h>
#include <string.h>

#include "lib/program.h"

struct build {
	struct program_builder *pb;
};

/* For cmocka: *state is a struct build. */
static inline int build_setup(void **state)
{
	struct build *b = calloc(1, sizeof(*b));

	if (!b || program_builder_new(catalog_tamis(), &b->pb) < 0)
		return -1;
	*state = b;
	return 0;
}

static inline int build_teardown(void **state)
{
	struct build *b = *state;

	program_builder_free(b->pb);
	free(b);
	return 0;
}

static inline uint32_t build_ok(int64_t r)
{
	if (r < 0)
		fail_msg("builder: %s", strerror((int)-r));
	return (uint32_t)r;
}

static inline uint32_t build3(struct build *b, enum node_op op, uint32_t x, uint32_t y, uint32_t z)
{
	return build_ok(program_node(b->pb, op, x, y, z, 0));
}

static inline uint32_t build2(struct build *b, enum node_op op, uint32_t x, uint32_t y)
{
	return build3(b, op, x, y, 0);
}

static inline uint32_t build1(struct build *b, enum node_op op, uint32_t x)
{
	return build3(b, op, x, 0, 0);
}

static inline uint32_t build_int(struct build *b, int64_t v)
{
	return build_ok(program_node(b->pb, N_INT, 0, 0, 0, v));
}

static inline uint32_t build_bool(struct build *b, bool v)
{
	return build_ok(program_node(b->pb, N_BOOL, 0, 0, 0, v));
}

static inline uint32_t build_string(struct build *b, const char *s)
{
	return build_ok(program_str_add(b->pb, s, strlen(s)));
}

static inline uint32_t build_str(struct build *b, const char *s)
{
	return build1(b, N_STR, build_string(b, s));
}

static inline uint32_t build_field_index(const char *name)
{
	const struct cat_field *f = catalog_field(catalog_tamis(), name, strlen(name));

	if (!f)
		fail_msg("no field %s", name);
	return catalog_index(catalog_tamis(), f);
}

static inline uint32_t build_field(struct build *b, const char *name)
{
	return build1(b, N_FIELD, build_field_index(name));
}

static inline uint32_t build_path_is(struct build *b, const char *path)
{
	return build3(b, N_STREQ, build_field(b, "open.file.path"), build_str(b, path), 0);
}

/* STR node @value in a set of two strings of one kind; the second may be NULL. */
static inline uint32_t build_strin(struct build *b, uint32_t value, enum strm_kind kind, const char *x, const char *y)
{
	struct strm m[2] = { { .str = build_string(b, x), .kind = (uint8_t)kind } };

	if (y)
		m[1] = (struct strm){ .str = build_string(b, y), .kind = (uint8_t)kind };
	return build2(b, N_STRIN, value, build_ok(program_strset_add(b->pb, m, y ? 2 : 1)));
}

static inline uint32_t build_rule(struct build *b, uint16_t event, uint32_t root)
{
	struct prule rule = { .event = event, .root = root };

	return build_ok(program_rule_add(b->pb, &rule, NULL, 0));
}

#endif
