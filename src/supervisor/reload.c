/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/reload.h"

#include "base/clock.h"
#include "base/log.h"
#include "config/difference.h"
#include "supervisor/change.h"
#include "supervisor/journal.h"
#include "supervisor/last_good.h"
#include "supervisor/renewal.h"
#include "supervisor/report.h"
#include "supervisor/room.h"
#include "supervisor/turnover.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* What is made before anything is in force. */
struct plan {
	struct renewal *renewals; /* one for each interface that there was before */
	size_t count;
	struct turnover *turnover;
};

static void release(struct plan *plan)
{
	for (size_t i = 0; plan->renewals && i < plan->count; i++)
		renewal_release(&plan->renewals[i]);
	free(plan->renewals);
	turnover_close(plan->turnover);
}

static bool stays(const struct group *group, const struct config *wanted)
{
	return difference_find(wanted, group->interface->name);
}

/* What can fail is done first, for all of them: what follows is wanted whole or not at all. */
static int prepare(const struct reload_seat *seat, const struct config *wanted, struct plan *plan)
{
	struct group *const *groups = seat->crew->groups;
	int r = 0;

	plan->count = seat->config->interface_count;
	plan->renewals = calloc(plan->count, sizeof(*plan->renewals));
	if (!plan->renewals)
		return log_failure(-ENOMEM, "cannot plan a reload");
	for (size_t i = 0; r >= 0 && i < plan->count; i++)
		if (stays(groups[i], wanted) && change_is_wanted(groups[i], wanted))
			r = change_check(groups[i], wanted);
	if (r >= 0)
		r = room_check(seat->crew, wanted);
	for (size_t i = 0; r >= 0 && i < plan->count; i++)
		if (stays(groups[i], wanted))
			r = renewal_prepare(&plan->renewals[i], groups[i], wanted);
	return r < 0 ? r : turnover_prepare(&plan->turnover, seat->crew, wanted);
}

/* `wanted` holds what was in force before, when it returns. */
static void enter_into_force(
    const struct reload_seat *seat, struct config *wanted, const struct plan *plan)
{
	const struct renewal_from from = {
		.snaplen = (uint32_t)seat->config->capture.snaplen,
		.promiscuous = seat->config->capture.promiscuous,
		.begins_file = difference_in(seat->config, wanted, RELOAD_NEXT_FILE),
	};

	/* Whoever is born from here on goes by it. */
	difference_apply(seat->config, wanted);
	turnover_enter(plan->turnover);
	for (size_t i = 0; i < plan->count; i++)
		if (plan->renewals[i].group)
			renewal_apply(&plan->renewals[i], &from);
	/* Last: who dies before has sockets that a next life does not take for other ones. */
	premises_enter_terms(seat->premises, seat->config);
	last_good_keep(seat->premises->runtime, seat->config);
	/* A next life knows by now who is to be there: nobody captures whom it would not go on
	 * with.
	 */
	turnover_begin(plan->turnover);
}

static void tell_refused(const struct reload_seat *seat)
{
	const struct journal_about about = { 0 };

	if (seat->is_of_start)
		journal_event(EVENT_RELOAD_REFUSED, &about,
		    "%s is another than the one that the rings of before were made by, and "
		    "refused: that one stays in force; what is wrong is told above",
		    seat->path);
	else
		journal_event(EVENT_RELOAD_REFUSED, &about,
		    "reload refused: %s stays in force as it was; what is wrong is told above",
		    seat->path);
}

static int take_up(const struct reload_seat *seat)
{
	struct plan plan = { 0 };
	struct config *wanted = NULL;
	int r = seat->load(seat->path, seat->config, &wanted);

	if (r >= 0)
		r = prepare(seat, wanted, &plan);
	if (r >= 0)
		enter_into_force(seat, wanted, &plan);
	release(&plan);
	config_free(wanted);
	return r;
}

int reload_begin(const struct reload_seat *seat)
{
	struct ledger_header *header = ledger_header(seat->premises->ledger);
	int r;

	if (!seat->is_of_start)
		report_notify(
		    "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_ns() / NSEC_PER_USEC);
	r = take_up(seat);
	atomic_store(&header->refuses_file, r < 0);
	if (r >= 0)
		return r;
	tell_refused(seat);
	report_notify("READY=1\nSTATUS=reload refused; the journal says why");
	return r;
}

void reload_end(const char *path, int error)
{
	const struct journal_about about = { 0 };

	if (error < 0)
		journal_event(EVENT_RELOAD_REFUSED, &about,
		    "reload refused in part: %s is in force, but for workers or rings that stay as "
		    "they were; why is told above",
		    path);
	else
		journal_event(EVENT_RELOADED, &about, "reloaded: %s is in force", path);
	report_notify("READY=1\nSTATUS=%s",
	    error < 0 ? "reload refused in part; the journal says why" : "reloaded");
}
