/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/reload.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/difference.h"
#include "supervisor/change.h"
#include "supervisor/journal.h"
#include "supervisor/last_good.h"
#include "supervisor/renewal.h"
#include "supervisor/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

static void release(struct renewal *renewals, size_t count)
{
	for (size_t i = 0; renewals && i < count; i++)
		renewal_release(&renewals[i]);
	free(renewals);
}

/* What can fail is done first, for all of them: what follows is wanted whole or not at all. */
static int prepare(
    const struct reload_seat *seat, const struct config *wanted, struct renewal **ret_renewals)
{
	const size_t count = seat->config->interface_count;
	struct renewal *renewals = calloc(count, sizeof(*renewals));
	int r = renewals ? 0 : log_failure(-ENOMEM, "cannot plan a reload");

	for (size_t i = 0; r >= 0 && i < count; i++)
		if (change_is_wanted(seat->groups[i], wanted))
			r = change_check(seat->groups[i], wanted);
	for (size_t i = 0; r >= 0 && i < count; i++)
		r = renewal_prepare(&renewals[i], seat->groups[i], wanted);
	if (r < 0)
		release(renewals, count);
	else
		*ret_renewals = renewals;
	return r;
}

/* `wanted` holds what was in force before, when it returns. */
static void enter_into_force(
    const struct reload_seat *seat, struct config *wanted, struct renewal *renewals)
{
	const struct renewal_from from = {
		.snaplen = (uint32_t)seat->config->capture.snaplen,
		.promiscuous = seat->config->capture.promiscuous,
		.begins_file = difference_in(seat->config, wanted, RELOAD_NEXT_FILE),
	};

	/* Whoever is born from here on goes by it. */
	difference_apply(seat->config, wanted);
	for (size_t i = 0; i < seat->config->interface_count; i++)
		renewal_apply(&renewals[i], &from);
	/* Last: who dies before has sockets that a next life does not take for other ones. */
	premises_enter_terms(seat->premises, seat->config);
	last_good_keep(seat->premises->runtime, seat->config);
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
	struct renewal *renewals = NULL;
	struct config *wanted = NULL;
	int r = seat->load(seat->path, seat->config, &wanted);

	if (r >= 0)
		r = prepare(seat, wanted, &renewals);
	if (r >= 0)
		enter_into_force(seat, wanted, renewals);
	release(renewals, seat->config->interface_count);
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
