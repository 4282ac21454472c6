/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * Sockets on their way out of a fanout group.  One is out once the last who holds it has closed it,
 * and that need not be us: the service manager closes its own when it comes to it (from 255 on in a
 * thread of its own, so that not even a barrier says when), and a process that was just forked
 * holds each that we held.  Only then is it known which member has moved into its place.
 */
struct departure {
	struct place place;
	size_t count;
	uint64_t inodes[WORKERS_MOST];
};

/* To be noted before they are closed: one, or all that a group has. */
void departure_note(struct departure *departure, const struct group *group, int fd);
void departure_note_all(struct departure *departure, const struct group *group);

/*
 * Whether none of them is left.  Where the kernel's list cannot be read, the service manager is
 * waited for instead, for five seconds at most.
 */
bool departure_is_over(const struct departure *departure);

/* Wait until that is so, for five seconds at most.  Returns whether it is. */
bool departure_await(const struct departure *departure);
