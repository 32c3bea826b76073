/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/textpool.h"
#include "lib/strhash.h"

#define NONE PROGRAM_NONE
_Static_assert(TEXTPOOL_MAX == VAR_TEXT_MAX, "every text that is kept fits");

/* One value. */
struct elem {
	int64_t num;	 /* INT, BOOL */
	int64_t expires; /* INT64_MAX: never */
	uint32_t text;	 /* STR, IP: in the pool; NONE: len is 0 */
	uint32_t len;
	uint32_t next; /* in its entry, or in the list of those that are free */
};

/* What one variable holds for one thing that it belongs to. */
struct entry {
	uint32_t var;
	uint32_t pid;
	uint64_t start;
	uint32_t id, id_len; /* text in the pool, or NONE */
	uint32_t hash, hash_next;
	uint32_t prev, next;  /* among those that may give way, oldest first; next: among those that are free */
	uint32_t first, last; /* its values, oldest first */
	uint32_t count;
	bool used;
	bool pinned; /* must not give way just now */
};

struct state {
	const struct program *p; /* copy; arrays borrowed */
	struct program program;
	struct entry *entries; /* owned */
	struct elem *elems;    /* owned */
	uint32_t *buckets;     /* owned */
	uint32_t nentries, nelems, mask;
	uint32_t free_entry, free_elem;	  /* what was given back */
	uint32_t fresh_entry, fresh_elem; /* from here on nothing was ever used, and no page was touched */
	uint32_t oldest, newest;
	uint32_t used_entries, used_elems;
	struct textpool text;
	uint64_t evicted, dropped, cut;
	char copy[VAR_TEXT_MAX];
};

/* ---- keys ---------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdu;
	return h ^ h >> 32;
}

static uint32_t id_len_of(const struct state_key *k)
{
	return k->id_len < TEXTPOOL_MAX ? k->id_len : TEXTPOOL_MAX;
}

static uint32_t key_hash(uint32_t var, const struct state_key *k)
{
	uint64_t h = mix(mix(mix(0x9e3779b97f4a7c15u, var), k->pid), k->start);

	return (uint32_t)(strhash(h, k->id, id_len_of(k)) >> 32);
}

static bool entry_is(const struct state *s, const struct entry *e, uint32_t var, const struct state_key *k)
{
	return e->var == var && e->pid == k->pid && e->start == k->start && e->id_len == id_len_of(k) &&
	       (!e->id_len || memcmp(s->text.bytes + e->id, k->id, e->id_len) == 0);
}

/* What does not tell things of that scope apart is not looked at. */
static struct state_key key_of(const struct state *s, uint32_t var, const struct state_key *k)
{
	struct state_key key = { .scope = s->p->vars[var].scope };

	if (key.scope == VAR_PROCESS) {
		key.pid = k->pid;
		key.start = k->start;
	} else if (key.scope != VAR_GLOBAL) {
		key.id = k->id;
		key.id_len = k->id_len;
	}
	return key;
}

static uint32_t entry_find(const struct state *s, uint32_t var, const struct state_key *k)
{
	uint32_t hash, i;

	if (!s->nentries)
		return NONE;
	hash = key_hash(var, k);
	for (i = s->buckets[hash & s->mask]; i != NONE; i = s->entries[i].hash_next)
		if (s->entries[i].hash == hash && entry_is(s, &s->entries[i], var, k))
			return i;
	return NONE;
}

/* ---- giving back --------------------------------------------------------------------------------------------------- */

static bool may_give_way(const struct state *s, const struct entry *e)
{
	return s->p->vars[e->var].scope != VAR_GLOBAL;
}

static void age_take(struct state *s, uint32_t i)
{
	struct entry *e = &s->entries[i];

	if (!may_give_way(s, e))
		return;
	*(e->prev == NONE ? &s->oldest : &s->entries[e->prev].next) = e->next;
	*(e->next == NONE ? &s->newest : &s->entries[e->next].prev) = e->prev;
}

static void age_put(struct state *s, uint32_t i)
{
	struct entry *e = &s->entries[i];

	if (!may_give_way(s, e))
		return;
	e->prev = s->newest;
	e->next = NONE;
	*(e->prev == NONE ? &s->oldest : &s->entries[e->prev].next) = i;
	s->newest = i;
}

static void elem_free(struct state *s, uint32_t i)
{
	struct elem *v = &s->elems[i];

	if (v->text != NONE)
		textpool_give(&s->text, v->text);
	v->next = s->free_elem;
	s->free_elem = i;
	s->used_elems--;
}

/* Takes the value behind @prev (NONE: the first) out of its entry. */
static uint32_t elem_unlink(struct state *s, struct entry *e, uint32_t prev)
{
	uint32_t i = prev == NONE ? e->first : s->elems[prev].next;

	*(prev == NONE ? &e->first : &s->elems[prev].next) = s->elems[i].next;
	if (e->last == i)
		e->last = prev;
	e->count--;
	return i;
}

static void elem_link(struct state *s, struct entry *e, uint32_t i)
{
	s->elems[i].next = NONE;
	*(e->last == NONE ? &e->first : &s->elems[e->last].next) = i;
	e->last = i;
	e->count++;
}

static void entry_clear(struct state *s, struct entry *e)
{
	while (e->first != NONE)
		elem_free(s, elem_unlink(s, e, NONE));
}

static void entry_free(struct state *s, uint32_t i)
{
	struct entry *e = &s->entries[i];
	uint32_t *at = &s->buckets[e->hash & s->mask];

	while (*at != i)
		at = &s->entries[*at].hash_next;
	*at = e->hash_next;
	age_take(s, i);
	entry_clear(s, e);
	if (e->id != NONE)
		textpool_give(&s->text, e->id);
	*e = (struct entry){ .next = s->free_entry };
	s->free_entry = i;
	s->used_entries--;
}

/* The variable that was set longest ago gives way; false where none may. */
static bool evict(struct state *s)
{
	uint32_t i = s->oldest;

	while (i != NONE && s->entries[i].pinned)
		i = s->entries[i].next;
	if (i == NONE)
		return false;
	entry_free(s, i);
	s->evicted++;
	return true;
}

/* ---- taking -------------------------------------------------------------------------------------------------------- */

/* Copies; *ret NONE for an empty text. */
static bool take_text(struct state *s, const char *text, uint32_t len, uint32_t *ret)
{
	*ret = NONE;
	if (!len)
		return true;
	while ((*ret = textpool_take(&s->text, len)) == TEXTPOOL_NONE)
		if (!evict(s))
			return false;
	memcpy(s->text.bytes + *ret, text, len);
	return true;
}

static uint32_t take_elem(struct state *s)
{
	uint32_t i;

	while (s->free_elem == NONE && s->fresh_elem == s->nelems)
		if (!evict(s))
			return NONE;
	i = s->free_elem;
	if (i != NONE)
		s->free_elem = s->elems[i].next;
	else
		i = s->fresh_elem++;
	s->elems[i] = (struct elem){ .text = NONE, .next = NONE };
	s->used_elems++;
	return i;
}

static uint32_t entry_make(struct state *s, uint32_t var, const struct state_key *k)
{
	uint32_t i, id, len = id_len_of(k);
	struct entry *e;

	while (s->free_entry == NONE && s->fresh_entry == s->nentries)
		if (!evict(s))
			return NONE;
	if (!take_text(s, k->id, len, &id))
		return NONE;
	i = s->free_entry;
	if (i != NONE)
		s->free_entry = s->entries[i].next;
	else
		i = s->fresh_entry++;
	e = &s->entries[i];
	s->used_entries++;
	*e = (struct entry){ .var = var,
			     .pid = k->pid,
			     .start = k->start,
			     .id = id,
			     .id_len = len,
			     .hash = key_hash(var, k),
			     .first = NONE,
			     .last = NONE,
			     .used = true };
	e->hash_next = s->buckets[e->hash & s->mask];
	s->buckets[e->hash & s->mask] = i;
	age_put(s, i);
	return i;
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static bool skip_expired(const struct state *s, struct state_pos *pos, int64_t now)
{
	while (pos->elem != NONE && s->elems[pos->elem].expires <= now)
		pos->elem = s->elems[pos->elem].next;
	return pos->elem != NONE;
}

bool state_first(const struct state *s, uint32_t var, const struct state_key *key, int64_t now, struct state_pos *ret)
{
	const struct state_key k = key_of(s, var, key);

	*ret = (struct state_pos){ entry_find(s, var, &k), NONE };
	if (ret->entry != NONE)
		ret->elem = s->entries[ret->entry].first;
	return skip_expired(s, ret, now);
}

bool state_next(const struct state *s, struct state_pos *pos, int64_t now)
{
	pos->elem = s->elems[pos->elem].next;
	return skip_expired(s, pos, now);
}

static struct val elem_value(const struct state *s, uint8_t type, const struct elem *v)
{
	if (type == NT_INT || type == NT_BOOL)
		return (struct val){ .num = v->num };
	return (struct val){ .s = v->len ? s->text.bytes + v->text : NULL, .len = v->len };
}

static uint8_t scalar_of(const struct state *s, uint32_t var)
{
	return program_scalar(s->p->vars[var].type);
}

struct val state_value(const struct state *s, struct state_pos pos)
{
	return elem_value(s, scalar_of(s, s->entries[pos.entry].var), &s->elems[pos.elem]);
}

/* ---- setting ------------------------------------------------------------------------------------------------------- */

static bool is_number(uint8_t type)
{
	return type == NT_INT || type == NT_BOOL;
}

/* The value in memory that stays while others give way; a text is cut to what is kept. */
static struct val stable(struct state *s, uint8_t type, const struct val *before, const struct val *v)
{
	uint32_t have = 0, more;

	if (is_number(type))
		return (struct val){ .num = before ? (int64_t)((uint64_t)before->num + (uint64_t)v->num) : v->num };
	if (before && before->len) {
		memcpy(s->copy, before->s, before->len);
		have = before->len;
	}
	more = v->len < VAR_TEXT_MAX - have ? v->len : VAR_TEXT_MAX - have;
	if (more)
		memcpy(s->copy + have, v->s, more);
	s->cut += more < v->len;
	return (struct val){ .s = s->copy, .len = have + more };
}

static bool elem_is(const struct state *s, uint8_t type, const struct elem *e, const struct val *v)
{
	if (is_number(type))
		return e->num == v->num;
	return e->len == v->len && (!v->len || memcmp(s->text.bytes + e->text, v->s, v->len) == 0);
}

/* Drops values that have expired, and the one that is the same as @v. */
static void entry_tidy(struct state *s, struct entry *e, int64_t now, const struct val *v)
{
	uint8_t type = scalar_of(s, e->var);
	uint32_t prev = NONE, i = e->first;

	while (i != NONE) {
		uint32_t next = s->elems[i].next;

		if (s->elems[i].expires <= now || elem_is(s, type, &s->elems[i], v))
			elem_free(s, elem_unlink(s, e, prev));
		else
			prev = i;
		i = next;
	}
}

/* @v is stable. */
static bool entry_add(struct state *s, struct entry *e, int64_t expires, const struct val *v)
{
	uint8_t type = scalar_of(s, e->var);
	uint32_t i = take_elem(s);

	if (i == NONE)
		return false;
	if (is_number(type)) {
		s->elems[i].num = v->num;
	} else if (!take_text(s, v->s, v->len, &s->elems[i].text)) {
		elem_free(s, i);
		return false;
	}
	s->elems[i].len = v->len;
	s->elems[i].expires = expires;
	elem_link(s, e, i);
	return true;
}

static bool put(struct state *s, uint32_t var, const struct state_key *k, int64_t now, int64_t expires,
		const struct val *v, bool append)
{
	const struct pvar *d = &s->p->vars[var];
	struct state_pos pos = { entry_find(s, var, k), NONE };
	struct val before, value;
	struct entry *e;
	bool ok;

	if (pos.entry != NONE)
		pos.elem = s->entries[pos.entry].first;
	append = append && !d->size && skip_expired(s, &pos, now);
	before = append ? state_value(s, pos) : (struct val){ .len = 0 };
	value = stable(s, scalar_of(s, var), append ? &before : NULL, v);
	if (pos.entry == NONE)
		pos.entry = entry_make(s, var, k);
	if (pos.entry == NONE) {
		s->dropped++;
		return false;
	}
	e = &s->entries[pos.entry];
	e->pinned = true;
	if (d->size)
		entry_tidy(s, e, now, &value);
	else
		entry_clear(s, e);
	while (d->size && e->count >= d->size)
		elem_free(s, elem_unlink(s, e, NONE));
	ok = entry_add(s, e, expires, &value);
	e->pinned = false;
	s->dropped += !ok;
	age_take(s, pos.entry);
	age_put(s, pos.entry);
	if (e->first == NONE)
		entry_free(s, pos.entry);
	return ok;
}

static int64_t expiry(const struct state *s, uint32_t var, int64_t now)
{
	int64_t ttl = s->p->vars[var].ttl_ns, expires;

	return ttl && !__builtin_add_overflow(now, ttl, &expires) ? expires : INT64_MAX;
}

bool state_set(struct state *s, uint32_t var, const struct state_key *key, int64_t now, const struct val *v,
	       bool append)
{
	const struct state_key k = key_of(s, var, key);

	return s->nentries && put(s, var, &k, now, expiry(s, var, now), v, append);
}

bool state_add_all(struct state *s, uint32_t var, const struct state_key *key, int64_t now, struct state_pos from)
{
	const struct state_key k = key_of(s, var, key);
	bool ok = true;

	if (entry_find(s, var, &k) == from.entry)
		return true;
	s->entries[from.entry].pinned = true;
	for (bool more = skip_expired(s, &from, now); more; more = state_next(s, &from, now)) {
		struct val v = state_value(s, from);

		ok = put(s, var, &k, now, expiry(s, var, now), &v, true) && ok;
	}
	s->entries[from.entry].pinned = false;
	return ok;
}

/* ---- forgetting, carrying over ------------------------------------------------------------------------------------- */

void state_forget(struct state *s, const struct state_key *key)
{
	for (uint32_t v = 0; v < s->p->nvars && s->nentries; v++) {
		struct state_key k = key_of(s, v, key);
		uint32_t i = s->p->vars[v].scope == key->scope ? entry_find(s, v, &k) : NONE;

		if (i != NONE)
			entry_free(s, i);
	}
}

bool state_knows(const struct state *s, const struct state_key *key)
{
	for (uint32_t v = 0; v < s->p->nvars && s->nentries; v++) {
		struct state_key k = key_of(s, v, key);

		if (s->p->vars[v].scope == key->scope && entry_find(s, v, &k) != NONE)
			return true;
	}
	return false;
}

/* The variable of @s that is the same as that of @from, or NONE. */
static uint32_t same_var(const struct state *s, const struct state *from, uint32_t var)
{
	const struct pvar *old = &from->p->vars[var];
	uint32_t len, new_len;
	const char *name = program_str(from->p, old->name, &len);

	for (uint32_t v = 0; v < s->p->nvars; v++) {
		const struct pvar *new = &s->p->vars[v];
		const char *text = program_str(s->p, new->name, &new_len);

		if (new->scope == old->scope &&new->type == old->type && len == new_len &&memcmp(name, text, len) == 0)
			return v;
	}
	return NONE;
}

static void carry_entry(struct state *s, const struct state *from, const struct entry *e)
{
	uint32_t var = same_var(s, from, e->var);
	struct state_key k = {
		.pid = e->pid, .start = e->start, .id = e->id_len ? from->text.bytes + e->id : NULL, .id_len = e->id_len
	};

	if (var == NONE || (s->p->vars[var].flags & VAR_IDLE)) /* the sieve counts on what idle ones hold */
		return;
	for (uint32_t i = e->first; i != NONE; i = from->elems[i].next) {
		struct val v = elem_value(from, scalar_of(from, e->var), &from->elems[i]);

		put(s, var, &k, INT64_MIN, from->elems[i].expires, &v, false);
	}
}

void state_carry(struct state *s, const struct state *from)
{
	if (!s->nentries)
		return;
	for (uint32_t i = 0; i < from->fresh_entry; i++)
		if (from->entries[i].used && !may_give_way(from, &from->entries[i]))
			carry_entry(s, from, &from->entries[i]);
	for (uint32_t i = from->oldest; i != NONE; i = from->entries[i].next)
		carry_entry(s, from, &from->entries[i]);
}

uint64_t state_flags(const struct state *s)
{
	uint64_t flags = 0;

	for (uint32_t i = 0; i < s->fresh_entry; i++) {
		uint8_t flag = s->entries[i].used ? s->p->vars[s->entries[i].var].flag : 0;

		flags |= flag && flag <= 64 ? 1ull << (flag - 1) : 0;
	}
	return flags;
}

/* ---- making one ---------------------------------------------------------------------------------------------------- */

/* Room for every global variable with all its values, which never give way, beside the room that is asked for. */
static void plan(struct state *s, const struct state_options *o, uint32_t *ret_text)
{
	const struct program *p = s->p;
	uint64_t global_values = 0, text;
	uint32_t scoped = 0;

	for (uint32_t i = 0; i < p->nvars; i++) {
		if (p->vars[i].scope == VAR_GLOBAL)
			global_values += p->vars[i].size ? p->vars[i].size : 1;
		else
			scoped++;
	}
	s->nentries = p->nvars + (scoped ? o->entries : 0);
	s->nelems = (uint32_t)global_values + (scoped ? o->values : 0);
	text = global_values * TEXTPOOL_MAX;
	*ret_text = (uint32_t)(text < o->text_bytes && !scoped ? text : o->text_bytes);
}

static void make_lists(struct state *s)
{
	s->oldest = s->newest = s->free_entry = s->free_elem = NONE;
	for (uint32_t i = 0; i <= s->mask; i++)
		s->buckets[i] = NONE;
}

int state_new(const struct program *p, const struct state_options *o, struct state **ret)
{
	_cleanup_(state_free) struct state *s = calloc(1, sizeof(*s));
	uint32_t text = 0, buckets = 1;
	int r;

	if (!s)
		return -ENOMEM;
	s->program = *p;
	s->p = &s->program;
	if (p->nvars)
		plan(s, o, &text);
	while (buckets < s->nentries)
		buckets *= 2;
	s->mask = buckets - 1;
	s->entries = calloc((size_t)s->nentries + 1, sizeof(*s->entries));
	s->elems = calloc((size_t)s->nelems + 1, sizeof(*s->elems));
	s->buckets = calloc(buckets, sizeof(*s->buckets));
	r = textpool_init(&s->text, text);
	if (r < 0 || !s->entries || !s->elems || !s->buckets)
		return -ENOMEM;
	make_lists(s);
	*ret = TAKE_PTR(s);
	return 0;
}

void state_free(struct state *s)
{
	if (!s)
		return;
	textpool_done(&s->text);
	free(s->entries);
	free(s->elems);
	free(s->buckets);
	free(s);
}

void state_stats(const struct state *s, struct state_stats *ret)
{
	*ret = (struct state_stats){ .entries = s->used_entries,
				     .values = s->used_elems,
				     .text_bytes = s->text.used,
				     .evicted = s->evicted,
				     .dropped = s->dropped,
				     .cut = s->cut };
}

/* ---- for tests ----------------------------------------------------------------------------------------------------- */

static uint32_t count_free(const struct state *s, uint32_t *ret_elems)
{
	uint32_t entries = 0, elems = 0;

	for (uint32_t i = s->free_entry; i != NONE && entries <= s->nentries; i = s->entries[i].next)
		entries += !s->entries[i].used;
	for (uint32_t i = s->free_elem; i != NONE && elems <= s->nelems; i = s->elems[i].next)
		elems++;
	*ret_elems = elems;
	return entries;
}

static bool entry_sane(const struct state *s, uint32_t i, uint32_t *elems)
{
	const struct entry *e = &s->entries[i];
	const struct pvar *v = &s->p->vars[e->var];
	uint32_t n = 0, last = NONE, at = s->buckets[e->hash & s->mask];

	for (uint32_t k = e->first; k != NONE && n <= e->count; k = s->elems[k].next, n++)
		last = k;
	while (at != NONE && at != i)
		at = s->entries[at].hash_next;
	*elems += n;
	return at == i && n == e->count && last == e->last && n > 0 && n <= (v->size ? v->size : 1) && !e->pinned;
}

bool state_sane(const struct state *s)
{
	uint32_t elems = 0, entries = 0, aged = 0, may = 0, free_elems, free_entries;

	for (uint32_t i = 0; i < s->fresh_entry; i++) {
		if (!s->entries[i].used)
			continue;
		if (!entry_sane(s, i, &elems))
			return false;
		entries++;
		may += may_give_way(s, &s->entries[i]);
	}
	for (uint32_t i = s->oldest; i != NONE && aged <= may; i = s->entries[i].next)
		aged++;
	free_entries = count_free(s, &free_elems);
	return entries == s->used_entries && elems == s->used_elems && aged == may &&
	       entries + free_entries == s->fresh_entry && elems + free_elems == s->fresh_elem &&
	       textpool_sane(&s->text);
}
