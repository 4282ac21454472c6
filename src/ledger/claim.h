/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

#include <stdbool.h>

/*
 * Who will go on with an unfinished file: the ledgers say which are theirs, also those of sensors
 * that do not run, and those that an earlier life left.
 */
struct claim {
	char sensor[40];
	char place[512]; /* the ledger's directory, below the one that was searched */
	uint32_t pid;    /* of the supervisor; 0 where it ended in order */
};

/* Whether a ledger has a file open or on its way to its name; name is without its .part. */
bool claim_is_in(const struct ledger *ledger, const char *name, uint64_t inode);

/*
 * Search the ledgers of all sensors whose runtime directories are in one directory, such as
 * /run/fancap.  What cannot be read is passed over.
 */
bool claim_find(int above, const char *name, uint64_t inode, struct claim *ret_claim);

/* The same in one runtime directory, with what earlier lives left there. */
bool claim_find_in(int runtime, const char *name, uint64_t inode, struct claim *ret_claim);
