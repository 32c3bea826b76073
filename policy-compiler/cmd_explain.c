/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "lib/near.h"
#include "policy-compiler/cli.h"
#include "policy-compiler/explain.h"
#include "policy-compiler/name_rules.h"
#include "policy-compiler/watch_rules.h"

static int no_such_rule(const struct compile *c, const char *id)
{
	const struct compile_rule *whole = strmap_get(&c->by_id, id, strlen(id));
	struct near near = near_to(id, strlen(id));

	if (whole && whole->nparts)
		return cli_fail("the rule %s stands for %zu rules, the first of which is %s", id, whole->nparts,
				whole->parts[0]->id);
	for (size_t i = 0; i < c->nrules; i++) {
		if (strcmp(c->rules[i]->id, id) == 0)
			return cli_fail("the rule %s is %s", id,
					c->rules[i]->disabled ? "switched off" : "left out, because it has an error");
		near_try(&near, c->rules[i]->id);
	}
	if (near.best)
		return cli_fail("no rule %s; did you mean %s?", id, near.best);
	return cli_fail("no rule %s; `tamisc explain` without --rule lists all", id);
}

static int explain(struct compile *c, const struct workload *workload, const char *rule, bool json)
{
	_cleanup_free_ struct sieve *sieve = malloc(sizeof(*sieve));
	struct sieve_report report = { 0 };
	struct err err;
	int r;

	if (!sieve)
		return cli_fail("out of memory");
	if (watch_rules_add(c) < 0)
		return cli_fail("the watches are too much for one policy");
	if (name_rules_add(c) < 0)
		return cli_fail("the policy has no room for the rules that let names of addresses through");
	if (sieve_build(c->builder, workload, &report, sieve, &err) < 0)
		return cli_fail("%s", err.msg);
	for (size_t i = 0; i < c->nrules; i++)
		if (c->rules[i]->ok)
			report.rules[c->rules[i]->number].why_never = c->rules[i]->why_never;
	r = explain_print(stdout, &report, rule, json);
	sieve_report_done(&report);
	if (r == -ENOENT)
		return no_such_rule(c, rule);
	return r < 0 ? cli_fail("cannot print: %s", strerror(-r)) : CLI_OK;
}

/* Rules that have errors are left out, as the diagnostics say; the others are explained all the same. */
static int explain_policies(char **paths, int n, const char *workload_path, const char *rule, bool json)
{
	struct diags d = diags_new();
	_cleanup_(compile_free) struct compile *c = NULL;
	_cleanup_(workload_free) struct workload *workload = NULL;
	int r = cli_workload(workload_path, &workload);

	if (r == CLI_OK)
		r = cli_compile(paths, n, &d, &c) < 0 ? CLI_FAILED : CLI_OK;
	cli_print_diags(&d);
	if (r == CLI_OK)
		r = explain(c, workload, rule, json);
	if (d.errors)
		r = CLI_FAILED;
	diags_done(&d);
	return r;
}

int cmd_explain(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
						 { "rule", required_argument, NULL, 'r' },
						 { "compat-version", required_argument, NULL, 'c' },
						 { "workload", required_argument, NULL, 'w' },
						 { "help", no_argument, NULL, 'h' },
						 { 0 } };
	const char *rule = NULL, *workload = NULL;
	bool json = false;
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'j':
			json = true;
			break;
		case 'r':
			rule = optarg;
			break;
		case 'c':
			if (cli_set_compat("explain", optarg) != CLI_OK)
				return CLI_USAGE;
			break;
		case 'w':
			workload = optarg;
			break;
		case 'h':
			return cli_help("explain");
		default:
			return cli_usage("explain", "not an option of it, or without its argument");
		}
	}
	if (optind == argc)
		return cli_usage("explain", "name a policy file or a directory of policies");
	return explain_policies(argv + optind, argc - optind, workload, rule, json);
}
