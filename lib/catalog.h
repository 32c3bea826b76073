/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog: include/tamis/catalog.def as tables to look things up in. A catalog is a value that is passed around, so
 * that tests can bring their own; catalog_tamis() is the sensor's.
 */
#ifndef TAMIS_CATALOG_H
#define TAMIS_CATALOG_H

#include <stddef.h>
#include <stdint.h>

#include "lib/value.h"
#include "tamis/sieve.h"

/* Flags of a field: the FLAGS column of catalog.def. */
enum cat_flags {
	CF_ARRAY = 1 << 0,
	CF_GLOB = 1 << 1,
	CF_ICASE = 1 << 2,
	CF_TIME = 1 << 3,
	CF_UNSEEN = 1 << 4,
	CF_FETCH = 1 << 5
};

/* Whose slot holds the value. */
enum cat_home {
	CAT_HOME_BASE,	    /* event.base[] */
	CAT_HOME_EVENT,	    /* event.v[] */
	CAT_HOME_PROC,	    /* event.proc->v[] */
	CAT_HOME_PARENT,    /* event.proc->parent->v[] */
	CAT_HOME_ANCESTORS, /* every process above event.proc; several values */
	CAT_HOME_TARGET,    /* event.target->v[], and so on */
	CAT_HOME_TARGET_PARENT,
	CAT_HOME_TARGET_ANCESTORS
};

/* Whether a field of that home has a value for each process above one. */
static inline bool cat_is_ancestors(uint8_t home)
{
	return home == CAT_HOME_ANCESTORS || home == CAT_HOME_TARGET_ANCESTORS;
}

/* How the kernel can decide on a field: the SIEVE column of catalog.def. */
enum cat_sieve {
	CAT_SIEVE_NONE,
	CAT_SIEVE_NUM,
	CAT_SIEVE_RIGHTS,
	CAT_SIEVE_PATH,
	CAT_SIEVE_NAME,
	CAT_SIEVE_ADDR,
#define CAT_SIEVE_ID(NAME, MEMBER) CAT_SIEVE_##NAME,
	SV_IDS(CAT_SIEVE_ID)
#undef CAT_SIEVE_ID
		CAT_SIEVE_RETVAL,
	CAT_SIEVE_COMM,
	CAT_SIEVE_ARGS,
	CAT_SIEVE_ENVS,
	CAT_SIEVE_PUBLIC,
	CAT_SIEVE_FSTYPE,
	CAT_SIEVE_TEXT,
	CAT_SIEVE_QUESTION
};

#define CAT_RIGHTS 07777 /* of a mode, for .rights */

/* Whether it is a number of the acting process that the head has. */
static inline bool cat_sieve_is_id(int sieve)
{
	return sieve >= CAT_SIEVE_UID && sieve <= CAT_SIEVE_AUID;
}

/* Whether it is one string. */
static inline bool cat_sieve_is_string(int sieve)
{
	return sieve == CAT_SIEVE_PATH || sieve == CAT_SIEVE_NAME || sieve == CAT_SIEVE_COMM ||
	       sieve == CAT_SIEVE_FSTYPE || sieve == CAT_SIEVE_TEXT || sieve == CAT_SIEVE_QUESTION;
}

/* Whether an automaton decides by it, not a number. */
static inline bool cat_sieve_is_text(int sieve)
{
	return cat_sieve_is_string(sieve) || sieve == CAT_SIEVE_ADDR || sieve == CAT_SIEVE_PUBLIC ||
	       sieve == CAT_SIEVE_ARGS || sieve == CAT_SIEVE_ENVS;
}

/* Groups of named constants: the CONSTANTS column of catalog.def. */
enum cat_group {
	CG_NONE,
	CG_ERROR,
	CG_OPEN_FLAGS,
	CG_UNLINK_FLAGS,
	CG_FILE_MODE,
	CG_INODE_MODE,
	CG_ADDRESS_FAMILY,
	CG_L4_PROTOCOL,
	CG_CAPABILITY,
	CG_EXIT_CAUSE,
	CG_AUDIT,
	CG_ABI,
	CG_ARCHITECTURE,
	CG_BPF_ATTACH_TYPE,
	CG_BPF_CMD,
	CG_BPF_HELPER,
	CG_BPF_MAP_TYPE,
	CG_BPF_PROG_TYPE,
	CG_CLONE_FLAGS,
	CG_DNS_CLASS,
	CG_DNS_RESPONSE,
	CG_DNS_TYPE,
	CG_ICMP_TYPE,
	CG_IO_URING_FLAGS,
	CG_IO_URING_OPCODE,
	CG_L3_PROTOCOL,
	CG_MMAP_FLAGS,
	CG_MOUNT_FLAGS,
	CG_NETWORK_DIRECTION,
	CG_PIPE_FLAG,
	CG_PRCTL_OPTION,
	CG_PROTECTION,
	CG_PTRACE_REQUEST,
	CG_RESOURCE,
	CG_SIGNAL,
	CG_SOCKET_LEVEL,
	CG_SOCKET_OPTION,
	CG_SOCKET_TYPE,
	CG_SYSCTL_ACTION,
	CG_UMOUNT_FLAGS,
	CG_VM_FLAGS,
	CG_GROUPS
};

struct cat_field {
	const char *name;  /* full name as rules write it */
	uint8_t type;	   /* enum val_type */
	uint8_t flags;	   /* enum cat_flags */
	uint8_t home;	   /* enum cat_home */
	uint8_t sieve;	   /* enum cat_sieve */
	uint8_t constants; /* enum cat_group */
	char kind;	   /* 'N', 'S', 'H' or 'U' */
	uint16_t event;	   /* the event type or the family it belongs to, or EV_NONE: every event has it */
	uint16_t slot;	   /* in its home */
	uint16_t also;	/* slot of another value of the same home that conditions on this one hold for, too; 0: none */
	uint16_t index; /* N, S: index into the record's num[], str[] (of the event's own rows, or of CAT_PROC's) */
	const char *doc;
};

struct cat_event {
	const char *name;
	const char *doc;
	uint16_t type;		/* enum ev_type */
	bool has_proc;		/* the record carries the CAT_PROC rows too */
	uint16_t nnum, nstr;	/* of the event's own rows */
	const char *why_unseen; /* the sensor cannot observe it yet, and why; NULL: it can */
	uint16_t family;	/* whose fields it has too, or EV_NONE */
	bool is_family;		/* not an event: what several events have in common */
	bool has_target;	/* the record says which process the second one is: event.target */
};

struct cat_constant {
	const char *name;
	int64_t value;
	uint8_t group; /* enum cat_group */
};

/* A name of older policies and the field that it means. */
struct cat_alias {
	const char *name, *field;
};

struct catalog {
	const struct cat_field *fields; /* sorted by name */
	size_t nfields;
	const struct cat_event *events; /* indexed by type; name NULL where there is none */
	size_t nevents;
	const struct cat_constant *constants;
	size_t nconstants;
	const struct cat_alias *aliases;
	size_t naliases;
};

/* The sensor's catalog; static, never freed. */
const struct catalog *catalog_tamis(void);

/* The field of that name (legacy aliases are followed), or NULL. @name need not end with a NUL. */
const struct cat_field *catalog_field(const struct catalog *c, const char *name, size_t len);

/* Index of a field of this catalog in c->fields, and back. Indexes are what programs hold. */
static inline uint32_t catalog_index(const struct catalog *c, const struct cat_field *f)
{
	return (uint32_t)(f - c->fields);
}

/* The event type of that name, or NULL. Families are none. */
const struct cat_event *catalog_event(const struct catalog *c, const char *name, size_t len);

/*
 * What event type a condition is about that is about both @a and @b: event types, families, or EV_NONE for any event. -EINVAL
 * where no event is both.
 */
int catalog_meet(const struct catalog *c, uint16_t a, uint16_t b);
/* Whether a field of @of (an event type, a family or EV_NONE) is a field of events of type @event. */
bool catalog_covers(const struct catalog *c, uint16_t of, uint16_t event);
/* Whether it has the names of an address: what name servers have told, and nothing before. */
bool cat_field_is_told(const struct cat_field *f);

/* Why the sensor cannot observe the field yet, as half a sentence, or NULL where it can. */
const char *catalog_why_unseen(const struct catalog *c, const struct cat_field *f);

/* The constant of that name, or NULL. Names are unique over the groups. */
const struct cat_constant *catalog_constant(const struct catalog *c, const char *name, size_t len);

/* The name that is nearest to @name (Damerau-Levenshtein, at most a third of its length), or NULL; for "did you mean".
 */
const char *catalog_nearest(const struct catalog *c, const char *name, size_t len);

/*
 * How the kernel sees field @f in an event of type @event.
 * Returns enum cat_sieve and, unless NONE, *ret_index: for NUM the index into num[]; for PATH, NAME and ADDR the
 * automaton (SV_AUT_*); for the head's numbers the SV_SLOT_*.
 */
int catalog_sieve(const struct catalog *c, const struct cat_field *f, uint16_t event, uint16_t *ret_index);

/*
 * The same of a field of the parent, or of those above, on which the kernel side decides at an exec by what it keeps of each image
 * (struct sv_kin): PATH, NAME or COMM with *ret_index SV_AUT_PARENT, ..., or NONE.
 */
int catalog_kin(const struct catalog *c, const struct cat_field *f, uint16_t *ret_index);

/*
 * Whether fields of that automaton may also go by a value that the kernel side does not run through it (cat_field.also). Events
 * that have one are not decided by this automaton; and two conditions that no one string meets may hold.
 */
bool catalog_sieve_also(const struct catalog *c, uint16_t event, uint16_t automaton);

/*
 * Whether the field is of the acting process, or of those above it, and stays as it is from an exec to the next, in the process table, too; and
 * the same for what the process forks. What masks of processes are made from: docs/decisions/0023.
 */
bool catalog_stays(const struct cat_field *f);

/* A number over everything that bundles rely on (names, types, slots): bundles of another catalog are refused. */
uint32_t catalog_fingerprint(const struct catalog *c);

/*
 * What reading a field costs, about, in nanoseconds: rules ask for what is cheap first. CAT_COST_FETCH and above: it is not
 * there until somebody asks (a file is read, say).
 */
#define CAT_COST_FETCH 100000u
uint32_t catalog_cost(const struct cat_field *f);

/* The value of a field that is not one of all ancestors; an empty value where the process is not known. */
struct val catalog_get(const struct cat_field *f, const struct event *ev);
/* What it also goes by: the path that a program was executed by. Empty where there is nothing of the kind. */
struct val catalog_get_also(const struct cat_field *f, const struct event *ev);

/* The constants of all groups (lib/constants.c). */
extern const struct cat_constant cat_constants[];
extern const size_t cat_nconstants;

#endif
