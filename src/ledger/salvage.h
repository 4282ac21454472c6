/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/*
 * Map the ledger that an earlier life left, to finish the files that it names.  One of another
 * version is first written anew in the present layout, in one step, from what every version keeps
 * at the same places: stages, and the files on their way.  Its counters are gone, and so are its
 * marks: one stands for all that is staged, with a count of 0 packets.
 *
 * Returns 0, -ENOENT where there is none, -EBADMSG for what does not hold together, -EPERM for what
 * is not this user's own, or another negative errno.
 */
int ledger_salvage(struct ledger **ret_ledger, int directory);
