/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/fim.h"

#include <errno.h>
#include <stdio.h>

#include "policy-compiler/lex.h"

#define FIM_PREFIX "fim.write.file."
#define FIM_EVENTS (sizeof(events) / sizeof(events[0]))

/* What an open has to have asked for, to be one that writes. */
#define OPENED_TO_WRITE ") && open.flags & (O_CREAT|O_TRUNC|O_APPEND|O_RDWR|O_WRONLY) > 0"

static const struct {
	const char *id, *event, *prefix, *before, *behind;
} events[] = {
	{ "open", "open", "open.file.", "(", OPENED_TO_WRITE },
	{ "chmod", "chmod", "chmod.file.", "", "" },
	{ "chown", "chown", "chown.file.", "", "" },
	{ "link", "link", "link.file.", "", "" },
	{ "rename", "rename", "rename.file.", "", "" },
	{ "rename_destination", "rename", "rename.file.destination.", "", "" },
	{ "unlink", "unlink", "unlink.file.", "", "" },
	{ "utimes", "utimes", "utimes.file.", "", "" },
};

bool fim_is_name(const char *s, size_t len)
{
	return len > strlen(FIM_PREFIX) && memcmp(s, FIM_PREFIX, strlen(FIM_PREFIX)) == 0;
}

/* Where the prefix stands in the text, as offsets. A text that cannot be split into tokens has none. */
static int find_names(struct arena *a, const struct text *text, uint32_t **ret, size_t *ret_n)
{
	struct diags diags = diags_new();
	struct lexer lexer = { .text = text, .diags = &diags };
	struct lex_token token;
	int r;

	*ret = NULL;
	*ret_n = 0;
	while ((r = lex_next(&lexer, &token)) == 0 && token.kind != T_END) {
		uint32_t *at;

		if ((token.kind != T_IDENT && token.kind != T_FIELDREF) || !fim_is_name(token.s, token.slen))
			continue;
		at = ARENA_PUSH(a, *ret, *ret_n);
		if (!at) {
			r = -ENOMEM;
			break;
		}
		*at = (uint32_t)(token.s - text->s);
	}
	diags_done(&diags);
	if (r == -EINVAL)
		*ret_n = 0;
	return r == -ENOMEM ? r : 0;
}

/* A text that is being written, and what each part of it was before. */
struct rewrite {
	char *s;
	uint32_t len, done; /* of the new text; of the old one */
	struct text_edit *edits;
	uint32_t nedits;
};

static void copy(struct rewrite *w, const char *s, uint32_t len)
{
	if (len)
		memcpy(w->s + w->len, s, len);
	w->len += len;
}

/* @old_len bytes of the old text become @s. */
static void replace(struct rewrite *w, const char *s, uint32_t old_len)
{
	uint32_t len = (uint32_t)strlen(s);

	w->edits[w->nedits++] = (struct text_edit){ w->len, len, w->done, old_len };
	copy(w, s, len);
	w->done += old_len;
}

static const struct text *expand_text(struct arena *a, const struct text *text, const uint32_t *at, size_t n,
				      size_t event)
{
	size_t size = text->len + n * strlen(events[event].prefix) + strlen(events[event].before) +
		      strlen(events[event].behind) + 1;
	struct rewrite w = { .s = arena_alloc(a, size), .edits = arena_array(a, n + 2, sizeof(w.edits[0])) };
	struct text *new = arena_alloc(a, sizeof(*new));

	if (!w.s || !w.edits || !new)
		return NULL;
	replace(&w, events[event].before, 0);
	for (size_t i = 0; i < n; i++) {
		copy(&w, text->s + w.done, at[i] - w.done);
		w.done = at[i];
		replace(&w, events[event].prefix, (uint32_t)strlen(FIM_PREFIX));
	}
	copy(&w, text->s + w.done, text->len - w.done);
	w.done = text->len;
	replace(&w, events[event].behind, 0);
	*new = (struct text){ .s = w.s, .len = w.len, .before = text, .edits = w.edits, .nedits = w.nedits };
	return new;
}

static const char *expand_id(struct arena *a, const char *id, const char *group, size_t event)
{
	size_t size = strlen("__fim_expanded___") + strlen(events[event].id) + strlen(group) + strlen(id) + 1;
	char *s = arena_alloc(a, size);

	if (s)
		snprintf(s, size, "__fim_expanded_%s_%s_%s", events[event].id, group, id);
	return s;
}

int fim_expand(struct arena *a, const char *id, const char *group, const struct text *text, struct fim_rule **ret,
	       size_t *ret_n)
{
	struct fim_rule *rules;
	uint32_t *at;
	size_t n;
	int r = find_names(a, text, &at, &n);

	*ret_n = 0;
	if (r < 0 || !n)
		return r;
	rules = arena_array(a, FIM_EVENTS, sizeof(rules[0]));
	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < FIM_EVENTS; i++) {
		rules[i] = (struct fim_rule){ .id = expand_id(a, id, group, i),
					      .event = events[i].event,
					      .prefix = events[i].prefix,
					      .expression = expand_text(a, text, at, n, i) };
		if (!rules[i].id || !rules[i].expression)
			return -ENOMEM;
	}
	*ret = rules;
	*ret_n = FIM_EVENTS;
	return 0;
}

/* ---- actions ------------------------------------------------------------------------------------------------------- */

static bool in_name(char c)
{
	return c == '_' || c == '.' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* The next place in the text where a name begins so, or its end. */
static uint32_t next_name(const struct text *t, uint32_t from)
{
	const uint32_t n = (uint32_t)strlen(FIM_PREFIX);

	for (uint32_t i = from; t->len >= n && i <= t->len - n; i++)
		if (memcmp(t->s + i, FIM_PREFIX, n) == 0 && (i == 0 || !in_name(t->s[i - 1])))
			return i;
	return t->len;
}

static int action_text(struct arena *a, const struct text *old, const char *prefix, struct text *ret)
{
	const uint32_t file = (uint32_t)strlen(FIM_PREFIX) - 1; /* "fim.write.file", of a hash */
	bool whole = old->len == file && memcmp(old->s, FIM_PREFIX, file) == 0;
	struct rewrite w = { .len = 0 };
	struct text *before;
	uint32_t n = 0;

	for (uint32_t at = next_name(old, 0); at < old->len; at = next_name(old, at + 1))
		n++;
	if (!n && !whole)
		return 0;
	before = arena_alloc(a, sizeof(*before));
	w.s = arena_alloc(a, old->len + (n + 1) * strlen(prefix) + 1);
	w.edits = arena_array(a, n + 1, sizeof(w.edits[0]));
	if (!before || !w.s || !w.edits)
		return -ENOMEM;
	*before = *old;
	for (uint32_t at = whole ? old->len : next_name(old, 0); at < old->len; at = next_name(old, at + 1)) {
		copy(&w, old->s + w.done, at - w.done);
		w.done = at;
		replace(&w, prefix, (uint32_t)strlen(FIM_PREFIX));
	}
	if (whole) {
		replace(&w, prefix, old->len);
		w.len--; /* without its dot */
		w.edits[0].len--;
	}
	copy(&w, old->s + w.done, old->len - w.done);
	w.s[w.len] = '\0';
	*ret = (struct text){ .s = w.s,
			      .len = w.len,
			      .style = old->style,
			      .raw = old->raw,
			      .before = before,
			      .edits = w.edits,
			      .nedits = w.nedits };
	return 1;
}

int fim_actions(struct arena *a, const struct ynode *actions, const char *prefix, const struct ynode **ret)
{
	struct ynode copied = *actions, *new;
	bool changed = false;

	*ret = actions;
	if (actions->kind == YNODE_SCALAR) {
		int r = action_text(a, &actions->text, prefix, &copied.text);

		if (r < 0)
			return r;
		changed = r;
	} else if (actions->n) {
		copied.items = arena_array(a, actions->n, sizeof(struct ynode *));
		if (!copied.items)
			return -ENOMEM;
		for (size_t i = 0; i < actions->n; i++) {
			const struct ynode *item;
			int r = fim_actions(a, actions->items[i], prefix, &item);

			if (r < 0)
				return r;
			copied.items[i] = (struct ynode *)item;
			changed |= item != actions->items[i];
		}
	}
	if (!changed)
		return 0;
	new = arena_alloc(a, sizeof(*new));
	if (!new)
		return -ENOMEM;
	*new = copied;
	*ret = new;
	return 0;
}
