/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "supervisor/turnover.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "config/difference.h"
#include "ledger/roster.h"
#include "supervisor/renewal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

struct turnover {
	struct crew *crew;
	const struct config *wanted;
	struct group **groups;   /* one for each interface that is wanted */
	struct change **changes; /* as many, and none of them */
	struct removal **removals;
	struct group **leaving; /* whose removal that is */
	size_t removal_count;
	bool is_entered;
};

/* ---- made beforehand --------------------------------------------------------------------- */

static int plan_arrival(
    struct turnover *turnover, const struct interface_config *interface, struct group **ret_group)
{
	struct crew *crew = turnover->crew;
	const struct ledger_ring ring = premises_ring(&turnover->wanted->ring);
	int r = renewal_try_cpus(interface);

	if (r < 0)
		return r;
	r = roster_plan(crew->premises->ledger, interface->name, interface->workers, &ring);
	if (r < 0)
		return log_failure(r,
		    "interfaces: %s: the ledger has no room for it and its %" PRIu64
		    " workers; a restart would make a new one",
		    interface->name, interface->workers);
	r = crew_open_group(crew, interface, (size_t)r, ret_group);
	FAULT(ARRIVAL_PLANNED);
	if (r < 0)
		return r;
	(*ret_group)->arrives = true;
	return group_prepare(*ret_group, turnover->wanted);
}

static int plan_removal(struct turnover *turnover, struct group *group)
{
	const struct removal_owner owner = crew_removal_owner(turnover->crew);
	const size_t i = turnover->removal_count;
	int r = removal_new(&turnover->removals[i], group->record, turnover->crew->event, &owner);

	if (r < 0)
		return r;
	turnover->leaving[i] = group;
	turnover->removal_count++;
	return 0;
}

static int make(struct turnover **ret_turnover, struct crew *crew, const struct config *wanted)
{
	struct turnover *turnover = calloc(1, sizeof(*turnover));
	const size_t count = crew->config->interface_count;

	if (!turnover)
		return -ENOMEM;
	*turnover = (struct turnover) {
		.crew = crew,
		.wanted = wanted,
		.groups = calloc(wanted->interface_count, sizeof(struct group *)),
		.changes = calloc(wanted->interface_count, sizeof(struct change *)),
		.removals = calloc(count, sizeof(struct removal *)),
		.leaving = calloc(count, sizeof(struct group *)),
	};
	*ret_turnover = turnover;
	return turnover->groups && turnover->changes && turnover->removals && turnover->leaving
		   ? 0
		   : -ENOMEM;
}

DEFINE_CLEANUP(struct turnover *, turnover_close)

int turnover_prepare(struct turnover **ret_turnover, struct crew *crew, const struct config *wanted)
{
	CLEANUP(turnover_close_at) struct turnover *turnover = NULL;
	int r = make(&turnover, crew, wanted);

	if (r < 0)
		return log_failure(r, "cannot plan a reload");
	r = interfaces_add(crew->interfaces, wanted);
	for (size_t i = 0; r >= 0 && i < wanted->interface_count; i++) {
		turnover->groups[i] = crew_find_group(crew, wanted->interfaces[i].name);
		if (!turnover->groups[i])
			r = plan_arrival(turnover, &wanted->interfaces[i], &turnover->groups[i]);
	}
	for (size_t i = 0; r >= 0 && i < crew->config->interface_count; i++)
		if (!difference_find(wanted, crew->config->interfaces[i].name))
			r = plan_removal(turnover, crew->groups[i]);
	if (r < 0)
		return r;
	*ret_turnover = TAKE(turnover);
	return 0;
}

/* ---- in force ---------------------------------------------------------------------------- */

static void begin_arrivals(struct turnover *turnover)
{
	struct crew *crew = turnover->crew;
	const size_t count = crew->config->interface_count;

	for (size_t i = 0; i < count; i++)
		if (crew->groups[i]->arrives)
			roster_enter(crew->groups[i]->record);
	FAULT(ARRIVAL_ENTERED);
	for (size_t i = 0; i < count; i++) {
		struct group *group = crew->groups[i];
		int r = group->arrives ? group_begin(group) : 0;

		/* What is not there is told, and not waited for. */
		if (r <= 0)
			group->arrives = false;
		if (r < 0)
			crew->error = r;
	}
	FAULT(ARRIVAL_BEGUN);
}

void turnover_enter(struct turnover *turnover)
{
	struct crew *crew = turnover->crew;
	struct group **groups = crew->groups;
	struct change **changes = crew->changes;

	crew->groups = turnover->groups;
	crew->changes = turnover->changes;
	turnover->groups = groups;
	turnover->changes = changes;
	turnover->is_entered = true;
	for (size_t i = 0; i < crew->config->interface_count; i++)
		group_take_settings(crew->groups[i], &crew->config->interfaces[i]);
	for (size_t i = 0; i < turnover->removal_count; i++) {
		removal_take(turnover->removals[i], turnover->leaving[i]);
		crew_add_removal(crew, turnover->removals[i]);
	}
	interfaces_keep(crew->interfaces, crew->config);
}

void turnover_begin(struct turnover *turnover)
{
	FAULT(TURNOVER_MEANT);
	/* First who comes: a sensor is never without an interface. */
	begin_arrivals(turnover);
	for (size_t i = 0; i < turnover->removal_count; i++)
		removal_begin(turnover->removals[i]);
	turnover->crew->since_ns = clock_monotonic_ns();
}

static void undo(struct turnover *turnover)
{
	for (size_t i = 0; turnover->groups && i < turnover->wanted->interface_count; i++) {
		struct group *group = turnover->groups[i];

		if (!group || !group->arrives)
			continue;
		crew_forget_group(turnover->crew, group);
	}
	for (size_t i = 0; i < turnover->removal_count; i++)
		removal_close(turnover->removals[i], false);
	interfaces_keep(turnover->crew->interfaces, turnover->crew->config);
}

void turnover_close(struct turnover *turnover)
{
	if (!turnover)
		return;
	if (!turnover->is_entered)
		undo(turnover);
	free(turnover->groups);
	free(turnover->changes);
	free(turnover->removals);
	free(turnover->leaving);
	free(turnover);
}
