/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/test_snapshot.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"

#define OUT_MAX (2 * YAML_FILE_MAX)

/* Bytes [from, to) of the source are replaced by a text. */
struct patch {
	size_t from, to;
	const char *text; /* in the run's arena */
	size_t order;	  /* of patches at one place, the first comes first */
};

struct patches {
	struct test_run *run;
	const struct source *src;
	struct patch *v;
	size_t n;
};

static int add_patch(struct patches *p, size_t from, size_t to, const struct buf *text)
{
	struct patch *slot;

	if (buf_error(text))
		return buf_error(text);
	slot = ARENA_PUSH(&p->run->arena, p->v, p->n);
	if (!slot)
		return -ENOMEM;
	*slot = (struct patch){ .from = from, .to = to, .order = p->n };
	slot->text = arena_strdup(&p->run->arena, text->len ? (const char *)text->data : "", text->len);
	return slot->text ? 0 : -ENOMEM;
}

static int cannot(struct patches *p, struct span at)
{
	diag_error(&p->run->diags, at, "this snapshot is written in a way that --update cannot edit");
	diag_help(&p->run->diags, "write \"snapshot:\" with nothing behind it, or a list without anchors and aliases");
	return -EINVAL;
}

/* ---- names --------------------------------------------------------------------------------------------------------- */

/* Ids are letters, digits, '_', '.' and '-': only what could be read as something else needs quotes. */
static void put_id(struct buf *out, const char *id)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y", "n" };
	bool quote = !isalpha((unsigned char)id[0]);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		quote |= strcasecmp(id, words[i]) == 0;
	buf_printf(out, quote ? "\"%s\"" : "%s", id);
}

static void put_flow(struct buf *out, const struct test_edit *e)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < e->n; i++) {
		buf_puts(out, i ? ", " : "");
		put_id(out, e->ids[i]);
	}
	buf_putc(out, ']');
}

static bool is_fired(const struct test_edit *e, const struct ynode *item)
{
	for (size_t i = 0; i < e->n; i++)
		if (ynode_is(item, e->ids[i]))
			return true;
	return false;
}

static bool is_there(const struct ynode *list, const char *id)
{
	for (size_t i = 0; i < list->n; i++)
		if (ynode_is(list->items[i], id))
			return true;
	return false;
}

/* ---- one snapshot -------------------------------------------------------------------------------------------------- */

static size_t end_of(const struct ynode *scalar)
{
	return (size_t)scalar->at.off + scalar->at.len;
}

/* Where the value may begin: behind the key's colon; 0 where there is something else. */
static size_t behind_colon(const struct source *src, const struct ynode *key)
{
	size_t i = end_of(key);

	while (i < src->size && (src->bytes[i] == ' ' || src->bytes[i] == '\t'))
		i++;
	return i < src->size && src->bytes[i] == ':' ? i + 1 : 0;
}

/* Skips blanks, line ends and comments. */
static size_t skip_space(const struct source *src, size_t i)
{
	while (i < src->size) {
		if (src->bytes[i] == '#')
			while (i < src->size && src->bytes[i] != '\n')
				i++;
		else if (memchr(" \t\r\n", src->bytes[i], 4))
			i++;
		else
			break;
	}
	return i;
}

static int patch_empty(struct patches *p, const struct test_edit *e, size_t from, size_t to)
{
	struct buf text;
	int r;

	buf_init(&text, OUT_MAX);
	buf_putc(&text, ' ');
	put_flow(&text, e);
	r = add_patch(p, from, to, &text);
	buf_done(&text);
	return r;
}

/* "[a, b]", on one line or several. */
static int patch_flow(struct patches *p, const struct test_edit *e)
{
	const struct ynode *list = e->value;
	size_t i = list->n ? end_of(list->items[list->n - 1]) : list->at.off + 1u;
	struct buf text;
	int r;

	if (i <= list->at.off)
		return cannot(p, list->at);
	i = skip_space(p->src, i);
	if (i < p->src->size && p->src->bytes[i] == ',')
		i = skip_space(p->src, i + 1);
	if (i >= p->src->size || p->src->bytes[i] != ']')
		return cannot(p, list->at);
	buf_init(&text, OUT_MAX);
	put_flow(&text, e);
	r = add_patch(p, list->at.off, i + 1, &text);
	buf_done(&text);
	return r;
}

/* The line of an item, which has to be "- id" alone but for a comment. Ends behind its line end. */
static int item_line(struct patches *p, const struct ynode *item, size_t *ret_from, size_t *ret_to, size_t *ret_dash)
{
	const char *s = p->src->bytes;
	size_t from = item->at.off, to = end_of(item), dash;

	while (from > 0 && s[from - 1] != '\n')
		from--;
	for (dash = from; s[dash] == ' '; dash++)
		;
	if (s[dash] != '-')
		return cannot(p, item->at);
	for (size_t i = dash + 1; i < item->at.off; i++)
		if (s[i] != ' ')
			return cannot(p, item->at);
	for (; to < p->src->size && s[to] != '\n' && s[to] != '#'; to++)
		if (s[to] != ' ' && s[to] != '\t' && s[to] != '\r')
			return cannot(p, item->at);
	while (to < p->src->size && s[to] != '\n')
		to++;
	*ret_from = from;
	*ret_to = to < p->src->size ? to + 1 : to;
	*ret_dash = dash;
	return 0;
}

/* Lines "- id" of those that are not there yet, behind the last item. */
static int patch_new_lines(struct patches *p, const struct test_edit *e, size_t at, size_t indent)
{
	bool fresh = at > 0 && p->src->bytes[at - 1] != '\n'; /* the file ends without a line end */
	struct buf text;
	int r;

	buf_init(&text, OUT_MAX);
	for (size_t i = 0; i < e->n; i++) {
		if (is_there(e->value, e->ids[i]))
			continue;
		buf_printf(&text, "%s%*s- ", fresh ? "\n" : "", (int)indent, "");
		put_id(&text, e->ids[i]);
		buf_puts(&text, fresh ? "" : "\n");
	}
	r = text.len || text.error ? add_patch(p, at, at, &text) : 0;
	buf_done(&text);
	return r;
}

static int patch_block(struct patches *p, const struct test_edit *e, size_t value)
{
	const struct ynode *list = e->value;
	const struct buf nothing = { 0 };
	size_t from = 0, to = 0, dash = 0, indent = 0;
	int r = 0;

	for (size_t i = 0; i < list->n && r == 0; i++) {
		r = item_line(p, list->items[i], &from, &to, &dash);
		indent = dash - from;
		if (r == 0 && !is_fired(e, list->items[i]))
			r = add_patch(p, from, to, &nothing);
	}
	if (r == 0 && !e->n)
		return patch_empty(p, e, value, value);
	return r < 0 ? r : patch_new_lines(p, e, to, indent);
}

static int patch_one(struct patches *p, const struct test_edit *e)
{
	size_t value = behind_colon(p->src, e->key);
	const struct ynode *v = e->value;

	if (!value)
		return cannot(p, e->key->at);
	if (ynode_is_null(v) && v->text.len == 0)
		return patch_empty(p, e, value, value);
	/* only blanks and comments are between a key and its own value: what is elsewhere came by an alias */
	if (skip_space(p->src, value) != v->at.off)
		return cannot(p, e->key->at);
	if (ynode_is_null(v))
		return patch_empty(p, e, value, end_of(v));
	if (v->kind != YNODE_LIST)
		return cannot(p, v->at);
	return p->src->bytes[v->at.off] == '[' ? patch_flow(p, e) : patch_block(p, e, value);
}

/* ---- a file -------------------------------------------------------------------------------------------------------- */

static int patch_cmp(const void *a, const void *b)
{
	const struct patch *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

int test_snapshot_bytes(struct test_run *t, const struct source *src, struct buf *out)
{
	struct patches p = { .run = t, .src = src };
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; i < t->nedits && r == 0; i++)
		if (t->edits[i].key->at.src == src)
			r = patch_one(&p, &t->edits[i]);
	if (r < 0)
		return r;
	if (p.n)
		qsort(p.v, p.n, sizeof(p.v[0]), patch_cmp);
	for (size_t i = 0; i < p.n; i++) {
		/* one list for two tests: an anchor */
		if (p.v[i].from < at)
			return cannot(&p, (struct span){ src, (uint32_t)p.v[i].from, 0 });
		buf_put(out, src->bytes + at, p.v[i].from - at);
		buf_puts(out, p.v[i].text);
		at = p.v[i].to;
	}
	buf_put(out, src->bytes + at, src->size - at);
	return buf_error(out);
}

static int write_all(int fd, const struct buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = write(fd, b->data + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Beside the file and renamed over it. @path is no symbolic link. */
static int replace(const char *path, const struct stat *st, const struct buf *b)
{
	_cleanup_free_ char *temp = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0) {
		temp = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fchmod(fd, st->st_mode & 07777) < 0 ? -errno : 0;
	/* the owner stays where that is allowed: only root could give the file away */
	if (r == 0 && (st->st_uid != geteuid() || st->st_gid != getegid()))
		r = fchown(fd, st->st_uid, st->st_gid) < 0 && geteuid() == 0 ? -errno : 0;
	if (r == 0)
		r = write_all(fd, b);
	if (r == 0 && rename(temp, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temp);
	return r;
}

/* Somebody may have edited the file since it was read. */
static bool is_as_read(int fd, const struct source *src)
{
	_cleanup_free_ char *now = malloc(src->size + 1);
	size_t n = 0;
	ssize_t got = 1;

	while (now && n <= src->size && got > 0) {
		got = read(fd, now + n, src->size + 1 - n);
		n += got > 0 ? (size_t)got : 0;
	}
	return now && got == 0 && n == src->size && memcmp(now, src->bytes, n) == 0;
}

static int write_source(struct test_run *t, const struct source *src, const struct buf *b)
{
	_cleanup_free_ char *path = realpath(src->path, NULL);
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return diag_error(&t->diags, (struct span){ 0 }, "cannot read %s: %s", src->path, strerror(errno));
	if (!is_as_read(fd, src)) {
		diag_error(&t->diags, (struct span){ 0 }, "%s changed while its tests ran; its snapshots stay",
			   src->path);
		diag_help(&t->diags, "run tamisc test --update again");
		return -EINVAL;
	}
	r = replace(path, &st, b);
	if (r < 0)
		return diag_error(&t->diags, (struct span){ 0 }, "cannot write %s: %s", src->path, strerror(-r));
	return 0;
}

static bool is_first_of_its_file(const struct test_run *t, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (t->edits[k].key->at.src == t->edits[i].key->at.src)
			return false;
	return true;
}

int test_snapshot_write(struct test_run *t, size_t *ret_n)
{
	size_t written = 0;

	for (size_t i = 0; i < t->nedits; i++) {
		const struct source *src = t->edits[i].key->at.src;
		struct buf b;
		int r;

		if (!is_first_of_its_file(t, i))
			continue;
		buf_init(&b, OUT_MAX);
		r = test_snapshot_bytes(t, src, &b);
		if (r == -EFBIG)
			r = diag_error(&t->diags, (struct span){ src, 0, 0 }, "the file would be too large");
		if (r == 0)
			r = write_source(t, src, &b);
		buf_done(&b);
		if (r == -ENOMEM)
			return r;
		for (size_t k = i; k < t->nedits && r == 0; k++)
			written += t->edits[k].key->at.src == src;
	}
	*ret_n = written;
	return 0;
}
