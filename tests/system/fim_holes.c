/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to change a file that others do not see: fim_holes mmap FILE (stores after the descriptor was closed, twice), uring FILE
 * SECONDS (writes by io_uring, so long after the open), old FILE SECONDS (writes by a descriptor that was written by already, so much later).
 */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int by_mmap(const char *path)
{
	int fd = open(path, O_RDWR);
	char *p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return 1;
	close(fd);
	sleep(1);
	p[0] = 'M';
	sleep(2);
	p[1] = 'M';
	sleep(1);
	return 0;
}

static int by_uring(const char *path, unsigned int seconds)
{
	struct io_uring_params p = { 0 };
	int fd = open(path, O_WRONLY), ring = (int)syscall(SYS_io_uring_setup, 4, &p);
	uint8_t *sq;
	struct io_uring_sqe *sqe;

	if (fd < 0 || ring < 0)
		return 2;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		  IORING_OFF_SQ_RING);
	sqe = mmap(NULL, p.sq_entries * sizeof(*sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqe == MAP_FAILED)
		return 1;
	sleep(seconds);
	*sqe = (struct io_uring_sqe){ .opcode = IORING_OP_WRITE, .fd = fd, .addr = (uintptr_t) "U", .len = 1 };
	*(uint32_t *)(void *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((uint32_t *)(void *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	return syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1 ? 0 : 1;
}

static int by_old(const char *path, unsigned int seconds)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		return 1;
	sleep(seconds);
	return write(fd, "2", 1) == 1 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "mmap") == 0)
		return by_mmap(argv[2]);
	if (argc == 4 && strcmp(argv[1], "uring") == 0)
		return by_uring(argv[2], (unsigned int)atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "old") == 0)
		return by_old(argv[2], (unsigned int)atoi(argv[3]));
	fprintf(stderr, "fim_holes mmap FILE | uring|old FILE SECONDS\n");
	return 1;
}
