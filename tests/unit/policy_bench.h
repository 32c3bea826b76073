/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_POLICY_BENCH_H
#define TAMIS_TESTS_POLICY_BENCH_H

/* What tests of the policy compiler share: a policy as text in, diagnostics as text out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy-compiler/compile.h"

struct policy_bench {
	struct diags diags;
	struct compile *compile;
	char line[1024];
};

static inline void bench_begin(struct policy_bench *b)
{
	*b = (struct policy_bench){ .diags = diags_new() };
	assert_int_equal(compile_new(catalog_tamis(), &b->diags, &b->compile), 0);
}

static inline void bench_end(struct policy_bench *b)
{
	compile_free(b->compile);
	diags_done(&b->diags);
}

/* Diagnostic i as "12:5: error: text (help)", or "" where there are fewer. */
static inline const char *bench_diag(struct policy_bench *b, size_t i)
{
	const struct diag *d;
	uint32_t line = 0, col = 0, off, len;

	b->line[0] = '\0';
	if (i >= b->diags.n)
		return b->line;
	d = &b->diags.v[i];
	if (d->at.src)
		span_place(d->at, &line, &col, &off, &len);
	snprintf(b->line, sizeof(b->line), "%u:%u: %s: %s%s%s%s", line, col, diag_level_name(d->level), d->msg,
		 d->help ? " (" : "", d->help ? d->help : "", d->help ? ")" : "");
	return b->line;
}

static inline void bench_policy(struct policy_bench *b, const char *yaml)
{
	bench_begin(b);
	assert_int_equal(compile_add_text(b->compile, "policy.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(b->compile), 0);
}

/* An expression by itself; the result of compile_expression. */
static inline int bench_expression(struct policy_bench *b, const char *expression, uint32_t *ret_root)
{
	struct text *text;
	const struct source *src;
	uint16_t event;

	bench_begin(b);
	src = source_text(&b->compile->arena, "expression", expression, strlen(expression));
	text = arena_alloc(&b->compile->arena, sizeof(*text));
	assert_true(src && text);
	*text = (struct text){ .s = expression, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	return compile_expression(b->compile, text, &event, ret_root);
}

#define assert_starts(s, prefix)                                                                                       \
	do {                                                                                                           \
		const char *s_ = (s);                                                                                  \
		if (strncmp(s_, (prefix), strlen(prefix)) != 0)                                                        \
			fail_msg("\"%s\" does not begin with \"%s\"", s_, (prefix));                                   \
	} while (0)

#endif
