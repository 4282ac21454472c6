/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/*
 * How a finished file comes into the catalog.  Its worker writes it into its record, once it has
 * its name and before a commit says that it is finished; the supervisor enters it in the catalog,
 * and then says so in `entered`.  So whoever is killed, what is not entered still stands here, and
 * only the first that is not said to be entered may be in the catalog already.  All pure, but that
 * they read and write the ledger.
 */

/* Whether a worker may write this one: not where it would take the place of one not yet entered. */
bool ledger_finished_has_room(const struct ledger_worker *worker, uint64_t number);

/*
 * Write one, its sum included; by the worker alone.  A life that was killed before its commit has
 * the next one write it again, by the same number: then it is entered once.
 */
void ledger_finished_write(struct ledger_worker *worker, const struct ledger_finished *file);

/* Returns 1 and the least number that is not entered, or 0 where there is none. */
int ledger_finished_next(const struct ledger_worker *worker, struct ledger_finished *ret_file);

/* The greatest number that was written or entered; 0 where none was. */
uint64_t ledger_finished_last(const struct ledger_worker *worker);
