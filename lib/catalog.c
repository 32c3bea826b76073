/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/catalog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/near.h"
#include "tamis/sieve.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the rows of catalog.def as arrays of fields; their event is filled in where they are gathered ----------------
 */

#define INDEX_N(EV, SLOT) EVN_##EV##_##SLOT
#define INDEX_S(EV, SLOT) EVS_##EV##_##SLOT
#define INDEX_U(EV, SLOT) 0
#define INDEX_H(EV, SLOT) 0
#define HOME_N		  CAT_HOME_EVENT
#define HOME_S		  CAT_HOME_EVENT
#define HOME_U		  CAT_HOME_EVENT
#define HOME_H		  CAT_HOME_BASE
#define ROW(KIND, EV, SLOT, NAME, TYPE, CONSTANTS, SIEVE, FLAGS, DOC)                                                  \
	{ .name = NAME,                                                                                                \
	  .type = VAL_##TYPE,                                                                                          \
	  .flags = FLAGS,                                                                                              \
	  .home = HOME_##KIND,                                                                                         \
	  .sieve = CAT_SIEVE_##SIEVE,                                                                                  \
	  .constants = CG_##CONSTANTS,                                                                                 \
	  .kind = #KIND[0],                                                                                            \
	  .slot = SLOT_##EV##_##SLOT,                                                                                  \
	  .index = INDEX_##KIND(EV, SLOT),                                                                             \
	  .doc = DOC },

/* A row of CAT_PROC_UNSEEN: absent from records. */
#define ROW_UNSEEN(KIND, EV, SLOT, NAME, TYPE, CONSTANTS, SIEVE, FLAGS, DOC)                                           \
	ROW(U, EV, SLOT, NAME, TYPE, CONSTANTS, NONE, (FLAGS) | CF_UNSEEN, DOC)

static const struct cat_field base_rows[] = { CAT_BASE(ROW) };
#define E(EV, NR, NAME, LIST, PROC, DOC)      static const struct cat_field rows_##EV[] = { LIST(ROW) };
#define U(EV, NR, NAME, LIST, PROC, DOC, WHY) E(EV, NR, NAME, LIST, PROC, DOC)
CAT_EVENTS(E)
CAT_EVENTS_UNSEEN(U)
#undef U
#undef E
#define F(FAMILY, NR, NAME, DOC) static const struct cat_field rows_##FAMILY[] = { CAT_##FAMILY(ROW, DNS, NAME) };
CAT_FAMILIES(F)
#undef F

/* Processes that rules can name: P(ID, "prefix", event type, home). Each has all rows of CAT_PROC. */
#define PROCESSES(P)                                                                                                   \
	P(process, "process", NONE, PROC)                                                                              \
	P(parent, "process.parent", NONE, PARENT)                                                                      \
	P(ancestors, "process.ancestors", NONE, ANCESTORS)                                                             \
	P(exec, "exec", EXEC, PROC)                                                                                    \
	P(exit, "exit", EXIT, PROC)                                                                                    \
	P(fork, "fork", FORK, PROC)                                                                                    \
	CAT_TARGETS(TARGET)
#define P(ID, PRE, EV, HOME)                                                                                           \
	static const struct cat_field proc_##ID[] = { CAT_PROC(ROW, PRE) CAT_PROC_FETCHED(ROW, PRE)                    \
							      CAT_PROC_UNSEEN(ROW_UNSEEN, PRE) };
#define TARGET(EV, PRE)                                                                                                \
	P(EV, PRE, EV, TARGET)                                                                                         \
	P(EV##_parent, PRE ".parent", EV, TARGET_PARENT)                                                               \
	P(EV##_ancestors, PRE ".ancestors", EV, TARGET_ANCESTORS)
PROCESSES(P)
#undef P
static const struct {
	const struct cat_field *rows;
	uint16_t event;
	uint8_t home; /* enum cat_home */
} processes[] = {
#define P(ID, PRE, EV, HOME) { proc_##ID, EV_##EV, CAT_HOME_##HOME },
	PROCESSES(P)
#undef P
};
#define PROC_FIELDS SLOT_PROC_COUNT /* one slot a row */

/* Names that hold for every event without "process." in front. */
static const struct {
	const char *name, *process;
} shorts[] = {
	{ "cgroup.id", "process.cgroup.id" },
	{ "cgroup.file.inode", "process.cgroup.file.inode" },
	{ "cgroup.file.mount_id", "process.cgroup.file.mount_id" },
	{ "cgroup.manager", "process.cgroup.manager" },
	{ "cgroup.version", "process.cgroup.version" },
	{ "cgroup.unit", "process.cgroup.unit" },
	{ "container.id", "process.container.id" },
	{ "container.pod_uid", "process.container.pod_uid" },
};

static const struct cat_event plain_events[] = {
#define E(EV, NR, NAME, LIST, PROC, DOC)                                                                               \
	{ NAME, DOC, NR, PROC, EVN_##EV##_COUNT, EVS_##EV##_COUNT, NULL, 0, false, false },
#define U(EV, NR, NAME, LIST, PROC, DOC, WHY)                                                                          \
	{ NAME, DOC, NR, PROC, EVN_##EV##_COUNT, EVS_##EV##_COUNT, WHY, 0, false, false },
#define F(FAMILY, NR, NAME, DOC) { NAME, DOC, NR, 0, 0, 0, NULL, 0, true, false },
	CAT_EVENTS(E) CAT_EVENTS_UNSEEN(U) CAT_FAMILIES(F)
#undef F
#undef U
#undef E
};

static const struct {
	uint16_t event, family;
} members[] = {
#define M(EV, FAMILY) { EV_##EV, EV_##FAMILY },
	CAT_MEMBERS(M)
#undef M
};

static const uint16_t with_target[] = {
#define T(EV, PRE) EV_##EV,
	CAT_TARGETS(T)
#undef T
};

_Static_assert((int)SLOT_DNS_ICMP == (int)SLOT_IMDS_ICMP && (int)EVN_DNS_ICMP == (int)EVN_IMDS_ICMP &&
		       (int)EVS_DNS_IFNAME == (int)EVS_IMDS_IFNAME,
	       "members of a family begin with its rows");

bool cat_field_is_told(const struct cat_field *f)
{
	return f->home == CAT_HOME_EVENT && ((f->event == EV_CONNECT && f->slot == SLOT_CONNECT_HOSTNAME) ||
					     (f->event == EV_ACCEPT && f->slot == SLOT_ACCEPT_HOSTNAME));
}

/* Why fields of events that are observed are not: by a part of their names. */
static const struct {
	const char *part, *why;
} whys[] = {
	{ ".metadata.", "programs are not looked into yet" },
	{ ".syscall.", "arguments of system calls are not kept yet" },
	{ ".user_session.", "only the process that the user logged in by knows" },
	{ ".caps_", "the use of capabilities is not followed yet" },
	{ ".hostname", "names of addresses are not kept yet" },
	{ "", "nothing fills it in yet" },
};

static const struct cat_alias aliases[] = {
	{ "async", "event.async" },
	{ "chmod.basename", "chmod.file.name" },
	{ "chmod.filename", "chmod.file.path" },
	{ "chmod.mode", "chmod.file.destination.mode" },
	{ "chown.basename", "chown.file.name" },
	{ "chown.filename", "chown.file.path" },
	{ "chown.gid", "chown.file.destination.gid" },
	{ "chown.group", "chown.file.destination.group" },
	{ "chown.uid", "chown.file.destination.uid" },
	{ "chown.user", "chown.file.destination.user" },
	{ "exec.basename", "exec.file.name" },
	{ "exec.filename", "exec.file.path" },
	{ "exec.name", "exec.comm" },
	{ "exec.overlay_numlower", "exec.file.overlay_numlower" },
	{ "link.source.basename", "link.file.name" },
	{ "link.source.filename", "link.file.path" },
	{ "link.target.basename", "link.file.destination.name" },
	{ "link.target.filename", "link.file.destination.path" },
	{ "mkdir.basename", "mkdir.file.name" },
	{ "mkdir.filename", "mkdir.file.path" },
	{ "mkdir.mode", "mkdir.file.destination.mode" },
	{ "open.basename", "open.file.name" },
	{ "open.filename", "open.file.path" },
	{ "open.mode", "open.file.destination.mode" },
	{ "process.ancestors.basename", "process.ancestors.file.name" },
	{ "process.ancestors.filename", "process.ancestors.file.path" },
	{ "process.ancestors.name", "process.ancestors.comm" },
	{ "process.basename", "process.file.name" },
	{ "process.filename", "process.file.path" },
	{ "process.name", "process.comm" },
	{ "removexattr.basename", "removexattr.file.name" },
	{ "removexattr.filename", "removexattr.file.path" },
	{ "removexattr.name", "removexattr.file.destination.name" },
	{ "removexattr.namespace", "removexattr.file.destination.namespace" },
	{ "rename.new.basename", "rename.file.destination.name" },
	{ "rename.new.filename", "rename.file.destination.path" },
	{ "rename.old.basename", "rename.file.name" },
	{ "rename.old.filename", "rename.file.path" },
	{ "rmdir.basename", "rmdir.file.name" },
	{ "rmdir.filename", "rmdir.file.path" },
	{ "setxattr.basename", "setxattr.file.name" },
	{ "setxattr.filename", "setxattr.file.path" },
	{ "setxattr.name", "setxattr.file.destination.name" },
	{ "setxattr.namespace", "setxattr.file.destination.namespace" },
	{ "unlink.basename", "unlink.file.name" },
	{ "unlink.filename", "unlink.file.path" },
	{ "utimes.basename", "utimes.file.name" },
	{ "utimes.filename", "utimes.file.path" },
};

/* ---- gathering -----------------------------------------------------------------------------------------------------
 */

#define FIELDS_MAX 4096
static struct cat_field fields[FIELDS_MAX];
static struct cat_event events[EV_ALL_TYPES];
static struct catalog tamis;

static int field_cmp(const void *a, const void *b)
{
	return strcmp(((const struct cat_field *)a)->name, ((const struct cat_field *)b)->name);
}

/* Of a process: a program that was executed through a symbolic link goes by both names. */
static uint16_t also_of(const struct cat_field *row)
{
	switch (row->slot) {
	case SLOT_PROC_FILE_PATH:
		return SLOT_PROC_FILE_LINK_PATH;
	case SLOT_PROC_FILE_NAME:
		return SLOT_PROC_FILE_LINK_NAME;
	case SLOT_PROC_INTERPRETER_PATH:
		return SLOT_PROC_INTERPRETER_LINK_PATH;
	case SLOT_PROC_INTERPRETER_NAME:
		return SLOT_PROC_INTERPRETER_LINK_NAME;
	default:
		return 0;
	}
}

/* @home < 0 keeps the rows' own home. */
static void gather(const struct cat_field *rows, size_t n, uint16_t event, int home, uint8_t more_flags)
{
	for (size_t i = 0; i < n; i++) {
		struct cat_field *f = &fields[tamis.nfields++];

		if (tamis.nfields > FIELDS_MAX)
			abort(); /* a catalog.def that outgrew its table; no input can cause it */
		*f = rows[i];
		f->event = event;
		f->flags |= more_flags;
		if (home < 0)
			continue;
		f->home = (uint8_t)home;
		if (home != CAT_HOME_BASE)
			f->also = also_of(f);
	}
}

static void gather_shorts(void)
{
	size_t n = tamis.nfields;

	for (size_t s = 0; s < COUNT(shorts); s++)
		for (size_t i = 0; i < n; i++)
			if (strcmp(fields[i].name, shorts[s].process) == 0) {
				fields[tamis.nfields] = fields[i];
				fields[tamis.nfields++].name = shorts[s].name;
			}
}

static bool is_of_family(const struct cat_field *f)
{
	for (size_t i = 0; i < tamis.nfields; i++)
		if (strcmp(fields[i].name, f->name) == 0)
			return true;
	return false;
}

/* An event's own rows; those that it shares with its family are the family's. */
static void gather_own(const struct cat_field *rows, size_t n, const struct cat_event *e)
{
	uint8_t flags = e->why_unseen ? CF_UNSEEN : 0;

	while (e->family && n && is_of_family(rows)) {
		rows++;
		n--;
	}
	gather(rows, n, e->type, -1, flags);
}

static void gather_events(void)
{
	for (size_t i = 0; i < COUNT(plain_events); i++)
		events[plain_events[i].type] = plain_events[i];
	for (size_t i = 0; i < COUNT(members); i++) {
		events[members[i].event].family = members[i].family;
		events[members[i].family].why_unseen = events[members[i].event].why_unseen;
	}
	for (size_t i = 0; i < COUNT(with_target); i++)
		events[with_target[i]].has_target = true;
	/* One that is observed makes its family so. */
	for (size_t i = 0; i < COUNT(members); i++)
		if (!events[members[i].event].why_unseen)
			events[members[i].family].why_unseen = NULL;
#define E(EV, NR, NAME, LIST, PROC, DOC)      gather_own(rows_##EV, COUNT(rows_##EV), &events[NR]);
#define U(EV, NR, NAME, LIST, PROC, DOC, WHY) gather_own(rows_##EV, COUNT(rows_##EV), &events[NR]);
#define F(FAMILY, NR, NAME, DOC)	      gather_own(rows_##FAMILY, COUNT(rows_##FAMILY), &events[NR]);
	CAT_FAMILIES(F)
	CAT_EVENTS(E)
	CAT_EVENTS_UNSEEN(U)
#undef F
#undef U
#undef E
	for (size_t i = 0; i < tamis.nfields; i++)
		if (events[fields[i].event].why_unseen)
			fields[i].flags |= CF_UNSEEN;
}

const struct catalog *catalog_tamis(void)
{
	if (tamis.fields)
		return &tamis;

	gather(base_rows, COUNT(base_rows), EV_NONE, CAT_HOME_BASE, 0);
	for (size_t i = 0; i < COUNT(processes); i++)
		gather(processes[i].rows, PROC_FIELDS, processes[i].event, processes[i].home,
		       cat_is_ancestors(processes[i].home) ? CF_ARRAY : 0);
	gather_events();
	gather_shorts();
	qsort(fields, tamis.nfields, sizeof(fields[0]), field_cmp);

	tamis.events = events;
	tamis.nevents = EV_ALL_TYPES;
	tamis.constants = cat_constants;
	tamis.nconstants = cat_nconstants;
	tamis.aliases = aliases;
	tamis.naliases = COUNT(aliases);
	tamis.fields = fields;
	return &tamis;
}

/* ---- look-ups ------------------------------------------------------------------------------------------------------
 */

/* strcmp of @name (not NUL-terminated) with @s */
static int name_cmp(const char *name, size_t len, const char *s)
{
	size_t slen = strlen(s);
	int r = memcmp(name, s, len < slen ? len : slen);

	return r ? r : (len > slen) - (len < slen);
}

const struct cat_field *catalog_field(const struct catalog *c, const char *name, size_t len)
{
	size_t lo = 0, hi = c->nfields;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int r = name_cmp(name, len, c->fields[mid].name);

		if (r == 0)
			return &c->fields[mid];
		if (r < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	for (size_t i = 0; i < c->naliases; i++)
		if (name_cmp(name, len, c->aliases[i].name) == 0)
			return catalog_field(c, c->aliases[i].field, strlen(c->aliases[i].field));
	return NULL;
}

const struct cat_event *catalog_event(const struct catalog *c, const char *name, size_t len)
{
	for (size_t i = 0; i < c->nevents; i++)
		if (c->events[i].name && !c->events[i].is_family && name_cmp(name, len, c->events[i].name) == 0)
			return &c->events[i];
	return NULL;
}

int catalog_meet(const struct catalog *c, uint16_t a, uint16_t b)
{
	if (a == EV_NONE || a == b)
		return b;
	if (b == EV_NONE || c->events[a].family == b)
		return a;
	return c->events[b].family == a ? b : -EINVAL;
}

bool catalog_covers(const struct catalog *c, uint16_t of, uint16_t event)
{
	return of == EV_NONE || of == event || (event < c->nevents && c->events[event].family == of);
}

const char *catalog_why_unseen(const struct catalog *c, const struct cat_field *f)
{
	size_t i = 0;

	if (f->event < c->nevents && c->events[f->event].why_unseen)
		return c->events[f->event].why_unseen;
	if (!(f->flags & CF_UNSEEN))
		return NULL;
	while (!strstr(f->name, whys[i].part))
		i++;
	return whys[i].why;
}

const struct cat_constant *catalog_constant(const struct catalog *c, const char *name, size_t len)
{
	/* Most differ in the first byte: that spares the rest of a thousand comparisons. */
	for (size_t i = 0; len && i < c->nconstants; i++)
		if (c->constants[i].name[0] == *name && name_cmp(name, len, c->constants[i].name) == 0)
			return &c->constants[i];
	return NULL;
}

const char *catalog_nearest(const struct catalog *c, const char *name, size_t len)
{
	struct near n = near_to(name, len);

	for (size_t i = 0; i < c->nfields; i++)
		near_try(&n, c->fields[i].name);
	for (size_t i = 0; i < c->nconstants; i++)
		near_try(&n, c->constants[i].name);
	return n.best;
}

/* The automaton of path row @f: paths are numbered in the order of their strings in the record. */
static uint16_t path_automaton(const struct catalog *c, uint16_t event, uint16_t str_index)
{
	uint16_t n = SV_AUT_PATH0;

	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		if (f->event == event && f->home == CAT_HOME_EVENT && f->sieve == CAT_SIEVE_PATH &&
		    f->index < str_index)
			n++;
	}
	return n;
}

/* The PATH row that a NAME row goes with: the one right above it in catalog.def, so one slot before. */
static const struct cat_field *path_of_name(const struct catalog *c, const struct cat_field *name)
{
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];

		if (f->sieve == CAT_SIEVE_PATH && f->event == name->event && f->home == name->home &&
		    f->slot + 1 == name->slot)
			return f;
	}
	return NULL;
}

static const struct cat_field *mode_of_rights(const struct catalog *c, const struct cat_field *rights)
{
	char name[128];
	int n = snprintf(name, sizeof(name), "%.*smode", (int)(strlen(rights->name) - strlen("rights")), rights->name);

	return n < (int)sizeof(name) ? catalog_field(c, name, (size_t)n) : NULL;
}

int catalog_sieve(const struct catalog *c, const struct cat_field *f, uint16_t event, uint16_t *ret_index)
{
	const struct cat_field *path = f, *mode;

	if (!catalog_covers(c, f->event, event) || c->events[event].why_unseen)
		return CAT_SIEVE_NONE;
	/* The head's numbers are those of the acting process, which is the exec's and the exit's too. */
	if (f->home != CAT_HOME_BASE && f->home != CAT_HOME_EVENT && f->home != CAT_HOME_PROC)
		return CAT_SIEVE_NONE;

	if (cat_sieve_is_id(f->sieve)) {
		/* A fork's head is the parent's; the child's rows follow the event's own. */
		*ret_index = (uint16_t)(event == EV_FORK ? c->events[event].nnum + f->index
							 : SV_SLOT_UID + (f->sieve - CAT_SIEVE_UID));
		return event == EV_FORK ? CAT_SIEVE_NUM : f->sieve;
	}
	switch (f->sieve) {
	case CAT_SIEVE_NUM:
		if (f->home != CAT_HOME_EVENT && event != EV_EXEC)
			return CAT_SIEVE_NONE;
		/* a process's rows follow the event's own */
		*ret_index = f->home == CAT_HOME_EVENT ? f->index : (uint16_t)(c->events[event].nnum + f->index);
		return CAT_SIEVE_NUM;
	case CAT_SIEVE_RIGHTS:
		mode = mode_of_rights(c, f);
		return mode && catalog_sieve(c, mode, event, ret_index) == CAT_SIEVE_NUM ? CAT_SIEVE_RIGHTS
											 : CAT_SIEVE_NONE;
	case CAT_SIEVE_NAME:
		path = path_of_name(c, f);
		if (!path)
			return CAT_SIEVE_NONE;
		/* fall through */
	case CAT_SIEVE_PATH:
		/*
		 * A process's own file is only known to the kernel side while the process executes it. It is its first
		 * path; for the others there is no automaton.
		 */
		if (f->home == CAT_HOME_PROC && (event != EV_EXEC || path->index))
			return CAT_SIEVE_NONE;
		*ret_index = f->home == CAT_HOME_PROC ? SV_AUT_PATH0 : path_automaton(c, event, path->index);
		return f->sieve;
	case CAT_SIEVE_ADDR:
	case CAT_SIEVE_PUBLIC:
		*ret_index = SV_AUT_ADDR;
		return f->sieve;
	case CAT_SIEVE_RETVAL:
		*ret_index = SV_SLOT_RETVAL;
		return CAT_SIEVE_RETVAL;
	case CAT_SIEVE_FSTYPE:
	case CAT_SIEVE_TEXT:
		/* of two files the first one's, and the automata are others where a process begins */
		if (f->home != CAT_HOME_EVENT || event == EV_EXEC ||
		    (f->sieve == CAT_SIEVE_FSTYPE && f->index != SV_FSTYPE_ROW))
			return CAT_SIEVE_NONE;
		*ret_index = f->sieve == CAT_SIEVE_FSTYPE ? SV_AUT_FSTYPE : SV_AUT_TEXT;
		return f->sieve;
	case CAT_SIEVE_QUESTION:
		*ret_index = SV_AUT_QUESTION;
		return f->sieve;
	case CAT_SIEVE_COMM:
	case CAT_SIEVE_ARGS:
	case CAT_SIEVE_ENVS:
		if (event != EV_EXEC)
			return CAT_SIEVE_NONE;
		*ret_index = f->sieve == CAT_SIEVE_COMM	  ? SV_AUT_COMM
			     : f->sieve == CAT_SIEVE_ARGS ? SV_AUT_ARGS
							  : SV_AUT_ENVS;
		return f->sieve;
	default:
		return CAT_SIEVE_NONE;
	}
}

int catalog_kin(const struct catalog *c, const struct cat_field *f, uint16_t *ret_index)
{
	const struct cat_field *path = f->sieve == CAT_SIEVE_NAME ? path_of_name(c, f) : f;

	if (f->home != CAT_HOME_PARENT && f->home != CAT_HOME_ANCESTORS)
		return CAT_SIEVE_NONE;
	*ret_index = f->home == CAT_HOME_PARENT ? SV_AUT_PARENT : SV_AUT_ABOVE;
	if (f->sieve == CAT_SIEVE_COMM) {
		*ret_index += SV_AUT_PARENT_COMM - SV_AUT_PARENT;
		return CAT_SIEVE_COMM;
	}
	/* the program's own file is the first path of a process; what else it has paths of is not kept */
	if ((f->sieve != CAT_SIEVE_PATH && f->sieve != CAT_SIEVE_NAME) || !path || path->index)
		return CAT_SIEVE_NONE;
	return f->sieve;
}

bool catalog_sieve_also(const struct catalog *c, uint16_t event, uint16_t automaton)
{
	for (size_t i = 0; i < c->nfields; i++) {
		uint16_t index = 0;
		int sieve = c->fields[i].also ? catalog_sieve(c, &c->fields[i], event, &index) : CAT_SIEVE_NONE;

		if ((sieve == CAT_SIEVE_PATH || sieve == CAT_SIEVE_NAME) && index == automaton)
			return true;
	}
	return false;
}

uint32_t catalog_cost(const struct cat_field *f)
{
	if (f->flags & CF_FETCH)
		return CAT_COST_FETCH;
	if (cat_is_ancestors(f->home))
		return 100;
	return f->flags & CF_ARRAY ? 20 : f->type == VAL_STR ? 2 : 1;
}

static bool slot_stays(uint16_t slot)
{
	switch (slot) {
	case SLOT_PROC_FILE_PATH:
	case SLOT_PROC_FILE_NAME:
	case SLOT_PROC_FILE_FILESYSTEM:
	case SLOT_PROC_FILE_INODE:
	case SLOT_PROC_FILE_MODE:
	case SLOT_PROC_FILE_UID:
	case SLOT_PROC_FILE_GID:
	case SLOT_PROC_FILE_MTIME:
	case SLOT_PROC_FILE_CTIME:
	case SLOT_PROC_FILE_RIGHTS:
	case SLOT_PROC_FILE_EXTENSION:
	case SLOT_PROC_FILE_IN_UPPER:
	case SLOT_PROC_FILE_LINK_PATH:
	case SLOT_PROC_FILE_LINK_NAME:
	case SLOT_PROC_INTERPRETER_PATH:
	case SLOT_PROC_INTERPRETER_NAME:
	case SLOT_PROC_INTERPRETER_FILESYSTEM:
	case SLOT_PROC_INTERPRETER_INODE:
	case SLOT_PROC_INTERPRETER_MODE:
	case SLOT_PROC_INTERPRETER_UID:
	case SLOT_PROC_INTERPRETER_GID:
	case SLOT_PROC_INTERPRETER_MTIME:
	case SLOT_PROC_INTERPRETER_CTIME:
	case SLOT_PROC_INTERPRETER_RIGHTS:
	case SLOT_PROC_INTERPRETER_EXTENSION:
	case SLOT_PROC_INTERPRETER_IN_UPPER:
	case SLOT_PROC_INTERPRETER_LINK_PATH:
	case SLOT_PROC_INTERPRETER_LINK_NAME:
	case SLOT_PROC_COMM:
	case SLOT_PROC_TTY_NAME:
	case SLOT_PROC_CGROUP_ID:
	case SLOT_PROC_CONTAINER_ID:
	case SLOT_PROC_ARGV0:
	case SLOT_PROC_ARGS:
	case SLOT_PROC_ARGV:
	case SLOT_PROC_ARGS_FLAGS:
	case SLOT_PROC_ARGS_OPTIONS:
	case SLOT_PROC_ARGS_TRUNCATED:
	case SLOT_PROC_ENVS:
	case SLOT_PROC_ENVP:
	case SLOT_PROC_ENVS_TRUNCATED:
		return true;
	default:
		return false;
	}
}

bool catalog_stays(const struct cat_field *f)
{
	return !(f->flags & (CF_FETCH | CF_UNSEEN)) && f->home >= CAT_HOME_PROC && f->home <= CAT_HOME_ANCESTORS &&
	       slot_stays(f->slot);
}

static uint32_t fnv1a(uint32_t h, const void *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ ((const unsigned char *)p)[i]) * 16777619u;
	return h;
}

uint32_t catalog_fingerprint(const struct catalog *c)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		const uint16_t n[] = { f->type,	 f->flags, f->home,  f->sieve, (uint16_t)f->kind,
				       f->event, f->slot,  f->index, f->also };

		h = fnv1a(h, f->name, strlen(f->name) + 1);
		h = fnv1a(h, n, sizeof(n));
	}
	return h;
}

static struct val get(const struct cat_field *f, uint16_t slot, const struct event *ev)
{
	static const struct val none;

	switch (f->home) {
	case CAT_HOME_BASE:
		return ev->base[slot];
	case CAT_HOME_EVENT:
		return ev->v[slot];
	case CAT_HOME_PROC:
		return ev->proc ? proc_get(ev->proc, slot) : none;
	case CAT_HOME_PARENT:
		return ev->proc && ev->proc->parent ? proc_get(ev->proc->parent, slot) : none;
	case CAT_HOME_TARGET:
		return ev->target ? proc_get(ev->target, slot) : none;
	case CAT_HOME_TARGET_PARENT:
		return ev->target && ev->target->parent ? proc_get(ev->target->parent, slot) : none;
	default:
		return none;
	}
}

struct val catalog_get(const struct cat_field *f, const struct event *ev)
{
	return get(f, f->slot, ev);
}

struct val catalog_get_also(const struct cat_field *f, const struct event *ev)
{
	return f->also ? get(f, f->also, ev) : (struct val){ .len = 0 };
}
