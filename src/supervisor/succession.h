/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * Who follows a worker that ends: one that takes its socket and ring over; where those are of no
 * use, one that begins anew; while the group stops, after a few of those, one that only finishes
 * the file.  A successor is forked only once the old process has been reaped.  All log.
 */

/* Start the first life of a worker.  Returns 0, or a negative errno: then it is tried again. */
int succession_begin(struct group *group, struct child *child);

/*
 * Start a worker on the socket that an earlier life of the service captured with.  Returns 0, or a
 * negative errno: then it is tried again.
 */
int succession_inherit(struct group *group, struct child *child, int fd);

/*
 * Where ledger or stage of a worker that does not run are damaged, so that nobody can go on with
 * them: have it begin anew, and its file repaired by reading.  Returns whether that was so.
 */
bool succession_renew(struct group *group, struct child *child);

/* A life has ended, and was reaped. */
void succession_follow(struct group *group, struct child *child, const siginfo_t *how);

/* The group stops: a worker that is dead just now is not waited for, but for what it left. */
void succession_stop(struct group *group, struct child *child);
