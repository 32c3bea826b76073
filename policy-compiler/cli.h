/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_COMPILER_CLI_H
#define TAMIS_COMPILER_CLI_H

/*
 * The commands of tamisc and what they share. A command gets its own argv (argv[0] is its name) and returns the exit
 * code. Data goes to stdout, messages for people to stderr.
 */

#include "lib/buf.h"
#include "policy-compiler/compile.h"
#include "policy-compiler/workload.h"

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1, /* the input has errors, a test failed, the expression is false */
	CLI_USAGE = 2	/* the command line is wrong; eval: any error */
};

struct cli_command {
	const char *name, *args, *what;
	int (*run)(int argc, char **argv);
	const char *help; /* the options, one a line */
};

extern const struct cli_command cli_commands[]; /* commands.c; ends with a NULL name */

int cmd_check(int argc, char **argv);
int cmd_build(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_fields(int argc, char **argv);
int cmd_fmt(int argc, char **argv);
int cmd_schema(int argc, char **argv);

/* "tamisc check: text" and how to get help; returns CLI_USAGE. */
int cli_usage(const char *command, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "tamisc: text"; returns CLI_FAILED. */
int cli_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The help of the command of that name, on stdout; returns CLI_OK. */
int cli_help(const char *command);
/* A line of text for people, on stderr, unless --quiet. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* All diagnostics on stderr, coloured on a terminal. */
void cli_print_diags(struct diags *d);
/* The same as a JSON array. */
int cli_diags_json(struct diags *d, struct buf *out);
/* "3 errors, 1 warning" */
const char *cli_count_diags(const struct diags *d, char *buf, size_t size);

/* --compat-version: for all that is compiled from here on. CLI_OK, or CLI_USAGE after a message. */
int cli_set_compat(const char *command, const char *version);
/* What it was set to, or the default. */
const char *cli_compat(void);

/* All policies named on the command line, compiled. Diagnostics are in @d; -ENOMEM and the like are reported here. */
int cli_compile(char **paths, int n, struct diags *d, struct compile **ret);

/* --workload: reads the capture @path, NULL for none, and says what is in it. CLI_OK, or CLI_FAILED after a message. */
int cli_workload(const char *path, struct workload **ret);

/* Writes the buffer to stdout; CLI_OK or CLI_FAILED with a message. */
int cli_put(const struct buf *b);

#endif
