/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/acts.h"

#include <errno.h>
#include <stdlib.h>

#include "sensor/priv/fetch.h"
#include "sensor/priv/snap.h"

int acts_of_program(const struct program *p, const struct permit *permit, struct acts_of *ret)
{
	struct acts_of a = { .state = calloc(p->nactions + 1, 1), .n = p->nactions };

	a.rates = calloc(p->nactions + 1, sizeof(*a.rates));
	if (!a.state || !a.rates) {
		acts_done(&a);
		return -ENOMEM;
	}
	for (uint32_t r = 0; r < p->nrules; r++) {
		const struct prule *rule = &p->rules[r];
		uint32_t len;
		const char *policy = program_str(p, rule->policy, &len);

		for (uint32_t i = rule->actions_first; i < rule->actions_first + rule->actions_count; i++)
			a.state[i] = permit_allows(permit, policy, len, p->actions[i].kind) ? ALERT_ACTION_ASKED
											    : ALERT_ACTION_NOT_ALLOWED;
	}
	*ret = a;
	return 0;
}

void acts_done(struct acts_of *a)
{
	free(a->state);
	free(a->rates);
	*a = (struct acts_of){ .n = 0 };
}

bool acts_captures(const struct acts_of *a, const struct program *p, uint32_t *ret_before_ms)
{
	bool any = false;

	*ret_before_ms = 0;
	for (uint32_t r = 0; r < p->nrules; r++)
		for (uint32_t i = 0; i < p->rules[r].actions_count && !(p->rules[r].flags & PRULE_OFF); i++) {
			uint32_t n = p->rules[r].actions_first + i, ms = paction_before_ms(&p->actions[n]);

			if (p->actions[n].kind != ACT_CAPTURE || a->state[n] != ALERT_ACTION_ASKED)
				continue;
			any = true;
			*ret_before_ms = ms > *ret_before_ms ? ms : *ret_before_ms;
		}
	return any;
}

static void ask_capture(const struct acts *a, const struct acts_of *of, const struct program *p, const struct event *ev,
			uint32_t rule, struct alert_action *to)
{
	struct snap_match m = { .action = &p->actions[to->action],
				.bundle = a->bundle,
				.time_ns = ev->now_ns,
				.rate = &of->rates[to->action] };

	m.rule = program_str(p, p->rules[rule].id, &m.rule_len);
	m.policy = program_str(p, p->rules[rule].policy, &m.policy_len);
	snap_match(a->snap, &m, to);
}

static void ask_kill(const struct acts *a, uint32_t generation, const struct event *ev, uint32_t rule,
		     struct alert_action *to)
{
	struct msg_kill k = { .generation = generation, .rule = rule, .action = to->action };

	if (!ev->proc || !ev->proc->start) {
		to->state = ALERT_ACTION_NO_PROCESS;
		return;
	}
	k.pid = (uint32_t)ev->proc->v[SLOT_PROC_PID].num;
	k.start_ns = ev->proc->start;
	k.request = to->request = ++*a->requests;
	if (chan_send(a->monitor, MSG_KILL, &k, sizeof(k), -1) < 0)
		to->state = ALERT_ACTION_BUSY;
}

uint32_t acts_do(const struct acts *a, const struct acts_of *of, const struct program *p, uint32_t generation,
		 const struct event *ev, const struct engine_match *m, struct alert_action *ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < m->nacts && n < ACTS_SHOWN; i++) {
		const struct paction *action = &p->actions[m->acts[i].action];

		if (!permit_needed(action->kind))
			continue;
		ret[n] = (struct alert_action){ .action = m->acts[i].action, .state = of->state[m->acts[i].action] };
		if (ret[n].state == ALERT_ACTION_ASKED && action->kind == ACT_KILL)
			ask_kill(a, generation, ev, m->rule, &ret[n]);
		else if (ret[n].state == ALERT_ACTION_ASKED && action->kind == ACT_DENY)
			ret[n].state = ev->flags & EV_F_DENIED ? ALERT_ACTION_DONE : ALERT_ACTION_NOT_DONE;
		else if (ret[n].state == ALERT_ACTION_ASKED && action->kind == ACT_CAPTURE)
			ask_capture(a, of, p, ev, m->rule, &ret[n]);
		else if (ret[n].state == ALERT_ACTION_ASKED)
			ret[n].state = fetch_hash(a->fetch, ev, action->field, (uint64_t)action->num)
					       ? ALERT_ACTION_DONE
					       : ALERT_ACTION_FAILED;
		n++;
	}
	return n;
}
