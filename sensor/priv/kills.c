/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/kills.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"
#include "sensor/respond/kill.h"

/* ---- the table ----------------------------------------------------------------------------------------------------- */

static void name_put(char *to, const struct program *p, uint32_t str)
{
	uint32_t len;
	const char *s = program_str(p, str, &len);

	snprintf(to, KILL_NAME_MAX, "%.*s", (int)len, s);
}

static uint32_t count(const struct program *p)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->nactions; i++)
		n += permit_needed(p->actions[i].kind);
	return n;
}

int kills_of_program(const struct program *p, struct kills *ret)
{
	const uint32_t room = count(p);
	struct kills k = { .a = calloc(room + 1, sizeof(*k.a)) };

	if (!k.a)
		return -ENOMEM;
	for (uint32_t r = 0; r < p->nrules; r++) {
		const struct prule *rule = &p->rules[r];

		for (uint32_t i = rule->actions_first; i < rule->actions_first + rule->actions_count; i++) {
			const struct paction *a = &p->actions[i];
			struct kill_action *to = &k.a[k.n];

			if (!permit_needed(a->kind) || rule->flags & PRULE_OFF || k.n == room)
				continue;
			*to = (struct kill_action){
				.rule = r, .action = i, .kind = a->kind, .scope = a->scope, .flags = a->flags
			};
			to->signal = (int)a->num;
			to->event = rule->event;
			for (uint32_t c = rule->clause_first; c < rule->clause_first + rule->clause_count; c++)
				to->bits.w[p->clauses[c].bit / 64] |= 1ull << (p->clauses[c].bit % 64);
			name_put(to->rule_id, p, rule->id);
			name_put(to->policy, p, rule->policy);
			k.n++;
		}
	}
	*ret = k;
	return 0;
}

void kills_done(struct kills *k)
{
	free(k->a);
	*k = (struct kills){ .n = 0 };
}

struct kill_action *kills_find(struct kills *k, uint32_t rule, uint32_t action)
{
	for (uint32_t i = 0; i < k->n; i++)
		if (k->a[i].rule == rule && k->a[i].action == action)
			return &k->a[i];
	return NULL;
}

uint32_t kills_permit(struct kills *k, const struct permit *p, enum act_kind kind)
{
	uint32_t no = 0;

	for (uint32_t i = 0; i < k->n; i++) {
		if (k->a[i].kind != kind)
			continue;
		k->a[i].allowed = permit_allows(p, k->a[i].policy, strlen(k->a[i].policy), kind);
		no += !k->a[i].allowed;
	}
	return no;
}

static bool meets(const struct sv_mask *a, const struct sv_mask *b)
{
	for (int w = 0; w < SV_WORDS; w++)
		if (a->w[w] & b->w[w])
			return true;
	return false;
}

uint32_t kills_deny(const struct kills *k, struct sieve *s, uint32_t *ret_undecided)
{
	struct sv_mask allowed[EV_TYPES] = { 0 };
	uint32_t n = 0;

	*ret_undecided = 0;
	for (uint32_t i = 0; i < k->n; i++) {
		const struct kill_action *a = &k->a[i];

		if (a->kind != ACT_DENY || !a->allowed)
			continue;
		if (a->event >= EV_TYPES || !(a->flags & ACT_DECIDED) ||
		    !meets(&a->bits, &s->event[a->event].deny.clauses)) {
			++*ret_undecided;
			continue;
		}
		n++;
		for (int w = 0; w < SV_WORDS; w++)
			allowed[a->event].w[w] |= a->bits.w[w];
	}
	for (int ev = 0; ev < EV_TYPES; ev++)
		for (int w = 0; w < SV_WORDS; w++)
			s->event[ev].deny.clauses.w[w] &= allowed[ev].w[w];
	return n;
}

/* ---- the monitor's part -------------------------------------------------------------------------------------------- */

void responses_policy(struct monitor *m, struct policy_file *p)
{
	static const struct {
		enum act_kind kind;
		const char *name;
	} kinds[] = { { ACT_KILL, "kill" }, { ACT_HASH, "hash" }, { ACT_DENY, "deny" }, { ACT_CAPTURE, "capture" } };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint32_t no = kills_permit(&p->kills, &m->permit, kinds[i].kind);

		if (no)
			log_warn("%s: %u actions \"%s\" of rules are not allowed by --allow-actions: they are not done",
				 p->name, no, kinds[i].name);
	}
}

static uint64_t key_of(const char *text)
{
	uint64_t h = 14695981039346656037u;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 1099511628211u;
	return h;
}

/* The log's record, whatever came of it. */
static void note(struct monitor *m, const struct msg_kill *k, const struct kill_action *a, const struct kill_target *t,
		 const char *result, const char *reason, uint32_t killed)
{
	static const char *const scopes[VAR_SCOPES] = { "", "process", "container", "cgroup" };
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	buf_init(&b, 8192);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "action", "kill");
	if (t->container[0])
		jsonw_member_str(&w, "container", t->container);
	if (t->file[0])
		jsonw_member_str(&w, "file", t->file);
	jsonw_member_u64(&w, "killed", killed);
	jsonw_member_u64(&w, "pid", k->pid);
	jsonw_member_str(&w, "policy", a->policy);
	if (reason)
		jsonw_member_str(&w, "reason", reason);
	jsonw_member_u64(&w, "request", k->request);
	jsonw_member_str(&w, "result", result);
	jsonw_member_str(&w, "rule", a->rule_id);
	jsonw_member_str(&w, "scope", scopes[a->scope]);
	jsonw_member_int(&w, "signal", a->signal);
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_ACTION, &b);
	buf_done(&b);
}

static void disarm(struct monitor *m, const struct msg_kill *k, const struct kill_action *a,
		   const struct kill_target *t, const char *why)
{
	const struct msg_disarmed d = { .generation = k->generation, .action = k->action };
	char what[KILL_NAME_MAX + 16];

	log_warn("the rule %s of %s kills no more until its policy is loaded anew: %s", a->rule_id, a->policy, why);
	note(m, k, a, t, "disarmed", why, 0);
	snprintf(what, sizeof(what), "rule %s", a->rule_id);
	alarm_raise(m, ALARM_DISARMED, &(struct alarm){ .what = what, .reason = why });
	/* lost, it only means that we are asked again */
	chan_send(&m->engine.chan, MSG_DISARMED, &d, sizeof(d), -1);
	m->responses.disarmed++;
}

static const char *reason_of(enum kill_outcome o, const struct kill_target *t)
{
	switch (o) {
	case KILL_GONE:
		return "it had ended";
	case KILL_NEVER:
		return "it is process 1, a kernel thread, or the sensor";
	case KILL_NOWHERE:
		return "it is in no container or cgroup of its own";
	case KILL_FAILED:
		return strerror(-t->error);
	default:
		return NULL;
	}
}

static void carry_out(struct monitor *m, const struct msg_kill *k, struct kill_action *a)
{
	const pid_t never[] = { m->engine.pid, m->record.pid, m->canary.pid, m->canary.keeper };
	const struct kill_request r = {
		.proc = "/proc",
		.pid = k->pid,
		.start_ns = k->start_ns,
		.signal = a->signal,
		.scope = a->scope,
		.never = never,
		.nnever = sizeof(never) / sizeof(never[0]),
	};
	struct kill_target t;
	enum kill_outcome o = kill_look(&r, &t);
	const struct disarm_hit hit = {
		.now_ns = clock_mono_ns(),
		.executable = t.executable,
		.container = t.container[0] ? key_of(t.container) : 0,
		.kills = m->o->kill_limit,
		.any_executable = a->flags & ACT_NO_EXECUTABLE_DISARMER,
		.any_container = a->flags & ACT_NO_CONTAINER_DISARMER,
	};
	const char *why = disarm_hit(&a->disarm, &hit);
	uint32_t killed = 0;

	if (why) {
		disarm(m, k, a, &t, why);
	} else {
		if (o == KILL_DONE)
			o = kill_fire(&r, &t, &killed);
		m->responses.killed += killed;
		m->responses.failed += o != KILL_DONE;
		note(m, k, a, &t, kill_outcome_name(o), reason_of(o, &t), killed);
	}
	kill_done(&t);
}

int responses_kill(struct monitor *m, const struct msg_kill *k)
{
	struct kill_action *a;

	m->responses.asked++;
	if (m->phase != PHASE_RUNNING || k->generation != m->policy.generation) {
		m->responses.failed++; /* of a policy that was in force a moment ago */
		return 0;
	}
	a = kills_find(&m->policy.kills, k->rule, k->action);
	if (!a || a->kind != ACT_KILL || !a->allowed)
		return -EPROTO;
	if (a->disarm.off)
		m->responses.failed++;
	else
		carry_out(m, k, a);
	return 0;
}

void responses_put(const struct monitor *m, struct jsonw *w)
{
	jsonw_key(w, "responses");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "asked", m->responses.asked);
	jsonw_member_u64(w, "disarmed", m->responses.disarmed);
	jsonw_member_u64(w, "failed", m->responses.failed);
	jsonw_member_u64(w, "killed", m->responses.killed);
	jsonw_obj_end(w);
}
