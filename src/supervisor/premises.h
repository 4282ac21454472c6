/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "base/exit.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "storage/catalog.h"

#include <stdbool.h>

/*
 * What a sensor stands on: its runtime directory with ledger and stages, held by one supervisor
 * at a time, and its output directory.
 */
struct premises {
	int runtime; /* directory, locked for as long as the supervisor lives */
	int output;  /* directory */
	struct catalog catalog;
	struct ledger *ledger;
	bool goes_on; /* ledger and stages are an earlier life's, which left them to be gone on with
		       */
	struct legacy *legacy; /* what earlier lives left, and nobody goes on with */
};

/* Whether an earlier life's rings are there: without them its ledger is no use to go on with. */
enum premises_start {
	PREMISES_ANEW,
	PREMISES_GO_ON,   /* or begin anew, where there is no ledger to go on with */
	PREMISES_ONLY_ON, /* or fail, and leave what there is to a start that tells of it */
};

/*
 * Open all of it, and make the ledger anew, unless an earlier life that did not end in order left
 * one that fits, with all its stages, and it is to be gone on with.  Nothing is left behind on
 * failure.  Logs each fault once, with what would be right.  Returns 0 or a negative errno: -EBUSY
 * where another supervisor runs the sensor, -EINVAL for a configuration that this machine cannot
 * take, -ESTALE, not logged, where it was only to be gone on; *ret_step is what failed.
 */
int premises_open(struct premises *ret_premises, const struct config *config,
    const char *runtime_directory, enum premises_start start, enum exit_step *ret_step);

/*
 * Make the stage of a slot's worker, with its space taken, or open the one that is gone on with,
 * once nobody of the earlier life holds it any more: that is waited for.  Logs.  Returns a
 * descriptor, or a negative errno.
 */
int premises_stage(
    const struct premises *premises, size_t slot, uint64_t size, enum premises_start start);

/* Wait until nobody of the earlier life holds the stage of a slot, if there is one, and remove it.
 */
void premises_drop_stage(const struct premises *premises, size_t slot);

/* Each slot that has nothing left is free for others; its counters go on. */
void premises_free_slots(const struct premises *premises, const struct ledger_run *run);

/* Whether this machine has the memory for so many workers more.  Logs.  Returns 0 or -EINVAL. */
int premises_check_memory(const struct ring_config *ring, uint64_t stage, uint64_t workers);

/* What a ring is made by, for the ledger, and back. */
struct ledger_ring premises_ring(const struct ring_config *ring);
struct ring_config premises_ring_of(const struct ledger_ring *ring);

/* What sockets and files are made by has changed: who adopts the ledger must know. */
void premises_enter_terms(const struct premises *premises, const struct config *config);

/* Whether a ledger is one that a start with this configuration would go on with. */
bool premises_fit(const struct ledger *ledger, const struct config *config);

/* Whether a ledger's records are sound, and the rings in them can be made; the others are damaged.
 */
bool premises_are_sound(const struct ledger *ledger);

/* Put into a configuration what a sound ledger was made by: its terms. */
void premises_recall(struct config *config, const struct ledger *ledger);

/* Remove a stage whose content is in the file, or that never held any. */
void premises_remove_stage(const struct premises *premises, size_t slot);

/* Remove the ledger of a sensor that never began. */
void premises_remove_ledger(const struct premises *premises);

/* Let go of everything; the ledger's file stays for `fancap status`. */
void premises_close(struct premises *premises);
