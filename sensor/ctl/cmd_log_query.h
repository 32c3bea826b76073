/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_CTL_CMD_LOG_QUERY_H
#define TAMIS_CTL_CMD_LOG_QUERY_H

#include <stdint.h>

extern const char log_query_help[];

/* tamisctl log query: records by time, rule, severity, process, path, user, container. Exit status as tamisctl log's. */
int cmd_log_query(int argc, char **argv, const char *state_dir);

/*
 * When: "2026-11-21", "2026-11-21T08:15", "2026-11-21T08:15:30Z" (UTC, whatever is left out is zero), or how long ago:
 * "90s", "15m", "6h", "2d". Nanoseconds since 1970; -EINVAL for anything else.
 */
int log_query_time(const char *text, uint64_t now_ns, uint64_t *ret_ns);

#endif
