/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "sensor/ingest/decode.h"
#include "tests/unit/rec.h"

static struct decode *decoder;
static struct rec rec;
static struct decoded dec;

static int setup(void **state)
{
	(void)state;
	assert_int_equal(decode_new(catalog_tamis(), &decoder), 0);
	decode_clock(decoder, 1000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	decode_free(decoder);
	return 0;
}

static int decode(void)
{
	size_t size;
	const void *p = rec_end(&rec, &size);

	return decode_record(decoder, p, size, &dec);
}

static void assert_str(struct val v, const char *s)
{
	assert_int_equal(v.len, strlen(s));
	assert_memory_equal(v.s, s, v.len);
}

/* The numbers of the bits that are set in @s. */
static void assert_bits(struct val v, const char *s)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < 8 * strlen(s); i++)
		if (s[i / 8] & 1 << i % 8) {
			assert_true(n < v.len);
			assert_int_equal(v.arr[n++].num, i);
		}
	assert_int_equal(v.len, n);
}

static void make_open(void)
{
	rec_begin(&rec, EV_OPEN);
	rec.head.pid = 42;
	rec.head.boot_ns = 7;
	rec.head.retval = -EACCES;
	rec.head.flags = EV_F_ASYNC;
	rec.head.policy = 9;
	rec.num[EVN_OPEN_FILE_INODE] = 12;
	rec.num[EVN_OPEN_FILE_MTIME] = 1700000000000000000;
	rec.num[EVN_OPEN_FILE_IN_UPPER] = 1;
	rec.num[EVN_OPEN_FLAGS] = O_RDWR | O_CREAT;
	rec.num[EVN_OPEN_MODE] = 0644;
	rec_str(&rec, EVS_OPEN_FILE_PATH, "/etc/shadow");
	rec_str(&rec, EVS_OPEN_FILE_FILESYSTEM, "ext4");
}

static void an_open(void **state)
{
	(void)state;
	make_open();
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.ev.type, EV_OPEN);
	assert_int_equal(dec.head.pid, 42);
	assert_int_equal(dec.ev.policy, 9);
	assert_int_equal(dec.ev.rung, EV_RUNG_FENTRY);
	assert_true(dec.ev.alive[3] == UINT64_MAX);
	assert_int_equal(dec.ev.base[SLOT_BASE_RETVAL].num, -EACCES);
	assert_int_equal(dec.ev.base[SLOT_BASE_ASYNC].num, 1);
	assert_int_equal(dec.ev.base[SLOT_BASE_TIMESTAMP].num, 1007);
	assert_int_equal(dec.ev.now_ns, 1007);
	assert_int_equal(dec.ev.v[SLOT_OPEN_FILE_INODE].num, 12);
	assert_int_equal(dec.ev.v[SLOT_OPEN_FILE_MTIME].num, 1700000000000000000);
	assert_int_equal(dec.ev.v[SLOT_OPEN_FILE_IN_UPPER].num, 1);
	assert_int_equal(dec.ev.v[SLOT_OPEN_FLAGS].num, O_RDWR | O_CREAT);
	assert_int_equal(dec.ev.v[SLOT_OPEN_MODE].num, 0644);
	assert_str(dec.ev.v[SLOT_OPEN_FILE_PATH], "/etc/shadow");
	assert_str(dec.ev.v[SLOT_OPEN_FILE_FILESYSTEM], "ext4");
	assert_false(dec.has_proc);
	assert_null(dec.ev.proc);
}

/* Every row of every event arrives in the slot that the catalog gives it: nothing is decoded by hand. */
static void every_row_of_every_event(void **state)
{
	const struct catalog *c = catalog_tamis();
	static const char address[16] = "0123456789abcdef";
	char text[EV_STR_MAX][16];

	(void)state;
	for (int t = 1; t < EV_TYPES; t++) {
		if (!catalog_tamis()->events[t].name)
			continue;
		rec_begin(&rec, t);
		for (int i = 0; i < rec.head.nnum; i++)
			rec.num[i] = 1000 + (ev_u64)i;
		for (int i = 0; i < rec.head.nstr; i++) {
			snprintf(text[i], sizeof(text[i]), "s%d", i);
			rec_str(&rec, i, text[i]);
		}
		rec_addresses(&rec, address);
		assert_int_equal(decode(), 1);
		for (size_t i = 0; i < c->nfields; i++) {
			const struct cat_field *f = &c->fields[i];
			bool own = f->home == CAT_HOME_EVENT && catalog_covers(c, f->event, (uint16_t)t);
			bool proc = dec.has_proc && f->home == CAT_HOME_PROC && f->event == EV_NONE &&
				    f->slot < SLOT_PROC_SEEN;
			struct val v;

			if (!own && !proc)
				continue;
			v = own ? dec.ev.v[f->slot] : dec.pv[f->slot];
			if (f->kind == 'N' && proc && f->slot == SLOT_PROC_CREATED_AT)
				assert_int_equal(v.num, 1000 + rec.proc + f->index + 1000);
			else if (f->kind == 'N')
				assert_int_equal(v.num, 1000 + (proc ? rec.proc : 0) + f->index);
			else if (f->kind == 'S' && f->type == VAL_STR)
				assert_str(v, text[(proc ? rec.proc_str : 0) + f->index]);
			else if (f->kind == 'S' && f->type == VAL_INT)
				assert_bits(v, text[f->index]);
			else if (f->kind == 'S')
				assert_memory_equal(v.s, "0123456789abcdef\x80", VAL_IP_BYTES);
			else
				assert_int_equal(v.num, 0);
		}
	}
}

/* Which process the second one is: four numbers behind the event's own. */
static void second_process(void **state)
{
	(void)state;
	rec_begin(&rec, EV_SIGNAL);
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_PID] = 77;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_START] = 123456789;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_IDS] = 5 | 6ull << 32;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_EIDS] = 7 | 8ull << 32;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_FSIDS] = 9 | 10ull << 32;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_CAP_PERMITTED] = 11;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_CAP_EFFECTIVE] = 12;
	rec.num[EVN_SIGNAL_COUNT + EV_TARGET_AUID] = 13;
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.target.pid, 77);
	assert_int_equal(dec.target.start_ns, 123456789);
	assert_int_equal(dec.target.uid, 5);
	assert_int_equal(dec.target.gid, 6);
	assert_int_equal(dec.target.euid, 7);
	assert_int_equal(dec.target.egid, 8);
	assert_int_equal(dec.target.fsuid, 9);
	assert_int_equal(dec.target.fsgid, 10);
	assert_int_equal(dec.target.cap_permitted, 11);
	assert_int_equal(dec.target.cap_effective, 12);
	assert_int_equal(dec.target.auid, 13);
	rec_begin(&rec, EV_OPEN);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.target.pid, 0);
}

static void helpers_are_bits(void **state)
{
	static const char bits[33] = { 0x02, 0, 0, 0, [31] = (char)0x80, [32] = 1 };

	(void)state;
	rec_begin(&rec, EV_BPF);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.ev.v[SLOT_BPF_HELPERS].len, 0);
	rec_bytes(&rec, EVS_BPF_HELPERS, bits, 32);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.ev.v[SLOT_BPF_HELPERS].len, 2);
	assert_int_equal(dec.ev.v[SLOT_BPF_HELPERS].arr[0].num, 1);
	assert_int_equal(dec.ev.v[SLOT_BPF_HELPERS].arr[1].num, 255);
	/* more than there is room for */
	rec_bytes(&rec, EVS_BPF_HELPERS, bits, 33);
	assert_int_equal(decode(), -EBADMSG);
}

static void empty_address(void **state)
{
	(void)state;
	rec_begin(&rec, EV_BIND);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.ev.v[SLOT_BIND_IP].len, 0);
	rec_bytes(&rec, EVS_BIND_IP, "0123", 4);
	assert_int_equal(decode(), -EBADMSG);
}

/* A copy that ends exactly where its bytes end, so that a sanitizer sees the first byte read too many. */
static int decode_copy(const void *p, size_t size)
{
	void *copy = malloc(size ? size : 1);
	int r;

	memcpy(copy, p, size);
	r = decode_record(decoder, copy, size, &dec);
	free(copy);
	return r;
}

static void every_truncation(void **state)
{
	struct decode_stats before, after;
	uint64_t types = 0;
	size_t size;

	(void)state;
	decode_stats(decoder, &before);
	for (int t = 1; t < EV_TYPES; t++) {
		const unsigned char *p;

		if (!catalog_tamis()->events[t].name)
			continue;
		types++;
		rec_begin(&rec, t);
		rec_str(&rec, 0, "/some/path");
		rec_addresses(&rec, "0123456789abcdef");
		if (!rec.head.nstr)
			rec.str[0].len = 0;
		p = rec_end(&rec, &size);
		assert_int_equal(decode_copy(p, size), 1);
		for (size_t cut = 0; cut < size; cut++) {
			assert_int_equal(decode_copy(p, cut), -EBADMSG);
			/* the same, with a head that admits it */
			if (cut < sizeof(rec.head))
				continue;
			((struct ev_head *)rec.bytes)->size = (ev_u32)cut;
			assert_int_equal(decode_copy(p, cut), -EBADMSG);
			((struct ev_head *)rec.bytes)->size = (ev_u32)size;
		}
	}
	decode_stats(decoder, &after);
	assert_int_equal(after.records - before.records, types);
	assert_true(after.malformed > before.malformed + 1000);
}

static void bad_heads(void **state)
{
	struct ev_head *h = (struct ev_head *)rec.bytes;
	size_t size;

	(void)state;
#define BAD(STATEMENT)                                                                                                 \
	do {                                                                                                           \
		make_open();                                                                                           \
		rec_end(&rec, &size);                                                                                  \
		STATEMENT;                                                                                             \
		assert_int_equal(decode_copy(rec.bytes, size), -EBADMSG);                                              \
	} while (0)
	BAD(h->type = EV_NONE);
	BAD(h->type = EV_TYPES);
	BAD(h->type = 0xffff);
	BAD(h->nnum++);
	BAD(h->nnum--);
	BAD(h->nstr++);
	BAD(h->nstr = 0xff);
	BAD(h->size = 0);
	BAD(h->size = UINT32_MAX);
	BAD(h->size += 8);
	BAD(h->size -= 4);
	BAD(h->rung = EV_RUNGS);
#undef BAD
}

static void bad_strings(void **state)
{
	struct ev_str *s = (struct ev_str *)(rec.bytes + sizeof(struct ev_head) + EVN_OPEN_COUNT * sizeof(ev_u64));
	static const struct ev_str bad[] = {
		{ 0, 1 }, { 8, 4 }, { UINT32_MAX, 1 }, { 104, 1 }, { 1 << 20, 1 }, { UINT32_MAX - 3, 8 },
	};
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		make_open();
		rec_end(&rec, &size);
		*s = bad[i];
		assert_int_equal(decode_copy(rec.bytes, size), -EBADMSG);
	}
	make_open();
	rec_end(&rec, &size);
	s->len = (ev_u32)size - s->off;
	assert_int_equal(decode_copy(rec.bytes, size), 1);
	s->len++;
	assert_int_equal(decode_copy(rec.bytes, size), -EBADMSG);
	s->len = UINT32_MAX;
	assert_int_equal(decode_copy(rec.bytes, size), -EBADMSG);
}

static void plain_paths(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" },
		{ "//", "/" },
		{ "/.", "/" },
		{ "/..", "/" },
		{ "/a/..", "/" },
		{ "/a//b", "/a/b" },
		{ "/a/./b", "/a/b" },
		{ "/a/../b", "/b" },
		{ "/a/b/../../../c", "/c" },
		{ "/a/b/", "/a/b" },
		{ "/a/b/.", "/a/b" },
		{ "/a/b/..", "/a" },
		{ "/...", "/..." },
		{ "/a/.b/..c", "/a/.b/..c" },
		{ "/home/u/../../etc/./passwd", "/etc/passwd" },
		{ "a/../b", "a/../b" },
		{ "", "" },
		{ "/a", "/a" },
		{ "/..//../x/", "/x" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char out[64];
		size_t n = decode_path_plain(cases[i][0], strlen(cases[i][0]), out);

		out[n] = 0;
		assert_string_equal(out, cases[i][1]);

		/* the decoder takes the same decision, and only for paths from user memory */
		rec_begin(&rec, EV_RENAME);
		rec_str(&rec, EVS_RENAME_FILE_PATH, cases[i][0]);
		rec_str(&rec, EVS_RENAME_DEST_PATH, "/x/../y");
		assert_int_equal(decode(), 1);
		assert_str(dec.ev.v[SLOT_RENAME_FILE_PATH], cases[i][0]);
		rec.head.flags = EV_F_USER_PATH;
		assert_int_equal(decode(), 1);
		assert_str(dec.ev.v[SLOT_RENAME_FILE_PATH], cases[i][1]);
		assert_str(dec.ev.v[SLOT_RENAME_DEST_PATH], "/y");
	}
}

static int piece(uint32_t tid, uint32_t image, const char *block, uint32_t off, uint32_t len, uint32_t argv,
		 uint32_t envp)
{
	const struct ev_head of = { .boot_ns = 10, .tid = tid, .start_ns = 500, .image = image };
	size_t size;
	const void *p = rec_args(&rec, &of, block, off, len, argv, envp, &size);

	return decode_copy(p, size);
}

static void make_exec(uint32_t tid, uint32_t image)
{
	rec_begin(&rec, EV_EXEC);
	rec.head.pid = rec.head.tid = tid;
	rec.head.boot_ns = 20;
	rec.head.start_ns = 500;
	rec.head.image = image;
	rec_proc_str(&rec, EVS_PROC_FILE_PATH, "/usr/bin/cat");
}

#define BLOCK	   "cat\0/etc/shadow\0PATH=/bin\0HOME=/root"
#define BLOCK_ARGV 16
#define BLOCK_ENVP (sizeof(BLOCK) - BLOCK_ARGV)

static void exec_takes_its_pieces(void **state)
{
	(void)state;
	assert_int_equal(piece(5, 100, BLOCK, 0, 10, BLOCK_ARGV, BLOCK_ENVP), 0);
	assert_int_equal(piece(6, 100, "other", 0, 6, 6, 0), 0);
	assert_int_equal(piece(5, 100, BLOCK, 10, sizeof(BLOCK) - 10, BLOCK_ARGV, BLOCK_ENVP), 0);
	make_exec(5, 100);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.args.argv_len, BLOCK_ARGV);
	assert_memory_equal(dec.args.argv, BLOCK, BLOCK_ARGV);
	assert_int_equal(dec.args.envp_len, BLOCK_ENVP);
	assert_memory_equal(dec.args.envp, &BLOCK[BLOCK_ARGV], BLOCK_ENVP);
	assert_false(dec.args.argv_cut || dec.args.envp_cut);
	assert_int_equal(dec.proc_start_ns, 500);
	assert_int_equal(dec.pv[SLOT_PROC_CREATED_AT].num, 1500);

	/* taken once */
	assert_int_equal(decode(), 1);
	assert_null(dec.args.argv);
	/* not the pieces of another exec */
	make_exec(6, 101);
	assert_int_equal(decode(), 1);
	assert_null(dec.args.argv);
	assert_false(dec.args.argv_cut);
	/* nor those of another process with that id */
	assert_int_equal(piece(5, 100, BLOCK, 0, 10, BLOCK_ARGV, BLOCK_ENVP), 0);
	make_exec(5, 100);
	rec.head.start_ns = 501;
	assert_int_equal(decode(), 1);
	assert_null(dec.args.argv);
}

static void exec_with_lost_pieces(void **state)
{
	(void)state;
	assert_int_equal(piece(5, 100, BLOCK, 0, 10, BLOCK_ARGV, BLOCK_ENVP), 0);
	assert_int_equal(piece(5, 100, BLOCK, 20, 5, BLOCK_ARGV, BLOCK_ENVP), 0);
	make_exec(5, 100);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.args.argv_len, 10);
	assert_int_equal(dec.args.envp_len, 0);
	assert_true(dec.args.argv_cut && dec.args.envp_cut);

	/* the first piece is the one that went missing */
	assert_int_equal(piece(5, 200, BLOCK, 10, 5, BLOCK_ARGV, BLOCK_ENVP), 0);
	make_exec(5, 200);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.args.argv_len, 0);
	assert_true(dec.args.argv_cut);
}

static void pieces_are_bounded(void **state)
{
	struct decode_stats before, after;
	static char block[20000];

	(void)state;
	/* more than the totals promise; more than the bound; totals that wrap */
	assert_int_equal(piece(1, 1, block, 0, 100, 10, 10), 0);
	assert_int_equal(piece(2, 1, block, 0, 20000, UINT32_MAX, UINT32_MAX), 0);
	assert_int_equal(piece(2, 1, block, 20000 - 8, 8, 1, 1), 0);

	decode_stats(decoder, &before);
	for (uint32_t tid = 1; tid <= 500; tid++)
		assert_int_equal(piece(tid, 5, block, 0, 20000, 1 << 30, 0), 0);
	decode_stats(decoder, &after);
	assert_true(after.args_lost - before.args_lost >= 500 - 64);
	make_exec(500, 5);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.args.argv_len, 20000);
	assert_true(dec.args.argv_cut);
}

static void long_arguments(void **state)
{
	static char block[EV_ARGS_MAX];
	uint32_t step = 16384;

	(void)state;
	memset(block, 'x', sizeof(block));
	for (uint32_t off = 0; off < sizeof(block); off += step)
		assert_int_equal(piece(9, 9, block, off, step, EV_ARGS_MAX, 100), 0);
	make_exec(9, 9);
	assert_int_equal(decode(), 1);
	assert_int_equal(dec.args.argv_len, EV_ARGS_MAX);
	assert_false(dec.args.argv_cut);
	assert_true(dec.args.envp_cut);
}

static void bad_pieces(void **state)
{
	const struct ev_head of = { .tid = 3 };
	struct ev_args *a = (struct ev_args *)rec.bytes;
	size_t size;

	(void)state;
#define BAD(STATEMENT)                                                                                                 \
	do {                                                                                                           \
		rec_args(&rec, &of, BLOCK, 0, sizeof(BLOCK), BLOCK_ARGV, BLOCK_ENVP, &size);                           \
		STATEMENT;                                                                                             \
		assert_int_equal(decode_copy(rec.bytes, size), -EBADMSG);                                              \
	} while (0)
	for (size_t cut = 0; cut < sizeof(*a) + sizeof(BLOCK); cut++)
		BAD(size = cut);
	BAD(a->len += 8);
	BAD(a->len = UINT32_MAX);
	BAD(a->off = EV_ARGS_MAX);
	BAD(a->off = UINT32_MAX);
	BAD(a->head.size = 8);
	BAD(a->head.size = UINT32_MAX);
#undef BAD
}

static void random_damage(void **state)
{
	size_t size;

	(void)state;
	srand(1);
	for (int round = 0; round < 200000; round++) {
		int t = 1 + rand() % (EV_TYPES - 1);

		if (!catalog_tamis()->events[t].name)
			continue;
		rec_begin(&rec, t);
		rec.head.flags = EV_F_USER_PATH;
		if (rec.head.nstr)
			rec_str(&rec, 0, "/a/../b/../c//d/0123");
		rec_end(&rec, &size);
		for (int n = rand() % 4; n >= 0; n--)
			rec.bytes[(size_t)rand() % size] = (unsigned char)rand();
		decode_record(decoder, rec.bytes, size, &dec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open),
		cmocka_unit_test(every_row_of_every_event),
		cmocka_unit_test(second_process),
		cmocka_unit_test(helpers_are_bits),
		cmocka_unit_test(empty_address),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(bad_heads),
		cmocka_unit_test(bad_strings),
		cmocka_unit_test(plain_paths),
		cmocka_unit_test(exec_takes_its_pieces),
		cmocka_unit_test(exec_with_lost_pieces),
		cmocka_unit_test(pieces_are_bounded),
		cmocka_unit_test(long_arguments),
		cmocka_unit_test(bad_pieces),
		cmocka_unit_test(random_damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
