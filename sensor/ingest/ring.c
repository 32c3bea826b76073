/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/ring.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/cleanup.h"

struct ring {
	struct ring_buffer *rb; /* owned */
	ring_fn cb;		/* of the drain that is under way */
	void *ctx;
	size_t max, taken;
	int result; /* what ended the drain: 0, RING_STOP or a negative errno */
};

/* libbpf only stops for a negative value, and then has consumed the record: our reason waits in r->result. */
static int ring_sample(void *ctx, void *rec, size_t size)
{
	struct ring *r = ctx;

	r->taken++;
	r->result = r->cb(r->ctx, rec, size);
	if (!r->result && r->taken >= r->max)
		r->result = RING_STOP;
	return r->result ? -ECANCELED : 0;
}

int ring_open(int map_fd, struct ring **ret)
{
	_cleanup_free_ struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->rb = ring_buffer__new(map_fd, ring_sample, r, NULL);
	if (!r->rb)
		return errno ? -errno : -EIO;
	*ret = TAKE_PTR(r);
	return 0;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	ring_buffer__free(r->rb);
	free(r);
}

int ring_epoll_fd(const struct ring *r)
{
	return ring_buffer__epoll_fd(r->rb);
}

int ring_drain(struct ring *r, ring_fn cb, void *ctx, size_t max)
{
	int err;

	if (!max)
		return 0;
	r->cb = cb;
	r->ctx = ctx;
	r->max = max;
	r->taken = 0;
	r->result = 0;
	err = ring_buffer__consume(r->rb);
	if (r->result < 0)
		return r->result;
	if (err < 0 && !r->result)
		return err;
	return r->taken > (size_t)__INT_MAX__ ? __INT_MAX__ : (int)r->taken;
}
