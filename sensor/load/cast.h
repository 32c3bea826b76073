/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of kernel memory by plain loads: programs call bpf_rdonly_cast() (from 6.2 on), which costs nothing, and may then
 * read where they like, for a nanosecond where a helper takes six. libbpf could find the function; but an object that
 * names one of the kernel's functions does not load at all where the kernel has no type information.
 */
#ifndef TAMIS_LOAD_CAST_H
#define TAMIS_LOAD_CAST_H

#include <stddef.h>
#include <stdint.h>

struct btf;

/* The number of the function, if a program that uses it loads here; else 0. @kernel may be NULL. */
int32_t cast_find(const struct btf *kernel);

/* Puts @id in place of CAST_CALL in the object @elf; how often. */
size_t cast_apply(uint8_t *elf, size_t size, int32_t id);

#endif
