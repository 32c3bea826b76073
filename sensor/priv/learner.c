/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/learner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/lib/learned.bpf.h"
#include "engine/possible.h"

#define STEP_NS 10000000 /* wall time that is only slewed loses less in a second */

struct learner {
	struct learned *l;	   /* borrowed */
	struct possible *possible; /* owned; of the policy in force; NULL: nothing is learned */
	struct sv_mask wanted;
	uint32_t generation;
	uint64_t learned;
	int64_t (*clock)(void);
	int64_t last; /* that it has told */
};

/* Nothing that is found under a number was made under another one: entries have it in their keys. */
static void want(struct learner *x, uint32_t generation, const struct sv_mask *wanted)
{
	__atomic_store_n(&x->l->generation, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	x->l->wanted = *wanted;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(&x->l->generation, generation, __ATOMIC_RELAXED);
}

int learner_policy(struct learner *x, uint32_t generation, struct engine *e)
{
	int r;

	possible_free(TAKE_PTR(x->possible));
	x->generation = generation;
	x->wanted = (struct sv_mask){ { 0 } };
	want(x, 0, &x->wanted);
	r = possible_new(e, &x->possible);
	if (r < 0)
		return r;
	possible_asks_file(x->possible, &x->wanted);
	if (!sv_mask_zero(&x->wanted))
		want(x, generation, &x->wanted);
	return 0;
}

/* The check comes last: before that the entry is none, and if it has become another's meanwhile, it stays none. */
static void answer(struct learner *x, struct learned_entry *e, uint64_t key, uint64_t until, const struct sv_mask *out)
{
	__atomic_store_n(&e->check, 0, __ATOMIC_SEQ_CST);
	e->out = *out;
	__atomic_store_n(&e->until, until, __ATOMIC_SEQ_CST);
	__atomic_store_n(&e->check, learned_check(x->l, key, until, out), __ATOMIC_SEQ_CST);
	x->learned++;
}

/* By wall time as it was taken for the event, and as it is taken now: neither may have been set in between. */
static bool is_old(const struct learner *x, const struct ev_head *h, const struct event *ev)
{
	int64_t then = ev->base[SLOT_BASE_TIMESTAMP].num, now = (int64_t)h->boot_ns + x->clock();

	return (then < now ? then : now) - ev->v[SLOT_OPEN_FILE_CTIME].num >= (int64_t)LEARNED_OLD_NS;
}

/* The entry that the event asks by, and its key; or NULL. */
static struct learned_entry *asked_by(const struct learner *x, const struct ev_head *h, const struct event *ev,
				      uint64_t *ret_key)
{
	uint64_t inode = (uint64_t)ev->v[SLOT_OPEN_FILE_INODE].num, ctime = (uint64_t)ev->v[SLOT_OPEN_FILE_CTIME].num;
	struct learned_entry *e;

	if (!x->possible || h->type != EV_OPEN || h->policy != x->generation ||
	    !sv_mask_meets((const struct sv_mask *)h->alive, &x->wanted) || !is_old(x, h, ev))
		return NULL;
	e = x->l->entry[learned_set(x->l, inode, ctime)];
	for (int i = 0; i < LEARNED_WAYS; i++, e++) {
		uint64_t key = __atomic_load_n(&e->key, __ATOMIC_RELAXED);

		if (!key || __atomic_load_n(&e->check, __ATOMIC_RELAXED) != learned_asks(x->l, key, h, inode, ctime))
			continue;
		*ret_key = key;
		return e;
	}
	return NULL;
}

bool learner_asked(const struct learner *x, const struct ev_head *h, const struct event *ev)
{
	uint64_t key;

	return asked_by(x, h, ev, &key);
}

void learner_answer(struct learner *x, const struct ev_head *h, const struct event *ev)
{
	struct sv_mask out = x->wanted, can_be;
	struct learned_entry *e;
	uint64_t key;

	e = asked_by(x, h, ev, &key);
	if (!e)
		return;
	possible_of_file(x->possible, ev, &can_be);
	sv_mask_and_not(&out, &can_be);
	if (!sv_mask_zero(&out))
		answer(x, e, key, h->boot_ns + LEARNED_NS, &out);
}

static void forget_all(struct learner *x)
{
	for (int i = 0; i < LEARNED_SETS; i++)
		for (int k = 0; k < LEARNED_WAYS; k++) {
			__atomic_store_n(&x->l->entry[i][k].check, 0, __ATOMIC_SEQ_CST);
			__atomic_store_n(&x->l->entry[i][k].until, 0, __ATOMIC_SEQ_CST);
		}
}

void learner_tick(struct learner *x)
{
	int64_t now = x->clock();

	if (now < x->last - STEP_NS)
		forget_all(x);
	x->last = now;
}

void learner_stats(const struct learner *x, struct learner_stats *ret)
{
	*ret = (struct learner_stats){ .learned = x->learned, .used = __atomic_load_n(&x->l->used, __ATOMIC_RELAXED) };
}

int learner_new(struct learned *l, int64_t (*clock)(void), struct learner **ret)
{
	struct learner *x = calloc(1, sizeof(*x));

	if (!x)
		return -ENOMEM;
	x->l = l;
	x->clock = clock;
	x->last = clock();
	want(x, 0, &x->wanted);
	forget_all(x);
	*ret = x;
	return 0;
}

void learner_free(struct learner *x)
{
	if (!x)
		return;
	possible_free(x->possible);
	free(x);
}
