/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-compiler/cli.h"

const struct cli_command cli_commands[] = {
	{ "check", "[--json] [--strict] [--no-lint=NAME] POLICY...", "Parses and type-checks policies", cmd_check,
	  "  --json     diagnostics as a JSON array on stdout\n"
	  "  --strict   warnings count as errors\n"
	  "  --no-lint NAME  without the warnings called [NAME]; more than once for several\n"
	  "  --compat-version V  the version that agent_version is compared with (7.80)\n" },
	{ "build", "-o OUT.tpb [--sign KEY.pem] [--keep-going] [--workload CAPTURE] POLICY...",
	  "Compiles policies to a bundle", cmd_build,
	  "  -o, --output FILE  the bundle\n"
	  "  --sign KEY.pem     sign it; without, tamisd loads it with --allow-unsigned only\n"
	  "  --keep-going       leave out rules that have errors\n"
	  "  --workload CAPTURE  where a policy is too large for the kernel's tables, keep what is precise on these events\n"
	  "  --compat-version V  the version that agent_version is compared with (7.80)\n" },
	{ "keygen", "-o KEY.pem", "Makes a key pair, KEY.pem and KEY.pub.pem, to sign and trust bundles", cmd_keygen,
	  "  -o, --output FILE  the private key (mode 0600); never overwritten\n" },
	{ "explain", "[--json] [--rule ID] [--workload CAPTURE] POLICY...",
	  "Shows what the kernel decides of each rule, what is left, and why", cmd_explain,
	  "  --json     as JSON on stdout\n"
	  "  --rule ID  this rule only\n"
	  "  --workload CAPTURE  as for build\n"
	  "  --compat-version V  the version that agent_version is compared with (7.80)\n" },
	{ "test", "[--tap | --json | --list] [--junit FILE] [--filter TEXT] [--update] [--strict-coverage] PATH...",
	  "Runs *.test.yaml files: which rules fire on which events", cmd_test,
	  "  --tap              results in the Test Anything Protocol\n"
	  "  --json             results and coverage as JSON\n"
	  "  --list             says which tests there are, and runs none\n"
	  "  --junit FILE       results as JUnit XML, too\n"
	  "  --filter TEXT      only tests with TEXT in their names\n"
	  "  --update           writes what fires into each \"snapshot:\"\n"
	  "  --strict-coverage  exit 1 unless tests fire every rule and make every clause true\n" },
	{ "eval", "[--vars F.json] [--policy POLICY] [--explain] -e EXPR EVENT.json",
	  "Evaluates one expression on one event", cmd_eval,
	  "  -e, --expression EXPR  the expression\n"
	  "  --vars FILE            values of ${name} variables, as a JSON object\n"
	  "  --policy POLICY        its macros may be used\n"
	  "  --explain              each part of it with its result, and the values that it looks at\n"
	  "prints true (exit 0) or false (exit 1); any error is exit 2; EVENT.json may be -\n" },
	{ "fields", "[--json | --markdown] [EVENT]", "Lists event types, or the fields of one", cmd_fields,
	  "  --json      as JSON\n"
	  "  --markdown  all of them, as the reference page\n" },
	{ "fmt", "[--check | -w] POLICY...", "Formats policies and their tests", cmd_fmt,
	  "  --check      names the files that are not formatted; exit 1 if there are any\n"
	  "  -w, --write  changes the files; without, one file goes to stdout\n" },
	{ "schema", "[policy | test]", "Prints the JSON Schema of policies, or of their tests, for editors", cmd_schema,
	  "" },
	{ 0 },
};
