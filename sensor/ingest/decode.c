/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/ingest/decode.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "sensor/ingest/args.h"

enum row_kind { ROW_NUM, ROW_STR, ROW_PATH, ROW_GIVEN, ROW_IP, ROW_BITS };

#define BITS_BYTES 32 /* of an array of small numbers, of which an event has one at most */

/* Where a number or string of the record goes. */
struct row {
	uint8_t kind; /* enum row_kind */
	uint8_t slot;
};

/* The rows of one list of the catalog, in the record's order. */
struct rows {
	uint16_t nnum, nstr;
	uint16_t
		nslots; /* of an event type: values that an event of it has, whether they are in the record or follow from it */
	struct row num[EV_NUM_MAX], str[EV_STR_MAX];
};

struct decode {
	const struct catalog *catalog; /* borrowed */
	struct rows event[EV_TYPES];
	struct rows proc;
	struct args *args; /* owned */
	int64_t clock;
	struct decode_stats stats;
	unsigned char ip[EV_STR_MAX][VAL_IP_BYTES]; /* addresses of the present record, with their prefix */
	struct val bits[8 * BITS_BYTES];	    /* numbers of the present record's array of small numbers */
	char paths[EV_REC_MAX];			    /* paths of the present record that had to be made plain */
	size_t paths_len;
};

_Static_assert(CAT_SLOTS_MAX <= 256 && SLOT_PROC_SEEN <= 256, "a slot fits into a byte");

/* ---- what the catalog says about records --------------------------------------------------------------------------- */

static uint8_t row_kind(const struct cat_field *f)
{
	if (f->kind == 'N')
		return ROW_NUM;
	if (f->type == VAL_IP)
		return ROW_IP;
	if (f->type == VAL_INT)
		return ROW_BITS;
	if (f->sieve == CAT_SIEVE_PATH)
		return ROW_PATH;
	return f->flags & CF_GLOB ? ROW_GIVEN : ROW_STR; /* a path that somebody gave: never the kernel's own */
}

static int rows_put(struct rows *rows, const struct cat_field *f)
{
	bool num = f->kind == 'N';
	struct row row = { row_kind(f), (uint8_t)f->slot };

	if (f->index >= (num ? EV_NUM_MAX : EV_STR_MAX))
		return -E2BIG;
	(num ? rows->num : rows->str)[f->index] = row;
	return 0;
}

/* A row of an event type, or of a family, whose events all have it. */
static int own_row_put(struct decode *d, const struct cat_field *f)
{
	int r = 0;

	for (uint16_t t = EV_NONE + 1; t < EV_TYPES && !r; t++)
		if (f->event != EV_NONE && catalog_covers(d->catalog, f->event, t))
			r = rows_put(&d->event[t], f);
	return r;
}

static void count_slot(struct decode *d, const struct cat_field *f)
{
	uint16_t n = 1 + (f->also > f->slot ? f->also : f->slot);

	for (uint16_t t = EV_NONE + 1; t < EV_TYPES && f->home == CAT_HOME_EVENT; t++)
		if (catalog_covers(d->catalog, f->event, t) && d->event[t].nslots < n)
			d->event[t].nslots = n;
}

static int decode_plan(struct decode *d)
{
	const struct catalog *c = d->catalog;
	int r = 0;

	for (size_t i = 0; i < c->nevents && i < EV_TYPES; i++) {
		d->event[i].nnum = c->events[i].nnum;
		d->event[i].nstr = c->events[i].nstr;
	}
	d->proc.nnum = EVN_PROC_COUNT;
	d->proc.nstr = EVS_PROC_COUNT;
	for (size_t i = 0; i < c->nfields && !r; i++) {
		const struct cat_field *f = &c->fields[i];

		count_slot(d, f);
		if (f->kind != 'N' && f->kind != 'S')
			continue;
		if (f->home == CAT_HOME_EVENT)
			r = own_row_put(d, f);
		else if (f->home == CAT_HOME_PROC && f->event == EV_NONE)
			r = rows_put(&d->proc, f);
	}
	return r;
}

int decode_new(const struct catalog *c, struct decode **ret)
{
	struct decode *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->catalog = c;
	r = decode_plan(d);
	if (!r)
		r = args_new(&d->args);
	if (r < 0) {
		decode_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void decode_free(struct decode *d)
{
	if (!d)
		return;
	args_free(d->args);
	free(d);
}

void decode_clock(struct decode *d, int64_t offset_ns)
{
	d->clock = offset_ns;
}

int64_t decode_clock_of(const struct decode *d)
{
	return d->clock;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		return 0;
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t decode_clock_now(void)
{
	return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_BOOTTIME);
}

/* Boot time to wall time; wraps rather than overflows on senseless input. */
static int64_t decode_wall(const struct decode *d, uint64_t boot_ns)
{
	return (int64_t)(boot_ns + (uint64_t)d->clock);
}

/* ---- paths --------------------------------------------------------------------------------------------------------- */

/* True where a component is empty, "." or "..", or the path ends in '/'. */
static bool path_needs_work(const char *path, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t rest = len - i - 1;
		const char *p = path + i + 1;

		if (path[i] != '/')
			continue;
		if (!rest)
			return len > 1;
		if (p[0] == '/' || (p[0] == '.' && (rest == 1 || p[1] == '/')))
			return true;
		if (rest >= 2 && p[0] == '.' && p[1] == '.' && (rest == 2 || p[2] == '/'))
			return true;
	}
	return false;
}

/* Length of @out without its last component; 0 at the root. */
static size_t path_up(const char *out, size_t len)
{
	while (len && out[len - 1] != '/')
		len--;
	return len ? len - 1 : 0;
}

size_t decode_path_plain(const char *path, size_t len, char *out)
{
	size_t n = 0;

	if (!len || path[0] != '/') {
		if (len)
			memcpy(out, path, len);
		return len;
	}
	for (size_t i = 0; i < len;) {
		size_t part;

		while (i < len && path[i] == '/')
			i++;
		for (part = 0; i + part < len && path[i + part] != '/';)
			part++;
		if (part == 2 && path[i] == '.' && path[i + 1] == '.') {
			n = path_up(out, n);
		} else if (part && !(part == 1 && path[i] == '.')) {
			out[n++] = '/';
			memcpy(out + n, path + i, part);
			n += part;
		}
		i += part;
	}
	if (!n)
		out[n++] = '/';
	return n;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

/* A record whose head and tables were found to lie within its bytes. */
struct record {
	const struct ev_head *head;
	uint16_t type; /* whose rows it has */
	const ev_u64 *num;
	const struct ev_str *str;
	const char *bytes;
	uint32_t tail; /* offset of the first byte behind the tables */
};

static int record_open(const struct decode *d, const void *bytes, size_t size, struct record *ret)
{
	const struct ev_head *h = bytes;
	uint32_t nnum, nstr, tail;
	uint16_t type;

	if (size < sizeof(*h) || h->size < sizeof(*h) || h->size > size || h->size > EV_REC_MAX || h->size % 8)
		return -EBADMSG;
	type = h->type == EV_TASK ? EV_EXEC : h->type;
	if (type == EV_NONE || type >= EV_TYPES || h->rung >= EV_RUNGS || !d->catalog->events[type].name)
		return -EBADMSG;
	nnum = d->event[type].nnum;
	nstr = d->event[type].nstr;
	if (d->catalog->events[type].has_proc) {
		nnum += d->proc.nnum;
		nstr += d->proc.nstr;
	}
	if (d->catalog->events[type].has_target)
		nnum += EV_TARGET_COUNT;
	tail = (uint32_t)(sizeof(*h) + nnum * sizeof(ev_u64) + nstr * sizeof(struct ev_str));
	if (h->nnum != nnum || h->nstr != nstr || h->size < tail)
		return -EBADMSG;
	*ret = (struct record){ .head = h, .type = type, .num = (const ev_u64 *)(h + 1), .bytes = bytes, .tail = tail };
	ret->str = (const struct ev_str *)(ret->num + nnum);
	return 0;
}

/* The checked bytes of a string of the record. */
static int record_str(const struct record *rec, const struct ev_str *s, struct val *ret)
{
	if (!s->len) {
		*ret = (struct val){ .s = NULL };
		return 0;
	}
	if (s->off < rec->tail || s->off > rec->head->size || s->len > rec->head->size - s->off)
		return -EBADMSG;
	*ret = (struct val){ .s = rec->bytes + s->off, .len = s->len };
	return 0;
}

static int decode_path(struct decode *d, struct val *v)
{
	char *out = d->paths + d->paths_len;

	if (!path_needs_work(v->s, v->len))
		return 0;
	if (v->len > sizeof(d->paths) - d->paths_len)
		return -EBADMSG; /* strings that overlap: no kernel side makes them */
	v->len = (uint32_t)decode_path_plain(v->s, v->len, out);
	v->s = out;
	d->paths_len += v->len;
	return 0;
}

/* @at: number of the string in the record, which owns that scratch */
static int decode_ip(struct decode *d, size_t at, struct val *v)
{
	if (!v->len)
		return 0;
	if (v->len != VAL_IP_BYTES - 1)
		return -EBADMSG;
	memcpy(d->ip[at], v->s, VAL_IP_BYTES - 1);
	d->ip[at][VAL_IP_BYTES - 1] = 128;
	*v = (struct val){ .s = (const char *)d->ip[at], .len = VAL_IP_BYTES };
	return 0;
}

/* The numbers of the bits that are set. */
static int decode_bits(struct decode *d, struct val *v)
{
	const unsigned char *bytes = (const unsigned char *)v->s;
	uint32_t n = 0;

	if (v->len > BITS_BYTES)
		return -EBADMSG;
	for (uint32_t bit = 0; bit < 8 * v->len; bit++)
		if (bytes[bit / 8] & 1 << bit % 8)
			d->bits[n++] = (struct val){ .num = bit };
	*v = (struct val){ .arr = d->bits, .len = n };
	return 0;
}

/* Reads the rows of one list, which begin at num[num0] and str[str0], into @v. */
static int decode_rows(struct decode *d, const struct record *rec, const struct rows *rows, size_t num0, size_t str0,
		       struct val *v)
{
	for (size_t i = 0; i < rows->nnum; i++)
		v[rows->num[i].slot] = (struct val){ .num = (int64_t)rec->num[num0 + i] };
	for (size_t i = 0; i < rows->nstr; i++) {
		struct val *out = &v[rows->str[i].slot];
		int r = record_str(rec, &rec->str[str0 + i], out);

		if (!r && (rows->str[i].kind == ROW_GIVEN ||
			   (rows->str[i].kind == ROW_PATH && rec->head->flags & EV_F_USER_PATH)))
			r = decode_path(d, out);
		else if (!r && rows->str[i].kind == ROW_IP)
			r = decode_ip(d, i, out);
		else if (!r && rows->str[i].kind == ROW_BITS)
			r = decode_bits(d, out);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Of the values only those that events of this type have are cleared: nobody looks at what is behind them. */
static void decode_head(const struct decode *d, const struct ev_head *h, uint16_t nslots, struct event *ev)
{
	memset(ev, 0, offsetof(struct event, v) + nslots * sizeof(ev->v[0]));
	ev->proc = ev->target = NULL;
	ev->type = h->type;
	ev->flags = h->flags;
	ev->rung = h->rung;
	ev->policy = h->policy;
	memcpy(ev->alive, h->alive, sizeof(ev->alive));
	ev->now_ns = decode_wall(d, h->boot_ns);
	ev->base[SLOT_BASE_RETVAL].num = h->retval;
	ev->base[SLOT_BASE_TIMESTAMP].num = ev->now_ns;
	ev->base[SLOT_BASE_ASYNC].num = !!(h->flags & EV_F_ASYNC);
}

/* A path that a program was executed by says something only where it is another one, and more than a descriptor. */
static void decode_link(struct val *link, const struct val *path)
{
	static const char fds[] = "/dev/fd/";
	const size_t n = sizeof(fds) - 1;
	bool same = link->len == path->len && (!path->len || memcmp(link->s, path->s, path->len) == 0);
	bool fd = link->len > n && memcmp(link->s, fds, n) == 0 && !memchr(link->s + n, '/', link->len - n);

	if (same || fd)
		*link = (struct val){ .s = NULL };
}

static void decode_proc_times(const struct decode *d, struct decoded *ret)
{
	struct val *created = &ret->pv[SLOT_PROC_CREATED_AT];

	ret->proc_start_ns = (uint64_t)created->num;
	if (!ret->proc_start_ns && ret->head.type == EV_EXEC)
		ret->proc_start_ns = ret->head.start_ns;
	created->num = ret->proc_start_ns ? decode_wall(d, ret->proc_start_ns) : 0;
}

/* Nothing gathered and no word of the kernel side: the arguments are unknown, which is not "cut". */
static void decode_exec_args(struct decode *d, struct decoded *ret)
{
	struct args_block b = { 0 };
	bool cut = ret->head.flags & EV_F_ARGS_TRUNCATED;

	if (!args_take(d->args, &ret->head, &b)) {
		ret->args.argv_cut = ret->args.envp_cut = cut;
		return;
	}
	ret->args.argv_len = b.have < b.argv_total ? b.have : b.argv_total;
	ret->args.envp_len = b.have - ret->args.argv_len;
	ret->args.argv = b.bytes;
	ret->args.envp = b.bytes ? b.bytes + ret->args.argv_len : NULL;
	ret->args.argv_cut = ret->args.argv_len < b.argv_total;
	ret->args.envp_cut = ret->args.envp_len < b.envp_total;
}

/* The numbers at @num name the second process. */
static void decode_target(const ev_u64 *num, const struct ev_head *h, struct ev_head *ret)
{
	*ret = (struct ev_head){ .boot_ns = h->boot_ns };
	ret->pid = ret->tid = (ev_u32)num[EV_TARGET_PID];
	ret->start_ns = num[EV_TARGET_START];
	ret->uid = (ev_u32)num[EV_TARGET_IDS];
	ret->gid = (ev_u32)(num[EV_TARGET_IDS] >> 32);
	ret->euid = (ev_u32)num[EV_TARGET_EIDS];
	ret->egid = (ev_u32)(num[EV_TARGET_EIDS] >> 32);
	ret->fsuid = (ev_u32)num[EV_TARGET_FSIDS];
	ret->fsgid = (ev_u32)(num[EV_TARGET_FSIDS] >> 32);
	ret->cap_permitted = num[EV_TARGET_CAP_PERMITTED];
	ret->cap_effective = num[EV_TARGET_CAP_EFFECTIVE];
	ret->auid = (ev_u32)num[EV_TARGET_AUID];
}

static int decode_event(struct decode *d, const void *bytes, size_t size, struct decoded *ret)
{
	const struct rows *rows;
	struct record rec;
	int r = record_open(d, bytes, size, &rec);

	if (r < 0)
		return r;
	rows = &d->event[rec.type];
	d->paths_len = 0;
	ret->head = *rec.head;
	ret->has_proc = d->catalog->events[rec.type].has_proc;
	ret->proc_start_ns = 0;
	ret->args = (struct decode_args){ 0 };
	ret->target.pid = 0; /* says that there is none */
	decode_head(d, rec.head, rows->nslots, &ret->ev);
	if (rec.head->type == EV_TASK) { /* nothing that happened */
		ret->ev.type = EV_NONE;
		memset(ret->ev.alive, 0, sizeof(ret->ev.alive));
	}
	if (d->catalog->events[rec.type].has_target)
		decode_target(rec.num + rows->nnum, rec.head, &ret->target);
	r = decode_rows(d, &rec, rows, 0, 0, ret->ev.v);
	if (r < 0 || !ret->has_proc)
		return r;

	memset(ret->pv, 0, sizeof(ret->pv));
	r = decode_rows(d, &rec, &d->proc, rows->nnum, rows->nstr, ret->pv);
	if (r < 0)
		return r;
	decode_proc_times(d, ret);
	decode_link(&ret->pv[SLOT_PROC_FILE_LINK_PATH], &ret->pv[SLOT_PROC_FILE_PATH]);
	decode_link(&ret->pv[SLOT_PROC_INTERPRETER_LINK_PATH], &ret->pv[SLOT_PROC_INTERPRETER_PATH]);
	if (rec.head->type == EV_EXEC)
		decode_exec_args(d, ret);
	return 0;
}

static bool record_is_args(const void *bytes, size_t size)
{
	return size >= sizeof(struct ev_head) && ((const struct ev_head *)bytes)->type == EV_ARGS;
}

static int decode_piece(struct decode *d, const void *bytes, size_t size)
{
	const struct ev_args *p = bytes;

	if (size < sizeof(*p) || p->head.size < sizeof(*p) || p->head.size > size || p->head.size > EV_REC_MAX ||
	    p->head.size % 8)
		return -EBADMSG;
	if (p->len > p->head.size - sizeof(*p) || p->off > EV_ARGS_MAX || p->len > EV_ARGS_MAX - p->off)
		return -EBADMSG;
	d->stats.args++;
	if (args_put(d->args, p) < 0)
		d->stats.args_lost++;
	return 0;
}

int decode_record(struct decode *d, const void *rec, size_t size, struct decoded *ret)
{
	bool piece = record_is_args(rec, size);
	int r = piece ? decode_piece(d, rec, size) : decode_event(d, rec, size, ret);

	if (r < 0) {
		d->stats.malformed++;
		return r;
	}
	if (!piece)
		d->stats.records++;
	return piece ? 0 : 1;
}

int decode_save(const struct decode *d, void (*fn)(void *ctx, const void *rec, size_t size), void *ctx)
{
	return args_each(d->args, fn, ctx);
}

void decode_stats(const struct decode *d, struct decode_stats *ret)
{
	*ret = d->stats;
	ret->args_lost += args_evicted(d->args);
}
