/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_TESTS_NOMEM_H
#define TAMIS_TESTS_NOMEM_H

/*
 * Allocators that fail once, at the n-th call: for tests that try every n.
 *
 *	for (long n = 1; ; n++) {
 *		nomem_begin(n);
 *		r = what_is_tested();
 *		if (!nomem_end())	it was over before the n-th allocation
 *			break;
 *	}
 *
 * A sanitizer brings an allocator of its own; there nothing fails, and the loop ends at once.
 */

#include "tests/unit/sanitized.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* volatile: compilers take it that an allocator looks at no variable of the program */
static volatile long nomem_left;

static inline void nomem_begin(long n)
{
	nomem_left = n;
}

#if !SANITIZED && defined(__GLIBC__)
#define NOMEM_FAILS
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static bool nomem_fails(void)
{
	if (nomem_left <= 0)
		return false;
	nomem_left = nomem_left - 1;
	if (nomem_left)
		return false;
	errno = ENOMEM;
	return true;
}

/* The libc's own parameter names are reserved ones. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
void *malloc(size_t n)
{
	return nomem_fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return nomem_fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return nomem_fails() ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
	return nomem_fails() ? NULL : __libc_memalign(align, n);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
#endif

/* Whether an allocation failed since nomem_begin(). */
static inline bool nomem_end(void)
{
	bool failed = nomem_left == 0;

	nomem_left = -1;
	return failed;
}

#endif
