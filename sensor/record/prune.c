/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/record/prune.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "sensor/record/prove.h"
#include "sensor/record/segment.h"

#define KEEP 2 /* the newest: one is written, the other is what it follows */

static uint64_t bytes_of(int dir_fd, uint64_t number)
{
	char name[SEGMENT_NAME_SIZE];
	uint64_t sum = 0;
	struct stat st;

	for (int i = 0; i < SEGMENT_FILES; i++) {
		segment_name(number, i, name);
		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			sum += (uint64_t)st.st_size;
	}
	return sum;
}

/* When its newest checkpoint was signed; 0 where that cannot be read. */
static uint64_t time_of(int dir_fd, uint64_t number)
{
	struct checkpoint_note note;
	uint64_t ns = 0;
	struct buf text;

	buf_init(&text, SEGMENT_FILE_MAX);
	if (segment_last_note(dir_fd, number, &text, &note, NULL) < 0 ||
	    line_time_ns((struct line_str){ note.c.time, strlen(note.c.time) }, &ns) < 0)
		ns = 0;
	buf_done(&text);
	return ns;
}

int prune_find(int dir_fd, const struct prune_limits *limits, struct prune_plan *ret, struct err *e)
{
	_cleanup_free_ uint64_t *list = NULL, *bytes = NULL;
	uint64_t all = 0;
	size_t n;
	int r = segment_list(dir_fd, &list, &n);

	*ret = (struct prune_plan){ .first = 1 };
	if (r < 0)
		return err_set(e, r, "cannot list the log's segments: %s", strerror(-r));
	bytes = calloc(n + 1, sizeof(*bytes));
	if (!bytes)
		return err_set(e, -ENOMEM, "no memory for the sizes of the log's segments");
	for (size_t i = 0; i < n; i++)
		all += bytes[i] = bytes_of(dir_fd, list[i]);
	for (size_t i = 0; i + KEEP < n; i++) {
		bool large = limits->bytes && all > limits->bytes;
		bool old = limits->before_ns && time_of(dir_fd, list[i]) < limits->before_ns;

		if ((!large && !old) || (limits->stay && list[i] >= limits->stay))
			break;
		if (i == 0)
			ret->first = list[0];
		ret->last = list[i];
		ret->reason = large ? "size" : "age";
		ret->bytes += bytes[i];
		all -= bytes[i];
	}
	return 0;
}

int prune_write(const struct recio *io, int dir_fd, uint64_t number, struct err *e)
{
	char name[SEGMENT_NAME_SIZE];
	struct buf b;
	int r;

	segment_name(number, SEGMENT_PRUNED, name);
	buf_init(&b, PROVE_TEXT_MAX);
	r = prove_link(dir_fd, number, &b, e);
	if (r == 0)
		r = recio_replace(io, dir_fd, name, b.data, b.len, 0640, RECIO_SYNC, e);
	buf_done(&b);
	return r;
}

/* The records first: without them the segment counts as pruned, whatever a crash leaves of the rest. */
int prune_remove(int dir_fd, uint64_t number, struct err *e)
{
	static const enum segment_file order[] = { SEGMENT_LOG, SEGMENT_LEAF, SEGMENT_CKPT };
	char name[SEGMENT_NAME_SIZE];

	for (int i = 0; i < SEGMENT_FILES; i++) {
		segment_name(number, order[i], name);
		if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
			return err_sys(e, -errno, "cannot remove", name);
	}
	return 0;
}
