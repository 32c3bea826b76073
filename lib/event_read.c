/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/derive.h"
#include "lib/event_json.h"
#include "lib/event_words.h"
#include "lib/ipnet.h"
#include "lib/program.h"

#define NAME_MAX_LEN 256
#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))

/* ---- memory -------------------------------------------------------------------------------------------------------- */

struct event_chunk {
	struct event_chunk *next;
	size_t used, size;
	char bytes[] __attribute__((aligned(16)));
};

#define CHUNK_SIZE (16u << 10)

void event_mem_init(struct event_mem *m, size_t max)
{
	*m = (struct event_mem){ .max = max };
}

void event_mem_done(struct event_mem *m)
{
	while (m->chunks) {
		struct event_chunk *next = m->chunks->next;

		free(m->chunks);
		m->chunks = next;
	}
	m->used = 0;
}

/* Zeroed; NULL without memory or over the maximum. */
static void *mem_alloc(struct event_mem *m, size_t n)
{
	struct event_chunk *c = m->chunks;
	size_t size;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (!c || c->size - c->used < n) {
		size = n > CHUNK_SIZE ? n : CHUNK_SIZE;
		if (size > m->max || m->used > m->max - size)
			return NULL;
		c = calloc(1, sizeof(*c) + size);
		if (!c)
			return NULL;
		c->size = size;
		c->next = m->chunks;
		m->chunks = c;
		m->used += size;
	}
	p = c->bytes + c->used;
	c->used += n;
	return p;
}

static struct val *mem_vals(struct event_mem *m, size_t n)
{
	return mem_alloc(m, (n ? n : 1) * sizeof(struct val));
}

/* ---- values -------------------------------------------------------------------------------------------------------- */

struct reader {
	const struct catalog *c;
	struct event_mem *m;
	struct event *ev;
	struct err *err;
	struct chain {
		struct proc *procs[1 + VAL_ANCESTORS_MAX]; /* the event's process, its parent, and so on */
		unsigned n;
	} chains[2];		 /* of the event's process and of its target */
	int ancestor;		 /* while its members are read; -1 otherwise */
	char name[NAME_MAX_LEN]; /* of what is read, for errors and look-ups */
	size_t name_len;
};

static int fail(struct reader *r, const char *what)
{
	err_set(r->err, -EINVAL, "%s: %s", r->name, what);
	return -EINVAL;
}

static int no_memory(struct reader *r)
{
	return err_set(r->err, -ENOMEM, "the event takes too much memory");
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes what lib/jsonw.h does to bytes that are no UTF-8. */
static size_t unescape(char *to, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (len - i >= 4 && s[i] == '\\' && s[i + 1] == 'x' && hex_digit(s[i + 2]) >= 0 &&
		    hex_digit(s[i + 3]) >= 0) {
			to[n++] = (char)(hex_digit(s[i + 2]) << 4 | hex_digit(s[i + 3]));
			i += 3;
		} else {
			to[n++] = s[i];
		}
	}
	return n;
}

static int read_string(struct reader *r, const json_t *j, struct val *ret)
{
	size_t len = json_string_length(j);
	char *s;

	if (!json_is_string(j))
		return fail(r, "not a string");
	if (len > UINT32_MAX / 4)
		return fail(r, "too long");
	s = mem_alloc(r->m, len + 1);
	if (!s)
		return no_memory(r);
	ret->len = (uint32_t)unescape(s, json_string_value(j), len);
	ret->s = s;
	return 0;
}

/* A decimal number or the name of a constant. */
static int read_word(struct reader *r, const char *s, size_t len, int64_t *ret)
{
	const struct cat_constant *c = catalog_constant(r->c, s, len);
	char text[24], *end;

	if (c) {
		*ret = c->value;
		return 0;
	}
	if (len == 0 || len >= sizeof(text))
		return fail(r, "neither a number nor a constant");
	memcpy(text, s, len);
	text[len] = 0;
	errno = 0;
	*ret = text[0] == '-' ? strtoll(text, &end, 10) : (int64_t)strtoull(text, &end, 10);
	if (errno || *end || (text[0] != '-' && (text[0] < '0' || text[0] > '9')))
		return fail(r, "neither a number nor a constant");
	return 0;
}

/* Words joined by '|'. */
static int read_words(struct reader *r, const char *s, size_t len, int64_t *ret)
{
	const char *end = s + len;
	int64_t sum = 0, word;
	int err;

	for (;; s++) {
		const char *bar = memchr(s, '|', (size_t)(end - s)), *stop = bar ? bar : end, *from = s;

		while (from < stop && *from == ' ')
			from++;
		s = stop;
		while (stop > from && stop[-1] == ' ')
			stop--;
		err = read_word(r, from, (size_t)(stop - from), &word);
		if (err < 0)
			return err;
		sum |= word;
		if (!bar)
			break;
	}
	*ret = sum;
	return 0;
}

static int read_int(struct reader *r, const json_t *j, struct val *ret)
{
	if (json_is_integer(j)) {
		ret->num = json_integer_value(j);
		return 0;
	}
	if (json_is_string(j))
		return read_words(r, json_string_value(j), json_string_length(j), &ret->num);
	return fail(r, "not an integer");
}

static int read_bool(struct reader *r, const json_t *j, struct val *ret)
{
	if (json_is_boolean(j))
		ret->num = json_is_true(j);
	else if (json_is_integer(j) && (json_integer_value(j) == 0 || json_integer_value(j) == 1))
		ret->num = json_integer_value(j);
	else
		return fail(r, "neither true nor false");
	return 0;
}

static int read_ip(struct reader *r, const json_t *j, struct val *ret)
{
	uint8_t *ip = mem_alloc(r->m, IPNET_BYTES);

	if (!ip)
		return no_memory(r);
	if (!json_is_string(j) || ipnet_parse(json_string_value(j), json_string_length(j), ip) < 0)
		return fail(r, "not an IP address");
	ret->s = (const char *)ip;
	ret->len = IPNET_BYTES;
	return 0;
}

static int read_scalar(struct reader *r, const json_t *j, uint8_t type, struct val *ret)
{
	switch (type) {
	case VAL_INT:
		return read_int(r, j, ret);
	case VAL_BOOL:
		return read_bool(r, j, ret);
	case VAL_IP:
		return read_ip(r, j, ret);
	default:
		return read_string(r, j, ret);
	}
}

/* An array; a single value is an array of one. */
static int read_array(struct reader *r, const json_t *j, uint8_t type, struct val *ret)
{
	size_t n = json_is_array(j) ? json_array_size(j) : 1;
	struct val *v = mem_vals(r->m, n);

	if (!v)
		return no_memory(r);
	for (size_t i = 0; i < n; i++) {
		int err = read_scalar(r, json_is_array(j) ? json_array_get(j, i) : j, type, &v[i]);

		if (err < 0)
			return err;
	}
	ret->arr = v;
	ret->len = (uint32_t)n;
	return 0;
}

/* ---- fields -------------------------------------------------------------------------------------------------------- */

/* The event's process or target (0), its parent (1), and so on; they are made as they are asked for. */
static struct proc *proc_at(struct reader *r, uint8_t home, unsigned k)
{
	bool target = home >= CAT_HOME_TARGET;
	struct chain *c = &r->chains[target];

	while (c->n <= k) {
		struct proc *p = mem_alloc(r->m, sizeof(*p));

		if (!p)
			return NULL;
		if (c->n)
			c->procs[c->n - 1]->parent = p;
		else if (target)
			r->ev->target = p;
		else
			r->ev->proc = p;
		c->procs[c->n++] = p;
	}
	return c->procs[k];
}

/* Where a process has the value; room for what no sensor fills in is made with the first such value. NULL: no memory. */
static struct val *proc_val(struct reader *r, struct proc *p, unsigned slot)
{
	if (slot < SLOT_PROC_SEEN)
		return &p->v[slot];
	if (!p->more)
		p->more = mem_vals(r->m, SLOT_PROC_COUNT - SLOT_PROC_SEEN);
	return p->more ? &p->more[slot - SLOT_PROC_SEEN] : NULL;
}

static int set_type(struct reader *r, uint16_t type)
{
	int both = catalog_meet(r->c, r->ev->type, type);

	if (both < 0)
		return fail(r, "a field of another event type than the ones before");
	r->ev->type = (uint16_t)both;
	return 0;
}

static int set_proc_value(struct reader *r, const struct cat_field *f, unsigned k, const json_t *j, bool array)
{
	struct proc *p = proc_at(r, f->home, k);
	struct val *v = p ? proc_val(r, p, f->slot) : NULL;

	if (!v)
		return no_memory(r);
	return array ? read_array(r, j, f->type, v) : read_scalar(r, j, f->type, v);
}

/* Within an ancestor its own value; in the flat form, a value for each ancestor. */
static int set_ancestors_value(struct reader *r, const struct cat_field *f, const json_t *j)
{
	bool several = program_field_several(r->c, f);
	size_t n = json_array_size(j);

	if (r->ancestor >= 0)
		return set_proc_value(r, f, 1 + (unsigned)r->ancestor, j, several);
	if (!json_is_array(j) || n > VAL_ANCESTORS_MAX)
		return fail(r, "not an array with a value for each ancestor");
	for (size_t i = 0; i < n; i++) {
		int err = set_proc_value(r, f, 1 + (unsigned)i, json_array_get(j, i), several);

		if (err < 0)
			return err;
	}
	return 0;
}

static int set_field(struct reader *r, const struct cat_field *f, const json_t *j)
{
	struct val *v;
	int err = f->event == EV_NONE ? 0 : set_type(r, f->event);

	if (err < 0)
		return err;
	switch (f->home) {
	case CAT_HOME_PROC:
	case CAT_HOME_TARGET:
		return set_proc_value(r, f, 0, j, program_field_several(r->c, f));
	case CAT_HOME_PARENT:
	case CAT_HOME_TARGET_PARENT:
		return set_proc_value(r, f, 1, j, program_field_several(r->c, f));
	case CAT_HOME_ANCESTORS:
	case CAT_HOME_TARGET_ANCESTORS:
		return set_ancestors_value(r, f, j);
	}
	v = f->home == CAT_HOME_BASE ? &r->ev->base[f->slot] : &r->ev->v[f->slot];
	return f->flags & CF_ARRAY ? read_array(r, j, f->type, v) : read_scalar(r, j, f->type, v);
}

/* ---- the members of an alert that are no fields -------------------------------------------------------------------- */

static int read_type(struct reader *r, const json_t *j)
{
	const struct cat_event *e = NULL;

	if (json_is_string(j))
		e = catalog_event(r->c, json_string_value(j), json_string_length(j));
	if (!e)
		return fail(r, "no such event type");
	return set_type(r, e->type);
}

static int read_rung(struct reader *r, const json_t *j)
{
	for (uint8_t i = 0; json_is_string(j) && i < EV_RUNGS; i++)
		if (strcmp(json_string_value(j), event_rung_words[i]) == 0) {
			r->ev->rung = i;
			return 0;
		}
	return fail(r, "no such rung");
}

static int read_flags(struct reader *r, const json_t *j)
{
	for (size_t i = 0; i < json_array_size(j); i++) {
		const char *word = json_string_value(json_array_get(j, i));

		for (size_t k = 0; word && k < COUNT(event_flag_words); k++)
			if (strcmp(word, event_flag_words[k].word) == 0)
				r->ev->flags |= event_flag_words[k].flag;
	}
	return json_is_array(j) ? 0 : fail(r, "not an array");
}

/* Nanoseconds behind the dot; *s is left at what follows. */
static int64_t read_fraction(const char **s)
{
	int64_t ns = 0;
	int digits = 0;

	if (**s != '.')
		return 0;
	for ((*s)++; **s >= '0' && **s <= '9'; (*s)++, digits++)
		if (digits < 9)
			ns = ns * 10 + (**s - '0');
	for (; digits < 9; digits++)
		ns *= 10;
	return ns;
}

/* RFC 3339 in UTC, as alerts have it. */
static int read_time(struct reader *r, const json_t *j)
{
	struct tm tm = { .tm_year = 0 };
	const char *s = json_string_value(j);
	int64_t ns;

	s = s ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!s)
		return fail(r, "not a time such as 2026-01-31T12:00:00Z");
	ns = read_fraction(&s);
	if (strcmp(s, "Z") != 0 || tm.tm_year < 70 || tm.tm_year > 330)
		return fail(r, "not a time such as 2026-01-31T12:00:00Z");
	r->ev->base[SLOT_BASE_TIMESTAMP].num = (int64_t)timegm(&tm) * 1000000000 + ns;
	return 0;
}

static int read_host(struct reader *r, const json_t *j)
{
	return read_string(r, j, &r->ev->base[SLOT_BASE_HOSTNAME]);
}

static int read_nothing(struct reader *r, const json_t *j)
{
	(void)r;
	(void)j;
	return 0;
}

static const struct special {
	const char *name;
	int (*read)(struct reader *r, const json_t *j);
} specials[] = {
	{ "event.type", read_type }, { "event.rung", read_rung },    { "event.flags", read_flags },
	{ "time", read_time },	     { "host", read_host },	     { "kind", read_nothing },
	{ "v", read_nothing },	     { "seq", read_nothing },	     { "rule", read_nothing },
	{ "log", read_nothing },     { "suppressed", read_nothing }, { "variables", read_nothing },
	{ "actions", read_nothing },
};

/* ---- walking over the JSON ----------------------------------------------------------------------------------------- */

static const struct special *special_of(const struct reader *r)
{
	for (size_t i = 0; i < COUNT(specials); i++)
		if (strcmp(r->name, specials[i].name) == 0)
			return &specials[i];
	return NULL;
}

static int unknown_field(struct reader *r)
{
	const char *near = catalog_nearest(r->c, r->name, r->name_len);

	if (near)
		return err_set(r->err, -EINVAL, "%s: no such field; did you mean %s?", r->name, near);
	return err_set(r->err, -EINVAL, "%s: no such field; tamisc fields lists them", r->name);
}

static int read_member(struct reader *r, const json_t *j);

/* Every member of @j, each under the present name. */
static int read_members(struct reader *r, const json_t *j)
{
	size_t len = r->name_len;
	const char *key;
	json_t *value;
	int err = 0;

	json_object_foreach((json_t *)j, key, value)
	{
		int n = snprintf(r->name + len, sizeof(r->name) - len, "%s%s", len ? "." : "", key);

		if (n < 0 || (size_t)n >= sizeof(r->name) - len) {
			r->name[len] = 0;
			return fail(r, "a member with too long a name");
		}
		r->name_len = len + (size_t)n;
		err = read_member(r, value);
		r->name_len = len;
		r->name[len] = 0;
		if (err < 0)
			return err;
	}
	return 0;
}

/* The home of the fields below @name, or CAT_HOME_EVENT where it is no list of processes. */
static uint8_t list_home(const struct reader *r)
{
	static const char pid[] = ".pid";
	char name[NAME_MAX_LEN + sizeof(pid)];
	const struct cat_field *f;

	memcpy(name, r->name, r->name_len);
	memcpy(name + r->name_len, pid, sizeof(pid));
	f = catalog_field(r->c, name, r->name_len + strlen(pid));
	return f && cat_is_ancestors(f->home) ? f->home : CAT_HOME_EVENT;
}

static int read_ancestors(struct reader *r, uint8_t home, const json_t *j)
{
	size_t n = json_array_size(j);
	int err = 0;

	if (n > VAL_ANCESTORS_MAX)
		return fail(r, "too many ancestors");
	for (size_t i = 0; err == 0 && i < n; i++) {
		if (!json_is_object(json_array_get(j, i)))
			return fail(r, "not an array of objects");
		if (!proc_at(r, home, 1 + (unsigned)i))
			return no_memory(r);
		r->ancestor = (int)i;
		err = read_members(r, json_array_get(j, i));
		r->ancestor = -1;
	}
	return err;
}

static int read_member(struct reader *r, const json_t *j)
{
	const struct special *special = special_of(r);
	const struct cat_field *f;
	uint8_t home;

	if (special)
		return special->read(r, j);
	if (r->name[0] == '_')
		return 0;
	if (json_is_object(j))
		return read_members(r, j);
	home = json_is_array(j) ? list_home(r) : CAT_HOME_EVENT;
	if (home != CAT_HOME_EVENT)
		return read_ancestors(r, home, j);
	f = catalog_field(r->c, r->name, r->name_len);
	if (!f)
		return unknown_field(r);
	return json_is_null(j) ? 0 : set_field(r, f, j);
}

/* ---- what is left out ---------------------------------------------------------------------------------------------- */

static int split_args(struct event_mem *m, struct val args, struct val *ret)
{
	const char *s = args.s, *end = args.s + args.len;
	uint32_t n = 1;
	struct val *v;

	for (uint32_t i = 0; i < args.len; i++)
		n += args.s[i] == ' ';
	v = mem_vals(m, n);
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const char *space = memchr(s, ' ', (size_t)(end - s)), *stop = space ? space : end;

		v[i] = (struct val){ .s = s, .len = (uint32_t)(stop - s) };
		s = stop + 1;
	}
	*ret = (struct val){ .arr = v, .len = n };
	return 0;
}

static int join_args(struct event_mem *m, struct val argv, struct val *ret)
{
	size_t size = 0, n = 0;
	char *s;

	for (uint32_t i = 0; i < argv.len; i++)
		size += argv.arr[i].len + 1;
	s = mem_alloc(m, size);
	if (!s)
		return -ENOMEM;
	for (uint32_t i = 0; i < argv.len; i++) {
		if (i)
			s[n++] = ' ';
		if (argv.arr[i].len)
			memcpy(s + n, argv.arr[i].s, argv.arr[i].len);
		n += argv.arr[i].len;
	}
	*ret = (struct val){ .s = s, .len = (uint32_t)n };
	return 0;
}

static int derive_flags(struct event_mem *m, struct val argv, struct val *flags, struct val *options)
{
	struct val *v = mem_vals(m, 2 * DERIVE_ARGS_MAX);
	char *text = mem_alloc(m, derive_args_text_size(argv.arr, argv.len));

	if (!v || !text)
		return -ENOMEM;
	if (!flags->len)
		*flags = (struct val){ .arr = v, .len = derive_args_flags(argv.arr, argv.len, v, DERIVE_ARGS_MAX) };
	v += DERIVE_ARGS_MAX;
	if (!options->len)
		*options = (struct val){ .arr = v,
					 .len = derive_args_options(argv.arr, argv.len, v, DERIVE_ARGS_MAX, text) };
	return 0;
}

static int derive_envs(struct event_mem *m, struct val envp, struct val *ret)
{
	struct val *v = mem_vals(m, envp.len);

	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < envp.len; i++) {
		const char *equals = envp.arr[i].len ? memchr(envp.arr[i].s, '=', envp.arr[i].len) : NULL;

		v[i] = envp.arr[i];
		v[i].len = equals ? (uint32_t)(equals - v[i].s) : v[i].len;
	}
	*ret = (struct val){ .arr = v, .len = envp.len };
	return 0;
}

static int complete_proc(struct event_mem *m, struct proc *p)
{
	struct val *v = p->v;
	int err = 0;

	if (!v[SLOT_PROC_ARGV].len && v[SLOT_PROC_ARGS].len)
		err = split_args(m, v[SLOT_PROC_ARGS], &v[SLOT_PROC_ARGV]);
	else if (v[SLOT_PROC_ARGV].len && !v[SLOT_PROC_ARGS].len)
		err = join_args(m, v[SLOT_PROC_ARGV], &v[SLOT_PROC_ARGS]);
	if (err == 0 && v[SLOT_PROC_ARGV].len)
		err = derive_flags(m, v[SLOT_PROC_ARGV], &v[SLOT_PROC_ARGS_FLAGS], &v[SLOT_PROC_ARGS_OPTIONS]);
	if (err == 0 && !v[SLOT_PROC_ENVS].len && v[SLOT_PROC_ENVP].len)
		err = derive_envs(m, v[SLOT_PROC_ENVP], &v[SLOT_PROC_ENVS]);
	proc_derive(p);
	return err;
}

static void set_default(struct val *v, const char *s)
{
	if (!v->len)
		*v = (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

/* Slots are those of catalog.def only in its own catalog. */
static int complete(struct reader *r)
{
	struct event *ev = r->ev;

	if (r->c != catalog_tamis())
		return 0;
	for (int k = 0; k < 2; k++)
		for (unsigned i = 0; i < r->chains[k].n; i++)
			if (complete_proc(r->m, r->chains[k].procs[i]) < 0)
				return no_memory(r);
	event_derive(ev);
	set_default(&ev->base[SLOT_BASE_OS], "linux");
	set_default(&ev->base[SLOT_BASE_SOURCE], "runtime");
	ev->now_ns = ev->base[SLOT_BASE_TIMESTAMP].num;
	return 0;
}

int event_json_read(const struct catalog *c, const char *text, size_t len, struct event_mem *m, struct event *ret,
		    struct err *err)
{
	struct event ev = { .type = EV_NONE, .alive = { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
	struct reader r = { .c = c, .m = m, .ev = &ev, .err = err, .ancestor = -1 };
	json_error_t why = { .text = "" };
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	int e;

	/* Where the library finds no memory, it mostly says nothing. */
	if (!j && (!why.text[0] || json_error_code(&why) == json_error_out_of_memory))
		return no_memory(&r);
	if (!j)
		return err_set(err, -EINVAL, "line %d, column %d: %s", why.line, why.column, why.text);
	e = json_is_object(j) ? read_members(&r, j) : err_set(err, -EINVAL, "an event is a JSON object");
	json_decref(j);
	if (ev.type < c->nevents && c->events[ev.type].is_family)
		ev.type = EV_NONE;
	if (e == 0)
		e = complete(&r);
	if (e < 0)
		return e;
	*ret = ev;
	return 0;
}
