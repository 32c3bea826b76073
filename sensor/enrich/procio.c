/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/procio.h"

#include <errno.h>
#include <string.h>

#define STR_SLOT_N(EV, SLOT)
#define STR_SLOT_U(EV, SLOT)
#define STR_SLOT_S(EV, SLOT)	      SLOT_##EV##_##SLOT,
#define STR_SLOT(KIND, EV, SLOT, ...) STR_SLOT_##KIND(EV, SLOT)
const uint8_t procio_str_slots[PROCIO_STRS] = {
	CAT_PROC(STR_SLOT, "")[PROCIO_SSH_IP] = SLOT_PROC_SSH_CLIENT_IP, [PROCIO_SSH_USER] = SLOT_PROC_SSH_USERNAME,
	[PROCIO_POD] = SLOT_PROC_POD_UID
};

/* Whether a field is a plain number of a process: never one that holds a pointer, nor one that has no place there. */
static bool is_number(const struct cat_field *f)
{
	return f->home == CAT_HOME_PROC && f->event == EV_NONE && (f->type == VAL_INT || f->type == VAL_BOOL) &&
	       !(f->flags & CF_ARRAY) && f->slot < SLOT_PROC_SEEN;
}

void procio_put_str(struct buf *b, const char *s, size_t len)
{
	buf_put_u32(b, (uint32_t)len);
	buf_put(b, s, len);
}

int procio_get_str(struct rd *rd, const char **ret, uint32_t *ret_len)
{
	const uint8_t *p;

	if (rd_u32(rd, ret_len) < 0 || rd_bytes(rd, *ret_len, &p) < 0)
		return -EBADMSG;
	*ret = (const char *)p;
	return 0;
}

/* ---- arguments ----------------------------------------------------------------------------------------------------- */

void procio_put_args(struct buf *b, const struct decode_args *a)
{
	static const struct decode_args none;

	if (!a)
		a = &none;
	procio_put_str(b, a->argv, a->argv_len);
	procio_put_str(b, a->envp, a->envp_len);
	buf_putc(b, (uint8_t)(a->argv_cut | a->envp_cut << 1));
}

int procio_get_args(struct rd *rd, struct decode_args *ret)
{
	struct decode_args a = { 0 };
	uint8_t cut;

	if (procio_get_str(rd, &a.argv, &a.argv_len) < 0 || procio_get_str(rd, &a.envp, &a.envp_len) < 0 ||
	    rd_u8(rd, &cut) < 0 || cut > 3 || a.argv_len > EV_ARGS_MAX || a.envp_len > EV_ARGS_MAX)
		return -EBADMSG;
	a.argv_cut = cut & 1;
	a.envp_cut = cut & 2;
	*ret = a;
	return 0;
}

/*
 * The block has spaces where the NULs between arguments were; the parts that it was taken into tell which. Beyond the last
 * part that has a value of its own a space stays, which makes one argument of the rest: the block that is made of it has
 * the same values again.
 */
void procio_args(const struct argblock *a, struct buf *text, struct decode_args *ret)
{
	size_t start = text->len, env;
	bool any = a->argv0.s != NULL;

	if (any) {
		buf_put(text, a->argv0.s, a->argv0.len);
		buf_putc(text, 0);
	}
	if (a->nargv) {
		size_t at = text->len;

		buf_put(text, a->args.s, a->args.len);
		buf_putc(text, 0);
		for (uint32_t i = 0; i < a->nargv && !buf_error(text); i++)
			text->data[at + (size_t)(a->argv[i].s - a->args.s) + a->argv[i].len] = 0;
	}
	env = text->len;
	for (uint32_t i = 0; i < a->nenv; i++) {
		buf_put(text, a->envp[i].s, a->envp[i].len);
		buf_putc(text, 0);
	}
	*ret = (struct decode_args){ .argv_cut = a->argv_cut, .envp_cut = a->envp_cut };
	if (buf_error(text))
		return;
	ret->argv = (char *)text->data + start;
	ret->argv_len = (uint32_t)(env - start);
	ret->envp = (char *)text->data + env;
	ret->envp_len = (uint32_t)(text->len - env);
}

/* ---- processes ----------------------------------------------------------------------------------------------------- */

void procio_put(struct buf *b, const struct procio *io, const struct val *v, const struct decode_args *args)
{
	const struct catalog *c = catalog_tamis();

	buf_put_u32(b, io->pid);
	buf_put_u32(b, io->parent);
	buf_putc(b, io->flags);
	buf_putc(b, io->chain);
	buf_put_u64(b, io->start_ns);
	buf_put_u64(b, io->known_ns);
	buf_put_u64(b, io->dead_ns);
	for (size_t i = 0; i < c->nfields; i++)
		if (is_number(&c->fields[i]))
			buf_put_u64(b, (uint64_t)v[c->fields[i].slot].num);
	for (int s = 0; s < PROCIO_STRS; s++)
		procio_put_str(b, v[procio_str_slots[s]].s, v[procio_str_slots[s]].len);
	procio_put_args(b, args);
}

int procio_get(struct rd *rd, struct procio *ret, struct decoded *d)
{
	const struct catalog *c = catalog_tamis();

	if (rd_u32(rd, &ret->pid) < 0 || rd_u32(rd, &ret->parent) < 0 || rd_u8(rd, &ret->flags) < 0 ||
	    rd_u8(rd, &ret->chain) < 0 || rd_u64(rd, &ret->start_ns) < 0 || rd_u64(rd, &ret->known_ns) < 0 ||
	    rd_u64(rd, &ret->dead_ns) < 0 || ret->flags & ~PROCIO_FLAGS)
		return -EBADMSG;
	memset(&d->head, 0, sizeof(d->head));
	memset(d->pv, 0, sizeof(d->pv));
	for (size_t i = 0; i < c->nfields; i++) {
		uint64_t n;

		if (!is_number(&c->fields[i]))
			continue;
		if (rd_u64(rd, &n) < 0)
			return -EBADMSG;
		d->pv[c->fields[i].slot].num = (int64_t)n;
	}
	for (int s = 0; s < PROCIO_STRS; s++) {
		struct val *v = &d->pv[procio_str_slots[s]];

		if (procio_get_str(rd, &v->s, &v->len) < 0 || v->len > EV_PATH_MAX)
			return -EBADMSG;
	}
	d->has_proc = true;
	d->head.pid = d->head.tid = ret->pid;
	d->head.start_ns = d->proc_start_ns = ret->start_ns;
	return procio_get_args(rd, &d->args);
}
