/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/event_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/event_words.h"
#include "lib/ipnet.h"
#include "lib/jsonw.h"

/*
 * The fields of an object are brought into the order of their names once, as a list of steps: begin an object, a value.
 * Writing walks over the list. An object within that turns out empty is taken back.
 */
enum step_kind { ST_OBJECT, ST_VALUE, ST_ARGV, ST_ENVP, ST_ENVS, ST_PARENT, ST_ANCESTORS, ST_TARGET };

struct step {
	const char *key; /* owned */
	uint8_t kind;	 /* enum step_kind */
	uint8_t type;	 /* VALUE: enum val_type */
	bool array;
	bool always; /* VALUE: written though it is 0 */
	uint16_t slot;
	uint32_t end; /* OBJECT: the step behind its last one */
};

struct steps {
	struct step *s; /* owned */
	uint32_t n;
};

struct event_json {
	const struct catalog *catalog; /* borrowed */
	struct steps *own;	       /* owned; of each event type and family */
	struct steps proc, brief, container;
};

/* ---- the order of fields ------------------------------------------------------------------------------------------- */

/* A value on its way to becoming a step. */
struct row {
	const char *name; /* behind the prefix; borrowed from the catalog */
	struct step step;
};

/* By components: what a '.' separates comes before everything else that goes on. */
static int row_cmp(const void *a, const void *b)
{
	const char *x = ((const struct row *)a)->name, *y = ((const struct row *)b)->name;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return (*x == '.' ? 1 : (unsigned char)*x) - (*y == '.' ? 1 : (unsigned char)*y);
}

static size_t comp_len(const char *name)
{
	return strcspn(name, ".");
}

/* Turns rows[from..to), which agree in the first @depth bytes, into steps. */
static int make_steps(struct steps *st, const struct row *rows, size_t from, size_t to, size_t depth)
{
	while (from < to) {
		const char *name = rows[from].name + depth;
		size_t len = comp_len(name), end = from + 1;
		uint32_t at = st->n++;
		int r;

		st->s[at] = rows[from].step;
		st->s[at].key = strndup(name, len);
		if (!st->s[at].key)
			return -ENOMEM;
		if (name[len] == '.') {
			while (end < to && strncmp(rows[end].name + depth, name, len + 1) == 0)
				end++;
			st->s[at].kind = ST_OBJECT;
			r = make_steps(st, rows, from, end, depth + len + 1);
			if (r < 0)
				return r;
			st->s[at].end = st->n;
		}
		from = end;
	}
	return 0;
}

static int steps_of_rows(struct steps *st, struct row *rows, size_t n)
{
	size_t most = 0;

	if (n == 0)
		return 0;
	qsort(rows, n, sizeof(*rows), row_cmp);
	/* Every row is one value and opens at most as many objects as its name has dots. */
	for (size_t i = 0; i < n; i++)
		for (const char *c = rows[i].name; c; c = strchr(c, '.') ? strchr(c, '.') + 1 : NULL)
			most++;
	st->s = calloc(most, sizeof(*st->s));
	return st->s ? make_steps(st, rows, 0, n, 0) : -ENOMEM;
}

/* Numbers that come from the kernel are shown though they are 0; but an interpreter only scripts have. */
static bool always_shown(const struct cat_field *f)
{
	return f->kind == 'N' && !(f->flags & CF_TIME) && !strstr(f->name, ".interpreter.");
}

static struct step step_of_field(const struct cat_field *f)
{
	return (struct step){
		.kind = ST_VALUE,
		.type = f->type,
		.array = f->flags & CF_ARRAY,
		.always = always_shown(f),
		.slot = f->slot,
	};
}

/* What the name is without "prefix.", or NULL where it begins otherwise. */
static const char *behind(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && name[n] == '.' ? name + n + 1 : NULL;
}

/* Of an exec's process only its files are shown under "exec" too: they are what rules on an exec ask for. */
static bool is_own_row(const struct cat_field *f, const struct cat_event *ev, const char *name)
{
	bool is_file = strncmp(name, "file.", 5) == 0 || strncmp(name, "interpreter.file.", 17) == 0;

	return f->event == ev->type && (f->home == CAT_HOME_EVENT || (f->home == CAT_HOME_PROC && is_file));
}

/* "tracee" of "tracee.pid", of a field of the event's second process. */
static bool target_of(const struct cat_field *f, const struct cat_event *ev, const char *name, char *ret, size_t size)
{
	size_t len = comp_len(name);

	if (f->home != CAT_HOME_TARGET || f->event != ev->type || len >= size)
		return false;
	memcpy(ret, name, len);
	ret[len] = 0;
	return true;
}

static int make_own(struct event_json *ej, const struct cat_event *ev, struct row *rows)
{
	char target[32] = "";
	size_t n = 0;

	for (size_t i = 0; i < ej->catalog->nfields; i++) {
		const struct cat_field *f = &ej->catalog->fields[i];
		const char *name = behind(f->name, ev->name);

		if (name && !target[0] && target_of(f, ev, name, target, sizeof(target)))
			rows[n++] = (struct row){ target, { .kind = ST_TARGET } };
		if (!name || !is_own_row(f, ev, name))
			continue;
		rows[n] = (struct row){ name, step_of_field(f) };
		/* The two homes have their slots in one number: those of the process come behind. */
		rows[n++].step.slot += f->home == CAT_HOME_PROC ? CAT_SLOTS_MAX : 0;
	}
	return steps_of_rows(&ej->own[ev->type], rows, n);
}

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char *const brief_names[] = { "args",	"argv0", "comm",     "container.id", "file.name",
					   "file.path", "pid",	 "tty_name", "uid",	     "user" };
static const char *const never_names[] = { "args_flags", "args_options" };

static uint8_t proc_step_kind(const char *name)
{
	return strcmp(name, "argv") == 0   ? ST_ARGV
	       : strcmp(name, "envp") == 0 ? ST_ENVP
	       : strcmp(name, "envs") == 0 ? ST_ENVS
					   : ST_VALUE;
}

static int make_proc(struct event_json *ej, struct row *rows)
{
	size_t n = 0, nbrief = 0;
	struct row *brief = rows + ej->catalog->nfields + 2;

	for (size_t i = 0; i < ej->catalog->nfields; i++) {
		const struct cat_field *f = &ej->catalog->fields[i];
		const char *name = behind(f->name, "process");

		if (!name || f->home != CAT_HOME_PROC || is_one_of(name, never_names, COUNT(never_names)))
			continue;
		rows[n] = (struct row){ name, step_of_field(f) };
		rows[n++].step.kind = proc_step_kind(name);
		if (is_one_of(name, brief_names, COUNT(brief_names)))
			brief[nbrief++] = rows[n - 1];
	}
	rows[n++] = (struct row){ "parent", { .kind = ST_PARENT } };
	rows[n++] = (struct row){ "ancestors", { .kind = ST_ANCESTORS } };
	if (steps_of_rows(&ej->proc, rows, n) < 0 || steps_of_rows(&ej->brief, brief, nbrief) < 0)
		return -ENOMEM;
	return 0;
}

/* What is known of the container beside its id, which is the process's. */
static int make_container(struct event_json *ej, struct row *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < ej->catalog->nfields; i++) {
		const struct cat_field *f = &ej->catalog->fields[i];
		const char *name = behind(f->name, "container");

		if (name && f->home == CAT_HOME_BASE)
			rows[n++] = (struct row){ name, step_of_field(f) };
	}
	return steps_of_rows(&ej->container, rows, n);
}

int event_json_new(const struct catalog *c, struct event_json **ret)
{
	_cleanup_(event_json_free) struct event_json *ej = calloc(1, sizeof(*ej));
	_cleanup_free_ struct row *rows = calloc(2 * (c->nfields + 2), sizeof(*rows));
	int r = 0;

	if (!ej || !rows)
		return -ENOMEM;
	ej->catalog = c;
	ej->own = calloc(c->nevents + 1, sizeof(*ej->own));
	if (!ej->own)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < c->nevents; i++)
		r = c->events[i].name ? make_own(ej, &c->events[i], rows) : 0;
	if (r == 0)
		r = make_proc(ej, rows);
	if (r == 0)
		r = make_container(ej, rows);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(ej);
	return 0;
}

static void steps_done(struct steps *st)
{
	for (uint32_t i = 0; i < st->n; i++)
		free((char *)st->s[i].key);
	free(st->s);
}

void event_json_free(struct event_json *ej)
{
	if (!ej)
		return;
	for (size_t i = 0; ej->own && i < ej->catalog->nevents; i++)
		steps_done(&ej->own[i]);
	free(ej->own);
	steps_done(&ej->proc);
	steps_done(&ej->brief);
	steps_done(&ej->container);
	free(ej);
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

/* Where the values of a list of steps come from. */
struct source {
	const struct event_json *ej;
	const struct val *v;	   /* slots below CAT_SLOTS_MAX; NULL: all slots are those of the process */
	const struct proc *p;	   /* the process of slots from there on, or whose parents are written; may be NULL */
	const struct proc *target; /* of the event; may be NULL */
	enum event_json_proc how;
};

static struct val value_of(const struct source *src, const struct step *s)
{
	if (src->v && s->slot < CAT_SLOTS_MAX)
		return src->v[s->slot];
	return src->p ? proc_get(src->p, s->slot - (src->v ? CAT_SLOTS_MAX : 0)) : (struct val){ .num = 0 };
}

static void put_scalar(struct jsonw *w, uint8_t type, const struct val *v)
{
	char text[IPNET_TEXT_MAX];

	switch (type) {
	case VAL_INT:
		jsonw_int(w, v->num);
		break;
	case VAL_BOOL:
		jsonw_bool(w, v->num != 0);
		break;
	case VAL_IP:
		jsonw_str(w, text, v->len == VAL_IP_BYTES ? ipnet_text((const uint8_t *)v->s, text) : 0);
		break;
	default:
		jsonw_str(w, v->s, v->len);
	}
}

static void put_array(struct jsonw *w, uint8_t type, const struct val *v)
{
	jsonw_arr_begin(w);
	for (uint32_t i = 0; i < v->len; i++)
		put_scalar(w, type, &v->arr[i]);
	jsonw_arr_end(w);
}

static void put_value(struct jsonw *w, const struct step *s, const struct val *v)
{
	bool is_set = s->array || s->type == VAL_STR || s->type == VAL_IP ? v->len > 0 : s->always || v->num;

	if (!is_set)
		return;
	jsonw_key(w, s->key);
	if (s->array)
		put_array(w, s->type, v);
	else
		put_scalar(w, s->type, v);
}

/* Only where args, split at its spaces, would not give the same. */
static void put_argv(struct jsonw *w, const struct step *s, const struct val *v)
{
	for (uint32_t i = 0; i < v->len; i++)
		if (v->arr[i].len == 0 || memchr(v->arr[i].s, ' ', v->arr[i].len)) {
			put_value(w, s, v);
			return;
		}
}

static bool loads_code(const struct val *env)
{
	static const char *const names[] = { "BASH_ENV",      "ENV",	  "GCONV_PATH", "JAVA_TOOL_OPTIONS",
					     "NODE_OPTIONS",  "PERL5LIB", "PERL5OPT",	"PYTHONPATH",
					     "PYTHONSTARTUP", "RUBYLIB",  "RUBYOPT" };

	if (env->len > 3 && memcmp(env->s, "LD_", 3) == 0)
		return true;
	for (size_t i = 0; i < COUNT(names); i++) {
		size_t n = strlen(names[i]);

		if (env->len > n && env->s[n] == '=' && memcmp(env->s, names[i], n) == 0)
			return true;
	}
	return false;
}

static void put_envp(struct jsonw *w, const struct step *s, const struct val *v)
{
	bool any = false;

	for (uint32_t i = 0; i < v->len; i++) {
		if (!loads_code(&v->arr[i]))
			continue;
		if (!any) {
			jsonw_key(w, s->key);
			jsonw_arr_begin(w);
		}
		any = true;
		jsonw_str(w, v->arr[i].s, v->arr[i].len);
	}
	if (any)
		jsonw_arr_end(w);
}

static void put_proc(const struct event_json *ej, const struct proc *p, enum event_json_proc how, struct jsonw *w);

static void put_relatives(struct jsonw *w, const struct source *src, const struct step *s)
{
	const struct proc *p = src->p ? src->p->parent : NULL;

	if (src->how != EVENT_JSON_WHOLE || !p)
		return;
	jsonw_key(w, s->key);
	if (s->kind == ST_PARENT) {
		put_proc(src->ej, p, EVENT_JSON_ALONE, w);
		return;
	}
	jsonw_arr_begin(w);
	for (int i = 0; p && i < VAL_ANCESTORS_MAX; i++, p = p->parent)
		put_proc(src->ej, p, EVENT_JSON_BRIEF, w);
	jsonw_arr_end(w);
}

static void put_target(struct jsonw *w, const struct source *src, const struct step *s)
{
	if (!src->target)
		return;
	jsonw_key(w, s->key);
	put_proc(src->ej, src->target, EVENT_JSON_WHOLE, w);
}

static void put_steps(struct jsonw *w, const struct steps *st, uint32_t from, uint32_t to, const struct source *src);

static void put_object(struct jsonw *w, const struct steps *st, uint32_t at, const struct source *src)
{
	size_t len = w->b->len, begin;
	bool comma = w->comma;

	jsonw_key(w, st->s[at].key);
	jsonw_obj_begin(w);
	begin = w->b->len;
	put_steps(w, st, at + 1, st->s[at].end, src);
	if (w->b->len == begin && !buf_error(w->b)) {
		buf_truncate(w->b, len);
		w->comma = comma;
		return;
	}
	jsonw_obj_end(w);
}

static void put_steps(struct jsonw *w, const struct steps *st, uint32_t from, uint32_t to, const struct source *src)
{
	for (uint32_t i = from; i < to; i++) {
		const struct step *s = &st->s[i];
		struct val v;

		switch (s->kind) {
		case ST_OBJECT:
			put_object(w, st, i, src);
			i = s->end - 1;
			continue;
		case ST_PARENT:
		case ST_ANCESTORS:
			put_relatives(w, src, s);
			continue;
		case ST_TARGET:
			put_target(w, src, s);
			continue;
		}
		v = value_of(src, s);
		if (s->kind == ST_ARGV)
			put_argv(w, s, &v);
		else if (s->kind == ST_ENVP)
			put_envp(w, s, &v);
		else if (s->kind == ST_VALUE || src->how == EVENT_JSON_WHOLE)
			put_value(w, s, &v);
	}
}

static void put_proc(const struct event_json *ej, const struct proc *p, enum event_json_proc how, struct jsonw *w)
{
	const struct steps *st = how == EVENT_JSON_BRIEF ? &ej->brief : &ej->proc;
	struct source src = { .ej = ej, .p = p, .how = how };

	jsonw_obj_begin(w);
	put_steps(w, st, 0, st->n, &src);
	jsonw_obj_end(w);
}

void event_json_proc(const struct event_json *ej, const struct proc *p, enum event_json_proc how, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	put_proc(ej, p, how, &w);
}

/* The values of the event type, or those of its family. */
static void put_own(const struct event_json *ej, const struct event *ev, uint16_t type, struct jsonw *w)
{
	struct source src = { .ej = ej, .v = ev->v, .p = ev->proc, .target = ev->target, .how = EVENT_JSON_ALONE };

	jsonw_obj_begin(w);
	if (type < ej->catalog->nevents)
		put_steps(w, &ej->own[type], 0, ej->own[type].n, &src);
	jsonw_obj_end(w);
}

void event_json_own(const struct event_json *ej, const struct event *ev, uint16_t type, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	put_own(ej, ev, type, &w);
}

static void put_flags(struct jsonw *w, uint16_t flags)
{
	flags &= EVENT_FLAGS_SHOWN;
	if (!flags)
		return;
	jsonw_key(w, "flags");
	jsonw_arr_begin(w);
	for (size_t i = 0; i < COUNT(event_flag_words); i++)
		if (flags & event_flag_words[i].flag)
			jsonw_cstr(w, event_flag_words[i].word);
	jsonw_arr_end(w);
}

/* NULL where the event has no type. */
static const char *type_name(const struct event_json *ej, const struct event *ev)
{
	return ev->type < ej->catalog->nevents ? ej->catalog->events[ev->type].name : NULL;
}

static void put_head(const struct event_json *ej, const struct event *ev, struct jsonw *w)
{
	const struct val *origin = &ev->base[SLOT_BASE_ORIGIN];

	jsonw_obj_begin(w);
	jsonw_member_bool(w, "async", ev->base[SLOT_BASE_ASYNC].num != 0);
	put_flags(w, ev->flags);
	if (origin->len) {
		jsonw_key(w, "origin");
		jsonw_str(w, origin->s, origin->len);
	}
	jsonw_member_int(w, "retval", ev->base[SLOT_BASE_RETVAL].num);
	if (ev->rung > EV_RUNG_NONE && ev->rung < EV_RUNGS) {
		jsonw_member_str(w, "rung", event_rung_words[ev->rung]);
	}
	if (type_name(ej, ev)) {
		jsonw_member_str(w, "type", type_name(ej, ev));
	}
	jsonw_obj_end(w);
}

void event_json_head(const struct event_json *ej, const struct event *ev, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	put_head(ej, ev, &w);
}

/* With its name, and only where something is known. */
static bool put_container(const struct event_json *ej, const struct event *ev, struct jsonw *w)
{
	struct source src = { .ej = ej, .v = ev->base, .how = EVENT_JSON_ALONE };
	size_t len = w->b->len, begin;
	bool comma = w->comma;

	jsonw_key(w, "container");
	jsonw_obj_begin(w);
	begin = w->b->len;
	put_steps(w, &ej->container, 0, ej->container.n, &src);
	if (w->b->len == begin && !buf_error(w->b)) {
		buf_truncate(w->b, len);
		w->comma = comma;
		return false;
	}
	jsonw_obj_end(w);
	return true;
}

bool event_json_container(const struct event_json *ej, const struct event *ev, struct buf *out)
{
	struct jsonw w = jsonw_to(out);

	return put_container(ej, ev, &w);
}

static void put_member(const struct event_json *ej, const struct event *ev, uint16_t type, struct jsonw *w)
{
	jsonw_key(w, ej->catalog->events[type].name);
	put_own(ej, ev, type, w);
}

/* The members in the order of their names: what the event has of its own stands among them. */
void event_json_write(const struct event_json *ej, const struct event *ev, struct buf *out)
{
	static const char *const heads[] = { "container", "event", "process", NULL };
	uint16_t own[2] = { EV_NONE, EV_NONE };
	struct jsonw w = jsonw_to(out);
	int n = 0, next = 0;

	/* The name of a family comes behind those of its events. */
	if (type_name(ej, ev)) {
		own[n++] = ev->type;
		own[n] = ej->catalog->events[ev->type].family;
		n += own[n] != EV_NONE;
	}
	jsonw_obj_begin(&w);
	for (int i = 0; i < 4; i++) {
		while (next < n && (!heads[i] || strcmp(ej->catalog->events[own[next]].name, heads[i]) < 0))
			put_member(ej, ev, own[next++], &w);
		if (i == 0) {
			put_container(ej, ev, &w);
		} else if (i == 1) {
			jsonw_key(&w, heads[i]);
			put_head(ej, ev, &w);
		} else if (i == 2 && ev->proc) {
			jsonw_key(&w, heads[i]);
			put_proc(ej, ev->proc, EVENT_JSON_WHOLE, &w);
		}
	}
	jsonw_obj_end(&w);
}
