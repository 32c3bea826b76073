/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_CTL_CMD_LOG_ROOT_H
#define TAMIS_SENSOR_CTL_CMD_LOG_ROOT_H

/* tamisctl log root: who says that the log's first key is this host's (sensor/record/root.h). */

#include "sensor/record/root.h"

/* What --root-ca, --root-key and --root of a subcommand name; NULL: not given. */
struct log_root_args {
	const char *ca, *key, *root;
};

/* What these come to; texts and keys are owned. */
struct log_root {
	struct root_trust trust;
	struct buf ca, text; /* text: the root itself, where it was asked for */
};

/*
 * Reads who is trusted and, with @state_dir, the root: --root's file or STATE/keys/log.root. 0; or -1, and it was said. In any case
 * log_root_done is to follow.
 */
int log_root_read(const struct log_root_args *a, const char *state_dir, struct log_root *ret);
void log_root_done(struct log_root *r);

extern const char log_root_help[];
int cmd_log_root(int argc, char **argv, const char *state_dir);

#endif
