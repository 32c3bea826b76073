/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/sealer.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "sensor/priv/confine_spool.h"
#include "sensor/priv/monitor_impl.h"
#include "tamis/seal.h"

#define WAIT_MS	  20000 /* a TPM can take seconds for a key */
#define TEXT_SIZE 240

enum op { OP_READY, OP_SEAL, OP_UNSEAL };

/* Both ways. An answer has its question's id, since who asked before may have been killed. */
struct talk {
	uint32_t op;
	int32_t result; /* 0, or -1 and why */
	uint64_t id;
	uint32_t n, pad;
	uint8_t bytes[TAMIS_SEAL_BLOB];
	char why[TEXT_SIZE];
};

/* ---- the process --------------------------------------------------------------------------------------------------- */

static int load(const char *file, const struct tamis_seal_module **ret, char *why, size_t size)
{
	void *so = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	const struct tamis_seal_module *m = so ? dlsym(so, TAMIS_SEAL_SYMBOL) : NULL;

	if (!m || m->version != TAMIS_SEAL_VERSION) {
		snprintf(why, size, "%s", !so ? dlerror() : "it is no module for sealing, or of another version");
		return -1;
	}
	*ret = m;
	return 0;
}

static void answer(const struct tamis_seal_module *m, void *s, struct talk *t)
{
	uint8_t out[TAMIS_SEAL_BLOB];
	size_t n = 0;

	if (t->op == OP_SEAL && t->n <= TAMIS_SEAL_SECRET)
		t->result = m->seal(s, t->bytes, t->n, out, &n, t->why, sizeof(t->why));
	else if (t->op == OP_UNSEAL && t->n <= TAMIS_SEAL_BLOB)
		t->result = m->unseal(s, t->bytes, t->n, out, &n, t->why, sizeof(t->why));
	else
		t->result = -1;
	memcpy(t->bytes, out, n);
	t->n = (uint32_t)n;
	explicit_bzero(out, sizeof(out));
}

static void __attribute__((noreturn))
serve(const char *file, const char *where, int fd, int null_fd, enum confine_mode mode)
{
	const struct tamis_seal_module *m = NULL;
	struct talk t = { .op = OP_READY };
	struct confine_user user;
	struct err e = { "" };
	void *s = NULL;

	child_ignore_ends();
	child_be_named("sealer");
	dup2(null_fd, 0);
	dup2(null_fd, 1);
	child_close_all_but(&fd, 1);
	/* libraries for devices write to stderr what is no error of ours */
	setenv("TSS2_LOG", "all+NONE", 1);
	t.result = load(file, &m, t.why, sizeof(t.why));
	if (t.result == 0)
		t.result = m->open(where, &s, t.why, sizeof(t.why));
	user = (struct confine_user){ CONFINE_SEAL_ID, CONFINE_SEAL_ID };
	if (t.result == 0 && (confine_drop_user(&user, &e) < 0 || confine_spool_syscalls(true, mode, &e) < 0)) {
		t.result = -1;
		snprintf(t.why, sizeof(t.why), "%.*s", TEXT_SIZE - 1, e.msg);
	}
	confine_memory();
	send(fd, &t, sizeof(t), MSG_NOSIGNAL);
	while (t.result == 0 || t.op != OP_READY) {
		ssize_t got = recv(fd, &t, sizeof(t), 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got != sizeof(t))
			break;
		t.why[0] = '\0';
		answer(m, s, &t);
		send(fd, &t, sizeof(t), MSG_NOSIGNAL);
		explicit_bzero(t.bytes, sizeof(t.bytes));
	}
	_exit(EXIT_SUCCESS);
}

/* ---- who asks ------------------------------------------------------------------------------------------------------ */

static int receive(int fd, struct talk *t)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = poll(&p, 1, WAIT_MS);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return -ETIMEDOUT;
	return r > 0 && read(fd, t, sizeof(*t)) == sizeof(*t) ? 0 : -EPIPE;
}

int sealer_begin(const char *file, const char *where, int null_fd, enum confine_mode mode, struct sealer *ret,
		 struct err *e)
{
	struct talk t;
	int fds[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return err_set(e, -errno, "cannot make a socket: %s", strerror(errno));
	ret->pid = fork();
	if (ret->pid == 0) {
		close(fds[0]);
		serve(file, where, fds[1], null_fd, mode);
	}
	close(fds[1]);
	ret->fd = fds[0];
	if (ret->pid < 0)
		return err_set(e, -errno, "cannot start a process: %s", strerror(errno));
	r = receive(ret->fd, &t);
	if (r < 0)
		return err_set(e, -EIO, "--log-seal %s: what is to seal the log's key %s", where,
			       r == -ETIMEDOUT ? "does not answer" : "ended");
	t.why[TEXT_SIZE - 1] = '\0';
	return t.result == 0 ? 0 : err_set(e, -EIO, "--log-seal %s: the log's key cannot be sealed: %s", where, t.why);
}

static int ask(const int *fd, enum op op, const uint8_t *in, size_t n, uint8_t *out, size_t max, size_t *ret_n,
	       struct err *e)
{
	static uint64_t last;
	struct talk t = { .op = op, .n = (uint32_t)n };
	uint64_t id = t.id = (uint64_t)getpid() << 32 | ++last;
	int r;

	if (n > sizeof(t.bytes))
		return err_set(e, -EMSGSIZE, "too much to be sealed");
	memcpy(t.bytes, in, n);
	r = send(*fd, &t, sizeof(t), MSG_NOSIGNAL) == sizeof(t) ? 0 : -EPIPE;
	/* one that was asked by who was killed comes first */
	do
		r = r == 0 ? receive(*fd, &t) : r;
	while (r == 0 && t.id != id);
	if (r == 0 && (t.n > max || t.n > sizeof(t.bytes)))
		r = -EPROTO;
	t.why[TEXT_SIZE - 1] = '\0';
	if (r < 0)
		err_set(e, r, "the process that seals keys %s",
			r == -ETIMEDOUT ? "does not answer" : "has ended: start the sensor again");
	else if (t.result != 0)
		r = err_set(e, -ENOKEY, "%s", t.why);
	if (r == 0) {
		memcpy(out, t.bytes, t.n);
		*ret_n = t.n;
	}
	explicit_bzero(&t, sizeof(t));
	return r;
}

static int seal(const void *ctx, const uint8_t *in, size_t n, uint8_t *ret, size_t max, size_t *ret_n, struct err *e)
{
	return ask(ctx, OP_SEAL, in, n, ret, max, ret_n, e);
}

static int unseal(const void *ctx, const uint8_t *in, size_t n, uint8_t *ret, size_t max, size_t *ret_n, struct err *e)
{
	return ask(ctx, OP_UNSEAL, in, n, ret, max, ret_n, e);
}

void sealer_for_epoch(const int *fd, struct epoch_seal *ret)
{
	*ret = (struct epoch_seal){ .seal = seal, .unseal = unseal, .ctx = fd };
}
