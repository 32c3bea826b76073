/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/policies.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "engine/engine.h"
#include "lib/cleanup.h"
#include "sensor/enrich/alert.h"

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
};

struct policies {
	const struct catalog *catalog; /* borrowed */
	struct proctable *table;       /* borrowed */
	char hostname[HOSTNAME_MAX];
	struct slot
		*slots[SLOTS]; /* owned; the engine and the renderer of each borrow its program, so it stays in place */
	int newest;
};

int policies_new(const struct catalog *c, struct proctable *table, const char *hostname, struct policies **ret)
{
	struct policies *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->catalog = c;
	p->table = table;
	snprintf(p->hostname, sizeof(p->hostname), "%s", hostname);
	*ret = p;
	return 0;
}

static void slot_free(struct slot *s)
{
	if (!s)
		return;
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
	for (int i = 0; i < SLOTS; i++)
		slot_free(p->slots[i]);
	free(p);
}

static int slot_load(const struct policies *p, struct slot *s, uint32_t generation, int fd, struct err *e)
{
	const struct alert_options o = { .hostname = p->hostname, .table = p->table };
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
	if (r == 0)
		r = engine_new(&s->program, &s->engine, e);
	if (r < 0)
		return r;
	r = alert_new(&o, &s->program, &s->alert);
	if (r < 0)
		return err_set(e, r, "cannot prepare alerts: %s", strerror(-r));
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
	v = victim(p);
	slot_free(p->slots[v]);
	p->slots[v] = s;
	p->newest = v;
	return 0;
}

struct policy_slot *policies_for(struct policies *p, uint32_t generation)
{
	for (int i = 0; i < SLOTS; i++)
		if (p->slots[i] && p->slots[i]->public.generation == generation)
			return &p->slots[i]->public;
	return &p->slots[p->newest]->public;
}

size_t policies_eval(struct policy_slot *s, const struct event *ev, const uint32_t **ret_rules)
{
	return engine_eval(((struct slot *)s)->engine, ev, ret_rules);
}

int policies_render(struct policy_slot *s, const struct event *ev, uint32_t rule, struct buf *out, size_t *ret_head_end,
		    size_t *ret_tail_start)
{
	const size_t member = sizeof(seq_member) - 1;
	size_t gap, start = out->len;
	int r = alert_render(((struct slot *)s)->alert, ev, rule, out, &gap);

	if (r < 0)
		return r;
	/* alert.h leaves the gap behind "seq": and before the comma; whoever numbers it writes the whole member */
	if (gap < start + member || gap >= out->len || memcmp(out->data + gap - member, seq_member, member) != 0)
		return -EINVAL;
	*ret_head_end = gap - member;
	*ret_tail_start = gap + 1;
	return 0;
}
