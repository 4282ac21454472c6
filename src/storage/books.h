/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "ledger/ledger.h"

/*
 * The books of a stage: which packets lie where, as marks in the commit record, and so which are
 * staged, written or discarded.  Pure.
 */

/* A block's packets were put into the stage, up to `end`; small blocks share a mark. */
void books_stage(
    struct ledger_commit *commit, const struct ledger_mark *block, uint64_t stage_size);

/* The stage is in the file up to `offset`: packets that end there are written. */
void books_flush(struct ledger_commit *commit, uint64_t offset);

/*
 * The storage refuses what is staged: the packets of every mark that is not wholly flushed are
 * discarded.  Returns how many.
 */
uint64_t books_refuse(struct ledger_commit *commit);

/* A new stretch of the stream begins here, behind everything that is settled. */
void books_begin(struct ledger_commit *commit, uint64_t offset);
