/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <string.h>

#include "policy-compiler/cli.h"
#include "policy-compiler/schema.h"

#define SCHEMA_MAX (1u << 20)

int cmd_schema(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	enum schema_kind kind = SCHEMA_POLICY;
	struct buf out;
	int o, r;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o == 'h')
			return cli_help("schema");
		return cli_usage("schema", "not an option of it");
	}
	if (optind < argc && strcmp(argv[optind], "test") == 0)
		kind = SCHEMA_TEST;
	else if (optind < argc && strcmp(argv[optind], "policy") != 0)
		return cli_usage("schema", "there are schemas of policy and test, not of %s", argv[optind]);
	if (optind + 1 < argc)
		return cli_usage("schema", "one at a time");
	buf_init(&out, SCHEMA_MAX);
	schema_put(kind, &out);
	r = cli_put(&out);
	buf_done(&out);
	return r;
}
