/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/playback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sensor/enrich/enrich.h"

struct playback {
	struct capture_reader *reader; /* owned, as the following; NULL: it is given its entries */
	struct decode *decode;
	struct enrich *enrich;
	struct playback_stats stats;
	int (*lookup)(void *ctx, const void *bytes, size_t len); /* or NULL */
	void *lookup_ctx;
	struct decoded scratch;
};

static int take_record(struct playback *p, const struct capture_entry *e, struct decoded *ret)
{
	int r = e->size <= EV_REC_MAX ? decode_record(p->decode, e->p, e->size, ret) : -EBADMSG;

	p->stats.records++;
	if (r < 0) { /* as the sensor did: passed over, and counted */
		p->stats.malformed++;
		return 0;
	}
	if (r == 0)
		return 0;
	enrich_event(p->enrich, ret);
	p->stats.events++;
	p->stats.context += !!(ret->head.flags & EV_F_CONTEXT);
	p->stats.last_ns = ret->ev.now_ns;
	if (!p->stats.first_ns)
		p->stats.first_ns = ret->ev.now_ns;
	return 1;
}

static int take_tick(struct playback *p, const struct capture_entry *e)
{
	struct capture_tick t;

	if (capture_get_tick(e, &t) < 0)
		return -EBADMSG;
	decode_clock(p->decode, t.clock);
	enrich_replay_tick(p->enrich, t.boot_ns);
	return 0;
}

static int take_loss(struct playback *p, const struct capture_entry *e)
{
	struct capture_loss l;

	if (capture_get_loss(e, &l) < 0)
		return -EBADMSG;
	p->stats.lost[l.where] += l.count;
	return 0;
}

int playback_entry(struct playback *p, const struct capture_entry *e, struct decoded *ret)
{
	ret = ret ? ret : &p->scratch;
	switch (e->type) {
	case CAPTURE_RECORD:
		return take_record(p, e, ret);
	case CAPTURE_TICK:
		return take_tick(p, e);
	case CAPTURE_LOSS:
		return take_loss(p, e);
	case CAPTURE_LOOKUP:
		return p->lookup ? p->lookup(p->lookup_ctx, e->p, e->size) : 0;
	case CAPTURE_PROCESS:
		p->stats.processes++;
		/* one in the midst of records would come too late for its children */
		return p->stats.records ? -EBADMSG : enrich_load(p->enrich, e->type, e->p, e->size);
	default:
		return enrich_load(p->enrich, e->type, e->p, e->size);
	}
}

int playback_next(struct playback *p, struct decoded *ret, struct err *e)
{
	struct capture_entry entry;
	int r;

	for (;;) {
		r = capture_next(p->reader, &entry, e);
		if (r <= 0)
			return r;
		r = playback_entry(p, &entry, ret);
		if (r < 0)
			return err_set(e, r, "the capture holds what no sensor writes (entry of type %u): %s",
				       entry.type, strerror(-r));
		if (r)
			return 1;
	}
}

static int open_stages(struct playback *p, const struct capture_meta *m, struct err *e)
{
	const struct enrich_options eo = { .hostname = m->host, .origin = "replay" };
	int r = decode_new(catalog_tamis(), &p->decode);

	if (r == 0)
		r = enrich_new(&eo, &p->enrich);
	if (r < 0)
		return err_set(e, r, "cannot set up the decoder: %s", strerror(-r));
	decode_clock(p->decode, m->clock);
	proctable_replay(enrich_proctable(p->enrich), m->boot_ns, m->tick_ns, m->clock);
	return 0;
}

static int open_done(struct playback *p, int r, struct playback **ret, struct err *e)
{
	if (r == 0)
		r = open_stages(p, capture_meta(p->reader), e);
	if (r < 0)
		playback_free(p);
	else
		*ret = p;
	return r;
}

int playback_new(const struct capture_meta *m, struct playback **ret, struct err *e)
{
	struct playback *p = calloc(1, sizeof(*p));
	int r = p ? open_stages(p, m, e) : err_set(e, -ENOMEM, "no memory for a replay");

	if (r < 0)
		playback_free(p);
	else
		*ret = p;
	return r;
}

void playback_now(const struct playback *p, struct capture_meta *m)
{
	const struct proctable *t = enrich_proctable(p->enrich);

	m->clock = decode_clock_of(p->decode);
	m->boot_ns = proctable_now(t);
	m->tick_ns = proctable_tick_ns(t);
}

struct save {
	enrich_fn fn;
	void *ctx;
};

static void save_record(void *ctx, const void *rec, size_t size)
{
	const struct save *s = ctx;

	s->fn(s->ctx, CAPTURE_RECORD, rec, size);
}

int playback_save(const struct playback *p, enrich_fn fn, void *ctx)
{
	struct save s = { .fn = fn, .ctx = ctx };
	int r = enrich_save(p->enrich, fn, ctx);

	return r == 0 ? decode_save(p->decode, save_record, &s) : r;
}

int playback_open(int fd, const char *file, struct playback **ret, struct err *e)
{
	struct playback *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "no memory for a replay");
	return open_done(p, capture_open(fd, file, catalog_fingerprint(catalog_tamis()), &p->reader, e), ret, e);
}

int playback_open_mem(const void *bytes, size_t size, struct playback **ret, struct err *e)
{
	struct playback *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, -ENOMEM, "no memory for a replay");
	return open_done(p, capture_open_mem(bytes, size, catalog_fingerprint(catalog_tamis()), &p->reader, e), ret, e);
}

void playback_free(struct playback *p)
{
	if (!p)
		return;
	enrich_free(p->enrich);
	decode_free(p->decode);
	capture_free(p->reader);
	free(p);
}

void playback_on_lookup(struct playback *p, int (*fn)(void *ctx, const void *bytes, size_t len), void *ctx)
{
	p->lookup = fn;
	p->lookup_ctx = ctx;
}

const struct capture_meta *playback_meta(const struct playback *p)
{
	return capture_meta(p->reader);
}

struct proctable *playback_proctable(struct playback *p)
{
	return enrich_proctable(p->enrich);
}

void playback_stats(const struct playback *p, struct playback_stats *ret)
{
	*ret = p->stats;
}

const struct capture_end *playback_end(const struct playback *p)
{
	return capture_end(p->reader);
}
