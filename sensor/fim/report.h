/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_REPORT_H
#define TAMIS_SENSOR_FIM_REPORT_H

/*
 * What the last check found, as one HTML page that stands alone: no script, style, font or image from elsewhere. Every text
 * that comes from the host is escaped where it is written. The page is replaced as a whole.
 */

#include "sensor/fim/baseline.h"

#define REPORT_CHANGES_MAX 5000 /* shown one by one, the gravest first; the rest is counted, and said so */

int report_html(struct baseline *b, const char *path, struct err *e);

#endif
