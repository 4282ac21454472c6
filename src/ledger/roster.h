/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/*
 * Which interfaces a sensor has, as its ledger says.  A record that is not used has slots of its
 * own, and stands ready for an interface that comes later; one whose interface has gone keeps its
 * name and what it counted, and is there for the same one alone: so sums stay whole, and no
 * counter is another interface's.
 *
 * An interface comes in two steps: roster_plan() gives it a record and slots, and whoever finds
 * the ledger so takes them back; with roster_enter() it is one of the sensor's.  roster_leave() is
 * the one step by which it is none any more.
 */

/* The record of an interface that the sensor has.  Returns its index, or -ENOENT. */
int roster_find(const struct ledger *ledger, const char *name);

/* Whether there are records for all interfaces of a shape that the sensor has not. */
bool roster_has_room(const struct ledger *ledger, const struct ledger_shape *shape);

/*
 * Give an interface that the sensor has not a record, with slots for its workers: the one that it
 * had before, or one that none had.  Returns its index, or -ENOSPC.
 */
int roster_plan(
    const struct ledger *ledger, const char *name, size_t workers, const struct ledger_ring *ring);

void roster_enter(struct ledger_interface *interface);
void roster_leave(struct ledger_interface *interface);

static inline bool roster_has(const struct ledger_interface *interface)
{
	return atomic_load(&interface->is_used) != 0;
}
