/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix's scenario: for each cell one real operation, and what its alert has to say.
 *
 * A row is done by a process of its own, forked from one that has made everything ready, so that its alert is told from
 * the noise of the preparations by the process id. Rows know nothing of the sensor; check.c knows nothing of kernels.
 */
#pragma once

#include <limits.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where a row happens. Rows write into no other place. */
struct spot {
	char dir[PATH_MAX];  /* the row's own directory */
	char f[PATH_MAX];    /* dir/f: there, ten bytes, mode 0600 */
	char g[PATH_MAX];    /* dir/g: not there, unless the row's prepare() makes it */
	char d[PATH_MAX];    /* dir/d: a directory */
	char df[PATH_MAX];   /* dir/d/f: f again, once bind_mount() has put dir at dir/d */
	int dirfd;	     /* of dir */
	volatile pid_t *pid; /* shared; whose alert it is: the actor's, unless the act says otherwise */
};

struct row {
	const char *name;		      /* event, or event.variant */
	int (*prepare)(const struct spot *s); /* in the parent; may be NULL */
	int (*act)(const struct spot *s); /* in the actor; 0 or a negative errno, -ENOSYS where the kernel lacks it */
	/*
	 * What the alert must hold: "field=value", the field by its dotted name; an absent one is 0, false or empty. In values %d is the row's directory, %p
	 * the actor's process id. An array is its values with commas between them. "field&mask=value" compares the bits of a mask.
	 */
	const char *expect[8];
	const char *image; /* process.file.path, as a value; NULL is this very program, or COMPAT32 */
	const char *event; /* the alert's event, if it is not that of the name */
	int ends;	   /* the actor's wait status, if the act does not return */
};

/* acts*.c: the rows, each list ending with one without a name */
extern const struct row rows_basic[], rows_paths[], rows_attr[], rows_write[], rows_memory[], rows_socket[],
	rows_control[], rows_exec[], rows_packet[], rows_creds[], rows_mount[], rows_kernel[], rows_uring[],
	rows_overlay[];

#define NOBODY 65534 /* who is refused */

/* What many rows expect. */
#define RET(errno_text) ("event.retval=" errno_text)
#define SYNC		"event.async=false"
#define ASYNC		"event.async=true"
#define ADDR(ev, ip, port, family, protocol)                                                                           \
	ev ".addr.ip=" ip, ev ".addr.port=" port, ev ".addr.family=" family, ev ".protocol=" protocol

/* acts.c: a copy of this program to be executed: to an open file, at @path, at g. */
int copy_program(int out);
int put_program(const char *path);
int prepare_program(const struct spot *s);
/* With these it returns at once. */
extern char *const noop[], *const no_env[];
/* g is executed; by a thread that takes over the leader's id. */
int act_exec(const struct spot *s);
int act_exec_thread(const struct spot *s);

/* acts.c: ways to do it that many rows share. A call's result as ours: 0, or a negative errno. */
int res(long r);

/*
 * A 32-bit system call by its i386 number. On x86 64-bit code makes it: without CONFIG_IA32_EMULATION it is a fault, which
 * means a skip. On arm64 the program COMPAT32 takes this one's place, and makes the call of that name.
 */
int compat6(long nr, const long a[6]);
int compat5(long nr, long a, long b, long c, long d, long e);
int compat(long nr, long a, long b, long c);

/* A copy where 32 bits reach it, of at most PATH_MAX bytes. */
long low_bytes(const void *bytes, size_t size);
long low(const char *text);

/* The row's directory once more, at dir/d. In a mount namespace of the actor's own: it leaves nothing behind. */
int bind_mount(const struct spot *s);

/* acts_paths.c: a mount namespace of the actor's own. */
int own_mounts(void);

/* One operation by io_uring: 0, or a negative errno. */
int uring(uint8_t op, int fd, const void *addr, uint64_t addr2, uint32_t len, uint32_t flags);

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* The loopback address of a family; its length. */
socklen_t loopback(union address *a, int family, uint16_t port);

/* The listening port that the connect rows find, and the ports that they and the bind rows use. */
#define PORT_CLOSED 9
#define PORT_OPEN   54320
#define PORT_BIND   54321
#define PORT_BIND6  54322
#define PORT_LISTEN 54323
#define PORT_PEER   54324

/* acts.c: the listener of PORT_OPEN. Returns the socket or a negative errno. */
int listener_open(void);

/* Where the runner puts the program that makes 32-bit system calls on arm64. */
#define COMPAT32 "/tmp/tamis-matrix/bin/compat32"

/* uring.c: one operation through io_uring. The operation's result, or -ENOSYS where the kernel has no such operation. */
struct io_uring_sqe;
int uring_do(const struct io_uring_sqe *sqe);

/* What became of a row's act, as scenario.c notes it down for check.c. */
struct acted {
	char name[32];
	pid_t actor; /* 0: the row was not acted */
	pid_t pid;   /* whose alert it is */
	int res;     /* 0, or a negative errno; -ENOSYS means that the row is to be skipped */
};

/* check.c: compare one acted row with the alerts. 0 and "" if it is there, else 1 and the reason. */
int check_row(const struct row *row, const struct acted *acted, const char *dir, const char *alerts, char *ret_why,
	      size_t size);
