/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule program: all rules of a policy as one expression graph. Nodes are shared: two rules that ask the same thing hold
 * the same node, so that the engine asks it once an event. A node refers only to nodes before it, which makes the graph
 * acyclic by construction and its validation one pass.
 *
 * The compiler builds a program node by node (program_builder); a bundle carries it as bytes; the daemon maps and validates
 * those bytes (program_load) and never changes them. Values here know nothing of YAML or SECL text.
 */
#ifndef TAMIS_PROGRAM_H
#define TAMIS_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/catalog.h"
#include "lib/cleanup.h"
#include "lib/err.h"

enum node_type { NT_INT, NT_BOOL, NT_STR, NT_IP, NT_INTS, NT_STRS, NT_BOOLS, NT_IPS };

/*
 * Node kinds. a, b, c name earlier nodes unless said otherwise; T is the node's type.
 */
/* clang-format off */
enum node_op {
	N_INT,	    /* INT: imm */
	N_BOOL,	    /* BOOL: imm 0 or 1 */
	N_STR,	    /* STR: a = string index */
	N_IP,	    /* IP: a = string index (17 bytes) */
	N_FIELD,    /* T of the field; a = field index in the catalog. Array fields give the array types */
	N_ELEM,	    /* the present element of the nearest N_ANY around it; a = its enum node_type, a scalar one */
	N_CURRENT,  /* element of array field a (field index) that the N_EXISTS around it stands at: process.ancestors[A].x */
	N_LEN,	    /* INT: bytes of STR a, or elements of array a */
	N_ADD, N_SUB, N_BAND, N_BOR, N_BXOR, N_BNOT, N_NEG, /* INT */
	N_NOW,	    /* INT: the time of evaluation, ns since 1970 */
	N_EQ, N_LT, N_LE, /* BOOL of INT a, b (EQ of BOOLs too); see program_node_gt() for the other orders */
	N_STREQ,    /* BOOL: STR a equals STR b; c != 0: without regard to case (ASCII) */
	N_STRIN,    /* BOOL: STR a is in string set b (set index) */
	N_INTIN,    /* BOOL: INT a is in integer set b (set index) */
	N_IPIN,	    /* BOOL: IP a matches network set b (set index); c != 0: matches every one (allin) */
	N_IPEQ,	    /* BOOL: IP a equals or contains or lies in IP b */
	N_ANY,	    /* BOOL: for some element of array a, b holds (b uses N_ELEM) */
	/*
	 * BOOL: for some position (of at most VAL_ANCESTORS_MAX), a holds (a uses N_CURRENT). b is the field index of an array
	 * field: its elements are the positions; the fields of N_CURRENT in a have the same home. With a field of all ancestors the
	 * positions are the ancestors, and N_CURRENT of a field that has several values in one process gives an array.
	 */
	N_EXISTS,
	N_AND, N_OR, N_NOT, /* BOOL */
	N_VAR,	    /* T of the variable: what it holds where the event happens; a = variable index */
	N_UUID,	    /* STR: another random version 4 UUID each time that it is asked for */
	N_TEXT,	    /* STR: a, of any type, as text; the elements of an array are joined by ',' */
	N_CONCAT,   /* STR: STR a, then STR b */
	N_MATCH,    /* BOOL: STR a matches the pattern STR b, which is only known when asked; c = MATCH_* bits */
	N_MEET,	    /* BOOL: some element of array a equals (of addresses: matches) some of array b; c != 0: without regard to case */
	N_OPS
};
/* clang-format on */

#define MATCH_ICASE 1u /* without regard to case (ASCII) */
#define MATCH_GLOB  2u /* b is a path glob; else '*' is any run of bytes */

struct node {
	uint8_t op;
	uint8_t type;	/* enum node_type */
	uint16_t depth; /* longest way down to a leaf; at most PROGRAM_DEPTH_MAX */
	uint32_t a, b, c;
	int64_t imm;
};

/* Limits: what a program may hold. A builder that goes over one gives -E2BIG, a loader -EBADMSG. */
#define PROGRAM_NODES_MAX     (1u << 20)
#define PROGRAM_STRINGS_MAX   (1u << 20)
#define PROGRAM_DEPTH_MAX     4096
#define PROGRAM_RULES_MAX     65536
#define PROGRAM_STRING_MAX    65535 /* bytes of one string */
#define PROGRAM_VARS_MAX      4096
#define PROGRAM_ACTIONS_MAX   PROGRAM_RULES_MAX
#define PROGRAM_REFS_MAX      (1u << 20)
#define PROGRAM_LIMITS_MAX    16	  /* fields of one rule's limit */
#define PROGRAM_STR_BYTES_MAX (64u << 20) /* bytes of all strings */

/* How one string of a set matches. */
enum strm_kind {
	STRM_EXACT,
	STRM_PATTERN, /* '*' is any run of bytes */
	STRM_GLOB,    /* path glob, see lib/glob.h */
	STRM_REGEX    /* RE2 syntax, unanchored, see lib/regex.h */
};

struct strm {
	uint32_t str; /* string index: the text as written */
	uint8_t kind; /* enum strm_kind */
	uint8_t icase;
	uint16_t pad;
};

/* Sets of one shape: into strms[]; into ints[], which ascend; into ips[], the string indexes of 17 bytes. */
struct strset {
	uint32_t first, count;
};

struct intset {
	uint32_t first, count;
};

struct ipset {
	uint32_t first, count;
};

/* The element type of an array type, or the type itself. */
uint8_t program_scalar(uint8_t node_type);
static inline bool program_is_array(uint8_t node_type)
{
	return node_type > NT_IP;
}

/* Which operands of a node of that op are nodes: bit 0 for a, bit 1 for b. c never is. */
unsigned program_operands(enum node_op op);

/*
 * Whether the field has several values where it is read once. A field of all ancestors is always an array; this tells whether
 * it is one in each of them, as process.ancestors.args_flags is.
 */
bool program_field_several(const struct catalog *c, const struct cat_field *f);

/* Where an index is optional. */
#define PROGRAM_NONE UINT32_MAX

/* What each value of a variable belongs to. */
enum var_scope { VAR_GLOBAL, VAR_PROCESS, VAR_CONTAINER, VAR_CGROUP, VAR_SCOPES };

enum var_flag {
	VAR_INHERITED = 1 << 0, /* PROCESS: where a process has none, that of its nearest ancestor counts */
	VAR_PRIVATE = 1 << 1,	/* not shown in alerts */
	VAR_IDLE = 1 << 2,	/* no rule that can fire sets it: it holds its default, whatever policy was before */
	VAR_NAMES = 1 << 3	/* while it is not set, no address has a name that rules ask for (cat_field_is_told) */
};

#define VAR_SIZE_DEFAULT 100
#define VAR_SIZE_MAX	 16384
#define VAR_NAME_MAX	 128
#define VAR_TEXT_MAX	 4096 /* bytes that are kept of a text */

/*
 * A variable. One that holds several values holds each once and at most @size of them; the oldest goes. Where none is set it
 * holds @default: constant nodes of the type (of its elements) from refs[], at most one where it is no array; else 0, the
 * empty text, or nothing.
 */
struct pvar {
	uint32_t name; /* string index; without the scope */
	uint8_t scope; /* enum var_scope */
	uint8_t type;  /* enum node_type; NT_BOOLS does not occur */
	uint8_t flags; /* enum var_flag */
	uint8_t flag;  /* 1 + its number in the sieve (struct sv_var); 0: the sieve takes it for set */
	uint32_t size; /* arrays: 1..VAR_SIZE_MAX; else 0 */
	uint32_t default_first, default_count; /* into refs[] */
	uint32_t pad2;
	int64_t ttl_ns; /* how long a value stays after it was set; 0: for good */
};

enum act_kind {
	ACT_SET,
	ACT_KILL,
	ACT_COREDUMP,
	ACT_HASH,
	ACT_LOG,
	ACT_NETWORK_FILTER,
	ACT_DENY,
	ACT_CAPTURE,
	ACT_KINDS
};

enum act_flag {
	ACT_APPEND = 1 << 0,  /* SET; to a text or number: join it to, or add it to, what is there */
	ACT_PROCESS = 1 << 1, /* COREDUMP: what to write, and the next three */
	ACT_MOUNT = 1 << 2,
	ACT_DENTRY = 1 << 3,
	ACT_NO_COMPRESSION = 1 << 4,
	ACT_NO_CONTAINER_DISARMER = 1 << 5, /* KILL, and the next */
	ACT_NO_EXECUTABLE_DISARMER = 1 << 6,
	ACT_DECIDED = 1 << 7 /* DENY: the kernel decides all that the rule asks for; set when the sieve is built */
};

enum act_level { ACT_DEBUG, ACT_INFO, ACT_WARNING, ACT_ERROR, ACT_LEVELS };

/*
 * What a rule does when it holds. Members that its kind does not use are 0, or PROGRAM_NONE where they can be that. Nodes use
 * no N_ELEM or N_CURRENT that is not bound, and no field of another event type than the rule's.
 */
struct paction {
	uint8_t kind;	 /* enum act_kind */
	uint8_t flags;	 /* enum act_flag */
	uint8_t scope;	 /* KILL, NETWORK_FILTER: enum var_scope; what is hit */
	uint8_t level;	 /* LOG: enum act_level */
	uint32_t filter; /* BOOL node that has to hold, or PROGRAM_NONE */
	uint32_t var;	 /* SET: variable */
	uint32_t
		field; /* SET: field whose number is the pid of the process whose variable it is; HASH: a file's path; or NONE */
	uint32_t message;   /* LOG: STR node, or NONE */
	uint32_t str, str2; /* NETWORK_FILTER: string indexes of the filter and the policy */
	uint32_t values_first,
		values_count; /* SET: into refs[]: nodes of the variable's type or, for an array, its elements' */
	uint32_t pad;
	int64_t num; /* KILL: the signal's number; HASH: the largest file; CAPTURE: see paction_capture() */
};

/* CAPTURE: what is kept of the time before the match and of that after it. */
#define CAPTURE_BEFORE_MAX_MS 60000u
#define CAPTURE_AFTER_MAX_MS  300000u

static inline int64_t paction_capture(uint32_t before_ms, uint32_t after_ms)
{
	return (int64_t)((uint64_t)before_ms << 32 | after_ms);
}

static inline uint32_t paction_before_ms(const struct paction *a)
{
	return (uint32_t)((uint64_t)a->num >> 32);
}

static inline uint32_t paction_after_ms(const struct paction *a)
{
	return (uint32_t)a->num;
}

enum prule_flag {
	PRULE_SILENT = 1 << 0, /* no alert */
	PRULE_OFF = 1 << 1,    /* not for this host: set where the program is loaded, never in a bundle */
	PRULE_WATCH = 1 << 2,  /* stands for the watches: what it holds on may have changed a watched file; also MADE */
	PRULE_MADE = 1 << 3    /* no policy has it, the compiler made it for others; also SILENT */
};

/*
 * A rule: when @root holds on an event of type @event, it fires: its actions run in their order, and there is an alert.
 * Rules are asked in the order in which they stand here, as far as it matters. Its clauses tell the sieve's bits (see clause).
 */
struct prule {
	uint32_t id, description, policy, version; /* string indexes; 0 is the empty string */
	uint32_t tags_first, tags_count;     /* into tags[]: tags_count pairs of string indexes, ascending by name */
	uint32_t root;			     /* BOOL node */
	uint32_t clause_first, clause_count; /* into clauses[] */
	uint16_t event;
	uint16_t severity;		       /* enum severity */
	uint32_t flags;			       /* enum prule_flag */
	uint32_t actions_first, actions_count; /* into actions[] */
	uint32_t limit_first,
		limit_count; /* into refs[]: fields; one alert each @every_ns for each tuple of their values */
	uint32_t group;	     /* string index */
	int32_t priority;
	uint32_t filter;  /* 1 + the rule of the filters' program (lib/host.h) that has to hold on the host; 0: none */
	int64_t every_ns; /* 0: every match is an alert */
};

/*
 * A clause of a rule: what has to hold, as one BOOL node, and the bit that the sieve knows it by. Bits are per event type.
 * The OR of a rule's clauses equals its root. A rule that was not brought to clauses has one: its root.
 */
struct clause {
	uint32_t root;
	uint16_t bit; /* 0..SV_CLAUSES-1; clauses may share a bit */
	uint16_t pad;
};

/* A loaded or built program. All arrays are borrowed from the builder or from the bundle's bytes. */
/* clang-format off */
struct program {
	const struct catalog *catalog; /* borrowed */
	const struct node *nodes;      uint32_t nnodes;
	const struct prule *rules;     uint32_t nrules;
	const struct clause *clauses;  uint32_t nclauses;
	const uint32_t *tags;	       uint32_t ntags; /* twice the tags */
	const struct strm *strms;      uint32_t nstrms;
	const struct strset *strsets;  uint32_t nstrsets;
	const struct intset *intsets;  uint32_t nintsets;
	const struct ipset *ipsets;    uint32_t nipsets;
	const int64_t *ints;	       uint32_t nints;
	const uint32_t *ips;	       uint32_t nips;
	const struct pvar *vars;       uint32_t nvars;
	const struct paction *actions; uint32_t nactions;
	const uint32_t *refs;	       uint32_t nrefs; /* lists of indexes: of nodes or of fields */
	const uint32_t *str_off;       uint32_t nstrs; /* nstrs + 1 offsets into str_bytes */
	const char *str_bytes;	       uint32_t str_size;
};
/* clang-format on */

static inline const char *program_str(const struct program *p, uint32_t i, uint32_t *ret_len)
{
	*ret_len = p->str_off[i + 1] - p->str_off[i];
	return p->str_bytes + p->str_off[i];
}

/* Whether @v is in integer set @set. */
/*
 * Whether the events of the rule are never left out to make room for others: its severity is high or critical, it stands for
 * watches, or it sets variables, which other rules rely on.
 */
bool program_rule_urgent(const struct program *p, const struct prule *r);
/* The variable with VAR_NAMES, or PROGRAM_NONE. */
uint32_t program_names_var(const struct program *p);

bool program_intset_has(const struct program *p, uint32_t set, int64_t v);

/* ---- building ------------------------------------------------------------------------------------------------------ */

struct program_builder;

int program_builder_new(const struct catalog *c, struct program_builder **ret);
void program_builder_free(struct program_builder *pb);
DEFINE_CLEANUP(struct program_builder *, program_builder_free);

/*
 * Each returns an index >= 0 (the same for the same content), or a negative errno: -E2BIG over a limit, -ENOMEM, -EINVAL on
 * operands that do not fit. String 0 is the empty string.
 */
int64_t program_str_add(struct program_builder *pb, const char *s, size_t len);
int64_t program_strset_add(struct program_builder *pb, const struct strm *m, size_t n); /* sorts and drops doubles */
int64_t program_intset_add(struct program_builder *pb, const int64_t *v, size_t n);	/* sorts and drops doubles */
int64_t program_ipset_add(struct program_builder *pb, const uint32_t *strs, size_t n);	/* sorts and drops doubles */
/*
 * Adds a node, or finds it: hash-consed. Works out type and depth from op and operands; unused operands are 0. What comes
 * back may be another node of the same meaning:
 *	- constants are folded, and AND, OR, NOT, EQ with a constant (the root of a rule that can never fire is N_BOOL 0)
 *	- of a comparison with a constant, the constant is b (c < x becomes NOT (x <= c))
 *	- AND and OR have the cheaper operand as a
 */
int64_t program_node(struct program_builder *pb, enum node_op op, uint32_t a, uint32_t b, uint32_t c, int64_t imm);
/* a > b and a >= b */
static inline int64_t program_node_gt(struct program_builder *pb, uint32_t a, uint32_t b)
{
	return program_node(pb, N_LT, b, a, 0, 0);
}
static inline int64_t program_node_ge(struct program_builder *pb, uint32_t a, uint32_t b)
{
	return program_node(pb, N_LE, b, a, 0, 0);
}
/* The event type (or family) whose fields the node looks at, EV_NONE where every event has them. A node of two event types is -EINVAL. */
uint16_t program_node_event(const struct program_builder *pb, uint32_t node);
/* Appends a list of indexes as it is; returns where it begins. What they are indexes of is checked where they are used. */
int64_t program_refs_add(struct program_builder *pb, const uint32_t *v, size_t n);
/* A variable. -EEXIST where there is one of that name and scope. */
int64_t program_var_add(struct program_builder *pb, const struct pvar *v);
/* Marks it VAR_IDLE. */
void program_var_idle(struct program_builder *pb, uint32_t var);
/* Sets pvar.flag. */
void program_var_flag(struct program_builder *pb, uint32_t var, uint8_t flag);
/*
 * Rules and clauses. rule->tags_*, clause_*, actions_* and pad are filled in here; @tags are pairs of string indexes (2 * ntags of
 * them), stored ascending by name. root must be BOOL, use no N_ELEM or N_CURRENT outside of N_ANY and N_EXISTS, and no field
 * of another event type. A rule without clauses set has one: its root, with bit 0.
 */
int64_t program_rule_add(struct program_builder *pb, const struct prule *rule, const uint32_t *tags, size_t ntags);
int program_clauses_set(struct program_builder *pb, uint32_t rule, const struct clause *c, size_t n);
/* The rule's actions; they replace others that it had. */
int program_actions_set(struct program_builder *pb, uint32_t rule, const struct paction *a, size_t n);
/* Sets ACT_DECIDED on the ACT_DENY actions of @rule. */
void program_deny_decided(struct program_builder *pb, uint32_t rule);
/* A view of what was built so far; valid until the next call that adds. */
struct program program_view(const struct program_builder *pb);

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

struct buf;
/* Appends the program's section to @out (lib/bundle.h wraps it). Same program, same bytes. 0 or the buffer's error. */
int program_save(const struct program *p, struct buf *out);
/*
 * Reads a program from @bytes, which must be 8-byte aligned and stay as they are while it is in use. Every index, offset,
 * type and depth is checked here, once, so that nothing after it needs to (patterns are compiled by engine_new()). -EBADMSG
 * with a reason in @err on anything malformed or made for another catalog.
 */
int program_load(const struct catalog *c, const void *bytes, size_t size, struct program *ret, struct err *err);

#endif
