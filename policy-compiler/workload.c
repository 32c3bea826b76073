/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/capture.h"
#include "policy-compiler/intern.h"
#include "tamis/event.h"
#include "tamis/sieve.h"

#define NO_ROW UINT16_MAX

/* The strings of one automaton. */
struct strings {
	uint16_t row; /* of a record's strings; NO_ROW: it has no such */
	struct intern set;
	uint64_t *counts; /* owned; by number in the set */
	uint32_t counts_cap;
	struct nfa_sample *samples; /* owned; once all is read */
};

struct workload {
	struct strings of[EV_TYPES][SV_AUTOMATA];
	struct workload_counts counts;
};

/* ---- which string of a record -------------------------------------------------------------------------------------- */

/* An exec's automaton over either of two paths is run over the first one. */
static unsigned run_over(unsigned k)
{
	return k == SV_AUT_EITHER ? SV_AUT_PATH0 : k;
}

static uint16_t row_of(const struct catalog *c, const struct cat_event *ev, unsigned k)
{
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		uint16_t index;
		int sieve = catalog_sieve(c, f, ev->type, &index);

		if (f->kind != 'S' || index != run_over(k) || !cat_sieve_is_string(sieve) ||
		    sieve == CAT_SIEVE_QUESTION) /* which is no string there */
			continue;
		if (f->home == CAT_HOME_EVENT)
			return f->index;
		if (f->home == CAT_HOME_PROC && ev->has_proc)
			return (uint16_t)(ev->nstr + f->index);
	}
	return NO_ROW;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

static int count_string(struct workload *w, struct strings *s, const char *p, uint32_t len)
{
	bool is_new;
	int64_t i = intern_put(&s->set, p, len, &is_new);
	int r;

	if (i == -E2BIG) {
		w->counts.left++;
		return 0;
	}
	if (i < 0)
		return (int)i;
	r = array_room(&s->counts, &s->counts_cap, (size_t)i + 1, sizeof(*s->counts));
	if (r < 0)
		return r;
	if (is_new)
		s->counts[i] = 0;
	s->counts[i]++;
	return 0;
}

/* String @row of the record @p of @size bytes. False where it has none. */
static bool record_string(const uint8_t *p, uint32_t size, const struct ev_head *h, uint16_t row, const char **ret,
			  uint32_t *ret_len)
{
	uint64_t at = sizeof(*h) + h->nnum * 8ull + row * sizeof(struct ev_str);
	struct ev_str s;

	if (row >= h->nstr || at + sizeof(s) > size)
		return false;
	memcpy(&s, p + at, sizeof(s));
	if (s.off > size || s.len > size - s.off)
		return false;
	*ret = (const char *)p + s.off;
	*ret_len = s.len;
	return true;
}

static int take_record(struct workload *w, const uint8_t *p, uint32_t size)
{
	struct ev_head h;
	int r = 0;

	if (size < sizeof(h))
		return w->counts.bad++, 0;
	memcpy(&h, p, sizeof(h));
	if (h.size > size || h.type >= EV_TYPES)
		return w->counts.bad++, 0;
	w->counts.records++;
	for (unsigned k = 0; k < SV_AUTOMATA && r == 0; k++) {
		struct strings *s = &w->of[h.type][k];
		const char *text;
		uint32_t len;

		if (s->row != NO_ROW && record_string(p, h.size, &h, s->row, &text, &len))
			r = count_string(w, s, text, len);
	}
	return r;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

static int more_often(const void *a, const void *b)
{
	const struct nfa_sample *x = a, *y = b;
	uint32_t len = x->len < y->len ? x->len : y->len;
	int r;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	r = memcmp(x->s, y->s, len);
	return r ? r : (x->len > y->len) - (x->len < y->len);
}

static int sort_strings(struct workload *w, struct strings *s)
{
	if (!s->set.n)
		return 0;
	s->samples = calloc(s->set.n, sizeof(*s->samples));
	if (!s->samples)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->set.n; i++)
		s->samples[i] = (struct nfa_sample){ .s = intern_get(&s->set, i),
						     .len = intern_size(&s->set, i),
						     .count = s->counts[i] };
	qsort(s->samples, s->set.n, sizeof(*s->samples), more_often);
	w->counts.strings += s->set.n;
	return 0;
}

static int read_all(struct workload *w, struct capture_reader *reader, struct err *e)
{
	struct capture_entry entry;
	int r;

	w->counts.all = capture_meta(reader)->all;
	while ((r = capture_next(reader, &entry, e)) > 0) {
		r = entry.type == CAPTURE_RECORD ? take_record(w, entry.p, entry.size) : 0;
		if (r < 0)
			return err_set(e, r, "out of memory");
	}
	for (unsigned i = 0; i < EV_TYPES * SV_AUTOMATA && r == 0; i++) {
		r = sort_strings(w, &w->of[i / SV_AUTOMATA][i % SV_AUTOMATA]);
		if (r < 0)
			err_set(e, r, "out of memory");
	}
	return r;
}

static int read_from(const struct catalog *c, struct capture_reader *reader, struct workload **ret, struct err *e)
{
	struct workload *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return err_set(e, -ENOMEM, "out of memory");
	for (uint16_t event = 0; event < EV_TYPES; event++)
		for (unsigned k = 0; k < SV_AUTOMATA; k++) {
			const struct cat_event *ev =
				event < c->nevents && c->events[event].name ? &c->events[event] : NULL;

			w->of[event][k].row = ev ? row_of(c, ev, k) : NO_ROW;
			w->of[event][k].set.max = WORKLOAD_STRINGS_MAX;
		}
	r = read_all(w, reader, e);
	if (r < 0)
		workload_free(w);
	else
		*ret = w;
	return r;
}

int workload_read(const struct catalog *c, const char *path, struct workload **ret, struct err *e)
{
	_cleanup_(capture_free) struct capture_reader *reader = NULL;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	r = capture_open(fd, path, catalog_fingerprint(c), &reader, e);
	return r < 0 ? r : read_from(c, reader, ret, e);
}

int workload_read_mem(const struct catalog *c, const void *p, size_t size, struct workload **ret, struct err *e)
{
	_cleanup_(capture_free) struct capture_reader *reader = NULL;
	int r = capture_open_mem(p, size, catalog_fingerprint(c), &reader, e);

	return r < 0 ? r : read_from(c, reader, ret, e);
}

void workload_free(struct workload *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < EV_TYPES * SV_AUTOMATA; i++) {
		struct strings *s = &w->of[i / SV_AUTOMATA][i % SV_AUTOMATA];

		intern_done(&s->set);
		free(s->counts);
		free(s->samples);
	}
	free(w);
}

struct nfa_samples workload_samples(const struct workload *w, uint16_t event, unsigned k)
{
	if (!w)
		return (struct nfa_samples){ NULL, 0 };
	return (struct nfa_samples){ w->of[event][k].samples, w->of[event][k].set.n };
}

struct workload_counts workload_counts(const struct workload *w)
{
	return w->counts;
}
