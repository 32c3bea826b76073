/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_REC_H
#define TAMIS_TESTS_REC_H

/*
 * Kernel records made by hand, for tests:
 *
 *	struct rec r;
 *	rec_begin(&r, EV_OPEN);
 *	r.head.pid = 42;
 *	r.num[EVN_OPEN_FLAGS] = O_RDWR;
 *	rec_str(&r, EVS_OPEN_FILE_PATH, "/etc/shadow");
 *	bytes = rec_end(&r, &size);
 *
 * In exec and fork the rows of CAT_PROC follow: r.proc + EVN_PROC_PID, rec_proc_str().
 */

#include <assert.h>
#include <string.h>

#include "lib/catalog.h"

struct rec {
	struct ev_head head;
	ev_u64 num[EV_NUM_MAX];
	struct {
		const char *s;
		size_t len;
	} str[EV_STR_MAX];
	int proc, proc_str; /* where CAT_PROC's rows begin */
	_Alignas(8) unsigned char bytes[EV_REC_MAX];
};

static inline void rec_begin(struct rec *r, enum ev_type type)
{
	const struct cat_event *e = &catalog_tamis()->events[type];

	memset(r, 0, offsetof(struct rec, bytes));
	r->head.type = (ev_u16)type;
	r->head.rung = EV_RUNG_FENTRY;
	r->head.nnum = (ev_u8)(e->nnum + (e->has_proc ? EVN_PROC_COUNT : 0) + (e->has_target ? EV_TARGET_COUNT : 0));
	r->head.nstr = (ev_u8)(e->nstr + (e->has_proc ? EVS_PROC_COUNT : 0));
	r->proc = e->nnum;
	r->proc_str = e->nstr;
	memset(r->head.alive, 0xff, sizeof(r->head.alive));
}

static inline void rec_bytes(struct rec *r, int row, const void *p, size_t len)
{
	r->str[row].s = p;
	r->str[row].len = len;
}

/* All addresses of the event, 16 bytes each. */
static inline void rec_addresses(struct rec *r, const void *address)
{
	const struct catalog *c = catalog_tamis();

	for (size_t i = 0; i < c->nfields; i++)
		if (c->fields[i].kind == 'S' && c->fields[i].type == VAL_IP && c->fields[i].event != EV_NONE &&
		    catalog_covers(c, c->fields[i].event, r->head.type))
			rec_bytes(r, c->fields[i].index, address, 16);
}

static inline void rec_str(struct rec *r, int row, const char *s)
{
	rec_bytes(r, row, s, strlen(s));
}

static inline void rec_proc_str(struct rec *r, int row, const char *s)
{
	rec_str(r, r->proc_str + row, s);
}

static inline const void *rec_end(struct rec *r, size_t *ret_size)
{
	size_t at = sizeof(r->head) + r->head.nnum * sizeof(ev_u64);
	size_t tail = at + r->head.nstr * sizeof(struct ev_str);

	memcpy(r->bytes + sizeof(r->head), r->num, r->head.nnum * sizeof(ev_u64));
	for (int i = 0; i < r->head.nstr; i++, at += sizeof(struct ev_str)) {
		struct ev_str s = { (ev_u32)tail, (ev_u32)r->str[i].len };

		assert(tail + r->str[i].len + 8 <= sizeof(r->bytes));
		memcpy(r->bytes + at, &s, sizeof(s));
		if (s.len)
			memcpy(r->bytes + tail, r->str[i].s, s.len);
		tail += s.len;
	}
	while (tail % 8)
		r->bytes[tail++] = 0;
	r->head.size = (ev_u32)tail;
	memcpy(r->bytes, &r->head, sizeof(r->head));
	*ret_size = tail;
	return r->bytes;
}

/* One piece of the arguments of the exec with the head @of: of @block, which begins with argv_total bytes of argv. */
static inline const void *rec_args(struct rec *r, const struct ev_head *of, const void *block, uint32_t off,
				   uint32_t len, uint32_t argv_total, uint32_t envp_total, size_t *ret_size)
{
	struct ev_args a = { .off = off, .len = len, .argv_total = argv_total, .envp_total = envp_total };

	assert(sizeof(a) + len + 8 <= sizeof(r->bytes));
	a.head.type = EV_ARGS;
	a.head.tid = a.head.pid = of->tid;
	a.head.boot_ns = of->boot_ns;
	a.head.start_ns = of->start_ns;
	a.head.image = of->image;
	a.head.size = (ev_u32)((sizeof(a) + len + 7) & ~7u);
	memset(r->bytes, 0, a.head.size);
	memcpy(r->bytes, &a, sizeof(a));
	memcpy(r->bytes + sizeof(a), (const char *)block + off, len);
	*ret_size = a.head.size;
	return r->bytes;
}

#endif
