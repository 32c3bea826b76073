/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When a record wakes the reader of its ring: when none has for EV_WAKE_NS. The reader then looks every EV_WAKE_NS, until nothing has
 * come (sensor/priv/engine_proc.c): what came without waking it came within EV_WAKE_NS of a record that did. So one record alone is
 * taken at once, many cost no wake-up each, and where nothing happens the reader sleeps. What can wait (emit.bpf.h) wakes nobody.
 */
#ifndef TAMIS_BPF_WAKE_H
#define TAMIS_BPF_WAKE_H

#include "lib/core_compat.bpf.h"
#include "tamis/event.h"

volatile __u64 woken_ns; /* the reader was, last */

/* The flags of bpf_ringbuf_output(). @full: the reader had better come now. */
INLINE u64 wake_flags(bool full)
{
	u64 now = bpf_ktime_get_ns();

	if (!full && now - woken_ns < EV_WAKE_NS)
		return BPF_RB_NO_WAKEUP;
	woken_ns = now;
	return BPF_RB_FORCE_WAKEUP;
}

#endif
