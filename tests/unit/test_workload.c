/* SPDX-License-Identifier: Apache-2.0 */
/* Strings of captures, and what they are for: of patterns that do not fit, what tells them from those strings stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/capture.h"
#include "policy-compiler/automaton.h"
#include "policy-compiler/intern.h"
#include "policy-compiler/workload.h"
#include "tamis/sieve.h"
#include "tests/unit/rec.h"

static const struct capture_meta meta = { .all = true, .tick_ns = 10000000, .host = "web-1" };

static void put(struct capture_writer *w, struct rec *r)
{
	size_t size;
	const void *p = rec_end(r, &size);

	assert_int_equal(capture_put(w, CAPTURE_RECORD, p, size, NULL, 0), 0);
}

static void put_open(struct capture_writer *w, const char *path)
{
	static struct rec r;

	rec_begin(&r, EV_OPEN);
	rec_str(&r, EVS_OPEN_FILE_PATH, path);
	put(w, &r);
}

static void put_exec(struct capture_writer *w, const char *path, const char *comm)
{
	static struct rec r;

	rec_begin(&r, EV_EXEC);
	rec_str(&r, r.proc_str + EVS_PROC_FILE_PATH, path);
	rec_str(&r, r.proc_str + EVS_PROC_COMM, comm);
	put(w, &r);
}

static struct workload *read_back(struct capture_writer *w)
{
	struct workload *ret = NULL;
	struct err e = { "" };
	const void *p;
	size_t n;

	capture_close(w);
	n = capture_ready(w, &p);
	if (workload_read_mem(catalog_tamis(), p, n, &ret, &e) < 0)
		fail_msg("%s", e.msg);
	return ret;
}

static void begin(struct capture_writer *w)
{
	assert_int_equal(capture_writer_init(w, 1u << 24, catalog_fingerprint(catalog_tamis())), 0);
	assert_int_equal(capture_put_meta(w, &meta), 0);
}

static void assert_sample(struct nfa_samples s, uint32_t i, const char *text, uint64_t count)
{
	assert_true(i < s.n);
	assert_int_equal(s.v[i].len, strlen(text));
	assert_memory_equal(s.v[i].s, text, s.v[i].len);
	assert_int_equal(s.v[i].count, count);
}

static void test_strings(void **state)
{
	struct capture_writer w;
	struct nfa_samples s;
	struct workload *l;
	struct rec r;

	begin(&w);
	put_open(&w, "/etc/passwd");
	put_open(&w, "/etc/hosts");
	put_open(&w, "/etc/hosts");
	put_exec(&w, "/usr/bin/id", "id");
	rec_begin(&r, EV_RENAME);
	rec_str(&r, EVS_RENAME_FILE_PATH, "/a");
	rec_str(&r, EVS_RENAME_DEST_PATH, "/b");
	put(&w, &r);
	l = read_back(&w);
	s = workload_samples(l, EV_OPEN, SV_AUT_PATH0);
	assert_int_equal(s.n, 2);
	assert_sample(s, 0, "/etc/hosts", 2);
	assert_sample(s, 1, "/etc/passwd", 1);
	assert_sample(workload_samples(l, EV_EXEC, SV_AUT_PATH0), 0, "/usr/bin/id", 1);
	assert_sample(workload_samples(l, EV_EXEC, SV_AUT_EITHER), 0, "/usr/bin/id", 1);
	assert_sample(workload_samples(l, EV_EXEC, SV_AUT_COMM), 0, "id", 1);
	assert_sample(workload_samples(l, EV_RENAME, SV_AUT_PATH0), 0, "/a", 1);
	assert_sample(workload_samples(l, EV_RENAME, SV_AUT_PATH1), 0, "/b", 1);
	assert_int_equal(workload_samples(l, EV_UNLINK, SV_AUT_PATH0).n, 0);
	assert_int_equal(workload_samples(NULL, EV_OPEN, SV_AUT_PATH0).n, 0);
	assert_int_equal(workload_counts(l).records, 5);
	assert_true(workload_counts(l).all);
	workload_free(l);
	capture_writer_done(&w);
}

/* Records are untrusted: what is cut off or points outside is passed over. */
static void test_bad_records(void **state)
{
	struct workload *l = NULL;
	struct capture_writer w;
	struct err e = { "" };
	struct rec r;
	size_t size;
	struct ev_str *str;
	unsigned char *p;

	begin(&w);
	rec_begin(&r, EV_OPEN);
	rec_str(&r, EVS_OPEN_FILE_PATH, "/etc/passwd");
	p = (unsigned char *)rec_end(&r, &size);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, p, sizeof(struct ev_head) - 8, NULL, 0), 0);
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, p, size - 8, NULL, 0), 0);
	str = (struct ev_str *)(p + sizeof(struct ev_head) + r.head.nnum * 8ull) + EVS_OPEN_FILE_PATH;
	str->len = UINT32_MAX;
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, p, size, NULL, 0), 0);
	str->off = UINT32_MAX;
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, p, size, NULL, 0), 0);
	((struct ev_head *)p)->type = EV_TYPES;
	assert_int_equal(capture_put(&w, CAPTURE_RECORD, p, size, NULL, 0), 0);
	l = read_back(&w);
	assert_int_equal(workload_samples(l, EV_OPEN, SV_AUT_PATH0).n, 0);
	assert_int_equal(workload_counts(l).bad, 3);
	assert_int_equal(workload_counts(l).records, 2);
	workload_free(l);
	capture_writer_done(&w);
	assert_int_equal(workload_read_mem(catalog_tamis(), "nothing", 7, &l, &e), -EBADMSG);
	assert_true(e.msg[0]);
	assert_int_equal(workload_read(catalog_tamis(), "/nowhere/at/all", &l, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/nowhere/at/all"));
}

/* ---- what they are for --------------------------------------------------------------------------------------------- */

#define PATTERNS 40

/* One value for what no pattern matches, another for all else. */
static int64_t any(void *ctx, const uint32_t *matched, uint32_t n)
{
	return n > 0;
}

static uint32_t passed(const struct automaton *a, const struct nfa_samples *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t at = 0;

		for (uint32_t k = 0; k < s->v[i].len; k++)
			at = a->trans[at * a->nclasses + a->cls[(uint8_t)s->v[i].s[k]]];
		n += a->value[at] != 0;
	}
	return n;
}

/*
 * Files that rules want, each in a directory of its own, and a workload that has to do with others in three of these. With
 * room for a fifth of the text a sieve that knows of it lets nothing of it through, and still all that is wanted.
 */
static void test_fits_the_workload(void **state)
{
	static const char *const work[] = { "/srv/07/settings-of-a-service.yaml.bak",
					    "/srv/07/settings-of-a-service.yml", "/srv/31/settings-of-a-server.yaml",
					    "/srv/32/settings", "/tmp/x" };
	static const char *const wanted = "/srv/%02u/settings-of-a-service.yaml";
	char text[PATTERNS][64];
	struct pattern p[PATTERNS];
	struct nfa_sample v[5], all[PATTERNS];
	const struct nfa_samples samples = { v, 5 }, matches = { all, PATTERNS };
	struct aut_limits l = { .states = 250, .trans = 250 * 40 };
	struct automaton a;
	struct aut_fit fit;

	for (unsigned i = 0; i < 5; i++)
		v[i] = (struct nfa_sample){ .s = work[i], .len = (uint32_t)strlen(work[i]), .count = 1000 };
	for (unsigned i = 0; i < PATTERNS; i++) {
		snprintf(text[i], sizeof(text[i]), wanted, i);
		p[i] = (struct pattern){
			.s = text[i], .len = (uint32_t)strlen(text[i]), .kind = PAT_EXACT, .icase = i % 2
		};
		all[i] = (struct nfa_sample){ .s = text[i], .len = p[i].len };
		if (i % 3 == 0)
			text[i][p[i].len - 1] = (char)('a' + i % 26); /* so that not all have one end */
	}
	assert_int_equal(automaton_fit(p, PATTERNS, any, NULL, &l, NULL, &a, &fit), 0);
	assert_true(fit.cut);
	assert_true(passed(&a, &samples) >= 3);
	automaton_done(&a);
	assert_int_equal(automaton_fit(p, PATTERNS, any, NULL, &l, &samples, &a, &fit), 0);
	assert_true(fit.cut);
	assert_int_equal(passed(&a, &samples), 0);
	assert_int_equal(passed(&a, &matches), PATTERNS);
	automaton_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_fits_the_workload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
