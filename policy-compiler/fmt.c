/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/fmt.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "policy-compiler/fmt_comments.h"

#define FMT_MEMORY_MAX (512u << 20)
#define SETTLE_MAX     8
/* Within brackets more than this is easier to read in quotes. */
#define FLOW_PLAIN "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-"

struct fmt {
	struct arena *arena;
	struct diags *diags;
	struct comments comments;
	struct buf *out;
	size_t written; /* comments */
	int err;	/* the first one */
};

/* ---- scalars ----------------------------------------------------------------------------------------------------- */

static uint32_t chars_of(const char *s, size_t len)
{
	uint32_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static uint32_t chars_since(const struct buf *b, size_t from)
{
	return b->len > from ? chars_of((char *)b->data + from, b->len - from) : 0;
}

/* Characters that only double quotes can hold: controls, and what YAML takes for the end of a line. */
static bool needs_escapes(const struct text *t, bool lines)
{
	for (uint32_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->s[i];
		const char *rest = t->s + i;

		if ((c < ' ' && !(lines && c == '\n')) || c == 0x7f || (c == 0xc2 && (unsigned char)rest[1] < 0xa0) ||
		    strncmp(rest, "\xe2\x80\xa8", 3) == 0 || strncmp(rest, "\xe2\x80\xa9", 3) == 0 ||
		    strncmp(rest, "\xef\xbb\xbf", 3) == 0)
			return true;
	}
	return false;
}

/* Words and beginnings that some reader of YAML takes for something else than text. */
static bool reads_as_text(const char *s)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "y", "n", "null" };

	if (!((*s | 32) >= 'a' && (*s | 32) <= 'z') && *s != '/' && *s != '_')
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcasecmp(s, words[i]) == 0)
			return false;
	return true;
}

/* Whether the text can stand without quotes, wherever it came from. @flow: within brackets. */
static bool plain_is_safe(const struct text *t, bool flow)
{
	if (!t->len || strlen(t->s) != t->len || needs_escapes(t, false) || !reads_as_text(t->s))
		return false;
	if (strchr(" :", t->s[t->len - 1]) || strstr(t->s, ": ") || strstr(t->s, " #"))
		return false;
	return !flow || strspn(t->s, FLOW_PLAIN) == t->len;
}

static void put_escaped(struct buf *out, const struct text *t)
{
	static const char from[] = "\"\\\n\t\r", to[] = "\"\\ntr";

	buf_putc(out, '"');
	for (uint32_t i = 0; i < t->len; i++) {
		unsigned char c = (unsigned char)t->s[i];
		const char *at = c ? strchr(from, c) : NULL;

		if (at)
			buf_printf(out, "\\%c", to[at - from]);
		else if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else if (c == 0xc2 && (unsigned char)t->s[i + 1] < 0xa0)
			buf_printf(out, "\\x%02x", (unsigned char)t->s[++i]);
		else if (strncmp(t->s + i, "\xe2\x80\xa8", 3) == 0 || strncmp(t->s + i, "\xe2\x80\xa9", 3) == 0)
			buf_printf(out, "\\u20%02x", (unsigned char)t->s[i += 2] - 0x80);
		else if (strncmp(t->s + i, "\xef\xbb\xbf", 3) == 0)
			buf_puts(out, ((void)(i += 2), "\\uFEFF"));
		else
			buf_putc(out, c);
	}
	buf_putc(out, '"');
}

static void put_single(struct buf *out, const char *s, size_t len)
{
	buf_putc(out, '\'');
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\'')
			buf_putc(out, '\'');
		buf_putc(out, (uint8_t)s[i]);
	}
	buf_putc(out, '\'');
}

/* On one line. What was plain stays plain: quotes would make text of a number. */
static void put_inline(struct buf *out, const struct text *t, bool flow)
{
	bool was_plain = t->style == TEXT_PLAIN && !needs_escapes(t, false);

	if (was_plain || plain_is_safe(t, flow))
		buf_put(out, t->s, t->len);
	else if (!needs_escapes(t, false) && (memchr(t->s, '"', t->len) || memchr(t->s, '\\', t->len)))
		put_single(out, t->s, t->len);
	else
		put_escaped(out, t);
}

static void put_break(struct buf *out, uint32_t indent)
{
	buf_putc(out, '\n');
	for (uint32_t i = 0; i < indent; i++)
		buf_putc(out, ' ');
}

/* Text of several lines whose line ends count; without blanks that a block would lose or be confused by. */
static bool fits_literal(const struct text *t)
{
	const char *end = t->s + t->len;

	if (t->len < 2 || needs_escapes(t, true) || strchr(" \n", t->s[0]) || end[-1] == ' ')
		return false;
	return memchr(t->s, '\n', t->len) && !(end[-1] == '\n' && strchr(" \n", end[-2]));
}

static void put_literal(struct buf *out, const struct text *t, uint32_t indent)
{
	bool ends = t->s[t->len - 1] == '\n';

	buf_puts(out, ends ? "|" : "|-");
	for (uint32_t i = 0; i < t->len - ends;) {
		const char *nl = memchr(t->s + i, '\n', t->len - i);
		uint32_t n = nl ? (uint32_t)(nl - t->s) - i : t->len - i;

		put_break(out, n ? indent : 0);
		buf_put(out, t->s + i, n);
		i += n + 1;
	}
}

/* Long text without line ends, to be folded at its blanks. */
static bool fits_folded(const struct text *t)
{
	return t->len && memchr(t->s, ' ', t->len) && !needs_escapes(t, false) && t->s[0] != ' ' &&
	       t->s[t->len - 1] != ' ';
}

static void put_folded(struct buf *out, const struct text *t, uint32_t indent)
{
	uint32_t col = 0;

	buf_puts(out, ">-");
	for (uint32_t i = 0; i < t->len;) {
		uint32_t end = i, w;

		/* a word takes further blanks with it: only single ones can become line ends */
		while (end < t->len && (t->s[end] != ' ' || t->s[end + 1] == ' ' || (end && t->s[end - 1] == ' ')))
			end++;
		w = chars_of(t->s + i, end - i);
		if (!i || col + 1 + w > FMT_WIDTH) {
			put_break(out, indent);
			col = indent;
		} else {
			buf_putc(out, ' ');
			col++;
		}
		buf_put(out, t->s + i, end - i);
		col += w;
		i = end + 1;
	}
}

/* @col: where the value begins. Into @out; true where it takes several lines. */
static bool put_text(struct buf *out, const struct text *t, uint32_t col, uint32_t indent, bool flow)
{
	size_t before = out->len;

	if (!flow && fits_literal(t)) {
		put_literal(out, t, indent);
		return true;
	}
	put_inline(out, t, flow);
	if (flow || buf_error(out) || col + chars_since(out, before) <= FMT_WIDTH || !fits_folded(t))
		return false;
	buf_truncate(out, before);
	put_folded(out, t, indent);
	return true;
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */

static struct fmt_expr *read_expr(struct fmt *f, const struct key *k, const struct ynode *v)
{
	struct diags mine = diags_new();
	struct fmt_expr *e = NULL;
	int r = fmt_expr_read(f->arena, &v->text, !k || k->list, &mine, &e);

	/* warnings are the business of `tamisc check` */
	for (size_t i = 0; r < 0 && i < mine.n; i++)
		if (mine.v[i].level == DIAG_ERROR) {
			diag_error(f->diags, mine.v[i].at, "%s", mine.v[i].msg);
			if (mine.v[i].help)
				diag_help(f->diags, "%s", mine.v[i].help);
		}
	if (r < 0 && !f->err)
		f->err = r;
	diags_done(&mine);
	return r < 0 ? NULL : e;
}

/* On one line: plain, or in quotes where YAML would read it as something else. True where it has to be one line. */
static bool put_expr_inline(const struct fmt_expr *e, struct buf *out, bool flow)
{
	struct buf line;
	struct text t = { 0 };
	bool escapes = true;

	buf_init(&line, YAML_FILE_MAX);
	fmt_expr_put_line(e, &line);
	t.s = buf_cstr(&line);
	t.len = (uint32_t)line.len;
	if (t.s)
		escapes = needs_escapes(&t, false);
	if (!t.s)
		out->error = buf_error(&line);
	else if (plain_is_safe(&t, flow) || strspn(t.s, "0123456789") == t.len)
		buf_put(out, t.s, t.len);
	else if (escapes)
		put_escaped(out, &t);
	else
		put_single(out, t.s, t.len);
	buf_done(&line);
	return escapes;
}

/* Whether the text has more than one line in its file. */
static bool spans_lines(const struct text *t)
{
	const char *s = t->raw.src->bytes + t->raw.off, *end = s + t->raw.len, *nl;

	while (end > s && strchr(" \t\r\n", end[-1]))
		end--;
	nl = memchr(s, '\n', (size_t)(end - s));
	if (nl && (t->style == TEXT_LITERAL || t->style == TEXT_FOLDED))
		nl = memchr(nl + 1, '\n', (size_t)(end - nl - 1));
	return nl != NULL;
}

static bool put_expr(struct fmt *f, const struct key *k, const struct ynode *v, struct buf *out, uint32_t col,
		     uint32_t indent, bool flow)
{
	struct fmt_expr *e = read_expr(f, k, v);
	size_t before = out->len;

	if (!e)
		return false;
	if (!fmt_expr_has_comments(e)) {
		bool one_line = put_expr_inline(e, out, flow) || flow || buf_error(out);

		/* conditions that somebody wrote one below the other stay so */
		if (one_line ||
		    (col + chars_since(out, before) <= FMT_WIDTH && !(spans_lines(&v->text) && fmt_expr_has_logic(e))))
			return false;
		buf_truncate(out, before);
	}
	/* a comment ends with its line, so lines have to stay lines */
	buf_puts(out, fmt_expr_has_comments(e) ? "|-" : ">-");
	put_break(out, indent);
	fmt_expr_put_lines(e, indent, FMT_WIDTH, out);
	return true;
}

/* ---- lists and maps on one line ---------------------------------------------------------------------------------- */

static bool is_expr(const struct key *k, const struct ynode *v)
{
	return k && k->shape == KEY_SECL && v->kind == YNODE_SCALAR && !ynode_is_null(v);
}

static const struct key *find_key(const struct key *keys, const struct ynode *name)
{
	for (; keys && keys->name; keys++)
		if (ynode_is(name, keys->name))
			return keys;
	return NULL;
}

static const struct key *inner_keys(const struct key *k)
{
	return !k ? NULL : k->items ? k->items : k->keys;
}

/* The members of a map in the order of their table, then the others as they were. Of a list: as they were. */
static size_t *entry_order(struct fmt *f, const struct ynode *n, const struct key *keys)
{
	size_t *order = arena_array(f->arena, n->n + 1, sizeof(*order)), at = 0;

	if (!order) {
		f->err = -ENOMEM;
		return NULL;
	}
	for (const struct key *k = keys; n->kind == YNODE_MAP && k && k->name; k++)
		for (size_t i = 0; i < n->n; i++)
			if (ynode_is(n->keys[i], k->name))
				order[at++] = i;
	for (size_t i = 0; i < n->n; i++)
		if (n->kind == YNODE_LIST || !find_key(keys, n->keys[i]))
			order[at++] = i;
	return order;
}

static void put_flow(struct fmt *f, const struct ynode *n, const struct key *k, const struct key *keys, struct buf *out)
{
	size_t *order;

	if (n->kind == YNODE_SCALAR) {
		if (is_expr(k, n))
			put_expr(f, k, n, out, 0, 0, true);
		else
			put_text(out, &n->text, 0, 0, true);
		return;
	}
	order = entry_order(f, n, keys);
	buf_putc(out, n->kind == YNODE_MAP ? '{' : '[');
	for (size_t i = 0; order && i < n->n; i++) {
		size_t at = order[i];
		const struct key *inner = n->kind == YNODE_MAP ? find_key(keys, n->keys[at]) : NULL;

		buf_puts(out, i ? ", " : "");
		if (n->kind == YNODE_MAP) {
			put_inline(out, &n->keys[at]->text, true);
			buf_puts(out, ": ");
		}
		put_flow(f, n->items[at], inner, inner ? inner_keys(inner) : n->kind == YNODE_LIST ? keys : NULL, out);
	}
	buf_putc(out, n->kind == YNODE_MAP ? '}' : ']');
}

static bool has_expr_comments(struct fmt *f, const struct ynode *n, const struct key *keys)
{
	for (size_t i = 0; i < n->n; i++) {
		const struct key *k = n->kind == YNODE_MAP ? find_key(keys, n->keys[i]) : NULL;

		if (n->items[i]->kind != YNODE_SCALAR) {
			if (has_expr_comments(f, n->items[i], k ? inner_keys(k) : n->kind == YNODE_LIST ? keys : NULL))
				return true;
		} else if (is_expr(k, n->items[i])) {
			struct fmt_expr *e = read_expr(f, k, n->items[i]);

			if (e && fmt_expr_has_comments(e))
				return true;
		}
	}
	return false;
}

static bool all_scalars(const struct ynode *n)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->items[i]->kind != YNODE_SCALAR)
			return false;
	return n->kind == YNODE_LIST;
}

/* A list in brackets over several lines, as many items on each as it has room for. */
static void put_filled(const struct ynode *n, uint32_t col, struct buf *out)
{
	uint32_t at = col + 1;

	buf_putc(out, '[');
	for (size_t i = 0; i < n->n; i++) {
		struct buf item;
		uint32_t w;

		buf_init(&item, YAML_FILE_MAX);
		put_text(&item, &n->items[i]->text, 0, 0, true);
		w = chars_since(&item, 0) + 1;
		if (i && at + 1 + w > FMT_WIDTH) {
			put_break(out, col + 1);
			at = col + 1;
		} else if (i) {
			buf_putc(out, ' ');
			at++;
		}
		buf_put(out, item.data, item.len);
		buf_putc(out, i + 1 < n->n ? ',' : ']');
		at += w;
		if (buf_error(&item))
			out->error = buf_error(&item);
		buf_done(&item);
	}
}

/* In brackets if it was, has no comments and fits; lists of texts also on several lines. Puts nothing otherwise. */
static bool try_flow(struct fmt *f, const struct ynode *n, const struct key *k, const struct key *keys, uint32_t col,
		     struct buf *out)
{
	size_t before = out->len;

	if (n->n && (!comments_is_flow(&f->comments, n) || comments_within(&f->comments, n)))
		return false;
	if (has_expr_comments(f, n, keys))
		return false;
	put_flow(f, n, k, keys, out);
	if (buf_error(out) || !n->n || col + chars_since(out, before) <= FMT_WIDTH)
		return true;
	buf_truncate(out, before);
	if (!all_scalars(n) || col > FMT_WIDTH / 2)
		return false;
	put_filled(n, col, out);
	return true;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

static void put_indent(struct fmt *f, uint32_t indent)
{
	for (uint32_t i = 0; i < indent; i++)
		buf_putc(f->out, ' ');
}

/* One at most. */
static void put_blank_line(struct fmt *f)
{
	const struct buf *b = f->out;

	if (b->len > 1 && !(b->data[b->len - 1] == '\n' && b->data[b->len - 2] == '\n'))
		buf_putc(f->out, '\n');
}

/* Comments of one role on lines of their own. @first: nothing is above them that a blank line could part them from. */
static size_t put_comments(struct fmt *f, uint64_t owner, enum comment_role role, uint32_t indent, bool first)
{
	size_t n;
	const struct comment *v = comments_of(&f->comments, owner, role, &n);

	for (size_t i = 0; i < n; i++) {
		if (v[i].own_line && v[i].blank_before && !(first && i == 0))
			put_blank_line(f);
		put_indent(f, indent);
		buf_put(f->out, f->comments.src->bytes + v[i].off, v[i].len);
		buf_putc(f->out, '\n');
	}
	f->written += n;
	return n;
}

/* The comment behind an entry, and the end of its line. */
static void put_end(struct fmt *f, uint64_t owner, enum comment_role role)
{
	size_t n;
	const struct comment *v = comments_of(&f->comments, owner, role, &n);

	if (n) {
		buf_puts(f->out, "  ");
		buf_put(f->out, f->comments.src->bytes + v->off, v->len);
		f->written++;
	}
	buf_putc(f->out, '\n');
}

/* One entry on its way out. */
struct entry {
	uint64_t owner;
	const struct ynode *key, *value;
	const struct key *k;	/* of a member of a map, or NULL */
	const struct key *keys; /* of what is below */
	uint32_t indent;
	bool first;	/* of its list or map */
	bool was_first; /* in the file: what is above it is above its list or map */
	bool inlined;	/* the first member of a map that is an item: "- " is there already */
};

static void put_entries(struct fmt *f, const struct ynode *n, const struct key *keys, uint32_t indent, bool inlined);

/* What is above the entry: comments, and a blank line where one was. Those of an item stand above its "- ". */
static void put_above(struct fmt *f, const struct entry *e, bool end_too)
{
	uint32_t line = comments_line(&f->comments, (uint32_t)(e->owner >> 1));
	bool first = e->first || !f->out->len;
	size_t n;

	if (e->inlined)
		return;
	n = put_comments(f, e->owner, COMMENT_LEAD, e->indent, first);
	if (end_too)
		n += put_comments(f, e->owner, COMMENT_END, e->indent, first);
	if (comments_blank_before(&f->comments, line) && (n || (!first && !e->was_first)))
		put_blank_line(f);
}

static void put_block(struct fmt *f, const struct entry *e)
{
	if (e->key) {
		put_end(f, e->owner, COMMENT_KEY);
		put_entries(f, e->value, e->keys, e->indent + FMT_INDENT, false);
	} else if (e->value->kind == YNODE_MAP) {
		put_entries(f, e->value, e->keys, e->indent + FMT_INDENT, true);
	} else {
		buf_putc(f->out, '\n');
		put_entries(f, e->value, e->keys, e->indent + FMT_INDENT, false);
	}
}

/* The value as text, in @value. False where it is a list or map that takes lines of its own. */
static bool put_value(struct fmt *f, const struct entry *e, uint32_t col, struct buf *value, bool *ret_lines)
{
	uint32_t indent = e->indent + FMT_INDENT;

	*ret_lines = false;
	if (e->value->kind != YNODE_SCALAR)
		return try_flow(f, e->value, e->k, e->keys, col, value);
	*ret_lines = is_expr(e->k, e->value) ? put_expr(f, e->k, e->value, value, col, indent, false)
					     : put_text(value, &e->value->text, col, indent, false);
	return true;
}

static struct entry entry_of(const struct ynode *n, size_t i, const struct key *keys, uint32_t indent)
{
	const struct key *k = n->kind == YNODE_MAP ? find_key(keys, n->keys[i]) : NULL;

	return (struct entry){ .owner = comments_owner(n, i),
			       .key = n->kind == YNODE_MAP ? n->keys[i] : NULL,
			       .value = n->items[i],
			       .k = k,
			       .keys = n->kind == YNODE_LIST ? keys : inner_keys(k),
			       .indent = indent,
			       .was_first = i == 0 };
}

static uint32_t put_name(const struct entry *e, struct buf *out)
{
	if (e->key)
		put_inline(out, &e->key->text, false);
	buf_puts(out, e->key ? ":" : "-");
	return e->indent + chars_since(out, 0) + 1;
}

/* The comments above the first member of an item's map go above the item. */
static void put_item_above(struct fmt *f, const struct entry *e)
{
	size_t *order = !e->key && e->value->kind == YNODE_MAP ? entry_order(f, e->value, e->keys) : NULL;
	struct buf name, value;
	struct entry first;
	bool lines;

	if (!order)
		return;
	first = entry_of(e->value, order[0], e->keys, e->indent + FMT_INDENT);
	put_comments(f, first.owner, COMMENT_LEAD, e->indent, e->first);
	buf_init(&name, YAML_FILE_MAX);
	buf_init(&value, YAML_FILE_MAX);
	if (!put_value(f, &first, put_name(&first, &name), &value, &lines) || lines)
		put_comments(f, first.owner, COMMENT_END, e->indent, false);
	buf_done(&name);
	buf_done(&value);
}

static void put_entry(struct fmt *f, const struct entry *e)
{
	struct buf name, value;
	uint32_t col;
	bool is_inline, lines;

	buf_init(&name, YAML_FILE_MAX);
	buf_init(&value, YAML_FILE_MAX);
	col = put_name(e, &name);
	is_inline = put_value(f, e, col, &value, &lines);
	put_above(f, e, lines || !is_inline);
	if (!is_inline)
		put_item_above(f, e);
	if (!e->inlined)
		put_indent(f, e->indent);
	buf_put(f->out, name.data, name.len);
	if (is_inline && value.len)
		buf_putc(f->out, ' ');
	if (is_inline && value.len)
		buf_put(f->out, value.data, value.len);
	if (!is_inline && !e->key && e->value->kind == YNODE_MAP)
		buf_putc(f->out, ' ');
	if (buf_error(&name) || buf_error(&value))
		f->err = f->err ? f->err : buf_error(&name) ? buf_error(&name) : buf_error(&value);
	if (!is_inline)
		put_block(f, e);
	else if (lines)
		buf_putc(f->out, '\n');
	else
		put_end(f, e->owner, COMMENT_END);
	put_comments(f, e->owner, COMMENT_TAIL, e->indent + FMT_INDENT, false);
	buf_done(&name);
	buf_done(&value);
}

static void put_entries(struct fmt *f, const struct ynode *n, const struct key *keys, uint32_t indent, bool inlined)
{
	size_t *order = entry_order(f, n, keys);

	for (size_t i = 0; order && i < n->n && f->err != -ENOMEM; i++) {
		struct entry e = entry_of(n, order[i], keys, indent);

		e.first = i == 0;
		e.inlined = inlined && i == 0;
		put_entry(f, &e);
	}
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

static bool same(struct fmt *f, const struct ynode *a, const struct ynode *b, const struct key *k,
		 const struct key *keys);

static bool same_scalar(struct fmt *f, const struct ynode *a, const struct ynode *b, const struct key *k)
{
	bool plain_a = a->text.style == TEXT_PLAIN, plain_b = b->text.style == TEXT_PLAIN;

	if (is_expr(k, a)) {
		struct fmt_expr *x = read_expr(f, k, a), *y = read_expr(f, k, b);

		return x && y && fmt_expr_same(x, y);
	}
	if (a->text.len != b->text.len || memcmp(a->text.s, b->text.s, a->text.len) != 0)
		return false;
	return plain_a == plain_b || reads_as_text(a->text.s) || memchr(a->text.s, '\n', a->text.len) ||
	       (plain_a && memchr(a->text.s, ' ', a->text.len));
}

static bool same_member(struct fmt *f, const struct ynode *map, size_t i, const struct ynode *other,
			const struct key *keys)
{
	const struct key *k = find_key(keys, map->keys[i]);

	for (size_t j = 0; j < other->n; j++)
		if (other->keys[j]->text.len == map->keys[i]->text.len &&
		    memcmp(other->keys[j]->text.s, map->keys[i]->text.s, map->keys[i]->text.len) == 0)
			return (keys || i == j) && same(f, map->items[i], other->items[j], k, inner_keys(k));
	return false;
}

/* Whether two trees say the same. */
static bool same(struct fmt *f, const struct ynode *a, const struct ynode *b, const struct key *k,
		 const struct key *keys)
{
	if (a->kind != b->kind || a->n != b->n)
		return false;
	if (a->kind == YNODE_SCALAR)
		return same_scalar(f, a, b, k);
	for (size_t i = 0; i < a->n; i++)
		if (a->kind == YNODE_MAP ? !same_member(f, a, i, b, keys)
					 : !same(f, a->items[i], b->items[i], NULL, keys))
			return false;
	return true;
}

static int by_text(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static const char **comment_texts(struct arena *a, const struct comments *c)
{
	const char **v = arena_array(a, c->n + 1, sizeof(*v));

	for (size_t i = 0; v && i < c->n; i++) {
		v[i] = arena_strdup(a, c->src->bytes + c->v[i].off, c->v[i].len);
		if (!v[i])
			return NULL;
	}
	if (v && c->n)
		qsort(v, c->n, sizeof(*v), by_text);
	return v;
}

static bool same_comments(struct fmt *f, const struct comments *a, const struct comments *b)
{
	const char **x = comment_texts(f->arena, a), **y = comment_texts(f->arena, b);

	if (!x || !y || a->n != b->n || f->written != a->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(x[i], y[i]) != 0)
			return false;
	return true;
}

/* What was written is read again: nothing leaves fmt that says something else than what came in. */
static int check_output(struct fmt *f, const struct ynode *root, const struct key *keys, size_t from)
{
	const char *bytes = (const char *)f->out->data + from;
	const struct source *src = source_text(f->arena, f->comments.src->path, bytes, f->out->len - from);
	struct diags mine = diags_new();
	struct comments comments;
	struct ynode *again;
	int r = src ? yaml_parse(f->arena, src, &mine, &again) : -ENOMEM;

	if (r == 0)
		r = comments_find(f->arena, src, again, &mine, &comments);
	if (r == 0 && (!same(f, root, again, NULL, keys) || !same_comments(f, &f->comments, &comments)))
		r = -EINVAL;
	diags_done(&mine);
	if (r == -EINVAL) {
		diag_error(f->diags, (struct span){ f->comments.src, 0, 0 },
			   "fmt would change what this file says, and leaves it as it is");
		diag_help(f->diags, "a fault of tamisc: please report it with the file");
	}
	return r;
}

static int format_once(const struct source *src, const struct key *keys, struct diags *d, struct buf *out)
{
	struct arena arena = arena_of(FMT_MEMORY_MAX);
	struct fmt f = { .arena = &arena, .diags = d, .out = out };
	struct ynode *root;
	int r = yaml_parse(&arena, src, d, &root);

	if (r == 0 && root->kind != YNODE_MAP)
		r = diag_error(d, root->at, "a policy is a map, not %s", ynode_kind_name(root));
	if (r == 0)
		r = comments_find(&arena, src, root, d, &f.comments);
	if (r == 0) {
		if (f.comments.n || !try_flow(&f, root, NULL, keys, 0, out))
			put_entries(&f, root, keys, 0, false);
		else
			buf_putc(out, '\n');
		put_comments(&f, 0, COMMENT_LAST, 0, false);
		r = f.err ? f.err : buf_error(out);
	}
	if (r == 0)
		r = check_output(&f, root, keys, 0);
	arena_done(&arena);
	return r;
}

/* Where comments moved, other lines may fit than before: until nothing moves any more. */
int fmt_source(const struct source *src, const struct key *keys, struct diags *d, struct buf *out)
{
	struct buf now, next;
	int r;

	buf_init(&now, YAML_FILE_MAX);
	r = format_once(src, keys, d, &now);
	for (int i = 0; r == 0; i++) {
		const struct source again = { .path = src->path, .bytes = buf_cstr(&now), .size = now.len };
		struct diags mine = diags_new(); /* places in what is not the person's file */
		bool same;

		buf_init(&next, YAML_FILE_MAX);
		r = format_once(&again, keys, &mine, &next);
		diags_done(&mine);
		same = r == 0 && next.len == now.len && memcmp(next.data, now.data, now.len) == 0;
		buf_done(&now);
		now = next;
		if (same)
			break;
		if (r == -EINVAL || (r == 0 && i == SETTLE_MAX)) {
			diag_error(d, (struct span){ src, 0, 0 }, "fmt finds no form for this file that stays");
			diag_help(d, "a fault of tamisc: please report it with the file");
			r = -EINVAL;
		}
	}
	if (r == 0)
		r = buf_put(out, now.data, now.len);
	buf_done(&now);
	return r;
}
