/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/touch_of.h"

#include <string.h>
#include <sys/stat.h>

#define ANCESTORS_MAX 32

/* Programs that bring and remove packages. What they run (scripts of packages, too) is theirs. */
static const char *const managers[] = {
	"/usr/bin/dpkg",
	"/usr/bin/dpkg-deb",
	"/usr/bin/apt",
	"/usr/bin/apt-get",
	"/usr/bin/aptitude",
	"/usr/bin/rpm",
	"/usr/bin/rpmdb",
	"/usr/bin/yum",
	"/usr/bin/dnf",
	"/usr/bin/dnf-3",
	"/usr/bin/dnf5",
	"/usr/bin/zypper",
	"/usr/bin/tdnf",
	"/usr/bin/microdnf",
	"/usr/bin/unattended-upgrade",
	"/usr/sbin/dpkg-preconfigure",
	"/usr/libexec/packagekitd",
};

void touch_of_init(struct touch_of *t, const struct catalog *c)
{
	memset(t, 0, sizeof(*t));
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		uint8_t *slot;

		if (f->home != CAT_HOME_EVENT || f->sieve != CAT_SIEVE_PATH || f->kind != 'S' || f->event >= EV_TYPES)
			continue;
		slot = t->slot[f->event];
		slot[slot[0] != 0] = (uint8_t)(f->slot + 1);
	}
}

static bool is_manager(const struct val *path)
{
	for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++)
		if (path->len == strlen(managers[i]) && memcmp(path->s, managers[i], path->len) == 0)
			return true;
	return false;
}

static bool by_manager(const struct proc *p)
{
	for (int i = 0; p && i < ANCESTORS_MAX; i++, p = p->parent) {
		const struct val path = proc_get(p, SLOT_PROC_FILE_PATH);

		if (is_manager(&path))
			return true;
	}
	return false;
}

/* Of a rename the mode tells whether a directory moved; where it was not to be had it may have been one. */
static uint16_t flags_of(const struct event *ev)
{
	int64_t mode;

	switch (ev->type) {
	case EV_RENAME:
		mode = ev->v[SLOT_RENAME_FILE_MODE].num;
		return TOUCH_NAMES | (!mode || S_ISDIR((mode_t)mode) ? TOUCH_TREE : 0);
	case EV_RMDIR:
	case EV_MKDIR:
	case EV_UNLINK:
	case EV_LINK:
	case EV_SYMLINK:
	case EV_OPEN:
		return TOUCH_NAMES;
	case EV_MOUNT:
	case EV_UMOUNT:
		return TOUCH_TREE; /* what was there is hidden, or comes back */
	case EV_MMAP:
		return TOUCH_MAPPED;
	default:
		return 0;
	}
}

void touch_of_process(const struct proc *proc, struct touch *t)
{
	if (t->head.event == EV_MMAP)
		t->head.flags |= TOUCH_MAPPED;
	if (by_manager(proc))
		t->head.flags |= TOUCH_PACKAGE;
}

bool touch_of_event(const struct touch_of *t, const struct event *ev, struct touch *ret)
{
	const uint8_t *slot = t->slot[ev->type];
	int n = 0, most = ev->type == EV_MOUNT ? 1 : 2; /* where from is of no interest */

	*ret = (struct touch){ .head = { .event = ev->type, .flags = flags_of(ev), .time_ns = (uint64_t)ev->now_ns } };
	for (int i = 0; i < most && slot[i]; i++) {
		const struct val *v = &ev->v[slot[i] - 1];

		if (!v->len || v->s[0] != '/' || v->len > TOUCH_PATH_MAX || memchr(v->s, '\0', v->len))
			continue;
		ret->path[n] = v->s;
		ret->head.path_len[n++] = v->len;
	}
	if (ev->proc) {
		ret->head.pid = (uint32_t)ev->proc->v[SLOT_PROC_PID].num;
		ret->head.start = ev->proc->start;
		ret->head.flags |= by_manager(ev->proc) ? TOUCH_PACKAGE : 0;
	}
	return n > 0;
}
