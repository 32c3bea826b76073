/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <yaml.h>

#include "lib/buf.h"
#include "lib/cleanup.h"

/* An anchor and the node that it names. */
struct anchor {
	const char *name;
	struct ynode *node;
};

struct loader {
	struct arena *arena;
	struct diags *diags;
	const struct source *src;
	const char *bytes; /* of the source, behind a byte order mark */
	size_t size;
	uint32_t *lines; /* offset of each line */
	size_t nlines;
	size_t cur_line, cur_col, cur_off; /* the place last looked up: the next one is near */
	struct anchor *anchors;
	size_t nanchors;
	uint32_t count; /* nodes so far */
	uint32_t end;	/* where the collection ended that ended last */
	yaml_parser_t parser;
};

/* ---- sources ----------------------------------------------------------------------------------------------------- */

const struct source *source_text(struct arena *a, const char *path, const char *bytes, size_t size)
{
	struct source *src = arena_alloc(a, sizeof(*src));

	if (src)
		*src = (struct source){ .path = path, .bytes = bytes, .size = size };
	return src;
}

static int read_all(int fd, struct buf *b)
{
	for (;;) {
		ssize_t n;
		int r = buf_grow(b, 64 << 10);

		/* the last read of a file that just fits finds no room for a whole piece: go byte by byte to the maximum */
		if (r == -EFBIG && b->max - b->len > 0) {
			b->error = 0;
			r = buf_grow(b, b->max - b->len);
		}
		if (r < 0)
			return r;
		n = read(fd, b->data + b->len, b->cap - b->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		b->len += (size_t)n;
	}
}

DEFINE_CLEANUP(struct buf *, buf_done);

int source_read(struct arena *a, const char *path, struct diags *d, const struct source **ret)
{
	struct buf b;
	_cleanup_(buf_done) struct buf *owned = &b;
	_cleanup_close_ int fd = -1;
	const struct source *src;
	int r;

	buf_init(&b, YAML_FILE_MAX + 1);
	fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : read_all(fd, owned);
	if (r == -EFBIG || b.len > YAML_FILE_MAX) {
		diag_error(d, (struct span){ 0 }, "%s is larger than %u MiB", path, YAML_FILE_MAX >> 20);
		diag_help(d, "split it into several files");
		return -EFBIG;
	}
	if (r < 0) {
		diag_error(d, (struct span){ 0 }, "cannot read %s: %s", path, strerror(-r));
		diag_help(d, r == -EISDIR ? "name the policy files in it"
					  : "check the name and the permissions of the file");
		return r;
	}
	src = source_text(a, arena_strdup(a, path, strlen(path)), arena_strdup(a, (char *)b.data, b.len), b.len);
	if (a->failed)
		return -ENOMEM;
	*ret = src;
	return 0;
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* Bytes of a line end as libyaml counts them (beside the two of "\r\n" also NEL, LS and PS of Unicode), or 0. */
static size_t break_len(const char *s, size_t left)
{
	const unsigned char *p = (const unsigned char *)s;

	if (p[0] == '\r' && left > 1 && p[1] == '\n')
		return 2;
	if (p[0] == '\r' || p[0] == '\n')
		return 1;
	if (left > 1 && p[0] == 0xc2 && p[1] == 0x85)
		return 2;
	if (left > 2 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9))
		return 3;
	return 0;
}

static int find_lines(struct loader *l)
{
	uint32_t *line = ARENA_PUSH(l->arena, l->lines, l->nlines);

	if (!line)
		return -ENOMEM;
	*line = 0;
	for (size_t i = 0; i < l->size;) {
		size_t n = break_len(l->bytes + i, l->size - i);

		i += n ? n : 1;
		if (!n)
			continue;
		line = ARENA_PUSH(l->arena, l->lines, l->nlines);
		if (!line)
			return -ENOMEM;
		*line = (uint32_t)i;
	}
	return 0;
}

static bool begins_char(const struct loader *l, size_t i)
{
	return ((unsigned char)l->bytes[i] & 0xc0) != 0x80;
}

/*
 * libyaml counts characters; a source is bytes. The way is walked from the place that was asked for last, so that a
 * file of one endless line costs no more than others.
 */
static uint32_t mark_offset(struct loader *l, const yaml_mark_t *m)
{
	size_t i = l->cur_off, col = l->cur_col;

	if (m->line != l->cur_line) {
		i = m->line < l->nlines ? l->lines[m->line] : l->size;
		col = 0;
	}
	for (; col < m->column && i < l->size; col++)
		for (i++; i < l->size && !begins_char(l, i); i++)
			;
	for (; col > m->column && i > 0; col--)
		for (i--; i > 0 && !begins_char(l, i); i--)
			;
	l->cur_line = m->line;
	l->cur_col = col;
	l->cur_off = i;
	return (uint32_t)(i + (size_t)(l->bytes - l->src->bytes));
}

static struct span mark_span(struct loader *l, const yaml_mark_t *from, const yaml_mark_t *to)
{
	uint32_t off = mark_offset(l, from), end = mark_offset(l, to);

	return (struct span){ l->src, off, end > off ? end - off : 0 };
}

static struct span mark_point(struct loader *l, const yaml_mark_t *m)
{
	uint32_t off = mark_offset(l, m);

	return (struct span){ l->src, off, off < l->src->size };
}

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

static int yaml_failed(struct loader *l)
{
	const yaml_parser_t *p = &l->parser;
	struct span at = { l->src, 0, 0 };

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		at.off = (uint32_t)(p->problem_offset < l->size ? p->problem_offset : l->size);
	else
		at = mark_point(l, &p->problem_mark);
	/* what is open at the end of the file is better shown where it began */
	if (p->error != YAML_READER_ERROR && p->context && !at.len)
		at = mark_point(l, &p->context_mark);
	diag_error(l->diags, at, "not YAML: %s%s%s", p->context ? p->context : "", p->context ? ", " : "",
		   p->problem ? p->problem : "unreadable");
	if (p->error == YAML_READER_ERROR)
		diag_help(l->diags, "write the file as UTF-8");
	else
		diag_help(
			l->diags,
			"check the indentation, and quote text that holds ': ', ' #' or begins with one of [{&*!|>%%@`");
	return -EINVAL;
}

static int next_event(struct loader *l, yaml_event_t *ret)
{
	return yaml_parser_parse(&l->parser, ret) ? 0 : yaml_failed(l);
}

static enum text_style scalar_style(yaml_scalar_style_t s)
{
	switch (s) {
	case YAML_SINGLE_QUOTED_SCALAR_STYLE:
		return TEXT_SINGLE;
	case YAML_DOUBLE_QUOTED_SCALAR_STYLE:
		return TEXT_DOUBLE;
	case YAML_LITERAL_SCALAR_STYLE:
		return TEXT_LITERAL;
	case YAML_FOLDED_SCALAR_STYLE:
		return TEXT_FOLDED;
	default:
		return TEXT_PLAIN;
	}
}

static int count_nodes(struct loader *l, uint32_t n, struct span at)
{
	if (n > YAML_NODES_MAX - l->count) {
		diag_error(l->diags, at, "the file has more than %u parts, those that aliases repeat counted each time",
			   YAML_NODES_MAX);
		diag_help(l->diags, "split it into several files");
		return -EINVAL;
	}
	l->count += n;
	return 0;
}

static struct ynode *new_node(struct loader *l, enum ynode_kind kind, const yaml_event_t *e)
{
	struct ynode *n = arena_alloc(l->arena, sizeof(*n));

	if (!n)
		return NULL;
	n->kind = kind;
	n->count = 1;
	n->at = mark_point(l, &e->start_mark);
	return n;
}

static int add_anchor(struct loader *l, const yaml_char_t *name, struct ynode *node)
{
	struct anchor *a;

	if (!name)
		return 0;
	if (l->nanchors >= YAML_ANCHORS_MAX)
		return diag_error(l->diags, node->at, "more than %d anchors in one file", YAML_ANCHORS_MAX);
	a = ARENA_PUSH(l->arena, l->anchors, l->nanchors);
	if (!a)
		return -ENOMEM;
	a->name = arena_strdup(l->arena, (const char *)name, strlen((const char *)name));
	a->node = node;
	return a->name ? 0 : -ENOMEM;
}

static int load_alias(struct loader *l, const yaml_event_t *e, struct ynode **ret)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct span at = mark_span(l, &e->start_mark, &e->end_mark);

	/* the newest of that name; a collection gets its anchor when it is complete, so there are no cycles */
	for (size_t i = l->nanchors; i-- > 0;) {
		if (strcmp(l->anchors[i].name, name) != 0)
			continue;
		*ret = l->anchors[i].node;
		return count_nodes(l, (*ret)->count, at);
	}
	diag_error(l->diags, at, "no anchor &%s before this alias", name);
	diag_help(l->diags, "put &%s in front of the part that is meant, or quote the text if no alias is meant", name);
	return -EINVAL;
}

static int load_scalar(struct loader *l, const yaml_event_t *e, struct ynode **ret)
{
	struct ynode *n = new_node(l, YNODE_SCALAR, e);

	if (!n)
		return -ENOMEM;
	n->at = mark_span(l, &e->start_mark, &e->end_mark);
	n->text.s = arena_strdup(l->arena, (const char *)e->data.scalar.value, e->data.scalar.length);
	n->text.len = (uint32_t)e->data.scalar.length;
	n->text.style = scalar_style(e->data.scalar.style);
	n->text.raw = n->at;
	if (!n->text.s)
		return -ENOMEM;
	*ret = n;
	return count_nodes(l, 1, n->at);
}

static int load_node(struct loader *l, const yaml_event_t *e, unsigned int depth, struct ynode **ret);

/* The next node, or *ret NULL at the end of the collection around it. */
static int load_next(struct loader *l, unsigned int depth, struct ynode **ret)
{
	yaml_event_t e;
	int r = next_event(l, &e);

	if (r < 0)
		return r;
	if (e.type == YAML_SEQUENCE_END_EVENT || e.type == YAML_MAPPING_END_EVENT)
		*ret = NULL;
	else
		r = load_node(l, &e, depth, ret);
	if (r == 0 && !*ret)
		l->end = mark_offset(l, &e.end_mark);
	yaml_event_delete(&e);
	return r;
}

static int push_node(struct loader *l, struct ynode ***items, size_t *n, struct ynode *node)
{
	struct ynode **slot = ARENA_PUSH(l->arena, *items, *n);

	if (!slot)
		return -ENOMEM;
	*slot = node;
	return 0;
}

static int load_list(struct loader *l, struct ynode *list, unsigned int depth)
{
	for (;;) {
		struct ynode *item;
		int r = load_next(l, depth + 1, &item);

		if (r < 0 || !item)
			return r;
		list->count += item->count;
		r = push_node(l, &list->items, &list->n, item);
		if (r < 0)
			return r;
	}
}

static int check_key(struct loader *l, const struct ynode *map, const struct ynode *key)
{
	if (key->kind != YNODE_SCALAR) {
		diag_error(l->diags, key->at, "a key is %s here", ynode_kind_name(key));
		diag_help(l->diags, "keys are plain words; quote text that begins with [ or {");
		return -EINVAL;
	}
	if (map->n >= YAML_KEYS_MAX)
		return diag_error(l->diags, key->at, "more than %d keys in one map", YAML_KEYS_MAX);
	for (size_t i = 0; i < map->n; i++) {
		if (map->keys[i]->text.len != key->text.len ||
		    memcmp(map->keys[i]->text.s, key->text.s, key->text.len) != 0)
			continue;
		diag_error(l->diags, key->at, "the key \"%s\" is here twice", key->text.s);
		diag_help(l->diags, "remove one of them");
		return -EINVAL;
	}
	return 0;
}

static int load_map(struct loader *l, struct ynode *map, unsigned int depth)
{
	for (;;) {
		struct ynode *key, *value;
		size_t nkeys = map->n;
		int r = load_next(l, depth + 1, &key);

		if (r < 0 || !key)
			return r;
		r = check_key(l, map, key);
		if (r < 0)
			return r;
		r = load_next(l, depth + 1, &value);
		if (r < 0)
			return r;
		map->count += key->count + value->count;
		r = push_node(l, &map->keys, &nkeys, key);
		if (r == 0)
			r = push_node(l, &map->items, &map->n, value);
		if (r < 0)
			return r;
	}
}

static int load_collection(struct loader *l, const yaml_event_t *e, unsigned int depth, struct ynode **ret)
{
	bool is_list = e->type == YAML_SEQUENCE_START_EVENT;
	struct ynode *n = new_node(l, is_list ? YNODE_LIST : YNODE_MAP, e);
	int r;

	if (!n)
		return -ENOMEM;
	if (depth >= YAML_DEPTH_MAX) {
		diag_error(l->diags, n->at, "lists and maps are nested deeper than %d levels", YAML_DEPTH_MAX);
		diag_help(l->diags, "a policy needs about six");
		return -EINVAL;
	}
	r = count_nodes(l, 1, n->at);
	if (r == 0)
		r = is_list ? load_list(l, n, depth) : load_map(l, n, depth);
	n->end = l->end;
	if (r == 0)
		*ret = n;
	return r;
}

static int load_node(struct loader *l, const yaml_event_t *e, unsigned int depth, struct ynode **ret)
{
	const yaml_char_t *anchor = NULL;
	struct ynode *n;
	int r;

	switch (e->type) {
	case YAML_ALIAS_EVENT:
		return load_alias(l, e, ret);
	case YAML_SCALAR_EVENT:
		anchor = e->data.scalar.anchor;
		r = load_scalar(l, e, &n);
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = e->data.sequence_start.anchor;
		r = load_collection(l, e, depth, &n);
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = e->data.mapping_start.anchor;
		r = load_collection(l, e, depth, &n);
		break;
	default:
		return diag_error(l->diags, mark_point(l, &e->start_mark), "not YAML: the document ends too early");
	}
	if (r == 0)
		r = add_anchor(l, anchor, n);
	if (r == 0)
		*ret = n;
	return r;
}

static int load_empty(struct loader *l)
{
	diag_error(l->diags, (struct span){ l->src, 0, 0 }, "the file is empty");
	diag_help(l->diags, "a policy begins with \"rules:\"; see tamisc(1)");
	return -EINVAL;
}

/* Stream start, one document, stream end. */
static int load_stream(struct loader *l, struct ynode **ret)
{
	struct ynode *root = NULL;
	bool done = false;

	while (!done) {
		yaml_event_t e;
		int r = next_event(l, &e);

		if (r < 0)
			return r;
		switch (e.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (root)
				r = diag_error(l->diags, mark_point(l, &e.start_mark), "a second document in one file");
			break;
		case YAML_STREAM_END_EVENT:
			done = true;
			break;
		default:
			r = load_node(l, &e, 0, &root);
		}
		yaml_event_delete(&e);
		if (r < 0)
			return r;
	}
	if (!root)
		return load_empty(l);
	*ret = root;
	return 0;
}

int yaml_parse(struct arena *a, const struct source *src, struct diags *d, struct ynode **ret)
{
	struct loader l = { .arena = a, .diags = d, .src = src, .bytes = src->bytes, .size = src->size };
	int r;

	if (l.size >= 3 && memcmp(l.bytes, "\xef\xbb\xbf", 3) == 0) {
		l.bytes += 3;
		l.size -= 3;
	}
	r = find_lines(&l);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&l.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, (const unsigned char *)l.bytes, l.size);
	r = load_stream(&l, ret);
	yaml_parser_delete(&l.parser);
	return r;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

bool ynode_is(const struct ynode *n, const char *text)
{
	return n->kind == YNODE_SCALAR && n->text.len == strlen(text) && memcmp(n->text.s, text, n->text.len) == 0;
}

static bool ynode_is_any(const struct ynode *n, const char *const *words)
{
	for (; *words; words++)
		if (ynode_is(n, *words))
			return true;
	return false;
}

bool ynode_is_null(const struct ynode *n)
{
	static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };

	return n->kind == YNODE_SCALAR && n->text.style == TEXT_PLAIN && ynode_is_any(n, words);
}

struct ynode *ynode_get(const struct ynode *map, const char *key)
{
	for (size_t i = 0; map->kind == YNODE_MAP && i < map->n; i++)
		if (ynode_is(map->keys[i], key))
			return ynode_is_null(map->items[i]) ? NULL : map->items[i];
	return NULL;
}

int ynode_bool(const struct ynode *n, bool *ret)
{
	static const char *const yes[] = {
		"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", NULL
	};
	static const char *const no[] = { "false", "False", "FALSE", "no", "No", "NO",
					  "off",   "Off",   "OFF",   "n",  "N",	 NULL };

	if (n->kind != YNODE_SCALAR || n->text.style != TEXT_PLAIN)
		return -EINVAL;
	if (!ynode_is_any(n, yes) && !ynode_is_any(n, no))
		return -EINVAL;
	*ret = ynode_is_any(n, yes);
	return 0;
}

int ynode_int(const struct ynode *n, int64_t *ret)
{
	intmax_t v;
	char *end;

	if (n->kind != YNODE_SCALAR || n->text.style != TEXT_PLAIN || !n->text.len)
		return -EINVAL;
	if (memchr(" \t\n\r\v\f", n->text.s[0], 6))
		return -EINVAL;
	errno = 0;
	v = strtoimax(n->text.s, &end, 10);
	if (errno || end != n->text.s + n->text.len || v > INT64_MAX || v < INT64_MIN)
		return -EINVAL;
	*ret = v;
	return 0;
}

const char *ynode_kind_name(const struct ynode *n)
{
	switch (n->kind) {
	case YNODE_LIST:
		return "a list";
	case YNODE_MAP:
		return "a map";
	default:
		return ynode_is_null(n) ? "empty" : "text";
	}
}
