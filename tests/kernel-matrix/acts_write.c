/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to write to a file, and splice. */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scenario.h"

enum { I386_WRITE = 4 };

/* Whether one byte went where it should. */
static int one(ssize_t r)
{
	return r == 1 ? 0 : r < 0 ? -errno : -EPROTO;
}

static int open_f(const struct spot *s)
{
	return open(s->f, O_WRONLY | O_CLOEXEC);
}

/* ---- write ---------------------------------------------------------------------------------------------------------- */

static int act_write(const struct spot *s)
{
	return one(write(open_f(s), "1", 1));
}
static int act_write_pwrite(const struct spot *s)
{
	return one(pwrite(open_f(s), "1", 1, 3));
}
static int act_write_writev(const struct spot *s)
{
	return one(writev(open_f(s), &(struct iovec){ "1", 1 }, 1));
}
static int act_write_pwritev2(const struct spot *s)
{
	return one(pwritev2(open_f(s), &(struct iovec){ "1", 1 }, 1, 0, RWF_DSYNC));
}
static int act_write_compat(const struct spot *s)
{
	return compat(I386_WRITE, open(s->f, O_WRONLY), low("1"), 1); /* on arm64 another program writes */
}
static int act_write_fallocate(const struct spot *s)
{
	return res(fallocate(open_f(s), 0, 0, 100));
}

static int act_write_bindmount(const struct spot *s)
{
	int r = bind_mount(s);

	return r ? r : one(write(open(s->df, O_WRONLY), "1", 1));
}

static int act_write_sendfile(const struct spot *s)
{
	return one(sendfile(open(s->g, O_WRONLY | O_CREAT, 0600), open(s->f, O_RDONLY), NULL, 1));
}

static int act_write_copy(const struct spot *s)
{
	return one(copy_file_range(open(s->f, O_RDONLY), NULL, open(s->g, O_WRONLY | O_CREAT, 0600), NULL, 1, 0));
}

static int act_write_splice(const struct spot *s)
{
	int pipes[2];

	if (pipe(pipes) < 0 || write(pipes[1], "1", 1) != 1)
		return -errno;
	return one(splice(pipes[0], NULL, open_f(s), NULL, 1, 0));
}

static int act_write_aio(const struct spot *s)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE,
			   .aio_fildes = (uint32_t)open_f(s),
			   .aio_buf = (uintptr_t) "1",
			   .aio_nbytes = 1 },
		    *list = &cb;
	aio_context_t ctx = 0;

	if (syscall(SYS_io_setup, 1, &ctx) < 0)
		return -errno;
	return one(syscall(SYS_io_submit, ctx, 1L, &list));
}

static int act_write_uring(const struct spot *s)
{
	return uring(IORING_OP_WRITE, open_f(s), "1", 0, 1, 0);
}

/* The file is open anew each time, most likely at the same address in the kernel: only the last has this mode. */
static int act_write_reopened(const struct spot *s)
{
	int r = 0;

	for (int i = 0; i < 20 && r == 0; i++) {
		int fd = open_f(s);

		r = res(fchmod(fd, i == 19 ? 0640 : 0600));
		if (r == 0)
			r = one(write(fd, "1", 1));
		close(fd);
	}
	return r;
}

/* A child is another writer of the same open file. */
static int act_write_inherited(const struct spot *s)
{
	int fd = open_f(s), status, r = one(write(fd, "1", 1));
	pid_t child = r == 0 ? fork() : -1;

	if (child == 0)
		_exit(-one(write(fd, "1", 1)));
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return r ? r : -errno;
	*s->pid = child;
	return status ? -EPROTO : 0;
}

/* ---- splice --------------------------------------------------------------------------------------------------------- */

static int act_splice(const struct spot *s)
{
	loff_t start = 0;
	int pipes[2];

	if (pipe(pipes) < 0)
		return -errno;
	return one(splice(open(s->f, O_RDONLY), &start, pipes[1], NULL, 1, 0));
}

/* Behind bytes that a write has put there, which a later one may be merged with (PIPE_BUF_FLAG_CAN_MERGE). */
static int act_splice_merge(const struct spot *s)
{
	loff_t start = 0;
	int pipes[2];

	if (pipe(pipes) < 0 || write(pipes[1], "1", 1) != 1)
		return -errno;
	return one(splice(open(s->f, O_RDONLY), &start, pipes[1], NULL, 1, 0));
}

static int act_splice_uring(const struct spot *s)
{
	struct io_uring_sqe sqe = { .opcode = IORING_OP_SPLICE, .len = 1, .splice_off_in = 0, .off = (uint64_t)-1 };
	int pipes[2], r;

	if (pipe(pipes) < 0)
		return -errno;
	sqe.fd = pipes[1];
	sqe.splice_fd_in = open(s->f, O_RDONLY);
	r = uring_do(&sqe);
	return r < 0 ? r : 0;
}

#define WRITE(path)  "write.file.path=" path
#define SPLICE(path) "splice.file.path=" path

const struct row rows_write[] = {
	{ "write", NULL, act_write, .expect = { WRITE("%d/f"), "write.file.mode=33152", RET("0"), SYNC } },
	{ "write.pwrite", NULL, act_write_pwrite, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.writev", NULL, act_write_writev, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.pwritev2", NULL, act_write_pwritev2, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.compat", NULL, act_write_compat, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.fallocate", NULL, act_write_fallocate, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.bindmount", NULL, act_write_bindmount, .expect = { WRITE("%d/d/f"), RET("0") } },
	{ "write.sendfile", NULL, act_write_sendfile, .expect = { WRITE("%d/g"), RET("0") } },
	{ "write.copy_file_range", NULL, act_write_copy, .expect = { WRITE("%d/g"), RET("0") } },
	{ "write.splice", NULL, act_write_splice, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.aio", NULL, act_write_aio, .expect = { WRITE("%d/f"), RET("0") } },
	{ "write.io_uring", NULL, act_write_uring, .expect = { WRITE("%d/f"), RET("0"), ASYNC } },
	{ "write.reopened", NULL, act_write_reopened, .expect = { WRITE("%d/f"), "write.file.mode=33184", RET("0") } },
	{ "write.inherited", NULL, act_write_inherited, .expect = { WRITE("%d/f"), RET("0") } },

	{ "splice", NULL, act_splice, .expect = { SPLICE("%d/f"), "splice.pipe_exit_flag=0", RET("0"), SYNC } },
	{ "splice.merge", NULL, act_splice_merge,
	  .expect = { SPLICE("%d/f"), "splice.pipe_entry_flag=16", "splice.pipe_exit_flag=0", RET("0") } },
	{ "splice.to_file", NULL, act_write_splice, .expect = { SPLICE("%d/f"), RET("0") } },
	{ "splice.io_uring", NULL, act_splice_uring, .expect = { SPLICE("%d/f"), RET("0"), ASYNC } },
	{ 0 },
};
