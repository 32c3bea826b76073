/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TAMIS_LIB_CLEANUP_H
#define TAMIS_LIB_CLEANUP_H

/*
 * Variables that clean up after themselves when their scope ends, so that a function has one way out.
 *
 *	_cleanup_free_ char *path = NULL;
 *	_cleanup_close_ int fd = -1;
 *	...
 *	*ret_fd = TAKE_FD(fd);		hands the value over: the variable no longer owns it
 *
 * A variable with a cleanup attribute is always initialised where it is declared.
 * A type with its own free function gets an attribute by DEFINE_CLEANUP:
 *
 *	DEFINE_CLEANUP(struct log *, log_close);
 *	_cleanup_(log_close) struct log *log = NULL;	calls log_close(log) unless log is NULL
 *
 * errno survives every cleanup.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(func) __attribute__((cleanup(func##_cleanup_)))

/* Declares what _cleanup_(func) calls; func takes one argument of the pointer type and is not called for NULL. */
#define DEFINE_CLEANUP(type, func)                                                                                     \
	static inline void func##_cleanup_(type *variable)                                                             \
	{                                                                                                              \
		int saved_errno = errno;                                                                               \
                                                                                                                       \
		if (*variable)                                                                                         \
			func(*variable);                                                                               \
		errno = saved_errno;                                                                                   \
	}                                                                                                              \
	struct cleanup_needs_a_semicolon_

static inline void cleanup_free(void *variable)
{
	int saved_errno = errno;

	free(*(void **)variable);
	errno = saved_errno;
}

static inline void cleanup_close(int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved_errno;
}

static inline void cleanup_fclose(FILE **f)
{
	int saved_errno = errno;

	if (*f)
		fclose(*f);
	errno = saved_errno;
}

static inline void cleanup_closedir(DIR **d)
{
	int saved_errno = errno;

	if (*d)
		closedir(*d);
	errno = saved_errno;
}

#define _cleanup_free_	   __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_	   __attribute__((cleanup(cleanup_close)))
#define _cleanup_fclose_   __attribute__((cleanup(cleanup_fclose)))
#define _cleanup_closedir_ __attribute__((cleanup(cleanup_closedir)))

/* The value, and the variable is left empty: ownership moves to the expression's user. */
#define TAKE_PTR(ptr)                                                                                                  \
	({                                                                                                             \
		__typeof__(ptr) *taken_ = &(ptr);                                                                      \
		__typeof__(ptr) value_ = *taken_;                                                                      \
		*taken_ = NULL;                                                                                        \
		value_;                                                                                                \
	})

#define TAKE_FD(fd)                                                                                                    \
	({                                                                                                             \
		int *taken_fd_ = &(fd);                                                                                \
		int value_fd_ = *taken_fd_;                                                                            \
		*taken_fd_ = -1;                                                                                       \
		value_fd_;                                                                                             \
	})

#endif
