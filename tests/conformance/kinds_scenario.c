/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies and what happens to them step by step: they are loaded, events come, time goes by; rules match or not, variables
 * hold what they should.
 *
 * A step is read liberally, because cases name things as their source did: see the tables of keys below. What is in a step
 * and understood by nobody fails the case, so that nothing is passed by not being looked at.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/glob.h"
#include "lib/ipnet.h"
#include "tests/conformance/conf.h"

#define DEFAULT_PID 4242
#define PROCS_MAX   64
#define START_NS    1700000000000000000

struct scenario {
	struct bench *b;
	struct outcome *o;
	struct engine *engine; /* owned */
	struct program program;
	json_t *pids;		       /* owned: names of processes to pids */
	struct proc *procs[PROCS_MAX]; /* owned; by their pid, in no order */
	size_t nprocs;
	struct event ev; /* the last one, or one without a type */
	int64_t now;
	bool loaded, load_checked;
	size_t step;
};

/* The case fails; the first reason stays. Always false. */
static bool __attribute__((format(printf, 3, 4))) wrong(struct scenario *s, const char *want, const char *fmt, ...)
{
	char got[CONF_TEXT_MAX], text[CONF_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(got, sizeof(got), fmt, args);
	va_end(args);
	snprintf(text, sizeof(text), "step %zu: %.400s", s->step + 1, want);
	outcome_fail(s->o, text, "%s", got);
	return false;
}

/* ---- keys that mean the same ------------------------------------------------------------------------------------- */

static const char *const key_pid[] = { "pid", "process.pid", "process_pid", "process", "process_id", NULL };
static const char *const key_parent[] = { "ppid",
					  "process.ppid",
					  "parent",
					  "parent_pid",
					  "process.parent",
					  "ancestor",
					  "ancestor_pid",
					  "process.ancestor",
					  "process.ancestor.pid",
					  "process.parent.pid",
					  "child_of",
					  "forked_from",
					  "parent_process",
					  "ancestors",
					  NULL };
static const char *const key_container[] = { "container_id", "container", "container.id", "process.container.id",
					     NULL };
static const char *const key_cgroup[] = { "cgroup_id", "cgroup", "cgroup.id", "process.cgroup.id", NULL };
static const char *const key_nobody[] = { "no_process_entry", "no_process", "no_process_cache_entry", NULL };
static const char *const key_matches[] = { "matches", "match", "matched", "matched_rules", "expected", NULL };
static const char *const key_variables[] = { "variables_after", "variables", "variables_before", NULL };
static const char *const key_rules[] = { "rules_loaded", "loaded_rules", "rules", "loaded", "rules_present", NULL };
static const char *const key_no_rules[] = {
	"rules_not_loaded", "not_loaded", "rules_absent", "rules_disabled", "disabled_rules", "skipped", NULL
};
static const char *const key_release[] = { "release",	       "released",	  "exit", "process_exit",
					   "process_released", "release_process", NULL };
static const char *const key_note[] = { "note", "reason", "comment", "description", NULL };

static json_t *find(const json_t *map, const char *const *keys)
{
	for (size_t i = 0; keys[i]; i++) {
		json_t *v = json_object_get(map, keys[i]);

		if (v)
			return v;
	}
	return NULL;
}

static bool is_key(const char *const *keys, const char *name)
{
	for (size_t i = 0; keys[i]; i++)
		if (strcmp(keys[i], name) == 0)
			return true;
	return false;
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

/* "1.5s", "100ms"; a bare number has the unit of its key, else seconds, or nanoseconds where it is large. */
static double seconds_of(const char *key, const json_t *v)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 },	{ "ms", 1e-3 }, { "s", 1 },	   { "sec", 1 },
		      { "secs", 1 },  { "seconds", 1 }, { "m", 60 },	{ "minutes", 60 }, { "h", 3600 } };
	const char *unit = strrchr(key, '_');
	double n = json_number_value(v);
	char *end = NULL;

	unit = unit ? unit + 1 : "";
	if (json_is_string(v)) {
		n = strtod(json_string_value(v), &end);
		unit = *end ? end : unit;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].name) == 0)
			return n * units[i].seconds;
	return n > 1e5 ? n * 1e-9 : n;
}

static bool is_time_key(const char *key)
{
	static const char *const words[] = { "advance", "sleep", "wait", "elapse", "after", "delay", "time_passes" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(key, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static void pass_time(struct scenario *s, const json_t *step)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)step, key, v)
	{
		if (is_time_key(key) && (json_is_number(v) || json_is_string(v)))
			s->now += (int64_t)(seconds_of(key, v) * 1e9);
		else if (strcmp(key, "now_ns") == 0)
			s->now = json_integer_value(v);
	}
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static struct proc *proc_of(struct scenario *s, uint32_t pid)
{
	struct proc *p;

	for (size_t i = 0; i < s->nprocs; i++)
		if (s->procs[i]->v[SLOT_PROC_PID].num == pid)
			return s->procs[i];
	if (s->nprocs == PROCS_MAX)
		return s->procs[PROCS_MAX - 1];
	p = conf_must(calloc(1, sizeof(*p)));
	p->v[SLOT_PROC_PID].num = pid;
	return s->procs[s->nprocs++] = p;
}

/* A process by its number, by a name that the case gave it, or as an object with its "pid"; 0 where there is none. */
static uint32_t pid_of(struct scenario *s, const json_t *v)
{
	const char *name = json_string_value(v);

	if (json_is_array(v))
		return pid_of(s, json_array_get(v, 0));
	if (json_is_object(v))
		return pid_of(s, find(v, key_pid));
	if (json_is_integer(v))
		return (uint32_t)json_integer_value(v);
	if (!name)
		return 0;
	if (!json_object_get(s->pids, name))
		json_object_set_new(s->pids, name, json_integer(100000 + (json_int_t)json_object_size(s->pids)));
	return (uint32_t)json_integer_value(json_object_get(s->pids, name));
}

/* Who does it: what the step says, or the event in it. NULL where nobody does. */
static struct proc *actor(struct scenario *s, const json_t *step, const json_t *event)
{
	const json_t *whole[] = { event, step, json_object_get(event, "process"), json_object_get(step, "process") };
	uint32_t pid = 0, parent = 0;
	struct proc *p;

	for (size_t i = 0; i < 4; i++) {
		if (json_is_true(find(whole[i], key_nobody)))
			return NULL;
		pid = pid ? pid : pid_of(s, find(whole[i], key_pid));
		parent = parent ? parent : pid_of(s, find(whole[i], key_parent));
	}
	p = proc_of(s, pid ? pid : DEFAULT_PID);
	if (parent && parent != pid)
		p->parent = proc_of(s, parent);
	return p;
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

/* The step's event without what says who does it; the engine's reader knows the fields. */
static json_t *fields_of(const json_t *step, const json_t *event)
{
	json_t *out = conf_must(json_object()), *v;
	const json_t *container = find(event, key_container), *cgroup = find(event, key_cgroup);
	const char *key;

	container = container ? container : find(step, key_container);
	cgroup = cgroup ? cgroup : find(step, key_cgroup);
	json_object_foreach((json_t *)event, key, v)
	{
		if (strcmp(key, "type") == 0)
			json_object_set_new(out, "event", json_pack("{s:O}", "type", v));
		else if (!is_key(key_pid, key) && !is_key(key_parent, key) && !is_key(key_container, key) &&
			 !is_key(key_cgroup, key) && !is_key(key_nobody, key))
			json_object_set(out, key, v);
	}
	if (json_is_string(container))
		json_object_set(out, "process.container.id", (json_t *)container);
	if (json_is_string(cgroup))
		json_object_set(out, "process.cgroup.id", (json_t *)cgroup);
	return out;
}

static bool read_event(struct scenario *s, const json_t *step, const json_t *event)
{
	json_t *fields = fields_of(step, event);
	_cleanup_free_ char *text = bench_event_text(fields);
	struct proc *p = actor(s, step, event), *parent;
	struct err err = { "" };
	int r = event_json_read(s->b->model->catalog, text, strlen(text), &s->b->mem, &s->ev, &err);

	json_decref(fields);
	if (r < 0)
		return wrong(s, "an event", "%s", err.msg);
	if (p && s->ev.proc) {
		int64_t pid = p->v[SLOT_PROC_PID].num;

		parent = (struct proc *)p->parent;
		*p = *s->ev.proc;
		p->v[SLOT_PROC_PID].num = pid;
		p->parent = parent;
	}
	s->ev.proc = p;
	s->ev.now_ns = s->now;
	return true;
}

static bool check_matches(struct scenario *s, const json_t *want, const uint32_t *rules, size_t n)
{
	json_t *got = conf_must(json_array());
	_cleanup_free_ char *got_text = NULL, *want_text = NULL;
	bool same;

	for (size_t i = 0; i < n; i++) {
		uint32_t len;
		const char *id = program_str(&s->program, s->program.rules[rules[i]].id, &len);

		json_array_append_new(got, json_stringn(id, len));
	}
	got_text = conf_must(json_dumps(got, 0));
	if (json_is_boolean(want)) {
		same = json_is_true(want) == (n > 0);
	} else if (json_is_string(want)) {
		same = n == 1 && json_equal(json_array_get(got, 0), want);
	} else {
		same = json_array_size(want) == n;
		for (size_t i = 0; i < n && same; i++) {
			same = false;
			for (size_t k = 0; k < n; k++)
				same |= json_equal(json_array_get(want, k), json_array_get(got, i));
		}
	}
	json_decref(got);
	want_text = conf_must(json_dumps(want, JSON_ENCODE_ANY));
	return same || wrong(s, want_text, "matches of %s", got_text);
}

static bool run_event(struct scenario *s, const json_t *step, const json_t *event)
{
	const json_t *want = find(step, key_matches);
	json_int_t times = json_integer_value(json_object_get(step, "repeat"));
	const uint32_t *rules;
	size_t n = 0;

	if (!read_event(s, step, event))
		return false;
	for (json_int_t i = 0; i < (times > 0 && times < 100000 ? times : 1); i++)
		n = engine_eval(s->engine, &s->ev, &rules);
	return !want || check_matches(s, want, rules, n);
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

static json_t *ip_json(const struct val *v)
{
	uint8_t ip[VAL_IP_BYTES];
	char text[IPNET_TEXT_MAX];

	if (v->len != VAL_IP_BYTES)
		return json_string("");
	memcpy(ip, v->s, sizeof(ip));
	/* a network is known by its prefix */
	for (unsigned int bit = ip[16]; bit < 128; bit++)
		ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	ipnet_text(ip, text);
	return json_string(text);
}

static json_t *value_json(uint8_t type, const struct val *v)
{
	static const uint8_t elem[] = {
		[NT_INTS] = NT_INT, [NT_STRS] = NT_STR, [NT_BOOLS] = NT_BOOL, [NT_IPS] = NT_IP
	};
	json_t *list;

	switch (type) {
	case NT_INT:
		return json_integer(v->num);
	case NT_BOOL:
		return json_boolean(v->num != 0);
	case NT_STR:
		return json_stringn(v->len ? v->s : "", v->len);
	case NT_IP:
		return ip_json(v);
	default:
		list = conf_must(json_array());
		for (uint32_t i = 0; i < v->len; i++)
			json_array_append_new(list, value_json(elem[type], &v->arr[i]));
		return list;
	}
}

/* One element: the same, or a text that fits a pattern of the case ("first_*", "first_<uuid>"). */
static bool same_value(const json_t *want, const json_t *got)
{
	const char *w = json_string_value(want), *g = json_string_value(got), *hole;
	char pattern[CONF_TEXT_MAX];

	if (json_equal(want, got))
		return true;
	if (json_is_array(want) && json_is_array(got) && json_array_size(want) == json_array_size(got)) {
		for (size_t i = 0; i < json_array_size(want); i++)
			if (!same_value(json_array_get(want, i), json_array_get(got, i)))
				return false;
		return true;
	}
	if (!w || !g)
		return false;
	hole = strchr(w, '<');
	if (hole && strchr(hole, '>'))
		snprintf(pattern, sizeof(pattern), "%.*s*%s", (int)(hole - w), w, strchr(hole, '>') + 1);
	else
		snprintf(pattern, sizeof(pattern), "%s", w);
	return strchr(pattern, '*') && pattern_match(pattern, strlen(pattern), g, strlen(g), false);
}

static size_t size_of(const json_t *v)
{
	return json_is_array(v) ? json_array_size(v) : json_is_string(v) ? json_string_length(v) : 0;
}

/* An object says something of the value: {"prefix": "a"}, {"length": 1}, {"contains": 3}, {"value": 1, "set": true}. */
static bool fits_words(const json_t *want, const json_t *got, bool set)
{
	const char *key, *g = json_string_value(json_is_array(got) ? json_array_get(got, 0) : got);
	json_t *v;

	json_object_foreach((json_t *)want, key, v)
	{
		const char *text = json_string_value(v);
		bool ok = false;

		if (strcmp(key, "set") == 0)
			ok = json_is_true(v) == set;
		else if (strcmp(key, "value") == 0 || strcmp(key, "equals") == 0)
			ok = same_value(v, got);
		else if (strstr(key, "prefix") || strcmp(key, "starts_with") == 0)
			ok = text && g && strncmp(g, text, strlen(text)) == 0;
		else if (strstr(key, "len") || strcmp(key, "size") == 0 || strcmp(key, "count") == 0)
			ok = (size_t)json_integer_value(v) == size_of(got);
		else if (strcmp(key, "contains") == 0)
			for (size_t i = 0; i < json_array_size(got); i++)
				ok |= same_value(v, json_array_get(got, i));
		if (!ok)
			return false;
	}
	return true;
}

/* What was never set is null; or what it is read as: its default, 0, "", []. */
static bool fits(const json_t *want, const json_t *got, bool set)
{
	if (json_is_object(want))
		return fits_words(want, got, set);
	if (json_is_null(want))
		return !set;
	if (!set && json_is_array(want) != json_is_array(got) && !size_of(want))
		return !size_of(got);
	return same_value(want, got);
}

static bool check_variables(struct scenario *s, const json_t *wanted)
{
	const char *name;
	json_t *want;

	json_object_foreach((json_t *)wanted, name, want)
	{
		_cleanup_free_ char *want_text = conf_must(json_dumps(want, JSON_ENCODE_ANY));
		_cleanup_free_ char *got_text = NULL;
		char label[CONF_TEXT_MAX];
		struct engine_var var;
		json_t *got;
		bool ok;

		snprintf(label, sizeof(label), "%.100s is %.300s", name, want_text);
		if (engine_var_get(s->engine, name, strlen(name), &s->ev, &var) < 0)
			return wrong(s, label, "no such variable");
		got = conf_must(value_json(var.type, &var.v));
		ok = fits(want, got, var.set);
		got_text = json_dumps(got, JSON_ENCODE_ANY);
		json_decref(got);
		if (!ok)
			return wrong(s, label, "%s%s", got_text ? got_text : "?", var.set ? "" : " (not set)");
	}
	return true;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

/* A policy may be text, or be wrapped together with its name. */
static bool add_policy(struct scenario *s, const json_t *policy, size_t i)
{
	static const char *const names[] = { "name", "filename", "file", NULL };
	const json_t *inner = json_object_get(policy, "policy"), *yaml = json_object_get(policy, "yaml");
	const char *type = case_text(policy, "type"), *name = json_string_value(find(policy, names));
	bool is_default = strcmp(type, "default") == 0 || strcmp(case_text(policy, "policy_type"), "default") == 0;
	struct arena *a = &s->b->compile->arena;
	_cleanup_free_ char *dump = NULL;
	char path[256];
	const char *text;
	json_t *copy;

	snprintf(path, sizeof(path), "%s", is_default ? "default.policy" : name ? name : "");
	if (!path[0])
		snprintf(path, sizeof(path), "test%zu.policy", i);
	if (json_is_string(policy) || json_is_string(yaml)) {
		text = json_string_value(json_is_string(policy) ? policy : yaml);
	} else {
		copy = conf_must(json_deep_copy(inner ? inner : policy));
		for (size_t k = 0; names[k]; k++)
			json_object_del(copy, names[k]);
		json_object_del(copy, "policy_type");
		json_object_del(copy, "source");
		if (strcmp(type, "default") == 0 || strcmp(type, "custom") == 0)
			json_object_del(copy, "type");
		dump = conf_must(json_dumps(copy, 0));
		json_decref(copy);
		text = dump;
	}
	text = conf_must(arena_strdup(a, text, strlen(text)));
	return compile_add_text(s->b->compile, conf_must(arena_strdup(a, path, strlen(path))), text, strlen(text)) == 0;
}

static bool load(struct scenario *s, const json_t *policies)
{
	struct err err = { "" };
	bool ok = true;

	for (size_t i = 0; i < json_array_size(policies); i++)
		ok = add_policy(s, json_array_get(policies, i), i) && ok;
	ok = compile_finish(s->b->compile) == 0 && ok;
	bench_note_error(s->b);
	s->program = program_view(s->b->compile->builder);
	s->loaded = ok && s->b->diags.errors == 0;
	s->load_checked = false;
	if (engine_new(&s->program, &s->engine, &err) < 0)
		return wrong(s, "an engine", "%s", err.msg);
	return true;
}

static const struct compile_rule *rule_of(const struct scenario *s, const char *id)
{
	return strmap_get(&s->b->compile->by_id, id, strlen(id));
}

static bool check_rule(struct scenario *s, const char *id, const json_t *want)
{
	const struct compile_rule *rule = rule_of(s, id);
	bool in = rule && (rule->ok || rule->nparts > 0);
	char label[CONF_TEXT_MAX];

	/* a text is the expression that the rule has come to have */
	if (json_is_string(want)) {
		snprintf(label, sizeof(label), "the expression %.400s", json_string_value(want));
		if (in && rule->expression && strlen(json_string_value(want)) == rule->expression->len &&
		    memcmp(rule->expression->s, json_string_value(want), rule->expression->len) == 0)
			return true;
		return wrong(s, label, "%s", in && rule->expression ? rule->expression->s : "no such rule");
	}
	snprintf(label, sizeof(label), "the rule %.200s %s", id, json_is_true(want) ? "loaded" : "not loaded");
	return in == json_is_true(want) || wrong(s, label, "%s", in ? "loaded" : "not loaded");
}

static const char *list_text(const json_t *list, size_t i)
{
	const char *text = json_string_value(json_array_get(list, i));

	return text ? text : "";
}

/* A list of rules that are (or are not) loaded, or an object of id and whether. */
static bool check_rules(struct scenario *s, const json_t *rules, bool loaded)
{
	const char *id;
	json_t *v;

	for (size_t i = 0; i < json_array_size(rules); i++)
		if (!check_rule(s, list_text(rules, i), loaded ? json_true() : json_false()))
			return false;
	json_object_foreach((json_t *)rules, id, v) if (!check_rule(s, id, v)) return false;
	return true;
}

static bool check_macro(struct scenario *s, const char *id, const json_t *want)
{
	const struct macro *m = macro_find(&s->b->compile->macros, id, strlen(id));
	json_t *got = conf_must(json_array());
	_cleanup_free_ char *want_text = conf_must(json_dumps(want, JSON_ENCODE_ANY)), *got_text = NULL;
	bool same;

	for (uint32_t i = 0; m && m->body && m->body->kind == AST_LIST && i < m->body->n; i++)
		json_array_append_new(got, json_stringn(m->body->items[i]->s, m->body->items[i]->slen));
	same = json_equal(got, want);
	got_text = conf_must(json_dumps(got, 0));
	json_decref(got);
	return same || wrong(s, want_text, "%s", m ? got_text : "no such macro");
}

static bool check_load(struct scenario *s, const json_t *step, const json_t *want)
{
	const char *word = json_string_value(want);
	const json_t *errors = json_object_get(step, "errors");
	bool ok = word ? strcmp(word, "ok") == 0 || strcmp(word, "success") == 0 : json_is_true(want);

	if (ok != s->loaded)
		return wrong(s, ok ? "loaded" : "refused", "%s", s->loaded ? "loaded" : "an error");
	if (json_is_integer(errors) && (size_t)json_integer_value(errors) != s->b->diags.errors)
		return wrong(s, "as many errors", "%zu", s->b->diags.errors);
	return true;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void release(struct scenario *s, const json_t *v)
{
	uint32_t pid = json_is_true(v) ? DEFAULT_PID : pid_of(s, v);

	engine_forget_proc(s->engine, pid, 0);
}

/* Every key of a step has to mean something. */
static bool check_keys(struct scenario *s, const json_t *step)
{
	static const char *const own[] = { "event",  "policies", "load",   "errors", "macro_values",
					   "repeat", "fork",	 "now_ns", NULL };
	static const char *const *const lists[] = { own,	key_pid,      key_parent,  key_container,
						    key_cgroup, key_nobody,   key_matches, key_variables,
						    key_rules,	key_no_rules, key_release, key_note };
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)step, key, v)
	{
		bool known = is_time_key(key);

		for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
			known |= is_key(lists[i], key);
		if (!known)
			return wrong(s, "a step that the runner knows", "the key \"%s\"", key);
	}
	return true;
}

static bool fork_proc(struct scenario *s, const json_t *fork)
{
	static const char *const children[] = { "child", "child_pid", "to", NULL };
	const json_t *child = json_is_object(fork) ? find(fork, children) : fork;
	uint32_t pid = pid_of(s, child ? child : find(fork, key_pid)), parent = pid_of(s, find(fork, key_parent));

	if (!pid)
		return wrong(s, "a fork with a pid", "none");
	proc_of(s, pid)->parent = proc_of(s, parent ? parent : DEFAULT_PID);
	return true;
}

static bool check_loaded(struct scenario *s, const json_t *step)
{
	const json_t *want = json_object_get(step, "load"), *macros = json_object_get(step, "macro_values");
	const json_t *rules = find(step, key_rules), *absent = find(step, key_no_rules);
	const char *id;
	json_t *v;

	if (want)
		s->load_checked = true;
	if (want && !check_load(s, step, want))
		return false;
	json_object_foreach((json_t *)macros, id, v) if (!check_macro(s, id, v)) return false;
	return check_rules(s, rules, true) && check_rules(s, absent, false);
}

/* Other policies take the place of those before; nothing is carried over. */
static bool reload(struct scenario *s, const json_t *policies)
{
	const struct model *m = s->b->model;

	for (size_t i = 0; i < s->nprocs; i++) {
		const struct proc *p = s->procs[i];

		*s->procs[i] = (struct proc){ .v[SLOT_PROC_PID].num = p->v[SLOT_PROC_PID].num, .parent = p->parent };
	}
	s->ev = (struct event){ 0 };
	engine_free(s->engine);
	s->engine = NULL;
	bench_end(s->b);
	bench_begin(s->b, m);
	return load(s, policies);
}

static bool run_step(struct scenario *s, const json_t *step)
{
	const json_t *event = json_object_get(step, "event"), *vars = find(step, key_variables);
	const json_t *fork = json_object_get(step, "fork"), *gone = find(step, key_release);
	const json_t *policies = json_object_get(step, "policies");

	if (!check_keys(s, step) || (policies && !reload(s, policies)) || !check_loaded(s, step))
		return false;
	if (!s->loaded && (event || vars) && !s->load_checked)
		return wrong(s, "loaded", "an error");
	pass_time(s, step);
	if (fork && !fork_proc(s, fork))
		return false;
	if (event && !run_event(s, step, event))
		return false;
	if (!event) {
		if (find(step, key_pid) || !s->ev.proc)
			s->ev.proc = actor(s, step, NULL);
		s->ev.now_ns = s->now;
	}
	if (gone)
		release(s, gone);
	return !vars || check_variables(s, vars);
}

void run_policy_scenario(struct bench *b, const json_t *c, struct outcome *o)
{
	struct scenario s = { .b = b, .o = o, .pids = conf_must(json_object()), .now = START_NS };
	const json_t *steps = json_object_get(c, "steps");
	bool ok = load(&s, json_object_get(c, "policies"));

	for (; ok && s.step < json_array_size(steps); s.step++)
		ok = run_step(&s, json_array_get(steps, s.step));
	if (ok && !json_array_size(steps))
		ok = wrong(&s, "steps", "none");
	if (ok)
		outcome_texts(o, "every step", "every step");
	engine_free(s.engine);
	for (size_t i = 0; i < s.nprocs; i++)
		free(s.procs[i]);
	json_decref(s.pids);
}
