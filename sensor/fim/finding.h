/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_SENSOR_FIM_FINDING_H
#define TAMIS_SENSOR_FIM_FINDING_H

/*
 * The alert that a watched file has changed: canonical JSON in two pieces, between which the keeper of the log writes the
 * member "seq".
 *
 *	{"event":{"type":"integrity"},"host":...,"integrity":{...},"kind":"alert","process":{...},"rule":{...},
 *	 "seq":...,"time":...,"touched":[...],"v":1}
 *
 * "integrity" is what tamisctl fim diff --json prints for the change. "process" is who touched the file last; "touched" are all
 * since it was as it should be. A change that was found by a scan, and that nobody saw happen, has none of both and
 * "watched":false in "integrity". One that was accepted has "accepted" there, with the reason.
 */

#include "lib/buf.h"
#include "lib/watch.h"
#include "sensor/fim/change.h"

struct finding_by {
	const char *process; /* a JSON object; not terminated */
	uint32_t process_len;
	uint32_t pid, count; /* so many events in a row */
	uint16_t event;
	uint64_t time_ns; /* of the last of them */
};

struct finding {
	const char *path, *host;
	size_t path_len;
	const struct watch *watch;
	const struct change *change;
	const struct fact *old; /* or NULL */
	const struct buf *diff; /* or NULL */
	const struct finding_by *by;
	size_t nby;
	uint64_t more;	      /* touches before those that are not listed */
	const char *accepted; /* why it is the baseline from now on, or NULL */
	bool unwatched;
	uint64_t time_ns;
};

#define FINDING_MAX                                                                                                    \
	(120u << 10) /* bytes of one; processes, the diff, then the facts are left out where it would be more */

/* Into @out (emptied first); *ret_head: bytes of the first piece. The buffer's error. */
int finding_put(const struct finding *f, struct buf *out, size_t *ret_head);

#endif
