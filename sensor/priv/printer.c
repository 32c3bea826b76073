/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/printer.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sensor/priv/recycle.h"

#define FILE_PIECE (64u << 10)

void printer_init(struct printer *p, int fd)
{
	struct stat st;

	*p = (struct printer){ .fd = fd };
	buf_init(&p->text, PRINTER_MAX);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		p->pipe = !S_ISREG(st.st_mode);
		p->socket = S_ISSOCK(st.st_mode);
	}
}

void printer_done(struct printer *p)
{
	buf_done(&p->text);
}

static size_t waiting(const struct printer *p)
{
	return p->text.len - p->off;
}

bool printer_waits(const struct printer *p)
{
	return waiting(p) > 0;
}

bool printer_full(const struct printer *p)
{
	return waiting(p) > PRINTER_HIGH && !p->stalled;
}

/* What is written already goes, so that a slow reader does not let the buffer grow. */
static void compact(struct printer *p)
{
	if (p->off < PRINTER_HIGH)
		return;
	memmove(p->text.data, p->text.data + p->off, waiting(p));
	buf_truncate(&p->text, waiting(p));
	p->off = 0;
}

void printer_put(struct printer *p, const void *text, size_t len, uint64_t lines, uint64_t now_ns)
{
	if (p->fd < 0)
		return;
	if (!waiting(p))
		p->since_ns = now_ns;
	compact(p);
	if (p->gone || p->stalled || buf_put(&p->text, text, len) < 0) {
		p->text.error = 0;
		p->skipped += lines;
		return;
	}
	p->printed += lines;
}

/*
 * One piece. A pipe that polls as writable takes PIPE_BUF bytes without blocking, and this descriptor is shared with
 * whoever started us, so O_NONBLOCK is not ours to set.
 */
static ssize_t write_piece(const struct printer *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
	size_t n = waiting(p), most = p->pipe ? PIPE_BUF : FILE_PIECE;
	const uint8_t *from = p->text.data + p->off;

	if (n > most)
		n = most;
	if (p->socket)
		return send(p->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (poll(&pfd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(p->fd, from, n);
}

/* Nobody reads any more: what waits was never printed. */
static void give_up(struct printer *p)
{
	for (size_t i = p->off; i < p->text.len; i++)
		if (p->text.data[i] == '\n') {
			p->printed--;
			p->skipped++;
		}
	p->gone = true;
	p->off = 0;
	buf_done(&p->text);
}

void printer_write(struct printer *p, uint64_t now_ns)
{
	while (waiting(p)) {
		ssize_t n = write_piece(p);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			p->stalled = p->stalled || now_ns - p->since_ns > PRINTER_STALL_MS * 1000000ull;
			return;
		}
		if (n < 0)
			return give_up(p);
		p->off += (size_t)n;
		p->since_ns = now_ns;
		p->stalled = p->stalled && waiting(p) > PRINTER_HIGH / 2;
	}
	p->off = 0;
	p->stalled = false;
	recycle(&p->text);
}
