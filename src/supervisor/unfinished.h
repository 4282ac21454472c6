/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "supervisor/keeper.h"
#include "supervisor/premises.h"

/*
 * A change of an interface's workers, or of the interfaces, that an earlier life of the supervisor
 * left in the ledger which is gone on with.
 */

/*
 * For each record, before a group is opened: undo what was sent nothing yet, and put away what was
 * left of one that was done.  What stands as CHANGE_MOVES after it is for change_resume(); an
 * interface that the sensor has, and is not to have, is for a removal.
 */
void unfinished_settle(const struct premises *premises, struct keeper *keeper, size_t index);
