/* SPDX-License-Identifier: Apache-2.0 */
/* What the sensor cannot observe yet: rules on it, events with it in JSON, and what is said of whether a rule can fire. */
#include "tests/unit/policy_bench.h"

#include <errno.h>

#include "bpf/lib/sieve.bpf.h"
#include "engine/engine.h"
#include "lib/buf.h"
#include "lib/event_json.h"
#include "policy-compiler/sieve_build.h"

/* ---- events in JSON ------------------------------------------------------------------------------------------------ */

static const char ptrace[] = "{\"event\":{\"async\":false,\"origin\":\"x\",\"retval\":0,\"type\":\"ptrace\"},"
			     "\"process\":{\"pid\":3,\"comm\":\"gdb\",\"parent\":{\"pid\":2,\"comm\":\"sh\"}},"
			     "\"ptrace\":{\"request\":\"PTRACE_ATTACH\",\"tracee\":{\"pid\":9,\"comm\":\"login\","
			     "\"user_session\":{\"ssh_username\":\"bob\",\"k8s_groups\":[\"a\",\"b\"]},"
			     "\"interpreter\":{\"file\":{\"path\":\"/usr/bin/python3.py\",\"mode\":33261}},"
			     "\"parent\":{\"file\":{\"path\":\"/usr/sbin/sshd\"}},"
			     "\"ancestors\":[{\"pid\":5,\"argv\":[\"-D\"]},{\"pid\":1,\"comm\":\"init\"}]}}}";

struct fixture {
	struct event_mem mem;
	struct event ev;
};

static void read_ok(struct fixture *f, const char *json)
{
	struct err err = { .msg = "" };

	event_mem_init(&f->mem, EVENT_MEM_MAX);
	if (event_json_read(catalog_tamis(), json, strlen(json), &f->mem, &f->ev, &err) < 0)
		fail_msg("%s", err.msg);
}

static struct val get(const struct fixture *f, const char *name)
{
	const struct cat_field *field = catalog_field(catalog_tamis(), name, strlen(name));

	assert_non_null(field);
	return catalog_get(field, &f->ev);
}

static void is_str(struct val v, const char *want)
{
	assert_int_equal(v.len, strlen(want));
	assert_memory_equal(v.s, want, v.len);
}

static void check_ptrace(const struct fixture *f)
{
	assert_int_equal(f->ev.type, EV_PTRACE);
	assert_int_equal(get(f, "process.pid").num, 3);
	assert_int_equal(get(f, "process.parent.pid").num, 2);
	assert_int_equal(get(f, "ptrace.request").num, 16);
	assert_int_equal(get(f, "ptrace.tracee.pid").num, 9);
	is_str(get(f, "ptrace.tracee.user_session.ssh_username"), "bob");
	assert_int_equal(get(f, "ptrace.tracee.user_session.k8s_groups").len, 2);
	/* "parent" and the first ancestor are one process; names and rights follow from paths and modes */
	assert_int_equal(get(f, "ptrace.tracee.parent.pid").num, 5);
	is_str(get(f, "ptrace.tracee.parent.file.name"), "sshd");
	assert_int_equal(get(f, "ptrace.tracee.interpreter.file.rights").num, 0755);
	is_str(get(f, "ptrace.tracee.interpreter.file.extension"), ".py");
	/* what nobody gave is empty, with or without room for it */
	assert_int_equal(get(f, "ptrace.tracee.file.hashes").len, 0);
	assert_int_equal(get(f, "process.user_session.ssh_username").len, 0);
	assert_ptr_equal(f->ev.target->parent->parent->parent, NULL);
	is_str(f->ev.target->parent->parent->v[SLOT_PROC_COMM], "init");
}

static void target_round_trip(void **state)
{
	struct event_json *ej;
	struct buf out;
	struct fixture a, b;

	read_ok(&a, ptrace);
	check_ptrace(&a);
	buf_init(&out, 1 << 20);
	assert_int_equal(event_json_new(catalog_tamis(), &ej), 0);
	event_json_write(ej, &a.ev, &out);
	assert_int_equal(buf_error(&out), 0);
	buf_putc(&out, 0);
	read_ok(&b, (const char *)out.data);
	check_ptrace(&b);
	/* in the order of their names, each once */
	assert_non_null(strstr((const char *)out.data, "\"ptrace\":{\"request\":16,\"tracee\":{\"ancestors\":["));
	event_json_free(ej);
	buf_done(&out);
	event_mem_done(&a.mem);
	event_mem_done(&b.mem);
}

static void family_round_trip(void **state)
{
	struct event_json *ej;
	struct buf out;
	struct fixture f;

	read_ok(&f,
		"{\"network\":{\"size\":60,\"destination\":{\"ip\":\"9.9.9.9\"}},\"dns\":{\"question\":{\"name\":\"A.b\"}},"
		"\"process\":{\"pid\":1}}");
	assert_int_equal(f.ev.type, EV_DNS);
	assert_int_equal(get(&f, "network.size").num, 60);
	assert_int_equal(get(&f, "network.destination.is_public").num, 1);
	buf_init(&out, 1 << 20);
	assert_int_equal(event_json_new(catalog_tamis(), &ej), 0);
	event_json_write(ej, &f.ev, &out);
	buf_putc(&out, 0);
	event_mem_done(&f.mem);
	read_ok(&f, (const char *)out.data);
	assert_int_equal(get(&f, "network.size").num, 60);
	is_str(get(&f, "dns.question.name"), "A.b");
	event_json_free(ej);
	buf_done(&out);
	event_mem_done(&f.mem);
	/* the family alone does not tell which event it was */
	read_ok(&f, "{\"network\":{\"size\":60}}");
	assert_int_equal(f.ev.type, EV_NONE);
	event_mem_done(&f.mem);
}

static void numbers_of_the_kernel_stay(void **state)
{
	const struct catalog *c = catalog_tamis();

	assert_int_equal(c->nevents, EV_ALL_TYPES);
	for (uint16_t t = 1; t < c->nevents; t++)
		if (c->events[t].name && !c->events[t].is_family)
			assert_int_equal(t < EV_TYPES, c->events[t].why_unseen == NULL);
	for (size_t i = 0; i < c->nfields; i++) {
		const struct cat_field *f = &c->fields[i];
		uint16_t index;

		assert_int_equal((f->flags & CF_UNSEEN) != 0, catalog_why_unseen(c, f) != NULL);
		for (uint16_t t = 1; (f->flags & CF_UNSEEN) && t < c->nevents; t++)
			assert_int_equal(catalog_sieve(c, f, t, &index), CAT_SIEVE_NONE);
		if (f->home == CAT_HOME_PROC && f->slot >= SLOT_PROC_SEEN)
			assert_int_equal(f->kind, 'U');
	}
}

/* ---- rules --------------------------------------------------------------------------------------------------------- */

static bool fires(const char *expression, const char *json)
{
	struct policy_bench b;
	struct fixture f;
	struct engine *e;
	struct program p;
	struct err err;
	uint32_t root;
	bool ret;

	if (bench_expression(&b, expression, &root) < 0)
		fail_msg("%s", bench_diag(&b, 0));
	p = program_view(b.compile->builder);
	assert_int_equal(engine_new(&p, &e, &err), 0);
	read_ok(&f, json);
	assert_int_equal(engine_eval_node(e, root, &f.ev, &ret), 0);
	event_mem_done(&f.mem);
	engine_free(e);
	bench_end(&b);
	return ret;
}

static void rules_on_the_target(void **state)
{
	assert_true(fires("ptrace.request == PTRACE_ATTACH && ptrace.tracee.parent.file.name == \"sshd\"", ptrace));
	assert_true(fires("ptrace.tracee.ancestors.length == 2 && process.ancestors.length == 1", ptrace));
	assert_true(fires("ptrace.tracee.ancestors.comm == \"init\" && process.ancestors.comm != \"init\"", ptrace));
	assert_true(
		fires("ptrace.tracee.ancestors[A].pid == 1 && ptrace.tracee.ancestors[A].comm == \"init\"", ptrace));
	assert_false(
		fires("ptrace.tracee.ancestors[A].pid == 5 && ptrace.tracee.ancestors[A].comm == \"init\"", ptrace));
	assert_true(fires("ptrace.tracee.ancestors[A].argv in [\"-D\"]", ptrace));
	assert_true(fires("ptrace.tracee.ancestors.argv == \"-D\"", ptrace));
	assert_true(fires("ptrace.tracee.user_session.k8s_groups == \"b\" && process.user_session.k8s_groups != \"b\"",
			  ptrace));
	assert_true(fires("network.size > 50 && dns.question.name == \"a.B\"",
			  "{\"network.size\":60,\"dns.question.name\":\"A.b\"}"));
	assert_true(fires(
		"network_flow_monitor.flows[A].source.port == 1 && network_flow_monitor.flows[A].l4_protocol == IP_PROTO_UDP",
		"{\"network_flow_monitor.flows.source.port\":[2,1],\"network_flow_monitor.flows.l4_protocol\":[6,17]}"));
}

/* The sensor's catalog, but for what is observed: that is to stay as these tests have it. */
static const struct catalog *frozen(void)
{
	static const char *const unseen[] = { ".hashes",   ".package.",	 ".mount_detached",
					      ".syscall.", ".caps_used", ".interpreter.",
					      ".k8s_" };
	static struct cat_event events[EV_ALL_TYPES];
	static struct cat_field fields[4096];
	static struct catalog c;

	c = *catalog_tamis();
	assert_true(c.nfields <= sizeof(fields) / sizeof(fields[0]) && c.nevents == EV_ALL_TYPES);
	memcpy(fields, c.fields, c.nfields * sizeof(fields[0]));
	memcpy(events, c.events, sizeof(events));
	c.fields = fields;
	c.events = events;
	for (size_t i = 0; i < c.nevents; i++)
		events[i].why_unseen = i == EV_PTRACE ? "for these tests" : NULL;
	for (size_t i = 0; i < c.nfields; i++) {
		fields[i].flags &= (uint8_t)~CF_UNSEEN;
		for (size_t k = 0; k < sizeof(unseen) / sizeof(unseen[0]); k++)
			if (strstr(fields[i].name, unseen[k]) || fields[i].event == EV_PTRACE)
				fields[i].flags |= CF_UNSEEN;
	}
	return &c;
}

/* One rule's expression; the first diagnostic of a policy with it, and what was found out about whether it can fire. */
static void says(const char *expression, enum sight sight, const char *want)
{
	struct policy_bench b;
	char yaml[512];
	const char *got;

	snprintf(yaml, sizeof(yaml), "rules:\n  - id: r\n    expression: '%s'\n", expression);
	b = (struct policy_bench){ .diags = diags_new() };
	assert_int_equal(compile_new(frozen(), &b.diags, &b.compile), 0);
	assert_int_equal(compile_add_text(b.compile, "policy.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(b.compile), 0);
	assert_int_equal(b.diags.errors, 0);
	assert_int_equal(b.compile->rules[0]->sight, sight);
	assert_true(b.diags.n <= 1);
	got = bench_diag(&b, 0);
	if (!strstr(got, want) || !*want != !*got)
		fail_msg("%s: \"%s\" is not said in \"%s\"", expression, want, got);
	bench_end(&b);
}

#define HASHED "open.file.hashes == \"x\""

static void can_it_fire(void **state)
{
	says("open.file.path == \"/a\"", SIGHT_FIRES, "");
	says("ptrace.request != 3", SIGHT_UNSEEN,
	     "3:18: warning: the rule r can never fire with this sensor: it cannot observe ptrace events (for these tests)");
	says(HASHED " && open.file.path == \"/a\"", SIGHT_UNSEEN,
	     "cannot observe open.file.hashes (nothing fills it in yet)");
	says("open.file.path == \"/a\" || " HASHED, SIGHT_FIRES,
	     "so in the rule r the part open.file.hashes == \"x\" is never true");
	says("open.file.path == \"/a\" && !(" HASHED ")", SIGHT_FIRES, "is always true");
	says("open.file.path == \"/a\" && (" HASHED " || open.flags == 1)", SIGHT_FIRES, "is never true");
	/* empty, 0 and false can be what a rule asks for */
	says("open.file.package.name == \"\"", SIGHT_FIRES, "part open.file.package.name == \"\" is always true");
	says("open.file.package.name == \"a\"", SIGHT_UNSEEN, "it cannot observe");
	says("open.file.package.name !~ \"x*\"", SIGHT_FIRES, "always true");
	says("open.file.package.name =~ \"a*\"", SIGHT_UNSEEN, "it cannot observe");
	says("open.file.package.name == r\"^\"", SIGHT_FIRES, "always true");
	says("open.file.package.name == r\".+\"", SIGHT_UNSEEN, "it cannot observe");
	says("open.file.package.name in [\"\", \"a\"]", SIGHT_FIRES, "always true");
	says("open.file.package.name.length == 0", SIGHT_FIRES, "always true");
	says("open.file.package.epoch >= 1", SIGHT_UNSEEN, "it cannot observe");
	says("open.file.package.epoch in [0, 1]", SIGHT_FIRES, "always true");
	says("open.syscall.flags & O_CREAT > 0", SIGHT_UNSEEN, "it cannot observe");
	says("open.file.package.epoch + open.flags > 0", SIGHT_FIRES, "in the rule r it is always 0");
	says("open.file.mount_detached && open.flags > 0", SIGHT_UNSEEN, "it cannot observe");
	says("!open.file.mount_detached && open.flags > 0", SIGHT_FIRES, "always true");
	says("open.file.package.name == open.file.name", SIGHT_FIRES, "it is always empty");
	/* each of all ancestors has the empty value; nobody knows how many there are */
	says("open.flags > 0 && process.ancestors.interpreter.file.name == \"a\"", SIGHT_UNSEEN, "it cannot observe");
	says("open.flags > 0 && process.ancestors.interpreter.file.name == \"\"", SIGHT_FIRES, "it is always empty");
	says("open.flags > 0 && process.ancestors.user_session.k8s_groups == \"\"", SIGHT_UNSEEN, "it cannot observe");
	says("open.flags > 0 && process.ancestors[A].caps_used > 0", SIGHT_UNSEEN, "it cannot observe");
	says("open.flags > 0 && process.ancestors[A].caps_used == 0", SIGHT_FIRES, "it is always 0");
	says("open.flags > 0 && open.flags < 0 && false", SIGHT_NEVER, "the rule can never fire");
}

/* A rule that stands for several fires where one of them does, and says once what goes for all. */
static void rewritten_rules(void **state)
{
	says("fim.write.file.path == \"/a\"", SIGHT_FIRES, "");
	says("fim.write.file.hashes == \"/a\"", SIGHT_UNSEEN,
	     "the rule r can never fire with this sensor: it cannot observe open.file.hashes");
	says("fim.write.file.path == \"/a\" && process.user_session.k8s_uid != \"x\"", SIGHT_FIRES,
	     "in the rule r the part");
}

/* ---- the sieve ------------------------------------------------------------------------------------------------------ */

static struct sieve sieve;

static bool wanted(uint16_t event)
{
	return !sv_mask_zero(&sieve.event[event].clauses);
}

/* Whether the kernel lets a chmod of that path pass. */
static bool passes(const char *path)
{
	const struct sv_event *e = &sieve.event[EV_CHMOD];
	const struct sv_automaton *a = &e->automata[SV_AUT_PATH0];
	struct sv_mask alive = e->clauses;
	ev_u32 state = 0;

	for (const char *c = path; a->used && *c; c++)
		state = (ev_u32)sv_dfa_step(&sieve, a, state, (ev_u8)*c);
	if (a->used)
		sv_mask_and(&alive, sv_final_mask(&sieve, a, state));
	return !sv_mask_zero(&alive);
}

/* A variable that is set where @setter holds, rules on it, and one that goes without what is not observed. */
static bool is_idle(const char *setter)
{
	struct policy_bench b = { .diags = diags_new() };
	struct program p;
	struct err e;
	char yaml[1024];
	bool idle;

	snprintf(
		yaml, sizeof(yaml),
		"rules:\n"
		"- {id: a, expression: '%s', actions: [{set: {name: v, field: open.file.path, scope: cgroup, append: true}}]}\n"
		"- {id: b, expression: 'unlink.file.path in ${cgroup.v}', actions: [{set: {name: w, value: true}}]}\n"
		"- {id: c, expression: 'rename.file.path != \"/x\" && ${w}'}\n"
		"- {id: d, expression: 'chmod.file.path == \"/d\" || (chmod.file.mode > 0 && chmod.file.hashes == \"x\")'}\n",
		setter);
	assert_int_equal(compile_new(frozen(), &b.diags, &b.compile), 0);
	assert_int_equal(compile_add_text(b.compile, "policy.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(b.compile), 0);
	if (b.diags.errors)
		fail_msg("%s", bench_diag(&b, 0));
	if (sieve_build(b.compile->builder, NULL, NULL, &sieve, &e) < 0)
		fail_msg("%s", e.msg);
	p = program_view(b.compile->builder);
	assert_int_equal(p.nvars, 2);
	assert_int_equal(p.vars[0].flags & VAR_IDLE, p.vars[1].flags & VAR_IDLE);
	idle = p.vars[0].flags & VAR_IDLE;
	bench_end(&b);
	return idle;
}

/* What can never hold lets nothing through; and what only such rules set is never set, nor what those set that ask for it. */
static void in_the_sieve(void **state)
{
	assert_true(is_idle("open.file.path == \"/a\" && " HASHED));
	assert_false(wanted(EV_OPEN) || wanted(EV_UNLINK) || wanted(EV_RENAME));
	assert_true(passes("/d"));
	assert_false(passes("/e"));
	assert_false(is_idle("open.file.path == \"/a\" || " HASHED));
	assert_true(wanted(EV_OPEN) && wanted(EV_UNLINK) && wanted(EV_RENAME));
}

static void families(void **state)
{
	struct policy_bench b;

	bench_policy(&b, "rules:\n  - {id: r, expression: network.size > 0}\n");
	assert_starts(bench_diag(&b, 0),
		      "2:25: error: network.size is a field of several event types: the rule does not say");
	bench_end(&b);
	bench_policy(&b, "rules:\n  - {id: r, expression: network.size > 0 && open.flags == 1}\n");
	assert_starts(bench_diag(&b, 0), "2:45: error: open.flags is a field of \"open\" events, but network.size");
	bench_end(&b);
	bench_policy(&b, "rules:\n  - {id: r, expression: network.size > 0 && imds.host == \"x\" && dns.id == 1}\n");
	assert_starts(bench_diag(&b, 0), "2:65: error: dns.id is a field of \"dns\" events, but imds.host");
	bench_end(&b);
	bench_policy(&b,
		     "rules:\n  - {id: r, expression: dns.id == 1 && network.size > 0 && network.source.port == 1}\n");
	assert_int_equal(b.diags.errors, 0);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(target_round_trip),
		cmocka_unit_test(family_round_trip),
		cmocka_unit_test(numbers_of_the_kernel_stay),
		cmocka_unit_test(rules_on_the_target),
		cmocka_unit_test(can_it_fire),
		cmocka_unit_test(in_the_sieve),
		cmocka_unit_test(families),
		cmocka_unit_test(rewritten_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
