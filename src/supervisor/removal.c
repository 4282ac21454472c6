/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/removal.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/log.h"
#include "ledger/roster.h"
#include "supervisor/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* As often as it takes to close one socket after the other, which may be some 30 ms each. */
static const uint64_t look_us = 20000;
/* Those who serve, and those whose place they were just taking. */
enum { GENERATIONS_MOST = 2 };

struct removal {
	struct ledger_interface *record;
	char name[LEDGER_INTERFACE_LENGTH]; /* its own: workers unmap the ledger's records */
	struct interface_config interface;
	struct group *groups[GENERATIONS_MOST];
	size_t count;
	struct removal_owner owner;
	sd_event_source *source;
};

static void on_runs(void *user, const struct group *group)
{
	(void)user;
	(void)group;
}

static void on_failed(void *user, const struct group *group, int error)
{
	(void)user;
	(void)group;
	(void)error;
}

static void on_ended(void *user)
{
	const struct removal *removal = user;

	if (removal_has_ended(removal))
		removal->owner.ended(removal->owner.user);
}

/* ---- the end ----------------------------------------------------------------------------- */

static struct child *find_socket(const struct removal *removal)
{
	for (size_t g = 0; g < removal->count; g++)
		for (size_t i = 0; i < removal->groups[g]->count; i++)
			if (removal->groups[g]->children[i].socket >= 0)
				return &removal->groups[g]->children[i];
	return NULL;
}

static void tell(const struct removal *removal, const struct ledger *ledger)
{
	const struct ledger_interface *record = removal->record;
	struct counters total = { 0 };
	const struct journal_about about = {
		.interface = record->name,
		.packets = &total.value[COUNTER_SEEN],
		.bytes = &total.value[COUNTER_WRITTEN_BYTES],
		.drops_total = &total.value[COUNTER_DROPPED],
		.discards = &total.value[COUNTER_DISCARDED],
	};

	for (uint32_t i = 0; i < record->slot_count; i++) {
		struct ledger_commit commit;

		if (ledger_commit_read(ledger_worker(ledger, record->first_slot + i), &commit) == 0)
			counters_add(&total, &commit.counters);
	}
	journal_event(EVENT_STOPPED, &about,
	    "%s: stopped, as it is not in the configuration any more: seen %" PRIu64
	    " packets, dropped %" PRIu64 ", written %" PRIu64 ", discarded %" PRIu64,
	    record->name, *about.packets, *about.drops_total, total.value[COUNTER_WRITTEN],
	    *about.discards);
}

/* Stages and slots, once the store has no socket of theirs, whose names are by these. */
static void put_away(struct removal *removal)
{
	const struct premises *premises = removal->groups[0]->premises;
	struct ledger_run runs[GENERATIONS_MOST];

	(void)keeper_settle();
	for (size_t g = 0; g < removal->count; g++) {
		runs[g] = removal->groups[g]->run;
		group_close(removal->groups[g]);
		free(TAKE(removal->groups[g]));
	}
	FAULT(REMOVAL_CLOSED);
	for (size_t g = 0; g < removal->count; g++)
		premises_free_slots(premises, &runs[g]);
	removal->count = 0;
	tell(removal, premises->ledger);
}

static int on_look(sd_event_source *source, uint64_t usec, void *user)
{
	struct removal *removal = user;
	struct child *child;
	int r = sd_event_source_set_time_relative(source, look_us);

	(void)usec;
	if (r >= 0)
		r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	if (r < 0 || !removal_has_ended(removal))
		return r;
	if (roster_has(removal->record)) {
		FAULT(REMOVAL_DRAINED);
		roster_leave(removal->record);
		FAULT(REMOVAL_LEFT);
		return 0;
	}
	child = find_socket(removal);
	if (child) {
		child_let_go(child);
		return 0;
	}
	put_away(removal);
	/* The last thing that is done to it. */
	removal->owner.done(removal->owner.user, removal);
	return 0;
}

/* ---- life -------------------------------------------------------------------------------- */

int removal_new(struct removal **ret_removal, struct ledger_interface *record, sd_event *event,
    const struct removal_owner *owner)
{
	static char own[] = "";
	struct removal *removal = calloc(1, sizeof(*removal));
	char *at;
	int r = removal ? sd_event_add_time_relative(event, &removal->source, CLOCK_MONOTONIC,
			      look_us, 1, on_look, removal)
			: -ENOMEM;

	if (r >= 0)
		r = sd_event_source_set_enabled(removal->source, SD_EVENT_OFF);
	if (r < 0) {
		removal_close(removal, false);
		return log_failure(r, "%s: cannot plan to stop its capture", record->name);
	}
	removal->record = record;
	removal->owner = *owner;
	/* No socket is made any more, so that it does not matter where it is. */
	memcpy(removal->name, record->name, sizeof(removal->name));
	at = strchr(removal->name, '@');
	removal->interface = (struct interface_config) {
		.name = removal->name,
		.device = at ? at + 1 : removal->name,
		.namespace = own,
	};
	*ret_removal = removal;
	return 0;
}

const struct interface_config *removal_interface(const struct removal *removal)
{
	return &removal->interface;
}

void removal_take(struct removal *removal, struct group *group)
{
	removal->groups[removal->count++] = group;
	removal->interface.workers = group->count;
	group->owner = (struct group_owner) { on_runs, on_failed, on_ended, removal };
	group_take_settings(group, &removal->interface);
}

/* How long its frames are is asked, where it is still there. */
static void go_on(const struct removal *removal, struct group *group)
{
	const struct place place = { PLACE_HERE, "", removal->interface.device };

	if (!strchr(removal->record->name, '@'))
		(void)socket_interface(&place, &group->link);
	group_go_on_leaving(group);
}

void removal_begin(struct removal *removal)
{
	const struct journal_about about = { .interface = removal->record->name };

	for (size_t i = 0; i < removal->count; i++)
		if (removal->groups[i]->keeper)
			go_on(removal, removal->groups[i]);
	journal_event(EVENT_STOPPING, &about,
	    "%s: is not in the configuration any more: writing what its rings hold",
	    removal->record->name);
	for (size_t i = 0; i < removal->count; i++) {
		removal->groups[i]->keeper = NULL;
		removal->groups[i]->arrives = false;
		group_stop(removal->groups[i]);
	}
	FAULT(REMOVAL_BEGUN);
	(void)sd_event_source_set_enabled(removal->source, SD_EVENT_ONESHOT);
}

struct group *removal_group(const struct removal *removal, size_t index)
{
	return index < removal->count ? removal->groups[index] : NULL;
}

bool removal_has_ended(const struct removal *removal)
{
	for (size_t i = 0; i < removal->count; i++)
		if (!group_has_ended(removal->groups[i]))
			return false;
	return true;
}

void removal_close(struct removal *removal, bool leaves)
{
	if (!removal)
		return;
	sd_event_source_disable_unref(removal->source);
	for (size_t i = 0; i < removal->count; i++) {
		(leaves ? group_leave : group_close)(removal->groups[i]);
		free(removal->groups[i]);
	}
	free(removal);
}
