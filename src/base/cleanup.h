/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdlib.h>
#include <unistd.h>

/*
 * Scope-bound release of what a function holds, so that every return is right.
 */
#define CLEANUP(release) __attribute__((cleanup(release)))

/* Define release##_at() for use in CLEANUP(); release() must accept NULL. */
#define DEFINE_CLEANUP(type, release)                                                              \
	static inline void release##_at(type *slot)                                                \
	{                                                                                          \
		release(*slot);                                                                    \
	}

/* Hand ownership of a pointer over: yields it and leaves NULL behind. */
#define TAKE(pointer)                                                                              \
	({                                                                                         \
		__typeof__(pointer) taken_ = (pointer);                                            \
		(pointer) = NULL;                                                                  \
		taken_;                                                                            \
	})

/* Hand ownership of a descriptor over: yields it and leaves -1 behind. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int taken_ = (fd);                                                                 \
		(fd) = -1;                                                                         \
		taken_;                                                                            \
	})

/* Close a descriptor that may be -1, and forget it. */
static inline void close_at(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Free what a pointer points to: CLEANUP(free_at) char *text. */
static inline void free_at(void *slot)
{
	free(*(void **)slot);
}
