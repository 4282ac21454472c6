/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "control/heritage.h"

/*
 * What an earlier life of the sensor left in its runtime directory, set aside there in a directory
 * of its own: a ledger, and the stages that it speaks of.
 */

/* Who is told of the end of each file. */
struct estate_heir {
	const struct heritage *heritage;
	int parent;       /* the runtime directory */
	const char *name; /* of the estate in it */
};

/*
 * Finish every file that the ledger names: what its stage holds is written, then it is given its
 * name.  What does not hold together is left, for repair by reading; never is a byte written that
 * is not known to be the file's next.  Says what became of each over the channel, and removes the
 * estate, unless it is another sensor's or its files are out of reach.  Blocks on the disk.
 */
void estate_settle(const struct estate_heir *heir);
