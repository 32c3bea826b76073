/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "engine/engine_impl.h"
#include "lib/hash.h"

/* ---- whose variable it is ------------------------------------------------------------------------------------------ */

static uint32_t pid_of(const struct engine *e, const struct proc *p)
{
	return (uint32_t)p->v[e->pid->slot].num;
}

static struct scope scope_of_proc(const struct engine *e, const struct proc *p)
{
	if (!p || !e->pid)
		return (struct scope){ .known = false };
	return (struct scope){ .proc = p, .pid = pid_of(e, p), .start = p->start, .known = true };
}

/* The process of a pid: the event's own or one above it, else one that the caller knows. */
static struct scope scope_of_pid(const struct run *x, int64_t pid)
{
	const struct engine *e = x->e;

	if (!e->pid || pid < 0 || pid > UINT32_MAX)
		return (struct scope){ .known = false };
	for (const struct proc *p = x->ev->proc; p; p = p->parent)
		if (pid_of(e, p) == (uint32_t)pid)
			return scope_of_proc(e, p);
	if (e->options.find_proc)
		return scope_of_proc(e, e->options.find_proc(e->options.ctx, (uint32_t)pid));
	return (struct scope){ .pid = (uint32_t)pid, .known = true };
}

static struct scope scope_now(const struct run *x)
{
	return x->scope ? *x->scope : scope_of_proc(x->e, x->ev ? x->ev->proc : NULL);
}

/* False where there is nothing that it could belong to. */
static bool key_of(const struct run *x, uint8_t scope, struct state_key *ret)
{
	const struct cat_field *f = scope == VAR_CONTAINER ? x->e->container : x->e->cgroup;
	struct scope proc;
	struct val id;

	*ret = (struct state_key){ .scope = scope };
	if (scope == VAR_GLOBAL)
		return true;
	proc = scope_now(x);
	if (scope == VAR_PROCESS) {
		ret->pid = proc.pid;
		ret->start = proc.start;
		return proc.known;
	}
	if (!f || !x->ev || !x->ev->proc)
		return false;
	id = proc_get(x->ev->proc, f->slot);
	ret->id = id.s;
	ret->id_len = id.len;
	return id.len > 0;
}

/* Above a process that has none, the nearest that has one. */
static bool inherited(const struct run *x, uint32_t var, struct state_pos *ret)
{
	const struct scope own = scope_now(x);
	const struct proc *p = own.proc ? own.proc->parent : NULL;

	for (int k = 0; p && k < VAL_ANCESTORS_MAX; k++, p = p->parent) {
		struct state_key key = { .scope = VAR_PROCESS, .pid = pid_of(x->e, p), .start = p->start };

		if (state_first(x->e->state, var, &key, x->ev->now_ns, ret))
			return true;
	}
	return false;
}

bool var_first(const struct run *x, uint32_t var, struct state_pos *ret)
{
	const struct pvar *v = &x->e->p.vars[var];
	struct state_key key;

	if (!key_of(x, v->scope, &key))
		return false;
	if (state_first(x->e->state, var, &key, x->ev ? x->ev->now_ns : INT64_MIN, ret))
		return true;
	return (v->flags & VAR_INHERITED) && x->ev && inherited(x, var, ret);
}

/* ---- setting ------------------------------------------------------------------------------------------------------- */

struct adding {
	struct run *x;
	uint32_t var;
	const struct state_key *key;
	bool ok;
};

static bool add_one(void *ctx, const struct val *v)
{
	struct adding *a = ctx;

	a->ok = state_set(a->x->e->state, a->var, a->key, a->x->ev->now_ns, v, true) && a->ok;
	return true;
}

/* All values of an array node; those of another variable must not give way to their own copies. */
static bool add_array(struct run *x, uint32_t var, const struct state_key *key, uint32_t node)
{
	const struct node *n = &x->e->p.nodes[node];
	struct adding a = { .x = x, .var = var, .key = key, .ok = true };
	struct state_pos pos;

	if (n->op == N_VAR && var_first(x, n->a, &pos))
		return state_add_all(x->e->state, var, key, x->ev->now_ns, pos);
	eval_each(x, node, add_one, &a);
	return a.ok;
}

static bool set_value(struct run *x, const struct paction *a, const struct state_key *key, uint32_t node)
{
	struct engine *e = x->e;
	uint32_t room = e->text.len;
	struct val v;
	bool ok;

	if (program_is_array(e->p.nodes[node].type))
		return add_array(x, a->var, key, node);
	v = eval_scalar(x, node);
	ok = state_set(e->state, a->var, key, x->ev->now_ns, &v, a->flags & ACT_APPEND);
	e->text.len = room;
	return ok;
}

/* What is added to an inherited value is added to a copy of it, which is the process's own from then on. */
static void take_inherited(struct run *x, uint32_t var, const struct state_key *key)
{
	struct state_pos pos;

	if (!state_first(x->e->state, var, key, x->ev->now_ns, &pos) && inherited(x, var, &pos))
		state_add_all(x->e->state, var, key, x->ev->now_ns, pos);
}

static bool set(struct run *x, const struct paction *a)
{
	const struct pvar *v = &x->e->p.vars[a->var];
	struct state_key key;
	bool ok = true;

	if (!key_of(x, v->scope, &key))
		return false;
	if ((a->flags & ACT_APPEND) && (v->flags & VAR_INHERITED))
		take_inherited(x, a->var, &key);
	for (uint32_t i = 0; i < a->values_count; i++) {
		ok = set_value(x, a, &key, x->e->p.refs[a->values_first + i]) && ok;
		engine_vars_changed(x->e);
	}
	return ok;
}

/* ---- what follows from a match ------------------------------------------------------------------------------------- */

static bool filter_holds(struct run *x, const struct paction *a)
{
	return a->filter == PROGRAM_NONE || eval_bool(x, a->filter);
}

static struct engine_act *act_add(struct run *x, uint32_t action)
{
	struct engine_act *act = &x->e->acts[x->e->nacts++];

	*act = (struct engine_act){ .action = action };
	return act;
}

static struct val message_of(struct run *x, const struct paction *a)
{
	struct engine *e = x->e;
	uint32_t room = e->text.len, start = e->messages.len;
	struct val v;

	if (a->message == PROGRAM_NONE)
		return (struct val){ .len = 0 };
	v = eval_value(x, a->message);
	text_put(e, &e->messages, v.s, v.len);
	e->text.len = room;
	return (struct val){ .s = e->messages.s + start, .len = e->messages.len - start };
}

/* With a scope_field, filter and values look at the variables of that process, too. */
static void do_set(struct run *x, uint32_t action)
{
	const struct paction *a = &x->e->p.actions[action];
	struct scope scope;

	if (a->field != PROGRAM_NONE) {
		scope = scope_of_pid(x, catalog_get(&x->e->p.catalog->fields[a->field], x->ev).num);
		x->scope = &scope;
		engine_vars_changed(x->e);
	}
	if (filter_holds(x, a))
		act_add(x, action)->done = set(x, a);
	if (x->scope)
		engine_vars_changed(x->e);
	x->scope = NULL;
}

/* Variables first: filters and messages of the others see them. */
static void do_actions(struct run *x, const struct prule *r)
{
	for (uint32_t i = r->actions_first; i < r->actions_first + r->actions_count; i++)
		if (x->e->p.actions[i].kind == ACT_SET && !x->e->sets_nothing)
			do_set(x, i);
	for (uint32_t i = r->actions_first; i < r->actions_first + r->actions_count; i++) {
		const struct paction *a = &x->e->p.actions[i];

		if (a->kind != ACT_SET && filter_holds(x, a))
			act_add(x, i)->message = message_of(x, a);
	}
}

struct token {
	struct hash h;
};

static bool add_token(void *ctx, const struct val *v)
{
	struct token *t = ctx;

	hash_add(&t->h, &v->len, sizeof(v->len));
	if (v->len)
		hash_add(&t->h, v->s, v->len);
	return true;
}

static bool add_token_number(void *ctx, const struct val *v)
{
	struct token *t = ctx;

	hash_add(&t->h, &v->num, sizeof(v->num));
	return true;
}

/* What stands for the tuple: nobody finds another one of the same digest, which would keep its alert back. */
static void tuple_key(struct run *x, const struct prule *r, uint8_t key[LIMIT_KEY])
{
	uint8_t digest[HASH_SIZE];
	struct token t;

	hash_begin(&t.h);
	for (uint32_t i = 0; i < r->limit_count; i++) {
		uint32_t field = x->e->p.refs[r->limit_first + i];
		uint8_t type = x->e->p.catalog->fields[field].type;

		eval_field_each(x, field, type == VAL_INT || type == VAL_BOOL ? add_token_number : add_token, &t);
		hash_add(&t.h, "\n", 1);
	}
	hash_end(&t.h, digest);
	memcpy(key, digest, LIMIT_KEY);
}

static void limit(struct run *x, uint32_t rule, struct engine_match *m)
{
	const struct prule *r = &x->e->p.rules[rule];
	uint8_t key[LIMIT_KEY];

	if (r->limit_count)
		tuple_key(x, r, key);
	m->suppressed = !limits_pass(x->e->limits, rule, r->limit_count ? key : NULL, x->ev->now_ns, r->every_ns,
				     &m->held_back);
	x->e->suppressed[rule] += m->suppressed;
	x->e->nsuppressed += m->suppressed;
}

void act_on_match(struct run *x, uint32_t rule, struct engine_match *m)
{
	const struct prule *r = &x->e->p.rules[rule];
	uint32_t first = x->e->nacts;

	do_actions(x, r);
	m->acts = x->e->acts + first;
	m->nacts = x->e->nacts - first;
	m->silent = r->flags & PRULE_SILENT;
	m->watch = r->flags & PRULE_WATCH;
	x->e->nsilent += m->silent && !m->watch;
	if (r->every_ns && !m->silent)
		limit(x, rule, m);
}

/* ---- answers ------------------------------------------------------------------------------------------------------- */

static bool collect(void *ctx, const struct val *v)
{
	struct engine_var *ret = ctx;

	((struct val *)ret->v.arr)[ret->v.len++] = *v;
	return ret->v.len < VAR_SIZE_MAX;
}

void engine_var_at(struct engine *e, uint32_t var, const struct event *ev, struct engine_var *ret)
{
	const struct pvar *v = &e->p.vars[var];
	struct run x = { .e = e, .ev = ev };
	struct state_pos pos;

	*ret = (struct engine_var){ .type = v->type,
				    .set = var_first(&x, var, &pos),
				    .has_default = v->default_count > 0,
				    .private = v->flags & VAR_PRIVATE };
	if (program_is_array(v->type)) {
		ret->v.arr = e->values;
		eval_var_each(&x, var, collect, ret);
	} else {
		ret->v = eval_var(&x, var);
	}
}

static bool name_is(const struct program *p, const struct pvar *v, const char *name, size_t len)
{
	static const char *const scopes[VAR_SCOPES] = {
		[VAR_GLOBAL] = "", [VAR_PROCESS] = "process.", [VAR_CONTAINER] = "container.", [VAR_CGROUP] = "cgroup."
	};
	size_t prefix = strlen(scopes[v->scope]);
	uint32_t n;
	const char *s = program_str(p, v->name, &n);

	return len == prefix + n && memcmp(name, scopes[v->scope], prefix) == 0 && memcmp(name + prefix, s, n) == 0;
}

int engine_var_get(struct engine *e, const char *name, size_t len, const struct event *ev, struct engine_var *ret)
{
	for (uint32_t i = 0; i < e->p.nvars; i++)
		if (name_is(&e->p, &e->p.vars[i], name, len)) {
			engine_var_at(e, i, ev, ret);
			return 0;
		}
	return -ENOENT;
}

void engine_forget_proc(struct engine *e, uint32_t pid, uint64_t start)
{
	const struct state_key key = { .scope = VAR_PROCESS, .pid = pid, .start = start };

	state_forget(e->state, &key);
}

bool engine_knows_proc(const struct engine *e, uint32_t pid, uint64_t start)
{
	const struct state_key key = { .scope = VAR_PROCESS, .pid = pid, .start = start };

	return state_knows(e->state, &key);
}

void engine_carry(struct engine *e, const struct engine *from)
{
	state_carry(e->state, from->state);
	e->carried = true;
}

uint64_t engine_flags(const struct engine *e)
{
	uint32_t names = program_names_var(&e->p);
	uint8_t flag = e->carried && names != PROGRAM_NONE ? e->p.vars[names].flag : 0;

	return state_flags(e->state) | (flag && flag <= 64 ? 1ull << (flag - 1) : 0);
}

void engine_sets(struct engine *e, bool sets)
{
	e->sets_nothing = !sets;
}

void engine_stats(const struct engine *e, struct engine_stats *ret)
{
	struct state_stats s;

	state_stats(e->state, &s);
	*ret = (struct engine_stats){ .entries = s.entries,
				      .values = s.values,
				      .text_bytes = s.text_bytes,
				      .evicted = s.evicted,
				      .dropped = s.dropped,
				      .cut = s.cut + e->ncut,
				      .suppressed = e->nsuppressed,
				      .silent = e->nsilent,
				      .limits_evicted = limits_evicted(e->limits) };
}

uint64_t engine_suppressed(const struct engine *e, uint32_t rule)
{
	return rule < e->p.nrules ? e->suppressed[rule] : 0;
}
