/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "sensor/priv/fetch.h"

/* An entry of the ring; never around its end. Type 0: the rest up to the end is unused. */
struct slot {
	uint64_t ns; /* when it came */
	uint32_t size;
	uint16_t type;
	uint16_t pad;
};

static size_t slot_bytes(uint32_t size)
{
	return sizeof(struct slot) + ((size + 7u) & ~7u);
}

/* ---- the ring ------------------------------------------------------------------------------------------------------ */

/* The entry at @at, which becomes the place behind it; NULL at the end. @left: bytes of the ring from there on. */
static const struct slot *next(const struct past *p, size_t *at, size_t *left)
{
	const struct slot *s;
	size_t n;

	if (*left && p->size - *at < sizeof(*s)) {
		*left -= p->size - *at;
		*at = 0;
	}
	if (!*left)
		return NULL;
	s = (const struct slot *)(p->ring + *at);
	if (!s->type) {
		*left -= p->size - *at;
		*at = 0;
		if (!*left)
			return NULL;
		s = (const struct slot *)p->ring;
	}
	n = slot_bytes(s->size);
	*at = (*at + n) % p->size;
	*left -= n;
	return s;
}

static void play(struct past *p, uint16_t type, const void *bytes, uint32_t size)
{
	const struct capture_entry e = { .type = type, .size = size, .p = bytes };

	/* that something was lost changes nothing in what is known */
	if (type != CAPTURE_LOSS && playback_entry(p->behind, &e, NULL) < 0)
		p->broken = true;
}

/* Told for the record, or the tick, that follows. */
static bool is_look(uint16_t type)
{
	return type == CAPTURE_LOOK || type == CAPTURE_LOOKUP;
}

/* The oldest leaves the ring: what /proc said goes with the record that it was asked for. */
static void retire(struct past *p)
{
	const struct slot *s;

	do {
		s = next(p, &p->first, &p->used);
		if (s)
			play(p, s->type, s + 1, s->size);
	} while (s && is_look(s->type));
}

static const struct slot *oldest(const struct past *p)
{
	size_t at = p->first, left = p->used;

	return next(p, &at, &left);
}

/* Where an entry of @need bytes goes; what lies between is marked. NULL: there is no room now. */
static struct slot *place(struct past *p, size_t need)
{
	size_t at = (p->first + p->used) % p->size, rest = p->size - at;
	size_t waste = rest < need ? rest : 0;

	if (p->used + waste + need > p->size)
		return NULL;
	if (waste >= sizeof(struct slot))
		((struct slot *)(p->ring + at))->type = 0;
	p->used += waste + need;
	return (struct slot *)(p->ring + (waste ? 0 : at));
}

static void put(struct past *p, uint16_t type, const void *bytes, size_t size)
{
	const size_t need = slot_bytes((uint32_t)size);
	const struct slot *old;
	struct slot *s = NULL;

	while (need <= p->size && !(s = place(p, need)) && p->used)
		retire(p);
	if (!s) { /* larger than all: what was before it is before it */
		while (p->used)
			retire(p);
		play(p, type, bytes, (uint32_t)size);
		return;
	}
	*s = (struct slot){ .ns = p->now_ns, .size = (uint32_t)size, .type = type };
	memcpy(s + 1, bytes, size);
	/* only now: what /proc said just before stays with this one */
	while (!is_look(type) && (old = oldest(p)) && p->now_ns - old->ns > p->depth_ns)
		retire(p);
}

/* ---- what comes in ------------------------------------------------------------------------------------------------- */

static void on_enrich(void *ctx, uint16_t type, const void *bytes, size_t len)
{
	put(ctx, type, bytes, len);
}

static void on_lookup(void *ctx, const void *bytes, size_t len)
{
	put(ctx, CAPTURE_LOOKUP, bytes, len);
}

void past_record(struct past *p, const void *rec, size_t size)
{
	struct ev_head h;

	if (!p->ring)
		return;
	if (size >= sizeof(h)) {
		memcpy(&h, rec, sizeof(h));
		/* a record that says it comes from tomorrow would empty the ring */
		if (h.boot_ns > p->now_ns && h.boot_ns - p->now_ns < p->depth_ns)
			p->now_ns = h.boot_ns;
	}
	put(p, CAPTURE_RECORD, rec, size);
}

void past_lost(struct past *p, uint32_t where, uint64_t count)
{
	struct buf b;

	if (!p->ring || !count)
		return;
	buf_init(&b, 64);
	buf_put_u32(&b, where);
	buf_put_u64(&b, count);
	if (!buf_error(&b))
		put(p, CAPTURE_LOSS, b.data, b.len);
	buf_done(&b);
}

/* ---- beginning and end --------------------------------------------------------------------------------------------- */

struct loading {
	struct past *p;
	int error;
};

static void load(void *ctx, uint16_t type, const void *bytes, size_t len)
{
	struct loading *l = ctx;
	const struct capture_entry e = { .type = type, .size = (uint32_t)len, .p = bytes };
	int r = l->error ? 0 : playback_entry(l->p->behind, &e, NULL);

	l->error = r < 0 ? r : l->error;
}

static void load_record(void *ctx, const void *rec, size_t size)
{
	load(ctx, CAPTURE_RECORD, rec, size);
}

/* A playback that has come to now. */
static int begin_playback(struct past *p)
{
	const struct proctable *t = enrich_proctable(p->enrich);
	const struct capture_meta m = { .clock = decode_clock_of(p->decode),
					.boot_ns = proctable_now(t),
					.tick_ns = proctable_tick_ns(t) };
	struct loading l = { .p = p };
	struct err e;
	int r = playback_new(&m, &p->behind, &e);

	if (r == 0)
		r = enrich_save(p->enrich, load, &l);
	if (r == 0 && !l.error)
		r = decode_save(p->decode, load_record, &l);
	p->now_ns = m.boot_ns;
	p->first = p->used = 0;
	p->broken = false;
	return r < 0 ? r : l.error;
}

int past_begin(struct past *p, struct decode *decode, struct enrich *enrich, struct fetch *fetch, uint64_t depth_ns,
	       size_t bytes)
{
	int r;

	past_end(p);
	*p = (struct past){ .size = bytes & ~(size_t)7, .depth_ns = depth_ns };
	p->decode = decode;
	p->enrich = enrich;
	p->fetch = fetch;
	p->ring = malloc(p->size);
	r = p->ring ? begin_playback(p) : -ENOMEM;
	if (r == 0)
		r = enrich_watch(enrich, on_enrich, p);
	if (r == 0 && fetch)
		r = fetch_watch(fetch, on_lookup, p);
	if (r < 0)
		past_end(p);
	return r;
}

void past_end(struct past *p)
{
	if (p->enrich)
		enrich_unwatch(p->enrich, p);
	if (p->fetch)
		fetch_unwatch(p->fetch, p);
	playback_free(p->behind);
	free(p->ring);
	*p = (struct past){ 0 };
}

void past_tick(struct past *p, int64_t clock, uint64_t boot_ns)
{
	struct buf b;

	if (!p->ring)
		return;
	if (boot_ns > p->now_ns)
		p->now_ns = boot_ns;
	buf_init(&b, 64);
	buf_put_u64(&b, (uint64_t)clock);
	buf_put_u64(&b, boot_ns);
	if (!buf_error(&b))
		put(p, CAPTURE_TICK, b.data, b.len);
	p->broken |= buf_error(&b) != 0;
	buf_done(&b);
	if (!p->broken)
		return;
	playback_free(p->behind);
	p->behind = NULL;
	if (begin_playback(p) < 0)
		past_end(p);
}

/* ---- what goes out ------------------------------------------------------------------------------------------------- */

uint64_t past_depth(const struct past *p)
{
	const struct slot *s = p->ring ? oldest(p) : NULL;

	return s ? p->now_ns - s->ns : 0;
}

void past_meta(const struct past *p, struct capture_meta *m)
{
	playback_now(p->behind, m);
}

int past_save(const struct past *p, enrich_fn fn, void *ctx)
{
	size_t at = p->first, left = p->used;
	const struct slot *s;
	int r = playback_save(p->behind, fn, ctx);

	while (r == 0 && (s = next(p, &at, &left)))
		fn(ctx, s->type, s + 1, s->size);
	return r;
}
