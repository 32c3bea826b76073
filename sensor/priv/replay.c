/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/sig.h"
#include "sensor/enrich/playback.h"
#include "sensor/priv/clock.h"
#include "sensor/priv/fetch.h"
#include "sensor/priv/policies.h"
#include "sensor/priv/policy_file.h"

#define GENERATION 1u
#define ALERT_ROOM (4u << 20)

struct replay {
	struct playback *playback; /* owned */
	struct policies *policies; /* owned */
	struct fetch *fetch;	   /* owned */
	FILE *out;		   /* owned */
	struct buf alert;
	uint64_t alerts, unrendered;
};

/* The same lines that the live sensor prints; numbers count from 1 anew. */
static int print_alert(struct replay *p, struct policy_slot *s, const struct event *ev, const struct engine_match *m,
		       struct err *e)
{
	size_t head_end, tail_start;

	buf_reset(&p->alert);
	if (policies_render(s, ev, m, NULL, 0, &p->alert, &head_end, &tail_start) < 0) {
		p->unrendered++;
		return 0;
	}
	p->alerts++;
	fwrite(p->alert.data, 1, head_end, p->out);
	fprintf(p->out, "\"seq\":%" PRIu64 ",", p->alerts);
	fwrite(p->alert.data + tail_start, 1, p->alert.len - tail_start, p->out);
	fputc('\n', p->out);
	return ferror(p->out) ? err_set(e, -EIO, "cannot write alerts: %s", strerror(errno)) : 0;
}

static int evaluate(struct replay *p, struct decoded *d, struct err *e)
{
	struct policy_slot *s = policies_for(p->policies, GENERATION);
	const struct engine_match *m;
	size_t n;
	int r = 0;

	memset(d->ev.alive, 0xff, sizeof(d->ev.alive));
	d->ev.policy = GENERATION;
	fetch_begin(p->fetch, &d->ev);
	n = policies_eval(s, &d->ev, true, &m);
	for (size_t i = 0; i < n && r == 0; i++)
		if (!m[i].suppressed && !m[i].silent)
			r = print_alert(p, s, &d->ev, &m[i], e);
	fetch_end(p->fetch);
	return r;
}

static int run(struct replay *p, struct err *e)
{
	struct decoded d;
	int r;

	while ((r = playback_next(p->playback, &d, e)) == 1) {
		r = evaluate(p, &d, e);
		if (r < 0)
			return r;
	}
	if (r == 0 && fflush(p->out) != 0)
		r = err_set(e, -errno, "cannot write alerts: %s", strerror(errno));
	return r;
}

/* ---- the summary --------------------------------------------------------------------------------------------------- */

static void say_losses(const struct playback_stats *s)
{
	for (uint32_t i = 0; i < CAPTURE_LOST_PLACES; i++)
		if (s->lost[i])
			log_warn("the capture lacks %" PRIu64 " events or records: lost at the %s", s->lost[i],
				 capture_where_name(i));
	if (s->malformed)
		log_warn("%" PRIu64 " records were malformed, for the sensor as for the replay", s->malformed);
}

static void summary(const struct replay *p, uint64_t ns, bool whole)
{
	const struct capture_end *end = playback_end(p->playback);
	struct playback_stats s;

	playback_stats(p->playback, &s);
	say_losses(&s);
	if (whole && !end)
		log_warn("the capture was cut off: this is what was in it up to there");
	if (p->unrendered)
		log_warn("%" PRIu64 " matches could not be rendered", p->unrendered);
	log_info("%" PRIu64 " events, %" PRIu64 " alerts, %" PRIu64 " ms, %.0f events/s", s.events, p->alerts,
		 ns / 1000000, ns ? (double)s.events * 1e9 / (double)ns : 0.0);
}

/* ---- the beginning ------------------------------------------------------------------------------------------------- */

static int on_lookup(void *ctx, const void *bytes, size_t len)
{
	struct replay *p = ctx;

	return fetch_tell(p->fetch, bytes, len);
}

/* Nobody is asked: what the sensor found is in the capture. */
static int begin_lookups(struct replay *p)
{
	const struct fetch_asked nobody = { .mountinfo = "" };
	int r = fetch_new(catalog_tamis(), &nobody, &p->fetch);

	if (r < 0)
		return r;
	fetch_tell(p->fetch, NULL, 0);
	policies_fetch(p->policies, p->fetch);
	playback_on_lookup(p->playback, on_lookup, p);
	return 0;
}

static int open_policy(struct replay *p, const struct options *o, struct err *e)
{
	const char *host = playback_meta(p->playback)->host;
	struct policy_file file;
	struct sig_key *key = NULL;
	int r = policy_file_find(o->policy, o->trust, o->allow_unsigned, &key, &file, e);

	if (r < 0)
		return r;
	sig_key_free(key);
	r = policies_new(catalog_tamis(), playback_proctable(p->playback), host, &p->policies);
	if (r < 0)
		err_set(e, r, "cannot set up the policy: %s", strerror(-r));
	else
		policies_repeatable(p->policies);
	if (r == 0 && (r = begin_lookups(p)) < 0)
		err_set(e, r, "cannot set up the policy: %s", strerror(-r));
	if (r == 0)
		r = policies_add(p->policies, GENERATION, file.program_fd, e);
	policy_file_done(&file);
	return r;
}

static int open_out(struct replay *p, const struct options *o, struct err *e)
{
	const char *path = o->alerts ? o->alerts : "-";
	int fd = strcmp(path, "-") == 0 ? fcntl(1, F_DUPFD_CLOEXEC, 3)
					: open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_sys(e, -errno, "cannot write alerts to", path);
	p->out = fdopen(fd, "w");
	if (p->out)
		return 0;
	close(fd);
	return err_set(e, -ENOMEM, "no memory for the output");
}

static int replay(struct replay *p, const struct options *o, struct err *e)
{
	_cleanup_close_ int fd = open(o->replay, O_RDONLY | O_CLOEXEC);
	uint64_t since;
	int r;

	if (fd < 0)
		return err_sys(e, -errno, "cannot open", o->replay);
	r = playback_open(fd, o->replay, &p->playback, e);
	if (r == 0)
		r = open_policy(p, o, e);
	if (r == 0)
		r = open_out(p, o, e);
	if (r < 0)
		return r;
	since = clock_mono_ns();
	r = run(p, e);
	summary(p, clock_mono_ns() - since, r == 0);
	return r;
}

int replay_run(const struct options *o)
{
	struct replay p = { 0 };
	struct err e = { "" };
	int r;

	buf_init(&p.alert, ALERT_ROOM);
	r = replay(&p, o, &e);
	if (r < 0)
		log_err("%s", e.msg);
	if (p.out)
		fclose(p.out);
	fetch_free(p.fetch);
	policies_free(p.policies); /* before the table that it borrows */
	playback_free(p.playback);
	buf_done(&p.alert);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
