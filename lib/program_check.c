/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/program_check.h"

#include <errno.h>

#include "lib/severity.h"
#include "tamis/sieve.h"

#define COST_MAX (1u << 20)
/* Shared nodes that the engine cannot remember double the work with every level; no policy that people write comes near. */
#define WORK_MAX (1u << 16)

/* What an operand of a node is. */
enum operand {
	OP_NONE, /* has to be 0 */
	OP_INT,	 /* a node of that type, and so on */
	OP_BOOL,
	OP_STR,
	OP_IP,
	OP_ARRAY, /* a node of any array type */
	OP_STR_INDEX,
	OP_IP_INDEX, /* a string that is an address */
	OP_FIELD,
	OP_ARRAY_FIELD,
	OP_SCALAR, /* an enum node_type of one value */
	OP_STRSET,
	OP_INTSET,
	OP_IPSET,
	OP_FLAG, /* 0 or 1 */
	OP_VAR,
	OP_ANY,	 /* a node of any type */
	OP_MATCH /* MATCH_* */
};

static const struct {
	uint8_t a, b, c;
	uint8_t type; /* enum node_type of the result, where it does not depend on the operands */
	bool imm;     /* has a value in imm; otherwise imm has to be 0 */
	uint16_t cost;
} ops[N_OPS] = {
	[N_INT] = { OP_NONE, OP_NONE, OP_NONE, NT_INT, true, 0 },
	[N_BOOL] = { OP_NONE, OP_NONE, OP_NONE, NT_BOOL, true, 0 },
	[N_STR] = { OP_STR_INDEX, OP_NONE, OP_NONE, NT_STR, false, 0 },
	[N_IP] = { OP_IP_INDEX, OP_NONE, OP_NONE, NT_IP, false, 0 },
	[N_FIELD] = { OP_FIELD, OP_NONE, OP_NONE, 0, false, 1 },
	[N_ELEM] = { OP_SCALAR, OP_NONE, OP_NONE, 0, false, 1 },
	[N_CURRENT] = { OP_ARRAY_FIELD, OP_NONE, OP_NONE, 0, false, 1 },
	[N_LEN] = { OP_STR, OP_NONE, OP_NONE, NT_INT, false, 1 },
	[N_ADD] = { OP_INT, OP_INT, OP_NONE, NT_INT, false, 1 },
	[N_SUB] = { OP_INT, OP_INT, OP_NONE, NT_INT, false, 1 },
	[N_BAND] = { OP_INT, OP_INT, OP_NONE, NT_INT, false, 1 },
	[N_BOR] = { OP_INT, OP_INT, OP_NONE, NT_INT, false, 1 },
	[N_BXOR] = { OP_INT, OP_INT, OP_NONE, NT_INT, false, 1 },
	[N_BNOT] = { OP_INT, OP_NONE, OP_NONE, NT_INT, false, 1 },
	[N_NEG] = { OP_INT, OP_NONE, OP_NONE, NT_INT, false, 1 },
	[N_NOW] = { OP_NONE, OP_NONE, OP_NONE, NT_INT, false, 1 },
	[N_EQ] = { OP_INT, OP_INT, OP_NONE, NT_BOOL, false, 2 },
	[N_LT] = { OP_INT, OP_INT, OP_NONE, NT_BOOL, false, 2 },
	[N_LE] = { OP_INT, OP_INT, OP_NONE, NT_BOOL, false, 2 },
	[N_STREQ] = { OP_STR, OP_STR, OP_FLAG, NT_BOOL, false, 3 },
	[N_STRIN] = { OP_STR, OP_STRSET, OP_NONE, NT_BOOL, false, 5 },
	[N_INTIN] = { OP_INT, OP_INTSET, OP_NONE, NT_BOOL, false, 4 },
	[N_IPIN] = { OP_IP, OP_IPSET, OP_FLAG, NT_BOOL, false, 20 },
	[N_IPEQ] = { OP_IP, OP_IP, OP_NONE, NT_BOOL, false, 5 },
	[N_ANY] = { OP_ARRAY, OP_BOOL, OP_NONE, NT_BOOL, false, 10 },
	[N_EXISTS] = { OP_BOOL, OP_ARRAY_FIELD, OP_NONE, NT_BOOL, false, 50 },
	[N_AND] = { OP_BOOL, OP_BOOL, OP_NONE, NT_BOOL, false, 0 },
	[N_OR] = { OP_BOOL, OP_BOOL, OP_NONE, NT_BOOL, false, 0 },
	[N_NOT] = { OP_BOOL, OP_NONE, OP_NONE, NT_BOOL, false, 0 },
	[N_VAR] = { OP_VAR, OP_NONE, OP_NONE, 0, false, 10 },
	[N_UUID] = { OP_NONE, OP_NONE, OP_NONE, NT_STR, false, 50 },
	[N_TEXT] = { OP_ANY, OP_NONE, OP_NONE, NT_STR, false, 10 },
	[N_CONCAT] = { OP_STR, OP_STR, OP_NONE, NT_STR, false, 5 },
	[N_MEET] = { OP_ARRAY, OP_ARRAY, OP_FLAG, NT_BOOL, false, 100 },
	[N_MATCH] = { OP_STR, OP_STR, OP_MATCH, NT_BOOL, false, 80 },
};

static const uint8_t scalar_of_val[] = {
	[VAL_INT] = NT_INT, [VAL_STR] = NT_STR, [VAL_BOOL] = NT_BOOL, [VAL_IP] = NT_IP
};
static const uint8_t array_of_scalar[] = {
	[NT_INT] = NT_INTS, [NT_BOOL] = NT_BOOLS, [NT_STR] = NT_STRS, [NT_IP] = NT_IPS
};

/* The type of one element of an array type. */
static uint8_t elem_type(uint8_t array)
{
	for (uint8_t t = NT_INT; t <= NT_IP; t++)
		if (array_of_scalar[t] == array)
			return t;
	return NT_INT;
}

uint8_t program_scalar(uint8_t type)
{
	return type <= NT_IP ? type : elem_type(type);
}

static bool is_scalar(uint32_t type)
{
	return type <= NT_IP;
}

bool program_field_several(const struct catalog *c, const struct cat_field *f)
{
	if (!cat_is_ancestors(f->home))
		return f->flags & CF_ARRAY;
	for (size_t i = 0; i < c->nfields; i++)
		if (c->fields[i].home == CAT_HOME_PROC && c->fields[i].slot == f->slot)
			return c->fields[i].flags & CF_ARRAY;
	return false;
}

static uint8_t field_type(const struct catalog *c, const struct cat_field *f, bool current)
{
	uint8_t scalar = scalar_of_val[f->type];
	bool array = f->flags & CF_ARRAY;

	if (current)
		array = cat_is_ancestors(f->home) && program_field_several(c, f);
	return array ? array_of_scalar[scalar] : scalar;
}

static bool operand_is_node(uint8_t kind)
{
	return (kind >= OP_INT && kind <= OP_ARRAY) || kind == OP_ANY;
}

/* Whether node type @t is what an operand of that kind wants in a node of that op. */
static bool type_fits(uint8_t op, uint8_t kind, uint8_t t)
{
	switch (kind) {
	case OP_INT:
		return t == NT_INT || (op == N_EQ && t == NT_BOOL);
	case OP_BOOL:
		return t == NT_BOOL;
	case OP_STR:
		return t == NT_STR || (op == N_LEN && !is_scalar(t));
	case OP_IP:
		return t == NT_IP;
	case OP_ANY:
		return true;
	default:
		return !is_scalar(t);
	}
}

static bool operand_fits(const struct node_env *env, uint8_t op, uint8_t kind, uint32_t v)
{
	switch (kind) {
	case OP_NONE:
		return v == 0;
	case OP_STR_INDEX:
		return v < env->nstrs;
	case OP_IP_INDEX:
		return v < env->nstrs && env->is_ip(env->ctx, v);
	case OP_FIELD:
		return v < env->catalog->nfields;
	case OP_ARRAY_FIELD:
		return v < env->catalog->nfields && (env->catalog->fields[v].flags & CF_ARRAY);
	case OP_SCALAR:
		return is_scalar(v);
	case OP_STRSET:
		return v < env->nstrsets;
	case OP_INTSET:
		return v < env->nintsets;
	case OP_IPSET:
		return v < env->nipsets;
	case OP_FLAG:
		return v <= 1;
	case OP_VAR:
		return v < env->nvars;
	case OP_MATCH:
		return v <= (MATCH_ICASE | MATCH_GLOB);
	default:
		return v < env->nnodes && type_fits(op, kind, env->nodes[v].type);
	}
}

/* Merges what operand @from looks at into @info; false where the two cannot stand in one node. */
static bool merge(const struct node_env *env, struct node_info *info, const struct node_info *from)
{
	int event = catalog_meet(env->catalog, info->event, from->event);

	if (event < 0)
		return false;
	if (info->elem && from->elem && info->elem != from->elem)
		return false;
	if (info->current && from->current && info->current != from->current)
		return false;
	info->event = (uint16_t)event;
	info->elem |= from->elem;
	info->current |= from->current;
	info->var |= from->var;
	info->cost += from->cost;
	return true;
}

/* a is the array; what b leaves unbound of N_ELEM is bound here. */
static bool check_any(const struct node_env *env, const struct node *n, struct node_info *info)
{
	struct node_info body = env->infos[n->b];

	if (body.elem && body.elem != 1 + elem_type(env->nodes[n->a].type))
		return false;
	body.elem = 0;
	body.cost = (body.cost < COST_MAX ? body.cost : COST_MAX) * 10;
	*info = env->infos[n->a];
	return merge(env, info, &body);
}

static bool check_exists(const struct node_env *env, const struct node *n, struct node_info *info)
{
	const struct cat_field *f = &env->catalog->fields[n->b];
	struct node_info body = env->infos[n->a];

	if (body.current && body.current != 1 + f->home)
		return false;
	body.current = 0;
	body.cost = (body.cost < COST_MAX ? body.cost : COST_MAX) * 50;
	*info = (struct node_info){ .event = f->event };
	return merge(env, info, &body);
}

/* Steps that an operand adds: what is closed and BOOL, and cannot change, is asked once an event. */
static uint32_t work_of(const struct node_env *env, uint32_t i)
{
	const struct node_info *info = &env->infos[i];

	return env->nodes[i].type == NT_BOOL && !info->elem && !info->current && !info->var ? 1 : info->work;
}

static bool check_plain(const struct node_env *env, const struct node *n, struct node_info *info)
{
	const uint8_t kinds[] = { ops[n->op].a, ops[n->op].b, ops[n->op].c };
	const uint32_t v[] = { n->a, n->b, n->c };

	*info = (struct node_info){ 0 };
	for (int i = 0; i < 3; i++)
		if (operand_is_node(kinds[i]) && !merge(env, info, &env->infos[v[i]]))
			return false;
	return true;
}

static void leaf_info(const struct node_env *env, struct node *n, struct node_info *info)
{
	const struct cat_field *f;

	switch (n->op) {
	case N_FIELD:
		f = &env->catalog->fields[n->a];
		n->type = field_type(env->catalog, f, false);
		info->event = f->event;
		info->cost += cat_is_ancestors(f->home) ? 100 : 0;
		break;
	case N_CURRENT:
		f = &env->catalog->fields[n->a];
		n->type = field_type(env->catalog, f, true);
		info->event = f->event;
		info->current = 1 + f->home;
		break;
	case N_ELEM:
		n->type = (uint8_t)n->a;
		info->elem = (uint8_t)(1 + n->a);
		break;
	case N_VAR:
		n->type = env->vars[n->a].type;
		info->var = 1;
		break;
	case N_UUID:
		info->var = 1;
		break;
	case N_STRIN:
		info->cost += env->strset_costs ? env->strset_costs[n->b] : 0;
		break;
	}
}

static uint16_t depth_of(const struct node_env *env, const struct node *n)
{
	uint16_t depth = 0;

	if (operand_is_node(ops[n->op].a))
		depth = env->nodes[n->a].depth + 1;
	if (operand_is_node(ops[n->op].b) && env->nodes[n->b].depth >= depth)
		depth = env->nodes[n->b].depth + 1;
	return depth;
}

int node_check(const struct node_env *env, struct node *n, struct node_info *ret_info)
{
	struct node_info info;
	bool ok;

	if (n->op >= N_OPS || (!ops[n->op].imm && n->imm) || (n->op == N_BOOL && n->imm != 0 && n->imm != 1))
		return -EINVAL;
	if (!operand_fits(env, n->op, ops[n->op].a, n->a) || !operand_fits(env, n->op, ops[n->op].b, n->b) ||
	    !operand_fits(env, n->op, ops[n->op].c, n->c))
		return -EINVAL;
	/* A number and a truth value are not comparable. */
	if ((n->op == N_EQ || n->op == N_MEET) && env->nodes[n->a].type != env->nodes[n->b].type)
		return -EINVAL;

	ok = n->op == N_ANY	 ? check_any(env, n, &info)
	     : n->op == N_EXISTS ? check_exists(env, n, &info)
				 : check_plain(env, n, &info);
	if (!ok)
		return -EINVAL;
	n->type = ops[n->op].type;
	info.cost += ops[n->op].cost;
	leaf_info(env, n, &info);
	if (info.cost > COST_MAX)
		info.cost = COST_MAX;
	n->depth = depth_of(env, n);
	info.work = 1 + (operand_is_node(ops[n->op].a) ? work_of(env, n->a) : 0) +
		    (operand_is_node(ops[n->op].b) ? work_of(env, n->b) : 0);
	if (n->depth > PROGRAM_DEPTH_MAX || info.work > WORK_MAX)
		return -E2BIG;
	*ret_info = info;
	return 0;
}

bool node_is_root(const struct catalog *c, const struct node *n, const struct node_info *info, uint16_t event)
{
	return n->type == NT_BOOL && !info->elem && !info->current && catalog_covers(c, info->event, event);
}

/* ---- variables, limits, actions ------------------------------------------------------------------------------------ */

static bool refs_within(uint32_t first, uint32_t count, uint32_t nrefs)
{
	return first <= nrefs && count <= nrefs - first;
}

bool pvar_check(const struct node_env *env, const struct pvar *v)
{
	bool array = v->type > NT_IP;

	if (v->name == 0 || v->name >= env->nstrs || v->scope >= VAR_SCOPES || v->type > NT_IPS ||
	    v->type == NT_BOOLS || (v->flags & ~(VAR_INHERITED | VAR_PRIVATE | VAR_IDLE | VAR_NAMES)) ||
	    v->flag > SV_VARS || v->pad2 || v->ttl_ns < 0)
		return false;
	if ((v->flags & VAR_INHERITED) && v->scope != VAR_PROCESS)
		return false;
	if ((v->flags & VAR_NAMES) && (v->scope != VAR_GLOBAL || v->type != NT_BOOL))
		return false;
	return array ? v->size > 0 && v->size <= VAR_SIZE_MAX : v->size == 0;
}

static bool is_const_of(const struct node_env *env, uint32_t i, uint8_t type)
{
	const struct node *n = i < env->nnodes ? &env->nodes[i] : NULL;

	return n && n->type == type && (n->op == N_INT || n->op == N_BOOL || n->op == N_STR || n->op == N_IP);
}

bool pvar_default_check(const struct node_env *env, const struct pvar *v, const uint32_t *refs, uint32_t nrefs)
{
	if (!refs_within(v->default_first, v->default_count, nrefs) || v->default_count > (v->size ? v->size : 1))
		return false;
	for (uint32_t i = 0; i < v->default_count; i++)
		if (!is_const_of(env, refs[v->default_first + i], program_scalar(v->type)))
			return false;
	return true;
}

static bool field_fits(const struct node_env *env, uint32_t field, uint16_t event)
{
	return field < env->catalog->nfields && catalog_covers(env->catalog, env->catalog->fields[field].event, event);
}

bool plimit_check(const struct node_env *env, const struct prule *r, const uint32_t *refs, uint32_t nrefs)
{
	if (r->every_ns < 0 || r->limit_count > PROGRAM_LIMITS_MAX ||
	    !refs_within(r->limit_first, r->limit_count, nrefs))
		return false;
	for (uint32_t i = 0; i < r->limit_count; i++)
		if (!field_fits(env, refs[r->limit_first + i], r->event))
			return false;
	return true;
}

/* A node that can be asked beside a rule of that event type. */
static bool node_stands_alone(const struct node_env *env, uint32_t i, uint16_t event)
{
	const struct node_info *info = i < env->nnodes ? &env->infos[i] : NULL;

	return info && !info->elem && !info->current && catalog_covers(env->catalog, info->event, event);
}

static bool set_check(const struct node_env *env, const struct paction *a, uint16_t event, const uint32_t *refs,
		      uint32_t nrefs)
{
	const struct pvar *v = a->var < env->nvars ? &env->vars[a->var] : NULL;

	if (!v || (a->flags & ~ACT_APPEND) || a->values_count == 0 || a->values_count > VAR_SIZE_MAX ||
	    (v->size == 0 && a->values_count > 1) || !refs_within(a->values_first, a->values_count, nrefs))
		return false;
	if ((a->flags & ACT_APPEND) && (v->type == NT_BOOL || v->type == NT_IP))
		return false;
	if (a->field != PROGRAM_NONE &&
	    (v->scope != VAR_PROCESS || !field_fits(env, a->field, event) ||
	     env->catalog->fields[a->field].type != VAL_INT || (env->catalog->fields[a->field].flags & CF_ARRAY)))
		return false;
	for (uint32_t i = 0; i < a->values_count; i++) {
		uint32_t n = refs[a->values_first + i];

		if (!node_stands_alone(env, n, event) ||
		    (env->nodes[n].type != v->type && (!v->size || env->nodes[n].type != program_scalar(v->type))))
			return false;
	}
	return true;
}

/* What a kind does not use has one value, so that the same program is always the same bytes. */
static bool unused_is_empty(const struct paction *a)
{
	bool set = a->kind == ACT_SET, net = a->kind == ACT_NETWORK_FILTER, kill = a->kind == ACT_KILL;

	return (set || (a->var == 0 && a->values_first == 0 && a->values_count == 0)) &&
	       (set || a->kind == ACT_HASH || a->field == PROGRAM_NONE) &&
	       (a->kind == ACT_LOG || (a->message == PROGRAM_NONE && a->level == 0)) &&
	       (net || (a->str == 0 && a->str2 == 0)) && (net || kill || a->scope == 0) &&
	       (kill || a->kind == ACT_HASH || a->kind == ACT_CAPTURE || a->num == 0) && a->pad == 0;
}

bool paction_check(const struct node_env *env, const struct paction *a, uint16_t event, const uint32_t *refs,
		   uint32_t nrefs)
{
	static const uint8_t flags[ACT_KINDS] = {
		[ACT_SET] = ACT_APPEND,
		[ACT_KILL] = ACT_NO_CONTAINER_DISARMER | ACT_NO_EXECUTABLE_DISARMER,
		[ACT_COREDUMP] = ACT_PROCESS | ACT_MOUNT | ACT_DENTRY | ACT_NO_COMPRESSION,
		[ACT_DENY] = ACT_DECIDED,
	};

	if (a->kind >= ACT_KINDS || (a->flags & ~flags[a->kind]) || a->scope >= VAR_SCOPES || a->level >= ACT_LEVELS ||
	    !unused_is_empty(a))
		return false;
	if (a->filter != PROGRAM_NONE &&
	    (!node_stands_alone(env, a->filter, event) || env->nodes[a->filter].type != NT_BOOL))
		return false;
	switch (a->kind) {
	case ACT_SET:
		return set_check(env, a, event, refs, nrefs);
	case ACT_KILL:
		return a->num > 0 && a->num <= 64;
	case ACT_HASH:
		return a->num >= 0 && field_fits(env, a->field, event) &&
		       env->catalog->fields[a->field].type == VAL_STR;
	case ACT_LOG:
		return a->message == PROGRAM_NONE ||
		       (node_stands_alone(env, a->message, event) && env->nodes[a->message].type == NT_STR);
	case ACT_NETWORK_FILTER:
		return a->str < env->nstrs && a->str2 < env->nstrs;
	case ACT_CAPTURE:
		return paction_before_ms(a) <= CAPTURE_BEFORE_MAX_MS && paction_after_ms(a) <= CAPTURE_AFTER_MAX_MS;
	default:
		return true;
	}
}

/* ---- small questions ----------------------------------------------------------------------------------------------- */

bool program_ip_valid(const char *s, uint32_t len)
{
	return len == VAL_IP_BYTES && (unsigned char)s[VAL_IP_BYTES - 1] <= 128;
}

unsigned program_operands(enum node_op op)
{
	return (unsigned)operand_is_node(ops[op].a) | (unsigned)operand_is_node(ops[op].b) << 1;
}

bool program_rule_urgent(const struct program *p, const struct prule *r)
{
	for (uint32_t i = 0; i < r->actions_count; i++)
		if (p->actions[r->actions_first + i].kind == ACT_SET)
			return true;
	return r->severity > SEVERITY_MEDIUM || r->flags & PRULE_WATCH;
}

uint32_t program_names_var(const struct program *p)
{
	for (uint32_t i = 0; i < p->nvars; i++)
		if (p->vars[i].flags & VAR_NAMES)
			return i;
	return PROGRAM_NONE;
}

bool program_intset_has(const struct program *p, uint32_t set, int64_t v)
{
	const int64_t *ints = p->ints + p->intsets[set].first;
	uint32_t lo = 0, hi = p->intsets[set].count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (ints[mid] == v)
			return true;
		if (ints[mid] < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}
