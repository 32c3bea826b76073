/* SPDX-License-Identifier: Apache-2.0 */
/* Just enough io_uring for one operation after another, without its library. */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

struct ring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;		   /* owned mappings, as the kernel lays them out */
	struct io_uring_sqe *sqes; /* owned mapping */
};

static void *ring_map(int fd, size_t size, off_t what)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
}

static int ring_open(struct ring *r)
{
	memset(r, 0, sizeof(*r));
	r->fd = syscall(SYS_io_uring_setup, 4, &r->p);
	if (r->fd < 0)
		return errno == EPERM ? -ENOSYS : -errno; /* EPERM: switched off by a sysctl */
	r->sq = ring_map(r->fd, r->p.sq_off.array + r->p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	r->cq = ring_map(r->fd, r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
	r->sqes = ring_map(r->fd, r->p.sq_entries * sizeof(*r->sqes), IORING_OFF_SQES);
	return r->sq == MAP_FAILED || r->cq == MAP_FAILED || (void *)r->sqes == MAP_FAILED ? -errno : 0;
}

static uint32_t *word(char *base, uint32_t off)
{
	return (uint32_t *)(base + off);
}

/* One ring a process. It is never closed: the actor that opened it is about to end. */
int uring_do(const struct io_uring_sqe *sqe)
{
	static struct ring r = { .fd = -1 };
	const struct io_uring_cqe *cqe;
	uint32_t at;
	int res;

	if (r.fd < 0) {
		res = ring_open(&r);
		if (res < 0)
			return res;
	}
	at = *word(r.sq, r.p.sq_off.tail) & (r.p.sq_entries - 1);
	r.sqes[at] = *sqe;
	word(r.sq, r.p.sq_off.array)[at] = at;
	__atomic_fetch_add(word(r.sq, r.p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -errno;
	at = __atomic_fetch_add(word(r.cq, r.p.cq_off.head), 1, __ATOMIC_RELEASE) & (r.p.cq_entries - 1);
	cqe = (const struct io_uring_cqe *)(r.cq + r.p.cq_off.cqes) + at;
	/* an operation that the kernel does not know */
	return cqe->res == -EINVAL ? -ENOSYS : cqe->res;
}
