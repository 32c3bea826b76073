/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline's files by inode: regular files, 16 bytes and the path of each. Whatever has another inode by now is found by its
 * path. Where a file system has device numbers of its own for each subvolume or layer, its kernel number is not what stat()
 * says: then any device will do.
 */
#include "sensor/fim/live_impl.h"

#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define INODE_PATHS_MAX (256u << 20)

static int by_ino(const void *a, const void *b)
{
	const struct live_inode *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

/* Of the device that the last file was on. */
static uint32_t kernel_dev(uint64_t dev, const char *path)
{
	static uint64_t last;
	static uint32_t known;
	struct statfs fs;

	if (dev == last && known)
		return known;
	if (statfs(path, &fs) < 0 || fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC)
		return 0;
	last = dev;
	known = (uint32_t)(major(dev) << 20 | minor(dev));
	return known;
}

static int add(struct live *l, const struct store_row *row, uint32_t *room)
{
	struct fact f;
	struct live_inode *more;
	size_t at = l->inode_paths.len;

	if (fact_read(row->value, row->len, &f) < 0 || f.type != FACT_FILE || !f.inode)
		return 0;
	if (l->ninodes == LIVE_INODES_MAX) {
		l->stats.inodes_cut++;
		return 0;
	}
	if (l->ninodes == *room) {
		more = realloc(l->inodes, (*room ? 2 * *room : 4096) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		l->inodes = more;
		*room = *room ? 2 * *room : 4096;
	}
	if (buf_put(&l->inode_paths, row->path, row->path_len) < 0 || buf_putc(&l->inode_paths, 0) < 0)
		return -ENOMEM;
	l->inodes[l->ninodes++] =
		(struct live_inode){ .ino = f.inode,
				     .path = (uint32_t)at,
				     .dev = kernel_dev(f.device, (const char *)l->inode_paths.data + at) };
	return 0;
}

int live_inodes_open(struct live *l, struct err *e)
{
	_cleanup_(store_iter_close) struct store_iter *it = NULL;
	struct store_row row;
	uint32_t room = 0;
	int r;

	live_inodes_close(l);
	l->stats.inodes_cut = 0;
	r = store_iter_open(l->base.store, STORE_FILES, NULL, 0, &it, e);

	while (r == 0 && (r = store_iter_next(it, &row, e)) > 0)
		r = add(l, &row, &room);
	if (r == -ENOMEM)
		return err_set(e, r, "no memory for the inodes of the baseline");
	if (l->ninodes)
		qsort(l->inodes, l->ninodes, sizeof(l->inodes[0]), by_ino);
	return r;
}

void live_inodes_close(struct live *l)
{
	free(l->inodes);
	l->inodes = NULL;
	l->ninodes = 0;
	buf_done(&l->inode_paths);
	buf_init(&l->inode_paths, INODE_PATHS_MAX);
}

uint32_t live_inodes(const struct live *l, uint32_t i, uint64_t *ret_ino, uint32_t *ret_dev)
{
	if (i < l->ninodes) {
		*ret_ino = l->inodes[i].ino;
		*ret_dev = l->inodes[i].dev;
	}
	return l->ninodes;
}
