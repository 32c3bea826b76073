/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/proctable.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/derive.h"
#include "sensor/enrich/cgroup.h"
#include "sensor/enrich/image.h"
#include "sensor/enrich/looks.h"
#include "sensor/enrich/names.h"
#include "sensor/enrich/procio.h"
#include "sensor/enrich/session.h"

#define VANISHED_MAX 64		/* processes looked after in one tick */
#define EXEC_CHAIN   16		/* images of one process that exec on exec keeps */
#define TRIM_AFTER   4096	/* freed images after which memory is given back */
#define SHIM_DEPTH   8		/* how far above a container's process what watches over it is looked for */
#define NO_EXEC	     UINT32_MAX /* exec_id of what is no process's image: no head of a record has it */
#define SERVER_DEPTH 8		/* how many processes of a server of SSH lie between its first and a session */

struct proctable {
	struct images images;
	struct looks looks;  /* in /proc */
	struct users *users; /* borrowed */
	struct names names;
	int64_t clock;		      /* boot time to wall time */
	uint64_t trimmed;	      /* images freed when memory was given back last */
	struct proctable_stats stats; /* but for what images counts */
	struct decoded scratch;	      /* what /proc said */
	struct ev_head after;	      /* of an event that changed credentials: those after it. type EV_NONE: none */
	struct image **loaded;	      /* owned: while a table is loaded, its images by their numbers */
	uint32_t nloaded, loaded_size;
};

static struct image *image_make(struct proctable *t, uint32_t pid, uint64_t start_ns)
{
	struct image *i = images_new(&t->images, pid, start_ns);

	t->stats.failures += !i;
	return i;
}

/* ---- what an image says -------------------------------------------------------------------------------------------- */

static void image_str_set(struct proctable *t, struct image *i, int n, struct val v)
{
	struct str *s = strpool_get(t->images.strings, v.s, v.len);

	t->stats.failures += v.len && !s;
	strpool_unref(t->images.strings, i->str[n]);
	i->str[n] = s;
	i->p.v[procio_str_slots[n]] = (struct val){ .s = s ? s->s : NULL, .len = s ? s->len : 0 };
}

static struct val text(const char *s)
{
	return (struct val){ .s = s, .len = (uint32_t)strlen(s) };
}

static void image_container_set(struct proctable *t, struct image *i, const struct cgroup_facts *f)
{
	struct container *c =
		f->id_len ? container_get(&t->images.containers, f->id, f->id_len, f->runtime, f->pod) : NULL;

	t->stats.failures += f->id_len && !c;
	container_unref(&t->images.containers, i->container);
	i->container = c;
	if (c)
		container_started(c, i->p.v[SLOT_PROC_CREATED_AT].num);
}

/*
 * Where records cannot tell: hosts with cgroup v1 hierarchies, on which containers are not in the unified one. There /proc is
 * asked, if the kernel side does not say that the process is where its image before (@was, or NULL) was (@same). Where the process is
 * gone already it is taken to have been there, too.
 */
static bool image_cgroup(struct proctable *t, struct image *i, const struct image *was, bool same, struct val *ret,
			 unsigned *ret_version)
{
	size_t len;

	if (!(same && was && was->located)) {
		i->located = looks_cgroup(&t->looks, i->pid, &ret->s, &len, ret_version);
		if (i->located) {
			ret->len = (uint32_t)len;
			return true;
		}
		if (!was || was->p.v[SLOT_PROC_CGROUP_VERSION].num != 1)
			return false;
	}
	i->located = same && was->located;
	*ret = was->p.v[SLOT_PROC_CGROUP_ID];
	*ret_version = (unsigned)was->p.v[SLOT_PROC_CGROUP_VERSION].num;
	return true;
}

/* What the cgroup tells. */
static void image_container(struct proctable *t, struct image *i, const struct image *was, bool same)
{
	struct val *v = i->p.v, *cgroup = &v[SLOT_PROC_CGROUP_ID];
	struct cgroup_facts f;
	struct val path = { 0 };
	unsigned version;

	cgroup_describe(cgroup->s, cgroup->len, &f);
	if (!v[SLOT_PROC_CGROUP_VERSION].num && cgroup->len)
		v[SLOT_PROC_CGROUP_VERSION].num = 2;
	if (!f.id_len && image_cgroup(t, i, was, same, &path, &version)) {
		image_str_set(t, i, EVS_PROC_CGROUP_ID, path);
		v[SLOT_PROC_CGROUP_VERSION].num = version;
		cgroup_describe(cgroup->s, cgroup->len, &f);
	}
	v[SLOT_PROC_CONTAINER_ID] = (struct val){ .s = f.id, .len = (uint32_t)f.id_len };
	v[SLOT_PROC_CGROUP_MANAGER] = text(f.manager);
	v[SLOT_PROC_CGROUP_UNIT] = (struct val){ .s = f.unit, .len = (uint32_t)f.unit_len };
	image_str_set(t, i, PROCIO_POD, text(f.pod));
	image_container_set(t, i, &f);
}

/* ---- what it has from those above it ------------------------------------------------------------------------------- */

/*
 * The runtime of a container in whose cgroup's path there is none, by the program that watches over its first process. With
 * containerd's, the name space tells whether docker has asked for it.
 */
static const char *runtime_above(const struct image *i)
{
	static const char shim[] = "containerd-shim";

	for (int n = 0; i && n < SHIM_DEPTH; n++, i = i->parent) {
		struct val name = i->p.v[SLOT_PROC_FILE_NAME], args = i->p.v[SLOT_PROC_ARGS];

		if (name.len < strlen(shim) || memcmp(name.s, shim, strlen(shim)) != 0)
			continue;
		return args.len && memmem(args.s, args.len, "-namespace moby", 15) ? "docker" : "containerd";
	}
	return "";
}

/* A server of SSH, and one that runs, or was started, as root: others could be anybody's. */
static bool image_is_server(const struct image *i)
{
	bool root = false;

	for (int n = 0; i && n < SERVER_DEPTH && !root; n++, i = i->parent) {
		if (!session_is_server(i->p.v[SLOT_PROC_FILE_NAME]))
			return false;
		root = i->p.v[SLOT_PROC_EUID].num == 0 && i->p.v[SLOT_PROC_FILE_UID].num == 0;
	}
	return root;
}

static void image_session_set(struct proctable *t, struct image *i, const struct session *s)
{
	image_str_set(t, i, PROCIO_SSH_IP, s->ip);
	image_str_set(t, i, PROCIO_SSH_USER, s->user);
	i->p.v[SLOT_PROC_SSH_PORT].num = s->port;
}

/* A process is in the session of @from, unless it begins one. */
static void image_session_inherit(struct proctable *t, struct image *i, const struct image *from)
{
	const struct val *v = from->p.v;
	struct session s = { v[SLOT_PROC_SSH_CLIENT_IP], v[SLOT_PROC_SSH_USERNAME], v[SLOT_PROC_SSH_PORT].num };

	if (s.ip.len)
		image_session_set(t, i, &s);
}

/* What follows from those above it; as soon as it is known who they are. True if something did. */
static bool image_context(struct proctable *t, struct image *i)
{
	uint32_t had = i->p.v[SLOT_PROC_SSH_CLIENT_IP].len;
	struct session s;

	if (i->container && !*i->container->runtime)
		container_runtime(i->container, runtime_above(i));
	if (!i->parent)
		return false;
	if (!session_is_server(i->p.v[SLOT_PROC_FILE_NAME]) && image_is_server(i->parent) &&
	    session_of_env(i->args, &s))
		image_session_set(t, i, &s);
	else if (!had)
		image_session_inherit(t, i, i->parent);
	return i->p.v[SLOT_PROC_SSH_CLIENT_IP].len != had;
}

/* Names of the ids. What is not there has no owner. */
static void image_names(struct proctable *t, struct image *i)
{
	struct val *v = i->p.v;

	names_fill(&t->names, t->users, v);
	if (!v[SLOT_PROC_INTERPRETER_PATH].len)
		v[SLOT_PROC_INTERPRETER_USER] = v[SLOT_PROC_INTERPRETER_GROUP] = (struct val){ .len = 0 };
}

/* Everything that follows from other values of the image. */
static void image_derive(struct proctable *t, struct image *i)
{
	static const uint8_t texts[] = {
		SLOT_PROC_FILE_NAME,	    SLOT_PROC_FILE_EXTENSION,	     SLOT_PROC_FILE_LINK_NAME,
		SLOT_PROC_INTERPRETER_NAME, SLOT_PROC_INTERPRETER_EXTENSION, SLOT_PROC_INTERPRETER_LINK_NAME
	};
	struct val *v = i->p.v;

	argblock_values(i->args, v);
	for (size_t n = 0; n < sizeof(texts); n++)
		v[texts[n]] = (struct val){ .len = 0 };
	v[SLOT_PROC_FILE_RIGHTS].num = v[SLOT_PROC_INTERPRETER_RIGHTS].num = 0;
	proc_derive(&i->p);
	image_names(t, i);
}

static void image_args_set(struct proctable *t, struct image *i, const struct decode_args *a)
{
	if (argblock_new(a, &i->args) < 0)
		t->stats.failures++;
	t->images.arg_bytes += i->args ? i->args->bytes : 0;
}

/* The values of @d->pv, its strings and arguments: what an exec record or /proc says. */
static void image_fill(struct proctable *t, struct image *i, const struct decoded *d, bool is_exec)
{
	memcpy(i->p.v, d->pv, sizeof(i->p.v));
	for (int s = 0; s < PROCIO_STRS; s++)
		image_str_set(t, i, s, d->pv[procio_str_slots[s]]);
	image_args_set(t, i, &d->args);
	i->p.v[SLOT_PROC_IS_EXEC].num = is_exec;
}

/* Writes credentials of @h to a process's values; whether any is another than before. */
static bool creds_set(struct val *v, const struct ev_head *h)
{
	const struct {
		uint8_t slot;
		int64_t num;
	} of[] = {
		{ SLOT_PROC_UID, h->uid },
		{ SLOT_PROC_GID, h->gid },
		{ SLOT_PROC_EUID, h->euid },
		{ SLOT_PROC_EGID, h->egid },
		{ SLOT_PROC_FSUID, h->fsuid },
		{ SLOT_PROC_FSGID, h->fsgid },
		{ SLOT_PROC_CAP_EFFECTIVE, (int64_t)h->cap_effective },
		{ SLOT_PROC_CAP_PERMITTED, (int64_t)h->cap_permitted },
		{ SLOT_PROC_AUID, h->auid },
	};
	bool changed = false;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		changed |= v[of[i].slot].num != of[i].num;
		v[of[i].slot].num = of[i].num;
	}
	return changed;
}

/* Credentials of the acting thread. */
static void image_creds(struct proctable *t, struct image *i, const struct ev_head *h)
{
	if (!creds_set(i->p.v, h))
		return;
	image_names(t, i);
	images_changed(&t->images, i);
}

/*
 * What an event is about that changes credentials: rules on it look at the process as it was before. So what it was given
 * is put down, and taken over when the event has been evaluated.
 */
static void creds_after(struct proctable *t, const struct decoded *d)
{
	const struct val *v = d->ev.v;
	struct ev_head *h = &t->after;
	uint16_t type = d->head.type;
	bool told = d->head.flags & EV_F_CREDS_AFTER; /* the head has them */

	if (!told && type != EV_SETUID && type != EV_SETGID && type != EV_CAPSET)
		return;
	*h = d->head;
	if (told)
		return;
	switch (type) {
	case EV_SETUID:
		h->uid = (ev_u32)v[SLOT_SETUID_UID].num;
		h->euid = (ev_u32)v[SLOT_SETUID_EUID].num;
		h->fsuid = (ev_u32)v[SLOT_SETUID_FSUID].num;
		break;
	case EV_SETGID:
		h->gid = (ev_u32)v[SLOT_SETGID_GID].num;
		h->egid = (ev_u32)v[SLOT_SETGID_EGID].num;
		h->fsgid = (ev_u32)v[SLOT_SETGID_FSGID].num;
		break;
	case EV_CAPSET:
		h->cap_effective = (ev_u64)v[SLOT_CAPSET_EFFECTIVE].num;
		h->cap_permitted = (ev_u64)v[SLOT_CAPSET_PERMITTED].num;
	}
}

/* The event before is done with. */
static void creds_settle(struct proctable *t)
{
	struct image *i = t->after.type ? images_find(&t->images, t->after.pid, t->after.start_ns) : NULL;

	t->after.type = EV_NONE;
	if (i)
		image_creds(t, i, &t->after);
}

/* ---- /proc --------------------------------------------------------------------------------------------------------- */

/* The image of a running process as /proc shows it; NULL where it does not, or shows another process of that pid. */
static struct image *image_from_proc(struct proctable *t, uint32_t pid, uint64_t start_ns)
{
	struct decoded *d = &t->scratch;
	struct image *i;
	uint64_t known_ns, tick = t->images.tick_ns ? t->images.tick_ns : 1;
	bool kthread;

	if (!looks_read(&t->looks, pid, t->clock, d, &kthread, &known_ns))
		return NULL;
	if (start_ns && start_ns / tick != d->head.start_ns / tick)
		return NULL;
	i = image_make(t, pid, start_ns ? start_ns : d->head.start_ns);
	if (!i)
		return NULL;
	i->coarse = !start_ns;
	i->known_ns = known_ns;
	i->unlayered = d->pv[SLOT_PROC_FILE_PATH].len;
	image_fill(t, i, d, true);
	i->p.v[SLOT_PROC_IS_EXEC].num = !kthread;
	i->p.v[SLOT_PROC_IS_KWORKER].num = kthread;
	t->stats.pathless += !kthread && !d->pv[SLOT_PROC_FILE_PATH].len;
	image_container(t, i, NULL, false);
	image_derive(t, i);
	images_put(&t->images, i);
	return i;
}

static void image_find_parent(struct proctable *t, struct image *i)
{
	uint32_t ppid = (uint32_t)i->p.v[SLOT_PROC_PPID].num;

	images_link(&t->images, ppid ? images_find(&t->images, ppid, 0) : NULL, i);
}

/* The image that comes after @i where each comes before its children: without a stack, because chains can be long. */
static struct image *next_down(const struct image *i, const struct image *root)
{
	if (i->children)
		return i->children;
	while (i != root && !i->sib_next)
		i = i->parent;
	return i != root ? i->sib_next : NULL;
}

static int seed_one(void *ctx, uint32_t pid)
{
	struct proctable *t = ctx;

	if (t->images.count < t->images.max && !images_find(&t->images, pid, 0))
		t->stats.seeded += image_from_proc(t, pid, 0) != NULL;
	return 0;
}

int proctable_seed(struct proctable *t, int64_t clock_offset_ns)
{
	int r;

	if (!t->looks.proc)
		return 0;
	t->clock = clock_offset_ns;
	t->looks.seeding = true;
	r = procfs_each(t->looks.proc, seed_one, t);
	t->looks.seeding = false;
	for (struct image *i = t->images.live.first; i; i = i->next)
		image_find_parent(t, i);
	for (struct image *i = t->images.live.first; i; i = i->next)
		for (struct image *d = i->parent ? NULL : i; d; d = next_down(d, i))
			image_context(t, d);
	images_bound(&t->images, NULL, NULL);
	return r;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

/* Nothing is known but what the head of a record says. */
static struct image *image_minimal(struct proctable *t, const struct ev_head *h)
{
	struct image *i = image_make(t, h->pid, h->start_ns);
	struct val *v;

	if (!i)
		return NULL;
	v = i->p.v;
	v[SLOT_PROC_PID].num = h->pid;
	v[SLOT_PROC_TID].num = h->pid;
	creds_set(v, h);
	v[SLOT_PROC_CREATED_AT].num = h->start_ns ? (int64_t)(h->start_ns + (uint64_t)t->clock) : 0;
	image_derive(t, i);
	images_put(&t->images, i);
	return i;
}

static struct image *table_unknown(struct proctable *t, const struct ev_head *h)
{
	struct image *i = looks_may(&t->looks) ? image_from_proc(t, h->pid, h->start_ns) : NULL;

	*(i ? &t->stats.late : &t->stats.minimal) += 1;
	if (!i) {
		i = image_minimal(t, h);
		t->stats.pathless++;
	}
	if (!i)
		return NULL;
	images_retire(&t->images, h->pid, i);
	image_find_parent(t, i);
	image_context(t, i);
	return i;
}

/* Now the start is known to the nanosecond. */
static void image_exact(struct proctable *t, struct image *i, uint64_t start_ns)
{
	if (!i->coarse || !start_ns)
		return;
	i->coarse = false;
	i->p.v[SLOT_PROC_CREATED_AT].num += (int64_t)(start_ns - i->start_ns);
	i->start_ns = start_ns;
	images_changed(&t->images, i);
}

/* The acting process of a record. */
static struct image *table_acting(struct proctable *t, const struct ev_head *h)
{
	struct image *i = images_find(&t->images, h->pid, h->start_ns);

	if (!i)
		i = table_unknown(t, h);
	if (!i)
		return NULL;
	image_exact(t, i, h->start_ns);
	if (!(h->flags & EV_F_CREDS_AFTER))
		image_creds(t, i, h);
	images_use(&t->images, i);
	return i;
}

/* The child's own numbers. */
static void fork_values(struct image *c, const struct decoded *d)
{
	static const uint8_t own[] = { SLOT_PROC_PID,	     SLOT_PROC_TID,	      SLOT_PROC_PPID,
				       SLOT_PROC_UID,	     SLOT_PROC_GID,	      SLOT_PROC_EUID,
				       SLOT_PROC_EGID,	     SLOT_PROC_FSUID,	      SLOT_PROC_FSGID,
				       SLOT_PROC_AUID,	     SLOT_PROC_CAP_EFFECTIVE, SLOT_PROC_CAP_PERMITTED,
				       SLOT_PROC_CREATED_AT, SLOT_PROC_CGROUP_INODE };

	for (size_t i = 0; i < sizeof(own); i++)
		c->p.v[own[i]] = d->pv[own[i]];
	c->p.v[SLOT_PROC_IS_THREAD].num = 1;
	c->p.v[SLOT_PROC_IS_EXEC].num = 0;
}

/* A fork copies the image; strings and arguments are shared. */
static void fork_copy(struct proctable *t, struct image *c, const struct image *parent, const struct decoded *d)
{
	bool other = false;

	c->p = parent->p;
	c->p.start = c->start_ns;
	c->exec_id = d->head.image;
	c->told = parent->told;
	c->unlayered = parent->unlayered;
	c->located = parent->located;
	c->args = argblock_ref(parent->args);
	c->container = container_ref(parent->container);
	for (int s = 0; s < PROCIO_STRS; s++) {
		c->str[s] = strpool_ref(parent->str[s]);
		if (d->pv[procio_str_slots[s]].len)
			image_str_set(t, c, s, d->pv[procio_str_slots[s]]);
		other |= c->str[s] != parent->str[s];
	}
	fork_values(c, d);
	if (other) {
		image_container(t, c, parent, false);
		image_derive(t, c);
	} else {
		image_names(t, c);
	}
}

static struct image *table_fork(struct proctable *t, const struct decoded *d)
{
	uint32_t pid = (uint32_t)d->pv[SLOT_PROC_PID].num;
	struct image *parent = table_acting(t, &d->head), *c;

	c = images_find(&t->images, pid, d->proc_start_ns);
	if (c && (c->dead || c == parent || !d->proc_start_ns))
		c = NULL;
	if (c) { /* /proc told first */
		image_exact(t, c, d->proc_start_ns);
		images_link(&t->images, parent, c);
		return c;
	}
	c = image_make(t, pid, d->proc_start_ns);
	if (!c)
		return NULL;
	if (parent)
		fork_copy(t, c, parent, d);
	else
		fork_values(c, d);
	images_adopt(&t->images, parent, c);
	image_context(t, c);
	images_put(&t->images, c);
	images_retire(&t->images, pid, c);
	return c;
}

/* Above an exec's image: the forker, or the image that it replaced where that was more than a copy of its forker. */
static void exec_lineage(struct proctable *t, struct image *n, struct image *old, const struct ev_head *h)
{
	bool stale = old && old->known_ns >= h->boot_ns; /* /proc showed the result of this very exec already */

	if (!old)
		return;
	if (!stale && old->p.v[SLOT_PROC_IS_EXEC].num) {
		images_adopt(&t->images, old, n);
		n->chain = old->chain;
		if (n->chain < EXEC_CHAIN)
			n->chain++;
		else
			images_skip(&t->images, old); /* what was executed right before it makes room */
	} else {
		images_adopt(&t->images, old->parent, n);
		n->chain = old->chain;
	}
	images_replaced(&t->images, old);
}

/* What the kernel side could not read of the arguments may still be in /proc. */
static void exec_args(struct proctable *t, struct image *n, const struct decoded *d)
{
	struct decode_args more = d->args;

	if ((!d->args.argv_len || d->args.argv_cut) && looks_may(&t->looks) && looks_args(&t->looks, n->pid, &more)) {
		if (more.argv_len > d->args.argv_len) {
			t->stats.late_args++;
			image_args_set(t, n, &more);
			return;
		}
	}
	image_args_set(t, n, &d->args);
}

static struct image *table_exec(struct proctable *t, const struct decoded *d)
{
	struct image *old = images_find(&t->images, d->head.pid, d->head.start_ns);
	struct image *n = image_make(t, d->head.pid, d->head.start_ns ? d->head.start_ns : d->proc_start_ns);
	struct decoded *scratch = &t->scratch;

	if (!n) {
		if (old) /* better not known than known as what it was */
			images_replaced(&t->images, old);
		return NULL;
	}
	n->exec_id = d->head.image;
	if (old) /* another image of the same process, whatever is known of its start by now */
		n->p.start = old->p.start;
	memcpy(scratch->pv, d->pv, sizeof(d->pv));
	scratch->args = (struct decode_args){ 0 };
	image_fill(t, n, scratch, true);
	exec_args(t, n, d);
	image_container(t, n, old, d->head.flags & EV_F_SAME_CGROUPS);
	if (old)
		image_session_inherit(t, n, old);
	exec_lineage(t, n, old, &d->head);
	images_put(&t->images, n);
	image_derive(t, n);
	image_creds(t, n, &d->head);
	images_retire(&t->images, n->pid, n);
	image_find_parent(t, n);
	image_context(t, n);
	return n;
}

/*
 * What an exec that the kernel side refused would have made of its process: for this event alone. No record finds it, and it goes as
 * what has ended does.
 */
static struct image *table_denied(struct proctable *t, const struct decoded *d)
{
	struct image *now = table_acting(t, &d->head), *n = image_make(t, d->head.pid, d->head.start_ns);
	struct decoded *scratch = &t->scratch;

	if (!n)
		return NULL;
	n->exec_id = NO_EXEC; /* nor is a mask made of it for the process */
	memcpy(scratch->pv, d->pv, sizeof(d->pv));
	scratch->args = (struct decode_args){ 0 };
	image_fill(t, n, scratch, true);
	image_args_set(t, n, &d->args);
	image_container(t, n, now, false);
	if (now) {
		n->p.start = now->p.start;
		image_session_inherit(t, n, now);
		images_adopt(&t->images, now->p.v[SLOT_PROC_IS_EXEC].num ? now : now->parent, n);
	}
	image_derive(t, n);
	image_creds(t, n, &d->head);
	images_die(&t->images, n);
	return n;
}

/* What the kernel says of a process of which not even the program was known. */
static void image_complete(struct proctable *t, struct image *i, const struct decoded *d)
{
	static const uint8_t own[] = { SLOT_PROC_IS_THREAD,	SLOT_PROC_IS_EXEC,	SLOT_PROC_IS_KWORKER,
				       SLOT_PROC_SSH_CLIENT_IP, SLOT_PROC_SSH_USERNAME, SLOT_PROC_SSH_PORT };
	struct val keep[sizeof(own)];

	for (size_t n = 0; n < sizeof(own); n++)
		keep[n] = i->p.v[own[n]];
	memcpy(i->p.v, d->pv, sizeof(i->p.v));
	for (size_t n = 0; n < sizeof(own); n++)
		i->p.v[own[n]] = keep[n];
	for (int s = 0; s < EVS_PROC_COUNT; s++)
		image_str_set(t, i, s, d->pv[procio_str_slots[s]]);
	image_container(t, i, NULL, false);
	image_derive(t, i);
	images_changed(&t->images, i);
	t->images.relinked++;
	t->stats.completed++;
}

/* All that were there at @boot_ns have been told of: of those without a program nobody will know one. */
static void table_told(struct proctable *t, uint64_t boot_ns)
{
	for (struct image *i = t->images.live.first; i; i = i->next)
		if (!i->told && !i->p.v[SLOT_PROC_FILE_PATH].len && i->start_ns < boot_ns) {
			i->told = true;
			t->images.relinked++;
		}
}

/* What the kernel says of a program that is known from /proc: the layer that it lies on. What masks were made from is another now. */
static void image_layer(struct proctable *t, struct image *i, const struct decoded *d)
{
	struct val known = i->p.v[SLOT_PROC_FILE_PATH], told = d->pv[SLOT_PROC_FILE_PATH];

	if (!i->unlayered || known.len != told.len || memcmp(known.s, told.s, told.len) != 0)
		return;
	i->unlayered = false;
	if (!d->pv[SLOT_PROC_FILE_IN_UPPER].num)
		return;
	i->p.v[SLOT_PROC_FILE_IN_UPPER].num = 1;
	images_changed(&t->images, i);
	t->images.relinked++;
}

/* A process as it is. Of what is known nothing changes: records that are under way may be newer, or older, than this. */
static struct image *table_task(struct proctable *t, const struct decoded *d)
{
	struct image *i;

	if (!d->head.pid) {
		table_told(t, d->head.boot_ns);
		return NULL;
	}
	i = images_find(&t->images, d->head.pid, d->head.start_ns);
	if (!i)
		i = table_unknown(t, &d->head);
	if (!i || i->dead)
		return i;
	image_exact(t, i, d->head.start_ns);
	if (!i->p.v[SLOT_PROC_FILE_PATH].len && !i->told)
		image_complete(t, i, d);
	else
		image_layer(t, i, d);
	image_find_parent(t, i);
	if (image_context(t, i))
		images_changed(&t->images, i);
	return i;
}

static struct image *table_exit(struct proctable *t, const struct decoded *d)
{
	struct image *i = table_acting(t, &d->head);

	if (i)
		images_die(&t->images, i);
	return i;
}

const struct proc *proctable_event(struct proctable *t, const struct decoded *d, const struct proc **ret_target)
{
	struct image *i, *target = NULL;

	creds_settle(t);
	creds_after(t, d);
	if (d->head.boot_ns > t->images.now_ns)
		t->images.now_ns = d->head.boot_ns;
	t->clock = (int64_t)((uint64_t)d->ev.now_ns - d->head.boot_ns);
	images_reap(&t->images);
	switch (d->head.type) {
	case EV_FORK:
		i = table_fork(t, d);
		break;
	case EV_EXEC:
		i = d->head.flags & EV_F_DENIED ? table_denied(t, d) : table_exec(t, d);
		break;
	case EV_EXIT:
		i = table_exit(t, d);
		break;
	case EV_TASK:
		i = table_task(t, d);
		break;
	default:
		i = table_acting(t, &d->head);
		target = d->target.pid ? table_acting(t, &d->target) : NULL;
	}
	images_bound(&t->images, i, target);
	looks_forget(&t->looks);
	*ret_target = target ? &target->p : NULL;
	return i ? &i->p : NULL;
}

void proctable_on_gone(struct proctable *t, void (*gone)(void *ctx, uint32_t pid, uint64_t start), void *ctx)
{
	t->images.gone = gone;
	t->images.gone_ctx = ctx;
}

bool proctable_any(const struct proctable *t, uint32_t pid, uint64_t start)
{
	return images_any(&t->images, pid, start);
}

/* ---- the table ----------------------------------------------------------------------------------------------------- */

int proctable_new(const struct proctable_options *o, struct proctable **ret)
{
	struct proctable *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	t->users = o->users;
	names_plan(o->catalog, CAT_HOME_PROC, EV_NONE, &t->names);
	r = images_init(&t->images, o->max_images ? o->max_images : PROCTABLE_IMAGES,
			o->max_bytes ? o->max_bytes : PROCTABLE_BYTES);
	if (!r)
		r = looks_init(&t->looks, o->proc_path);
	if (!r && t->looks.proc)
		t->images.tick_ns = procfs_tick_ns(t->looks.proc);
	if (r < 0) {
		proctable_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void proctable_free(struct proctable *t)
{
	if (!t)
		return;
	images_done(&t->images);
	looks_done(&t->looks);
	proctable_loaded(t);
	free(t);
}

const struct proc *proctable_find(const struct proctable *t, uint32_t pid, uint64_t start_ns)
{
	const struct image *i = images_find(&t->images, pid, start_ns);

	return i ? &i->p : NULL;
}

static void image_vanished(struct proctable *t, struct image *i)
{
	images_die(&t->images, i);
	t->stats.vanished++;
}

/* Exits that were lost: looks whether the processes that were quiet for longest still run. */
static void table_vanished(struct proctable *t)
{
	struct image *i = t->images.live.first;

	for (int n = 0; n < VANISHED_MAX && i; n++) {
		struct image *next = i->next;

		images_use(&t->images, i);
		if (looks_gone(&t->looks, i->pid))
			image_vanished(t, i);
		i = next;
	}
}

static void table_trim(struct proctable *t)
{
	if (t->images.freed - t->trimmed <= TRIM_AFTER)
		return;
	t->trimmed = t->images.freed;
	malloc_trim(0);
}

static void table_now(struct proctable *t, uint64_t now)
{
	t->images.now_ns = now > t->images.now_ns ? now : t->images.now_ns;
	images_reap(&t->images);
}

void proctable_tick(struct proctable *t)
{
	if (t->looks.proc) {
		table_now(t, looks_boot_ns());
		table_vanished(t);
	}
	table_trim(t);
}

static void image_rename(void *ctx, struct image *i)
{
	struct proctable *t = ctx;

	image_names(t, i);
	images_changed(&t->images, i);
}

void proctable_rename_users(struct proctable *t)
{
	images_each(&t->images, image_rename, t);
}

void proctable_stats(const struct proctable *t, struct proctable_stats *ret)
{
	*ret = t->stats;
	ret->over_budget = t->looks.over_budget;
	ret->images = t->images.count;
	ret->live = t->images.count_live;
	ret->evicted = t->images.evicted;
	ret->evicted_live = t->images.evicted_live;
	ret->bytes = images_bytes(&t->images);
}

const struct container *proctable_container(const struct proc *p)
{
	return image_of(p)->container;
}

struct containers *proctable_containers(struct proctable *t)
{
	return &t->images.containers;
}

bool proctable_is_image(const struct proc *p, uint32_t exec_id)
{
	return !image_of(p)->exec_id || image_of(p)->exec_id == exec_id;
}

const struct proc *proctable_exec_parent(const struct proc *p)
{
	const struct image *i = image_of(p);

	return i->p.v[SLOT_PROC_IS_EXEC].num ? &i->p : i->p.parent;
}

bool proctable_is_placed(const struct proc *p)
{
	return image_of(p)->chain < EXEC_CHAIN;
}

bool proctable_is_told(const struct proc *p)
{
	return image_of(p)->told;
}

uint64_t proctable_relinked(const struct proctable *t)
{
	return t->images.relinked;
}

uint64_t proctable_version(const struct proc *p)
{
	return p->version;
}

const struct proctable_cache *proctable_cache_get(const struct proc *p)
{
	return image_of(p)->cache.text ? &image_of(p)->cache : NULL;
}

void proctable_cache_set(struct proctable *t, const struct proc *p, const char *text, uint32_t len, uint64_t version)
{
	images_cache_set(&t->images, image_of(p), text, len, version);
}

/* ---- captures and replays ------------------------------------------------------------------------------------------ */

void proctable_watch(struct proctable *t, proctable_fn fn, void *ctx)
{
	looks_watch(&t->looks, fn, ctx);
}

uint64_t proctable_now(const struct proctable *t)
{
	return t->images.now_ns;
}

uint64_t proctable_tick_ns(const struct proctable *t)
{
	return t->images.tick_ns;
}

struct save {
	struct proctable *t; /* borrowed */
	proctable_fn fn;
	void *ctx;
	uint32_t number; /* of the last image that was put */
	struct buf out, args;
};

static int save_image(struct save *s, struct image *i)
{
	struct procio io = { .pid = i->pid, .start_ns = i->start_ns, .known_ns = i->known_ns, .dead_ns = i->dead_ns };
	struct decode_args a = { 0 };

	io.parent = i->parent ? i->parent->number : 0;
	io.chain = i->chain;
	io.flags = (uint8_t)((i->dead ? PROCIO_DEAD : 0) | (i->present ? PROCIO_PRESENT : 0) |
			     (i->coarse ? PROCIO_COARSE : 0) | (i->unlayered ? PROCIO_UNLAYERED : 0));
	i->number = ++s->number;
	buf_reset(&s->args);
	buf_reset(&s->out);
	if (i->args)
		procio_args(i->args, &s->args, &a);
	procio_put(&s->out, &io, i->p.v, &a);
	if (buf_error(&s->args) || buf_error(&s->out))
		return buf_error(&s->args) ? buf_error(&s->args) : buf_error(&s->out);
	s->fn(s->ctx, s->out.data, s->out.len);
	return 0;
}

/* The dead without children are left for later: their order is that of their end. */
static bool is_last(const struct image *i)
{
	return i->dead && !i->held;
}

static int save_tree(struct save *s, struct image *root)
{
	int r = 0;

	for (struct image *i = root; i && !r; i = next_down(i, root))
		r = is_last(i) ? 0 : save_image(s, i);
	return r;
}

int proctable_save(struct proctable *t, proctable_fn fn, void *ctx)
{
	struct save s = { .t = t, .fn = fn, .ctx = ctx };
	struct image_list *lists[] = { &t->images.live, &t->images.held };
	int r = 0;

	creds_settle(t);
	buf_init(&s.out, 2u << 20);
	buf_init(&s.args, 1u << 20);
	for (int l = 0; l < 2; l++)
		for (struct image *i = lists[l]->first; i && !r; i = i->next)
			r = i->parent ? 0 : save_tree(&s, i);
	for (struct image *i = t->images.dead.first; i && !r; i = i->next)
		r = save_image(&s, i);
	buf_done(&s.out);
	buf_done(&s.args);
	return r;
}

void proctable_replay(struct proctable *t, uint64_t now_ns, uint64_t tick_ns, int64_t clock)
{
	t->images.now_ns = now_ns;
	t->images.tick_ns = tick_ns;
	t->clock = clock;
}

/* By number; only while a table is loaded, in which nothing is freed. */
static struct image *loaded(struct proctable *t, uint32_t number)
{
	return number && number <= t->nloaded ? t->loaded[number - 1] : NULL;
}

static int loaded_put(struct proctable *t, struct image *i)
{
	if (t->nloaded == t->loaded_size) {
		uint32_t size = t->loaded_size ? 2 * t->loaded_size : 256;
		struct image **more = realloc(t->loaded, size * sizeof(struct image *));

		if (!more)
			return -ENOMEM;
		t->loaded = more;
		t->loaded_size = size;
	}
	t->loaded[t->nloaded++] = i;
	return 0;
}

int proctable_load(struct proctable *t, const void *bytes, size_t len)
{
	struct decoded *d = &t->scratch;
	struct rd rd = rd_of(bytes, len);
	struct procio io;
	struct image *i;

	if (procio_get(&rd, &io, d) < 0 || rd_end(&rd) < 0 || io.parent > t->nloaded)
		return -EBADMSG;
	if (t->images.count >= t->images.max || images_bytes(&t->images) > t->images.max_bytes)
		return -EFBIG;
	i = image_make(t, io.pid, io.start_ns);
	if (!i)
		return -ENOMEM;
	image_fill(t, i, d, d->pv[SLOT_PROC_IS_EXEC].num);
	images_adopt(&t->images, loaded(t, io.parent), i);
	i->chain = io.chain;
	i->coarse = io.flags & PROCIO_COARSE;
	i->unlayered = io.flags & PROCIO_UNLAYERED;
	i->known_ns = io.known_ns;
	if (io.flags & PROCIO_PRESENT)
		images_put(&t->images, i);
	if (io.flags & PROCIO_DEAD)
		images_die(&t->images, i);
	i->dead_ns = io.dead_ns;
	image_container(t, i, NULL, false);
	image_derive(t, i);
	image_context(t, i);
	return loaded_put(t, i);
}

void proctable_loaded(struct proctable *t)
{
	free(t->loaded);
	t->loaded = NULL;
	t->nloaded = t->loaded_size = 0;
}

int proctable_tell(struct proctable *t, const void *bytes, size_t len)
{
	return looks_tell(&t->looks, bytes, len);
}

void proctable_replay_tick(struct proctable *t, uint64_t now_ns)
{
	struct image *i;
	uint32_t pid;

	proctable_loaded(t); /* from here on images go */
	table_now(t, now_ns);
	while (looks_told_gone(&t->looks, &pid)) {
		i = images_find(&t->images, pid, 0);
		if (i)
			image_vanished(t, i);
	}
	looks_forget(&t->looks);
	table_trim(t);
}
