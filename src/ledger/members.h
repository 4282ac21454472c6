/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/*
 * Which number the kernel has each member of an interface's fanout group as.  It tells nobody, but
 * goes by a rule (unit/test_member_order): who joins is the last; the last takes the number of one
 * that leaves; after the link was down they stand as their sockets were made.
 *
 * Each step is written so that whoever finds the ledger in the middle of it comes to the same
 * numbers by members_settle(): one that left has none, so that one number is missing, and whoever
 * has one too great has that.  Where two have gone at a time, nobody can say which of them was the
 * first: if that matters, no number is known until the link was down and up, or one is left.
 *
 * A member has a number from when it has joined until its socket is closed everywhere.  For one to
 * leave or join, all others must stay as they are.  `front` in the interface's record follows.
 */
enum { MEMBER_NOT_KNOWN = -1 };

/* In its group from here on, as the last.  Nothing, where it is already. */
void members_join(const struct ledger *ledger, size_t slot);

/* Out of it, and nobody else since the last step. */
void members_leave(const struct ledger *ledger, size_t slot);

/* Out of it, at the same time as others; when all are, members_settle(). */
void members_drop(const struct ledger *ledger, size_t slot);
void members_settle(const struct ledger *ledger, struct ledger_interface *interface);

/* The link was down and is up. */
void members_relink(const struct ledger *ledger, struct ledger_interface *interface);

/* Some may be in it, or not: nothing is known. */
void members_forget(const struct ledger *ledger, struct ledger_interface *interface);

/* There is no group. */
void members_clear(const struct ledger *ledger, struct ledger_interface *interface);

/* Whether one has joined and not left. */
bool members_has(const struct ledger *ledger, size_t slot);

/* How many have joined and not left. */
size_t members_count(const struct ledger *ledger, const struct ledger_interface *interface);

/* The number of one, or MEMBER_NOT_KNOWN. */
int64_t members_number(const struct ledger *ledger, size_t slot);
