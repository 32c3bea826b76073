/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_BENCH_NEAR_EVENTS_H
#define TAMIS_BENCH_NEAR_EVENTS_H

/*
 * Kernel records as a host with these rules would see them: each takes up some of what one rule asks for, at random, and is
 * ordinary in all else; so there are some that pass the sieve. Processes likewise. The same seed gives the same records.
 */

#include <stdlib.h>

#include "lib/program.h"
#include "tests/unit/rec.h"

#define NEAR_TEXTS 16
#define NEAR_TEXT  256
#define NEAR_PIDS  200

struct near {
	const struct program *p;
	uint64_t x; /* chance; never 0 */
	struct rec rec;
	char texts[NEAR_TEXTS][NEAR_TEXT]; /* of the record in the making */
	unsigned ntexts;
	char args[NEAR_TEXT * 4];
	size_t nargs;
	uint64_t now;
};

static inline uint32_t near_below(struct near *g, uint32_t n)
{
	g->x ^= g->x << 13;
	g->x ^= g->x >> 7;
	g->x ^= g->x << 17;
	return n ? (uint32_t)((g->x * 0x2545f4914f6cdd1du) >> 33) % n : 0;
}

static const char *const near_paths[] = {
	"/usr/lib/x86_64-linux-gnu/libc.so.6",
	"/etc/ld.so.cache",
	"/proc/self/status",
	"/var/log/syslog",
	"/home/anna/src/project/module/file.c",
	"/tmp/build-7f3a/obj/main.o",
	"/usr/share/zoneinfo/Europe/Berlin",
	"/var/lib/dpkg/status",
	"/sys/fs/cgroup/system.slice/memory.current",
	"/usr/bin/python3.11",
	"/srv/www/htdocs/index.html",
	"/var/cache/apt/archives/partial/x.deb",
};
static const char *const near_programs[] = {
	"/usr/bin/bash", "/usr/bin/python3.11", "/usr/sbin/sshd",	    "/usr/bin/git",
	"/usr/bin/make", "/usr/sbin/nginx",	"/usr/lib/systemd/systemd", "/usr/bin/dpkg",
	"/usr/bin/cat",	 "/usr/bin/node",	"/usr/sbin/cron",	    "/opt/app/bin/server",
};
#define NEAR_PICK(g, a) (a)[near_below(g, sizeof(a) / sizeof((a)[0]))]

/* A text that the matcher matches, mostly. */
static inline const char *near_text(struct near *g, uint32_t str, uint8_t kind)
{
	uint32_t len;
	const char *s = program_str(g->p, str, &len);
	char *out = g->texts[g->ntexts++ % NEAR_TEXTS];
	size_t n = 0;

	for (uint32_t i = 0; i < len && n < NEAR_TEXT - 16; i++) {
		if (s[i] != '*' || kind == STRM_EXACT || kind == STRM_REGEX) {
			out[n++] = s[i];
			continue;
		}
		if (kind == STRM_GLOB && i + 1 < len && s[i + 1] == '*') {
			memcpy(out + n, "dir/", 4);
			n += 4;
			i++;
		}
		memcpy(out + n, "some", 4);
		n += 4;
	}
	out[n] = 0;
	return out;
}

static inline const char *near_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static inline const char *near_in_dir(struct near *g, const char *name)
{
	char *out = g->texts[g->ntexts++ % NEAR_TEXTS];

	snprintf(out, NEAR_TEXT, "/usr/bin/%.200s", name);
	return out;
}

static inline void near_arg(struct near *g, const char *s)
{
	size_t n = strlen(s) + 1;

	if (g->nargs + n < sizeof(g->args)) {
		memcpy(g->args + g->nargs, s, n);
		g->nargs += n;
	}
}

/* The record's text for the field; @proc: of the process that the record is about, where it has one. */
static inline void near_put(struct near *g, const struct cat_field *f, const char *s, bool proc)
{
	uint16_t row = f->index;

	if (f->flags & CF_ARRAY || strstr(f->name, ".args")) {
		if (f->home == CAT_HOME_PROC)
			near_arg(g, s);
		return;
	}
	if (f->kind == 'U') { /* a name: the path is the row above it */
		if (f->sieve != CAT_SIEVE_NAME)
			return;
		s = near_in_dir(g, s);
		for (size_t i = 0; i < g->p->catalog->nfields; i++) {
			const struct cat_field *path = &g->p->catalog->fields[i];

			if (path->sieve == CAT_SIEVE_PATH && path->event == f->event && path->home == f->home &&
			    path->slot + 1 == f->slot)
				row = path->index;
		}
	} else if (f->kind != 'S' || f->type != VAL_STR) {
		return;
	}
	if (f->home == CAT_HOME_EVENT)
		rec_str(&g->rec, row, s);
	else if (f->home == CAT_HOME_PROC && proc)
		rec_proc_str(&g->rec, row, s);
}

static inline void near_num(struct near *g, uint32_t node, int64_t v)
{
	const struct node *n = &g->p->nodes[node];
	const struct cat_field *f;

	if (n->op == N_BAND)
		n = &g->p->nodes[n->a];
	f = n->op == N_FIELD ? &g->p->catalog->fields[n->a] : NULL;
	if (f && f->kind == 'N' && f->home == CAT_HOME_EVENT)
		g->rec.num[f->index] |= (ev_u64)v;
}

/* Takes up what node @i asks for. */
static inline void near_take(struct near *g, uint32_t i, const struct cat_field *array, bool proc)
{
	const struct node *n = &g->p->nodes[i], *a = &g->p->nodes[n->a], *b = &g->p->nodes[n->b];
	const struct cat_field *f = a->op == N_FIELD ? &g->p->catalog->fields[a->a] : array;
	const struct strset *set;

	switch (n->op) {
	case N_AND:
		near_take(g, n->a, array, proc);
		near_take(g, n->b, array, proc);
		break;
	case N_OR:
		near_take(g, near_below(g, 2) ? n->a : n->b, array, proc);
		break;
	case N_ANY:
		if (a->op == N_FIELD)
			near_take(g, n->b, f, proc);
		break;
	case N_STREQ:
		if (f && b->op == N_STR)
			near_put(g, f, near_text(g, b->a, STRM_EXACT), proc);
		break;
	case N_STRIN:
		set = &g->p->strsets[n->b];
		if (f && set->count) {
			const struct strm *m = &g->p->strms[set->first + near_below(g, set->count)];

			near_put(g, f, near_text(g, m->str, m->kind), proc);
		}
		break;
	case N_EQ:
		if (b->op == N_INT)
			near_num(g, n->a, b->imm);
		break;
	case N_INTIN:
		near_num(g, n->a, g->p->ints[g->p->intsets[n->b].first]);
		break;
	case N_NOT: /* (x & c) > 0 */
		if (a->op == N_LE && g->p->nodes[a->a].op == N_BAND && g->p->nodes[g->p->nodes[a->a].b].op == N_INT)
			near_num(g, a->a, g->p->nodes[g->p->nodes[a->a].b].imm);
		break;
	}
}

static inline void near_begin(struct near *g, enum ev_type type, uint32_t pid)
{
	const struct catalog *c = g->p->catalog;

	rec_begin(&g->rec, type);
	g->nargs = 0;
	g->rec.head.pid = g->rec.head.tid = pid;
	g->rec.head.start_ns = pid;
	g->rec.head.boot_ns = g->now += 1000;
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		if (f->event == type && f->home == CAT_HOME_EVENT && f->kind == 'S' && f->type == VAL_STR)
			rec_str(&g->rec, f->index, f->sieve == CAT_SIEVE_PATH ? NEAR_PICK(g, near_paths) : "ext4");
	}
	rec_addresses(&g->rec, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\1\2\3");
}

static inline void near_proc_rows(struct near *g, uint32_t pid, uint32_t ppid)
{
	const char *path = NEAR_PICK(g, near_programs);

	g->rec.num[g->rec.proc + EVN_PROC_PID] = g->rec.num[g->rec.proc + EVN_PROC_TID] = pid;
	g->rec.num[g->rec.proc + EVN_PROC_PPID] = ppid;
	g->rec.num[g->rec.proc + EVN_PROC_CREATED_AT] = pid;
	rec_proc_str(&g->rec, EVS_PROC_FILE_PATH, path);
	rec_proc_str(&g->rec, EVS_PROC_CGROUP_ID, "/system.slice/app.service");
}

/* The record's bytes, borrowed until the next; the command's name is that of the program. */
static inline const void *near_end(struct near *g, size_t *ret_size)
{
	if (g->p->catalog->events[g->rec.head.type].has_proc) {
		const char *path = g->rec.str[g->rec.proc_str + EVS_PROC_FILE_PATH].s;

		rec_proc_str(&g->rec, EVS_PROC_COMM, near_base(path));
	}
	return rec_end(&g->rec, ret_size);
}

#endif
