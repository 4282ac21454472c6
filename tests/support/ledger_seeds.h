/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/* Ledgers of the layout as it is, whole ones and each kind of damage that is to be refused. */
struct ledger_seed {
	const char *name;
	size_t interfaces;                                    /* 1 or 2 */
	bool is_whole;                                        /* else it is refused */
	void (*change)(struct ledger *ledger, int directory); /* NULL: as it was made */
};

extern const struct ledger_seed ledger_seeds[];
extern const size_t ledger_seed_count;

/* Make the seed as `ledger` in a directory.  Returns 0 or a negative errno. */
int ledger_seed_make(const struct ledger_seed *seed, int directory);
