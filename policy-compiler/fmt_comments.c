/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/fmt_comments.h"

#include <errno.h>
#include <stdlib.h>

#define OWNER_LAST UINT64_MAX

/* ---- places ------------------------------------------------------------------------------------------------------ */

uint32_t comments_line(const struct comments *c, uint32_t off)
{
	size_t lo = 0, hi = c->nlines;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (c->lines[mid] <= off)
			lo = mid;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

static uint32_t column(const struct comments *c, uint32_t off)
{
	return off - c->lines[comments_line(c, off)];
}

bool comments_blank_before(const struct comments *c, uint32_t line)
{
	if (!line)
		return false;
	for (uint32_t i = c->lines[line - 1]; i < c->lines[line]; i++)
		if (c->covered[i] || !strchr(" \t\r\n", c->src->bytes[i]))
			return false;
	return true;
}

bool comments_is_flow(const struct comments *c, const struct ynode *n)
{
	return n->kind != YNODE_SCALAR && n->at.off < c->src->size && strchr("[{", c->src->bytes[n->at.off]) != NULL;
}

static uint32_t node_start(const struct ynode *map_or_list, size_t i)
{
	return map_or_list->kind == YNODE_MAP ? map_or_list->keys[i]->at.off : map_or_list->items[i]->at.off;
}

/* Items of a list begin where their first key does: the lowest bit tells them apart. */
uint64_t comments_owner(const struct ynode *n, size_t i)
{
	return (uint64_t)node_start(n, i) << 1 | (n->kind == YNODE_LIST);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where the node's own text ends; of a block scalar that is before the line end. */
static uint32_t leaf_end(const struct comments *c, const struct ynode *n)
{
	uint32_t end = n->kind == YNODE_SCALAR ? n->at.off + n->at.len : n->end;

	while (end > n->at.off && is_space(c->src->bytes[end - 1]))
		end--;
	return end;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static int refuse(struct comments *c, struct diags *d, uint32_t off)
{
	diag_error(d, (struct span){ c->src, off, 1 }, "fmt cannot write this back: %s",
		   strchr("&*", c->src->bytes[off]) ? "an anchor or an alias"
		   : c->src->bytes[off] == '!'	    ? "a tag"
						    : "a directive, \"? key\" or the end of a document");
	diag_help(d, "write it in full, or leave the file as it is");
	return -EINVAL;
}

/* An anchor or tag belongs to the scalar's span, in front of its text. */
static int cover_scalar(struct comments *c, const struct ynode *n, struct diags *d)
{
	uint32_t i = n->at.off, end = n->at.off + n->at.len;
	const char *s = c->src->bytes;

	if (n->at.len && (s[i] == '&' || s[i] == '!' || s[i] == '*'))
		return refuse(c, d, i);
	if (n->text.style == TEXT_LITERAL || n->text.style == TEXT_FOLDED) {
		/* what follows the indicator on its line may be a comment */
		for (; i < end && strchr("|>+-0123456789", s[i]); i++)
			c->covered[i] = 1;
		while (i < end && s[i] != '\n')
			i++;
		/* the span goes on over blank lines below */
		while (end > i && is_space(s[end - 1]))
			end--;
	}
	if (i < end)
		memset(c->covered + i, 1, end - i);
	return 0;
}

static int cover(struct comments *c, const struct ynode *n, struct diags *d)
{
	int r = 0;

	if (n->kind == YNODE_SCALAR)
		return cover_scalar(c, n, d);
	for (size_t i = 0; i < n->n && r == 0; i++) {
		r = n->kind == YNODE_MAP ? cover_scalar(c, n->keys[i], d) : 0;
		if (r == 0)
			r = cover(c, n->items[i], d);
	}
	return r;
}

static int find_lines(struct comments *c)
{
	uint32_t *line = ARENA_PUSH(c->arena, c->lines, c->nlines);

	if (!line)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->src->size; i++) {
		if (c->src->bytes[i] != '\n')
			continue;
		line = ARENA_PUSH(c->arena, c->lines, c->nlines);
		if (!line)
			return -ENOMEM;
		*line = i + 1;
	}
	return 0;
}

static int add_comment(struct comments *c, uint32_t off, uint32_t end)
{
	struct comment *new = ARENA_PUSH(c->arena, c->v, c->n);
	uint32_t line = comments_line(c, off);

	if (!new)
		return -ENOMEM;
	*new = (struct comment){ .off = off,
				 .line = line,
				 .col = off - c->lines[line],
				 .own_line = true,
				 .blank_before = comments_blank_before(c, line) };
	for (uint32_t i = c->lines[line]; i < off; i++)
		new->own_line = new->own_line && !c->covered[i] && is_space(c->src->bytes[i]);
	while (end > off && is_space(c->src->bytes[end - 1]))
		end--;
	new->len = end - off;
	return 0;
}

static int scan(struct comments *c, struct diags *d)
{
	const char *s = c->src->bytes;
	uint32_t size = (uint32_t)c->src->size, i = 0;

	if (size >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0)
		i = 3;
	for (; i < size; i++) {
		uint32_t end = i;

		if (c->covered[i] || is_space(s[i]) || strchr("-:,[]{}", s[i]))
			continue;
		if (s[i] != '#')
			return refuse(c, d, i);
		while (end < size && s[end] != '\n')
			end++;
		if (add_comment(c, i, end) < 0)
			return -ENOMEM;
		i = end;
	}
	return 0;
}

/* ---- giving them out --------------------------------------------------------------------------------------------- */

static void give_until(struct comments *c, uint32_t off, uint64_t owner, enum comment_role role)
{
	for (; c->next < c->n && c->v[c->next].off < off; c->next++) {
		c->v[c->next].owner = owner;
		c->v[c->next].role = (uint8_t)role;
	}
}

/* The comment behind a place on its line, if any. */
static void give_rest_of_line(struct comments *c, uint32_t off, uint64_t owner, enum comment_role role)
{
	const struct comment *v = c->next < c->n ? &c->v[c->next] : NULL;

	if (v && v->off < c->limit && !v->own_line && v->line == comments_line(c, off))
		give_until(c, v->off + 1, owner, role);
}

bool comments_within(const struct comments *c, const struct ynode *n)
{
	for (uint32_t i = n->at.off; i < n->end; i++)
		if (c->src->bytes[i] == '#' && !c->covered[i] && is_space(c->src->bytes[i - 1]))
			return true;
	return false;
}

static void give_entries(struct comments *c, const struct ynode *n);

/* @key: whose value it is, or NULL for an item of a list. */
static void give_value(struct comments *c, const struct ynode *value, const struct ynode *key, uint64_t owner)
{
	bool flow = comments_is_flow(c, value);

	if (value->kind == YNODE_SCALAR || flow) {
		give_until(c, value->at.off + 1, owner, COMMENT_LEAD);
		if (flow && value->n) {
			uint32_t limit = c->limit;

			c->limit = value->end;
			give_entries(c, value);
			c->limit = limit;
			give_until(c, value->end, comments_owner(value, value->n - 1), COMMENT_TAIL);
		}
		give_until(c, leaf_end(c, value), owner, COMMENT_LEAD);
		give_rest_of_line(c, leaf_end(c, value), owner, COMMENT_END);
		return;
	}
	if (key)
		give_rest_of_line(c, key->at.off, owner, COMMENT_KEY);
	give_entries(c, value);
}

/* The comment belongs to the deepest last entry of what is above it that stands further left than it does. */
static void give_tail(struct comments *c, const struct ynode *n, size_t i)
{
	struct comment *v = &c->v[c->next++];

	while (n->items[i]->kind != YNODE_SCALAR && n->items[i]->n && !comments_is_flow(c, n->items[i]) &&
	       column(c, n->items[i]->at.off) < v->col) {
		n = n->items[i];
		i = n->n - 1;
	}
	v->owner = comments_owner(n, i);
	v->role = COMMENT_TAIL;
}

/* Comments right above the entry, with a blank line above them, are about it. The first one of them. */
static size_t leads_of_gap(const struct comments *c, uint32_t start)
{
	size_t end = c->next, first;

	while (end < c->n && c->v[end].off < start)
		end++;
	for (first = end; first > c->next && !comments_blank_before(c, comments_line(c, start));) {
		first--;
		if (c->v[first].blank_before)
			return first;
	}
	return end;
}

/* Before entry i. A comment that is deeper than the entries is about what is inside of the entry before. */
static void give_gap(struct comments *c, const struct ynode *n, size_t i, uint32_t col)
{
	uint32_t start = node_start(n, i);
	size_t leads = leads_of_gap(c, start);

	while (i && c->next < leads && c->v[c->next].own_line && c->v[c->next].col > col)
		give_tail(c, n, i - 1);
	give_until(c, start, comments_owner(n, i), COMMENT_LEAD);
}

static void give_entries(struct comments *c, const struct ynode *n)
{
	uint32_t col = comments_is_flow(c, n) ? UINT32_MAX : column(c, n->at.off);

	for (size_t i = 0; i < n->n; i++) {
		give_gap(c, n, i, col);
		give_value(c, n->items[i], n->kind == YNODE_MAP ? n->keys[i] : NULL, comments_owner(n, i));
	}
}

static int comment_cmp(const void *x, const void *y)
{
	const struct comment *a = x, *b = y;

	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	if (a->role != b->role)
		return a->role < b->role ? -1 : 1;
	return a->off < b->off ? -1 : 1;
}

int comments_find(struct arena *a, const struct source *src, const struct ynode *root, struct diags *d,
		  struct comments *ret)
{
	struct comments c = { .arena = a, .src = src, .limit = UINT32_MAX };
	int r;

	c.covered = arena_alloc(a, src->size + 1);
	if (!c.covered)
		return -ENOMEM;
	r = cover(&c, root, d);
	if (r == 0)
		r = find_lines(&c);
	if (r == 0)
		r = scan(&c, d);
	if (r < 0)
		return r;
	give_entries(&c, root);
	while (root->n && c.next < c.n && c.v[c.next].col)
		give_tail(&c, root, root->n - 1);
	give_until(&c, UINT32_MAX, OWNER_LAST, COMMENT_LAST);
	if (c.n)
		qsort(c.v, c.n, sizeof(c.v[0]), comment_cmp);
	*ret = c;
	return 0;
}

const struct comment *comments_of(const struct comments *c, uint64_t owner, enum comment_role role, size_t *ret_n)
{
	size_t lo = 0, hi = c->n, n = 0;

	if (role == COMMENT_LAST)
		owner = OWNER_LAST;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (c->v[mid].owner < owner || (c->v[mid].owner == owner && c->v[mid].role < role))
			lo = mid + 1;
		else
			hi = mid;
	}
	while (lo + n < c->n && c->v[lo + n].owner == owner && c->v[lo + n].role == role)
		n++;
	*ret_n = n;
	return n ? c->v + lo : NULL;
}
