/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/fim/udiff.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/cleanup.h"

struct line {
	const char *p;
	size_t len; /* without its newline */
	bool newline;
};

struct side {
	struct line *v; /* owned */
	size_t n;
	bool *out; /* owned: the line is on this side alone */
};

static int split(const char *p, size_t len, struct side *ret)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == '\n';
	n += len && p[len - 1] != '\n';
	ret->v = calloc(n + 1, sizeof(ret->v[0]));
	ret->out = calloc(n + 1, sizeof(ret->out[0]));
	if (!ret->v || !ret->out)
		return -ENOMEM;
	for (ret->n = 0; ret->n < n; ret->n++) {
		const char *nl = memchr(p + at, '\n', len - at);
		size_t end = nl ? (size_t)(nl - p) : len;

		ret->v[ret->n] = (struct line){ p + at, end - at, nl != NULL };
		at = end + 1;
	}
	return 0;
}

static void side_done(struct side *s)
{
	free(s->v);
	free(s->out);
}

static bool same(const struct line *a, const struct line *b)
{
	return a->len == b->len && a->newline == b->newline && memcmp(a->p, b->p, a->len) == 0;
}

/* ---- the shortest edit --------------------------------------------------------------------------------------------- */

/* The middles of both sides: what is between the common beginning and end. */
struct middle {
	const struct line *a, *b;
	bool *a_out, *b_out;
	long n, m;
	long *trace[UDIFF_EDITS + 1]; /* owned; trace[d][k + d]: how far diagonal k came with d edits */
};

static long furthest(const struct middle *x, long d, long k)
{
	const long *last = x->trace[d - 1];
	long i;

	if (k == -d || (k != d && last[k - 1 + d - 1] < last[k + 1 + d - 1]))
		i = last[k + 1 + d - 1]; /* down: a line of b */
	else
		i = last[k - 1 + d - 1] + 1; /* right: a line of a */
	return i;
}

static long slide(const struct middle *x, long i, long k)
{
	while (i < x->n && i - k < x->m && i - k >= 0 && same(&x->a[i], &x->b[i - k]))
		i++;
	return i;
}

/* The number of edits, or -1 where there would be too many, or -ENOMEM below that. */
static long search(struct middle *x)
{
	for (long d = 0; d <= UDIFF_EDITS; d++) {
		x->trace[d] = malloc((size_t)(2 * d + 1) * sizeof(long));
		if (!x->trace[d])
			return -2;
		for (long k = -d; k <= d; k++)
			x->trace[d][k + d] = -1;
		for (long k = -d; k <= d; k += 2) {
			long i = slide(x, d ? furthest(x, d, k) : 0, k);

			x->trace[d][k + d] = i;
			if (i >= x->n && i - k >= x->m)
				return d;
		}
	}
	return -1;
}

/* From the end back to the beginning, marking the lines that are on one side alone. */
static void mark(struct middle *x, long d)
{
	long i = x->n, j = x->m;

	for (; d > 0; d--) {
		const long *last = x->trace[d - 1];
		long k = i - j, from;
		bool down = k == -d || (k != d && last[k - 1 + d - 1] < last[k + 1 + d - 1]);

		from = down ? last[k + 1 + d - 1] : last[k - 1 + d - 1];
		if (down) {
			i = from;
			j = from - (k + 1);
			x->b_out[j] = true;
		} else {
			i = from;
			j = from - (k - 1);
			x->a_out[i] = true;
		}
	}
}

static int compare(struct side *a, struct side *b)
{
	_cleanup_free_ struct middle *x = calloc(1, sizeof(*x));
	size_t head = 0, tail = 0;
	long d;

	if (!x)
		return -ENOMEM;
	while (head < a->n && head < b->n && same(&a->v[head], &b->v[head]))
		head++;
	while (tail < a->n - head && tail < b->n - head && same(&a->v[a->n - 1 - tail], &b->v[b->n - 1 - tail]))
		tail++;
	x->a = a->v + head;
	x->b = b->v + head;
	x->a_out = a->out + head;
	x->b_out = b->out + head;
	x->n = (long)(a->n - head - tail);
	x->m = (long)(b->n - head - tail);
	d = search(x);
	if (d >= 0)
		mark(x, d);
	else if (d == -1) {
		memset(x->a_out, 1, (size_t)x->n * sizeof(bool));
		memset(x->b_out, 1, (size_t)x->m * sizeof(bool));
	}
	for (size_t i = 0; i <= UDIFF_EDITS; i++)
		free(x->trace[i]);
	return d == -2 ? -ENOMEM : 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static void put_line(struct buf *b, char sign, const struct line *l)
{
	buf_putc(b, (uint8_t)sign);
	buf_put(b, l->p, l->len);
	buf_puts(b, l->newline ? "\n" : "\n\\ No newline at end of file\n");
}

static void put_range(struct buf *b, char sign, size_t from, size_t n)
{
	buf_printf(b, "%c%zu", sign, n ? from + 1 : from);
	if (n != 1)
		buf_printf(b, ",%zu", n);
}

/* One hunk, from lines i and j on; they move behind it. */
static void put_hunk(struct buf *out, const struct side *a, const struct side *b, size_t *i, size_t *j)
{
	size_t context = *i < UDIFF_CONTEXT ? *i : UDIFF_CONTEXT, i0 = *i - context, j0 = *j - context;
	size_t i1 = *i, j1 = *j, same_lines = 0;

	/* it ends where more than twice the context is the same */
	for (size_t p = *i, q = *j; p < a->n || q < b->n;) {
		if ((p < a->n && a->out[p]) || (q < b->n && b->out[q])) {
			while (p < a->n && a->out[p])
				p++;
			while (q < b->n && b->out[q])
				q++;
			i1 = p;
			j1 = q;
			same_lines = 0;
		} else {
			p++;
			q++;
			if (++same_lines > 2UL * UDIFF_CONTEXT)
				break;
		}
	}
	context = a->n - i1 < UDIFF_CONTEXT ? a->n - i1 : UDIFF_CONTEXT;
	i1 += context;
	j1 += context;
	buf_puts(out, "@@ ");
	put_range(out, '-', i0, i1 - i0);
	buf_putc(out, ' ');
	put_range(out, '+', j0, j1 - j0);
	buf_puts(out, " @@\n");
	while (i0 < i1 || j0 < j1) {
		if (i0 < i1 && a->out[i0])
			put_line(out, '-', &a->v[i0++]);
		else if (j0 < j1 && b->out[j0])
			put_line(out, '+', &b->v[j0++]);
		else
			put_line(out, ' ', &a->v[i0++]), j0++;
	}
	*i = i1;
	*j = j1;
}

int udiff(const void *old, size_t old_len, const void *new, size_t new_len, struct buf *out)
{
	struct side a = { 0 }, b = { 0 };
	size_t i = 0, j = 0;
	int r = split(old ? old : "", old_len, &a);

	if (r == 0)
		r = split(new ? new : "", new_len, &b);
	if (r == 0)
		r = compare(&a, &b);
	while (r == 0 && (i < a.n || j < b.n)) {
		if ((i < a.n && a.out[i]) || (j < b.n && b.out[j])) {
			put_hunk(out, &a, &b, &i, &j);
		} else {
			i++;
			j++;
		}
	}
	side_done(&a);
	side_done(&b);
	return r == 0 ? buf_error(out) : r;
}
