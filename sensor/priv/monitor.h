/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor: keeps the BPF object and what it takes to start the other processes again; verifies policies; counts what
 * was lost; answers tamisctl. It reads no event and no policy text.
 */
#ifndef TAMIS_PRIV_MONITOR_H
#define TAMIS_PRIV_MONITOR_H

#include "sensor/priv/options.h"

/*
 * Runs the sensor until SIGTERM or SIGINT; returns the exit status. Before every hook is attached an error is one line
 * on stderr. @on_ready (may be NULL) is called once, when the first alert could come.
 */
int monitor_run(const struct options *o, void (*on_ready)(void *ctx), void *ctx);

#endif
