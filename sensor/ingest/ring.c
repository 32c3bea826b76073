/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "tamis/event.h"

/*
 * Why merging by time is right
 *
 * A record has the time of its making, boot_ns, and a place in its ring, taken at some later time ("reserved"). Within a
 * ring, places are in the order of the times of reserving. Let a happen before b by the same thread, or by the fork that
 * made b's thread, and let them lie in different rings. Then time(a) <= reserved(a) < time(b), since a hook has put its
 * record into the ring before the thread goes on.
 *
 * ring_drain() takes, of the two oldest records in place, the one with the smaller time.
 *	- a comes before b: while a is in its ring, whatever x lies before it there has time(x) <= reserved(x) <
 *	  reserved(a) < time(b). So before b is taken, everything up to a is smaller and is taken first.
 *	- That holds only if a can be seen when b is: the places are read after the time `now`, and nothing that is as
 *	  young as `now` is taken. b was taken, so time(b) < now, so a was reserved before now.
 *	- A place may be reserved and not filled yet: then its time is not known, and nothing is taken beyond it from
 *	  either ring. It is filled within microseconds (at worst when a preempted thread goes on).
 *
 * Records of other threads are ordered by time alone, as good as the clock. A record that waits for its return value
 * carries the time at which it began; the above holds for it as well.
 */

enum { EVENTS, LINEAGE, RINGS };

struct one {
	struct ring_memory mem;
	void *consumer_page, *producer_pages;  /* owned mappings, NULL over memory that is not ours */
	_Alignas(8) uint8_t whole[EV_REC_MAX]; /* a record that the end of the data cuts in two, put together */
};

struct ring {
	struct one ring[RINGS];
	uint64_t (*clock)(void);
	int epoll_fd; /* owned */
	bool blocked; /* see ring_blocked() */
};

/* ---- one ring ------------------------------------------------------------------------------------------------------ */

/*
 * The memory of a ring buffer map: a page with the reader's position, a page with the writer's, the data. The kernel would
 * map the data twice in a row, so that no record is cut at its end; but then all of it counts twice as ours.
 */
static int one_map(int map_fd, struct one *o)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = { 0 };
	union bpf_attr a = {
		.info = { .bpf_fd = (uint32_t)map_fd, .info_len = sizeof(info), .info = (uint64_t)(uintptr_t)&info }
	};

	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &a, sizeof(a)) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	o->mem.size = info.max_entries;
	o->consumer_page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	if (o->consumer_page == MAP_FAILED) {
		o->consumer_page = NULL;
		return -errno;
	}
	o->producer_pages = mmap(NULL, page + o->mem.size, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
	if (o->producer_pages == MAP_FAILED) {
		o->producer_pages = NULL;
		return -errno;
	}
	o->mem.consumer = o->consumer_page;
	o->mem.producer = o->producer_pages;
	o->mem.data = (uint8_t *)o->producer_pages + page;
	return 0;
}

static void one_unmap(struct one *o)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (o->consumer_page)
		munmap(o->consumer_page, page);
	if (o->producer_pages)
		munmap(o->producer_pages, page + o->mem.size);
}

/* The first record at or behind the reader's position and before @end. */
struct head {
	const struct ev_head *rec; /* NULL: none */
	size_t size, len;	   /* in the ring; at @rec */
	uint64_t time;
	bool busy; /* reserved, not filled */
};

static void one_release(struct one *o, size_t size)
{
	unsigned long step = (size + BPF_RINGBUF_HDR_SZ + 7) & ~7ul;

	__atomic_store_n(o->mem.consumer, *o->mem.consumer + step, __ATOMIC_RELEASE);
}

/* The @len bytes at offset @off. Beyond EV_REC_MAX a record is nobody's: *@len is cut, and whoever takes it refuses it. */
static const void *one_bytes(struct one *o, size_t off, size_t *len)
{
	size_t first = o->mem.size - off;

	if (*len <= first)
		return o->mem.data + off;
	if (*len > sizeof(o->whole))
		*len = sizeof(o->whole);
	if (first > *len)
		first = *len;
	memcpy(o->whole, o->mem.data + off, first);
	memcpy(o->whole + first, o->mem.data, *len - first);
	return o->whole;
}

static struct head one_head(struct one *o, unsigned long end)
{
	struct head h = { 0 };

	while (*o->mem.consumer < end) {
		size_t off = *o->mem.consumer & (o->mem.size - 1);
		uint32_t len = __atomic_load_n((const uint32_t *)(o->mem.data + off), __ATOMIC_ACQUIRE);

		h.size = len & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (len & BPF_RINGBUF_BUSY_BIT) {
			h.busy = true;
			return h;
		}
		if (len & BPF_RINGBUF_DISCARD_BIT) {
			one_release(o, h.size);
			continue;
		}
		h.len = h.size;
		h.rec = one_bytes(o, (off + BPF_RINGBUF_HDR_SZ) & (o->mem.size - 1), &h.len);
		/* what is too short to have a time is nobody's: it goes at once, and whoever takes it will refuse it */
		if (h.len >= sizeof(*h.rec))
			h.time = h.rec->boot_ns;
		return h;
	}
	return h;
}

/* ---- both ---------------------------------------------------------------------------------------------------------- */

static uint64_t boot_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static int watch(struct ring *r, int map_fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, map_fd, &e) < 0 ? -errno : 0;
}

int ring_open(int events, int lineage, struct ring **ret)
{
	struct ring *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->clock = boot_clock;
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	err = r->epoll_fd < 0 ? -errno : one_map(events, &r->ring[EVENTS]);
	if (err == 0)
		err = one_map(lineage, &r->ring[LINEAGE]);
	if (err == 0)
		err = watch(r, events);
	if (err == 0)
		err = watch(r, lineage);
	if (err < 0) {
		ring_close(r);
		return err;
	}
	*ret = r;
	return 0;
}

int ring_over(const struct ring_memory mem[2], uint64_t (*clock)(void), struct ring **ret)
{
	struct ring *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	for (int i = 0; i < RINGS; i++)
		r->ring[i].mem = mem[i];
	r->clock = clock;
	r->epoll_fd = -1;
	*ret = r;
	return 0;
}

void ring_close(struct ring *r)
{
	if (!r)
		return;
	for (int i = 0; i < RINGS; i++)
		one_unmap(&r->ring[i]);
	if (r->epoll_fd >= 0)
		close(r->epoll_fd);
	free(r);
}

int ring_epoll_fd(const struct ring *r)
{
	return r->epoll_fd;
}

/* Which ring's record is next, or -1: none that may be taken. */
static int next(const struct head h[RINGS], uint64_t now)
{
	int i;

	if (h[EVENTS].busy || h[LINEAGE].busy)
		return -1;
	if (!h[EVENTS].rec || !h[LINEAGE].rec)
		i = h[EVENTS].rec ? EVENTS : LINEAGE;
	else
		i = h[EVENTS].time < h[LINEAGE].time ? EVENTS : LINEAGE;
	return h[i].rec && h[i].time < now ? i : -1;
}

int ring_drain(struct ring *r, ring_fn cb, void *ctx, size_t max)
{
	uint64_t now = r->clock();
	unsigned long end[RINGS];
	struct head h[RINGS];
	size_t taken = 0;

	r->blocked = false;
	__atomic_thread_fence(__ATOMIC_SEQ_CST); /* first the time, then the places */
	for (int i = 0; i < RINGS; i++) {
		end[i] = __atomic_load_n(r->ring[i].mem.producer, __ATOMIC_ACQUIRE);
		h[i] = one_head(&r->ring[i], end[i]);
	}
	while (taken < max) {
		int i = next(h, now), result;

		if (i < 0) {
			r->blocked = h[EVENTS].busy || h[LINEAGE].busy;
			break;
		}
		taken++;
		result = cb(ctx, h[i].rec, h[i].len);
		one_release(&r->ring[i], h[i].size);
		if (result < 0)
			return result;
		if (result == RING_STOP)
			break;
		h[i] = one_head(&r->ring[i], end[i]);
	}
	return taken > (size_t)__INT_MAX__ ? __INT_MAX__ : (int)taken;
}

bool ring_blocked(const struct ring *r)
{
	return r->blocked;
}

size_t ring_skip(struct ring *r)
{
	size_t n = 0;

	for (int i = 0; i < RINGS; i++) {
		struct one *o = &r->ring[i];
		unsigned long end = __atomic_load_n(o->mem.producer, __ATOMIC_ACQUIRE);

		for (struct head h = one_head(o, end); h.busy; h = one_head(o, end)) {
			one_release(o, h.size);
			n++;
		}
	}
	return n;
}
