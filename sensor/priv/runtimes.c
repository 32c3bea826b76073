/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/runtimes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MESSAGES_EACH 16

static struct containers *all(const struct runtimes *t)
{
	return proctable_containers(enrich_proctable(t->enrich));
}

void runtimes_init(struct runtimes *t, const struct runtime_sources *sources, struct enrich *enrich)
{
	*t = (struct runtimes){ .chan = { -1, ROLE_ENGINE, ROLE_RUNTIME }, .sources = sources, .enrich = enrich };
	if (sources->n)
		containers_ask(all(t));
}

static void unlink_it(struct runtimes *t)
{
	chan_close(&t->chan);
	t->waiting = 0;
	containers_unasked(all(t));
}

void runtimes_link(struct runtimes *t, int fd)
{
	unlink_it(t);
	t->chan.fd = fd;
	all(t)->fresh = true;
}

/* ---- questions ----------------------------------------------------------------------------------------------------- */

static bool has_source(const struct runtimes *t, const char *runtime)
{
	for (size_t i = 0; i < t->sources->n; i++)
		if (!*runtime || strcmp(runtime, runtime_kind_name(t->sources->v[i].kind)) == 0)
			return true;
	return false;
}

static int ask(void *ctx, const struct container *c)
{
	struct runtimes *t = ctx;
	struct msg_container q = { 0 };
	int r;

	if (!has_source(t, c->runtime))
		return 0;
	if (t->waiting >= RUNTIME_ASKED_MAX)
		return -EAGAIN;
	memcpy(q.id, c->id, sizeof(q.id));
	memcpy(q.runtime, c->runtime, strnlen(c->runtime, sizeof(q.runtime)));
	r = chan_send(&t->chan, MSG_CONTAINER, &q, sizeof(q), -1);
	if (r < 0)
		return r;
	t->waiting++;
	t->stats.asked++;
	return 1;
}

void runtimes_ask(struct runtimes *t, uint64_t now_ms, bool tick)
{
	if (t->chan.fd >= 0 && (tick || all(t)->fresh))
		containers_due(all(t), now_ms, ask, t);
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

/* They come from a process with no rights, which reads what anybody may have written: container_named() looks at each. */
static void take_names(const char *text, size_t len, struct container_names *ret)
{
	const char *end = text + len;

	*ret = (struct container_names){ 0 };
	for (size_t i = 0; i < CONTAINER_NAMES && text < end; i++) {
		size_t n = strnlen(text, (size_t)(end - text));

		if (n < CONTAINER_TEXT_MAX)
			memcpy(ret->text[i], text, n);
		text += n + 1;
	}
}

static int on_container_ok(void *ctx, struct msg *m)
{
	struct runtimes *t = ctx;
	struct container_names names;
	struct msg_container_ok ok;
	struct container *c;

	memcpy(&ok, m->body, sizeof(ok));
	if (!runtime_is_id(ok.id, sizeof(ok.id)) || !t->waiting)
		return -EPROTO;
	t->waiting--;
	all(t)->fresh = true; /* there is room for another question */
	t->stats.known += !ok.error;
	t->stats.given_up += ok.error == -ETIMEDOUT;
	t->stats.failed += ok.error && ok.error != -ETIMEDOUT;
	c = container_find(all(t), ok.id, sizeof(ok.id));
	if (!c)
		return 0; /* it is gone by now */
	take_names((const char *)m->body + sizeof(ok), m->len - sizeof(ok), &names);
	if (ok.error || enrich_named(t->enrich, ok.id, sizeof(ok.id), &names) < 0)
		container_unnamed(c, t->now_ms);
	return 0;
}

void runtimes_serve(struct runtimes *t, void *buf, uint64_t now_ms)
{
	static const msg_handler handlers[MSG_TYPES] = { [MSG_CONTAINER_OK] = on_container_ok };

	t->now_ms = now_ms;
	if (t->chan.fd >= 0 && chan_serve(&t->chan, handlers, t, buf, MESSAGES_EACH) < 0)
		unlink_it(t);
}
