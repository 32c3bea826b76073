/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/action.h"

#include <errno.h>
#include <signal.h>
#include <strings.h>

#include "lib/ipnet.h"
#include "lib/near.h"
#include "policy-compiler/keys.h"
#include "policy-compiler/lower.h"
#include "policy-compiler/parse.h"

#define ACTION_MEMORY_MAX (64u << 20)
#define CAPTURE_BEFORE_MS 5000u
#define CAPTURE_AFTER_MS  10000u

static const struct kind {
	const char *name;
	bool acted_on;
} kinds[ACT_KINDS] = {
	[ACT_SET] = { "set", true },
	[ACT_KILL] = { "kill", true },
	[ACT_COREDUMP] = { "coredump", false },
	[ACT_HASH] = { "hash", true },
	[ACT_LOG] = { "log", true },
	[ACT_NETWORK_FILTER] = { "network_filter", false },
	[ACT_DENY] = { "deny", true },
	[ACT_CAPTURE] = { "capture", true },
};

/* ---- small readers ----------------------------------------------------------------------------------------------- */

static const char *text_of(const struct ynode *map, const char *key)
{
	const struct ynode *n = ynode_get(map, key);

	return n ? n->text.s : NULL;
}

static bool flag_of(const struct ynode *map, const char *key)
{
	const struct ynode *n = ynode_get(map, key);
	bool v = false;

	return n && ynode_bool(n, &v) == 0 && v;
}

static uint8_t scope_of(const struct ynode *map)
{
	static const char *const names[VAR_SCOPES] = {
		[VAR_PROCESS] = "process", [VAR_CONTAINER] = "container", [VAR_CGROUP] = "cgroup"
	};
	const struct ynode *n = ynode_get(map, "scope");

	for (uint8_t s = VAR_PROCESS; n && s < VAR_SCOPES; s++)
		if (ynode_is(n, names[s]))
			return s;
	return VAR_GLOBAL;
}

/* The one kind of the action, and the map below its name; NULL after a diagnostic. An empty map may be written as nothing. */
static const struct ynode *kind_of(const struct action_ctx *x, const struct ynode *action, uint8_t *ret_kind)
{
	static const struct ynode empty = { .kind = YNODE_MAP };
	const struct ynode *found = NULL;

	for (size_t i = 0; i < action->n; i++)
		for (uint8_t k = 0; k < ACT_KINDS; k++) {
			if (!ynode_is(action->keys[i], kinds[k].name))
				continue;
			if (found) {
				diag_error(x->diags, action->keys[i]->at, "an action that is both \"%s\" and \"%s\"",
					   kinds[*ret_kind].name, kinds[k].name);
				diag_help(x->diags, "begin another action by \"- \" on a line of its own");
				return NULL;
			}
			found = ynode_is_null(action->items[i]) ? &empty : action->items[i];
			*ret_kind = k;
		}
	if (!found) {
		diag_error(x->diags, action->at, "an action that does nothing");
		diag_help(x->diags, "give it one of: set, log, kill, deny, coredump, hash, network_filter, capture");
	}
	return found;
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

/* What a value, a default or a field says of a variable. */
struct shape {
	uint8_t type; /* enum val_type */
	bool array;
};

static const char *shape_name(struct shape s)
{
	static const char *const one[] = {
		[VAL_INT] = "a number", [VAL_STR] = "text", [VAL_BOOL] = "true or false", [VAL_IP] = "an address"
	};
	static const char *const many[] = { [VAL_INT] = "a list of numbers",
					    [VAL_STR] = "a list of texts",
					    [VAL_BOOL] = "a list of truth values",
					    [VAL_IP] = "a list of addresses" };

	return s.array ? many[s.type] : one[s.type];
}

/* Where text could be meant, "yes" and "y" are text. */
static int truth_of(const struct ynode *n, bool *ret)
{
	bool is_true = strcasecmp(n->text.s, "true") == 0;

	if (n->text.style != TEXT_PLAIN || (!is_true && strcasecmp(n->text.s, "false") != 0))
		return -EINVAL;
	*ret = is_true;
	return 0;
}

static uint8_t scalar_type(const struct ynode *n)
{
	int64_t num;
	bool flag;

	return ynode_int(n, &num) == 0 ? VAL_INT : truth_of(n, &flag) == 0 ? VAL_BOOL : VAL_STR;
}

static int value_shape(const struct action_ctx *x, const struct ynode *n, const char *key, struct shape *ret)
{
	if (n->kind == YNODE_MAP)
		return diag_error(x->diags, n->at, "\"%s\" is a value or a list of values, not a map", key);
	if (n->kind == YNODE_SCALAR) {
		*ret = (struct shape){ .type = scalar_type(n) };
		return 0;
	}
	if (n->n == 0) {
		diag_error(x->diags, n->at, "\"%s\" is an empty list: of which type its values are is not known", key);
		diag_help(x->diags, "write a value into it");
		return -EINVAL;
	}
	if (n->n > VAR_SIZE_MAX)
		return diag_error(x->diags, n->at, "\"%s\" has more than %d values", key, VAR_SIZE_MAX);
	for (size_t i = 0; i < n->n; i++) {
		if (n->items[i]->kind != YNODE_SCALAR)
			return diag_error(x->diags, n->items[i]->at, "a list of variables holds texts or numbers");
		if (scalar_type(n->items[i]) != scalar_type(n->items[0])) {
			diag_error(x->diags, n->items[i]->at,
				   "the values of a list are of one type; this one is %s, the first is %s",
				   shape_name((struct shape){ .type = scalar_type(n->items[i]) }),
				   shape_name((struct shape){ .type = scalar_type(n->items[0]) }));
			diag_help(x->diags, "put numbers that are meant as texts in quotes");
			return -EINVAL;
		}
	}
	*ret = (struct shape){ .type = scalar_type(n->items[0]), .array = true };
	if (ret->type == VAL_BOOL)
		return diag_error(x->diags, n->at, "there are no lists of truth values");
	return 0;
}

static const struct cat_field *find_field(const struct action_ctx *x, const struct ynode *n)
{
	const struct cat_field *f = catalog_field(x->catalog, n->text.s, n->text.len);
	const char *near;

	if (f)
		return f;
	near = catalog_nearest(x->catalog, n->text.s, n->text.len);
	diag_error(x->diags, n->at, "unknown field \"%s\"", n->text.s);
	if (near)
		diag_help(x->diags, "did you mean \"%s\"?", near);
	else
		diag_help(x->diags, "`tamisc fields` lists the fields of every event");
	return NULL;
}

/* A field with several values can only be added to a list; addresses are always kept in one. */
static int field_shape(const struct action_ctx *x, const struct ynode *n, bool append, struct shape *ret)
{
	const struct cat_field *f = find_field(x, n);

	if (!f)
		return -EINVAL;
	if ((f->flags & CF_ARRAY) && !append) {
		diag_error(x->diags, n->at, "%s has several values", f->name);
		diag_help(x->diags, "add \"append: true\": the variable is a list then");
		return -EINVAL;
	}
	*ret = (struct shape){ .type = f->type, .array = (f->flags & CF_ARRAY) || f->type == VAL_IP };
	return 0;
}

static bool same_shape(struct shape a, struct shape b)
{
	return a.type == b.type && a.array == b.array;
}

/* Exactly one of value, field and expression. */
static int one_source(const struct action_ctx *x, const struct ynode *set, const char *name)
{
	int n = (ynode_get(set, "value") != NULL) + (ynode_get(set, "field") != NULL) +
		(ynode_get(set, "expression") != NULL);

	if (n == 1)
		return 0;
	diag_error(x->diags, set->at, "the variable %s is set %s", name, n ? "in more than one way" : "to nothing");
	diag_help(x->diags, "give one of: value, field, expression");
	return -EINVAL;
}

static int differs(const struct action_ctx *x, const struct ynode *a, const struct ynode *b, struct shape sa,
		   struct shape sb)
{
	uint32_t line, col, off, len;

	span_place(b->at, &line, &col, &off, &len);
	return diag_error(x->diags, a->at, "this is %s, but in line %u it is %s", shape_name(sa), line, shape_name(sb));
}

/* The type: what default_value says, else value, else field; "append" makes a list of it. */
static int set_shape(const struct action_ctx *x, const struct ynode *set, const char *name, struct shape *ret)
{
	const struct ynode *value = ynode_get(set, "value"), *field = ynode_get(set, "field"),
			   *def = ynode_get(set, "default_value");
	bool append = flag_of(set, "append");
	struct shape sv = { 0 }, sf = { 0 }, sd = { 0 };
	int r = one_source(x, set, name);

	if (r == 0 && value)
		r = value_shape(x, value, "value", &sv);
	if (r == 0 && field)
		r = field_shape(x, field, append, &sf);
	if (r == 0 && def)
		r = value_shape(x, def, "default_value", &sd);
	if (r < 0)
		return r;
	if (def && value && !same_shape(sd, sv))
		return differs(x, def, value, sd, sv);
	if (def && field && sd.type != sf.type && !(sf.type == VAL_IP && sd.type == VAL_STR))
		return differs(x, def, field, sd, sf);
	if (!def && !value && !field) {
		diag_error(x->diags, set->at, "the type of the variable %s is not known", name);
		diag_help(x->diags, "add \"default_value\" to the expression");
		return -EINVAL;
	}
	*ret = field ? sf : def ? sd : sv;
	ret->array |= append || (def && sd.array);
	if (!ret->array || ret->type != VAL_BOOL)
		return 0;
	diag_error(x->diags, set->at, "the variable %s is true or false: nothing can be added to it", name);
	diag_help(x->diags, "remove \"append\"");
	return -EINVAL;
}

static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] != '_' && !(s[i] >= '0' && s[i] <= '9') && !((s[i] | 32) >= 'a' && (s[i] | 32) <= 'z'))
			return false;
	return len > 0 && len <= VAR_NAME_MAX && !(s[0] >= '0' && s[0] <= '9');
}

/* ${process.name}; NULL with *ret_r what went wrong. */
static const char *full_name(const struct action_ctx *x, const struct ynode *set, const struct ynode *name, int *ret_r)
{
	const char *scope = text_of(set, "scope");
	size_t scope_len = scope && scope_of(set) != VAR_GLOBAL ? strlen(scope) + 1 : 0;
	char *full;

	*ret_r = -EINVAL;
	if (!name) {
		diag_error(x->diags, set->at, "a variable without a name");
		diag_help(x->diags, "add \"name: ...\"");
		return NULL;
	}
	if (!is_name(name->text.s, name->text.len)) {
		diag_error(x->diags, name->at, "\"%s\" is no name of a variable", name->text.s);
		diag_help(x->diags, "it has letters, digits and _, at most %d of them, and begins with no digit",
			  VAR_NAME_MAX);
		return NULL;
	}
	*ret_r = -ENOMEM;
	full = arena_alloc(x->arena, scope_len + name->text.len + 1);
	if (!full)
		return NULL;
	if (scope_len) {
		memcpy(full, scope, scope_len - 1);
		full[scope_len - 1] = '.';
	}
	memcpy(full + scope_len, name->text.s, name->text.len);
	if (!catalog_field(x->catalog, full, strlen(full)) && !catalog_constant(x->catalog, full, strlen(full)))
		return full;
	*ret_r = diag_error(x->diags, name->at, "the variable %s has the name of a %s", full,
			    catalog_constant(x->catalog, full, strlen(full)) ? "constant" : "field");
	diag_help(x->diags, "choose another name");
	return NULL;
}

/* inherited and scope_field are about processes. */
static int scope_fits(const struct action_ctx *x, const struct ynode *set)
{
	static const char *const keys[] = { "inherited", "scope_field" };

	for (size_t i = 0; i < 2 && scope_of(set) != VAR_PROCESS; i++) {
		const struct ynode *n = ynode_get(set, keys[i]);

		if (!n || (i == 0 && !flag_of(set, "inherited")))
			continue;
		diag_error(x->diags, n->at, "\"%s\" goes with variables of processes", keys[i]);
		diag_help(x->diags, "add \"scope: process\", or remove it");
		return -EINVAL;
	}
	return 0;
}

static int size_of(const struct action_ctx *x, const struct ynode *set, bool array, uint32_t *ret)
{
	const struct ynode *n = ynode_get(set, "size");
	int64_t size = 0;

	*ret = 0;
	if (!n || ynode_int(n, &size) < 0 || size == 0)
		return 0;
	if (size < 0 || size > VAR_SIZE_MAX)
		return diag_error(x->diags, n->at, "a list keeps 1 to %d values", VAR_SIZE_MAX);
	if (array) {
		*ret = (uint32_t)size;
	} else {
		diag_warn(x->diags, n->at, "\"size\" is for lists: this variable has one value");
		diag_help(x->diags, "add \"append: true\" to make it a list");
	}
	return 0;
}

static int conflict(const struct action_ctx *x, const struct ynode *at, const struct variable *v, const char *what,
		    const char *was, const char *is)
{
	uint32_t line, col, off, len;

	span_place(v->at, &line, &col, &off, &len);
	diag_error(x->diags, at->at, "the variable %s %s %s here, but %s at %s:%u:%u", v->name, what, is, was,
		   v->at.src ? v->at.src->path : "?", line, col);
	diag_help(x->diags, "a variable is the same everywhere: choose another name");
	return -EINVAL;
}

/* What this definition says that the ones before it did not. */
static void complete(const struct action_ctx *x, struct variable *v, const struct ynode *set, uint32_t size,
		     int64_t ttl)
{
	const struct ynode *def = ynode_get(set, "default_value");

	if (size && v->size && size != v->size)
		diag_warn(x->diags, ynode_get(set, "size")->at,
			  "the variable %s keeps %u values already: this is ignored", v->name, v->size);
	if (ttl && v->ttl_ns && ttl != v->ttl_ns)
		diag_warn(x->diags, ynode_get(set, "ttl")->at,
			  "the variable %s has another \"ttl\" already: this is ignored", v->name);
	v->size = v->size ? v->size : size;
	v->ttl_ns = v->ttl_ns ? v->ttl_ns : ttl;
	v->default_value = v->default_value ? v->default_value : def;
	v->inherited |= flag_of(set, "inherited");
}

static int define(const struct action_ctx *x, const struct ynode *set)
{
	const struct ynode *name = ynode_get(set, "name"), *ttl = ynode_get(set, "ttl");
	struct shape shape = { 0 };
	struct variable *v;
	const char *full;
	uint32_t size = 0;
	int64_t ttl_ns = 0;
	int r;

	full = full_name(x, set, name, &r);
	if (!full)
		return r;
	r = scope_fits(x, set);
	if (r == 0)
		r = set_shape(x, set, full, &shape);
	if (r == 0)
		r = size_of(x, set, shape.array, &size);
	if (r < 0)
		return r;
	if (ttl)
		keys_duration(ttl, &ttl_ns);
	v = variable_find(x->vars, full, strlen(full));
	if (v && (v->type != shape.type || v->array != shape.array))
		return conflict(x, name, v, "is", shape_name((struct shape){ v->type, v->array }), shape_name(shape));
	if (v && v->private != flag_of(set, "private"))
		return conflict(x, name, v, "is", v->private ? "private" : "shown", v->private ? "shown" : "private");
	if (!v) {
		v = variable_add(x->vars, x->arena, full);
		if (!v)
			return -ENOMEM;
		v->bare = name->text.s;
		v->scope = scope_of(set);
		v->type = shape.type;
		v->array = shape.array;
		v->private = flag_of(set, "private");
		v->at = name->at;
	}
	complete(x, v, set, size, ttl_ns);
	return 0;
}

/* ---- what other actions need ------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "SIGHUP", SIGHUP },	  { "SIGINT", SIGINT },	  { "SIGQUIT", SIGQUIT },     { "SIGILL", SIGILL },
	{ "SIGTRAP", SIGTRAP },	  { "SIGABRT", SIGABRT }, { "SIGIOT", SIGABRT },      { "SIGBUS", SIGBUS },
	{ "SIGFPE", SIGFPE },	  { "SIGKILL", SIGKILL }, { "SIGUSR1", SIGUSR1 },     { "SIGSEGV", SIGSEGV },
	{ "SIGUSR2", SIGUSR2 },	  { "SIGPIPE", SIGPIPE }, { "SIGALRM", SIGALRM },     { "SIGTERM", SIGTERM },
	{ "SIGSTKFLT", 16 },	  { "SIGCHLD", SIGCHLD }, { "SIGCONT", SIGCONT },     { "SIGSTOP", SIGSTOP },
	{ "SIGTSTP", SIGTSTP },	  { "SIGTTIN", SIGTTIN }, { "SIGTTOU", SIGTTOU },     { "SIGURG", SIGURG },
	{ "SIGXCPU", SIGXCPU },	  { "SIGXFSZ", SIGXFSZ }, { "SIGVTALRM", SIGVTALRM }, { "SIGPROF", SIGPROF },
	{ "SIGWINCH", SIGWINCH }, { "SIGIO", SIGIO },	  { "SIGPOLL", SIGIO },	      { "SIGPWR", SIGPWR },
	{ "SIGSYS", SIGSYS },
};

static int signal_of(const struct action_ctx *x, const struct ynode *kill, const struct ynode *action)
{
	const struct ynode *n = ynode_get(kill, "signal");
	struct near near;

	if (!n) {
		diag_error(x->diags, action->at, "\"kill\" without a signal");
		diag_help(x->diags, "add \"signal: SIGKILL\"");
		return -EINVAL;
	}
	near = near_to(n->text.s, n->text.len);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (ynode_is(n, signals[i].name))
			return signals[i].number;
		near_try(&near, signals[i].name);
	}
	diag_error(x->diags, n->at, "\"%s\" is no signal", n->text.s);
	diag_help(x->diags, "did you mean %s?", near.best ? near.best : "SIGKILL");
	return -EINVAL;
}

static int level_of(const struct action_ctx *x, const struct ynode *log, const struct ynode *action)
{
	static const char *const levels[ACT_LEVELS] = { "debug", "info", "warning", "error" };
	const struct ynode *n = ynode_get(log, "level");

	if (!n) {
		diag_error(x->diags, action->at, "\"log\" without a level");
		diag_help(x->diags, "add \"level: info\"; others are debug, warning and error");
		return -EINVAL;
	}
	for (int i = 0; i < ACT_LEVELS; i++)
		if (strcasecmp(n->text.s, levels[i]) == 0)
			return i;
	diag_error(x->diags, n->at, "\"%s\" is no level", n->text.s);
	diag_help(x->diags, "levels are debug, info, warning and error");
	return -EINVAL;
}

static int check_network_filter(const struct action_ctx *x, const struct ynode *map, const struct ynode *action)
{
	const struct ynode *scope = ynode_get(map, "scope");

	if (!ynode_get(map, "filter")) {
		diag_error(x->diags, action->at, "\"network_filter\" without a filter");
		diag_help(x->diags, "add \"filter: ...\", in the syntax of pcap-filter(7)");
		return -EINVAL;
	}
	if (scope && ynode_is(scope, "container")) {
		diag_error(x->diags, scope->at, "\"container\" is no scope of a network filter");
		diag_help(x->diags, "use process or cgroup");
		return -EINVAL;
	}
	return 0;
}

/* What does not depend on the rule's event. */
static int define_action(const struct action_ctx *x, const struct ynode *action)
{
	const struct ynode *map;
	uint8_t kind = 0;
	int r = 0;

	map = kind_of(x, action, &kind);
	if (!map)
		return -EINVAL;
	if (kind == ACT_SET)
		return define(x, map);
	if (kind == ACT_KILL)
		r = signal_of(x, map, action);
	else if (kind == ACT_LOG)
		r = level_of(x, map, action);
	else if (kind == ACT_NETWORK_FILTER)
		r = check_network_filter(x, map, action);
	if (r >= 0 && !kinds[kind].acted_on) {
		diag_warn(x->diags, action->at, "the action \"%s\" is not acted on by this sensor yet",
			  kinds[kind].name);
		diag_help(x->diags, "the rule raises its alert all the same");
	}
	return r < 0 ? r : 0;
}

int action_define(const struct action_ctx *x, const char *rule, const struct ynode *actions)
{
	int result = 0;

	if (actions->n > ACTIONS_A_RULE)
		return diag_error(x->diags, actions->at, "the rule %s has more than %d actions", rule, ACTIONS_A_RULE);
	for (size_t i = 0; i < actions->n; i++) {
		int r = define_action(x, actions->items[i]);

		if (r == -ENOMEM)
			return r;
		result = r < 0 ? r : result;
	}
	return result;
}

/* ---- into the program -------------------------------------------------------------------------------------------- */

static const uint8_t node_types[] = { [VAL_INT] = NT_INT, [VAL_STR] = NT_STR, [VAL_BOOL] = NT_BOOL, [VAL_IP] = NT_IP };
static const uint8_t array_types[] = { [VAL_INT] = NT_INTS, [VAL_STR] = NT_STRS, [VAL_IP] = NT_IPS };

/* A constant; an address is written as text. -EINVAL where it is no such value. */
static int64_t const_node(struct program_builder *pb, uint8_t type, const struct ynode *n)
{
	uint8_t ip[IPNET_BYTES];
	const char *s = n->text.s;
	uint32_t len = n->text.len;
	int64_t num = 0, str;
	bool flag = false;

	if (type == VAL_INT)
		return ynode_int(n, &num) < 0 ? -EINVAL : program_node(pb, N_INT, 0, 0, 0, num);
	if (type == VAL_BOOL)
		return truth_of(n, &flag) < 0 ? -EINVAL : program_node(pb, N_BOOL, 0, 0, 0, flag);
	if (type == VAL_IP) {
		if (ipnet_parse(s, len, ip) < 0)
			return -EINVAL;
		s = (const char *)ip;
		len = sizeof(ip);
	}
	str = program_str_add(pb, s, len);
	return str < 0 ? str : program_node(pb, type == VAL_IP ? N_IP : N_STR, (uint32_t)str, 0, 0, 0);
}

static int too_large(const struct action_ctx *x, const struct ynode *at, int64_t r)
{
	if (r == -E2BIG) {
		diag_error(x->diags, at->at, "the program is full: variables, values or texts beyond its limits");
		return -EINVAL;
	}
	if (r == -EINVAL)
		return diag_error(x->diags, at->at, "a value that its variable cannot hold");
	return (int)r;
}

/* Constants of a value, or of each item of a list, as a list of the program's. */
static int const_list(const struct action_ctx *x, struct program_builder *pb, uint8_t type, const struct ynode *n,
		      uint32_t *ret_first, uint32_t *ret_count)
{
	size_t count = n->kind == YNODE_LIST ? n->n : 1;
	uint32_t *nodes = arena_array(x->arena, count, sizeof(*nodes));
	int64_t r;

	if (!nodes)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct ynode *item = n->kind == YNODE_LIST ? n->items[i] : n;

		r = const_node(pb, type, item);
		if (r < 0)
			return too_large(x, item, r);
		nodes[i] = (uint32_t)r;
	}
	r = program_refs_add(pb, nodes, count);
	if (r < 0)
		return too_large(x, n, r);
	*ret_first = (uint32_t)r;
	*ret_count = (uint32_t)count;
	return 0;
}

/* For a list, a default that is one value only tells its type. */
static int put_variable(const struct action_ctx *x, struct program_builder *pb, struct variable *v)
{
	const struct ynode *def = v->default_value;
	struct pvar p = { .scope = v->scope,
			  .type = v->array ? array_types[v->type] : node_types[v->type],
			  .flags = (v->inherited ? VAR_INHERITED : 0) | (v->private ? VAR_PRIVATE : 0),
			  .size = v->array ? (v->size ? v->size : VAR_SIZE_DEFAULT) : 0,
			  .ttl_ns = v->ttl_ns };
	const struct ynode at = { .at = v->at };
	int64_t r = program_str_add(pb, v->bare, strlen(v->bare));

	p.name = (uint32_t)r;
	if (r >= 0 && def && (!v->array || def->kind == YNODE_LIST)) {
		if (v->array && def->n > p.size)
			return diag_error(x->diags, def->at, "more values than the variable %s keeps (%u)", v->name,
					  p.size);
		r = const_list(x, pb, v->type, def, &p.default_first, &p.default_count);
		if (r < 0)
			return (int)r;
	}
	r = r < 0 ? r : program_var_add(pb, &p);
	if (r < 0)
		return too_large(x, &at, r);
	v->number = (uint32_t)r;
	return 0;
}

int action_put_variables(const struct action_ctx *x, struct program_builder *pb)
{
	int r = 0;

	for (size_t i = 0; i < x->vars->n && r == 0; i++)
		r = put_variable(x, pb, x->vars->v[i]);
	return r;
}

/* ---- expressions of actions -------------------------------------------------------------------------------------- */

struct making {
	const struct action_ctx *x;
	struct program_builder *pb;
	uint16_t event;
	struct arena arena; /* of trees */
};

static struct check check_of(struct making *m)
{
	return (struct check){ .arena = &m->arena,
			       .diags = m->x->diags,
			       .catalog = m->x->catalog,
			       .macros = m->x->macros,
			       .vars = m->x->vars };
}

/* What an action looks at is there when its rule's event is. */
static int event_fits(struct making *m, const struct check *c, const struct ynode *at)
{
	const struct catalog *cat = m->x->catalog;

	if (c->event == EV_NONE || c->event == m->event)
		return 0;
	diag_error(m->x->diags, at->at, "this is about \"%s\" events, but the rule is about \"%s\" events",
		   cat->events[c->event].name, cat->events[m->event].name);
	diag_help(m->x->diags, "use fields of the rule's event, or such that every event has");
	return -EINVAL;
}

static int make_filter(struct making *m, const struct ynode *n, uint32_t *ret)
{
	struct check c = check_of(m);
	struct expr *e;
	struct ast *a;
	int r;

	*ret = PROGRAM_NONE;
	if (!n)
		return 0;
	r = parse_rule(&m->arena, &n->text, m->x->diags, &a);
	if (r == 0)
		r = check_rule(&c, a, &e);
	if (r == 0)
		r = event_fits(m, &c, n);
	if (r == 0) {
		r = lower_rule(m->pb, &c, e, ret);
		r = r < 0 ? too_large(m->x, n, r) : 0;
	}
	return r;
}

/* The value fits: of the variable's type or, for a list, also of that of its values. */
static int value_fits(struct making *m, const struct check *c, const struct variable *v, const struct expr *e,
		      const struct ynode *at)
{
	bool many = e->kind == EX_LIST || e->array;

	if (c->iterated) {
		diag_error(m->x->diags, at->at, "an iterator gives no value");
		diag_help(m->x->diags, "use the field without [A]: it has all values");
		return -EINVAL;
	}
	if (e->type == v->type && (!many || v->array))
		return 0;
	return diag_error(m->x->diags, at->at, "the variable %s is %s; this is %s", v->name,
			  shape_name((struct shape){ v->type, v->array }), check_type_name(e));
}

static int lower_one(struct making *m, const struct check *c, const struct expr *e, const struct ynode *at,
		     uint32_t *ret)
{
	int r = lower_value(m->pb, c, e, ret);

	return r < 0 ? too_large(m->x, at, r) : 0;
}

/* The values of an expression, as a list of the program's nodes. */
static int make_values(struct making *m, const struct check *c, const struct expr *e, const struct ynode *at,
		       struct paction *p)
{
	uint32_t n = e->kind == EX_LIST ? e->n : 1, *nodes = arena_array(&m->arena, n ? n : 1, sizeof(*nodes));
	int64_t first;
	int r = nodes ? 0 : -ENOMEM;

	if (n > VAR_SIZE_MAX)
		return diag_error(m->x->diags, at->at, "more than %d values", VAR_SIZE_MAX);
	for (uint32_t i = 0; i < n && r == 0; i++)
		r = lower_one(m, c, e->kind == EX_LIST ? e->items[i] : e, at, &nodes[i]);
	if (r < 0)
		return r;
	first = program_refs_add(m->pb, nodes, n);
	if (first < 0)
		return too_large(m->x, at, first);
	p->values_first = (uint32_t)first;
	p->values_count = n;
	return 0;
}

static int make_set_value(struct making *m, const struct ynode *set, const struct variable *v, struct paction *p)
{
	const struct ynode *value = ynode_get(set, "value"), *field = ynode_get(set, "field"),
			   *expression = ynode_get(set, "expression"), *at = field ? field : expression;
	struct check c = check_of(m);
	struct expr *e;
	struct ast *a;
	int r;

	if (value)
		return const_list(m->x, m->pb, v->type, value, &p->values_first, &p->values_count);
	if (field) {
		r = check_text(&c, &field->text, AST_FIELDREF, &e);
	} else {
		r = parse_macro(&m->arena, &expression->text, m->x->diags, &a);
		if (r == 0)
			r = check_any(&c, a, &e);
	}
	if (r == 0)
		r = event_fits(m, &c, at);
	if (r == 0)
		r = value_fits(m, &c, v, e, at);
	return r < 0 ? r : make_values(m, &c, e, at, p);
}

/* The field that names a process by its pid. */
static int make_scope_field(struct making *m, const struct ynode *n, uint32_t *ret)
{
	const struct cat_field *f = n ? find_field(m->x, n) : NULL;

	*ret = PROGRAM_NONE;
	if (!n)
		return 0;
	if (!f)
		return -EINVAL;
	if (f->type != VAL_INT || (f->flags & CF_ARRAY) || (f->event != EV_NONE && f->event != m->event)) {
		diag_error(m->x->diags, n->at, "%s tells no process of this event", f->name);
		diag_help(m->x->diags, "\"scope_field\" is a field with one pid, of the rule's event");
		return -EINVAL;
	}
	*ret = catalog_index(m->x->catalog, f);
	return 0;
}

static int make_set(struct making *m, const struct ynode *set, struct paction *p)
{
	const struct variable *v;
	const char *full;
	int r;

	full = full_name(m->x, set, ynode_get(set, "name"), &r);
	if (!full)
		return r;
	v = variable_find(m->x->vars, full, strlen(full));
	if (!v)
		return -EINVAL;
	p->var = v->number;
	p->flags = flag_of(set, "append") ? ACT_APPEND : 0;
	r = make_scope_field(m, ynode_get(set, "scope_field"), &p->field);
	return r < 0 ? r : make_set_value(m, set, v, p);
}

static int make_message(struct making *m, const struct ynode *log, struct paction *p)
{
	const struct ynode *n = ynode_get(log, "message");
	struct check c = check_of(m);
	struct expr *e;
	int r;

	if (!n)
		return 0;
	r = check_text(&c, &n->text, AST_STR, &e);
	if (r == 0)
		r = event_fits(m, &c, n);
	if (r == 0 && c.iterated)
		r = diag_error(m->x->diags, n->at, "an iterator gives no value");
	return r < 0 ? r : lower_one(m, &c, e, n, &p->message);
}

/* "open.file" is known by its path. */
static int make_hash(struct making *m, const struct ynode *map, const struct ynode *action, struct paction *p)
{
	const struct ynode *n = ynode_get(map, "field"), *size = ynode_get(map, "max_file_size");
	const char *event = m->x->catalog->events[m->event].name, *file = n ? n->text.s : NULL;
	const struct cat_field *f;
	char path[256];

	if (size && (ynode_int(size, &p->num) < 0 || p->num < 0))
		return diag_error(m->x->diags, size->at, "\"max_file_size\" is a number of bytes");
	if (!file && strcmp(event, "open") == 0)
		file = "open.file";
	if (!file && strcmp(event, "exec") == 0)
		file = "exec.file";
	if (!file) {
		diag_error(m->x->diags, action->at, "which file is hashed has to be said in a rule about \"%s\" events",
			   event);
		diag_help(m->x->diags, "add \"field: ...\", as in open.file");
		return -EINVAL;
	}
	snprintf(path, sizeof(path), "%.200s.path", file);
	f = catalog_field(m->x->catalog, path, strlen(path));
	if (!f || f->type != VAL_STR || (f->flags & CF_ARRAY) || (f->event != EV_NONE && f->event != m->event)) {
		diag_error(m->x->diags, n ? n->at : action->at, "\"%s\" is no file of \"%s\" events", file, event);
		diag_help(m->x->diags, "name what stands before \".path\" in a field, as in open.file");
		return -EINVAL;
	}
	p->field = catalog_index(m->x->catalog, f);
	return 0;
}

/* "before" or "after", in ms. */
static int capture_ms(const struct making *m, const struct ynode *map, const char *key, uint32_t most, uint32_t *ms)
{
	const struct ynode *n = ynode_get(map, key);
	int64_t ns;

	if (!n)
		return 0;
	if (keys_duration(n, &ns) < 0 || ns < 0)
		return diag_error(m->x->diags, n->at, "\"%s\" is a duration, as in 10s", key);
	if (ns > (int64_t)most * 1000000) {
		diag_error(m->x->diags, n->at, "\"%s\" is more than a capture holds", key);
		diag_help(m->x->diags, "%us is the most", most / 1000);
		return -EINVAL;
	}
	*ms = (uint32_t)(ns / 1000000);
	return 0;
}

static int make_capture(struct making *m, const struct ynode *map, struct paction *p)
{
	uint32_t before = CAPTURE_BEFORE_MS, after = CAPTURE_AFTER_MS;
	int r = capture_ms(m, map, "before", CAPTURE_BEFORE_MAX_MS, &before);

	if (r == 0)
		r = capture_ms(m, map, "after", CAPTURE_AFTER_MAX_MS, &after);
	p->num = paction_capture(before, after);
	return r;
}

static int make_network_filter(struct making *m, const struct ynode *map, const struct ynode *action, struct paction *p)
{
	const struct ynode *filter = ynode_get(map, "filter"), *policy = ynode_get(map, "policy");
	int64_t a = program_str_add(m->pb, filter->text.s, filter->text.len);
	int64_t b = policy ? program_str_add(m->pb, policy->text.s, policy->text.len) : 0;

	if (a < 0 || b < 0)
		return too_large(m->x, action, a < 0 ? a : b);
	p->str = (uint32_t)a;
	p->str2 = (uint32_t)b;
	p->scope = scope_of(map) == VAR_GLOBAL ? VAR_PROCESS : scope_of(map);
	return 0;
}

static uint8_t flags_of(const struct ynode *map, uint8_t kind)
{
	static const struct {
		const char *key;
		uint8_t kind, flag;
	} flags[] = { { "process", ACT_COREDUMP, ACT_PROCESS },
		      { "mount", ACT_COREDUMP, ACT_MOUNT },
		      { "dentry", ACT_COREDUMP, ACT_DENTRY },
		      { "no_compression", ACT_COREDUMP, ACT_NO_COMPRESSION },
		      { "disable_container_disarmer", ACT_KILL, ACT_NO_CONTAINER_DISARMER },
		      { "disable_executable_disarmer", ACT_KILL, ACT_NO_EXECUTABLE_DISARMER } };
	uint8_t r = 0;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (flags[i].kind == kind && flag_of(map, flags[i].key))
			r |= flags[i].flag;
	return r;
}

static int make_action(struct making *m, const struct ynode *action, struct paction *p)
{
	const struct ynode *map;
	int r;

	*p = (struct paction){ .filter = PROGRAM_NONE, .field = PROGRAM_NONE, .message = PROGRAM_NONE };
	map = kind_of(m->x, action, &p->kind);
	if (!map)
		return -EINVAL;
	p->flags = flags_of(map, p->kind);
	r = make_filter(m, ynode_get(action, "filter"), &p->filter);
	if (r < 0)
		return r;
	switch (p->kind) {
	case ACT_SET:
		return make_set(m, map, p);
	case ACT_KILL:
		p->num = signal_of(m->x, map, action);
		p->scope = scope_of(map) == VAR_GLOBAL ? VAR_PROCESS : scope_of(map);
		return p->num < 0 ? -EINVAL : 0;
	case ACT_HASH:
		return make_hash(m, map, action, p);
	case ACT_LOG:
		p->level = (uint8_t)level_of(m->x, map, action);
		return make_message(m, map, p);
	case ACT_NETWORK_FILTER:
		return make_network_filter(m, map, action, p);
	case ACT_CAPTURE:
		return make_capture(m, map, p);
	default:
		return 0;
	}
}

int action_compile(const struct action_ctx *x, struct program_builder *pb, const struct ynode *actions, uint16_t event,
		   struct paction **ret)
{
	struct making m = { .x = x, .pb = pb, .event = event, .arena = arena_of(ACTION_MEMORY_MAX) };
	struct paction *p = arena_array(x->arena, actions->n ? actions->n : 1, sizeof(*p));
	int result = p ? 0 : -ENOMEM;

	for (size_t i = 0; p && i < actions->n && result != -ENOMEM; i++) {
		int r = make_action(&m, actions->items[i], &p[i]);

		result = r < 0 ? r : result;
	}
	arena_done(&m.arena);
	if (result == 0)
		*ret = p;
	return result;
}

/* ---- limits ------------------------------------------------------------------------------------------------------ */

int action_limits(const struct action_ctx *x, const struct ynode *tokens, uint16_t event, uint32_t *ret, size_t *ret_n)
{
	if (tokens->n > PROGRAM_LIMITS_MAX)
		return diag_error(x->diags, tokens->at, "more than %d fields", PROGRAM_LIMITS_MAX);
	for (size_t i = 0; i < tokens->n; i++) {
		const struct ynode *n = tokens->items[i];
		const struct cat_field *f = find_field(x, n);

		if (!f)
			return -EINVAL;
		if (f->event != EV_NONE && f->event != event) {
			diag_error(x->diags, n->at,
				   "%s is a field of \"%s\" events, but the rule is about \"%s\" events", f->name,
				   x->catalog->events[f->event].name, x->catalog->events[event].name);
			return -EINVAL;
		}
		ret[i] = catalog_index(x->catalog, f);
	}
	*ret_n = tokens->n;
	return 0;
}
