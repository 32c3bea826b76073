/* SPDX-License-Identifier: Apache-2.0 */
/* io_uring itself: the set-up of a ring, and what is submitted to it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "scenario.h"

static int setup(unsigned int entries, unsigned int flags)
{
	struct io_uring_params p = { .flags = flags, .sq_thread_idle = 10 };
	long fd = syscall(SYS_io_uring_setup, entries, &p);

	return fd < 0 && errno == EPERM ? -ENOSYS : res(fd); /* EPERM: switched off by a sysctl */
}

static int act_io_uring(const struct spot *s)
{
	(void)s;
	return setup(4, 0);
}
static int act_io_uring_sqpoll(const struct spot *s)
{
	(void)s;
	return setup(8, IORING_SETUP_SQPOLL | IORING_SETUP_CLAMP);
}
static int act_io_uring_submit(const struct spot *s)
{
	return uring(IORING_OP_OPENAT, s->dirfd, "f", 0, 0, O_RDONLY);
}
/* What fails has been submitted all the same. */
static int act_io_uring_refused(const struct spot *s)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_OPENAT, .flags = IOSQE_ASYNC, .fd = s->dirfd, .addr = (__u64)(unsigned long)"none"
	};
	int r = uring_do(&sqe);

	return r == -ENOENT ? 0 : r < 0 ? r : -EPROTO;
}

const struct row rows_uring[] = {
	{ "io_uring", NULL, act_io_uring,
	  .expect = { "io_uring.opcode=256", "io_uring.entries=4", "io_uring.flags=0", RET("0") } },
	{ "io_uring.sqpoll", NULL, act_io_uring_sqpoll,
	  .expect = { "io_uring.opcode=256", "io_uring.entries=8", "io_uring.flags=18", RET("0") } },
	{ "io_uring.submit", NULL, act_io_uring_submit, .expect = { "io_uring.opcode=18", "io_uring.entries=0" } },
	{ "io_uring.refused", NULL, act_io_uring_refused, .expect = { "io_uring.opcode=18" } },
	{ 0 },
};
