/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sink's process: loads the module, gives up what it does not need, and delivers until it is told to end.
 */
#ifndef TAMIS_PRIV_SINK_PROC_H
#define TAMIS_PRIV_SINK_PROC_H

#include "sensor/priv/spool_proc.h"

/* The whole life of the process for sink @i; returns its exit status. SIGTERM: deliver what is there, then end. */
int sink_main(const struct spool_args *a, size_t i);

#endif
