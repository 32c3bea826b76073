/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy compiler's front end on any bytes: YAML, keys, macros, expressions, checks and lowering. An input that
 * begins with "expr:" is one expression, which gets further into the language than YAML would let it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "policy-compiler/compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expression(struct compile *c, const char *s, size_t len)
{
	const struct source *src = source_text(&c->arena, "fuzz", s, len);
	struct text text = { .s = s, .len = (uint32_t)len, .raw = { src, 0, (uint32_t)len } };
	uint16_t event;
	uint32_t root;

	if (src)
		compile_expression(c, &text, &event, &root);
}

/* Every diagnostic has a place in its file, and the program can be written. */
static void look_at(struct compile *c, const struct diags *d)
{
	struct program p = program_view(c->builder);
	FILE *null = fopen("/dev/null", "w");
	struct buf out;

	for (size_t i = 0; i < d->n && null; i++) {
		const struct span *at = &d->v[i].at;

		if (at->src && (at->off > at->src->size || at->len > at->src->size - at->off))
			abort();
		diag_print(null, &d->v[i], false);
	}
	if (null)
		fclose(null);
	buf_init(&out, 64u << 20);
	program_save(&p, &out);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct diags d = diags_new();
	struct compile *c = NULL;
	char *text = malloc(size + 1);

	if (!text || compile_new(catalog_tamis(), &d, &c) < 0)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (size > 5 && memcmp(text, "expr:", 5) == 0)
		expression(c, text + 5, size - 5);
	else if (compile_add_text(c, "fuzz", text, size) == 0)
		compile_finish(c);
	look_at(c, &d);
	compile_free(c);
	diags_done(&d);
	free(text);
	return 0;
}
