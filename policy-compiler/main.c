/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "policy-compiler/cli.h"

static void print_help(FILE *f)
{
	fputs("tamisc: the policy compiler of Tamis\n\nusage: tamisc COMMAND [OPTIONS]\n\n", f);
	for (const struct cli_command *c = cli_commands; c->name; c++)
		fprintf(f, "  %-8s %s\n", c->name, c->what);
	fputs("\nExit codes: 0 fine, 1 errors, 2 usage.\n"
	      "tamisc COMMAND --help shows its arguments and options; tamisc(1) tells more.\n",
	      f);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
		print_help(stdout);
		return CLI_OK;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("tamisc " TAMIS_VERSION);
		return CLI_OK;
	}
	for (const struct cli_command *c = cli_commands; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c->run(argc - 1, argv + 1);
	if (*name)
		fprintf(stderr, "tamisc: no command \"%s\"\n\n", name);
	print_help(stderr);
	return CLI_USAGE;
}
