/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "policy-compiler/check_parts.h"
#include "policy-compiler/fim.h"

/* A name as it stands in a rule: process.ancestors[A].file.path */
struct name {
	const char *s;
	uint32_t len;
	char plain[128]; /* without [A] */
	uint32_t plain_len;
	uint32_t root_len; /* of plain: "process.ancestors"; 0 without [A] */
	const char *var;   /* "A" */
	uint32_t var_len;
};

static bool is_word(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* ---- constants and macros ---------------------------------------------------------------------------------------- */

/* *ret NULL where the name is no constant. */
static int check_constant(struct check *c, const struct ast *a, struct expr **ret)
{
	bool is_true = is_word(a->s, a->slen, "true"), is_false = is_word(a->s, a->slen, "false");
	const struct cat_constant *k = NULL;

	*ret = NULL;
	if (!is_true && !is_false) {
		k = catalog_constant(c->catalog, a->s, a->slen);
		if (!k)
			return 0;
	}
	*ret = check_new(c, k ? EX_INT : EX_BOOL, k ? VAL_INT : VAL_BOOL, a);
	if (!*ret)
		return -ENOMEM;
	(*ret)->num = k ? k->value : is_true;
	return 0;
}

static int check_macro(struct check *c, const struct ast *a, struct macro *m, struct expr **ret)
{
	int r;

	if (!m->body) {
		diag_error(c->diags, ast_span(a), "the macro %s has an error", m->id);
		diag_help(c->diags, "it is reported where the macro is defined");
		return -EINVAL;
	}
	if (m->busy) {
		diag_error(c->diags, ast_span(a), "the macro %s uses itself", m->id);
		diag_help(c->diags, "follow the macros that it names, and break the circle");
		return -EINVAL;
	}
	m->busy = true;
	r = check_expr(c, m->body, ret);
	m->busy = false;
	/* what does not fit about it does not fit here, where the macro is used */
	if (r == 0)
		(*ret)->at = a;
	return r;
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static int unknown_name(struct check *c, const struct ast *a, const char *s, uint32_t len)
{
	const char *near = c->macros ? macro_nearest(c->macros, s, len) : NULL;

	if (fim_is_name(s, len)) {
		diag_error(c->diags, ast_span(a),
			   "%.*s stands for the fields of several events: only a rule can name it",
			   (int)(len < 200 ? len : 200), s);
		diag_help(c->diags, "write it in the rule, not in a macro");
		return -EINVAL;
	}
	if (!near)
		near = catalog_nearest(c->catalog, s, len);
	diag_error(c->diags, ast_span(a), "unknown name \"%.*s\": no field, constant or macro",
		   (int)(len < 200 ? len : 200), s);
	if (near)
		diag_help(c->diags, "did you mean \"%s\"?", near);
	else if (memchr(s, '.', len))
		diag_help(c->diags, "`tamisc fields` lists the fields of every event");
	else
		diag_help(c->diags, "text needs quotes; define a macro of this name, or check the names of constants");
	return -EINVAL;
}

/* Whether all fields below "prefix." have several values (its ".length" aside), as those of a list of objects have. */
static bool is_list_node(const struct catalog *c, const char *prefix, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		if (strncmp(f->name, prefix, len) != 0 || f->name[len] != '.' || strcmp(f->name + len, ".length") == 0)
			continue;
		if (!(f->flags & CF_ARRAY))
			return false;
		n++;
	}
	return n > 0;
}

static int bad_iterator(struct check *c, const struct ast *a, const char *why)
{
	diag_error(c->diags, ast_span(a), "%s", why);
	diag_help(c->diags, "write process.ancestors[A].field, with one letter or word for [A] in the whole rule");
	return -EINVAL;
}

/* The list itself, not a part of its objects: of process.ancestors.file[A] the list is process.ancestors. */
static int check_iterator_place(struct check *c, const struct ast *a, const struct name *n)
{
	for (uint32_t i = 1; i < n->root_len; i++)
		if (n->plain[i] == '.' && is_list_node(c->catalog, n->plain, i))
			return bad_iterator(c, a, "the iterator has to stand right behind the list");
	if (!is_list_node(c->catalog, n->plain, n->root_len))
		return bad_iterator(c, a, "what is before the iterator is no list of objects");
	return 0;
}

static int split_name(struct check *c, const struct ast *a, struct name *ret)
{
	struct name n = { .s = a->s, .len = a->slen };
	const char *open = memchr(a->s, '[', a->slen), *close, *end = a->s + a->slen;

	if (a->slen >= sizeof(n.plain))
		return unknown_name(c, a, a->s, a->slen);
	if (!open) {
		memcpy(n.plain, a->s, a->slen);
		n.plain_len = a->slen;
		*ret = n;
		return 0;
	}
	close = memchr(open, ']', (size_t)(end - open));
	if (!close || close + 1 >= end || close[1] != '.')
		return bad_iterator(c, a, "an iterator is followed by \".\" and a field");
	if (memchr(close, '[', (size_t)(end - close)))
		return bad_iterator(c, a, "a name has one iterator");
	n.root_len = (uint32_t)(open - a->s);
	n.var = open + 1;
	n.var_len = (uint32_t)(close - open - 1);
	if (!n.var_len || is_word(n.var, n.var_len, "_") || (*n.var >= '0' && *n.var <= '9') || *n.var == '.')
		return bad_iterator(c, a, "the iterator needs a name, such as [A]");
	memcpy(n.plain, a->s, n.root_len);
	memcpy(n.plain + n.root_len, close + 1, (size_t)(end - close - 1));
	n.plain_len = n.root_len + (uint32_t)(end - close - 1);
	*ret = n;
	return 0;
}

/* One iterator a rule, over one list. */
static int note_iterator(struct check *c, const struct ast *a, const struct name *n, const struct cat_field *f)
{
	char key[sizeof(c->iterator)];

	if (n->root_len + n->var_len + 3 > sizeof(key))
		return bad_iterator(c, a, "the iterator's name is too long");
	memcpy(key, n->s, n->root_len + n->var_len + 2);
	key[n->root_len + n->var_len + 2] = '\0';
	if (!c->iterator[0]) {
		memcpy(c->iterator, key, sizeof(key));
		c->iterated = f;
		return 0;
	}
	if (strcmp(c->iterator, key) == 0)
		return 0;
	diag_error(c->diags, ast_span(a), "a rule has one iterator: %s and %s", c->iterator, key);
	diag_help(c->diags, "use the same letter on the same list, or two rules");
	return -EINVAL;
}

static int note_event(struct check *c, const struct ast *a, const struct cat_field *f)
{
	int event = catalog_meet(c->catalog, c->event, f->event);

	if (event >= 0) {
		if (event != c->event) {
			c->event_at = a;
			c->event_field = f->name;
		}
		c->event = (uint16_t)event;
		return 0;
	}
	diag_error(c->diags, ast_span(a), "%s is a field of \"%s\" events, but %s before it is of \"%s\" events",
		   f->name, c->catalog->events[f->event].name, c->event_field, c->catalog->events[c->event].name);
	diag_help(c->diags, "a rule is about one event type: write two rules");
	return -EINVAL;
}

static void note_unseen(struct check *c, const struct ast *a, const struct cat_field *f)
{
	for (size_t i = 0; i < c->nunseen; i++)
		if (c->unseen[i].field == f)
			return;
	if (c->nunseen < CHECK_UNSEEN_MAX)
		c->unseen[c->nunseen++] = (struct unseen_use){ .field = f, .at = ast_span(a) };
}

/* Several values even for one element of a list: the arguments of one ancestor. */
static bool is_array_of_element(const struct check *c, const struct cat_field *f)
{
	if (!cat_is_ancestors(f->home))
		return false;
	for (size_t i = 0; i < c->catalog->nfields; i++) {
		const struct cat_field *p = &c->catalog->fields[i];

		if (p->home == CAT_HOME_PROC && p->slot == f->slot)
			return p->flags & CF_ARRAY;
	}
	return false;
}

/* The field of that plain name, with the iterator's and the event's rules applied. */
static int use_field(struct check *c, const struct ast *a, const struct name *n, const struct cat_field *f,
		     struct expr **ret)
{
	struct expr *e;
	int r = note_event(c, a, f);

	if (r == 0 && n->root_len)
		r = check_iterator_place(c, a, n);
	if (r == 0 && n->root_len)
		r = note_iterator(c, a, n, f);
	if (r < 0)
		return r;
	if (f->flags & CF_UNSEEN)
		note_unseen(c, a, f);
	e = check_new(c, n->root_len ? EX_CURRENT : EX_FIELD, f->type, a);
	if (!e)
		return -ENOMEM;
	e->field = f;
	e->array = n->root_len ? is_array_of_element(c, f) : f->flags & CF_ARRAY;
	*ret = e;
	return 0;
}

/* For "list.length": any field of the list that has one value an element counts the elements. */
static const struct cat_field *any_of_list(const struct check *c, const char *prefix, size_t len)
{
	if (!is_list_node(c->catalog, prefix, len))
		return NULL;
	for (size_t i = 0; i < c->catalog->nfields; i++) {
		const struct cat_field *f = &c->catalog->fields[i];

		if (strncmp(f->name, prefix, len) == 0 && f->name[len] == '.' && (f->flags & CF_ARRAY) &&
		    !is_array_of_element(c, f))
			return f;
	}
	return NULL;
}

/*
 * NAME.length: bytes of a text, number of values of an array. Of the texts of all ancestors it is an array of lengths.
 * *ret NULL where the name is no such thing.
 */
static int check_length(struct check *c, const struct ast *a, const struct name *n, struct expr **ret)
{
	static const char suffix[] = ".length";
	uint32_t len = n->plain_len - (uint32_t)strlen(suffix);
	const struct cat_field *f;
	struct expr *base, *e;
	bool is_list = false;
	const char *list;
	int r;

	*ret = NULL;
	if (n->plain_len <= strlen(suffix) || memcmp(n->plain + len, suffix, strlen(suffix)) != 0)
		return 0;
	f = catalog_field(c->catalog, n->plain, len);
	if (!f) {
		f = any_of_list(c, n->plain, len);
		is_list = true;
	}
	if (!f || (f->type != VAL_STR && !(f->flags & CF_ARRAY)))
		return 0;
	r = use_field(c, a, n, f, &base);
	if (r < 0)
		return r;
	e = check_new(c, EX_LEN, VAL_INT, a);
	if (!e)
		return -ENOMEM;
	e->array = !is_list && base->kind == EX_FIELD && cat_is_ancestors(f->home);
	if (e->array && is_array_of_element(c, f)) {
		diag_error(c->diags, ast_span(a),
			   "the length of %s has no meaning: several values in each of several processes", f->name);
		list = strstr(n->plain, "ancestors.");
		if (list)
			diag_help(c->diags, "use an iterator: %.*sancestors[A].%s", (int)(list - n->plain), n->plain,
				  list + strlen("ancestors."));
		return -EINVAL;
	}
	e->a = base;
	*ret = e;
	return 0;
}

static int check_field(struct check *c, const struct ast *a, struct expr **ret)
{
	const struct cat_field *f;
	struct name n;
	int r = split_name(c, a, &n);

	if (r < 0)
		return r;
	f = catalog_field(c->catalog, n.plain, n.plain_len);
	if (f)
		return use_field(c, a, &n, f, ret);
	r = check_length(c, a, &n, ret);
	if (r < 0 || *ret)
		return r;
	return unknown_name(c, a, n.plain, n.plain_len);
}

/* ---- entry points ------------------------------------------------------------------------------------------------ */

int check_name(struct check *c, const struct ast *a, struct expr **ret)
{
	struct macro *m;
	int r = check_constant(c, a, ret);

	if (r < 0 || *ret)
		return r;
	m = c->macros ? macro_find(c->macros, a->s, a->slen) : NULL;
	return m ? check_macro(c, a, m, ret) : check_field(c, a, ret);
}

int check_pid_field(struct check *c, const struct ast *a, struct expr **ret)
{
	struct name none = { 0 };
	const struct cat_field *pid = catalog_field(c->catalog, "process.pid", strlen("process.pid"));

	return pid ? use_field(c, a, &none, pid, ret) : -ENOENT;
}

int check_field_reference(struct check *c, const struct ast *a, struct expr **ret)
{
	return check_field(c, a, ret);
}
