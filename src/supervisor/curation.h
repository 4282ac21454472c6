/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "config/config.h"
#include "control/heritage.h"
#include "control/message.h"
#include "supervisor/premises.h"

#include <stdbool.h>
#include <systemd/sd-event.h>

/*
 * The process that removes finished files, from outside: started where output.retain has a bound,
 * and again where it ends, told what it goes by, and heard.
 */
struct curation {
	const struct config *config;
	struct premises *premises;
	sd_event *event;
	worker_main *run;
	pid_t pid; /* 0: none */
	int channel;
	sd_event_source *channel_source, *end_source;
	struct message told; /* the last plan it was told; of kind 0: none yet */
	uint64_t told_ns;    /* monotonic; when, as long as it has not said that it heard; else 0 */
	uint64_t begun_ns;   /* when it was last started; 0: never */
	bool is_dismissed;   /* killed by us, and not yet reaped */
	bool told_unsure;    /* that nothing is removed by age while the clock is not to be trusted
			      */
};

/*
 * Look what it is to go by now, and tell it where that is another; starts it, where it is wanted
 * and not there, ends it where nothing bounds the files any more, and one that hangs.  Does not
 * block.  Logs.
 */
void curation_look(struct curation *curation, bool knows_time);

/*
 * End it, for a supervisor that ends: it is no loss, as the next one reads all that it knew.  Waits
 * no longer than a moment, since a disk may have it in its grip.  Then a last try to enter what
 * waits for the catalog.  Logs.
 */
void curation_end(struct curation *curation);
