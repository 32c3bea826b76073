/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_CTL_CMD_LOG_WITNESS_H
#define TAMIS_CTL_CMD_LOG_WITNESS_H

#include "lib/buf.h"

extern const char log_witness_help[];

/* tamisctl log witness request|sign. Exit status as tamisctl log's: 1 where the log does not go on from what was seen. */
int cmd_log_witness(int argc, char **argv, const char *state_dir);

/* Reads a small file, "-" is standard input; a negative errno with the reason said. */
int log_read_text(const char *path, struct buf *ret);

#endif
