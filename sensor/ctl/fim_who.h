/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_CTL_FIM_WHO_H
#define TAMIS_SENSOR_CTL_FIM_WHO_H

/*
 * For each file that the last check found changed: the newest integrity alert on it in the sensor's log, by the log's index
 * (sensor/record/logindex.h), which is made or brought up to date for it. What the log proves is `tamisctl log verify`'s matter.
 */

#include "lib/cleanup.h"
#include "sensor/fim/report.h"

struct fim_who;

/* *ret fills what report_html() takes, and has to live as long. Where there is no log, or it cannot be read, ret_log->why says so. */
int fim_who_open(struct baseline *b, const char *state_dir, struct fim_who **ret, struct report_log *ret_log,
		 struct err *e);
void fim_who_close(struct fim_who *w);
DEFINE_CLEANUP(struct fim_who *, fim_who_close);

#endif
