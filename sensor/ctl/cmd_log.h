/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_CTL_CMD_LOG_H
#define TAMIS_SENSOR_CTL_CMD_LOG_H

/*
 * `tamisctl log verify|prove|tail|export|checkpoint`: reads the files in state_dir/log; needs no running sensor and
 * changes nothing there. argv[0] is "log", argv[1] the subcommand. Returns the exit status: 0 done and good,
 * 1 verification failed, 2 usage or another error. docs/man/tamisctl-log.1 is the manual.
 */
int cmd_log(int argc, char **argv, const char *state_dir);

#endif
