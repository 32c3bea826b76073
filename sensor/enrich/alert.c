/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/enrich/alert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/event_json.h"
#include "lib/ipnet.h"
#include "lib/jsonw.h"
#include "lib/severity.h"

#define TEXT_KEPT (64u << 10) /* what the buffer keeps from one alert to the next */

/* The fixed members of an alert in their order; the event's own object stands where its name sorts. */
enum member {
	M_ACTIONS,
	M_CONTAINER,
	M_EVENT,
	M_HOST,
	M_KIND,
	M_LOG,
	M_PROCESS,
	M_RULE,
	M_SEQ,
	M_SUPPRESSED,
	M_TIME,
	M_V,
	M_VARIABLES,
	MEMBERS
};
static const char *const members[MEMBERS] = { "actions", "container", "event",	  "host", "kind",
					      "log",	 "process",   "rule",	  "seq",  "suppressed",
					      "time",	 "v",	      "variables" };

/* How much of arguments and environment is shown, and of how many ancestors. */
struct limits {
	uint32_t self, parent, ancestor; /* bytes of arguments */
	uint32_t argv;			 /* an array of arguments only where they have no more bytes */
	uint32_t envs;			 /* bytes of names of variables */
	bool envp;
	int ancestors;
};

/* The next one counts where an alert would be longer than ALERT_MAX with the one before. The last always fits. */
static const struct limits levels[] = {
	{ EV_ARGS_MAX, ALERT_ARGS_CUT, ALERT_ARGS_BRIEF, 32u << 10, 4096, true, VAL_ANCESTORS_MAX },
	{ 32u << 10, ALERT_ARGS_CUT, ALERT_ARGS_BRIEF, ALERT_ARGS_CUT, 4096, false, VAL_ANCESTORS_MAX },
	{ ALERT_ARGS_CUT, ALERT_ARGS_BRIEF, ALERT_ARGS_BRIEF, 0, 0, false, 8 },
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

struct text {
	char *s; /* owned */
	size_t len;
};

struct alert {
	const struct program *program; /* borrowed */
	struct proctable *table;       /* borrowed; NULL: no texts are kept */
	struct event_json *json;       /* owned */
	uint8_t place[EV_ALL_TYPES];   /* the member that the event's, or the family's, object precedes */
	struct text host;	       /* "host":"...", */
	struct text *rules;	       /* "rule":{...}, each made when it is first needed */
	struct proc *slim; /* owned: copies of a process and its ancestors, cut to limits; NULL until needed */
	struct buf out, scratch;
	int64_t second; /* what date[] says */
	char date[sizeof("2026-11-20T12:00:00")];
};

/* ---- the process --------------------------------------------------------------------------------------------------- */

/* At most @max bytes, without the half of a character. */
static uint32_t cut_at(const struct val *v, uint32_t max)
{
	uint32_t len = max;

	if (v->len <= max)
		return v->len;
	while (len && max - len < 3 && ((unsigned char)v->s[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* How many names of variables are shown. */
static uint32_t envs_shown(const struct val *envs, uint32_t max)
{
	uint32_t n = 0;

	for (uint32_t bytes = 0; n < envs->len; n++) {
		bytes += envs->arr[n].len + 3;
		if (bytes > max)
			break;
	}
	return n;
}

static uint32_t args_limit(const struct limits *lim, int depth)
{
	return depth == 0 ? lim->self : depth == 1 ? lim->parent : lim->ancestor;
}

static bool too_long(const struct proc *p, const struct limits *lim, int depth)
{
	const struct val *v = p->v;
	uint32_t max = args_limit(lim, depth);

	return v[SLOT_PROC_ARGS].len > max || v[SLOT_PROC_ARGV0].len > max ||
	       (depth < 2 && v[SLOT_PROC_ARGV].len && v[SLOT_PROC_ARGS].len > lim->argv) ||
	       (depth < 2 && v[SLOT_PROC_ENVP].len && !lim->envp) ||
	       (depth < 1 && envs_shown(&v[SLOT_PROC_ENVS], lim->envs) < v[SLOT_PROC_ENVS].len);
}

/* Cuts a copy of a process to the limits, and says so in it. */
static void slim_down(struct proc *p, const struct limits *lim, int depth)
{
	struct val *v = p->v, *args = &v[SLOT_PROC_ARGS], *argv0 = &v[SLOT_PROC_ARGV0], *envs = &v[SLOT_PROC_ENVS];
	uint32_t max = args_limit(lim, depth), n = envs_shown(envs, lim->envs);

	if (args->len > lim->argv || args->len > max)
		v[SLOT_PROC_ARGV] = (struct val){ .len = 0 };
	if (args->len > max || argv0->len > max)
		v[SLOT_PROC_ARGS_TRUNCATED].num = 1;
	args->len = cut_at(args, max);
	argv0->len = cut_at(argv0, max);
	if (n < envs->len)
		v[SLOT_PROC_ENVS_TRUNCATED].num = 1;
	envs->len = n;
	if (!lim->envp)
		v[SLOT_PROC_ENVP] = (struct val){ .len = 0 };
}

/* @p and its ancestors within the limits: themselves where they are, else copies, good until the next call. NULL: no memory. */
static const struct proc *within_limits(struct alert *a, const struct proc *p, const struct limits *lim)
{
	const struct proc *from = p;
	bool cut = false;
	int n = 0;

	for (; from && n <= lim->ancestors; from = from->parent, n++)
		cut |= too_long(from, lim, n);
	if (!cut && (!from || lim->ancestors == VAL_ANCESTORS_MAX))
		return p;
	if (!a->slim)
		a->slim = calloc(VAL_ANCESTORS_MAX + 1, sizeof(*a->slim));
	if (!a->slim)
		return NULL;
	from = p;
	for (int i = 0; i < n; i++, from = from->parent) {
		a->slim[i] = *from;
		a->slim[i].parent = i + 1 < n ? &a->slim[i + 1] : NULL;
		slim_down(&a->slim[i], lim, i);
	}
	return a->slim;
}

/* Differs whenever a text of the process or of one of its ancestors would. */
static uint64_t chain_version(const struct proc *p)
{
	uint64_t h = 0;

	for (int n = 0; p && n <= VAL_ANCESTORS_MAX; p = p->parent, n++)
		h = (h ^ proctable_version(p)) * 0x9e3779b97f4a7c15ull;
	return h;
}

/* Something was looked up for this event alone. */
static bool any_more(const struct proc *p)
{
	for (int n = 0; p && n <= VAL_ANCESTORS_MAX; p = p->parent, n++)
		if (p->more)
			return true;
	return false;
}

/* "process":{...}, from the table where it has it. Only the first level is worth keeping. */
static int put_process(struct alert *a, const struct proc *p, size_t level)
{
	bool keep = a->table && p && level == 0 && !any_more(p);
	uint64_t version = keep ? chain_version(p) : 0;
	const struct proctable_cache *kept = keep ? proctable_cache_get(p) : NULL;
	size_t start = a->out.len;
	const struct proc *shown;

	if (kept && kept->version == version)
		return buf_put(&a->out, kept->text, kept->len);

	buf_puts(&a->out, "\"process\":");
	if (p) {
		shown = within_limits(a, p, &levels[level]);
		if (!shown)
			return -ENOMEM;
		event_json_proc(a->json, shown, EVENT_JSON_WHOLE, &a->out);
	} else {
		buf_puts(&a->out, "{}");
	}
	buf_putc(&a->out, ',');
	if (keep && !buf_error(&a->out))
		proctable_cache_set(a->table, p, (const char *)a->out.data + start, (uint32_t)(a->out.len - start),
				    version);
	return 0;
}

/* ---- the rule ------------------------------------------------------------------------------------------------------ */

/* A copy of what is in @b, which is emptied. */
static int text_keep(struct text *t, struct buf *b)
{
	int r = buf_error(b);

	if (!r) {
		t->s = malloc(b->len);
		r = t->s ? 0 : -ENOMEM;
	}
	if (!r) {
		memcpy(t->s, b->data, b->len);
		t->len = b->len;
	}
	buf_reset(b);
	return r;
}

static void put_rule_str(struct alert *a, struct jsonw *w, const char *key, uint32_t str)
{
	uint32_t len;
	const char *s = program_str(a->program, str, &len);

	if (!len)
		return;
	jsonw_key(w, key);
	jsonw_str(w, s, len);
}

/* "POLICY@VERSION" */
static void put_policy(struct alert *a, struct jsonw *w, const struct prule *r)
{
	uint32_t len, version_len;
	const char *policy = program_str(a->program, r->policy, &len);
	const char *version = program_str(a->program, r->version, &version_len);
	char text[512];
	int n = snprintf(text, sizeof(text), "%.*s%s%.*s", (int)(len < 256 ? len : 256), policy, version_len ? "@" : "",
			 (int)(version_len < 128 ? version_len : 128), version);

	if (!n)
		return;
	jsonw_key(w, "policy");
	jsonw_str(w, text, (size_t)n);
}

/* Ascending by name; a second tag of one name would not be JSON that everybody reads alike. */
static void put_tags(struct alert *a, struct jsonw *w, const struct prule *r)
{
	const struct program *p = a->program;
	uint32_t last = UINT32_MAX;

	if (!r->tags_count)
		return;
	jsonw_key(w, "tags");
	jsonw_obj_begin(w);
	for (uint32_t i = 0; i < r->tags_count; i++) {
		const uint32_t *tag = p->tags + r->tags_first + 2 * (size_t)i;
		uint32_t name_len, len;
		const char *name = program_str(p, tag[0], &name_len), *value = program_str(p, tag[1], &len);

		if (tag[0] == last)
			continue;
		last = tag[0];
		jsonw_key_str(w, name, name_len);
		jsonw_str(w, value, len);
	}
	jsonw_obj_end(w);
}

static int make_rule(struct alert *a, uint32_t rule)
{
	const struct prule *r = &a->program->rules[rule];
	struct buf *b = &a->scratch;
	struct jsonw w = jsonw_to(b);

	buf_reset(b);
	jsonw_key(&w, "rule");
	jsonw_obj_begin(&w);
	put_rule_str(a, &w, "description", r->description);
	put_rule_str(a, &w, "group_id", r->group);
	put_rule_str(a, &w, "id", r->id);
	put_policy(a, &w, r);
	if (*severity_name(r->severity))
		jsonw_member_str(&w, "severity", severity_name(r->severity));
	put_tags(a, &w, r);
	jsonw_obj_end(&w);
	buf_putc(b, ',');
	return text_keep(&a->rules[rule], b);
}

static int put_rule(struct alert *a, uint32_t rule)
{
	int r = a->rules[rule].s ? 0 : make_rule(a, rule);

	return r ? r : buf_put(&a->out, a->rules[rule].s, a->rules[rule].len);
}

/* "2026-11-20T12:00:00.123456789Z"; the date is worked out once a second. */
static void put_time(struct alert *a, int64_t ns)
{
	int64_t second = ns / 1000000000, rest = ns % 1000000000;
	char digits[10];
	struct tm tm;
	time_t t;

	if (rest < 0) {
		rest += 1000000000;
		second--;
	}
	if (second != a->second || !a->date[0]) {
		t = (time_t)second;
		if (!gmtime_r(&t, &tm) || !strftime(a->date, sizeof(a->date), "%Y-%m-%dT%H:%M:%S", &tm))
			memcpy(a->date, "1970-01-01T00:00:00", sizeof(a->date));
		a->second = second;
	}
	for (int i = 8; i >= 0; i--, rest /= 10)
		digits[i] = (char)('0' + rest % 10);
	digits[9] = 'Z';
	buf_puts(&a->out, "\"time\":\"");
	buf_puts(&a->out, a->date);
	buf_putc(&a->out, '.');
	buf_put(&a->out, digits, sizeof(digits));
	buf_puts(&a->out, "\",");
}

/* ---- what followed from it ----------------------------------------------------------------------------------------- */

#define SHOWN_MAX 64 /* variables of one alert */

static const struct paction *action_of(const struct alert *a, const struct engine_act *act)
{
	return &a->program->actions[act->action];
}

/* "log":[...], without a message where the rule has none: then that it was raised is all there is to say. */
static void put_log(struct alert *a, const struct alert_effects *e)
{
	static const char *const names[ACT_LEVELS] = { "debug", "info", "warning", "error" };
	struct jsonw w = jsonw_to(&a->out);
	bool any = false;

	for (uint32_t i = 0; e && i < e->match->nacts; i++) {
		const struct engine_act *act = &e->match->acts[i];

		if (action_of(a, act)->kind != ACT_LOG)
			continue;
		if (!any) {
			jsonw_key(&w, "log");
			jsonw_arr_begin(&w);
		}
		any = true;
		jsonw_obj_begin(&w);
		jsonw_member_str(&w, "level", names[action_of(a, act)->level]);
		jsonw_key(&w, "message");
		jsonw_str(&w, act->message.s, act->message.len);
		jsonw_obj_end(&w);
	}
	if (!any)
		return;
	jsonw_arr_end(&w);
	buf_putc(&a->out, ',');
}

static const char *const action_states[] = { "asked", "not allowed", "disarmed", "no process", "busy",
					     "done",  "failed",	     "not done", "limited" };

static void put_hash_action(struct alert *a, struct jsonw *w, const struct paction *p, const struct alert_action *did)
{
	const char *path = a->program->catalog->fields[p->field].name;

	jsonw_obj_begin(w);
	jsonw_key(w, "file");
	jsonw_str(w, path, strlen(path) - strlen(".path"));
	jsonw_member_str(w, "kind", "hash");
	jsonw_member_str(w, "state", action_states[did->state]);
	jsonw_obj_end(w);
}

static void put_capture(struct jsonw *w, const struct alert_action *did)
{
	jsonw_obj_begin(w);
	if (did->file)
		jsonw_member_str(w, "file", did->file);
	jsonw_member_str(w, "kind", "capture");
	if (did->request)
		jsonw_member_u64(w, "request", did->request);
	jsonw_member_str(w, "state", action_states[did->state]);
	jsonw_obj_end(w);
}

static void put_kill(struct jsonw *w, const struct paction *a, const struct alert_action *did)
{
	static const char *const scopes[VAR_SCOPES] = { "", "process", "container", "cgroup" };
	const char *name = sigabbrev_np((int)a->num);
	char text[32];

	snprintf(text, sizeof(text), "SIG%s", name ? name : "?");
	jsonw_obj_begin(w);
	jsonw_member_str(w, "kind", "kill");
	if (did->request)
		jsonw_member_u64(w, "request", did->request);
	jsonw_member_str(w, "scope", scopes[a->scope]);
	jsonw_member_str(w, "signal", text);
	jsonw_member_str(w, "state", action_states[did->state]);
	jsonw_obj_end(w);
}

static void put_deny(struct jsonw *w, const struct alert_action *did)
{
	jsonw_obj_begin(w);
	jsonw_member_str(w, "kind", "deny");
	jsonw_member_str(w, "state", action_states[did->state]);
	jsonw_obj_end(w);
}

/* "actions":[...], of those that others were asked for. */
static void put_actions(struct alert *a, const struct alert_effects *e)
{
	struct jsonw w = jsonw_to(&a->out);

	if (!e || !e->nactions)
		return;
	jsonw_key(&w, "actions");
	jsonw_arr_begin(&w);
	for (uint32_t i = 0; i < e->nactions; i++) {
		const struct paction *p = &a->program->actions[e->actions[i].action];

		if (p->kind == ACT_KILL)
			put_kill(&w, p, &e->actions[i]);
		else if (p->kind == ACT_DENY)
			put_deny(&w, &e->actions[i]);
		else if (p->kind == ACT_CAPTURE)
			put_capture(&w, &e->actions[i]);
		else
			put_hash_action(a, &w, p, &e->actions[i]);
	}
	jsonw_arr_end(&w);
	buf_putc(&a->out, ',');
}

static void put_suppressed(struct alert *a, const struct alert_effects *e)
{
	struct jsonw w = jsonw_to(&a->out);

	if (!e || !e->match->held_back)
		return;
	jsonw_member_u64(&w, "suppressed", e->match->held_back);
	buf_putc(&a->out, ',');
}

static const char *const scope_names[VAR_SCOPES] = {
	[VAR_GLOBAL] = "", [VAR_PROCESS] = "process.", [VAR_CONTAINER] = "container.", [VAR_CGROUP] = "cgroup."
};

/* As rules write it, cut where it does not fit. */
static void var_name(const struct program *p, uint32_t var, char *ret, size_t size)
{
	uint32_t len;
	const char *name = program_str(p, p->vars[var].name, &len);

	snprintf(ret, size, "%s%.*s", scope_names[p->vars[var].scope], (int)len, name);
}

/* The variables that the rule has set, each once, ascending by name. Returns how many. */
static uint32_t shown_vars(const struct alert *a, const struct alert_effects *e, uint32_t vars[SHOWN_MAX])
{
	char name[VAR_NAME_MAX + 16], other[VAR_NAME_MAX + 16];
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->match->nacts && n < SHOWN_MAX; i++) {
		const struct engine_act *act = &e->match->acts[i];
		uint32_t var = action_of(a, act)->var, at = n;

		if (action_of(a, act)->kind != ACT_SET || !act->done || (a->program->vars[var].flags & VAR_PRIVATE))
			continue;
		var_name(a->program, var, name, sizeof(name));
		for (; at > 0; at--) {
			var_name(a->program, vars[at - 1], other, sizeof(other));
			if (strcmp(other, name) <= 0)
				break;
		}
		if (at > 0 && vars[at - 1] == var)
			continue;
		memmove(vars + at + 1, vars + at, (n - at) * sizeof(*vars));
		vars[at] = var;
		n++;
	}
	return n;
}

static void put_var_value(struct jsonw *w, uint8_t type, const struct val *v)
{
	char ip[IPNET_TEXT_MAX];

	switch (type) {
	case NT_INT:
		jsonw_int(w, v->num);
		break;
	case NT_BOOL:
		jsonw_bool(w, v->num);
		break;
	case NT_STR:
		jsonw_str(w, v->s, v->len);
		break;
	default:
		if (v->len == VAL_IP_BYTES)
			jsonw_str(w, ip, ipnet_text((const uint8_t *)v->s, ip));
		else
			jsonw_null(w);
	}
}

static void put_var(struct jsonw *w, const struct engine_var *v)
{
	uint8_t type = program_scalar(v->type);

	if (!program_is_array(v->type)) {
		put_var_value(w, type, &v->v);
		return;
	}
	jsonw_arr_begin(w);
	for (uint32_t i = 0; i < v->v.len; i++)
		put_var_value(w, type, &v->v.arr[i]);
	jsonw_arr_end(w);
}

/* ,"variables":{...}: what they hold after the event. */
static void put_variables(struct alert *a, const struct event *ev, const struct alert_effects *e)
{
	struct jsonw w = jsonw_to(&a->out);
	char name[VAR_NAME_MAX + 16];
	uint32_t vars[SHOWN_MAX + 1], n = e ? shown_vars(a, e, vars) : 0;
	struct engine_var v;

	if (!n)
		return;
	buf_putc(&a->out, ',');
	jsonw_key(&w, "variables");
	jsonw_obj_begin(&w);
	for (uint32_t i = 0; i < n; i++) {
		var_name(a->program, vars[i], name, sizeof(name));
		engine_var_at(e->engine, vars[i], ev, &v);
		jsonw_key(&w, name);
		put_var(&w, &v);
	}
	jsonw_obj_end(&w);
}

/* ---- alerts -------------------------------------------------------------------------------------------------------- */

/* What the event has of its own, or of its family; its target within limits, as the process is. */
static int put_own(struct alert *a, const struct event *ev, uint16_t type, size_t level)
{
	struct event shown;

	buf_putc(&a->out, '"');
	buf_puts(&a->out, a->program->catalog->events[type].name);
	buf_puts(&a->out, "\":");
	if (ev->target && type == ev->type) {
		shown = *ev;
		shown.target = within_limits(a, ev->target, &levels[level]);
		if (!shown.target)
			return -ENOMEM;
		ev = &shown;
	}
	event_json_own(a->json, ev, type, &a->out);
	return 0;
}

/* What of its own comes before member @i, or with MEMBERS behind them all. */
static int put_own_at(struct alert *a, const struct event *ev, size_t i, size_t level)
{
	const uint16_t types[] = { ev->type, a->program->catalog->events[ev->type].family };
	int r = 0;

	for (size_t k = 0; k < 2 && !r; k++) {
		if (types[k] == EV_NONE || a->place[types[k]] != i)
			continue;
		if (i == MEMBERS)
			buf_putc(&a->out, ',');
		r = put_own(a, ev, types[k], level);
		if (i < MEMBERS)
			buf_putc(&a->out, ',');
	}
	return r;
}

/* The member that an object of that name precedes, or MEMBERS. */
static uint8_t place_of(const char *name)
{
	uint8_t i = 0;

	while (i < MEMBERS && strcmp(members[i], name) < 0)
		i++;
	return i;
}

static void put_head(struct alert *a, const struct event *ev)
{
	buf_puts(&a->out, "\"event\":");
	event_json_head(a->json, ev, &a->out);
	buf_putc(&a->out, ',');
}

static int put_alert(struct alert *a, const struct event *ev, uint32_t rule, const struct alert_effects *e,
		     size_t level, size_t *ret_gap)
{
	struct buf *b = &a->out;
	int r = 0;

	buf_reset(b);
	buf_putc(b, '{');
	for (size_t i = 0; i < MEMBERS && !r; i++) {
		r = put_own_at(a, ev, i, level);
		if (r)
			break;
		switch ((enum member)i) {
		case M_ACTIONS:
			put_actions(a, e);
			break;
		case M_CONTAINER:
			if (event_json_container(a->json, ev, b))
				buf_putc(b, ',');
			break;
		case M_EVENT:
			put_head(a, ev);
			break;
		case M_HOST:
			buf_put(b, a->host.s, a->host.len);
			break;
		case M_KIND:
			buf_puts(b, "\"kind\":\"alert\",");
			break;
		case M_LOG:
			put_log(a, e);
			break;
		case M_PROCESS:
			r = put_process(a, ev->proc, level);
			break;
		case M_RULE:
			r = put_rule(a, rule);
			break;
		case M_SEQ:
			buf_puts(b, "\"seq\":");
			*ret_gap = b->len;
			buf_putc(b, ',');
			break;
		case M_SUPPRESSED:
			put_suppressed(a, e);
			break;
		case M_TIME:
			put_time(a, ev->now_ns);
			break;
		case M_V:
			buf_puts(b, "\"v\":1");
			break;
		default:
			put_variables(a, ev, e);
		}
	}
	if (!r)
		r = put_own_at(a, ev, MEMBERS, level);
	buf_putc(b, '}');
	return r ? r : buf_error(b);
}

int alert_render(struct alert *a, const struct event *ev, uint32_t rule, const struct alert_effects *effects,
		 struct buf *out, size_t *ret_gap)
{
	size_t start = out->len, gap = 0;
	int r = -EFBIG;

	if (rule >= a->program->nrules || ev->type == EV_NONE || ev->type >= EV_ALL_TYPES ||
	    !a->program->catalog->events[ev->type].name || a->program->catalog->events[ev->type].is_family)
		return -EINVAL;
	if (buf_error(out))
		return buf_error(out);
	for (size_t level = 0; level < LEVELS && r == -EFBIG; level++)
		r = put_alert(a, ev, rule, effects, level, &gap);
	if (!r && buf_grow(out, a->out.len) < 0) {
		r = buf_error(out);
		out->error = 0;
	}
	if (!r) {
		buf_put(out, a->out.data, a->out.len);
		*ret_gap = start + gap;
	}
	if (a->out.cap > TEXT_KEPT)
		buf_done(&a->out);
	return r;
}

int alert_render_process(struct alert *a, const struct event *ev, size_t max, struct buf *out)
{
	const size_t key = sizeof("\"process\":") - 1;

	for (size_t level = 0; level < LEVELS; level++) {
		int r;

		buf_reset(&a->out);
		r = put_process(a, ev->proc, level);
		if (r == 0)
			r = buf_error(&a->out);
		if (r < 0 && r != -EFBIG)
			return r;
		if (r == 0 && a->out.len - key - 1 <= max)
			return buf_put(out, a->out.data + key, a->out.len - key - 1);
	}
	return -EFBIG;
}

static int alert_host(struct alert *a, const char *hostname)
{
	struct jsonw w = jsonw_to(&a->scratch);

	jsonw_member_str(&w, "host", hostname ? hostname : "");
	buf_putc(&a->scratch, ',');
	return text_keep(&a->host, &a->scratch);
}

int alert_new(const struct alert_options *o, const struct program *p, struct alert **ret)
{
	struct alert *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	a->program = p;
	a->table = o->table;
	buf_init(&a->out, ALERT_MAX);
	buf_init(&a->scratch, ALERT_MAX);
	for (uint16_t t = 0; t < EV_ALL_TYPES; t++)
		if (p->catalog->events[t].name)
			a->place[t] = place_of(p->catalog->events[t].name);
	a->rules = calloc(p->nrules ? p->nrules : 1, sizeof(*a->rules));
	r = a->rules ? event_json_new(p->catalog, &a->json) : -ENOMEM;
	if (!r)
		r = alert_host(a, o->hostname);
	if (r < 0) {
		alert_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void alert_free(struct alert *a)
{
	if (!a)
		return;
	for (uint32_t i = 0; a->rules && i < a->program->nrules; i++)
		free(a->rules[i].s);
	free(a->rules);
	free(a->host.s);
	free(a->slim);
	event_json_free(a->json);
	buf_done(&a->out);
	buf_done(&a->scratch);
	free(a);
}
