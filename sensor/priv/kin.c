/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/kin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct aut {
	uint32_t of;		  /* the conditions that it decides */
	uint32_t states, classes; /* no states: it decides nothing, all of them may be met */
	uint8_t cls[256];
	uint16_t *trans; /* owned */
	uint32_t *met;	 /* owned; of each state */
};

struct kin {
	uint32_t above;
	struct aut aut[SV_KIN_AUTS];
};

int kin_pack(const struct sieve *s, struct buf *out)
{
	buf_put_u32(out, s->kin.above);
	for (int k = 0; k < SV_KIN_AUTS; k++) {
		const struct sv_automaton *a = &s->event[EV_EXEC].automata[SV_AUT_KIN + k];

		buf_put_u32(out, s->kin.of[k]);
		buf_put_u32(out, a->used ? a->states : 0);
		buf_put_u32(out, a->used ? a->classes : 0);
		if (!a->used)
			continue;
		buf_put(out, a->cls, sizeof(a->cls));
		for (uint32_t i = 0; i < a->states * a->classes; i++)
			buf_put_u16(out, s->trans[a->base + i]);
		for (uint32_t i = 0; i < a->states; i++)
			buf_put_u32(out, (uint32_t)s->masks[s->state_final[a->first + i]].w[0]);
	}
	return buf_error(out);
}

static int read_tables(struct rd *rd, struct aut *a)
{
	const uint8_t *cls;
	uint32_t n = a->states * a->classes;

	if (a->states > SV_STATES || !a->classes || a->classes > 256 || rd_bytes(rd, sizeof(a->cls), &cls) < 0)
		return -EBADMSG;
	memcpy(a->cls, cls, sizeof(a->cls));
	a->trans = calloc(n, sizeof(*a->trans));
	a->met = calloc(a->states, sizeof(*a->met));
	if (!a->trans || !a->met)
		return -ENOMEM;
	for (int i = 0; i < 256; i++)
		if (a->cls[i] >= a->classes)
			return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		if (rd_u16(rd, &a->trans[i]) < 0 || a->trans[i] >= a->states)
			return -EBADMSG;
	for (uint32_t i = 0; i < a->states; i++)
		if (rd_u32(rd, &a->met[i]) < 0)
			return -EBADMSG;
	return 0;
}

int kin_new(const void *bytes, size_t size, struct kin **ret)
{
	_cleanup_(kin_free) struct kin *kin = calloc(1, sizeof(*kin));
	struct rd rd = rd_of(bytes, size);
	int r = 0;

	if (!kin)
		return -ENOMEM;
	if (rd_u32(&rd, &kin->above) < 0)
		return -EBADMSG;
	for (int k = 0; k < SV_KIN_AUTS && r == 0; k++) {
		struct aut *a = &kin->aut[k];

		if (rd_u32(&rd, &a->of) < 0 || rd_u32(&rd, &a->states) < 0 || rd_u32(&rd, &a->classes) < 0)
			return -EBADMSG;
		if (a->states)
			r = read_tables(&rd, a);
	}
	if (r < 0)
		return r;
	if (rd_end(&rd) < 0)
		return -EBADMSG;
	*ret = TAKE_PTR(kin);
	return 0;
}

int kin_open(int fd, struct kin **ret)
{
	struct stat st;
	void *bytes;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return -errno;
	r = kin_new(bytes, (size_t)st.st_size, ret);
	munmap(bytes, (size_t)st.st_size);
	return r;
}

void kin_free(struct kin *kin)
{
	if (!kin)
		return;
	for (int k = 0; k < SV_KIN_AUTS; k++) {
		free(kin->aut[k].trans);
		free(kin->aut[k].met);
	}
	free(kin);
}

static uint32_t met_by(const struct kin *kin, int automaton, struct val s)
{
	const struct aut *a = &kin->aut[automaton - SV_AUT_KIN];
	uint32_t state = 0;

	if (!a->states)
		return a->of;
	for (uint32_t i = 0; i < s.len; i++)
		state = a->trans[state * a->classes + a->cls[(uint8_t)s.s[i]]];
	return a->met[state] & a->of;
}

uint32_t kin_self(const struct kin *k, struct val path, struct val link, struct val comm)
{
	uint32_t met = met_by(k, SV_AUT_PARENT, path) | met_by(k, SV_AUT_ABOVE, path);

	if (link.len)
		met |= met_by(k, SV_AUT_PARENT, link) | met_by(k, SV_AUT_ABOVE, link);
	return met | met_by(k, SV_AUT_PARENT_COMM, comm) | met_by(k, SV_AUT_ABOVE_COMM, comm);
}

uint32_t kin_above(const struct kin *k)
{
	return k->above;
}
