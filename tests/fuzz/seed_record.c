/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the corpus of fuzz_record into the directory that is given: run it again after the layout of records has changed.
 *
 *	gcc -D_GNU_SOURCE -Iinclude -I. -o seed tests/fuzz/seed_record.c build/libtamis.a -lm
 *	./seed tests/fuzz/corpus/record
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/rec.h"

static struct rec rec;
static FILE *out;
static const char *dir;

static void begin(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		exit(1);
	}
}

static void put(const void *p, size_t size)
{
	fwrite(p, 1, size, out);
}

static void put_rec(void)
{
	size_t size;
	const void *p = rec_end(&rec, &size);

	put(p, size);
}

static void make(enum ev_type type, uint32_t pid, uint64_t ns)
{
	static const char *const strings[EV_STR_MAX] = { "/usr/bin/cat", "/a/./b/../c", "ext4", "pts0",
							 "/docker/x",	 "ssssss",	"t" };

	rec_begin(&rec, type);
	rec.head.pid = rec.head.tid = pid;
	rec.head.start_ns = pid * 1000ull;
	rec.head.boot_ns = ns;
	for (int i = 0; i < rec.head.nstr; i++)
		rec_str(&rec, i, strings[i % 7]);
	if (type == EV_CONNECT || type == EV_BIND)
		rec_bytes(&rec, 0, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01", 16);
}

static void put_proc(enum ev_type type, uint32_t pid, uint32_t of, uint64_t ns)
{
	make(type, pid, ns);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = of;
	rec.num[rec.proc + EVN_PROC_PPID] = 1;
	rec.num[rec.proc + EVN_PROC_CREATED_AT] = of * 1000ull;
	put_rec();
}

static void put_args(uint32_t tid, uint64_t ns, uint32_t off, uint32_t len)
{
	static const char block[] = "cat\0-n\0--x=y\0a b\0HOME=/\0LD_PRELOAD=/x.so\0A";
	const struct ev_head of = { .boot_ns = ns, .tid = tid, .start_ns = tid * 1000ull };
	size_t size;
	const void *p = rec_args(&rec, &of, block, off, len, 17, sizeof(block) - 17, &size);

	put(p, size);
}

static void put_refused(uint32_t pid, uint64_t ns)
{
	make(EV_EXEC, pid, ns);
	rec.num[rec.proc + EVN_PROC_PID] = rec.num[rec.proc + EVN_PROC_TID] = pid;
	rec.head.flags = EV_F_DENIED | EV_F_ARGS_TRUNCATED;
	put_rec();
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	for (int t = 1; t < EV_TYPES; t++) {
		if (!catalog_tamis()->events[t].name)
			continue;
		begin(catalog_tamis()->events[t].name);
		make(t, 7, 1000);
		rec.head.flags = EV_F_USER_PATH;
		put_rec();
		fclose(out);
	}
	begin("life");
	put_proc(EV_EXEC, 1, 1, 1);
	put_proc(EV_FORK, 1, 10, 2);
	put_args(10, 3, 0, 10);
	put_args(10, 3, 10, 34);
	put_proc(EV_EXEC, 10, 10, 3);
	put_proc(EV_FORK, 10, 11, 4);
	make(EV_OPEN, 11, 5);
	put_rec();
	make(EV_EXIT, 10, 6);
	put_rec();
	make(EV_OPEN, 11, 60000000000ull);
	put_rec();
	fclose(out);
	begin("refused");
	put_proc(EV_EXEC, 1, 1, 1);
	put_refused(1, 2);
	put_proc(EV_FORK, 1, 10, 3);
	put_refused(10, 4);
	make(EV_OPEN, 10, 5);
	put_rec();
	put_refused(12, 60000000000ull);
	fclose(out);
	begin("args_gap");
	put_args(10, 3, 0, 5);
	put_args(10, 3, 9, 5);
	put_proc(EV_EXEC, 10, 10, 3);
	fclose(out);
	return 0;
}
