/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hash process takes from the engine process: touches, back to back, as any bytes. What is accepted packs to the same
 * bytes; it is handed to a real baseline of a few files in a directory of their own, and what is due is looked at. Alerts have
 * bounds, and name watched files only.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/severity.h"
#include "lib/watch_io.h"
#include "sensor/fim/finding.h"
#include "sensor/fim/live.h"
#include "tests/fuzz/fuzz.h"

static struct live *live;
static char root[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *f)
{
	return remove(path);
}

static void remove_all(void)
{
	live_close(live);
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_file(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	must(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name));
	close(fd);
}

static void make_dir(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	must(mkdir(path, 0755) == 0);
}

/* /tree below a root of its own: a, b (which changes behind the baseline), d/c; gone goes, new comes. */
static void begin(void)
{
	static const char *paths[] = { "/tree" };
	static char state[80];
	struct watch w = { .id = "tree",
			   .description = "",
			   .policy = "p",
			   .version = "1",
			   .paths = paths,
			   .npaths = 1,
			   .attrs = WATCH_STANDARD,
			   .diff_max = 4096,
			   .severity = SEVERITY_MEDIUM,
			   .recursive = true };
	const struct watch_list list = { .v = &w, .n = 1 };
	struct baseline_counts c;
	struct buf packed;
	struct err e = { "" };

	snprintf(root, sizeof(root), "/tmp/tamis-fuzz-XXXXXX");
	must(mkdtemp(root) != NULL);
	make_dir("tree");
	make_dir("tree/d");
	make_file("tree/a");
	make_file("tree/b");
	make_file("tree/gone");
	make_file("tree/d/c");
	snprintf(state, sizeof(state), "%s/state", root);
	buf_init(&packed, 65536);
	must(watch_pack(&list, &packed) == 0);
	const struct baseline_options o = { .state_dir = state,
					    .root = root,
					    .watches = packed.data,
					    .watches_size = packed.len,
					    .scan = { .workers = 1 } };
	const struct live_options lo = {
		.state_dir = state, .root = root, .host = "h", .watches = packed.data, .watches_size = packed.len
	};
	must(baseline_init(&o, NULL, &c, &e) == 0 && live_open(&lo, &live, &e) == 0);
	buf_done(&packed);
	make_file("tree/new");
	truncate(strcat(strcpy(state, root), "/tree/b"), 3);
	unlink(strcat(strcpy(state, root), "/tree/gone"));
	atexit(remove_all);
}

static void hear(void *ctx, const char *head, size_t head_len, const char *tail, size_t tail_len)
{
	must(head_len + tail_len <= FINDING_MAX && head[0] == '{' && tail[tail_len - 1] == '}');
	must(memmem(head, head_len, "\"path\":\"/tree", strlen("\"path\":\"/tree")) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t now = 1000000000;
	size_t off = 0, before = 0;
	struct live_stats s;
	struct touch t;
	struct buf again;
	uint8_t *copy;

	if (!live)
		begin();
	copy = malloc(size ? size : 1); /* a block of its own size, so that a read behind its end is seen */
	must(copy != NULL);
	memcpy(copy, data, size);
	buf_init(&again, 1u << 20);
	for (; touch_next(copy, size, &off, &t) == 1; before = off) {
		buf_reset(&again);
		must(off <= size && touch_put(&again, &t) == 0 && again.len == off - before);
		must(t.path[0] >= (char *)copy && t.process + t.head.process_len <= (char *)copy + off);
		must(live_touch(live, &t, now) == 0);
	}
	must(off == before);
	now += 10000000000u;
	for (int i = 0; i < 1000 && live_step(live, now, now, hear, NULL); i++)
		;
	live_stats(live, &s);
	must(s.queued <= LIVE_PATHS_MAX && s.failures == 0);
	buf_done(&again);
	free(copy);
	return 0;
}
