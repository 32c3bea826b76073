/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/watch_rules.h"

#include <errno.h>

#include "lib/buf.h"

#define TEXT_MAX  (1u << 20)
#define PIECE_MAX (40u << 10) /* one condition has at most so much text, beside one path */

/*
 * @above: a directory that watched files lie below somewhere takes them along. mmap: what is stored later is no event, so
 * the mapping counts.
 */
static const struct {
	const char *event, *path, *condition;
	bool above;
} changes[] = {
	{ "open", "open.file.path", "open.flags & (O_CREAT|O_TRUNC|O_APPEND|O_RDWR|O_WRONLY) > 0 && open.retval == 0",
	  false },
	{ "write", "write.file.path", "write.retval == 0", false },
	{ "truncate", "truncate.file.path", "truncate.retval == 0", false },
	{ "mmap", "mmap.file.path",
	  "mmap.flags & MAP_SHARED > 0 && mmap.protection & PROT_WRITE > 0 && mmap.retval == 0", false },
	{ "unlink", "unlink.file.path", "unlink.retval == 0", false },
	{ "rmdir", "rmdir.file.path", "rmdir.retval == 0", true },
	{ "mkdir", "mkdir.file.path", "mkdir.retval == 0", false },
	{ "symlink", "symlink.file.path", "symlink.retval == 0", false },
	{ "rename", "rename.file.path", "rename.retval == 0", true },
	{ "rename", "rename.file.destination.path", "rename.retval == 0", true },
	{ "link", "link.file.path", "link.retval == 0", false },
	{ "link", "link.file.destination.path", "link.retval == 0", false },
	{ "chmod", "chmod.file.path", "chmod.retval == 0", false },
	{ "chown", "chown.file.path", "chown.retval == 0", false },
	{ "utimes", "utimes.file.path", "utimes.retval == 0", false },
	{ "setxattr", "setxattr.file.path", "setxattr.retval == 0", false },
	{ "removexattr", "removexattr.file.path", "removexattr.retval == 0", false },
	{ "mount", "mount.mountpoint.path", "mount.retval == 0", true },
	{ "umount", "umount.mountpoint.path", "umount.retval == 0", true },
};

struct watch_rules {
	struct compile *c;
	const struct watch_list *list;
	size_t change;
	struct buf text;
};

/* ---- paths --------------------------------------------------------------------------------------------------------- */

/* What would mean something in a string of the language. */
static bool is_special(const char *s)
{
	return *s == '"' || *s == '\\' || (unsigned char)*s < ' ' || ((*s == '$' || *s == '%') && s[1] == '{');
}

static bool has_special(const char *s)
{
	while (*s && !is_special(s))
		s++;
	return *s;
}

/* One character that cannot be written is any text within its component; "**" would be something else. */
static void put_glob(struct buf *b, const char *s, const char *more)
{
	bool star = false;

	buf_puts(b, "~\"");
	for (; *s; s++) {
		bool wide = is_special(s);

		if (wide && (star || s[1] == '*'))
			continue;
		star = wide || *s == '*';
		buf_putc(b, wide ? '*' : (uint8_t)*s);
	}
	buf_puts(b, more);
	buf_puts(b, "\", ");
}

static bool ends_deep(const char *s)
{
	size_t n = strlen(s);

	return n >= 3 && strcmp(s + n - 3, "/**") == 0;
}

static void put_path(struct buf *b, const char *s, bool recursive)
{
	bool is_root = strcmp(s, "/") == 0;

	put_glob(b, s, "");
	if (recursive && !ends_deep(s))
		put_glob(b, is_root ? "" : s, "/**");
}

/* The directories above what is literal of a path: "/etc/ssh/x*" has /etc and /etc/ssh, which is there without a star, too. */
static void put_above(struct buf *b, const char *s)
{
	for (size_t i = 1; s[i] && s[i] != '*'; i++)
		if (s[i] == '/' && !has_special(s)) {
			buf_puts(b, "\"");
			buf_put(b, s, i);
			buf_puts(b, "\", ");
		}
}

/* Takes the comma away that a list ends with. */
static void end_list(struct buf *b)
{
	buf_truncate(b, b->len - 2);
	buf_puts(b, "]");
}

static void put_excludes(struct watch_rules *x, const struct watch *w)
{
	size_t start = x->text.len, list;

	buf_printf(&x->text, " && %s not in [", changes[x->change].path);
	list = x->text.len;
	for (uint32_t i = 0; i < w->nexclude; i++)
		if (!has_special(w->exclude[i]))
			put_path(&x->text, w->exclude[i], true);
	if (x->text.len == list || x->text.len - start > PIECE_MAX / 2)
		buf_truncate(&x->text, start);
	else
		end_list(&x->text);
}

/* ---- rules --------------------------------------------------------------------------------------------------------- */

static int64_t add_string(struct watch_rules *x, const char *s)
{
	return program_str_add(x->c->builder, s, strlen(s));
}

static int add_rule(struct watch_rules *x, uint16_t event, uint32_t root)
{
	int64_t id = add_string(x, "watches"), none = add_string(x, "");
	struct prule p = { .root = root, .event = event, .flags = PRULE_SILENT | PRULE_WATCH | PRULE_MADE };
	int64_t r;

	if (id < 0 || none < 0)
		return (int)(id < 0 ? id : none);
	p.id = (uint32_t)id;
	p.description = p.policy = p.version = p.group = (uint32_t)none;
	r = program_rule_add(x->c->builder, &p, NULL, 0);
	return r < 0 ? (int)r : 0;
}

/* The condition so far, which ends in "|| ", becomes a rule. */
static int end_rule(struct watch_rules *x)
{
	const struct source *src;
	struct text *text;
	uint16_t event;
	uint32_t root;
	int r;

	if (x->text.len <= 1)
		return 0;
	buf_truncate(&x->text, x->text.len - strlen(" || "));
	buf_printf(&x->text, ") && %s", changes[x->change].condition);
	if (buf_error(&x->text))
		return buf_error(&x->text);
	src = source_text(&x->c->arena, "watches", (const char *)x->text.data, x->text.len);
	text = arena_alloc(&x->c->arena, sizeof(*text));
	if (!src || !text)
		return -ENOMEM;
	*text = (struct text){ .s = src->bytes, .len = (uint32_t)src->size, .raw = { src, 0, (uint32_t)src->size } };
	r = compile_expression(x->c, text, &event, &root);
	if (r == 0)
		r = add_rule(x, event, root);
	buf_reset(&x->text);
	buf_putc(&x->text, '(');
	return r;
}

/* Some of the paths of one watch, from @i on; where the condition is long enough, the rest is the next one's. */
static uint32_t put_paths(struct watch_rules *x, const struct watch *w, uint32_t i)
{
	buf_printf(&x->text, "%s in [", changes[x->change].path);
	do {
		put_path(&x->text, w->paths[i], w->recursive);
		if (changes[x->change].above)
			put_above(&x->text, w->paths[i]);
		i++;
	} while (i < w->npaths && x->text.len < PIECE_MAX);
	end_list(&x->text);
	put_excludes(x, w);
	buf_puts(&x->text, " || ");
	return i;
}

static int add_change(struct watch_rules *x)
{
	int r = 0;

	buf_reset(&x->text);
	buf_putc(&x->text, '(');
	for (size_t k = 0; k < x->list->n; k++)
		for (uint32_t i = 0; i < x->list->v[k].npaths && r == 0;) {
			i = put_paths(x, &x->list->v[k], i);
			if (x->text.len >= PIECE_MAX)
				r = end_rule(x);
		}
	return r == 0 ? end_rule(x) : r;
}

/* The sensor may not observe all of them. */
static bool is_seen(const struct compile *c, const char *name)
{
	const struct cat_event *ev = catalog_event(c->catalog, name, strlen(name));

	return ev && ev - c->catalog->events < EV_TYPES;
}

int watch_rules_add(struct compile *c)
{
	struct watch_list list;
	struct watch_rules x = { .c = c, .list = &list };
	struct diags *told = c->diags, ours = diags_new();
	int r = watches_list(&c->watches, &c->arena, &list);

	buf_init(&x.text, TEXT_MAX);
	c->diags = &ours; /* nobody has written these conditions */
	for (x.change = 0; list.n && x.change < sizeof(changes) / sizeof(changes[0]) && r == 0; x.change++)
		if (is_seen(c, changes[x.change].event))
			r = add_change(&x);
	c->diags = told;
	diags_done(&ours);
	buf_done(&x.text);
	return r;
}
