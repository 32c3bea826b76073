/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/ahead.h"
#include "lib/cleanup.h"

#include <pthread.h>
#include <sched.h>

#define AHEAD_THREADS 16
#define AHEAD_SLOTS   (AHEAD_THREADS + 2)

struct ahead_slot {
	struct ahead_seg seg;
	struct err e;
	int result;
	bool ready;
};

struct ahead {
	int dir_fd;	      /* borrowed */
	const uint64_t *list; /* borrowed */
	size_t n;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t begun, taken; /* indexes into the list: begun by a thread, given away */
	bool stop;
	size_t n_threads, n_slots;
	pthread_t thread[AHEAD_THREADS];
	struct ahead_slot slot[AHEAD_SLOTS]; /* of index i: i modulo n_slots */
};

/* ---- one segment --------------------------------------------------------------------------------------------------- */

static void ahead_parse(const struct line_str *text, struct ahead_line *ret)
{
	struct line l;

	ret->what = AHEAD_BAD;
	if (line_parse(text->p, text->n, &l) < 0)
		return;
	ret->seq = l.seq;
	ret->what = line_str_is(l.kind, "epoch")   ? AHEAD_EPOCH
		    : line_str_is(l.kind, "prune") ? AHEAD_PRUNE
						   : AHEAD_OTHER;
}

static int ahead_split(struct ahead_seg *s)
{
	const struct buf *b = &s->img.file[SEGMENT_LOG];
	struct rd r = rd_of(b->data, b->len);
	struct line_str text;
	size_t n = 0;

	while (segment_line(&r, &text))
		n++;
	s->leaves = calloc(n + 1, sizeof(*s->leaves));
	s->offsets = calloc(n + 1, sizeof(*s->offsets));
	s->lines = calloc(n + 1, sizeof(*s->lines));
	if (!s->leaves || !s->offsets || !s->lines)
		return -ENOMEM;
	r = rd_of(b->data, b->len);
	while (segment_line(&r, &text)) {
		merkle_leaf(text.p, text.n, s->leaves[s->n_lines]);
		ahead_parse(&text, &s->lines[s->n_lines++]);
		s->offsets[s->n_lines] = b->len - r.left;
	}
	s->stored = (const merkle_hash *)(const void *)s->img.file[SEGMENT_LEAF].data;
	s->n_stored = s->img.file[SEGMENT_LEAF].len / HASH_SIZE;
	return 0;
}

int ahead_load(int dir_fd, uint64_t number, struct ahead_seg *ret, struct err *e)
{
	int r;

	*ret = (struct ahead_seg){ .n_lines = 0 };
	r = segment_read(dir_fd, number, &ret->img, e);
	if (r < 0)
		return r;
	r = ahead_split(ret);
	if (r < 0)
		ahead_done(ret);
	return r;
}

void ahead_done(struct ahead_seg *s)
{
	segment_image_done(&s->img);
	free(s->leaves);
	free(s->offsets);
	free(s->lines);
	*s = (struct ahead_seg){ .n_lines = 0 };
}

/* ---- many ---------------------------------------------------------------------------------------------------------- */

static void *ahead_run(void *arg)
{
	struct ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && a->begun < a->n) {
		size_t i = a->begun;
		struct ahead_slot *s = &a->slot[i % a->n_slots];

		if (i - a->taken >= a->n_slots) {
			pthread_cond_wait(&a->changed, &a->lock);
			continue;
		}
		a->begun++;
		pthread_mutex_unlock(&a->lock);
		s->result = ahead_load(a->dir_fd, a->list[i], &s->seg, &s->e);
		pthread_mutex_lock(&a->lock);
		s->ready = true;
		pthread_cond_broadcast(&a->changed);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

static size_t ahead_processors(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) < 0 ? 1 : CPU_COUNT(&set);

	return n < AHEAD_THREADS ? (size_t)n : AHEAD_THREADS;
}

int ahead_new(int dir_fd, const uint64_t *list, size_t n, struct ahead **ret)
{
	struct ahead *a = calloc(1, sizeof(*a));
	size_t threads = ahead_processors();

	if (!a)
		return -ENOMEM;
	a->dir_fd = dir_fd;
	a->list = list;
	a->n = n;
	a->n_slots = threads + 2;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	/* for a single segment none is worth its start; where none can be started ahead_next does the work */
	for (threads = threads < n ? threads : n; n > 1 && a->n_threads < threads; a->n_threads++)
		if (pthread_create(&a->thread[a->n_threads], NULL, ahead_run, a) != 0)
			break;
	*ret = a;
	return 0;
}

void ahead_free(struct ahead *a)
{
	if (!a)
		return;
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	for (size_t i = 0; i < a->n_threads; i++)
		pthread_join(a->thread[i], NULL);
	for (size_t i = 0; i < a->n_slots; i++)
		if (a->slot[i].ready && a->slot[i].result == 0)
			ahead_done(&a->slot[i].seg);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

int ahead_next(struct ahead *a, struct ahead_seg *ret, struct err *e)
{
	size_t i = a->taken;
	struct ahead_slot *s = &a->slot[i % a->n_slots];
	int r;

	if (!a->n_threads) {
		a->taken++;
		return ahead_load(a->dir_fd, a->list[i], ret, e);
	}
	pthread_mutex_lock(&a->lock);
	while (!s->ready)
		pthread_cond_wait(&a->changed, &a->lock);
	r = s->result;
	if (r == 0)
		*ret = s->seg;
	else if (s->e.msg[0])
		err_set(e, r, "%s", s->e.msg);
	s->ready = false;
	a->taken++;
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return r;
}
