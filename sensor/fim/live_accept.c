/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a package manager brought becomes the baseline by itself: where nobody else touched the file since it was as it should
 * be, and it is now what the package database says. The manager writes its database some time after the file, so a file
 * that only it has touched is waited for. Several files are accepted in one transaction, because each signature is over all
 * rows.
 */
#include "sensor/fim/live_impl.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "sensor/fim/baseline_impl.h"

#define QUIET_NS 1000000000u /* no other file came for so long */
#define MOST_NS	 5000000000u /* or the first of them waits for so long */
#define AGAIN_NS 2000000000u /* somebody else works on the baseline */
#define TRIES	 15
#define AT_ONCE	 4096u

static const char *const databases[] = { "/var/lib/dpkg/info",
					 "/var/lib/dpkg/status",
					 "/var/lib/rpm/rpmdb.sqlite",
					 "/var/lib/rpm/rpmdb.sqlite-wal",
					 "/usr/lib/sysimage/rpm/rpmdb.sqlite",
					 "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal" };

/* ---- the package database -------------------------------------------------------------------------------------------- */

/* Changes with the databases. */
static uint64_t stamp(void)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++) {
		struct stat st;

		if (stat(databases[i], &st) == 0)
			sum = sum * 1000003u + (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	}
	return sum;
}

struct pkg *live_packages(struct live *l)
{
	uint64_t now = stamp();
	struct err e;

	if (l->pkg_stamp == now)
		return l->pkg;
	pkg_close(l->pkg);
	l->pkg = NULL;
	l->pkg_stamp = now;
	if (pkg_open(l->base.root_fd, &l->pkg, &e) < 0)
		l->stats.failures++;
	return l->pkg;
}

bool live_by_packages(const struct live_entry *n)
{
	for (uint32_t i = 0; i < n->nby; i++)
		if (!(n->by[i].flags & TOUCH_PACKAGE))
			return false;
	return n->nby && !n->more;
}

/* ---- what waits to be accepted ---------------------------------------------------------------------------------------- */

struct live_accept {
	struct live_entry *n; /* borrowed: entries that wait here stay */
	struct change change; /* its fact is the item's own */
	uint8_t *fact;	      /* owned, may be NULL */
	char *text;	      /* owned: what is told then */
	size_t head, len;
};

static void item_done(struct live_accept *a)
{
	a->n->accept = false;
	free(a->fact);
	free(a->text);
}

int live_accept_later(struct live *l, struct live_entry *n, const struct change *c, const void *text, size_t head,
		      size_t len, uint64_t now_ns)
{
	struct live_accept a = { .n = n, .change = *c, .head = head, .len = len };

	if (n->accept)
		return 0;
	if (l->naccepts == AT_ONCE)
		return live_again(l, n, now_ns + QUIET_NS);
	if (!l->accepts)
		l->accepts = calloc(AT_ONCE, sizeof(*l->accepts));
	a.text = malloc(len);
	a.fact = c->fact_len ? malloc(c->fact_len) : NULL;
	if (!l->accepts || !a.text || (c->fact_len && !a.fact)) {
		free(a.text);
		free(a.fact);
		return -ENOMEM;
	}
	memcpy(a.text, text, len);
	if (c->fact_len)
		memcpy(a.fact, c->fact, c->fact_len);
	a.change.fact = a.fact;
	if (!l->naccepts)
		l->accept_first_ns = now_ns;
	l->accept_due_ns = now_ns + QUIET_NS;
	if (l->accept_due_ns > l->accept_first_ns + MOST_NS)
		l->accept_due_ns = l->accept_first_ns + MOST_NS;
	l->accepts[l->naccepts++] = a;
	n->accept = true;
	return 0;
}

uint64_t live_accept_due_ns(const struct live *l)
{
	return l->naccepts ? l->accept_due_ns : UINT64_MAX;
}

void live_accept_done(struct live *l)
{
	for (uint32_t i = 0; i < l->naccepts; i++)
		item_done(&l->accepts[i]);
	free(l->accepts);
	l->accepts = NULL;
	l->naccepts = 0;
}

/* ---- accepting --------------------------------------------------------------------------------------------------------- */

static int accept_all(struct live *l, struct err *e)
{
	_cleanup_free_ struct baseline_some *v = calloc(l->naccepts, sizeof(*v));
	int r;

	if (!v)
		return err_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < l->naccepts; i++)
		v[i] = (struct baseline_some){ .path = l->accepts[i].n->path,
					       .len = l->accepts[i].n->len,
					       .change = &l->accepts[i].change };
	if (flock(l->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, -EBUSY, "somebody else works on the baseline");
	r = baseline_accept_some(&l->base, v, l->naccepts, e);
	if (r < 0)
		store_rollback(l->base.store);
	flock(l->lock_fd, LOCK_UN);
	for (uint32_t i = 0; r == 0 && i < l->naccepts; i++)
		l->accepts[i].n->accepted = v[i].accepted;
	return r;
}

/* What is accepted is told and forgotten; what has changed meanwhile is looked at again. */
static void tell_all(struct live *l, uint64_t now_ns, live_fn fn, void *ctx)
{
	for (uint32_t i = 0; i < l->naccepts; i++) {
		struct live_accept *a = &l->accepts[i];

		if (a->n->accepted) {
			l->stats.accepted++;
			fn(ctx, a->text, a->head, a->text + a->head, a->len - a->head);
		}
		if (!a->n->accepted || a->n->at)
			live_again(l, a->n, now_ns);
		a->n->accepted = false;
		item_done(a);
	}
	l->naccepts = 0;
}

/* It cannot be: each is looked at again, and told of as any other change. */
static void give_up(struct live *l, uint64_t now_ns)
{
	for (uint32_t i = 0; i < l->naccepts; i++) {
		for (uint32_t k = 0; k < l->accepts[i].n->nby; k++)
			l->accepts[i].n->by[k].flags &= ~(unsigned int)TOUCH_PACKAGE;
		live_again(l, l->accepts[i].n, now_ns);
		item_done(&l->accepts[i]);
	}
	l->naccepts = 0;
	l->stats.failures++;
}

void live_accept(struct live *l, uint64_t now_ns, live_fn fn, void *ctx)
{
	struct err e = { "" };
	int r;

	if (now_ns < live_accept_due_ns(l))
		return;
	r = accept_all(l, &e);
	if (r == 0) {
		l->accept_tries = 0;
		tell_all(l, now_ns, fn, ctx);
		l->stats.files = l->base.head.files;
	} else if (r != -EBUSY || ++l->accept_tries > TRIES) {
		l->accept_tries = 0;
		give_up(l, now_ns);
	} else {
		l->accept_due_ns = now_ns + AGAIN_NS;
	}
}
