/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/priv/acts.h"

#include <errno.h>
#include <stdlib.h>

#include "sensor/priv/fetch.h"

int acts_of_program(const struct program *p, const struct permit *permit, struct acts_of *ret)
{
	struct acts_of a = { .state = calloc(p->nactions + 1, 1), .n = p->nactions };

	if (!a.state)
		return -ENOMEM;
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
	*a = (struct acts_of){ .n = 0 };
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
		else if (ret[n].state == ALERT_ACTION_ASKED)
			ret[n].state = fetch_hash(a->fetch, ev, action->field, (uint64_t)action->num)
					       ? ALERT_ACTION_DONE
					       : ALERT_ACTION_FAILED;
		n++;
	}
	return n;
}
