/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_PRIV_REPLAY_H
#define TAMIS_PRIV_REPLAY_H

/*
 * tamisd --replay: a capture evaluated by a policy, with the decoder, the enrichment, the engine and the renderer of the live
 * sensor. One process, no privilege; reads the capture, the bundle and the key, writes alerts. Every event is looked at by
 * every rule: what the capture's own policy had sieved says nothing about this one.
 */

#include "sensor/priv/options.h"

/* The exit status: 0 the whole capture, or what there is of one that was cut off; 1 with the reason said. */
int replay_run(const struct options *o);

#endif
