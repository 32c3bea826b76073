/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel side refuses: only on rules of policies that the operator lets do so, and only so often. The sieve of a bundle
 * marks the clauses that the kernel decides exactly; those of other rules are taken off it before it goes to the kernel. Nobody is
 * asked when something is refused, and the engine process has no say in it.
 */
#include "lib/log.h"
#include "sensor/priv/monitor_impl.h"
#include "sensor/record/auditlog.h"

#define MINUTE_NS 60000000000ull

void denials_prepare(struct monitor *m, struct policy_file *p)
{
	kills_permit(&p->kills, &m->permit, ACT_DENY);
	p->denies = kills_deny(&p->kills, p->sieve, &p->undecided);
	for (int ev = 0; ev < EV_TYPES; ev++) {
		const struct sv_mask *deny = &p->sieve->event[ev].deny.clauses;

		p->deny_event[ev] = deny->w[0] | deny->w[1] | deny->w[2] | deny->w[3];
	}
}

/* Why what the policy wants refused, or some of it, cannot be here; NULL: it can. */
static const char *why_not(const struct monitor *m, bool *ret_none)
{
	const char *why = NULL, *one;

	*ret_none = m->policy.denies > 0;
	for (uint16_t ev = 0; ev < EV_TYPES; ev++) {
		if (!m->policy.deny_event[ev])
			continue;
		one = load_deny_why(m->load, ev);
		why = one ? one : why;
		*ret_none = *ret_none && one;
	}
	return why;
}

static void allow(struct monitor *m)
{
	m->denials.since_ns = clock_mono_ns();
	load_deny_allow(m->load, m->o->deny_limit ? m->o->deny_limit : UINT32_MAX);
}

void denials_begin(struct monitor *m)
{
	const struct policy_file *p = &m->policy;
	bool none;
	const char *why = why_not(m, &none);

	if (p->undecided)
		log_warn(
			"%s: %u rules that deny are not decided in the kernel alone: they only raise alerts (tamisc explain says why)",
			p->name, p->undecided);
	if (why)
		log_warn("%s: %s that its rules deny cannot be refused here: %s", p->name,
			 none ? "what" : "some of what", why);
	else if (p->denies)
		log_info("%s: operations are refused by %u rules", p->name, p->denies);
	m->denials.disarmed = false;
	allow(m);
}

static void disarm(struct monitor *m)
{
	static const char why[] = "more operations were refused in a minute than --deny-limit allows";
	struct buf b;
	struct jsonw w = jsonw_to(&b);

	m->denials.disarmed = true;
	m->responses.disarmed++;
	log_warn("nothing is refused any more until the policy is loaded anew: %s", why);
	buf_init(&b, 1024);
	jsonw_obj_begin(&w);
	jsonw_member_str(&w, "action", "deny");
	jsonw_member_str(&w, "reason", why);
	jsonw_member_str(&w, "result", "disarmed");
	jsonw_obj_end(&w);
	notes_put(m, AUDITLOG_ACTION, &b);
	buf_done(&b);
	alarm_raise(m, ALARM_DISARMED, &(struct alarm){ .what = "deny", .reason = why });
}

void denials_tick(struct monitor *m)
{
	if (!m->policy.denies || m->denials.disarmed)
		return;
	if (!load_deny_left(m->load))
		disarm(m);
	else if (clock_mono_ns() - m->denials.since_ns >= MINUTE_NS)
		allow(m);
}

void denials_put(struct monitor *m, struct jsonw *w)
{
	struct ev_stats s[EV_TYPES];
	uint64_t denied = 0, unsure = 0;
	bool none;
	const char *why = why_not(m, &none);

	load_stats(m->load, s);
	for (int ev = 0; ev < EV_TYPES; ev++) {
		denied += s[ev].denied;
		unsure += s[ev].deny_unsure;
	}
	jsonw_key(w, "denials");
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "denied", denied);
	jsonw_member_u64(w, "limit", m->o->deny_limit);
	jsonw_member_u64(w, "rules", m->policy.denies);
	jsonw_member_str(w, "state",
			 m->denials.disarmed ? "disarmed"
			 : !m->policy.denies ? "off"
			 : none		     ? "not possible"
					     : "on");
	jsonw_member_u64(w, "undecided", m->policy.undecided);
	jsonw_member_u64(w, "unsure", unsure);
	jsonw_member_str(w, "why", why ? why : "");
	jsonw_obj_end(w);
}
