/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of tamisctl that talk to a sensor or look at the host. argv[0] is the subcommand. Each returns the exit
 * status: 0 done, 1 not done (the reason is on stderr), 2 usage. (`log` has a header of its own.)
 */
#ifndef TAMIS_CTL_COMMANDS_H
#define TAMIS_CTL_COMMANDS_H

enum { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

int cmd_status(int argc, char **argv, const char *state_dir);
int cmd_hooks(int argc, char **argv, const char *state_dir);
int cmd_stats(int argc, char **argv, const char *state_dir);
int cmd_top(int argc, char **argv, const char *state_dir);
int cmd_reload(int argc, char **argv, const char *state_dir);
int cmd_capture(int argc, char **argv, const char *state_dir);
int cmd_metrics(int argc, char **argv, const char *state_dir);
int cmd_sinks(int argc, char **argv, const char *state_dir);
int cmd_doctor(int argc, char **argv, const char *state_dir);

#endif
