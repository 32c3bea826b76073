/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/touch.h"

#include <errno.h>
#include <string.h>

#include "tamis/event.h"

static uint32_t size_of(const struct touch_head *h)
{
	return (uint32_t)((sizeof(*h) + h->path_len[0] + h->path_len[1] + h->process_len + 7) & ~7u);
}

int touch_put(struct buf *b, const struct touch *t)
{
	const uint64_t zeros = 0;
	struct touch_head h = t->head;
	size_t used = sizeof(h) + h.path_len[0] + h.path_len[1] + h.process_len;

	h.size = size_of(&h);
	buf_put(b, &h, sizeof(h));
	for (int i = 0; i < 2; i++)
		if (h.path_len[i])
			buf_put(b, t->path[i], h.path_len[i]);
	if (h.process_len)
		buf_put(b, t->process, h.process_len);
	buf_put(b, &zeros, h.size - used);
	return buf_error(b);
}

static bool fits(const struct touch_head *h, size_t left)
{
	if ((!h->path_len[0] && !(h->flags & TOUCH_INODE)) || h->path_len[0] > TOUCH_PATH_MAX ||
	    h->path_len[1] > TOUCH_PATH_MAX || h->process_len > TOUCH_PROCESS_MAX)
		return false;
	return h->size == size_of(h) && h->size <= left && !(h->flags & ~TOUCH_FLAGS) && h->event < EV_TYPES;
}

/* NULs would make one path of it here and another one there. */
static bool is_path(const char *p, uint32_t len)
{
	return !len || (p[0] == '/' && !memchr(p, '\0', len));
}

int touch_next(const void *p, size_t size, size_t *off, struct touch *ret)
{
	const char *at = (const char *)p + *off;

	if (*off == size)
		return 0;
	if (size - *off < sizeof(ret->head))
		return -EPROTO;
	memcpy(&ret->head, at, sizeof(ret->head));
	if (!fits(&ret->head, size - *off))
		return -EPROTO;
	ret->path[0] = at + sizeof(ret->head);
	ret->path[1] = ret->path[0] + ret->head.path_len[0];
	ret->process = ret->path[1] + ret->head.path_len[1];
	if (!is_path(ret->path[0], ret->head.path_len[0]) || !is_path(ret->path[1], ret->head.path_len[1]))
		return -EPROTO;
	*off += ret->head.size;
	return 1;
}
