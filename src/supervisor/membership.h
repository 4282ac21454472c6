/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/group.h"

/*
 * Who leaves a fanout group before its time, since its ring is lost, and who comes late to one, in
 * its place, while the others capture.
 *
 * The kernel puts who joins behind the others, and the last into the place of one that leaves.  So
 * where a program shares out, it returns no more than there are members that capture: who joins is
 * sent nothing until it does, and no flow vanishes.  The kernel's own modes cannot be told so: what
 * they send to one that does not let it in is a gap, which is told.
 *
 * While a change is under way the program is its own, and nothing is done here.
 */

/*
 * Give the group its program, as far as there are members that capture.  Returns 0 or a negative
 * errno.
 */
int membership_share_out(const struct group *group);

/*
 * Nobody will read the ring of this one: have its share sent to others, where it is known how.  To
 * be called before its socket refuses anything.
 */
void membership_lose(struct group *group, struct child *child);

/* Whether nobody is just joining, and nobody on the way out. */
bool membership_is_settled(const struct group *group);

/*
 * Take a socket out of the group that nobody will read any more.  Returns false where it cannot be
 * done just now, or is not yet so: to be asked again within some milliseconds.  Logs.
 */
bool membership_leave(struct group *group, struct child *child);

/* Whether one may join just now, and all is prepared that nothing is sent to it. */
bool membership_prepare(struct group *group, struct child *child);

/* It captures from here on. */
void membership_enter(struct group *group, struct child *child);

/* Since when an earlier life's worker has not been heard of. */
uint64_t membership_last_heard_ns(const struct ledger_worker *record);

/* Tell of what was sent to this one and not let in, if anything was, until now.  Logs. */
void membership_tell_gap(const struct group *group, struct child *child);
