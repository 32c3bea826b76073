/* SPDX-License-Identifier: Apache-2.0 */

/* Facts of hosts, and filters from a policy's text to rules that are off: lib/host.h, docs/policies.md "Filters". */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "engine/engine.h"
#include "lib/buf.h"
#include "lib/host.h"
#include "policy-compiler/compile.h"
#include "sensor/priv/hostinfo.h"

static void fields_are_sorted_by_name(void **state)
{
	const struct catalog *c = host_catalog();

	for (size_t i = 0; i < c->nfields; i++) {
		assert_int_equal(c->fields[i].slot, i);
		assert_ptr_equal(catalog_field(c, c->fields[i].name, strlen(c->fields[i].name)), &c->fields[i]);
	}
}

static bool is(const struct host_facts *f, enum host_fact slot, const char *text)
{
	const struct val *v = &f->event.v[slot];

	return v->len == strlen(text) && memcmp(v->len ? v->s : "", text, v->len) == 0;
}

static void releases_of_the_kernel(void **state)
{
	static const struct {
		const char *release;
		int major, minor, patch, abi;
		const char *flavor;
	} cases[] = {
		{ "6.1.0-18-amd64", 6, 1, 0, 18, "amd64" },
		{ "5.15.0-1051-aws", 5, 15, 0, 1051, "aws" },
		{ "6.18.5", 6, 18, 5, 0, "" },
		{ "4.18.0-513.el8.x86_64", 4, 18, 0, 513, "" },
		{ "6.9-rc1", 6, 9, 0, 0, "rc1" },
		{ "7.2.1-cloud-arm64", 7, 2, 1, 0, "cloud-arm64" },
		{ "", 0, 0, 0, 0, "" },
		{ "x.y", 0, 0, 0, 0, "" },
	};
	struct host_facts f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct host_source from = { .kernel_release = cases[i].release };

		host_facts(&from, &f);
		assert_int_equal(f.event.v[HOST_KERNEL_MAJOR].num, cases[i].major);
		assert_int_equal(f.event.v[HOST_KERNEL_MINOR].num, cases[i].minor);
		assert_int_equal(f.event.v[HOST_KERNEL_PATCH].num, cases[i].patch);
		assert_int_equal(f.event.v[HOST_KERNEL_ABI].num, cases[i].abi);
		if (!is(&f, HOST_KERNEL_FLAVOR, cases[i].flavor))
			fail_msg("%s: another flavor than %s", cases[i].release, cases[i].flavor);
	}
}

static void systems_are_known_by_id_and_version(void **state)
{
	static const struct {
		const char *os_release;
		unsigned int kinds; /* bits of the slots from HOST_IS_AMAZON_LINUX on */
	} cases[] = {
#define KIND(SLOT) (1u << (HOST_IS_##SLOT - HOST_IS_AMAZON_LINUX))
		{ "NAME=x\nID=debian\nVERSION_ID=\"12\"\n", KIND(DEBIAN) },
		{ "ID=\"rhel\"\nVERSION_ID=\"8.9\"", KIND(RHEL) | KIND(RHEL8) },
		{ "VERSION_ID='7'\nID=\"centos\"\n", KIND(RHEL) | KIND(RHEL7) },
		{ "ID=rhel\nVERSION_ID=80\n", KIND(RHEL) },
		{ "ID=sles\nVERSION_ID=\"15.5\"\n", KIND(SLES) | KIND(SLES15) },
		{ "ID=amzn\n", KIND(AMAZON_LINUX) },
		{ "ID_LIKE=debian\nXID=debian\n", 0 },
		{ "", 0 },
#undef KIND
	};
	struct host_facts f;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct host_source from = { .os_release = cases[i].os_release };

		host_facts(&from, &f);
		for (unsigned int k = HOST_IS_AMAZON_LINUX; k <= HOST_IS_SLES15; k++)
			if (f.event.v[k].num != (cases[i].kinds >> (k - HOST_IS_AMAZON_LINUX) & 1))
				fail_msg("%s: %s", cases[i].os_release, host_catalog()->fields[k].name);
	}
}

/* ---- from text to rules that are off ------------------------------------------------------------------------------- */

static struct compile *compiled(struct diags *d, const char *yaml)
{
	struct compile *c;

	*d = diags_new();
	assert_int_equal(compile_new(catalog_tamis(), d, &c), 0);
	assert_int_equal(compile_add_text(c, "p.yaml", yaml, strlen(yaml)), 0);
	assert_int_equal(compile_finish(c), 0);
	return c;
}

/* Whether the rule of number i of the program holds on that host. */
static bool holds(const struct compile *c, uint32_t i, const struct host_source *from)
{
	struct program filters = program_view(c->filters), p = program_view(c->builder);
	struct engine *e;
	struct host_facts f;
	const uint32_t *fired;
	struct err err;
	bool found = !p.rules[i].filter;
	size_t n;

	assert_int_equal(engine_new(&filters, &e, &err), 0);
	host_facts(from, &f);
	n = engine_eval(e, &f.event, &fired);
	for (size_t k = 0; k < n; k++)
		found |= fired[k] + 1 == p.rules[i].filter;
	engine_free(e);
	return found;
}

static void filters_become_a_program(void **state)
{
	static const char *const environment[] = { "ROLE=web", "A=1", NULL };
	static const struct {
		const char *filters;
		bool holds;
	} cases[] = {
		{ "[os.is_debian]", true },
		{ "['os == \"linux\"', os.is_debian == true]", true },
		{ "[os.is_debian, kernel.version.major >= 7]", false },
		{ "['os.id in [\"ubuntu\", \"debian\"] && kernel.version.minor == 1']", true },
		{ "['os.version_id =~ \"1*\"']", true },
		{ "['\"ROLE=web\" in envs']", true },
		{ "['\"ROLE=db\" in envs']", false },
		{ "['hostname == r\"^web-[0-9]+$\"']", true },
		{ "['kernel.version.flavor != \"amd64\"']", false },
		{ "['origin == \"ebpf\" && kernel.core.enabled']", true },
		{ "['os == \"linux\"']", true },
		{ "[not os.is_rhel]", true },
	};
	const struct host_source from = { .os_release = "ID=debian\nVERSION_ID=\"12\"\n",
					  .kernel_release = "6.1.0-18-amd64",
					  .hostname = "web-7",
					  .environment = environment,
					  .core = true };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct compile *c;
		struct diags d;
		char yaml[400];

		snprintf(yaml, sizeof(yaml), "rules: [{id: r, expression: 'open.file.path == \"/x\"', filters: %s}]\n",
			 cases[i].filters);
		c = compiled(&d, yaml);
		if (d.n)
			fail_msg("%s: %s", cases[i].filters, d.v[0].msg);
		assert_int_equal(program_view(c->builder).nrules, 1);
		if (holds(c, 0, &from) != cases[i].holds)
			fail_msg("%s", cases[i].filters);
		compile_free(c);
		diags_done(&d);
	}
}

static void what_is_wrong_with_a_filter_leaves_the_rule_out(void **state)
{
	static const char *const bad[] = { "os.idd == 3",      "os.id > 3",    "kernel.version.major",
					   "process.uid == 0", "os.id == \"x", "${x} == 1" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct compile *c;
		struct diags d;
		char yaml[400];

		snprintf(yaml, sizeof(yaml),
			 "rules: [{id: r, expression: 'open.file.path == \"/x\"', filters: ['%s']}]\n", bad[i]);
		c = compiled(&d, yaml);
		assert_true(d.errors > 0);
		assert_int_equal(program_view(c->builder).nrules, 0);
		compile_free(c);
		diags_done(&d);
	}
}

/* This host is linux, and no host is both debian and sles. */
static void rules_for_other_hosts_are_off(void **state)
{
	static const char yaml[] =
		"rules:\n"
		"  - {id: here, expression: 'open.file.path == \"/x\"', filters: ['hostname != \"\"']}\n"
		"  - {id: nowhere, expression: 'open.file.path == \"/x\"', filters: [os.is_debian, os.is_sles]}\n"
		"  - {id: always, expression: 'open.file.path == \"/x\"'}\n";
	struct diags d;
	struct compile *c = compiled(&d, yaml);
	struct program built = program_view(c->builder), filters = program_view(c->filters), p;
	struct buf bytes, filter_bytes;
	struct event ev = { .type = EV_OPEN, .alive = { ~0ull, ~0ull, ~0ull, ~0ull } };
	const uint32_t *fired;
	struct engine *e;
	struct err err;
	uint32_t off = 0;

	buf_init(&bytes, 1 << 20);
	buf_init(&filter_bytes, 1 << 20);
	assert_int_equal(d.n, 0);
	assert_int_equal(program_save(&built, &bytes), 0);
	assert_int_equal(program_save(&filters, &filter_bytes), 0);
	assert_int_equal(program_load(catalog_tamis(), bytes.data, bytes.len, &p, &err), 0);
	/* filters of another program: one is missing */
	assert_int_equal(hostinfo_filter(bytes.data, bytes.len, &p, (struct prule *)p.rules, &off, &err), -EBADMSG);
	assert_int_equal(hostinfo_filter(filter_bytes.data, filter_bytes.len, &p, (struct prule *)p.rules, &off, &err),
			 0);
	assert_int_equal(off, 1);
	ev.v[SLOT_OPEN_FILE_PATH] = (struct val){ .s = "/x", .len = 2 };
	assert_int_equal(engine_new(&p, &e, &err), 0);
	assert_int_equal(engine_eval(e, &ev, &fired), 2);
	assert_int_equal(fired[0], 0);
	assert_int_equal(fired[1], 2);
	engine_free(e);
	buf_done(&bytes);
	buf_done(&filter_bytes);
	compile_free(c);
	diags_done(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_sorted_by_name),
		cmocka_unit_test(releases_of_the_kernel),
		cmocka_unit_test(systems_are_known_by_id_and_version),
		cmocka_unit_test(filters_become_a_program),
		cmocka_unit_test(what_is_wrong_with_a_filter_leaves_the_rule_out),
		cmocka_unit_test(rules_for_other_hosts_are_off),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
