/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "control/heritage.h"
#include "ledger/ledger.h"
#include "storage/catalog.h"

#include <sys/types.h>
#include <systemd/sd-event.h>

/*
 * What earlier lives of the sensor left unfinished, and nobody goes on with: in the runtime
 * directory ledgers with their stages, in the output directory files.  A child process finishes it
 * beside the capture; what it says is entered in catalog and journal.
 */
struct legacy;

/* Nothing set aside yet, and nothing finished.  Logs.  Returns 0 or -ENOMEM. */
int legacy_open(struct legacy **ret_legacy);

/*
 * Set aside, as old.N in the runtime directory, the ledger that is there and every stage, where
 * they speak of an unfinished file or cannot be understood; else remove the stages.  To be called
 * with the directory locked, when nobody goes on with them, before a ledger is made anew: after it
 * all names are free.  What was set aside before and is not finished stays.  Does not block for
 * long: nothing is read but the ledger, nothing copied.  Logs.  Returns 0 or a negative errno.
 */
int legacy_set_aside(struct legacy *legacy, int runtime);

/* Stop finishing, for a next start to go on with.  NULL is allowed. */
void legacy_close(struct legacy *legacy);

/* What a child finishes from. */
struct legacy_seat {
	const struct config *config;
	int runtime, output;
	struct catalog *catalog;
	worker_main *run;
};

/*
 * Start to finish what there is, once capture runs: the disk may be busy with it for long.  Logs;
 * what cannot be begun is left to the next start.
 */
void legacy_begin(struct legacy *legacy, sd_event *event, const struct legacy_seat *seat);

/*
 * Look once more, since a worker has left a file that nobody goes on with; before legacy_begin()
 * there is no need to.  NULL is allowed.  Logs.
 */
void legacy_again(struct legacy *legacy);

/* Whether this process is the child that finishes.  NULL is allowed. */
bool legacy_is_child(const struct legacy *legacy, pid_t pid);

/*
 * Capture of an interface has begun: tell of the gap since the earlier life, if that did not end in
 * order, once; and count it in each of the interface's slots.
 */
void legacy_tell_gap(struct legacy *legacy, const struct ledger *ledger, const char *interface);
