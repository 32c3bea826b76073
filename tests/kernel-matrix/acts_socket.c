/* SPDX-License-Identifier: Apache-2.0 */
/* socket, setsockopt, listen, accept. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "scenario.h"

#define NOBODY 65534

/* Newer than the headers that this is built with. */
enum { OP_SOCKET = 45, OP_URING_CMD = 46, OP_LISTEN = 57, CMD_SETSOCKOPT = 3 };

/* i386: system calls of their own, and the one for all */
enum { I386_SOCKETCALL = 102, I386_SOCKET = 359, I386_LISTEN = 363, I386_ACCEPT4, I386_SETSOCKOPT = 366 };
enum { CALL_SOCKET = 1, CALL_LISTEN = 4, CALL_ACCEPT, CALL_SETSOCKOPT = 14 };

static int socketcall(long call, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e)
{
	const uint32_t args[5] = { a, b, c, d, e };

	return compat(I386_SOCKETCALL, call, low_bytes(args, sizeof(args)), 0);
}

/* ---- socket -------------------------------------------------------------------------------------------------------- */

/* A family that the kernel was built without is no finding. */
static int socket_of(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	return fd < 0 && errno == EAFNOSUPPORT ? -ENOSYS : res(fd);
}

static int act_socket(const struct spot *s)
{
	(void)s;
	return socket_of(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}
static int act_socket_v6(const struct spot *s)
{
	(void)s;
	return socket_of(AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
}
static int act_socket_unix(const struct spot *s)
{
	(void)s;
	return socket_of(AF_UNIX, SOCK_SEQPACKET, 0);
}
static int act_socket_raw(const struct spot *s)
{
	(void)s;
	return socket_of(AF_INET, SOCK_RAW, IPPROTO_ICMP);
}
static int act_socket_denied(const struct spot *s)
{
	(void)s;
	if (setuid(NOBODY) < 0)
		return -errno;
	return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) < 0 && errno == EPERM ? 0 : -EPROTO;
}
static int act_socket_compat(const struct spot *s)
{
	(void)s;
	return compat(I386_SOCKET, AF_INET, SOCK_STREAM, 0);
}
static int act_socket_socketcall(const struct spot *s)
{
	(void)s;
	return socketcall(CALL_SOCKET, AF_INET, SOCK_STREAM, 0, 0, 0);
}
static int act_socket_uring(const struct spot *s)
{
	(void)s;
	return uring(OP_SOCKET, AF_INET, NULL, SOCK_STREAM, 0, 0);
}

/* ---- setsockopt ---------------------------------------------------------------------------------------------------- */

static const int one = 1;

static int act_setsockopt(const struct spot *s)
{
	(void)s;
	return res(setsockopt(socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one)));
}
static int act_setsockopt_v6(const struct spot *s)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)s;
	if (fd < 0 && errno == EAFNOSUPPORT)
		return -ENOSYS;
	return res(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)));
}
static int act_setsockopt_unix(const struct spot *s)
{
	(void)s;
	return res(setsockopt(socket(AF_UNIX, SOCK_STREAM, 0), SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)));
}
static int act_setsockopt_denied(const struct spot *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	if (setuid(NOBODY) < 0)
		return -errno;
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &one, sizeof(one)) < 0 && errno == EPERM ? 0 : -EPROTO;
}
static int act_setsockopt_compat(const struct spot *s)
{
	long value = low_bytes(&one, sizeof(one));

	(void)s;
	return compat5(I386_SETSOCKOPT, socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_KEEPALIVE, value, sizeof(one));
}
static int act_setsockopt_socketcall(const struct spot *s)
{
	long value = low_bytes(&one, sizeof(one));

	(void)s;
	return socketcall(CALL_SETSOCKOPT, (uint32_t)socket(AF_INET, SOCK_STREAM, 0), SOL_SOCKET, SO_KEEPALIVE,
			  (uint32_t)value, sizeof(one));
}

/* What a back door listens with: a number at a place of the packet. */
static int act_setsockopt_filter(const struct spot *s)
{
	struct sock_filter insns[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x5293, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = 4, .filter = insns };

	(void)s;
	return res(setsockopt(socket(AF_INET, SOCK_DGRAM, 0), SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
}

/* The place of the level, option, value and its length in the entry, which is newer than the headers. */
static int act_setsockopt_uring(const struct spot *s)
{
	struct io_uring_sqe sqe = { .opcode = OP_URING_CMD, .fd = socket(AF_INET, SOCK_STREAM, 0) };
	char *raw = (char *)&sqe;
	const uint32_t cmd = CMD_SETSOCKOPT, level = SOL_SOCKET, name = SO_KEEPALIVE, len = sizeof(one);
	const uint64_t value = (uintptr_t)&one;
	int r;

	(void)s;
	memcpy(raw + 8, &cmd, 4);
	memcpy(raw + 16, &level, 4);
	memcpy(raw + 20, &name, 4);
	memcpy(raw + 44, &len, 4);
	memcpy(raw + 48, &value, 8);
	r = uring_do(&sqe);
	return r == -EOPNOTSUPP ? -ENOSYS : r;
}

/* ---- listen -------------------------------------------------------------------------------------------------------- */

/* A socket that has a name, and may be listened on; or a negative errno. */
static int bound(int family, int type, uint16_t port)
{
	union address a;
	socklen_t n = loopback(&a, family, port);
	int fd = socket(family, type, 0);

	if (fd < 0)
		return errno == EAFNOSUPPORT ? -ENOSYS : -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 || bind(fd, &a.any, n) < 0)
		return -errno;
	return fd;
}

/* The kernel gives it a name. */
static int bound_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)) < 0 ? -errno : fd;
}

static int act_listen(const struct spot *s)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT_LISTEN);

	(void)s;
	return fd < 0 ? fd : res(listen(fd, 7));
}
static int act_listen_v6(const struct spot *s)
{
	int fd = bound(AF_INET6, SOCK_STREAM, PORT_LISTEN);

	(void)s;
	return fd < 0 ? fd : res(listen(fd, 7));
}
static int act_listen_unix(const struct spot *s)
{
	int fd = bound_unix();

	(void)s;
	return fd < 0 ? fd : res(listen(fd, 7));
}
/* Without bind: from any address, at a port that the kernel chooses. */
static int act_listen_unbound(const struct spot *s)
{
	(void)s;
	return res(listen(socket(AF_INET, SOCK_STREAM, 0), 7));
}
static int act_listen_refused(const struct spot *s)
{
	int fd = bound(AF_INET, SOCK_DGRAM, PORT_LISTEN);

	(void)s;
	if (fd < 0)
		return fd;
	return listen(fd, 7) < 0 && errno == EOPNOTSUPP ? 0 : -EPROTO;
}
static int act_listen_compat(const struct spot *s)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT_LISTEN);

	(void)s;
	return fd < 0 ? fd : compat(I386_LISTEN, fd, 7, 0);
}
static int act_listen_socketcall(const struct spot *s)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT_LISTEN);

	(void)s;
	return fd < 0 ? fd : socketcall(CALL_LISTEN, (uint32_t)fd, 7, 0, 0, 0);
}
static int act_listen_uring(const struct spot *s)
{
	int fd = bound(AF_INET, SOCK_STREAM, PORT_LISTEN);

	(void)s;
	return fd < 0 ? fd : uring(OP_LISTEN, fd, NULL, 0, 7, 0);
}

/* ---- accept -------------------------------------------------------------------------------------------------------- */

/* A listener that somebody waits at, from PORT_PEER; or a negative errno. */
static int called(int family)
{
	union address a;
	socklen_t n = loopback(&a, family, PORT_LISTEN);
	int fd = bound(family, SOCK_STREAM, PORT_LISTEN), peer;

	if (fd < 0)
		return fd;
	if (listen(fd, 1) < 0)
		return -errno;
	peer = bound(family, SOCK_STREAM, PORT_PEER);
	if (peer < 0)
		return peer;
	if (connect(peer, &a.any, n) < 0)
		return -errno;
	/* so that neither port stays taken for a minute: the rows come one after another */
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	return fd;
}

static int act_accept(const struct spot *s)
{
	int fd = called(AF_INET);

	(void)s;
	return fd < 0 ? fd : res(accept(fd, NULL, NULL));
}
static int act_accept_accept4(const struct spot *s)
{
	int fd = called(AF_INET);
	union address a;
	socklen_t n = sizeof(a);

	(void)s;
	return fd < 0 ? fd : res(accept4(fd, &a.any, &n, SOCK_CLOEXEC));
}
static int act_accept_v6(const struct spot *s)
{
	int fd = called(AF_INET6);

	(void)s;
	return fd < 0 ? fd : res(accept(fd, NULL, NULL));
}
static int act_accept_unix(const struct spot *s)
{
	struct sockaddr_un a;
	socklen_t n = sizeof(a);
	int fd = bound_unix();

	(void)s;
	if (fd < 0 || listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)&a, &n) < 0 ||
	    connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, n) < 0)
		return -errno;
	return res(accept(fd, NULL, NULL));
}
static int act_accept_compat(const struct spot *s)
{
	int fd = called(AF_INET);

	(void)s;
	return fd < 0 ? fd : compat5(I386_ACCEPT4, fd, 0, 0, 0, 0);
}
static int act_accept_socketcall(const struct spot *s)
{
	int fd = called(AF_INET);

	(void)s;
	return fd < 0 ? fd : socketcall(CALL_ACCEPT, (uint32_t)fd, 0, 0, 0, 0);
}
static int act_accept_uring(const struct spot *s)
{
	int fd = called(AF_INET);

	(void)s;
	return fd < 0 ? fd : uring(IORING_OP_ACCEPT, fd, NULL, 0, 0, 0);
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

#define SOCKET(domain, type, protocol) "socket.domain=" domain, "socket.type=" type, "socket.protocol=" protocol
#define OPTION(level, name, family, type, protocol)                                                                    \
	"setsockopt.level=" level, "setsockopt.optname=" name, "setsockopt.socket_family=" family,                     \
		"setsockopt.socket_type=" type, "setsockopt.socket_protocol=" protocol
#define KEEPALIVE OPTION("1", "9", "2", "1", "6")
#define LISTEN	  ADDR("listen", "127.0.0.1", "54323", "2", "6"), "listen.backlog=7"
#define ACCEPT	  ADDR("accept", "127.0.0.1", "54324", "2", "6")

const struct row rows_socket[] = {
	{ "socket", NULL, act_socket, .expect = { SOCKET("2", "1", "0"), RET("0"), SYNC } },
	{ "socket.v6", NULL, act_socket_v6, .expect = { SOCKET("10", "2", "17"), RET("0") } },
	{ "socket.unix", NULL, act_socket_unix, .expect = { SOCKET("1", "5", "0"), RET("0") } },
	{ "socket.raw", NULL, act_socket_raw, .expect = { SOCKET("2", "3", "1"), RET("0") } },
	{ "socket.denied", NULL, act_socket_denied,
	  .expect = { SOCKET("2", "3", "1"), RET("-1"), "process.uid=65534" } },
	{ "socket.compat", NULL, act_socket_compat, .expect = { SOCKET("2", "1", "0"), RET("0") } },
	{ "socket.socketcall", NULL, act_socket_socketcall, .expect = { SOCKET("2", "1", "0"), RET("0") } },
	{ "socket.io_uring", NULL, act_socket_uring, .expect = { SOCKET("2", "1", "0"), RET("0"), ASYNC } },

	{ "setsockopt", NULL, act_setsockopt, .expect = { KEEPALIVE, RET("0"), SYNC } },
	{ "setsockopt.v6", NULL, act_setsockopt_v6, .expect = { OPTION("41", "26", "10", "2", "17"), RET("0") } },
	{ "setsockopt.unix", NULL, act_setsockopt_unix, .expect = { OPTION("1", "16", "1", "1", "0"), RET("0") } },
	{ "setsockopt.denied", NULL, act_setsockopt_denied,
	  .expect = { OPTION("1", "36", "2", "1", "6"), RET("-1"), "process.uid=65534" } },
	{ "setsockopt.filter", NULL, act_setsockopt_filter,
	  .expect = { "setsockopt.optname=26", "setsockopt.filter_len=4", "setsockopt.is_filter_truncated=false",
		      "setsockopt.filter_instructions=ldh [12]\njneq #21139,1\nret #65535\nret #0",
		      "setsockopt.filter_hash=6ab98d20823645e177169b98276d6fbc36406eb7a0b502be18b90bb5e9a3ecea" } },
	{ "setsockopt.compat", NULL, act_setsockopt_compat, .expect = { KEEPALIVE, RET("0") } },
	{ "setsockopt.socketcall", NULL, act_setsockopt_socketcall, .expect = { KEEPALIVE, RET("0") } },
	{ "setsockopt.io_uring", NULL, act_setsockopt_uring, .expect = { KEEPALIVE, RET("0"), ASYNC } },

	{ "listen", NULL, act_listen, .expect = { LISTEN, RET("0"), SYNC } },
	{ "listen.v6", NULL, act_listen_v6,
	  .expect = { ADDR("listen", "::1", "54323", "10", "6"), "listen.backlog=7", RET("0") } },
	{ "listen.unix", NULL, act_listen_unix,
	  .expect = { "listen.addr.family=1", "listen.backlog=7", RET("0"), "listen.addr.port=0" } },
	{ "listen.unbound", NULL, act_listen_unbound,
	  .expect = { "listen.addr.ip=0.0.0.0", "listen.addr.family=2", "listen.backlog=7", RET("0") } },
	{ "listen.refused", NULL, act_listen_refused,
	  .expect = { ADDR("listen", "127.0.0.1", "54323", "2", "17"), "listen.backlog=7", RET("-95") } },
	{ "listen.compat", NULL, act_listen_compat, .expect = { LISTEN, RET("0") } },
	{ "listen.socketcall", NULL, act_listen_socketcall, .expect = { LISTEN, RET("0") } },
	{ "listen.io_uring", NULL, act_listen_uring, .expect = { LISTEN, RET("0"), ASYNC } },

	{ "accept", NULL, act_accept, .expect = { ACCEPT, RET("0"), SYNC } },
	{ "accept.accept4", NULL, act_accept_accept4, .expect = { ACCEPT, RET("0") } },
	{ "accept.v6", NULL, act_accept_v6, .expect = { ADDR("accept", "::1", "54324", "10", "6"), RET("0") } },
	{ "accept.unix", NULL, act_accept_unix,
	  .expect = { "accept.addr.family=1", "accept.addr.port=0", "accept.protocol=0", RET("0") } },
	{ "accept.compat", NULL, act_accept_compat, .expect = { ACCEPT, RET("0") } },
	{ "accept.socketcall", NULL, act_accept_socketcall, .expect = { ACCEPT, RET("0") } },
	{ "accept.io_uring", NULL, act_accept_uring, .expect = { ACCEPT, RET("0"), ASYNC } },
	{ 0 },
};
