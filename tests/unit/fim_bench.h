/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_FIM_BENCH_H
#define TAMIS_TESTS_FIM_BENCH_H

/* What tests of file integrity share: a directory of its own with a tree and a state directory in it, and watches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/severity.h"
#include "lib/watch_io.h"
#include "sensor/fim/baseline.h"
#include "sensor/fim/live.h"

struct fim_bench {
	char dir[64], state[80], tree[80];
	struct buf watches;
};

static inline int fim_rm(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static inline void fim_begin(struct fim_bench *b)
{
	strcpy(b->dir, "/tmp/tamis-fim-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
	snprintf(b->tree, sizeof(b->tree), "%s/tree", b->dir);
	assert_int_equal(mkdir(b->tree, 0755), 0);
	buf_init(&b->watches, 1 << 20);
}

static inline void fim_end(struct fim_bench *b)
{
	nftw(b->dir, fim_rm, 32, FTW_DEPTH | FTW_PHYS);
	buf_done(&b->watches);
}

/* A name below the tree: one at a time is valid. */
static inline const char *fim_path(const struct fim_bench *b, const char *name)
{
	static char path[8192];

	snprintf(path, sizeof(path), "%s/%s", b->tree, name);
	return path;
}

static inline void fim_write(const struct fim_bench *b, const char *name, const char *text)
{
	int fd = open(fim_path(b, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline void fim_mkdir(const struct fim_bench *b, const char *name)
{
	assert_int_equal(mkdir(fim_path(b, name), 0755), 0);
}

/* One watch of the whole tree. */
static inline void fim_watch(struct fim_bench *b, uint32_t attrs, uint32_t diff_max, bool growing)
{
	const char *paths[] = { b->tree };
	struct watch w = { .id = "tree",
			   .description = "",
			   .policy = "p",
			   .version = "1",
			   .paths = paths,
			   .npaths = 1,
			   .attrs = attrs,
			   .diff_max = diff_max,
			   .severity = SEVERITY_MEDIUM,
			   .recursive = true,
			   .growing = growing };
	const struct watch_list list = { .v = &w, .n = 1 };

	buf_reset(&b->watches);
	assert_int_equal(watch_pack(&list, &b->watches), 0);
}

static inline struct baseline_options fim_options(const struct fim_bench *b)
{
	return (struct baseline_options){ .state_dir = b->state,
					  .root = "/",
					  .watches = b->watches.data,
					  .watches_size = b->watches.len,
					  .scan = { .workers = 2 } };
}

static inline void fim_init(struct fim_bench *b)
{
	struct baseline_options o = fim_options(b);
	struct baseline_counts c;
	struct err e = { "" };

	o.force = true;
	if (baseline_init(&o, NULL, &c, &e) < 0)
		fail_msg("%s", e.msg);
}

/* The real-time side over its baseline; the caller's to close. */
static inline struct live *fim_live(const struct fim_bench *b)
{
	const struct live_options o = { .state_dir = b->state,
					.root = "/",
					.host = "h",
					.watches = b->watches.data,
					.watches_size = b->watches.len };
	struct live *live = NULL;
	struct err e = { "" };

	if (live_open(&o, &live, &e) < 0)
		fail_msg("%s", e.msg);
	return live;
}

static inline struct baseline_counts fim_check(struct fim_bench *b)
{
	struct baseline_options o = fim_options(b);
	struct baseline_counts c;
	struct err e = { "" };

	if (baseline_check(&o, NULL, &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

#endif
