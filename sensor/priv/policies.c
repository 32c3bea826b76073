/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "sensor/enrich/alert.h"
#include "sensor/ingest/shed.h"
#include "sensor/priv/acts.h"
#include "sensor/priv/fetch.h"

#define SLOTS	     3 /* a reload is refused by the monitor while one is under way: two generations are in the ring at most */
#define HOSTNAME_MAX 128

static const char seq_member[] = "\"seq\":";

struct slot {
	struct policy_slot public;
	void *map; /* owned */
	size_t size;
	struct program program;
	struct engine *engine; /* owned */
	struct alert *alert;   /* owned */
	struct shed shed;
	struct acts_of acts;
};

struct policies {
	const struct catalog *catalog; /* borrowed */
	struct proctable *table;       /* borrowed */
	char hostname[HOSTNAME_MAX];
	struct slot
		*slots[SLOTS]; /* owned; the engine and the renderer of each borrow its program, so it stays in place */
	int newest;
	bool repeatable;
	struct permit permit;
	struct fetch *fetch; /* borrowed, or NULL */
};

/* What rules remembered of the process goes with the last of its images. */
static void process_gone(void *ctx, uint32_t pid, uint64_t start)
{
	const struct policies *p = ctx;
	bool known = false;

	for (int i = 0; i < SLOTS; i++)
		known |= p->slots[i] && engine_knows_proc(p->slots[i]->engine, pid, start);
	if (!known || proctable_any(p->table, pid, start))
		return;
	for (int i = 0; i < SLOTS; i++)
		if (p->slots[i])
			engine_forget_proc(p->slots[i]->engine, pid, start);
}

static const struct proc *find_process(void *ctx, uint32_t pid)
{
	const struct policies *p = ctx;

	return proctable_find(p->table, pid, 0);
}

static void fetch(void *ctx, const struct event *ev, uint32_t field)
{
	const struct policies *p = ctx;

	if (p->fetch)
		fetch_field(p->fetch, ev, field);
}

bool policies_packages(const struct policies *p)
{
	const struct slot *s = p->slots[p->newest];

	return s && fetch_wants(&s->program) & FETCH_PACKAGES;
}

void policies_fetch(struct policies *p, struct fetch *f)
{
	p->fetch = f;
}

int policies_new(const struct catalog *c, struct proctable *table, const char *hostname, struct policies **ret)
{
	struct policies *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->catalog = c;
	p->table = table;
	snprintf(p->hostname, sizeof(p->hostname), "%s", hostname);
	proctable_on_gone(table, process_gone, p);
	*ret = p;
	return 0;
}

void policies_repeatable(struct policies *p)
{
	p->repeatable = true;
}

void policies_permit(struct policies *p, const struct permit *permit)
{
	p->permit = *permit;
}

void policies_disarm(struct policies *p, uint32_t generation, uint32_t action)
{
	for (int i = 0; i < SLOTS; i++)
		if (p->slots[i] && p->slots[i]->public.generation == generation && action < p->slots[i]->acts.n)
			p->slots[i]->acts.state[action] = ALERT_ACTION_DISARMED;
}

static void slot_free(struct slot *s)
{
	if (!s)
		return;
	acts_done(&s->acts);
	alert_free(s->alert);
	engine_free(s->engine);
	if (s->map)
		munmap(s->map, s->size);
	free(s);
}

void policies_free(struct policies *p)
{
	if (!p)
		return;
	proctable_on_gone(p->table, NULL, NULL);
	for (int i = 0; i < SLOTS; i++)
		slot_free(p->slots[i]);
	free(p);
}

static int slot_load(const struct policies *p, struct slot *s, uint32_t generation, int fd, struct err *e)
{
	const struct alert_options o = { .hostname = p->hostname, .table = p->table };
	struct engine_options eo = { .find_proc = find_process, .fetch = fetch, .ctx = (void *)p };
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return err_set(e, -EBADMSG, "the program's memory file is empty");
	s->size = (size_t)st.st_size;
	s->map = mmap(NULL, s->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return err_set(e, -errno, "cannot map the program: %s", strerror(errno));
	}
	r = program_load(p->catalog, s->map, s->size, &s->program, e);
	if (r == 0 && !p->repeatable && getrandom(eo.seed, sizeof(eo.seed), 0) != (ssize_t)sizeof(eo.seed))
		r = err_set(e, -errno, "no random numbers: %s", strerror(errno));
	if (r == 0)
		r = engine_new_with(&s->program, &eo, &s->engine, e);
	if (r < 0)
		return r;
	r = alert_new(&o, &s->program, &s->alert);
	if (r < 0)
		return err_set(e, r, "cannot prepare alerts: %s", strerror(-r));
	r = acts_of_program(&s->program, &p->permit, &s->acts);
	if (r < 0)
		return err_set(e, r, "no memory for the actions of rules");
	shed_init(&s->shed, &s->program);
	s->public.generation = generation;
	return 0;
}

/* A free slot, or that of the oldest generation. */
static int victim(const struct policies *p)
{
	int v = 0;

	for (int i = 0; i < SLOTS; i++) {
		if (!p->slots[i])
			return i;
		if (p->slots[i]->public.generation < p->slots[v]->public.generation)
			v = i;
	}
	return v;
}

int policies_add(struct policies *p, uint32_t generation, int fd, struct err *e)
{
	struct slot *s = calloc(1, sizeof(*s));
	int r, v;

	if (!s)
		return err_set(e, -ENOMEM, "no memory for a policy");
	r = generation ? slot_load(p, s, generation, fd, e) : err_set(e, -EINVAL, "generation 0");
	if (r < 0) {
		slot_free(s);
		return r;
	}
	if (p->slots[p->newest])
		engine_carry(s->engine, p->slots[p->newest]->engine);
	v = victim(p);
	slot_free(p->slots[v]);
	p->slots[v] = s;
	p->newest = v;
	return 0;
}

void policies_bundle(struct policies *p, uint32_t generation, const char *sha256)
{
	struct policy_slot *s = policies_for(p, generation);

	if (s->generation == generation)
		snprintf(s->bundle, sizeof(s->bundle), "%s", sha256);
}

struct policy_slot *policies_for(struct policies *p, uint32_t generation)
{
	for (int i = 0; i < SLOTS; i++)
		if (p->slots[i] && p->slots[i]->public.generation == generation)
			return &p->slots[i]->public;
	return &p->slots[p->newest]->public;
}

struct engine *policies_engine(const struct policies *p)
{
	return p->slots[p->newest]->engine;
}

const struct shed *policies_shed(const struct policies *p, uint32_t generation)
{
	for (int i = 0; i < SLOTS; i++)
		if (p->slots[i] && p->slots[i]->public.generation == generation)
			return &p->slots[i]->shed;
	return NULL;
}

size_t policies_eval(struct policy_slot *s, const struct event *ev, bool sets, const struct engine_match **ret_matches)
{
	struct engine *e = ((struct slot *)s)->engine;

	*ret_matches = engine_matches(e);
	engine_sets(e, sets);
	return engine_eval(e, ev, NULL);
}

uint64_t policies_flags(const struct policies *p)
{
	return engine_flags(p->slots[p->newest]->engine);
}

void policies_variables(const struct policies *p, uint64_t *ret_held, uint64_t *ret_lost)
{
	*ret_held = *ret_lost = 0;
	for (int i = 0; i < SLOTS; i++) {
		struct engine_stats st;

		if (!p->slots[i])
			continue;
		engine_stats(p->slots[i]->engine, &st);
		if (i == p->newest)
			*ret_held = st.entries;
		*ret_lost += st.evicted + st.dropped;
	}
}

int policies_render_process(struct policy_slot *s, const struct event *ev, size_t max, struct buf *out)
{
	return alert_render_process(((struct slot *)s)->alert, ev, max, out);
}

bool policies_captures(const struct policies *p, uint32_t *ret_before_ms)
{
	const struct slot *s = p->slots[p->newest];

	*ret_before_ms = 0;
	return s && acts_captures(&s->acts, &s->program, ret_before_ms);
}

uint32_t policies_act(struct policy_slot *s, const struct acts *a, const struct event *ev, const struct engine_match *m,
		      struct alert_action *ret)
{
	struct slot *slot = (struct slot *)s;

	return acts_do(a, &slot->acts, &slot->program, s->generation, ev, m, ret);
}

int policies_render(struct policy_slot *s, const struct event *ev, const struct engine_match *m,
		    const struct alert_action *actions, uint32_t nactions, struct buf *out, size_t *ret_head_end,
		    size_t *ret_tail_start)
{
	const struct alert_effects effects = {
		.engine = ((struct slot *)s)->engine, .match = m, .actions = actions, .nactions = nactions
	};
	const size_t member = sizeof(seq_member) - 1;
	size_t gap, start = out->len;
	int r = alert_render(((struct slot *)s)->alert, ev, m->rule, &effects, out, &gap);

	if (r < 0)
		return r;
	/* alert.h leaves the gap behind "seq": and before the comma; whoever numbers it writes the whole member */
	if (gap < start + member || gap >= out->len || memcmp(out->data + gap - member, seq_member, member) != 0)
		return -EINVAL;
	*ret_head_end = gap - member;
	*ret_tail_start = gap + 1;
	return 0;
}
