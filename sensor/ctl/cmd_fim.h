/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_CTL_CMD_FIM_H
#define TAMIS_SENSOR_CTL_CMD_FIM_H

/*
 * `tamisctl fim init|check|diff|accept|list|verify-packages|report`: file integrity by a baseline in state_dir; needs no
 * running sensor. argv[0] is "fim". Exit status: 0 same (or done), 1 changed, 2 error. docs/man/tamisctl-fim.1 is the
 * manual.
 */

#include "lib/bundle.h"
#include "sensor/ctl/progress.h"
#include "sensor/fim/baseline.h"

enum { FIM_SAME = 0, FIM_CHANGED = 1, FIM_ERROR = 2 };

struct fim_args {
	const char *state_dir;
	const char *policy, *trust, *html;
	bool allow_unsigned, json, all, quiet, no_packages;
	struct baseline_options o;
	struct bundle bundle; /* what o.watches points into */
	int argc;	      /* what is left behind the options */
	char **argv;
};

int cmd_fim(int argc, char **argv, const char *state_dir);

/* cmd_fim_show.c */
int fim_cmd_diff(struct fim_args *a);
int fim_cmd_list(struct fim_args *a);
int fim_cmd_report(struct fim_args *a);
int fim_cmd_verify(struct fim_args *a);
/* The changes of the last check as a table or as JSON lines. */
int fim_print_changes(struct fim_args *a, struct err *e);
void fim_print_summary(const struct baseline_counts *c, double seconds, uint64_t bytes);
void fim_print_unreadable_json(const char *path, size_t len, const char *why);
void fim_print_summary_json(const struct baseline_counts *c);
/* Whether a path is one of the arguments, or below one; all are where there are none. */
bool fim_named(const struct fim_args *a, const char *path, size_t len);

#endif
