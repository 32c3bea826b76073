/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/load/inodes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "inode.skel.h"
#include "lib/cleanup.h"

struct inodes {
	struct inode_bpf *skel; /* owned */
	enum ev_rung rung;
	uint64_t watched, full;
};

/* Programs of one rung; the others are not loaded. */
static void choose(struct inode_bpf *skel, const char *section)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, skel->obj)
		bpf_program__set_autoload(p, strncmp(bpf_program__section_name(p), section, strlen(section)) == 0);
}

/*
 * Before 6.1 the kernel complains where a tracing program has a map whose memory comes as it is needed (WARN_ONCE, "run-time
 * allocation"): there the map has all of its memory from the beginning, and is smaller.
 */
static bool wants_memory_first(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	return uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 1));
}

static void set_size(struct bpf_map *map)
{
	bool first = wants_memory_first();

	bpf_map__set_max_entries(map, first ? INODES_MAX_BEFORE_6_1 : INODES_MAX);
	if (first)
		bpf_map__set_map_flags(map, 0);
}

static int try_rung(int ring_fd, enum ev_rung rung, struct inodes *n)
{
	struct inode_bpf *skel = inode_bpf__open();
	int r = skel ? 0 : -errno;

	if (r == 0) {
		choose(skel, rung == EV_RUNG_FENTRY ? "fentry/" : "kprobe/");
		set_size(skel->maps.inodes);
		r = bpf_map__reuse_fd(skel->maps.events, ring_fd);
	}
	if (r == 0)
		r = inode_bpf__load(skel);
	if (r == 0)
		r = inode_bpf__attach(skel);
	if (r < 0) {
		inode_bpf__destroy(skel);
		return r;
	}
	n->skel = skel;
	n->rung = rung;
	return 0;
}

int inodes_open(int ring_fd, enum ev_rung rung, struct inodes **ret, struct err *e)
{
	static const enum ev_rung rungs[] = { EV_RUNG_FENTRY, EV_RUNG_KPROBE };
	struct inodes *n = calloc(1, sizeof(*n));
	libbpf_print_fn_t before;
	int r = -ENOTSUP;

	if (!n)
		return err_set(e, -ENOMEM, "out of memory");
	before = libbpf_set_print(NULL);
	for (size_t i = 0; i < 2 && r < 0; i++)
		if (rung == EV_RUNG_NONE || rung == rungs[i])
			r = try_rung(ring_fd, rungs[i], n);
	libbpf_set_print(before);
	if (r < 0) {
		free(n);
		return err_set(e, -ENOTSUP, "neither fentry nor kprobe programs work here: %s", strerror(-r));
	}
	*ret = n;
	return 0;
}

void inodes_close(struct inodes *n)
{
	if (!n)
		return;
	inode_bpf__destroy(n->skel);
	free(n);
}

void inodes_clear(struct inodes *n)
{
	int fd = bpf_map__fd(n->skel->maps.inodes);
	uint64_t key;

	n->skel->bss->watching = 0;
	while (bpf_map_get_next_key(fd, NULL, &key) == 0 && bpf_map_delete_elem(fd, &key) == 0)
		;
	n->watched = n->full = 0;
}

void inodes_add(struct inodes *n, const struct inode_watch *v, size_t count)
{
	int fd = bpf_map__fd(n->skel->maps.inodes);

	for (size_t i = 0; i < count; i++) {
		const uint32_t any = 0;
		int r = bpf_map_update_elem(fd, &v[i].ino, &v[i].dev, BPF_NOEXIST);

		/* another device has a file of that number */
		if (r == -EEXIST || (r < 0 && errno == EEXIST))
			r = bpf_map_update_elem(fd, &v[i].ino, &any, BPF_EXIST);
		else
			n->watched += r == 0;
		n->full += r < 0;
	}
	n->skel->bss->watching = n->watched > 0;
}

void inodes_canary(struct inodes *n, uint32_t pid)
{
	if (n)
		n->skel->bss->canary_pid = pid;
}

void inodes_stats(const struct inodes *n, struct inodes_stats *ret)
{
	*ret = (struct inodes_stats){ .rung = EV_RUNG_NONE };
	if (n)
		*ret = (struct inodes_stats){
			.watched = n->watched, .full = n->full, .lost = n->skel->bss->lost, .rung = n->rung
		};
}
