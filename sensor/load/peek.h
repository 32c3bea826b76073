/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads kernel memory, by a BPF program of six instructions that nothing calls but BPF_PROG_TEST_RUN (from 5.10 on,
 * kernel commit 1b4d60ec162f): bpf_probe_read_kernel, which answers with an error where nothing is mapped. For finding out
 * where the kernel has what (offsets.h), and nothing else.
 */
#ifndef TAMIS_LOAD_PEEK_H
#define TAMIS_LOAD_PEEK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

struct peek {
	int map, prog; /* owned, close-on-exec */
	uint8_t *page; /* the map's value, shared with children */
};

#define PEEK_MAX 4096u

/* Needs CAP_BPF and CAP_PERFMON. A negative errno where the kernel refuses (lockdown); close with peek_close all the same. */
int peek_open(struct peek *p, struct err *err);
void peek_close(struct peek *p);

/* Copies @n bytes at @address, at most PEEK_MAX, to @ret. 0, or a negative errno. */
int peek_read(struct peek *p, uint64_t address, void *ret, size_t n);

/* Where the calling thread's task_struct lies; 0 on error. */
uint64_t peek_task(struct peek *p);

#endif
