/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/explain.h"

#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/jsonw.h"
#include "policy-compiler/deny.h"

#define OUT_MAX (256u << 20)

static const struct {
	const char *key, *text;
} whys[] = {
	[WHY_KERNEL] = { "kernel", "in the kernel" },
	[WHY_PARTLY] = { "partly",
			 "in part in the kernel: its regular expressions, or the gaps in its numbers, are not" },
	[WHY_ABOVE] = { "above", "the kernel keeps of which images above it holds: where of none, it is false" },
	[WHY_EMPTY] = { "empty", "the kernel knows where %s is empty" },
	[WHY_SELF] = { "self", "by how the path of the process's program ends" },
	[WHY_UNSET] = { "unset", "false as long as no event may have set the variable, which the kernel knows" },
	[WHY_UNSEEN] = { "unseen", "always the same: the sensor cannot observe it, or nothing sets the variable" },
	[WHY_FIELD] = { "field", "the kernel does not know %s when it decides" },
	[WHY_PROCESS] = { "process", "%s stays until the next exec: by the process's mask, once it is known" },
	[WHY_VARIABLE] = { "variable", "what a variable holds is known in user space only" },
	[WHY_OTHERS] = { "others", "%s is of the parent, of an ancestor, or has several values" },
	[WHY_WORD] = { "word",
		       "the kernel looks for its words in what the exec is given: where they are not, it is false" },
	[WHY_REGEX] = { "regex", "a regular expression" },
	[WHY_SHAPE] = { "shape", "the kernel compares a field with a constant only" },
};

static const char *automaton_name(uint16_t event, unsigned k)
{
	static const char *const names[SV_AUTOMATA] = { "path",
							"second path",
							"address",
							"either path",
							"words of arguments",
							"words of variables",
							"the parent's path",
							"the parent's name of the task",
							"paths above",
							"names of tasks above" };

	if (event == EV_EXEC)
		return k == SV_AUT_COMM ? "name of the task" : names[k];
	if (event == EV_DNS && k == SV_AUT_QUESTION)
		return "name asked for";
	return k == SV_AUT_FSTYPE ? "filesystem" : k == SV_AUT_TEXT ? "text" : names[k];
}

/* In the tables: a row of two bytes a class for each state, two masks a state, the classes. */
static uint32_t automaton_bytes(const struct report_automaton *a)
{
	return a->states ? a->states * (a->classes * 2 + 4) + 256 : 0;
}

static const char *event_name(uint16_t event)
{
	return catalog_tamis()->events[event].name;
}

/* ---- for people ---------------------------------------------------------------------------------------------------- */

static void put_automaton(struct buf *b, const struct report_automaton *a, const char *name)
{
	if (!a->states)
		return;
	buf_printf(b, "  %s: %u patterns, %u states, %u classes of bytes, %u bytes\n", name, a->patterns, a->states,
		   a->classes, automaton_bytes(a));
	if (!a->weakened)
		return;
	buf_printf(b, "    too large: %u patterns match more than they should; the engine sorts that out", a->weakened);
	buf_puts(b, a->cut ? "; their ends are cut off" : "");
	if (a->stars >= 0)
		buf_printf(b, "; of their stars %d are kept", a->stars);
	buf_putc(b, '\n');
}

static void put_event(struct buf *b, const struct report_event *e)
{
	if (!e->rules)
		return;
	buf_printf(b, "event %s: %u rules, %u clauses, %u bits, %u numbers\n", event_name(e->event), e->rules,
		   e->clauses, e->bits, e->preds);
	if (e->open)
		buf_printf(b, "  every event passes: %u rules have a clause that asks nothing of the kernel\n",
			   e->open);
	if (e->bits < e->clauses)
		buf_printf(b, "  %u clauses share %u bits\n", e->clauses, e->bits);
	if (e->preds_left)
		buf_printf(b, "  no room for %u numbers: no clause asks for them\n", e->preds_left);
	for (unsigned k = 0; k < SV_AUTOMATA; k++)
		put_automaton(b, &e->automata[k], automaton_name(e->event, k));
}

static uint32_t kernel_preds(const struct report_rule *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < r->npreds; i++)
		n += r->preds[i].why == WHY_KERNEL || r->preds[i].why == WHY_UNSEEN;
	return n;
}

static void put_why(struct buf *b, const struct report_pred *p)
{
	const char *text = whys[p->why].text, *at = strstr(text, "%s");

	if (!at)
		buf_puts(b, text);
	else
		buf_printf(b, "%.*s%s%s", (int)(at - text), text, p->field ? p->field : "this", at + 2);
}

static bool clause_is_open(const struct report_clause *c)
{
	return !*c->text;
}

static void put_deny(struct buf *b, const struct report_rule *r)
{
	char why[1024];

	if (r->deny == DENY_NOT_ASKED)
		return;
	deny_say(r->deny, r->deny_text, why, sizeof(why));
	if (r->deny == DENY_KERNEL && r->ndenied < r->nclauses)
		buf_printf(b, "  deny: on %u of %u clauses; for the others the tables have no room\n", r->ndenied,
			   r->nclauses);
	else
		buf_printf(b, "  deny: %s, %s\n", r->deny == DENY_KERNEL ? "yes" : "no", why);
}

static void put_rule(struct buf *b, const struct report_rule *r)
{
	buf_printf(b, "rule %s (%s): the kernel decides %u of %u predicates\n", r->id, event_name(r->event),
		   kernel_preds(r), r->npreds);
	if (r->weak)
		buf_printf(b, "  more than %d clauses: some were joined and ask for less\n", CLAUSES_A_RULE);
	if (r->why_never)
		buf_printf(b, "  can never fire with this sensor: %s\n", r->why_never);
	else if (!r->nclauses)
		buf_puts(b, "  can never fire\n");
	put_deny(b, r);
	for (uint32_t i = 0; i < r->nclauses; i++) {
		const struct report_clause *c = &r->clauses[i];

		buf_printf(b, "  clause %-3u  %s", c->bit,
			   clause_is_open(c) ? "(anything): every event of the type passes" : c->text);
		if (c->shared)
			buf_printf(b, "   [bit shared with %u]", c->shared);
		buf_putc(b, '\n');
	}
	for (uint32_t i = 0; i < r->npreds; i++) {
		const struct report_pred *p = &r->preds[i];

		buf_printf(b, "  %-10s  %s",
			   p->why <= WHY_UNSET	  ? "kernel"
			   : p->why == WHY_UNSEEN ? "known"
						  : "user space",
			   p->text);
		if (p->why != WHY_KERNEL) {
			buf_puts(b, "   -- ");
			put_why(b, p);
		}
		if (p->weakened)
			buf_puts(b, "   -- its beginning only: the automaton was too large");
		buf_putc(b, '\n');
	}
}

static void put_text(struct buf *b, const struct sieve_report *r, const char *rule)
{
	for (unsigned i = 0; i < EV_TYPES && !rule; i++)
		put_event(b, &r->events[i]);
	if (!rule)
		buf_printf(b, "tables: %u of %u states, %u of %u transitions, %u of %u masks\n\n", r->states, SV_STATES,
			   r->trans, SV_TRANS, r->masks, SV_MASKS);
	if (!rule && r->masks_left)
		buf_printf(b, "no room for %u masks: larger ones are used\n\n", r->masks_left);
	for (uint32_t i = 0; i < r->nrules; i++)
		if (r->rules[i].id && (!rule || strcmp(r->rules[i].id, rule) == 0))
			put_rule(b, &r->rules[i]);
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

/* stars: absent where all are kept */
static void json_automaton(struct jsonw *w, const struct report_automaton *a, const char *name)
{
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "bytes", automaton_bytes(a));
	jsonw_member_u64(w, "classes", a->classes);
	jsonw_member_bool(w, "cut", a->cut);
	jsonw_member_str(w, "of", name);
	jsonw_member_u64(w, "patterns", a->patterns);
	if (a->stars >= 0)
		jsonw_member_u64(w, "stars", (uint64_t)a->stars);
	jsonw_member_u64(w, "states", a->states);
	jsonw_member_u64(w, "weakened", a->weakened);
	jsonw_obj_end(w);
}

static void json_event(struct jsonw *w, const struct report_event *e)
{
	jsonw_obj_begin(w);
	jsonw_key(w, "automata");
	jsonw_arr_begin(w);
	for (unsigned k = 0; k < SV_AUTOMATA; k++)
		json_automaton(w, &e->automata[k], automaton_name(e->event, k));
	jsonw_arr_end(w);
	jsonw_member_u64(w, "bits", e->bits);
	jsonw_member_u64(w, "clauses", e->clauses);
	jsonw_member_str(w, "event", event_name(e->event));
	jsonw_member_u64(w, "numbers", e->preds);
	jsonw_member_u64(w, "numbers_left", e->preds_left);
	jsonw_member_u64(w, "open_rules", e->open);
	jsonw_member_u64(w, "rules", e->rules);
	jsonw_obj_end(w);
}

static void json_clause(struct jsonw *w, const struct report_clause *c)
{
	jsonw_obj_begin(w);
	jsonw_member_u64(w, "bit", c->bit);
	jsonw_member_bool(w, "open", clause_is_open(c));
	jsonw_member_u64(w, "shared", c->shared);
	jsonw_member_str(w, "text", c->text);
	jsonw_obj_end(w);
}

static void json_pred(struct jsonw *w, const struct report_pred *p)
{
	jsonw_obj_begin(w);
	jsonw_member_str(w, "decided",
			 p->why == WHY_KERNEL	? "kernel"
			 : p->why <= WHY_UNSET	? "partly"
			 : p->why == WHY_UNSEEN ? "known"
						: "user");
	if (p->field)
		jsonw_member_str(w, "field", p->field);
	jsonw_member_str(w, "text", p->text);
	jsonw_member_bool(w, "weakened", p->weakened);
	jsonw_member_str(w, "why", whys[p->why].key);
	jsonw_obj_end(w);
}

static void json_rule(struct jsonw *w, const struct report_rule *r)
{
	jsonw_obj_begin(w);
	jsonw_key(w, "clauses");
	jsonw_arr_begin(w);
	for (uint32_t i = 0; i < r->nclauses; i++)
		json_clause(w, &r->clauses[i]);
	jsonw_arr_end(w);
	if (r->deny != DENY_NOT_ASKED) {
		jsonw_key(w, "deny");
		jsonw_obj_begin(w);
		jsonw_member_u64(w, "clauses", r->ndenied);
		if (r->deny_text)
			jsonw_member_str(w, "predicate", r->deny_text);
		jsonw_member_str(w, "why", deny_word(r->deny));
		jsonw_obj_end(w);
	}
	jsonw_member_str(w, "event", event_name(r->event));
	jsonw_member_str(w, "id", r->id);
	jsonw_member_bool(w, "joined", r->weak);
	jsonw_member_u64(w, "kernel_predicates", kernel_preds(r));
	if (r->why_never)
		jsonw_member_str(w, "never", r->why_never);
	jsonw_key(w, "predicates");
	jsonw_arr_begin(w);
	for (uint32_t i = 0; i < r->npreds; i++)
		json_pred(w, &r->preds[i]);
	jsonw_arr_end(w);
	jsonw_obj_end(w);
}

static void put_json(struct buf *b, const struct sieve_report *r, const char *rule)
{
	struct jsonw w = jsonw_to(b);

	jsonw_obj_begin(&w);
	jsonw_key(&w, "events");
	jsonw_arr_begin(&w);
	for (unsigned i = 0; i < EV_TYPES && !rule; i++)
		if (r->events[i].rules)
			json_event(&w, &r->events[i]);
	jsonw_arr_end(&w);
	jsonw_key(&w, "rules");
	jsonw_arr_begin(&w);
	for (uint32_t i = 0; i < r->nrules; i++)
		if (r->rules[i].id && (!rule || strcmp(r->rules[i].id, rule) == 0))
			json_rule(&w, &r->rules[i]);
	jsonw_arr_end(&w);
	jsonw_key(&w, "tables");
	jsonw_obj_begin(&w);
	jsonw_member_u64(&w, "masks", r->masks);
	jsonw_member_u64(&w, "masks_left", r->masks_left);
	jsonw_member_u64(&w, "states", r->states);
	jsonw_member_u64(&w, "transitions", r->trans);
	jsonw_obj_end(&w);
	jsonw_obj_end(&w);
	buf_putc(b, '\n');
}

static bool has_rule(const struct sieve_report *r, const char *rule)
{
	for (uint32_t i = 0; i < r->nrules; i++)
		if (r->rules[i].id && strcmp(r->rules[i].id, rule) == 0)
			return true;
	return false;
}

int explain_print(FILE *f, const struct sieve_report *r, const char *rule, bool json)
{
	struct buf b;
	int ret;

	if (rule && !has_rule(r, rule))
		return -ENOENT;
	buf_init(&b, OUT_MAX);
	if (json)
		put_json(&b, r, rule);
	else
		put_text(&b, r, rule);
	ret = buf_error(&b);
	if (ret == 0 && fwrite(b.data, 1, b.len, f) != b.len)
		ret = errno ? -errno : -EIO;
	buf_done(&b);
	return ret;
}
